"""What was not seen and what was not decided, each with what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby

from reporters import wording
from reporters.advice import ADVICE
from reporters.console_digest import Digest, Sample
from reporters.console_lines import BLANK, Line, count, heading, line
from scanner.model import Gap, PolicyResult, Reason, ScanResult

_ROWS = 5
_GAPS = 20
_NAMED = 5


def missing(result: ScanResult, digest: Digest) -> Iterator[Line]:
    """Gaps that count first, equal ones once, with one advice for each reason; then the undecided rows."""
    grouped = _grouped(result)
    if not grouped and not digest.unknown:
        return
    yield heading("Not seen, not decided")
    for (_, reason), same in groupby(grouped[:_GAPS], key=lambda item: (item[0].counts, item[0].reason)):
        for gap, subscriptions, affected in same:
            yield from _gap(gap, subscriptions, affected)
        yield from _advice(reason)
    if len(grouped) > _GAPS:
        yield line(f"and {count(len(grouped) - _GAPS, 'more gap')}; -o native=FILE holds all", "dim", indent=2)
    policies = {policy.info.id: policy for policy in result.policies}
    for (policy, reason), sample in sorted(digest.unknown.items(), key=lambda item: (item[0][0], item[0][1] or "")):
        yield from _undecided(policies[policy], sample)
        yield from _advice(reason)
    yield BLANK


def _grouped(result: ScanResult) -> list[tuple[Gap, list[str], list[str]]]:
    """Each different gap with its subscriptions and the policies that have it."""
    found: dict[Gap, tuple[dict[str, None], dict[str, None]]] = {}
    for policy in result.policies:
        for gap in policy.gaps:
            subscriptions, policies = found.setdefault(replace(gap, subscription=""), ({}, {}))
            subscriptions[gap.subscription] = None
            policies[policy.info.id] = None
    ordered = sorted(found.items(), key=lambda item: (not item[0].counts, item[0]))
    return [(gap, [one for one in subscriptions if one], list(policies)) for gap, (subscriptions, policies) in ordered]


def _gap(gap: Gap, subscriptions: list[str], policies: list[str]) -> Iterator[Line]:
    where = f" ({gap.table})" if gap.table else ""
    pieces = ((str(gap.reason), "bold yellow"), (f"{where}: {gap.text}", ""), _effect(counts=gap.counts))
    yield Line(pieces=pieces, indent=2, hang=2)
    if subscriptions:
        yield line(
            f"{'subscription' if len(subscriptions) == 1 else 'subscriptions'} {_listed(subscriptions)}", indent=4, hang=2
        )
    yield line(f"missing for {_listed(policies)}", "dim", indent=4, hang=2)


def _undecided(policy: PolicyResult, sample: Sample) -> Iterator[Line]:
    title = f"  {policy.info.id}  {policy.info.title}"
    pieces = (
        (f"{count(sample.total, 'row')} not decided", "bold yellow"),
        (title, ""),
        _effect(counts=policy.counts.hiding > 0),
    )
    yield Line(pieces=pieces, indent=2, hang=2)
    for finding in sample.rows[:_ROWS]:
        yield Line(pieces=(("? ", "yellow"), (wording.sentence(finding, policy.info), "")), indent=4, hang=2)
        yield line(finding.resource.display_id, "dim", indent=6, fold=False)
    if sample.total > _ROWS:
        yield line(f"and {sample.total - _ROWS:,} more", "dim", indent=4)


def _advice(reason: Reason | None) -> Iterator[Line]:
    if reason:
        yield Line(pieces=(("Do   ", "bold"), (ADVICE[reason], "")), indent=4, hang=5)


def _effect(*, counts: bool) -> tuple[str, str]:
    return ("", "") if counts else ("  cannot change the decision", "dim")


def _listed(names: list[str]) -> str:
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {rest:,} more" if rest > 0 else "")
