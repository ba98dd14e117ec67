"""Side tables: what Azure Resource Graph does not carry, read from Azure Resource Manager one subscription at a time.

    arm_locks           the management locks of a subscription, its groups and its resources: one list. The filter atScope()
                        would leave out the locks below the subscription and is never set.
    arm_vm_status       every VM with its instance view: one list with statusOnly=true; where the agent is missing in it
                        although the VM may be running, the VM's own instance view as well.
    arm_restore_points  the collections of restore points that Azure Backup made (AzureBackup*), each with its points.

A subscription answers as a whole or not at all: one object that could not be read might be the one that matters. Only an
object that Azure itself reports as gone is left out, because lists are cached and outlive what they list
(Azure/azure-rest-api-specs#21221). Rows are kept as they came, secrets aside.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from scanner.ids import canonical, leading_id, name_of, subscription_of
from scanner.model import Gap, Json, Reason
from scanner.sources.azure import arm
from scanner.sources.azure.arm import JsonObject
from scanner.sources.azure.pages import kept
from scanner.sources.azure.wire import Calls, Failed, Outcome, Request, Route, Sink, Unusable

_log = logging.getLogger("arguard.azure")

_OFF = frozenset({"powerstate/stopped", "powerstate/deallocated", "powerstate/deallocating"})
"""Power states in which a VM has no agent that could report."""
_GONE = frozenset({"resourcenotfound", "resourcegroupnotfound", "parentresourcenotfound", "notfound"})
"""Error codes by which ARM and the compute provider say that an object is not there; any other 404 proves nothing."""
_BACKUP = "azurebackup"
_COMPUTE = "microsoft.compute"
_UNREGISTERED = "MissingSubscriptionRegistration"
"""Code of the 409 for a provider that a subscription is not registered for, which ARM only undoes where no resource of it is
left (https://learn.microsoft.com/azure/azure-resource-manager/management/resource-providers-and-types)."""


class _Changed(Failed):
    """A list gave one object twice, and not the same."""

    def __init__(self) -> None:
        super().__init__(Reason.UNSTABLE, "RowsRepeated")


class _Unused(Exception):
    """A subscription that is not registered for a provider holds nothing of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """How a side table is read: its list below the subscription, and what makes a listed object a row (None: it is none)."""

    route: Route
    path: str
    version: str
    options: tuple[str, ...] = ()
    complete: Callable[[Calls, JsonObject], JsonObject | None]

    @property
    def provider(self) -> str:
        return self.path.split("/")[1].lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """One side table of one subscription (lower case)."""

    side: _Side
    subscription: str
    calls: Calls

    def pages(self) -> Iterator[list[tuple[str, bytes]]]:
        """The rows of each page of the list; raises Failed, _Changed where the list moved under the reading."""
        side, seen = self.side, dict[str, bytes]()
        request = Request(
            route=side.route,
            url=arm.url(f"/subscriptions/{self.subscription}/{side.path}", side.version, *side.options),
            subscription=self.subscription,
            provider=side.provider,
        )
        for page in self._listed(request):
            fresh = [item for item in page if self._is_new(item, seen)]
            yield [_row(item) for item in map(partial(side.complete, self.calls), fresh) if item is not None]

    def _listed(self, request: Request) -> Iterator[Sequence[JsonObject]]:
        """The pages of the list; raises _Unused where there can be none."""
        some = False
        try:
            for page in arm.items(request, self.calls):
                yield page
                some = True
        except Failed as failed:
            if some or self.side.provider != _COMPUTE or failed.status != 409 or _UNREGISTERED not in failed.codes:
                raise
            raise _Unused from failed

    def _is_new(self, item: JsonObject, seen: dict[str, bytes]) -> bool:
        """Whether the object was not listed before; raises Failed for one that is not this subscription's."""
        identity = leading_id(item)
        if not identity:
            raise Failed(Reason.BAD_ANSWER, "IdMissing")
        if subscription_of(identity) != self.subscription:
            raise Failed(Reason.BAD_ANSWER, "ForeignObject")
        key, line = _row(item)
        digest = hashlib.blake2b(line, digest_size=16).digest()
        if key not in seen:
            seen[key] = digest
            return True
        if seen[key] != digest:
            raise _Changed
        return False


def read_side(table: str, subscription: str, calls: Calls, sink: Sink) -> Outcome:
    """Read a side table of one subscription (all but "evidence", which Azure has not); trouble is a gap, its sink is empty.

    A list in which one object stands twice, differently, is read once more. Rows are keyed by canonical id.
    """
    reading = _Reading(side=_SIDES[table], subscription=subscription.lower(), calls=calls)
    try:
        return _read_twice(reading, sink)
    except _Unused:
        _log.info("%s has never used %s: it has none of its resources", reading.subscription, reading.side.provider)
        return Outcome(answered=frozenset({reading.subscription}))
    except Failed as failed:
        sink.drop()
        gap = Gap(reason=failed.reason, subscription=reading.subscription, text=failed.text)
        return Outcome(answered=frozenset(), gaps=(gap,))


def _read_twice(reading: _Reading, sink: Sink) -> Outcome:
    try:
        return _read(reading, sink)
    except _Changed:
        _log.info("%s of %s changed while it was read; once more", reading.side.route, reading.subscription)
        sink.drop()
        return _read(reading, sink)


def _read(reading: _Reading, sink: Sink) -> Outcome:
    pages = rows = 0
    for page in reading.pages():
        sink.add(page)
        pages, rows = pages + 1, rows + len(page)
    return Outcome(answered=frozenset({reading.subscription}), pages=pages, rows=rows)


def _row(item: JsonObject) -> tuple[str, bytes]:
    """An object by its canonical id, without its secrets; raises Failed for one that a snapshot could not hold."""
    try:
        ((_, line),) = kept([item], key=())
    except Unusable as why:
        raise Failed(why.reason, why.text) from why
    return canonical(leading_id(item)), line


def _as_listed(_calls: Calls, item: JsonObject) -> JsonObject:
    return item


def _with_agent(calls: Calls, item: JsonObject) -> JsonObject | None:
    """The VM with its own instance view, where the list left out an agent that may be there; None where the VM is gone.

    A VM without an agent even then stays as it is: that is unknown to whoever asks for its agent, never fine.
    """
    listed = _object(item.get("properties"))
    view = _object(listed.get("instanceView"))
    if _object(view.get("vmAgent")) or _is_off(view):
        return item
    path = f"{_path(item)}/instanceView"
    found = _find(_single("instance_view", item, arm.url(path, arm.VIRTUAL_MACHINES)), calls)
    return None if found is None else {**item, "properties": {**listed, "instanceView": found}}


def _with_points(calls: Calls, item: JsonObject) -> JsonObject | None:
    """The collection with its points, which no list carries; None for one that is gone or not Azure Backup's."""
    if not any(
        name.lower().startswith(_BACKUP) for name in (item.get("name"), name_of(leading_id(item))) if isinstance(name, str)
    ):
        return None
    link = arm.url(_path(item), arm.RESTORE_POINT_COLLECTIONS, "$expand=restorePoints")
    found = _find(_single("restore_points", item, link), calls)
    if found is not None and canonical(leading_id(found)) != canonical(leading_id(item)):
        raise Failed(Reason.BAD_ANSWER, "ForeignObject")
    return found


def _single(route: Route, item: JsonObject, link: str) -> Request:
    return Request(route=route, url=link, subscription=subscription_of(leading_id(item)), provider=_COMPUTE)


def _find(request: Request, calls: Calls) -> JsonObject | None:
    """The object, or None where Azure says that it is no longer there; raises Failed for any other trouble."""
    try:
        return arm.one(request, calls)
    except Failed as failed:
        if failed.status != 404 or not _GONE.intersection(code.lower() for code in failed.codes):
            raise
        _log.info("%s is listed but gone: left out", request.url.partition("?")[0])
        return None


def _path(item: JsonObject) -> str:
    return leading_id(item).strip().rstrip("/")


def _is_off(view: Mapping[str, Json]) -> bool:
    codes = {code for code in map(_code, _list(view.get("statuses"))) if code.startswith("powerstate/")}
    return bool(codes) and codes <= _OFF


def _code(status: Json) -> str:
    code = _object(status).get("code")
    return code.lower() if isinstance(code, str) else ""


def _object(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}


def _list(value: Json) -> Sequence[Json]:
    return value if isinstance(value, list) else ()


_SIDES: Mapping[str, _Side] = {
    "arm_locks": _Side(
        route="locks",
        path="providers/Microsoft.Authorization/locks",
        version=arm.LOCKS,
        complete=_as_listed,
    ),
    "arm_vm_status": _Side(
        route="vm_status",
        path="providers/Microsoft.Compute/virtualMachines",
        version=arm.VIRTUAL_MACHINES,
        options=("statusOnly=true",),
        complete=_with_agent,
    ),
    "arm_restore_points": _Side(
        route="restore_point_collections",
        path="providers/Microsoft.Compute/restorePointCollections",
        version=arm.RESTORE_POINT_COLLECTIONS,
        complete=_with_points,
    ),
}
