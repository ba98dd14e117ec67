"""An Azure in memory, as the calls of the Azure source see it: it answers, counts, and can refuse or misbehave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock
from typing import TypeVar

import orjson

from scanner.kql.text import digest
from scanner.model import Json, Reason
from scanner.policy import Query
from scanner.sources import Questions
from scanner.sources.azure.collect import Order
from scanner.sources.azure.scope import Wanted
from scanner.sources.azure.wire import Failed, Reply, Request

T = TypeVar("T")
JsonObject = dict[str, Json]

NOW = datetime(2026, 11, 20, 6, tzinfo=UTC)
META = {"scope": ["s1", "s2", "s3"], "tool": "test"}
DISK = "microsoft.compute/disks"
DISKS = f"resources | where type =~ '{DISK}' | project id, name"
GROUPS = "resourcecontainers | where type =~ 'microsoft.resources/subscriptions/resourcegroups' | project id"
READER: JsonObject = {"actions": ["*/read"], "notActions": []}


def disk(subscription: str, name: str) -> JsonObject:
    path = f"/subscriptions/{subscription}/resourceGroups/rg/providers/Microsoft.Compute/disks/{name}"
    return {"id": path, "name": name, "type": DISK, "subscriptionId": subscription}


def lock(subscription: str, name: str = "keep") -> JsonObject:
    path = f"/subscriptions/{subscription}/providers/Microsoft.Authorization/locks/{name}"
    return {"id": path, "name": name, "properties": {"level": "ReadOnly"}}


def query(kql: str = DISKS, **more: Json) -> Query:
    types = {"resources": frozenset({DISK})}
    fixed: JsonObject = {"name": "disks", "file": "q.kql", "line": 1, "column": 1, "key": ("id",), "tables": types}
    return Query(kql=kql, digest=digest(kql), **{**fixed, **more})


def order(*queries: Query, wanted: Wanted | None = None, sides: tuple[str, ...] = ("arm_locks",), **more: Json) -> Order:
    questions = Questions(queries=queries or (query(),), sides=sides)
    return Order(questions=questions, wanted=wanted or Wanted(subscriptions=("S1", "s2", "s3")), **more)


def denied(text: str = "403 AuthorizationFailed") -> Failed:
    return Failed(Reason.DENIED, text, status=403, codes=(text.rpartition(" ")[2],))


@dataclass(kw_only=True)
class MemoryAzure:
    """`rows` are the rows of each subscription, whatever the query; `refused` fails requests by route and subscription.

    `interrupt` is called with the number of each request, before it is answered.
    """

    rows: Mapping[str, list[JsonObject]] = field(default_factory=lambda: {one: [disk(one, "d1")] for one in ("s1", "s2", "s3")})
    visible: Mapping[str, str] = field(default_factory=lambda: dict.fromkeys(("s1", "s2", "s3"), "Enabled"))
    groups: Mapping[str, list[str]] = field(default_factory=dict)
    permissions: Mapping[str, list[JsonObject]] = field(default_factory=dict)
    refused: Mapping[tuple[str, str], Failed] = field(default_factory=dict)
    page_size: int = 1000
    server_time: datetime | None = NOW
    before: Callable[[int], object] = int
    asked: Counter[str] = field(default_factory=Counter)
    bodies: list[JsonObject] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def call(self, request: Request, read: Callable[[Reply], T]) -> T:
        with self._lock:
            self.asked[request.route] += 1
            number = self.asked.total()
        self.before(number)
        body = self._graph(orjson.loads(request.body)) if request.route == "graph" else self._arm(request)
        return read(Reply(status=200, headers={}, body=orjson.dumps(body)))

    def _graph(self, body: JsonObject) -> JsonObject:
        self.bodies.append(body)
        groups = body.get("managementGroups", [])
        names = body.get("subscriptions") or [one for group in groups for one in self.groups[group]]
        what = "canary" if "microsoft.resources/subscriptions'" in body["query"] else "graph"
        for name in names:
            self._refuse(what, name)
        if what == "canary":
            rows = [self._subscription(name) for name in names if name in self.visible]
        else:
            rows = [row for name in names for row in self.rows.get(name, [])]
        start = int(body["options"].get("$skipToken", "0"))
        end = start + self.page_size
        more = {"$skipToken": str(end)} if end < len(rows) else {}
        page = rows[start:end]
        return {"count": len(page), "data": page, "totalRecords": len(rows), "resultTruncated": "false", **more}

    def _subscription(self, name: str) -> JsonObject:
        return {"id": f"/subscriptions/{name}", "subscriptionId": name, "name": f"n-{name}", "state": self.visible[name]}

    def _arm(self, request: Request) -> JsonObject:
        self._refuse(request.route, request.subscription)
        if request.route == "subscriptions":
            listed = [{"subscriptionId": one, "displayName": f"n-{one}", "state": state} for one, state in self.visible.items()]
            return {"value": listed}
        if request.route == "descendants":
            group = request.url.split("/")[4]
            return {"value": [{"type": "/subscriptions", "name": one} for one in self.groups[group]]}
        if request.route == "permissions":
            return {"value": self.permissions.get(request.subscription, [READER])}
        return {"value": [lock(request.subscription)]}

    def _refuse(self, what: str, subscription: str) -> None:
        failed = self.refused.get((what, subscription))
        if failed is not None:
            raise failed
