"""One pass over the verdicts that keeps what the console shows: counts of everything, and a few rows of each kind."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from reporters.rows import rows
from reporters.view import UNASKED, View
from scanner.model import Finding, Reason, ScanResult, Severity, Verdict, WaiverMark

SHOWN = 50
"""Findings that are listed at most; the rest is counted."""
_CAUSES = 10_000
"""Causes that are told apart; more of them group nothing."""


@dataclass(slots=True)
class Sample:
    """How many rows there are, and the first of them."""

    total: int = 0
    rows: list[Finding] = field(default_factory=list)

    def add(self, finding: Finding) -> None:
        """Count a row, and keep it while there is room."""
        self.total += 1
        if len(self.rows) < SHOWN:
            self.rows.append(finding)


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """What the console shows of the rows. Fails are open ones: neither waived nor known; `causes` counts them by policy."""

    fails: Mapping[tuple[Severity, str], Sample]
    unknown: Mapping[tuple[str, Reason | None], Sample]
    causes: Mapping[str, Mapping[str, int]]
    waivers: Mapping[WaiverMark, int]
    known: int


def digest(result: ScanResult, view: View = UNASKED) -> Digest:
    """Read every verdict once; RuntimeError if they do not add up."""
    fails: defaultdict[tuple[Severity, str], Sample] = defaultdict(Sample)
    unknown: defaultdict[tuple[str, Reason | None], Sample] = defaultdict(Sample)
    causes: dict[str, Counter[str]] = {}
    waivers: Counter[WaiverMark] = Counter()
    known = 0
    for policy in result.policies:
        for _, finding in rows(result, policy, view):
            if finding.verdict is Verdict.FAIL and finding.known and not finding.waiver:
                known += 1
            elif finding.waiver:
                waivers[finding.waiver] += 1
            elif finding.verdict is Verdict.FAIL:
                fails[finding.severity, finding.policy].add(finding)
                _note_cause(causes, finding)
            elif finding.verdict is Verdict.UNKNOWN:
                unknown[finding.policy, finding.reason].add(finding)
    return Digest(fails=fails, unknown=unknown, causes=causes, waivers=waivers, known=known)


def _note_cause(causes: dict[str, Counter[str]], finding: Finding) -> None:
    if finding.cause and (finding.cause in causes or len(causes) < _CAUSES):
        causes.setdefault(finding.cause, Counter())[finding.policy] += 1
