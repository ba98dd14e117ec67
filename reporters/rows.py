"""How reporters read the verdicts: in order, numbered where two rows share an identity, and counted on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from reporters.view import UNASKED, View
from scanner.model import Finding, PolicyResult, ScanResult, Verdict


def rows(result: ScanResult, policy: PolicyResult, view: View = UNASKED) -> Iterator[tuple[int, Finding]]:
    """The verdicts of a policy that an output shows, each with its number among the rows of one identity.

    The number is 1, but 2 and more for duplicates.

    RuntimeError when the verdicts do not add up to the policy's counts: a report that lost rows must not be written.
    """
    seen: Counter[Verdict] = Counter()
    identity, number = None, 1
    for finding in result.findings.of(policy.info.id) if policy.asked else ():
        this = (finding.resource.id, finding.subject)
        identity, number = this, number + 1 if this == identity else 1
        seen[finding.verdict] += 1
        if view.shows(finding):
            yield number, finding
    _agree(policy, seen)


def _agree(policy: PolicyResult, seen: Counter[Verdict]) -> None:
    counts = policy.counts
    told = (counts.passed, counts.failed, counts.unknown, counts.not_applicable)
    read = (seen[Verdict.PASS], seen[Verdict.FAIL], seen[Verdict.UNKNOWN], seen[Verdict.NOT_APPLICABLE])
    if told != read:
        order = "pass, fail, unknown, not applicable"
        raise RuntimeError(f"{policy.info.id}: the summary counts {told} rows ({order}), but {read} were stored")
