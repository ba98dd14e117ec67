"""Resource Graph's quota in virtual time: how long a scan takes against its ideal, and how often it is refused.

    python -m benchmarks.pacing

An event-driven simulation without threads or sleeps. The server grants 15 queries in 5 s, as fixed windows or as a sliding
log, and tells what is left with the reset in whole seconds; a request arrives 0.1 to 0.3 s after it was sent and its reply
is there 0.3 to 0.8 s after. The ideal of N requests is (ceil(N / 15) - 1) * 5 s and the reply to the last of them.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
import statistics
from dataclasses import dataclass, field
from typing import Literal, Protocol

from scanner.sources.azure.pace import Pace
from scanner.sources.azure.wire import Reply

QUOTA, PERIOD = 15, 5.0
FASTEST, SLOWEST = 0.3, 0.8
"""Seconds from a request to its reply."""

ServerKind = Literal["fixed", "sliding"]


class Server(Protocol):
    """Grants `quota` requests in each 5 s."""

    def ask(self, now: float) -> Reply:
        """The reply to a request that arrives at `now`."""
        ...


def _reply(status: int, remaining: int, resets: float) -> Reply:
    headers = {"x-ms-user-quota-remaining": str(remaining), "x-ms-user-quota-resets-after": f"00:00:0{int(resets)}"}
    return Reply(status=status, headers=headers)


@dataclass(slots=True, kw_only=True)
class FixedWindows:
    """The count starts again every 5 s, `offset` seconds after the clock's zero."""

    quota: int = QUOTA
    offset: float = 0.0
    window: int = -1
    used: int = 0

    def ask(self, now: float) -> Reply:
        """The reply to a request that arrives at `now`; a refused one does not count."""
        window, age = divmod(now + self.offset, PERIOD)
        if window != self.window:
            self.window, self.used = int(window), 0
        granted = self.used < self.quota
        self.used += granted
        return _reply(200 if granted else 429, self.quota - self.used, PERIOD - age)


@dataclass(slots=True, kw_only=True)
class SlidingLog:
    """At most the quota in any 5 s."""

    quota: int = QUOTA
    log: list[float] = field(default_factory=list)

    def ask(self, now: float) -> Reply:
        """The reply to a request that arrives at `now`; a refused one does not count."""
        self.log = [at for at in self.log if at > now - PERIOD]
        granted = len(self.log) < self.quota
        if granted:
            self.log.append(now)
        return _reply(200 if granted else 429, self.quota - len(self.log), self.log[0] + PERIOD - now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One simulated scan: how long it took, how long its slowest reply took, and when requests were refused, in seconds."""

    wall: float
    slowest: float
    refused: tuple[float, ...]

    def ratio(self, requests: int, *, quota: int = QUOTA) -> float:
        """The wall time as a multiple of the ideal."""
        return self.wall / ((math.ceil(requests / quota) - 1) * PERIOD + self.slowest)


@dataclass(slots=True, kw_only=True)
class Simulation:
    """`requests` requests, up to `in_flight` at once, each sent again when refused, beside a neighbour (queries a second).

    `start` is the time on the clock of `pace` and `server` when it begins, which matters where they are used again.
    """

    server: Server
    random: random.Random
    requests: int
    in_flight: int = 16
    neighbour: float = 0.0
    start: float = 0.0
    pace: Pace = field(default_factory=Pace)
    _events: list[tuple[float, int, str, float, Reply | None]] = field(default_factory=list)
    _order: itertools.count[int] = field(default_factory=itertools.count)
    _refused: list[float] = field(default_factory=list)
    _slowest: float = 0.0
    _look: float = 0.0

    def run(self) -> Outcome:
        """Play it to its end."""
        to_send, done, flying, now = self.requests, 0, 0, self.start
        if self.neighbour:
            self._at(now + self.random.random() / self.neighbour, "neighbour")
        self._at(now, "look")
        while done < self.requests:
            now, _, what, sent, reply = heapq.heappop(self._events)
            if what == "arrives":
                self._at(sent + self._trip(now - sent), "reply", sent, self.server.ask(now))
            elif what == "neighbour":
                self.server.ask(now)
                self._at(now + self.random.expovariate(self.neighbour), "neighbour")
            elif reply is not None:
                self.pace.replied(reply, sent=sent, now=now)
                flying -= 1
                refused = reply.status == 429
                self._refused += [now] * refused
                to_send, done = to_send + refused, done + (not refused)
            while to_send and flying < self.in_flight and not (wait := self.pace.wait(now, 0)):
                self.pace.sent(now)
                self._at(now + self.random.uniform(0.1, 0.3), "arrives", now)
                to_send, flying = to_send - 1, flying + 1
            if to_send and flying < self.in_flight and not now < self._look <= now + wait + 1e-6:
                self._look = now + max(wait, 1e-6)
                self._at(self._look, "look")
        return Outcome(wall=now - self.start, slowest=self._slowest, refused=tuple(self._refused))

    def _trip(self, there: float) -> float:
        trip = max(there, self.random.uniform(FASTEST, SLOWEST))
        self._slowest = max(self._slowest, trip)
        return trip

    def _at(self, time: float, what: str, sent: float = 0.0, reply: Reply | None = None) -> None:
        heapq.heappush(self._events, (time, next(self._order), what, sent, reply))


def chance(seed: int) -> random.Random:
    """Randomness that is the same in every run."""
    return random.Random(seed)


def simulate(kind: ServerKind, requests: int, *, seed: int, neighbour: float = 0.0, in_flight: int = 16) -> Outcome:
    """One scan of `requests` requests; equal seeds give equal outcomes."""
    luck = chance(seed)
    server: Server = FixedWindows(offset=luck.random() * PERIOD) if kind == "fixed" else SlidingLog()
    scan = Simulation(server=server, random=luck, requests=requests, in_flight=in_flight, neighbour=neighbour)
    return scan.run()


def _line(kind: ServerKind, requests: int, neighbour: float) -> str:
    runs = [simulate(kind, requests, seed=seed, neighbour=neighbour) for seed in range(30)]
    ratios = [run.ratio(requests) for run in runs]
    refused = [len(run.refused) for run in runs]
    return (
        f"{kind:8} {neighbour:9.1f} {requests:8} {statistics.median(ratios):8.3f} {max(ratios):8.3f}"
        f" {statistics.median(refused):8.0f} {max(refused):8}"
    )


def main() -> None:
    """Print the table: ratio to the ideal and number of 429s, median and worst of 30 seeds."""
    print("server   neighbour requests    ratio    worst      429s    worst")
    for neighbour in (0.0, 0.5):
        for kind in ("fixed", "sliding"):
            for requests in (60, 300, 3000):
                print(_line(kind, requests, neighbour), flush=True)


if __name__ == "__main__":
    main()
