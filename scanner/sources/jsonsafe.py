"""JSON that other tools write, read strictly: one value, UTF-8, no key twice, every part with its place.

The counterpart of `scanner.yamlsafe` for files that are JSON: both give trees of `scanner.nodes`, which models are made of.
"""

from __future__ import annotations

import orjson

from scanner.errors import InputError, Problem
from scanner.model import Json
from scanner.nodes import Entry, ListNode, MappingNode, Node, Position, ScalarNode
from scanner.sources import positions
from scanner.sources.positions import Places
from scanner.sources.rows import MAX_DEPTH


def load(data: bytes, file: str) -> Node:
    """Read one document; raises InputError with every problem that can be found. `file` is how problems name it.

    A number with a fraction becomes its text, as in YAML here.
    """
    tree, places = parse(data, file)
    problems = repeated(file, places)
    if problems:
        raise InputError(problems)
    return _node(tree, file, places, ())


def parse(data: bytes, file: str) -> tuple[Json, Places]:
    """The value and the places of its parts, repeated keys among them; raises InputError for what is no JSON."""
    try:
        text = data.decode()
        return orjson.loads(data), positions.places(text)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        problem = Problem(file=file, line=line, column=column, text=f"not UTF-8: {error.reason}")
        raise InputError([problem]) from error
    except orjson.JSONDecodeError as error:
        problem = Problem(file=file, line=error.lineno, column=error.colno, text=f"not JSON: {error.msg}")
        raise InputError([problem]) from error


def repeated(file: str, places: Places) -> list[Problem]:
    """A problem for each key that stands twice in one object."""
    return [problem(file, path, at, "stands here a second time in one object") for path, at in places.repeated]


def problem(file: str, path: positions.Path, at: positions.Position, text: str) -> Problem:
    """A problem at a place of a JSON file."""
    return Problem(file=file, line=at.line, column=at.column, path=".".join(map(str, path)), text=text)


def _node(value: Json, file: str, places: Places, path: positions.Path) -> Node:
    at = places.value(path)
    if len(path) > MAX_DEPTH:
        raise InputError([problem(file, path[:3], at, f"is nested deeper than {MAX_DEPTH} levels")])
    if isinstance(value, dict):
        entries = (
            Entry(key=key, position=Position(*places.key((*path, key))), value=_node(member, file, places, (*path, key)))
            for key, member in value.items()
        )
        return MappingNode(position=Position(*at), entries=tuple(entries))
    if isinstance(value, list):
        items = (_node(item, file, places, (*path, index)) for index, item in enumerate(value))
        return ListNode(position=Position(*at), items=tuple(items))
    return ScalarNode(position=Position(*at), value=str(value) if isinstance(value, float) else value)
