"""What a snapshot covers: which subscriptions answered a question in full, and why the others did not. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from scanner.model import Gap, Reason, Scope
from scanner.policy import Query
from scanner.sources.manifest import FileModel, GapModel, Manifest, TableModel

LIVE_STATES = frozenset({"enabled", "warned", "pastdue"})
"""States of a subscription in which it still answers reads (azure-mgmt-resource-subscriptions, SubscriptionState)."""

_CANONICAL = re.compile(
    r"(?:[1-5][0-9]{2}(?: [A-Za-z][A-Za-z0-9_.]{0,63})?"  # "403 AuthorizationFailed"
    r"|[A-Za-z][A-Za-z0-9_.]{0,63}"  # "CountMismatch"
    r"|(?:\*|[A-Za-z][A-Za-z0-9.]{0,63})(?:/(?:\*|[A-Za-z0-9.]{1,63})){1,8})"  # "Microsoft.Compute/disks/read"
)


def scope_of(manifest: Manifest, subscriptions: Sequence[str]) -> Scope:
    """What is expected: the manifest's scope, or exactly the subscriptions given."""
    expected = {name.lower() for name in subscriptions} or set(manifest.scope.subscriptions)
    return Scope(
        kind=manifest.scope.kind,
        expected=tuple(sorted(expected)),
        management_groups=manifest.scope.management_groups,
        subscriptions=tuple(one.named() for one in manifest.subscriptions if one.id in expected),
    )


def is_narrowed(manifest: Manifest, scope: Scope) -> bool:
    """Whether the scope leaves out a subscription that the snapshot was made for."""
    return not set(manifest.scope.subscriptions) <= set(scope.expected)


def answered_by(scope: Scope, gaps: Iterable[Gap], files: Sequence[FileModel]) -> frozenset[str]:
    """The expected subscriptions that every file lists as answered and that no gap names; none where a gap means all.

    No files, no answers: nothing was seen.
    """
    excused = {gap.subscription for gap in gaps}
    answered = set() if "" in excused or not files else set(scope.expected) - excused
    for file in files:
        answered &= set(file.answered)
    return frozenset(answered)


def file_gaps(scope: Scope, name: str, files: Sequence[FileModel]) -> tuple[Gap, ...]:
    """Why expected subscriptions are not covered by some files: at least one gap for each that is not."""
    states = {one.id: one.state for one in scope.subscriptions if one.state.lower() not in LIVE_STATES}
    dead = states.keys()
    found = {
        Gap(reason=Reason.SCOPE_DISABLED, table=name, subscription=one, text=f"the subscription is {state}")
        for one, state in states.items()
    }
    found |= {_carried(name, gap) for file in files for gap in file.gaps if gap.subscription in {*scope.expected, ""} - dead}
    told = {gap.subscription for gap in found}
    if "" not in told:
        silent = {one for file in files for one in set(scope.expected) - set(file.answered)} - told
        text = "the snapshot neither lists it as answered nor says why not"
        found |= {Gap(reason=Reason.SCOPE_MISSING, table=name, subscription=one, text=text) for one in silent}
    return tuple(sorted(found))


def table_gaps(query: Query, tables: Mapping[str, TableModel], asked: Mapping[str, frozenset[str] | None]) -> tuple[Gap, ...]:
    """Tables that the snapshot lacks and resource types that were not collected, which leave a query unanswered everywhere."""
    return tuple(sorted(gap for table, types in asked.items() for gap in _lacking(query.name, table, types, tables.get(table))))


def spanning_gap(query: Query) -> Gap:
    """A query across subscriptions proves nothing about any of them where one did not answer."""
    text = "the query spans all subscriptions and not all of them answered"
    return Gap(reason=Reason.SCOPE_MISSING, table=query.name, text=text)


def _lacking(name: str, table: str, asked: frozenset[str] | None, held: TableModel | None) -> Iterator[Gap]:
    if held is None:
        yield Gap(reason=Reason.SCOPE_MISSING, table=name, text=f"the snapshot holds no table {table}")
        return
    types = frozenset(held.types or ())
    if "*" in types:
        return
    if asked is None:
        text = f"the query reads every type of {table}, the snapshot holds only some"
        yield Gap(reason=Reason.NOT_COLLECTED, table=name, text=text)
    for missing in sorted((asked or types) - types):
        yield Gap(reason=Reason.NOT_COLLECTED, table=name, text=f"the snapshot holds no {missing} of {table}")


def _carried(name: str, gap: GapModel) -> Gap:
    """A recorded gap; of its text only a status and an error code are taken over, never prose."""
    text = gap.text if _CANONICAL.fullmatch(gap.text) else "recorded when the snapshot was made"
    return Gap(reason=Reason(gap.reason), table=name, subscription=gap.subscription, text=text)
