"""What authors write: the cases of a policy, raw table rows in, verdicts out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, NamedTuple

from pydantic import ConfigDict, Field, JsonValue, PlainValidator, RootModel, WithJsonSchema

from scanner.authoring.types import Authored, Given, Line, Name, Slug, wrong
from scanner.errors import Problem
from scanner.model import Json
from scanner.nodes import ListNode, MappingNode, Node, find

_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z$"
_ROW_SCHEMA: Json = {
    "anyOf": [
        {"type": "string", "pattern": r"\S"},
        {"type": "array", "items": {"type": "string", "pattern": r"\S"}, "minItems": 2, "maxItems": 2},
    ]
}


class ExpectedRow(NamedTuple):
    """A row of the population: a tail of its resource's id, and its subject where the policy has one."""

    tail: str
    subject: str = ""


def _row(value: Json) -> ExpectedRow:
    parts = [value] if isinstance(value, str) else value if isinstance(value, list) and len(value) == 2 else []
    if parts and all(isinstance(part, str) and part.strip() for part in parts):
        return ExpectedRow(*parts)
    raise wrong("must be the tail of a resource's id such as rg/web01, or a pair such as [rg/web01, 'extension:e1']")


def _moment(value: Json) -> str:
    if isinstance(value, str) and re.fullmatch(_TIME, value):
        try:
            datetime.fromisoformat(value)
        except ValueError:
            pass
        else:
            return value
    raise wrong("must be a time in UTC such as 2026-11-20T06:00:00Z")


Row = Annotated[ExpectedRow, PlainValidator(_row), WithJsonSchema(_ROW_SCHEMA)]
Moment = Annotated[str, PlainValidator(_moment), WithJsonSchema({"type": "string", "pattern": _TIME})]


class GivenSpec(Authored):
    """What the case sets up; every other key is a table or side table with its raw rows."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, tuple[dict[str, JsonValue], ...]]

    collected_at: Moment
    """The time that now() means, in UTC."""
    profile: Given[Slug] = None
    """The profile of the pack to judge by."""
    params: dict[Name, Annotated[Json, WithJsonSchema({})]] = Field(default_factory=dict)
    """Parameters that the case sets."""
    unanswered: dict[Name, tuple[Line, ...]] = Field(default_factory=dict)
    """Table or side table to the subscriptions that did not answer for it."""


class ExpectSpec(Authored):
    """Every row of the population, under its verdict; a row that is not listed fails the case."""

    pass_: tuple[Row, ...] = Field(default=(), alias="pass")
    """Rows that pass."""
    fail: tuple[Row, ...] = ()
    """Rows that fail."""
    unknown: tuple[Row, ...] = ()
    """Rows that cannot be decided."""
    not_applicable: tuple[Row, ...] = ()
    """Rows that the policy does not judge."""


class CaseSpec(Authored):
    """One unit test of a policy."""

    case: Line
    """What the case shows, in one line."""
    given: GivenSpec
    """The raw rows and settings."""
    expect: ExpectSpec
    """The verdicts."""


class CasesFile(RootModel[Annotated[tuple[CaseSpec, ...], Field(min_length=1)]]):
    """The cases of one policy: its unit tests."""

    model_config = ConfigDict(strict=True, frozen=True)


def odd_values(node: Node, file: str) -> Iterator[Problem]:
    """Plain texts under `given` that look like another type: rows have no schema that would notice.

    Dates are left alone: JSON has none, so a date in a row is a text in every reading.
    """
    for number in range(len(node.items)) if isinstance(node, ListNode) else ():
        given = find(node, [number, "given"])
        if given is not None:
            yield from _odd_in(given, file, f"[{number}].given")


def _odd_in(node: Node, file: str, path: str) -> Iterator[Problem]:
    if isinstance(node, MappingNode):
        for entry in node.entries:
            yield from _odd_in(entry.value, file, f"{path}.{entry.key}")
    elif isinstance(node, ListNode):
        for number, item in enumerate(node.items):
            yield from _odd_in(item, file, f"{path}[{number}]")
    elif node.odd not in {"", "a date"}:
        words = f"'{node.value}' is a text here but looks like {node.odd}; quote it, or write what JSON would: true, null, 10"
        yield Problem(file=file, line=node.position.line, column=node.position.column, path=path, text=words)
