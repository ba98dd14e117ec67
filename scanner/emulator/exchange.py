"""One exchange with the emulator as data: what was asked, what is answered, and error bodies as Azure writes them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import orjson

from scanner.model import Json

_SUBSCRIPTION = r"/subscriptions/[^/]+"
_RESOURCE = rf"{_SUBSCRIPTION}/resourcegroups/[^/]+/providers"
_ROUTES = {
    "graph": r"/providers/microsoft\.resourcegraph/resources",
    "descendants": r"/providers/microsoft\.management/managementgroups/[^/]+/descendants",
    "subscriptions": r"/subscriptions(?:/[^/]+)?",
    "permissions": rf"{_SUBSCRIPTION}/providers/microsoft\.authorization/permissions",
    "locks": rf"{_SUBSCRIPTION}/providers/microsoft\.authorization/locks",
    "vm_status": rf"{_SUBSCRIPTION}/providers/microsoft\.compute/virtualmachines",
    "instance_view": rf"{_RESOURCE}/microsoft\.compute/virtualmachines/[^/]+(?:/instanceview)?",
    "restore_point_collections": rf"{_SUBSCRIPTION}/providers/microsoft\.compute/restorepointcollections",
    "restore_points": rf"{_RESOURCE}/microsoft\.compute/restorepointcollections/[^/]+",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer. A `body` of bytes is sent as it is, any other as JSON; a length and the usual headers are added on the way."""

    status: int = 200
    body: bytes | Json = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        """The bytes of the body, before any compression."""
        return self.body if isinstance(self.body, bytes) else orjson.dumps(self.body)

    def adding(self, headers: Mapping[str, str]) -> Reply:
        """The same answer with more headers."""
        return replace(self, headers={**self.headers, **headers})


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One request that reached the emulator.

    `route` is the request's kind as `route_of` names it and `number` counts from 1 within it. `path` is as sent, its query
    string included; `query` is the KQL of a graph request, else "". `status` is 0 until, and unless, an answer is written.
    `at` is the emulator's clock in seconds.
    """

    route: str
    number: int
    method: str
    path: str
    query: str = ""
    body: bytes = b""
    status: int = 0
    at: float = 0.0


def route_of(path: str) -> str:
    """What a path (without its query string) asks for, in the words of `scanner.sources.azure.wire.Route`, else "other"."""
    found = path.rstrip("/").lower()
    return next((name for name, pattern in _ROUTES.items() if re.fullmatch(pattern, found)), "other")


def error(status: int, code: str, message: str, details: Sequence[Mapping[str, Json]] = ()) -> Reply:
    """A refusal as Azure writes it: `{"error": {"code", "message", "details"}}`, without `details` where there are none."""
    body: dict[str, Json] = {"code": code, "message": message}
    if details:
        body["details"] = [dict(one) for one in details]
    return Reply(status=status, body={"error": body})
