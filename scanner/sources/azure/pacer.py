"""Lines in which threads wait until they may send, first come first served: the blocking side of `pace`.

A wait ends at a time that the caller gives, or when it is told to stop; every nap is the injected sleep.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from scanner.sources.azure.pace import Pace, TokenBucket
from scanner.sources.azure.wire import Reply, Timing

_LONGEST_NAP = 5.0
"""Seconds after which a waiting thread looks again: replies to others may have changed what it waits for."""
_SHORTEST_NAP = 0.001


class _State(Protocol):
    def wait(self, now: float, ahead: int) -> float: ...

    def sent(self, now: float) -> None: ...

    def replied(self, reply: Reply | None, *, sent: float, now: float) -> None: ...


class Line:
    """Threads that wait for one state. A thread may go as soon as all before it might, even if these still wake up."""

    def __init__(self, state: _State, timing: Timing) -> None:
        self._state = state
        self._timing = timing
        self._lock = threading.Lock()
        self._waiting: list[object] = []

    def acquire(self, *, until: float, stopped: Callable[[], bool]) -> float | None:
        """When the request was let go, or None: stopped, or its turn comes at `until` or later."""
        me = object()
        with self._lock:
            self._waiting.append(me)
        try:
            while not stopped():
                with self._lock:
                    now = self._timing.clock()
                    wait = self._state.wait(now, self._waiting.index(me))
                    if now + wait >= until:
                        return None
                    if wait == 0:
                        self._state.sent(now)
                        return now
                self._timing.sleep(min(max(wait, _SHORTEST_NAP), _LONGEST_NAP))
            return None
        finally:
            with self._lock:
                self._waiting.remove(me)

    def settle(self, sent: float, reply: Reply | None) -> None:
        """What came back for the request that was let go at `sent`; None where nothing did. Owed for every request."""
        with self._lock:
            self._state.replied(reply, sent=sent, now=self._timing.clock())

    @property
    def waiting(self) -> int:
        """How many threads wait."""
        return len(self._waiting)

    @property
    def next_send(self) -> float:
        """Seconds until one more request could be sent."""
        with self._lock:
            return self._state.wait(self._timing.clock(), 0)


class Pacer(Line):
    """The quota of Resource Graph: all queries of one user, over all subscriptions."""

    def __init__(
        self, *, limit: int = 15, window: float = 5.2, maximum: int | None = None, timing: Timing | None = None
    ) -> None:
        super().__init__(Pace(limit=limit, window=window, maximum=maximum), timing or Timing())


class Buckets:
    """The limits of Resource Manager: one bucket per subscription and provider, made when first asked for."""

    def __init__(self, *, burst: int = 250, rate: float = 25.0, timing: Timing | None = None) -> None:
        self._burst = burst
        self._rate = rate
        self._timing = timing or Timing()
        self._lock = threading.Lock()
        self._lines: dict[tuple[str, str], Line] = {}

    def line(self, subscription: str, provider: str) -> Line:
        """Where requests to this provider in this subscription wait; both may be empty, as for the list of subscriptions."""
        with self._lock:
            key = (subscription.lower(), provider.lower())
            if key not in self._lines:
                self._lines[key] = Line(TokenBucket(burst=self._burst, rate=self._rate), self._timing)
            return self._lines[key]

    @property
    def waiting(self) -> int:
        """How many threads wait, in all lines."""
        return sum(line.waiting for line in self._all())

    @property
    def next_send(self) -> float:
        """Seconds until the first of the lines in which threads wait moves; 0 where none waits."""
        return min((line.next_send for line in self._all() if line.waiting), default=0.0)

    def _all(self) -> list[Line]:
        with self._lock:
            return list(self._lines.values())
