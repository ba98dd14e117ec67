"""The census: what was expected against what was seen, so that silence is never taken for compliance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from scanner.model import Counts, Finding, Gap, LedgerEntry, Reason, Scope, Verdict
from scanner.plan import Asked
from scanner.policy import Attach, Query
from scanner.sources import Answer

CLOCK_SKEW = timedelta(minutes=5)
"""How far the clocks of the collecting and the judging machine may differ."""


@dataclass(slots=True)
class Ledger:
    """Everything that was asked, with its answers, and why the scan stopped early if it did."""

    answers: dict[str, Answer] = field(default_factory=dict)
    finished: set[str] = field(default_factory=set)
    stopped: BaseException | None = None

    def note(self, answer: Answer) -> Answer:
        """Keep an answer and pass it on."""
        self.answers[answer.digest or answer.table] = answer
        return answer

    def finish(self, asked: Iterable[Asked]) -> None:
        """Every row of these policies' population was judged."""
        self.finished.update(one.policy.id for one in asked)

    def of(self, query: Query) -> Answer | None:
        """What a query got."""
        return self.answers.get(query.digest)

    def of_side(self, attach: Attach) -> Answer | None:
        """What an attachment's source got."""
        return self.of(attach.query) if attach.query else self.answers.get(attach.source)

    def entries(self) -> tuple[LedgerEntry, ...]:
        """The ledger as reports show it: queries, then side tables, each by name."""
        entries = [
            LedgerEntry(table=one.table, digest=one.digest, answered=tuple(sorted(one.answered)), rows=one.rows)
            for one in self.answers.values()
        ]
        return tuple(sorted(entries, key=lambda entry: (not entry.digest, entry.table, entry.digest)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """When the rows were collected, and how old they may be. `max_age` None: judged as of their own time."""

    collected_at: datetime | None
    now: datetime
    max_age: timedelta | None


def gaps(asked: Asked, ledger: Ledger, scope: Scope, freshness: Freshness, rows: int) -> tuple[Gap, ...]:
    """Everything that one policy did not see, sorted; empty means that its verdicts are the whole truth."""
    found = {
        *_scope_gaps(scope),
        *_answer_gaps(asked.policy.query.name, ledger.of(asked.policy.query), scope),
        *(gap for one in asked.policy.attach for gap in _answer_gaps(one.source, ledger.of_side(one), scope)),
        *_age_gaps(freshness),
        *_stop_gaps(asked, ledger),
        *_count_gaps(asked, ledger, rows),
    }
    if not found and rows < asked.policy.min_population:
        text = f"{rows} rows where at least {asked.policy.min_population} are expected"
        found.add(Gap(reason=Reason.POPULATION_SMALL, table=asked.policy.query.name, text=text))
    return tuple(sorted(found))


def shape_gaps(asked: Asked, ledger: Ledger, counts: Counts, findings: Iterable[Finding]) -> tuple[Gap, ...]:
    """The gap SHAPE_DRIFT where one required path is missing in every row that was to be decided.

    One row without a value is a row without a value; no row with it means that Azure now calls it something else. `findings`
    are read only where the counts allow it: no row passed or failed, some are unknown, and every row was judged.
    """
    if asked.policy.id not in ledger.finished or not counts.unknown or counts.passed or counts.failed:
        return ()
    holes: set[str] = set()
    for finding in findings:
        if finding.verdict is Verdict.UNKNOWN and finding.waiver is None:
            holes.add(finding.message if finding.reason is Reason.MISSING else "")
            if len(holes) > 1:
                return ()
    table = asked.policy.query.name
    return tuple(Gap(reason=Reason.SHAPE_DRIFT, table=table, text=f"{hole}, in every row") for hole in holes if hole)


def _scope_gaps(scope: Scope) -> Iterator[Gap]:
    if not scope.expected:
        yield Gap(reason=Reason.SCOPE_EMPTY, text="the scope holds no subscription")


def _answer_gaps(table: str, answer: Answer | None, scope: Scope) -> Iterator[Gap]:
    if answer is None:
        yield Gap(reason=Reason.FAILED, table=table, text="was not asked")
        return
    expected = frozenset(scope.expected)
    told = {gap.subscription for gap in answer.gaps}
    yield from (gap for gap in answer.gaps if gap.subscription in expected | {""})
    if "" not in told:
        for subscription in sorted(expected - answer.answered - told):
            yield Gap(reason=Reason.SCOPE_MISSING, table=table, subscription=subscription, text="did not answer")


def _count_gaps(asked: Asked, ledger: Ledger, rows: int) -> Iterator[Gap]:
    answer = ledger.of(asked.policy.query)
    if answer is not None and asked.policy.id in ledger.finished and rows != answer.rows:
        text = f"{answer.rows} rows were announced and {rows} judged"
        yield Gap(reason=Reason.UNSTABLE, table=asked.policy.query.name, text=text)


def _age_gaps(freshness: Freshness) -> Iterator[Gap]:
    if freshness.max_age is None or freshness.collected_at is None:
        return
    age = freshness.now - freshness.collected_at
    if age > freshness.max_age:
        hours = freshness.max_age.total_seconds() / 3600
        yield Gap(reason=Reason.STALE, text=f"the snapshot is older than {hours:g} hours")
    elif age < -CLOCK_SKEW:
        yield Gap(reason=Reason.STALE, text="the snapshot's time lies in the future")


def _stop_gaps(asked: Asked, ledger: Ledger) -> Iterator[Gap]:
    if ledger.stopped is not None and asked.policy.id not in ledger.finished:
        what = "an error inside arguard" if isinstance(ledger.stopped, Exception) else "an interruption"
        yield Gap(reason=Reason.FAILED, text=f"{what} ended the scan before this policy was done")
