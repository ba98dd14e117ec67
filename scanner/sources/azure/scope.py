"""Which subscriptions are expected to answer, and whether they can be seen at all.

A scope is proven when somebody listed the subscriptions or they are the descendants of a management group: then a
subscription that has vanished is missed. It is discovered when it is whatever the identity sees. A subscription without any
role of the identity is listed nowhere and answers every query with nothing, so each expected one must show up in the canary,
a query that every identity with a role in a subscription gets one row of.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from scanner.ids import subscription_of
from scanner.model import Gap, Json, Reason, Row, Scope, Subscription
from scanner.sources.azure import arm
from scanner.sources.azure.wire import Calls, Failed, Request
from scanner.sources.coverage import LIVE_STATES

_log = logging.getLogger("arguard.azure")

CANARY_KQL = """resourcecontainers
| where type =~ 'microsoft.resources/subscriptions'
| project id, name, subscriptionId, state = tostring(properties.state)"""
"""One row for each subscription that the identity sees, keyed by id."""

_ID = re.compile(r"[^/\s]{1,64}")
_STATE = re.compile(r"[A-Za-z]{1,32}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NAME_LENGTH = 256
_UNKNOWN_STATE = "Unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to scan: subscriptions and management groups by name, or everything that the identity sees."""

    subscriptions: tuple[str, ...] = ()
    management_groups: tuple[str, ...] = ()
    everything: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The scope, and why it may lack subscriptions: each gap is one of everybody, since nobody can tell whose it is."""

    scope: Scope
    gaps: tuple[Gap, ...] = ()


def find(wanted: Wanted, calls: Calls) -> Found:
    """Ask Azure Resource Manager what there is; never raises for trouble of Azure's.

    Names and states come from the list of subscriptions. Where that list fails, only a scope that hangs on it has a gap.
    """
    expected = {one.lower() for one in wanted.subscriptions}
    listed: dict[str, Subscription] = {}
    gaps = []
    try:
        listed = _listed(calls)
    except Failed as failed:
        _log.warning("the subscriptions could not be listed (%s): names and states are not known", failed.text)
        gaps += [_gap(failed)] if wanted.everything else []
    if wanted.everything:
        expected |= listed.keys()
    for group in wanted.management_groups:
        try:
            expected |= _descendants(group, calls)
        except Failed as failed:
            gaps.append(_gap(failed))
    scope = Scope(
        kind="discovered" if wanted.everything else "proven",
        expected=tuple(sorted(expected)),
        management_groups=wanted.management_groups,
        subscriptions=tuple(listed[one] for one in sorted(listed.keys() & expected)),
    )
    return Found(scope=scope, gaps=tuple(sorted(set(gaps))))


def seen(rows: Iterable[Row]) -> Mapping[str, Subscription]:
    """The subscriptions of the canary's rows by id; `state` is empty where a row does not tell it."""
    found = {}
    for row in rows:
        identity = _identity(row.get("subscriptionId"), row.get("id"))
        if identity:
            found[identity] = Subscription(id=identity, name=_name(row.get("name")), state=_state(row.get("state")))
    return found


def missing(expected: Iterable[str], seen: Mapping[str, Subscription]) -> tuple[Gap, ...]:
    """A gap for each expected subscription that the canary did not show."""
    unseen = sorted({one.lower() for one in expected} - seen.keys())
    return tuple(Gap(reason=Reason.SCOPE_MISSING, subscription=one, text="NotVisible") for one in unseen)


def completed(scope: Scope, seen: Mapping[str, Subscription]) -> Scope:
    """The scope with the canary's names and states of expected subscriptions that the list did not give.

    Where the two differ, the state in which a subscription answers nothing is believed: rows that it still has, or has
    again, may not be in Azure Resource Graph.
    """
    extra = {one: seen[one] for one in scope.expected if one in seen and seen[one].state}
    known = {one.id: one for one in scope.subscriptions if one.id not in extra or _answers(extra[one.id]) or not _answers(one)}
    return replace(scope, subscriptions=tuple(one for _, one in sorted({**extra, **known}.items())))


def _answers(subscription: Subscription) -> bool:
    return subscription.state.lower() in LIVE_STATES


def _gap(failed: Failed) -> Gap:
    return Gap(reason=failed.reason, text=failed.text)


def _listed(calls: Calls) -> dict[str, Subscription]:
    request = Request(route="subscriptions", url=arm.url("/subscriptions", arm.SUBSCRIPTIONS), provider="microsoft.resources")
    found = {}
    for item in _all(request, calls):
        identity = _identity(item.get("subscriptionId"), item.get("id"))
        if not identity:
            raise Failed(Reason.BAD_ANSWER, "IdMissing")
        # Azure always tells the state: one that cannot be read is not taken for a subscription in order.
        state = _state(item.get("state")) or _UNKNOWN_STATE
        found[identity] = Subscription(id=identity, name=_name(item.get("displayName")), state=state)
    return found


def _descendants(group: str, calls: Calls) -> set[str]:
    """The subscriptions below a management group, at any depth; raises Failed.

    Groups are passed over: what lies below them is listed itself. The documented types are "/subscriptions" and
    "Microsoft.Management/managementGroups"; longer forms that end alike mean the same.
    """
    path = f"/providers/Microsoft.Management/managementGroups/{group}/descendants"
    request = Request(route="descendants", url=arm.url(path, arm.DESCENDANTS), provider="microsoft.management")
    found = set()
    for item in _all(request, calls):
        kind = item.get("type")
        kind = kind.lower() if isinstance(kind, str) else ""
        if kind.endswith("/managementgroups"):
            continue
        identity = _identity(item.get("name"), item.get("id")) if kind.endswith("/subscriptions") else ""
        if not identity:
            raise Failed(Reason.BAD_ANSWER, "DescendantUnreadable")
        found.add(identity)
    return found


def _all(request: Request, calls: Calls) -> Iterator[arm.JsonObject]:
    return (item for page in arm.items(request, calls) for item in page)


def _identity(name: Json, path: Json) -> str:
    """A subscription's id, lower case, from the member that holds it or from an ARM id; empty where neither does."""
    if not isinstance(name, str) or not name:
        name = subscription_of(path) if isinstance(path, str) else ""
    found = name.lower()
    return found if _ID.fullmatch(found) else ""


def _name(text: Json) -> str:
    return _CONTROL.sub("", text)[:_NAME_LENGTH] if isinstance(text, str) else ""


def _state(text: Json) -> str:
    return text if isinstance(text, str) and _STATE.fullmatch(text) else ""
