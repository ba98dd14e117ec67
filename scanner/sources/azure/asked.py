"""What a collection asks: each file of the snapshot to be, and the parts that it is read in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TypeAlias

import orjson

from scanner.kql.text import as_sent, digest
from scanner.model import Gap, Reason, Scope
from scanner.policy import Query
from scanner.sources import Questions
from scanner.sources.azure import graph, rights, scope, sides
from scanner.sources.azure.progress import Progress
from scanner.sources.azure.run import OpenSink, Part
from scanner.sources.azure.wire import Calls, Failed, Outcome, Sink
from scanner.sources.intake import Refused, sorter_of

BATCH = 300
"""Subscriptions in one query: Microsoft's guidance for throttled requests recommends fewer than 300 to 1,000."""
CANARY = "canary"
PERMISSIONS = "permissions"

Batch: TypeAlias = tuple[int, tuple[str, ...]]
"""Subscriptions that are asked together, with the number of their part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to collect. `raw` names whole tables of Azure Resource Graph with the resource types wanted (None: all)."""

    questions: Questions
    wanted: scope.Wanted
    raw: Mapping[str, frozenset[str] | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One file of the snapshot. `question` names it in the work; `needs` are the actions that reading it takes.

    `table` is empty for the answer to a query; `query` is None for a side table.
    """

    question: str
    needs: frozenset[str]
    table: str = ""
    query: Query | None = None

    @property
    def digest(self) -> str:
        """The digest of the query; empty for a side table."""
        return self.query.digest if self.query else ""

    @property
    def types(self) -> tuple[str, ...] | None:
        """The resource types of a raw table; None for everything else."""
        if not self.table or self.query is None or self.query.tables is None:
            return None
        return tuple(sorted(self.query.tables[self.table] or {"*"}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """How parts are read: whom, as of when, and who wants to know how far it is.

    `groups` are management groups that hold every expected subscription; empty where some were named on their own.
    """

    calls: Calls
    scope: Scope
    groups: tuple[str, ...]
    collected_at: datetime
    progress: Progress


def everything(order: Order) -> tuple[Asked, ...]:
    """Every file of the snapshot: answers, raw tables, side tables.

    "evidence" comes from the user's own probes, not from Azure: it is not asked.
    """
    raws = [_raw(table.lower(), types) for table, types in sorted(order.raw.items())]
    asked = [_asked(query) for query in order.questions.queries] + [_asked(query, query.name) for query in raws]
    tables = [table for table in order.questions.sides if table != "evidence"]
    asked += [Asked(question=f"side {table}", table=table, needs=rights.needed_for_side(table)) for table in tables]
    return tuple(asked)


def parts_of(asked: Asked, ask: Ask) -> tuple[Part, ...]:
    """The parts that a file is read in; none where the question cannot be asked of this scope (`unaskable`)."""
    if asked.query is None:
        return tuple(_side_part(asked, number, one, ask) for number, one in enumerate(ask.scope.expected))
    if unaskable(asked, ask):
        return ()
    whole = asked.query.spans == "scope"
    batches = _batches(ask.scope.expected, len(ask.scope.expected) if whole else BATCH)
    groups = ask.groups if whole and len(ask.scope.expected) > BATCH else ()
    question = graph.Question(
        kql=as_sent(asked.query.kql, now=ask.collected_at, key=asked.query.key),
        key=asked.query.key,
        management_groups=groups,
        splittable=not whole,
    )
    return tuple(_graph_part(asked.question, batch, ask=ask, question=question, table=asked.table) for batch in batches)


def unaskable(asked: Asked, ask: Ask) -> tuple[Gap, ...]:
    """Why a question that spans the scope cannot be asked at all: the scope is neither one batch nor management groups."""
    if asked.query is None or asked.query.spans != "scope" or len(ask.scope.expected) <= BATCH or ask.groups:
        return ()
    return (Gap(reason=Reason.UNSUPPORTED, text="TooManySubscriptions"),)


def proofs(ask: Ask) -> tuple[Part, ...]:
    """What every answer rests on: who is visible to Azure Resource Graph, and what the identity may read where."""
    key = ("id",)
    question = graph.Question(kql=as_sent(scope.CANARY_KQL, now=ask.collected_at, key=key), key=key)
    batches = _batches(ask.scope.expected, BATCH)
    canaries = [_graph_part(CANARY, batch, ask=ask, question=question) for batch in batches]
    permissions = [
        Part(
            question=PERMISSIONS,
            number=number,
            lane="arm",
            subscriptions=(one,),
            read=partial(_read_permissions, one, ask.calls),
        )
        for number, one in enumerate(ask.scope.expected)
    ]
    return (*canaries, *permissions)


def permission_of(line: bytes) -> tuple[str, rights.Permission]:
    """A row of the permissions as it was stored: the subscription, and one entry."""
    found = orjson.loads(line)
    entry = rights.Permission(actions=tuple(found["actions"]), not_actions=tuple(found["not_actions"]))
    return found["subscription"], entry


def _asked(query: Query, table: str = "") -> Asked:
    # Equal questions only: what is sent, how rows are told apart and how subscriptions are batched all lie in the name.
    name = " ".join([f"table {table}" if table else "answer", query.digest, query.spans, *query.key])
    return Asked(question=name, table=table, query=query, needs=rights.needed(query))


def _raw(table: str, types: frozenset[str] | None) -> Query:
    """A query for all rows and columns of a table."""
    names = ", ".join(_quoted(name) for name in sorted(types or ()))
    kql = f"{table}\n| where type in~ ({names})" if types else table
    return Query(name=table, kql=kql, file="", line=0, column=0, digest=digest(kql), key=("id",), tables={table: types or None})


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _batches(names: Sequence[str], size: int) -> Iterator[Batch]:
    starts = range(0, len(names), size or 1)
    return ((number, tuple(names[start : start + size])) for number, start in enumerate(starts))


def _graph_part(name: str, batch: Batch, *, ask: Ask, question: graph.Question, table: str = "") -> Part:
    number, subscriptions = batch

    def read(open_sink: OpenSink) -> Outcome:
        checked = (lambda: _TableSink(open_sink(), table)) if table else open_sink
        return graph.read(question, subscriptions, ask.calls, checked, ask.progress.page)

    return Part(question=name, number=number, lane="graph", subscriptions=subscriptions, read=read)


def _side_part(asked: Asked, number: int, subscription: str, ask: Ask) -> Part:
    def read(open_sink: OpenSink) -> Outcome:
        outcome = sides.read_side(asked.table, subscription, ask.calls, open_sink())
        ask.progress.page(outcome.rows)
        return outcome

    return Part(question=asked.question, number=number, lane="arm", subscriptions=(subscription,), read=read)


def _read_permissions(subscription: str, calls: Calls, open_sink: OpenSink) -> Outcome:
    try:
        entries = rights.read_permissions(subscription, calls)
    except Failed as failure:
        return Outcome(answered=frozenset(), gaps=(rights.unproven(failure, subscription),))
    rows = [{"subscription": subscription, "actions": entry.actions, "not_actions": entry.not_actions} for entry in entries]
    open_sink().add([(str(number), orjson.dumps(row) + b"\n") for number, row in enumerate(rows)])
    return Outcome(answered=frozenset({subscription}), pages=1, rows=len(rows))


@dataclass(frozen=True, slots=True)
class _TableSink:
    """Takes only rows that a snapshot can hold as rows of a raw table; others would make the snapshot unreadable."""

    sink: Sink
    table: str

    def add(self, rows: Sequence[tuple[str, bytes]]) -> int:
        sort = sorter_of(self.table)
        try:
            for _, line in rows:
                sort(orjson.loads(line))
        except Refused as refused:
            raise Failed(Reason.BAD_ANSWER, "RowWithoutType") from refused
        return self.sink.add(rows)

    def drop(self) -> None:
        self.sink.drop()
