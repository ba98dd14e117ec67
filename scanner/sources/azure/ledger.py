"""What was proven for each file of the snapshot: who answered in full, and why the others did not. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from scanner.model import Gap, Reason
from scanner.sources.azure import rights
from scanner.sources.azure.run import Part
from scanner.sources.azure.wire import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Proofs:
    """What holds for every file alike.

    `gaps` are those of the scope, of subscriptions that Azure Resource Graph does not show, and of permissions that could
    not be read; `permissions` are the entries of each subscription whose permissions were.
    """

    gaps: tuple[Gap, ...] = ()
    permissions: Mapping[str, Sequence[rights.Permission]]


def gaps_of(part: Part, outcome: Outcome | None) -> Iterator[Gap]:
    """The gaps of one part, each with its subscription; a part that was not finished was interrupted."""
    found = (Gap(reason=Reason.FAILED, text="Interrupted"),) if outcome is None else outcome.gaps
    for gap in found:
        for one in (gap.subscription,) if gap.subscription else part.subscriptions:
            yield replace(gap, subscription=one, table="")


def rights_gaps(needs: frozenset[str], proofs: Proofs) -> Iterator[Gap]:
    """The actions that a file takes and that are not granted, for each subscription."""
    for subscription, permissions in proofs.permissions.items():
        yield from rights.rights_gaps(needs, tuple(permissions), subscription)


def covered(expected: Sequence[str], answered: Iterable[str], gaps: Iterable[Gap]) -> tuple[tuple[str, ...], tuple[Gap, ...]]:
    """The subscriptions that answered and have no gap whatsoever, and the gaps, both sorted.

    A gap that all of several expected subscriptions share is told once, without a subscription.
    """
    found = set(gaps)
    excused = {gap.subscription for gap in found}
    whole = () if "" in excused else tuple(sorted((set(expected) & set(answered)) - excused))
    return whole, tuple(sorted(_told_once(frozenset(expected), found)))


def _told_once(expected: frozenset[str], gaps: Iterable[Gap]) -> Iterator[Gap]:
    alike: dict[Gap, set[str]] = defaultdict(set)
    for gap in gaps:
        alike[replace(gap, subscription="")].add(gap.subscription)
    for common, subscriptions in alike.items():
        if "" in subscriptions or (len(expected) > 1 and expected <= subscriptions):
            yield common
        else:
            yield from (replace(common, subscription=one) for one in subscriptions)
