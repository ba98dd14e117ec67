"""Cases, the unit tests of policies: raw table rows in, verdicts out, through the same line as a real scan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson

from scanner import kql
from scanner.ids import name_of, resource_group_of, subscription_of, type_of
from scanner.model import Finding, Gap, Json, Options, Reason, Row, ScanInfo, ScanResult, Scope, Verdict
from scanner.plan import make_plan
from scanner.policy import SIDE_TABLES, Case, Pack, Query
from scanner.redact import redact
from scanner.scan import Job, scan
from scanner.sources import Answer
from scanner.sources.intake import sorter_of
from scanner.sources.rows import decode, drop_nulls
from scanner.store import VerdictStore

_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """What became of one case; it holds when there are no problems."""

    case: Case
    problems: tuple[str, ...]


def run_cases(packs: Sequence[Pack], policies: Sequence[str] = ()) -> Iterator[CaseResult]:
    """Run every case of some packs, or of the named policies only."""
    wanted = {name.lower() for name in policies}
    with TemporaryDirectory(prefix="arguard-") as folder, kql.Engine({}, Path(folder)) as engine:
        for pack in packs:
            for case in pack.cases:
                if not wanted or case.policy.lower() in wanted:
                    yield CaseResult(case=case, problems=tuple(run_case(pack, case, engine, Path(folder))))


def run_case(pack: Pack, case: Case, engine: kql.Engine, folder: Path) -> Iterator[str]:
    """What is wrong with one case, in words; nothing when it holds."""
    result, findings = judge(pack, case, engine, folder)
    if result.decision.exit_code == 70:
        yield "arguard itself failed: " + "; ".join(result.decision.reasons)
    for policy in result.policies:
        yield from (f"the policy was not asked: it waits for {need}" for need in policy.waits_for)
        unexpected = [gap for gap in policy.gaps if not _is_given(gap, case)]
        yield from (f"gap {gap.reason} in {gap.table}: {gap.text}" for gap in unexpected)
    yield from _compare(case, findings)


def judge(pack: Pack, case: Case, engine: kql.Engine, folder: Path) -> tuple[ScanResult, list[Finding]]:
    """Scan the rows of one case with its policy; the result and every verdict."""
    source = Given(case, engine, folder)
    options = Options(policies=(case.policy,), profile=case.profile, params=case.params, as_of="snapshot")
    info = ScanInfo(
        tool="arguard test",
        libraries={},
        run_time=source.collected_at,
        as_of=source.collected_at,
        collected_at=source.collected_at,
        source=source.kind,
        scope=source.scope,
        options=options,
        digests={},
    )
    with TemporaryDirectory(dir=folder) as spool, VerdictStore(Path(spool)) as store:
        result = scan(Job(plan=make_plan([pack], options, source.offers), info=info), source, store)
        return result, list(store.of(case.policy))


def _is_given(gap: Gap, case: Case) -> bool:
    """Whether a case asked for a gap: a table that did not answer leaves one, in the side table or the query over it.

    That a value is missing in every row is no news in a case of few rows, whose verdicts say as much.
    """
    silent = {name.lower() for names in case.unanswered.values() for name in names}
    return gap.reason is Reason.SHAPE_DRIFT or (gap.reason is Reason.DENIED and gap.subscription in silent)


def _compare(case: Case, findings: Sequence[Finding]) -> Iterator[str]:
    listed: set[int] = set()
    for verdict, names in case.expect.rows.items():
        for tail, subject in names:
            matches = [number for number, finding in enumerate(findings) if _is_named(finding, tail, subject)]
            what = f"[{tail}, {subject}]" if subject else tail
            if len(matches) != 1:
                found = f"{len(matches)} rows have that name" if matches else "the population holds no such row"
                yield f"expected {verdict}: {what}, but {found}"
                continue
            listed.update(matches)
            yield from _differs(findings[matches[0]], verdict, what)
    for number, finding in enumerate(findings):
        if number not in listed:
            yield f"not expected: {_describe(finding)}"


def _differs(finding: Finding, verdict: str, what: str) -> Iterator[str]:
    if finding.verdict != Verdict(verdict):
        yield f"expected {verdict}: {what}, but it is {_describe(finding)}"


def _describe(finding: Finding) -> str:
    reason = f" {finding.reason}" if finding.reason else ""
    subject = f" {finding.subject}" if finding.subject else ""
    return f"{finding.verdict}{reason} for {finding.resource.id}{subject}" + (
        f" ({finding.message})" if finding.message else ""
    )


def _is_named(finding: Finding, tail: str, subject: str) -> bool:
    """Whether a row goes by a name: `<group>/<name>`, a bare name, or any longer tail of its id; case means nothing."""
    resource, wanted = finding.resource, tail.strip("/").lower()
    names = wanted == f"{resource.resource_group}/{resource.name}".lower() or resource.id.endswith(f"/{wanted}")
    return names and subject.lower() in {"", finding.subject}


class Given:
    """The rows of a case as a source: everything answered but what the case says did not."""

    kind = "case"
    digest = ""

    def __init__(self, case: Case, engine: kql.Engine, folder: Path) -> None:
        self._case = case
        self._engine = engine
        self._folder = folder
        self.offers = frozenset(case.tables)
        self.collected_at = _moment(case.collected_at)
        self._tables = {name: [_complete(name, row) for row in rows] for name, rows in case.tables.items()}
        named = {subscription_of(str(row.get("id", ""))) for rows in self._tables.values() for row in rows} - {""}
        silent = {name.lower() for names in case.unanswered.values() for name in names}
        self.scope = Scope(kind="proven", expected=tuple(sorted(named | silent)))

    def answer(self, query: Query, now: datetime) -> Answer:
        """What a query makes of the rows; a gap where the engine cannot say."""
        tables = sorted(query.tables or ())
        gaps = [gap for table in tables for gap in self._gaps(table)]
        out = self._folder / "answer.ndjson"
        try:
            self._engine.load({table: self._write(table) for table in tables})
            shape = kql.Shape(columns=dict(query.columns or {}), tables=dict(query.tables or {}))
            self._engine.run(query.kql, now=now, key=query.key, shape=shape, timeout=_TIMEOUT, out=out)
        except kql.QueryTrouble as trouble:
            gap = Gap(reason=trouble.reason, table=query.name, text=trouble.text)
            return Answer(table=query.name, digest=query.digest, answered=frozenset(), gaps=(gap,), pages=lambda: iter(()))
        rows = [decode(orjson.loads(line), query.columns or {}) for line in out.read_bytes().splitlines()]
        return self._answered(query.name, rows, gaps, query.digest)

    def side(self, table: str) -> Answer:
        """The objects of a side table; a gap for each subscription that holds one without an id."""
        taken = [sorter_of(table)(row) for row in self._tables.get(table, [])]
        bad = {one.subscription for one in taken if not one.usable}
        gaps = [Gap(reason=Reason.BAD_ANSWER, table=table, subscription=name, text="a bad object") for name in sorted(bad)]
        return self._answered(table, [one.row for one in taken if one.usable], [*self._gaps(table), *gaps])

    def _answered(self, table: str, rows: Sequence[Row], gaps: Iterable[Gap], digest: str = "") -> Answer:
        silent = {gap.subscription for gap in gaps}
        answered = frozenset() if "" in silent else frozenset(self.scope.expected) - silent
        pages = partial(iter, [rows] if rows else [])
        return Answer(table=table, digest=digest, answered=answered, gaps=tuple(gaps), rows=len(rows), pages=pages)

    def _gaps(self, table: str) -> list[Gap]:
        silent = self._case.unanswered.get(table, ())
        return [Gap(reason=Reason.DENIED, table=table, subscription=name.lower(), text="did not answer") for name in silent]

    def _write(self, table: str) -> Path:
        path = self._folder / f"{table}.ndjson"
        rows = next((rows for name, rows in self._tables.items() if name.lower() == table), [])
        path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
        return path


def _complete(table: str, row: Mapping[str, Json]) -> dict[str, Json]:
    """A row with the standard columns that ARG would have filled in from its id."""
    if table in SIDE_TABLES:
        return dict(redact(drop_nulls(row)))
    identity = str(row.get("id", ""))
    standard = {
        "name": name_of(identity),
        "type": type_of(identity),
        "subscriptionId": subscription_of(identity),
        "resourceGroup": resource_group_of(identity).lower(),
        "tenantId": "00000000-0000-0000-0000-000000000000",
        "location": "westeurope",
        "kind": "",
        "managedBy": "",
    }
    return dict(redact(drop_nulls({**standard, **row})))


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def untested(packs: Sequence[Pack]) -> Iterator[str]:
    """Each policy that lacks a pass, a fail or an unknown case, and does not say why there is none, with what it lacks."""
    for pack in packs:
        for policy in pack.policies:
            seen = {
                verdict for case in pack.cases if case.policy == policy.id for verdict, rows in case.expect.rows.items() if rows
            }
            lacking = [word for word in ("pass", "fail", "unknown") if word not in {*seen, *policy.no_case}]
            if lacking:
                yield f"{policy.id}: no case expects {', '.join(lacking)}"
