"""The snapshot source: a folder of answers and raw tables that is asked as Azure would be (docs/snapshot-format.md)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

import orjson

from scanner import kql
from scanner.errors import UsageError
from scanner.kql.members import looks_into, selecting
from scanner.model import ColumnType, Gap, Reason, Row, Scope
from scanner.policy import SIDE_TABLES, Query
from scanner.redact import redact
from scanner.sources import PAGE, Answer
from scanner.sources.coverage import answered_by, file_gaps, is_narrowed, scope_of, spanning_gap, table_gaps
from scanner.sources.evidence import TABLE, Evidence, spooled
from scanner.sources.intake import Intake, Stored, new_file, take_in, write_row
from scanner.sources.manifest import AnswerModel, FileModel, Manifest
from scanner.sources.manifest_file import read_manifest
from scanner.sources.rows import decode


def open_snapshot(
    folder: Path,
    *,
    subscriptions: Sequence[str] = (),
    query_timeout: float = 120.0,
    spool: Path,
    evidence: Evidence | None = None,
) -> SnapshotSource:
    """Open a snapshot after verifying every file of it, and lay the evidence of its machines beside it.

    `subscriptions` narrows the scope to exactly those: rows of others are gone before any query sees them. `spool` is a
    private folder that the caller owns and deletes; `query_timeout` is in seconds, for each query on raw tables.
    Raises InputError with every problem of every file, UsageError where the snapshot holds evidence of its own.
    """
    parsed = read_manifest(folder)
    manifest, scope = parsed.manifest, scope_of(parsed.manifest, subscriptions)
    files = take_in(folder, parsed, scope, spool=spool)
    if evidence is not None:
        if TABLE in manifest.tables:
            raise UsageError("--evidence: the snapshot holds evidence of its own; leave out one of them")
        table, stored = spooled(evidence, scope, spool / "given-evidence.ndjson")
        manifest = manifest.model_copy(update={"tables": {**manifest.tables, TABLE: table}})
        files = replace(files, tables={**files.tables, TABLE: stored})
    told = evidence.digest if evidence else ""
    runner = _Runner(files, spool, query_timeout)
    return SnapshotSource(manifest, files, scope=scope, digest=parsed.digest, runner=runner, evidence=told)


class SnapshotSource:
    """A verified snapshot. Use it as a context manager: it may hold an engine, which `close` ends."""

    kind = "snapshot"

    def __init__(  # noqa: PLR0913 - a snapshot, read and verified
        self, manifest: Manifest, files: Intake, *, scope: Scope, digest: str, runner: _Runner, evidence: str = ""
    ) -> None:
        self.scope = scope
        self.collected_at = manifest.moment
        self.digest = digest
        self.evidence = evidence
        self.offers = frozenset(manifest.tables)
        self._manifest = manifest
        self._files = files
        self._runner = runner

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the engine, if one was started."""
        self._runner.close()

    def answer(self, query: Query, now: datetime) -> Answer:
        """Replay the stored answer, else run the query on the raw tables.

        Raises MissingExtraError where raw tables are needed and the engine is not installed; every other trouble is a gap.
        """
        stored = self._manifest.answers.get(query.digest)
        return self._replay(query, stored) if stored is not None else self._run(query, now)

    def side(self, table: str) -> Answer:
        """The objects of a side table; those that cannot be used leave their subscription without an answer."""
        file, stored = self._manifest.tables.get(table), self._files.tables.get(table)
        if table not in SIDE_TABLES or file is None or stored is None:
            text = f"the snapshot holds no table {table}"
            return _nothing(table, "", [Gap(reason=Reason.SCOPE_MISSING, table=table, text=text)])
        text = "an object lacks what identifies it"
        bad = {Gap(reason=Reason.BAD_ANSWER, table=table, subscription=one, text=text) for one in stored.bad}
        gaps = tuple(sorted({*file_gaps(self.scope, table, [file]), *bad}))
        answered = answered_by(self.scope, gaps, [file])
        return Answer(table=table, answered=answered, gaps=gaps, rows=stored.rows, pages=partial(_pages, stored.path, None))

    def _replay(self, query: Query, answer: AnswerModel) -> Answer:
        if query.spans == "scope" and is_narrowed(self._manifest, self.scope):
            text = "a stored answer that spans the scope cannot be narrowed to some subscriptions"
            return _nothing(query.name, query.digest, [Gap(reason=Reason.UNSUPPORTED, table=query.name, text=text)])
        if query.spans == "scope" and answer.spans == "subscription":
            text = "the stored answer was asked in batches of subscriptions, and the query spans all of them"
            return _nothing(query.name, query.digest, [Gap(reason=Reason.UNSUPPORTED, table=query.name, text=text)])
        columns = query.columns if query.columns is not None else answer.columns or {}
        return self._covered(query, [answer], self._files.answers[query.digest], columns)

    def _run(self, query: Query, now: datetime) -> Answer:
        try:
            shape = _shape(query)
        except kql.KqlProblems:
            text = "the query breaks the rules for populations"
            return _nothing(query.name, query.digest, [Gap(reason=Reason.UNSUPPORTED, table=query.name, text=text)])
        gaps = table_gaps(query, self._manifest.tables, shape.tables) or self._hidden_gaps(query, shape)
        if gaps:
            return _nothing(query.name, query.digest, gaps)
        files = [self._manifest.tables[table] for table in sorted(shape.tables)]
        covered = self._covered(query, files, None, {})
        if not covered.answered:
            return covered
        try:
            result = self._runner.run(query, now, shape)
        except kql.QueryTrouble as trouble:
            return _nothing(query.name, query.digest, [Gap(reason=trouble.reason, table=query.name, text=trouble.text)])
        return self._covered(query, files, result, shape.columns)

    def _hidden_gaps(self, query: Query, shape: kql.Shape) -> tuple[Gap, ...]:
        """Conditions on what was redacted: they hold for no row here, while Azure itself would have found some."""
        paths = selecting(query.kql)
        found = {
            ".".join(path)
            for table, types in shape.tables.items()
            for kind, path in self._files.tables[table].hidden
            if (types is None or kind in types) and looks_into(paths, path)
        }
        text = "the query selects by {}, which was redacted in this snapshot as a secret"
        return tuple(Gap(reason=Reason.UNSUPPORTED, table=query.name, text=text.format(name)) for name in sorted(found))

    def _covered(
        self, query: Query, files: Sequence[FileModel], stored: Stored | None, columns: Mapping[str, ColumnType]
    ) -> Answer:
        """The rows with what the files cover; without rows to show, what they would cover."""
        gaps = file_gaps(self.scope, query.name, files)
        if gaps and query.spans == "scope":
            gaps = tuple(sorted({*gaps, spanning_gap(query)}))
        return Answer(
            table=query.name,
            digest=query.digest,
            answered=answered_by(self.scope, gaps, files),
            gaps=gaps,
            rows=stored.rows if stored else 0,
            pages=partial(_pages, stored.path, columns) if stored else partial(iter, ()),
        )


@dataclass(frozen=True, slots=True)
class _Asked:
    """What makes two questions to the engine the same."""

    digest: str
    key: tuple[str, ...]
    now: datetime


class _Runner:
    """Runs queries on the raw tables: one engine, started by the first query; equal questions are run once."""

    def __init__(self, files: Intake, spool: Path, timeout: float) -> None:
        self._tables = {name: stored.path for name, stored in files.tables.items() if name not in SIDE_TABLES}
        self._spool = spool
        self._timeout = timeout
        self._engine: kql.Engine | None = None
        self._stack = ExitStack()
        self._done: dict[_Asked, Stored | kql.QueryTrouble] = {}

    def close(self) -> None:
        self._stack.close()
        self._engine = None

    def run(self, query: Query, now: datetime, shape: kql.Shape) -> Stored:
        """The rows of a query, redacted once more: a query can put a secret together. Raises kql.QueryTrouble."""
        asked = _Asked(query.digest, query.key, now)
        if asked not in self._done:
            try:
                self._done[asked] = self._fresh(query, now, shape)
            except kql.QueryTrouble as trouble:
                self._done[asked] = trouble
        known = self._done[asked]
        if isinstance(known, kql.QueryTrouble):
            raise known
        return known

    def _fresh(self, query: Query, now: datetime, shape: kql.Shape) -> Stored:
        if self._engine is None:
            kql.require("Running a query on the raw tables of a snapshot")
            self._engine = self._stack.enter_context(kql.Engine(self._tables, self._spool))
        number = len(self._done)
        raw, out = self._spool / f"raw-{number}.ndjson", self._spool / f"result-{number}.ndjson"
        self._engine.run(query.kql, now=now, key=query.key, shape=shape, timeout=self._timeout, out=raw)
        count = 0
        with raw.open("rb") as lines, new_file(out) as stream:
            for count, line in enumerate(lines, start=1):  # noqa: B007 - the last count is what is wanted
                write_row(stream, redact(orjson.loads(line)))
        raw.unlink()
        return Stored(path=out, rows=count)


def _shape(query: Query) -> kql.Shape:
    """What a query yields and reads, as tracked at load; without the engine it could not be tracked, nor can it be run."""
    if query.columns is None or query.tables is None:
        kql.require("Running a query on the raw tables of a snapshot")
        return kql.inspect(query.kql, query.key)
    return kql.Shape(columns=query.columns, tables=query.tables)


def _nothing(table: str, digest: str, gaps: Sequence[Gap]) -> Answer:
    """No row and nobody answered."""
    return Answer(table=table, digest=digest, answered=frozenset(), gaps=tuple(gaps), pages=partial(iter, ()))


def _pages(path: Path, columns: Mapping[str, ColumnType] | None) -> Iterator[Sequence[Row]]:
    """The rows of a spooled file, page by page; decoded where they are rows of a query."""
    with path.open("rb") as lines:
        while page := [orjson.loads(line) for line in islice(lines, PAGE)]:
            yield page if columns is None else [decode(row, columns) for row in page]
