"""What was not seen and what was not decided, each with what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import groupby

from reporters import wording
from reporters.advice import ADVICE
from reporters.console_digest import Digest, Sample
from reporters.console_lines import BLANK, Line, count, heading, line
from reporters.console_places import names_in, place, some
from scanner.model import Gap, PolicyResult, Reason, ScanResult

_ROWS = 5
_GAPS = 20
_HARMLESS = "cannot change the decision"


def missing(result: ScanResult, digest: Digest) -> Iterator[Line]:
    """Gaps that count first, equal ones once; then the undecided rows; one advice for each reason."""
    gaps = grouped(result)
    if not gaps and not digest.unknown:
        return
    names = names_in(result.info.scope)
    yield heading("Not seen, not decided")
    for (_, reason), same in groupby(gaps[:_GAPS], key=lambda item: (item[0].counts, item[0].reason)):
        for gap, subscriptions, affected in same:
            yield from _gap(gap, [_named(one, names) for one in subscriptions], affected)
        yield from _advice(reason)
    if len(gaps) > _GAPS:
        yield line(f"and {count(len(gaps) - _GAPS, 'more gap')}; -o native=FILE holds all", "dim", indent=2)
    yield from _undecided(result, digest)
    yield BLANK


def grouped(result: ScanResult) -> list[tuple[Gap, list[str], list[str]]]:
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
    pieces = ((str(gap.reason), "bold yellow"), (f"{where}: {gap.text}", ""))
    yield Line(pieces=pieces, indent=2, hang=2)
    if subscriptions:
        yield line(f"{'subscription' if len(subscriptions) == 1 else 'subscriptions'} {some(subscriptions)}", indent=4, hang=2)
    effect = "" if gap.counts else f"; {_HARMLESS}"
    yield line(f"missing for {some(policies)}{effect}", "dim", indent=4, hang=2)


def _undecided(result: ScanResult, digest: Digest) -> Iterator[Line]:
    """Undecided rows by reason, then by policy."""
    policies = {policy.info.id: policy for policy in result.policies}
    names = names_in(result.info.scope)
    rows = sorted(digest.unknown.items(), key=lambda item: (item[0][1] or "", item[0][0]))
    for reason, same in groupby(rows, key=lambda item: item[0][1]):
        samples = [(policies[policy], sample) for (policy, _), sample in same]
        told = count(sum(sample.total for _, sample in samples), "row")
        yield Line(pieces=((reason or "UNKNOWN", "bold yellow"), (f"  {told} not decided", "")), indent=2)
        yield from _advice(reason)
        for policy, sample in samples:
            yield from _sample(policy, sample, names)


def _sample(policy: PolicyResult, sample: Sample, names: Mapping[str, str]) -> Iterator[Line]:
    info = policy.info
    pieces = ((info.id, "bold"), (f"  {info.title}", ""), (f"  ({sample.total:,})", "dim"))
    yield Line(pieces=pieces, indent=4, hang=len(info.id) + 2)
    if not policy.counts.hiding:
        yield line(_HARMLESS, "dim", indent=6)
    for finding in sample.rows[:_ROWS]:
        yield Line(pieces=(("? ", "yellow"), (wording.undecided(finding), "")), indent=6, hang=2)
        yield line(place(finding.resource.display_id, names), "dim", indent=8, fold=False)
    if sample.total > _ROWS:
        yield line(f"and {sample.total - _ROWS:,} more", "dim", indent=6)


def _advice(reason: Reason | None) -> Iterator[Line]:
    if reason:
        yield Line(pieces=(("Do   ", "bold"), (ADVICE[reason], "")), indent=4, hang=5)


def _named(subscription: str, names: Mapping[str, str]) -> str:
    return f"{names[subscription]} ({subscription})" if subscription in names else subscription
