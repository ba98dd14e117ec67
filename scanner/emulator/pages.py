"""The answer to one query, page by page, by the rules of Azure Resource Graph.

Sources: MicrosoftDocs/azure-docs articles/governance/resource-graph/concepts/work-with-data.md (paging, formats),
Azure/azure-rest-api-specs specification/resourcegraph/.../2024-04-01/resourcegraph.json (bodies).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import orjson

from scanner.kql import Accepted
from scanner.model import ColumnType, Json

MOST = 1000
"""Rows of one page at most, and of a page whose size is not told."""

_TYPES: dict[ColumnType, str] = {
    "string": "string",
    "bool": "boolean",
    "long": "integer",
    "real": "number",
    "dynamic": "object",
}


class BadTokenError(ValueError):
    """A `$skipToken` that was not made here, or for another query or scope."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Every row of an answer, in a file of one JSON object a line; `starts` are the offsets of the lines, the end included."""

    id: str
    accepted: Accepted
    path: Path
    starts: array[int]

    @classmethod
    def over(cls, path: Path, *, identity: str, accepted: Accepted) -> Self:
        """The answer in a file."""
        starts = array("Q", [0])
        with path.open("rb") as lines:
            for line in lines:
                starts.append(starts[-1] + len(line))
        return cls(id=identity, accepted=accepted, path=path, starts=starts)

    @property
    def total(self) -> int:
        """How many rows there are."""
        return len(self.starts) - 1

    @property
    def pages(self) -> bool:
        """Whether ARG hands out tokens: the rows have a scalar `id`, and the query neither limits nor summarizes them."""
        held = self.accepted
        return held.shape.columns.get("id", "dynamic") != "dynamic" and not held.limited and not held.grouped

    def rows(self, start: int, stop: int) -> list[dict[str, Json]]:
        """Some rows, each with every column, null where it holds nothing."""
        stop = min(stop, self.total)
        if start >= stop:
            return []
        with self.path.open("rb") as file:
            file.seek(self.starts[start])
            lines = file.read(self.starts[stop] - self.starts[start]).splitlines()
        return [{name: row.get(name) for name in self.accepted.shape.columns} for row in map(orjson.loads, lines)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a page begins, and how many rows it may have."""

    offset: int
    top: int

    def token(self, result: str) -> str:
        """The opaque `$skipToken` of this place in an answer."""
        text = f"{result} {self.offset} {self.top}"
        return base64.urlsafe_b64encode(f"{text} {_check(text)}".encode()).decode()

    @classmethod
    def of(cls, token: str, result: str) -> Self:
        """The place that a token names; BadTokenError where it is not one of this answer."""
        try:
            text, _, check = base64.urlsafe_b64decode(token.encode()).decode().rpartition(" ")
        except (binascii.Error, UnicodeError) as error:
            raise BadTokenError(token) from error
        name, _, numbers = text.partition(" ")
        if check != _check(text) or name != result:
            raise BadTokenError(token)
        offset, top = map(int, numbers.split())
        return cls(offset=offset, top=top)


def _check(text: str) -> str:
    """What tells a token from one that somebody changed; no secret is needed on loopback."""
    return hashlib.sha256(f"arguard emulator {text}".encode()).hexdigest()[:16]


def page(result: Result, place: Place, *, table: bool) -> dict[str, Json]:
    """The body of one answer: rows, counts, and a token where there are more rows and ARG hands one out."""
    held = result.accepted
    # The service ignores $skip behind take or limit, and of a summary it returns the first page only.
    offset = 0 if held.limited or held.grouped else place.offset
    rows = result.rows(offset, offset + place.top)
    more = offset + len(rows) < result.total
    body: dict[str, Json] = {
        "totalRecords": result.total,
        "count": len(rows),
        "resultTruncated": "true" if more and not result.pages else "false",
        "data": _table(result, rows) if table else rows,
        "facets": [],
    }
    if more and result.pages:
        body["$skipToken"] = Place(offset=offset + len(rows), top=place.top).token(result.id)
    return body


def _table(result: Result, rows: list[dict[str, Json]]) -> Json:
    """The form `table`: names and types of the columns once, then bare values."""
    columns = result.accepted.shape.columns
    return {
        "columns": [{"name": name, "type": _TYPES[kind]} for name, kind in columns.items()],
        "rows": [list(row.values()) for row in rows],
    }
