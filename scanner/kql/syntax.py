"""A query as a tree: only what the checks need, with the place of every node.

`at` counts characters from 0 in the text that was parsed; `scanner.kql.rewrite` maps it to the author's line and column.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """A bare name: a column, or a table where a table is meant."""

    at: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Literal:
    """A literal. `kind` is its Kusto type; `text` is the value of a string, else the literal as it is written."""

    at: int
    kind: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """Steps into a dynamic value; an index is the empty string."""

    at: int
    base: Expr
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A function call; named arguments keep their names in `labels` (empty where there is none)."""

    at: int
    name: str
    args: tuple[Expr, ...]
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An operator of any arity, by its Kusto spelling; `-` with one operand is the sign."""

    at: int
    op: str
    args: tuple[Expr, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Star:
    """`*` as an argument."""

    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Nested:
    """A query in brackets."""

    at: int
    query: Query


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """Something outside the subset, by the words that stand there."""

    at: int
    words: str


Expr: TypeAlias = Name | Literal | Path | Call | Operation | Star | Nested | Foreign


Side: TypeAlias = Name | Nested | Foreign
"""The right side of a join, or a leg of a union: a table, a query, or what is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """`name = expression`; no names where it is left to Kusto, several in `(a, b) = ...`."""

    at: int
    names: tuple[str, ...]
    value: Expr


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """`where`."""

    at: int
    test: Expr


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """`extend`, `project` or `distinct` (by `word`); no items where `distinct *` is meant."""

    at: int
    word: str
    items: tuple[Named, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Away:
    """`project-away`; a name may hold `*`."""

    at: int
    names: tuple[Name, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rename:
    """`project-rename new = old, ...`."""

    at: int
    items: tuple[Named, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summarize:
    """`summarize items by by`."""

    at: int
    items: tuple[Named, ...]
    by: tuple[Named, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sort:
    """`order by` or `sort by`."""

    at: int
    keys: tuple[Named, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """`join`; `options` holds every `name=value` in front of the right side."""

    at: int
    options: tuple[tuple[str, str], ...]
    right: Side
    on: tuple[Expr, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Union:
    """`union`; as a source it has no left side."""

    at: int
    options: tuple[tuple[str, str], ...]
    legs: tuple[Side, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expanded:
    """One column of `mv-expand`, with the type of `to typeof(...)` or an empty string."""

    item: Named
    to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MvExpand:
    """`mv-expand`; `limit` is None where none is written."""

    at: int
    options: tuple[tuple[str, str], ...]
    items: tuple[Expanded, ...]
    limit: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parse:
    """`parse`; each column with its declared type, `string` where none is written."""

    at: int
    value: Expr
    columns: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """An operator that the checks refuse, or know by its word alone."""

    at: int
    word: str


Step: TypeAlias = Where | Columns | Away | Rename | Summarize | Sort | Join | Union | MvExpand | Parse | Other


Source: TypeAlias = Side | Union


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A source and the operators after it."""

    at: int
    source: Source
    steps: tuple[Step, ...]
