"""Populations: the KQL of a pack's files and of its policies' blocks, checked once each, problems where the text stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scanner import kql
from scanner.authoring import PackFile, PolicyFile
from scanner.authoring.read import did_you_mean
from scanner.authoring.types import Spans
from scanner.errors import Problem
from scanner.kql.text import digest
from scanner.nodes import Part, Position, ScalarNode, find
from scanner.packs.source import PackSource, Written
from scanner.policy import Query


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """KQL and where it stands: in a file of its own, or in `block`. `shown` is its file, from the pack's folder on."""

    name: str
    kql: str
    file: str
    shown: str
    key: tuple[str, ...]
    spans: Spans
    block: ScalarNode | None = None

    def place(self, line: int, column: int) -> Position:
        """A place in the KQL as a place in the file that holds it."""
        if self.block is None:
            return Position(line, column)
        first = self.block.first
        # In a block every line starts at the same column.
        return Position(first.line + line - 1, first.column + column - 1) if first else self.block.position


def pack_queries(source: PackSource, pack: Written[PackFile], *, problems: list[Problem]) -> dict[str, Query]:
    """The queries of pack.yaml whose text could be read, whether a policy uses them or not."""
    found: dict[str, Query] = {}
    for name, text in source.kql.items():
        spec = pack.spec.queries[name]
        file, shown = str(source.folder / spec.file), source.shown(spec.file)
        draft = _Draft(name=name, kql=text, file=file, shown=shown, key=spec.key, spans=spec.spans)
        found[name] = _query(draft, problems)
        problems.extend(_missing_columns(pack, ("queries", name, "key"), query=found[name]))
    return found


def inline_query(source: PackSource, policy: Written[PolicyFile], *, problems: list[Problem]) -> Query | None:
    """The query that stands in a policy itself."""
    spec, block = policy.spec, find(policy.node, ("query",))
    if spec.key is None or not isinstance(block, ScalarNode):
        problems.append(
            policy.problem(("query",), "KQL in a policy needs `key`, the columns that tell its rows apart", at_key=True)
        )
        return None
    draft = _Draft(
        name=spec.id,
        kql=spec.query,
        file=policy.file,
        shown=source.shown(policy.name),
        key=spec.key,
        spans=spec.spans or "subscription",
        block=block,
    )
    query = _query(draft, problems)
    problems.extend(_missing_columns(policy, ("key",), query=query))
    return query


def _query(draft: _Draft, problems: list[Problem]) -> Query:
    shape = None
    try:
        shape = kql.inspect(draft.kql, draft.key) if kql.available() else None
    except kql.KqlProblems as error:
        for found in error.problems:
            place, path = draft.place(found.line, found.column), "query" if draft.block else ""
            problems.append(Problem(file=draft.file, line=place.line, column=place.column, path=path, text=found.text))
    start = draft.place(1, 1)
    return Query(
        name=draft.name,
        kql=draft.kql,
        file=draft.shown,
        line=start.line,
        column=start.column,
        digest=digest(draft.kql),
        key=draft.key,
        spans=draft.spans,
        columns=shape.columns if shape else None,
        tables=shape.tables if shape else None,
    )


def _missing_columns(written: Written[PackFile] | Written[PolicyFile], at: Sequence[Part], *, query: Query) -> list[Problem]:
    if query.columns is None:
        return []
    problems = [
        written.problem((*at, number), f"the query projects no column '{name}'{did_you_mean(name, query.columns)}")
        for number, name in enumerate(query.key)
        if name not in query.columns
    ]
    if "id" not in query.columns and "id" not in query.key:
        problems.append(written.problem(at, "the query must project `id`, the unaltered id of its leading table"))
    return problems
