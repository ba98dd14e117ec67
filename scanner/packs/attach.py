"""Attached data: where it comes from, how it is matched, and under which names a policy may read it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from scanner import kql
from scanner.authoring import AttachSpec, PolicyFile
from scanner.authoring.read import did_you_mean
from scanner.errors import Problem
from scanner.kql import arg
from scanner.model import ColumnType
from scanner.packs.names import SIDE_FIELDS, Attached, Names
from scanner.packs.source import Written
from scanner.policy import SIDE_TABLES, Attach, MaxAge, Parameter, Query


def attachments(
    written: Written[PolicyFile], query: Query | None, *, queries: Mapping[str, Query], params: Mapping[str, Parameter]
) -> tuple[tuple[Attach, ...], list[Problem]]:
    """What a policy attaches, in the order of its file, and what is wrong with it."""
    checker = _Checker(written=written, columns=query.columns if query else None, queries=queries, params=params)
    found: list[Attach] = []
    problems: list[Problem] = []
    for name, spec in written.spec.attach.items():
        problems.extend(checker.problems(name, spec))
        age = MaxAge(at=spec.max_age.at, hours=_hours(spec.max_age.hours)) if spec.max_age else None
        how, on = _joined(spec)
        source = queries.get(spec.from_)
        covering = spec.covering or ""
        found.append(Attach(name=name, source=spec.from_, how=how, on=on, covering=covering, max_age=age, query=source))
    return tuple(found), problems


def names_of(query: Query | None, attach: Iterable[Attach], *, params: Mapping[str, Parameter], needs: Sequence[str]) -> Names:
    """The names that the expressions of a policy may read."""
    attached = {one.name: Attached(fields=_fields(one.source, one.query, one.how), is_list=one.how != "one") for one in attach}
    columns, mentioned = (query.columns, _mentioned(query)) if query else (None, None)
    return Names(columns=columns, mentioned=mentioned, attached=attached, params=params, needs=needs)


def _mentioned(query: Query) -> frozenset[str] | None:
    """Every word of a query that has problems of its own: what is not there cannot be a column, however it is mended."""
    if query.columns is not None or not kql.available():
        return None
    return frozenset(re.findall(r"[A-Za-z_][A-Za-z0-9_]*", query.kql)) | arg.COLUMNS.keys()


def _fields(source: str, query: Query | None, how: str) -> frozenset[str] | None:
    if source in SIDE_FIELDS:
        return SIDE_FIELDS[source] | ({"relation"} if how == "covering" else set())
    return frozenset(query.columns) if query and query.columns is not None else None


def _joined(spec: AttachSpec) -> tuple[Literal["one", "many", "covering"], tuple[tuple[str, str], ...]]:
    if spec.one is not None:
        return "one", tuple(spec.one.items())
    return ("covering", ()) if spec.many is None else ("many", tuple(spec.many.items()))


def _hours(hours: int | str) -> int | str:
    return hours.removeprefix("params.") if isinstance(hours, str) else hours


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checker:
    """What the attachments of one policy are checked against."""

    written: Written[PolicyFile]
    columns: Mapping[str, ColumnType] | None
    queries: Mapping[str, Query]
    params: Mapping[str, Parameter]

    def problems(self, name: str, spec: AttachSpec) -> Iterator[Problem]:
        if name == "params" or name in (self.columns or ()):
            taken = "the parameters" if name == "params" else "a column of the query"
            yield self.written.problem(("attach", name), f"the name '{name}' is taken by {taken}", at_key=True)
        if spec.from_ not in SIDE_TABLES and spec.from_ not in self.queries:
            known = did_you_mean(spec.from_, [*SIDE_TABLES, *self.queries])
            yield self.written.problem(("attach", name, "from"), f"'{spec.from_}' is neither a side table nor a query{known}")
            return
        yield from self._pairs(name, spec)
        yield from self._max_age(name, spec)

    def _pairs(self, name: str, spec: AttachSpec) -> Iterator[Problem]:
        how, pairs = _joined(spec)
        if how == "covering":
            if spec.from_ != "arm_locks":
                words = f"only arm_locks cover what lies below them; match {spec.from_} with 'one' or 'many'"
                yield self.written.problem(("attach", name, "covering"), words, at_key=True)
            yield from self._row_column(("attach", name, "covering"), spec.covering or "")
        fields = _fields(spec.from_, self.queries.get(spec.from_), how)
        for side, row in pairs:
            if fields is not None and side not in fields:
                words = f"{spec.from_} has no column '{side}'{did_you_mean(side, fields)}"
                yield self.written.problem(("attach", name, how, side), words, at_key=True)
            yield from self._row_column(("attach", name, how, side), row)

    def _row_column(self, path: Sequence[str], row: str) -> Iterator[Problem]:
        if self.columns is None:
            return
        if row not in self.columns:
            yield self.written.problem(path, f"the query projects no column '{row}'{did_you_mean(row, self.columns)}")
        elif self.columns[row] not in {"string", "dynamic"}:
            yield self.written.problem(path, f"'{row}' is a {self.columns[row]}; rows are matched on texts only")

    def _max_age(self, name: str, spec: AttachSpec) -> Iterator[Problem]:
        if spec.max_age is None:
            return
        path = ("attach", name, "max_age")
        fields = _fields(spec.from_, self.queries.get(spec.from_), _joined(spec)[0])
        if fields is not None and spec.max_age.at not in fields:
            words = f"{spec.from_} has no column '{spec.max_age.at}'{did_you_mean(spec.max_age.at, fields)}"
            yield self.written.problem((*path, "at"), words)
        hours = _hours(spec.max_age.hours)
        if isinstance(hours, str) and hours not in self.params:
            yield self.written.problem((*path, "hours"), f"there is no parameter '{hours}'{did_you_mean(hours, self.params)}")
        elif isinstance(hours, str) and self.params[hours].type != "integer":
            yield self.written.problem((*path, "hours"), f"the parameter '{hours}' is not an integer")
