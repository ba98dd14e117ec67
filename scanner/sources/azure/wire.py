"""What passes between the parts of the Azure source: requests, replies and the ways they fail. Plain data, no SDK.

Texts of failures become texts of gaps: an HTTP status with an error code ("403 AuthorizationFailed"), one word in
CamelCase ("CountMismatch"), or an action ("Microsoft.Compute/disks/read"); never the service's prose.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Literal, Protocol, TypeVar

from scanner.model import Gap, Reason

T = TypeVar("T")

Route = Literal[
    "graph",
    "subscriptions",
    "descendants",
    "permissions",
    "locks",
    "vm_status",
    "instance_view",
    "restore_point_collections",
    "restore_points",
]
"""The kinds of requests that are ever made; traces, the emulator's counts and its fault scripts name them so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request. `url` is a path with its query below the endpoint, or a nextLink, which must be on the endpoint's host.

    `subscription` and `provider` (lower case) name the ARM token bucket that pays; both are empty for the route "graph".
    """

    route: Route
    method: Literal["GET", "POST"] = "GET"
    url: str
    body: bytes = b""
    subscription: str = ""
    provider: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back: the status, the headers by lower-case name, the whole body, decompressed."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


LostKind = Literal["dns", "tls", "proxy", "connect", "reset", "cut", "timeout", "size", "credential", "host"]
"""`cut`: the body ended early or does not decompress. `size`: more bytes than any answer may have. `host`: a link elsewhere."""


class Lost(Exception):
    """No reply: what stood in the way. `text` is one CamelCase word or code, such as "NameNotResolved"."""

    def __init__(self, kind: LostKind, text: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind = kind
        self.text = text


class Unusable(Exception):
    """Raised by a reader for a reply with status 200 that cannot be used; `tries` is how often it is worth asking in all."""

    def __init__(self, text: str, *, tries: int = 3, reason: Reason = Reason.BAD_ANSWER) -> None:
        super().__init__(text)
        self.text = text
        self.tries = tries
        self.reason = reason


class Failed(Exception):
    """A call that got no usable answer after all its attempts: the reason and text of a gap.

    `status` is the last HTTP status (0 where there was no reply) and `codes` the error codes of its body, outermost first.
    """

    def __init__(self, reason: Reason, text: str, *, status: int = 0, codes: Sequence[str] = ()) -> None:
        super().__init__(f"{reason}: {text}")
        self.reason = reason
        self.text = text
        self.status = status
        self.codes = tuple(codes)


class Transport(Protocol):
    """Sends one request once; no retries, no redirects, no decoding beyond decompression."""

    def send(self, request: Request, *, seconds: float) -> Reply:
        """The reply, whatever its status. `seconds` bounds each wait on the socket, not the whole exchange. Raises Lost."""
        ...

    def forget_token(self) -> None:
        """Drop a cached token, so that the next request asks the credential for a new one."""
        ...


class Calls(Protocol):
    """Calls that are retried, paced and bounded in time. Safe to use from several threads."""

    def call(self, request: Request, read: Callable[[Reply], T]) -> T:
        """What `read` makes of a reply with status 200; `read` may raise Unusable. Raises Failed."""
        ...


class Sink(Protocol):
    """Where the rows of one reading go; nothing counts before the reading as a whole is declared finished elsewhere."""

    def add(self, rows: Sequence[tuple[str, bytes]]) -> int:
        """Keep rows as (key, line of JSON that ends in a newline); how many of the keys were new to this sink."""
        ...

    def drop(self) -> None:
        """Forget every row of this sink."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a reading proved: the subscriptions (lower case) that answered in full, and why the others did not.

    `gaps` name no table: whoever asked knows it. `pages` and `rows` are what was read, for progress.
    """

    answered: frozenset[str]
    gaps: tuple[Gap, ...] = ()
    pages: int = 0
    rows: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """The clock (monotonic seconds), the sleep and the randomness (0 <= x < 1) of everything that waits."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    random: Callable[[], float] = field(default=random.random)


def real_timing(stop: Event) -> Timing:
    """The real clock; sleeps end at once when `stop` is set."""
    return Timing(sleep=stop.wait)
