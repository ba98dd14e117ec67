"""Where rows come from. A source answers each question once and completely, before its rows are evaluated."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from scanner.model import Gap, Row, Scope
from scanner.policy import Query

PAGE = 1000
"""Rows per page, as in Azure Resource Graph."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back for one query or side table, trouble included; asking never raises for one question.

    `answered` holds the subscriptions (lower case) that are proven to have answered in full; rows of others are never
    judged. `gaps` say why the rest did not, `subscription` empty when all are meant. `pages` may be called again.
    """

    table: str
    digest: str = ""
    answered: frozenset[str]
    gaps: tuple[Gap, ...] = ()
    rows: int = 0
    pages: Callable[[], Iterator[Sequence[Row]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """Everything that a scan asks: each distinct query once, and the side tables that are attached."""

    queries: tuple[Query, ...]
    sides: tuple[str, ...] = ()


class Source(Protocol):
    """A place that can be asked. Azure itself is asked beforehand, into a snapshot (`scanner.sources.azure`)."""

    kind: str
    scope: Scope
    digest: str
    offers: frozenset[str]
    """What policies may need and this source has, such as "evidence"."""

    @property
    def collected_at(self) -> datetime | None:
        """When the rows were collected; None while they still are."""
        ...

    def answer(self, query: Query, now: datetime) -> Answer:
        """Ask a population query; `now` is what the query's `now()` means."""
        ...

    def side(self, table: str) -> Answer:
        """Ask a side table (`scanner.policy.SIDE_TABLES`); its rows are the objects as ARM returns them."""
        ...
