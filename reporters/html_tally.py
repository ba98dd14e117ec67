"""One pass over every verdict for what the page says of the whole: scores, causes, failed jobs, exceptions.

What a view leaves out of the list is counted here all the same.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from reporters.rows import rows
from scanner.model import Failure, Finding, Options, Reason, ScanResult, Severity, Verdict, WaiverMark, blocks

_CAUSES = 10_000
"""Causes that are told apart; more of them group nothing."""


class State(IntEnum):
    """What a row is to a reader, what needs a hand first. The page's script knows the numbers."""

    BLOCKING = 0
    FAIL = 1
    UNKNOWN = 2
    WAIVED = 3
    KNOWN = 4
    NOT_APPLICABLE = 5
    PASS = 6


WORDS: Final[Mapping[State, str]] = {
    State.BLOCKING: "blocking",
    State.FAIL: "failing",
    State.UNKNOWN: "not decided",
    State.WAIVED: "waived",
    State.KNOWN: "known",
    State.NOT_APPLICABLE: "not applicable",
    State.PASS: "passing",
}
Score = Counter[State]


@dataclass(slots=True)
class Cause:
    """What one cause explains: open findings by policy, the resources that fail, and those whose failed jobs they explain."""

    policies: Counter[str] = field(default_factory=Counter)
    resources: dict[str, str] = field(default_factory=dict)
    affects: set[str] = field(default_factory=set)
    worst: Severity = Severity.INFO


@dataclass(slots=True)
class FailedJobs:
    """The jobs that failed with one error, and how many findings of which policy explain them."""

    jobs: int = 0
    unexplained: int = 0
    because: Counter[str] = field(default_factory=Counter)
    policies: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Tally:
    """What all rows add up to. `errors` is keyed by code, title and link of the error."""

    total: Score = field(default_factory=Counter)
    policies: defaultdict[str, Score] = field(default_factory=lambda: defaultdict(Counter))
    severities: defaultdict[Severity, Score] = field(default_factory=lambda: defaultdict(Counter))
    subscriptions: defaultdict[str, Score] = field(default_factory=lambda: defaultdict(Counter))
    causes: dict[str, Cause] = field(default_factory=dict)
    errors: defaultdict[tuple[str, str, str], FailedJobs] = field(default_factory=lambda: defaultdict(FailedJobs))
    waivers: defaultdict[WaiverMark, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    unknown: defaultdict[Reason | None, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))


def state(finding: Finding, options: Options) -> State:
    """What a row is to a reader; a waiver comes before the baseline, as in the gate."""
    if finding.waiver:
        return State.WAIVED
    if finding.verdict is Verdict.FAIL:
        if finding.known:
            return State.KNOWN
        return State.BLOCKING if blocks(finding, options) else State.FAIL
    return _DECIDED[finding.verdict]


_DECIDED: Final = {
    Verdict.UNKNOWN: State.UNKNOWN,
    Verdict.PASS: State.PASS,
    Verdict.NOT_APPLICABLE: State.NOT_APPLICABLE,
}


def tally(result: ScanResult) -> Tally:
    """Read every verdict once."""
    found = Tally()
    for policy in result.policies:
        for _, finding in rows(result, policy):
            _add(found, finding, state(finding, result.info.options))
    return found


def _add(found: Tally, finding: Finding, what: State) -> None:
    found.total[what] += 1
    found.policies[finding.policy][what] += 1
    found.severities[finding.severity][what] += 1
    found.subscriptions[finding.resource.subscription][what] += 1
    if finding.waiver:
        found.waivers[finding.waiver][finding.policy] += 1
    if what is State.UNKNOWN:
        found.unknown[finding.reason][finding.policy] += 1
    if what in {State.BLOCKING, State.FAIL}:
        if finding.cause and (finding.cause in found.causes or len(found.causes) < _CAUSES):
            _cause(found.causes.setdefault(finding.cause, Cause()), finding)
        if finding.failure:
            _failure(found, finding.failure, finding.policy)


def _cause(cause: Cause, finding: Finding) -> None:
    cause.policies[finding.policy] += 1
    cause.resources[finding.resource.id] = finding.resource.type
    cause.affects.update(finding.affects)
    cause.worst = max(cause.worst, finding.severity)


def _failure(found: Tally, failure: Failure, policy: str) -> None:
    jobs = found.errors[failure.code, failure.title, failure.link]
    jobs.jobs += 1
    jobs.unexplained += not failure.because
    jobs.policies[policy] += 1
    jobs.because.update({one.policy for one in failure.because})


def causes(found: Tally) -> Iterator[tuple[str, Cause]]:
    """Every cause, the one that explains most first; of equal ones the worse, then by its text."""

    def weight(item: tuple[str, Cause]) -> tuple[int, int, int, str]:
        text, cause = item
        return -len(cause.affects), -cause.policies.total(), -cause.worst, text

    return iter(sorted(found.causes.items(), key=weight))
