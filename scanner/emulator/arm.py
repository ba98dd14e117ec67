"""The emulator's Azure Resource Manager: the lists and objects that a scan reads, out of an estate, as far as roles allow.

Errors, rights and paging are as ARM has them. Where Azure's answer to "Reader of one group only" is not documented (lists of
virtual machines and collections at a subscription), the emulator leaves out silently what may not be read: the harder
of the two for whoever wants to know that an answer is complete. The token buckets of ARM are not simulated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from scanner.emulator.estate import Estate
from scanner.emulator.exchange import Reply, error, route_of
from scanner.emulator.roles import Roles
from scanner.ids import canonical, leading_id
from scanner.model import Json, Row

PAGE = 100
"""Objects on a page of a list, unless told otherwise."""
VERSIONS: Mapping[str, tuple[str, ...]] = {
    "subscriptions": ("2016-06-01", "2020-01-01", "2021-01-01", "2022-12-01"),
    "descendants": ("2020-05-01", "2021-04-01", "2023-04-01"),
    "permissions": ("2015-07-01", "2018-07-01", "2022-04-01"),
    "locks": ("2016-09-01", "2017-04-01", "2020-05-01"),
    "vm_status": ("2024-03-01", "2024-07-01", "2024-11-01", "2025-04-01", "2026-04-01"),
    "instance_view": ("2024-03-01", "2024-07-01", "2024-11-01", "2025-04-01", "2026-04-01"),
    "restore_point_collections": ("2024-03-01", "2024-07-01", "2024-11-01", "2025-04-01", "2026-04-01"),
    "restore_points": ("2024-03-01", "2024-07-01", "2024-11-01", "2025-04-01", "2026-04-01"),
}
"""The api-versions of each route that the emulator plays; azure-rest-api-specs has more of them."""

_VM, _COLLECTION = "Microsoft.Compute/virtualMachines", "Microsoft.Compute/restorePointCollections"
_READS_LEFT = {"x-ms-ratelimit-remaining-subscription-reads": "249"}

JsonObject = dict[str, Json]


class _Refused(Exception):
    """Ends the work on a request with an error answer."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ask:
    """A request: its path without the query string, split, and its parameters by lower-case name."""

    path: str
    parts: tuple[str, ...]
    query: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """ARM over an estate. `endpoint` is what the links to next pages start with; safe to use from several threads."""

    estate: Estate
    roles: Roles
    endpoint: str = "https://management.azure.com"
    page: int = PAGE

    def route(self, method: str, path: str, query: Mapping[str, str]) -> Reply | None:
        """The answer to a request, or None where the path is none of ARM's that are played."""
        kind = route_of(path)
        if kind not in VERSIONS:
            return None
        clean = path.rstrip("/")
        ask = _Ask(path=clean, parts=tuple(clean.split("/")[1:]), query={name.lower(): one for name, one in query.items()})
        try:
            _check(method, kind, version=ask.query.get("api-version", ""))
            reply = self._handlers()[kind](ask)
        except _Refused as refused:
            reply = refused.reply
        return reply.adding(_READS_LEFT)

    def _handlers(self) -> Mapping[str, Callable[[_Ask], Reply]]:
        return {
            "subscriptions": self._subscriptions,
            "descendants": self._descendants,
            "permissions": self._permissions,
            "locks": self._locks,
            "vm_status": self._machines,
            "instance_view": self._machine,
            "restore_point_collections": self._collections,
            "restore_points": self._collection,
        }

    def _subscriptions(self, ask: _Ask) -> Reply:
        if len(ask.parts) == 1:
            return self._paged(
                ask, [self._subscription(one.id) for one in self.estate.subscriptions if self.roles.visible(one.id)]
            )
        wanted = self._known(ask)
        self._need("Microsoft.Resources/subscriptions/read", f"/subscriptions/{wanted}")
        return Reply(body=self._subscription(wanted))

    def _subscription(self, identity: str) -> JsonObject:
        one = next(one for one in self.estate.subscriptions if one.id == identity)
        return {
            "id": f"/subscriptions/{one.id}",
            "subscriptionId": one.id,
            "displayName": one.name,
            "state": one.state,
            "tenantId": self.estate.tenant,
        }

    def _descendants(self, ask: _Ask) -> Reply:
        name = ask.parts[3]
        groups = {group.lower(): members for group, members in self.estate.management_groups.items()}
        self._need("Microsoft.Management/managementGroups/descendants/read", "/".join(["", *ask.parts[:4]]))
        if name.lower() not in groups:
            raise _Refused(error(404, "NotFound", f"The management group '{name}' cannot be found."))
        names = {one.id.lower(): one.name for one in self.estate.subscriptions}
        parent = {"id": f"/providers/Microsoft.Management/managementGroups/{name}"}
        return self._paged(
            ask,
            [
                {
                    "id": f"/subscriptions/{one}",
                    "type": "/subscriptions",
                    "name": one,
                    "properties": {"displayName": names.get(one.lower(), one), "parent": parent},
                }
                for one in groups[name.lower()]
            ],
        )

    def _permissions(self, ask: _Ask) -> Reply:
        wanted = self._known(ask)
        self._need("Microsoft.Authorization/permissions/read", f"/subscriptions/{wanted}")
        return self._paged(ask, self.roles.permissions(wanted))

    def _locks(self, ask: _Ask) -> Reply:
        wanted = self._known(ask)
        self._need("Microsoft.Authorization/locks/read", f"/subscriptions/{wanted}")
        self._answering("arm_locks", wanted)
        return self._paged(ask, self.estate.side("arm_locks", wanted))

    def _machines(self, ask: _Ask) -> Reply:
        wanted = self._known(ask)
        if ask.query.get("statusonly", "").lower() == "true":
            self._answering("arm_vm_status", wanted)
            found = [_status_only(row) for row in self.estate.side("arm_vm_status", wanted)]
        else:
            found = [_as_arm(row, _VM) for row in self.estate.resources_of(_VM.lower(), wanted)]
        return self._paged(ask, self._readable(found, _VM, subscription=wanted))

    def _machine(self, ask: _Ask) -> Reply:
        wanted, bare = self._known(ask), ask.parts[-1].lower() == "instanceview"
        identity = canonical("/".join(["", *ask.parts[: 8 if bare else None]]))
        self._need(f"{_VM}/instanceView/read" if bare else f"{_VM}/read", identity)
        model = _by_id(self.estate.resources_of(_VM.lower(), wanted), identity)
        status = _by_id(self.estate.side("arm_vm_status", wanted), identity)
        if model is None and status is None:
            raise _Refused(_not_found("virtualMachines", ask))
        view = _inner(status or {}).get("instanceView", {"statuses": []})
        found = _as_arm(model or status or {}, _VM)
        if bare or ask.query.get("$expand", "").lower() == "instanceview":
            self._answering("arm_vm_status", wanted)
            found["properties"] = {**_inner(found), "instanceView": view}
        return Reply(body=view if bare else found)

    def _collections(self, ask: _Ask) -> Reply:
        wanted = self._known(ask)
        self._answering("arm_restore_points", wanted)
        found = {canonical(leading_id(row)): _collection(row, points=False) for row in self._all_collections(wanted)}
        return self._paged(ask, self._readable(list(found.values()), _COLLECTION, subscription=wanted))

    def _collection(self, ask: _Ask) -> Reply:
        wanted, points = self._known(ask), ask.query.get("$expand", "").lower() == "restorepoints"
        identity = canonical(ask.path)
        self._need(f"{_COLLECTION}/read", identity)
        if points:
            self._need(f"{_COLLECTION}/restorePoints/read", identity)
            self._answering("arm_restore_points", wanted)
        row = _by_id(self._all_collections(wanted), identity)
        if row is None:
            raise _Refused(_not_found("restorePointCollections", ask))
        return Reply(body=_collection(row, points=points))

    def _all_collections(self, wanted: str) -> list[Row]:
        """Those with their restore points first, then what the resources table knows beside them."""
        points = self.estate.side("arm_restore_points", wanted)
        known = {canonical(leading_id(row)) for row in points}
        rows = self.estate.resources_of(_COLLECTION.lower(), wanted)
        return [*points, *(row for row in rows if canonical(leading_id(row)) not in known)]

    def _known(self, ask: _Ask) -> str:
        """The subscription of a path as the estate spells it."""
        wanted = ask.parts[1]
        for one in self.estate.subscriptions:
            if one.id.lower() == wanted.lower():
                return one.id
        raise _Refused(error(404, "SubscriptionNotFound", f"The subscription '{wanted}' could not be found."))

    def _need(self, action: str, scope: str) -> None:
        if not self.roles.may(action, scope):
            raise _Refused(_denied(action, scope))

    def _readable(self, rows: Sequence[JsonObject], kind: str, *, subscription: str) -> Sequence[JsonObject]:
        """Those of a list at a subscription that may be read; a refusal where nothing of it may."""
        scope = f"/subscriptions/{subscription}"
        if self.roles.may(f"{kind}/read", scope):
            return rows
        found = [row for row in rows if self.roles.may_read(leading_id(row), kind)]
        if not found:
            raise _Refused(_denied(f"{kind}/read", scope))
        return found

    def _answering(self, table: str, subscription: str) -> None:
        """Play the refusal that the snapshot recorded, if any."""
        gap = self.estate.side_gap(table, subscription)
        if gap is not None:
            status, code = gap
            raise _Refused(error(status, code, f"The snapshot recorded that {table} of {subscription} was not answered."))

    def _paged(self, ask: _Ask, items: Sequence[Row]) -> Reply:
        token = ask.query.get("$skiptoken", "0")
        if not (token.isascii() and token.isdigit() and int(token) <= len(items)):
            raise _Refused(error(400, "InvalidSkipToken", "The provided skip token is invalid."))
        start, end = int(token), int(token) + self.page
        body: JsonObject = {"value": list(items[start:end])}
        if end < len(items):
            query = {**ask.query, "$skiptoken": str(end)}
            body["nextLink"] = f"{self.endpoint}{ask.path}?" + "&".join(f"{name}={quote(one)}" for name, one in query.items())
        return Reply(body=body)


def _check(method: str, kind: str, *, version: str) -> None:
    if method != "GET":
        raise _Refused(error(405, "MethodNotAllowed", f"The requested resource does not support http method '{method}'."))
    if not version:
        text = "The api-version query parameter (?api-version=) is required for all requests."
        raise _Refused(error(400, "MissingApiVersionParameter", text))
    if version not in VERSIONS[kind]:
        text = f"The api-version '{version}' is invalid. The supported versions are '{','.join(VERSIONS[kind])}'."
        raise _Refused(error(400, "InvalidApiVersionParameter", text))


def _denied(action: str, scope: str) -> Reply:
    text = (
        f"The client 'emulated' with object id 'emulated' does not have authorization to perform action '{action}' over scope "
        f"'{scope}' or the scope is invalid. If access was recently granted, please refresh your credentials."
    )
    return error(403, "AuthorizationFailed", text)


def _not_found(kind: str, ask: _Ask) -> Reply:
    text = f"The Resource 'Microsoft.Compute/{kind}/{ask.parts[7]}' under resource group '{ask.parts[3]}' was not found."
    return error(404, "ResourceNotFound", text)


def _by_id(rows: Sequence[Row], identity: str) -> Row | None:
    return next((row for row in rows if canonical(leading_id(row)) == identity), None)


def _inner(row: Row) -> JsonObject:
    found = row.get("properties")
    return found if isinstance(found, dict) else {}


def _status_only(row: Row) -> JsonObject:
    """A virtual machine of a list that was asked with statusOnly=true: no tags, no profiles (Azure/azure-sdk-for-go#18565)."""
    return {name: row[name] for name in ("id", "name", "type", "location", "properties") if name in row}


def _as_arm(row: Row, kind: str) -> JsonObject:
    """A row of the table `resources` as its provider returns the object: no columns of the graph, no instance view."""
    found = {name: row[name] for name in ("id", "name", "location", "tags", "zones", "sku") if row.get(name) is not None}
    hidden = ("extended", "instanceView")
    return {**found, "type": kind, "properties": {name: one for name, one in _inner(row).items() if name not in hidden}}


def _collection(row: Row, *, points: bool) -> JsonObject:
    """A restore point collection, with its points only where they were asked for."""
    found = _as_arm(row, _COLLECTION)
    inner = {name: one for name, one in found["properties"].items() if points or name != "restorePoints"}
    return {**found, "properties": {"restorePoints": list[Json](), **inner} if points else inner}
