"""Fault scripts as data: which requests get something else than the correct answer, and what.

    Fault     route, text and numbers of the requests, and one action:
      Reply     an answer instead of the correct one, whatever it is
      Patch     the correct answer, changed
      Headers   the correct answer with more headers
      Wire      trouble below HTTP, or in its framing

`faults` reads them from a file, `misbehave` plays them.
"""

from __future__ import annotations

import threading
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from scanner.emulator.exchange import Reply, Seen
from scanner.model import Json

RouteName = Literal[
    "*",
    "graph",
    "subscriptions",
    "descendants",
    "permissions",
    "locks",
    "vm_status",
    "instance_view",
    "restore_point_collections",
    "restore_points",
    "other",
]
WireKind = Literal["reset", "stall", "slow", "short_body", "cut_chunk", "cut_gzip", "bad_crc", "gzip_bomb", "delay"]
Where = Literal["request", "headers", "body"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """Changes to the JSON of the correct answer, in the order of the fields.

    `swap` replaces bytes of it, once each, which makes what no JSON writer would (NaN, halves of surrogates).
    `empty` keeps back the rows of a page that has a next one: the page is empty, and a token of its own leads to them, so that
    on every page it makes an endless answer. `repeat_token` lets the token of a page lead to that page once more.
    """

    empty: bool = False
    repeat_token: bool = False
    repeat_row: int | None = None
    drop_row: int | None = None
    table: bool = False
    add: Mapping[str, int] = field(default_factory=dict)
    merge: Mapping[str, Json] = field(default_factory=dict)
    delete: Sequence[str] = ()
    swap: Sequence[tuple[bytes, bytes]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Headers:
    """Headers that are added to the correct answer; an empty value takes one away."""

    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """Trouble with the connection.

    reset       RST after `where`: the request was read, the headers were sent, or half of the body was
    stall       silence after `where`, until the client or the emulator goes
    slow        one byte each `seconds`, from the first header on (`where` "headers") or in the body
    short_body  the length that is announced is never reached
    cut_chunk   chunked, without the last chunk
    cut_gzip    a gzip body that ends half-way
    bad_crc     a gzip body whose checksum is wrong
    gzip_bomb   a gzip body that unpacks to `size` bytes of blanks, a thousandth of that on the wire
    delay       the correct answer, `seconds` late
    """

    kind: WireKind
    where: Where = "request"
    seconds: float = 1.0
    size: int = 10 * 1024**3


Action: TypeAlias = Reply | Patch | Headers | Wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One line of a script. It concerns requests of `route` ("*" for any) that hold `contains` in path, query or body.

    The body of a graph request also names subscriptions and page size: `"$top":1000`. Case does not matter.
    `numbers` are which of those requests, counted from 1; None for all of them.
    """

    route: RouteName = "*"
    contains: str = ""
    numbers: Container[int] | None = None
    action: Action

    def concerns(self, seen: Seen) -> bool:
        """Whether a request is one of those that are counted."""
        texts = (seen.path, seen.query, seen.body.decode(errors="replace"))
        return self.route in ("*", seen.route) and any(self.contains.lower() in text.lower() for text in texts)


class Script:
    """Faults with their counts; safe to use from several threads."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self.faults = tuple(faults)
        self._counts = [0] * len(self.faults)
        self._lock = threading.Lock()

    def pick(self, seen: Seen) -> Fault | None:
        """The first fault that is due for a request. Every fault counts every request that concerns it."""
        due: Fault | None = None
        with self._lock:
            for index, fault in enumerate(self.faults):
                if fault.concerns(seen):
                    self._counts[index] += 1
                    if due is None and (fault.numbers is None or self._counts[index] in fault.numbers):
                        due = fault
        return due


def redirect(address: str, status: int = 307) -> Reply:
    """A redirect to another address."""
    return Reply(status=status, headers={"Location": address})


def claims_challenge(claims: str) -> Reply:
    """A refusal that asks for a token with more claims, as continuous access evaluation does; `claims` is base64 text.

    Source: learn.microsoft.com/entra/identity-platform/app-resilience-continuous-access-evaluation.
    """
    challenge = (
        'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", '
        f'error="insufficient_claims", claims="{claims}"'
    )
    body = {"error": {"code": "InvalidAuthenticationToken", "message": "The access token has been revoked."}}
    return Reply(status=401, headers={"WWW-Authenticate": challenge}, body=body)
