"""From a checked YAML tree to a model, with each complaint of pydantic put back in its place and into plain words."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from scanner.authoring.types import WRONG, rule
from scanner.errors import InputError, Problem
from scanner.model import Json
from scanner.nodes import ListNode, MappingNode, Node, Part, ScalarNode, find, key_position

M = TypeVar("M", bound=BaseModel)

_WANTED = {
    "string_type": "must be a text",
    "int_type": "must be an integer",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
}
_SPELLED = {"int_type": r"-?(0|[1-9][0-9]*)", "bool_type": r"true|false"}


def read(model: type[M], node: Node, file: str) -> M:
    """Make a model of a tree; raises InputError with every problem, each at the key or value that it is about."""
    try:
        # As JSON: strict mode takes lists for tuples only there.
        return model.model_validate_json(json.dumps(node.plain()))
    except ValidationError as error:
        found = [details for details in error.errors(include_url=False) if not _is_echo(node, details)]
        raise InputError(_problem(model, node, file, details) for details in found) from None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the nearest known name, else the known names, else nothing."""
    names = sorted(set(known))
    lowered = {other.lower(): other for other in names}
    close = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.6)
    if close:
        return f"; did you mean '{lowered[close[0]]}'?"
    return f"; known here: {', '.join(names)}" if 0 < len(names) <= 30 else ""


def path_of(parts: Sequence[Part]) -> str:
    """A path as people write it: `attach.locks.from`, `severity_when[0].when`."""
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _is_echo(node: Node, details: ErrorDetails) -> bool:
    """Whether a list is called too short only because what stands in it is wrong."""
    there = find(node, details["loc"])
    return details["type"] == "too_short" and isinstance(there, ListNode) and bool(there.items)


def _problem(model: type[BaseModel], node: Node, file: str, details: ErrorDetails) -> Problem:
    loc, kind = details["loc"], details["type"]
    about_key = kind == "extra_forbidden" or loc[-1:] == ("[key]",)
    if loc[-1:] == ("[key]",):
        loc = loc[:-1]
    place = key_position(node, loc) if about_key else node.at(loc)
    text = _words(model, find(node, loc), details, loc)
    return Problem(file=file, line=place.line, column=place.column, path=path_of(loc), text=text)


def _words(model: type[BaseModel], node: Node | None, details: ErrorDetails, loc: Sequence[Part]) -> str:
    kind, context = details["type"], details.get("ctx", {})
    if kind == WRONG:
        return f"{context['text']}{_misread(node)}"
    if kind == "extra_forbidden":
        return f"unknown key{did_you_mean(str(loc[-1]), _known(model, loc[:-1]))}"
    if kind == "literal_error":
        words = re.findall(r"'([^']*)'", context["expected"])
        return f"must be one of {', '.join(words)}, not {_describe(node)}{_nearest(node, words)}"
    if kind in _WANTED:
        return f"{_WANTED[kind]}, not {_describe(node)}{_hint(kind, node)}{_option(model, kind, loc)}"
    return _limits(kind, context) or details["msg"]


def _limits(kind: str, context: Json) -> str:
    if kind == "missing":
        return "this key is missing"
    if kind == "string_pattern_mismatch":
        return rule(context["pattern"])
    if kind == "too_short":
        return f"must hold at least {context['min_length']}"
    if kind == "string_too_long":
        return f"must have at most {context['max_length']} characters"
    return f"must be {context['ge']} or more" if kind == "greater_than_equal" else ""


def _describe(node: Node | None) -> str:
    if isinstance(node, MappingNode):
        return "a mapping"
    if isinstance(node, ListNode):
        return "a list"
    if node is None or node.value is None:
        return "empty (null)"
    return f"the text '{node.value[:60]}'" if isinstance(node.value, str) else json.dumps(node.value)


def _hint(kind: str, node: Node | None) -> str:
    """What to write instead, where a scalar was read as another type than the author thought."""
    if not isinstance(node, ScalarNode) or node.value is None:
        return ""
    if kind == "string_type":
        return f'; quote it: "{json.dumps(node.value)}"'
    if kind == "bool_type" and node.odd == "a boolean":
        return "; every other spelling is a text, write true or false"
    if kind == "int_type" and node.odd == "a number":
        return "; write plain decimal digits such as 1000"
    spelled = isinstance(node.value, str) and re.fullmatch(_SPELLED.get(kind, ""), node.value)
    return "; leave the quotes out" if spelled else ""


def _misread(node: Node | None) -> str:
    odd = isinstance(node, ScalarNode) and node.odd
    return f"; '{node.value}' is a text here, though it looks like {odd}" if isinstance(node, ScalarNode) and odd else ""


def _nearest(written: Node | Part | None, words: Iterable[str]) -> str:
    name = written.value if isinstance(written, ScalarNode) else written
    found = did_you_mean(name, words) if isinstance(name, str) else ""
    return found if "did you mean" in found else ""


def _option(model: type[BaseModel], kind: str, loc: Sequence[Part]) -> str:
    """A mistyped option among free keys is taken for a table, whose rows are a list: name the option it may be."""
    known = _known(model, loc[:-1]) if kind == "tuple_type" else []
    return "" if not known or loc[-1] in known else _nearest(loc[-1], known)


def _known(model: type[BaseModel], loc: Sequence[Part]) -> list[str]:
    """The keys that are known at `loc`, read off the JSON Schema of the model."""
    schema = model.model_json_schema()
    here = schema
    for part in loc:
        here = _resolve(schema, here)
        free = [*here.get("patternProperties", {}).values(), here.get("additionalProperties") or {}]
        here = here.get("items", {}) if isinstance(part, int) else here.get("properties", {}).get(part, free[0])
    return list(_resolve(schema, here).get("properties", {}))


def _resolve(schema: dict[str, Any], here: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = schema["$defs"][here["$ref"].rpartition("/")[2]] if "$ref" in here else here
    return found
