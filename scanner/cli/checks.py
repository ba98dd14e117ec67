"""What `arguard doctor` checks, over calls to Azure: each check says what is right, or what is wrong and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import orjson

from scanner.kql.text import as_sent
from scanner.model import Gap, Reason, Row, Scope
from scanner.plan import Plan
from scanner.sources.azure import arm, graph, rights
from scanner.sources.azure.asked import BATCH
from scanner.sources.azure.scope import CANARY_KQL, Found, missing, seen
from scanner.sources.azure.wire import Calls, Failed, Request, Route
from scanner.sources.coverage import LIVE_STATES

READER = "Reader (acdd72a7-3385-48ef-bd42-f606fba81ae7)"
"""The built-in role that grants every read of Azure Resource Manager
(https://learn.microsoft.com/azure/role-based-access-control/built-in-roles)."""
SIDE_NAMES = {"arm_locks": "locks", "arm_vm_status": "VM status", "arm_restore_points": "restore points"}
LISTS: Mapping[str, tuple[Route, str, str, tuple[str, ...]]] = {
    "arm_locks": ("locks", "Microsoft.Authorization/locks", arm.LOCKS, ()),
    "arm_vm_status": ("vm_status", "Microsoft.Compute/virtualMachines", arm.VIRTUAL_MACHINES, ("statusOnly=true",)),
    "arm_restore_points": (
        "restore_point_collections",
        "Microsoft.Compute/restorePointCollections",
        arm.RESTORE_POINT_COLLECTIONS,
        (),
    ),
}
"""The list behind each side table: route, type, version and options."""
AGAIN = "try again; -v shows each request, and the request id is what Azure's support asks for"

_THREADS = 8
_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check. `good` is None where it could not be tried; `cure` is what to do."""

    name: str
    good: bool | None
    text: str
    cure: str = ""

    @property
    def line(self) -> str:
        """The check in one line."""
        word = {True: "ok", False: "FAIL", None: "not tried"}[self.good]
        told = f"{word:<9}  {self.name}: {self.text}"
        return f"{told} -> {self.cure}" if self.cure else told


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """What is examined: a scope, over calls, on behalf of the object id that asks (empty where unknown)."""

    calls: Calls
    scope: Scope
    object_id: str = ""

    def each(self, ask: Callable[[str], Sequence[Gap]]) -> list[Gap]:
        """The gaps of every subscription, a few of them asked at a time."""
        with ThreadPoolExecutor(_THREADS) as pool:
            return [gap for gaps in pool.map(ask, self.scope.expected) for gap in gaps]

    def names(self, subscriptions: Iterable[str]) -> str:
        """Subscriptions as people know them, the first few."""
        known = {one.id: one.name for one in self.scope.subscriptions}
        shown = sorted({f"{known[one]} ({one})" if known.get(one) else one for one in subscriptions})
        more = len(shown) - _SHOWN
        return ", ".join(shown[:_SHOWN]) + (f" and {more:,} more" if more > 0 else "")

    def reader(self, subscriptions: Iterable[str]) -> str:
        """How to grant the role that reads everything."""
        first = min(subscriptions, default="SUBSCRIPTION")
        who = self.object_id or "OBJECT_ID"
        return f"assign {READER}: az role assignment create --assignee {who} --role Reader --scope /subscriptions/{first}"


def check_scope(found: Found, patient: Patient) -> Check:
    """The subscriptions that are expected: listed, and in a state in which they answer."""
    expected, listed = patient.scope.expected, {one.id: one for one in found.scope.subscriptions}
    name = "subscriptions"
    if found.gaps:
        why = ", ".join(sorted({f"{gap.reason} {gap.text}" for gap in found.gaps}))
        cure = "check the names of --management-group, and assign Reader there" if found.scope.management_groups else AGAIN
        return Check(name=name, good=False, text=f"the scope could not be listed ({why})", cure=cure)
    if not expected:
        return Check(name=name, good=False, text="none is visible to this identity", cure=patient.reader(()))
    unseen = [one for one in expected if one not in listed]
    if unseen:
        text = f"{len(unseen):,} of {len(expected):,} expected are not visible: {patient.names(unseen)}"
        return Check(name=name, good=False, text=text, cure=patient.reader(unseen))
    dead = [one for one in expected if listed[one].state.lower() not in LIVE_STATES]
    if dead:
        states = ", ".join(sorted({listed[one].state for one in dead}))
        text = f"{len(dead):,} of {len(expected):,} cannot be read ({states}): {patient.names(dead)}"
        return Check(name=name, good=False, text=text, cure="enable them, or leave them out with --subscription")
    states = ", ".join(sorted({listed[one].state for one in expected}))
    text = f"{len(expected):,} visible ({found.scope.kind}, {states}): {patient.names(expected)}"
    return Check(name=name, good=True, text=text)


def check_graph(patient: Patient, now: datetime) -> Check:
    """Whether Azure Resource Graph answers, and shows every expected subscription."""
    expected, rows = patient.scope.expected, Kept()
    question = graph.Question(kql=as_sent(CANARY_KQL, now=now, key=("id",)), key=("id",))
    batches = [expected[start : start + BATCH] for start in range(0, len(expected), BATCH)]
    gaps = [gap for batch in batches for gap in graph.read(question, batch, patient.calls, lambda: rows).gaps]
    silent = gaps or missing(expected, seen(rows.decoded()))
    if not silent:
        return Check(name="resource graph", good=True, text=f"answers for {_of(len(expected))}")
    cure = patient.reader(gap.subscription for gap in silent)
    if any(gap.reason not in {Reason.DENIED, Reason.SCOPE_MISSING} for gap in silent):
        cure = AGAIN
    if any(gap.reason is Reason.THROTTLED for gap in silent):
        cure = "others use up the quota of this identity: wait, or give arguard an identity of its own"
    return Check(name="resource graph", good=False, text=_told(silent, patient), cure=cure)


def check_rights(plan: Plan, patient: Patient) -> Iterator[Check]:
    """Whether the identity may read everything that the policies ask for: one check for each action that is missing."""
    needs = needed(plan)
    by_action: dict[str, list[Gap]] = {}
    for gap in patient.each(partial(_rights, calls=patient.calls, needs=frozenset(needs))):
        by_action.setdefault(gap.text, []).append(gap)
    if not by_action:
        text = f"all {len(needs)} read actions of {len(plan.asked)} policies are granted in {_of(len(patient.scope.expected))}"
        yield Check(name="rights", good=True, text=text)
    for action, gaps in sorted(by_action.items()):
        where = [gap.subscription for gap in gaps]
        subject = f"{action} is not granted" if gaps[0].reason is Reason.RIGHTS_PARTIAL else f"not known ({action})"
        policies = ", ".join(sorted(needs.get(action) or {one.policy.id for one in plan.asked}))
        text = f"{subject} in {_of(len(where))}, {patient.names(where)}; {policies} cannot be decided there"
        yield Check(name="rights", good=False, text=text, cure=patient.reader(where))


def check_side(table: str, patient: Patient) -> Check:
    """Whether a side table can be read in every subscription: the first page of each."""
    gaps = patient.each(partial(_first_page, table=table, calls=patient.calls))
    name = SIDE_NAMES.get(table, table)
    if not gaps:
        return Check(name=name, good=True, text=f"readable in {_of(len(patient.scope.expected))}")
    denied = all(gap.reason is Reason.DENIED for gap in gaps)
    cure = patient.reader(gap.subscription for gap in gaps) if denied else AGAIN
    return Check(name=name, good=False, text=_told(gaps, patient), cure=cure)


def check_quota(left: int | None) -> Check:
    """What Azure Resource Graph says is left of the quota of this identity."""
    if left is None:
        return Check(name="quota", good=None, text="Azure Resource Graph told nothing about it")
    if left == 0:
        cure = "others use the same identity: wait a minute, give arguard an identity of its own, or lower --quota"
        return Check(name="quota", good=False, text="0 queries left in this window", cure=cure)
    return Check(name="quota", good=True, text=f"{left} more queries in this window of some seconds")


def needed(plan: Plan) -> Mapping[str, frozenset[str]]:
    """The actions that the plan takes, each with the policies that cannot be decided without it."""
    found: dict[str, set[str]] = {}
    for one in plan.asked:
        actions = set(rights.needed(one.policy.query))
        for spec in one.policy.attach:
            if spec.query is not None:
                actions |= rights.needed(spec.query)
            elif spec.source in LISTS:
                actions |= rights.needed_for_side(spec.source)
        for action in actions:
            found.setdefault(action, set()).add(one.policy.id)
    return {action: frozenset(policies) for action, policies in found.items()}


def _rights(subscription: str, *, calls: Calls, needs: frozenset[str]) -> Sequence[Gap]:
    try:
        return rights.rights_gaps(needs, rights.read_permissions(subscription, calls), subscription)
    except Failed as failed:
        return (rights.unproven(failed, subscription),)


def _first_page(subscription: str, *, table: str, calls: Calls) -> Sequence[Gap]:
    try:
        next(arm.items(side_request(table, subscription), calls))
    except Failed as failed:
        return (Gap(reason=failed.reason, subscription=subscription, text=failed.text),)
    return ()


def side_request(table: str, subscription: str) -> Request:
    """The request for the first page of a side table's list."""
    route, kind, version, options = LISTS[table]
    url = arm.url(f"/subscriptions/{subscription}/providers/{kind}", version, *options)
    return Request(route=route, url=url, subscription=subscription, provider=kind.partition("/")[0].lower())


def _told(gaps: Sequence[Gap], patient: Patient) -> str:
    """Gaps by reason and text, with the subscriptions of each."""
    found: dict[str, set[str]] = {}
    for gap in gaps:
        found.setdefault(f"{gap.reason} {gap.text}", set()).add(gap.subscription)
    return "; ".join(f"{what} in {_of(len(where))}, {patient.names(where)}" for what, where in sorted(found.items()))


def _of(number: int) -> str:
    return f"{number:,} subscription" if number == 1 else f"{number:,} subscriptions"


class Kept:
    """A sink in memory, for answers of a few rows."""

    def __init__(self) -> None:
        self._lines: dict[str, bytes] = {}

    def add(self, rows: Sequence[tuple[str, bytes]]) -> int:
        """Keep rows; how many of their keys are new."""
        before = len(self._lines)
        for key, line in rows:
            self._lines.setdefault(key, line)
        return len(self._lines) - before

    def drop(self) -> None:
        """Forget the rows."""
        self._lines.clear()

    def decoded(self) -> list[Row]:
        """The rows."""
        return [orjson.loads(line) for line in self._lines.values()]
