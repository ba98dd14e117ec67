"""When the next request may be sent: Resource Graph's quota per user, and Resource Manager's token buckets.

Plain state; every time is an argument, in seconds of one monotonic clock. `pacer` lets threads wait for it. A 429 is never
the signal to slow down: it is what pacing avoids.
"""

from __future__ import annotations

from bisect import bisect_right

from scanner.sources.azure import signals
from scanner.sources.azure.wire import Reply

_PENALTY = 60.0
"""Seconds of half speed after a 429."""
_PATIENCE = 120.0
"""Seconds before anything that 429s took from the limit is given back."""
_MARGIN = 1.0
"""Seconds added to a reset that is told in whole seconds."""
_LOOK = 0.05
"""Seconds between two looks at whether the first request was answered."""
_MEMORY = 300.0
"""Seconds that sends are remembered: longer than any request may take."""


class Pace:
    """At most `limit` sends in any `window` seconds, corrected one way by what the replies tell of the quota.

    Documented are 15 queries in 5 s; the window is longer by how much earlier than its predecessors a request may arrive.
    One request goes first, alone, until a reply proves the sign-in and tells the quota. A reply that leaves fewer than the
    own sends explain (the identity is used elsewhere, too) holds back what exceeds it until the quota resets; a larger
    quota is used up to `maximum`. A 429 takes one from the limit and halves it for a minute.
    """

    def __init__(self, *, limit: int = 15, window: float = 5.2, maximum: int | None = None) -> None:
        self.limit = limit
        self._most = limit
        self._maximum = maximum
        self._window = window
        self._log: list[float] = []
        self._proven = self._probing = False
        self._not_before = float("-inf")
        self._left = 0
        self._left_until = float("-inf")
        self._spare = limit
        self._grows_from: float | None = None
        self._half = limit
        self._half_since = self._half_until = float("-inf")

    def wait(self, now: float, ahead: int) -> float:
        """Seconds until the request with `ahead` others before it may be sent; 0 for now."""
        limit = min(self.limit, self._half) if now < self._half_until else self.limit
        times = self._log[-limit:]
        at = max(now, self._not_before)
        for place in range(ahead + 1):
            if len(times) >= limit:
                at = max(at, times[-limit] + self._window)
            if place >= self._left and at < self._left_until:
                at = self._left_until
            times.append(at)
        blocked = not self._proven and (self._probing or ahead)
        return max(at - now, _LOOK if blocked else 0.0)

    def sent(self, now: float) -> None:
        """A request is sent."""
        del self._log[: bisect_right(self._log, now - _MEMORY)]
        self._log.append(now)
        self._left -= 1
        self._probing = not self._proven

    def replied(self, reply: Reply | None, *, sent: float, now: float) -> None:
        """What came back for the request sent at `sent`; None where nothing did."""
        self._probing = False
        if reply is None or reply.status == 401:
            return
        remaining = signals.quota_remaining(reply)
        if reply.status == 429:
            self._slow_down(reply, sent=sent, now=now)
        elif remaining is not None:
            self._correct(remaining, reply, sent=sent, now=now)
            self._learn(remaining, now)
        self._proven = True

    def _learn(self, remaining: int, now: float) -> None:
        """The first reply, to a request sent alone, tells the quota; any other that leaves n proves n + 1 at least.

        After a 429 that is too little proof, for whoever used the quota may use it again: what is given back then is what
        no reply of two minutes did without.
        """
        self._spare = min(self._spare, remaining)
        if not self._proven:
            told = remaining + 1 if self._maximum is None else min(remaining + 1, self._maximum)
            self._most = max(self._most, told)
            self.limit = max(1, told)
        elif self._grows_from is None:
            self.limit = max(self.limit, min(remaining + 1, self._most))
        elif now >= self._grows_from:
            self.limit = min(self.limit + self._spare, self._most)
            self._spare, self._grows_from = remaining, now + _PATIENCE

    def _correct(self, remaining: int, reply: Reply, *, sent: float, now: float) -> None:
        """Where fewer remain than the own sends explain, no more than these are sent until the quota resets."""
        explained = len(self._log) - bisect_right(self._log, sent - self._window)
        if remaining >= self.limit - explained:
            return
        uncounted = len(self._log) - bisect_right(self._log, sent)
        left = max(0, remaining - uncounted)
        self._left = min(self._left, left) if now < self._left_until else left
        self._left_until = max(self._left_until, now + self._reset(reply))

    def _slow_down(self, reply: Reply, *, sent: float, now: float) -> None:
        if sent >= self._half_since:
            self._half = max(1, (self._half if now < self._half_until else self.limit) // 2)
            self._half_since = now
        self._half_until = now + _PENALTY
        self.limit = max(1, self.limit - 1)
        self._spare, self._grows_from = self._most, now + _PATIENCE
        asked, resets = signals.asked(reply), signals.quota_resets(reply)
        if asked is None and resets is not None:
            asked = resets + _MARGIN
        self._not_before = max(self._not_before, now + (asked or 0.0))

    def _reset(self, reply: Reply) -> float:
        told = signals.quota_resets(reply)
        return self._window if told is None else told + _MARGIN


class TokenBucket:
    """Resource Manager's limit of reads: `burst` at once, refilled by `rate` a second.

    https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling
    """

    def __init__(self, *, burst: int = 250, rate: float = 25.0) -> None:
        self._burst = burst
        self._rate = rate
        self._tokens = float(burst)
        self._as_of = float("-inf")
        self._not_before = float("-inf")

    def wait(self, now: float, ahead: int) -> float:
        """Seconds until the request with `ahead` others before it may be sent; 0 for now."""
        return max(0.0, self._not_before - now, (ahead + 1 - self._filled(now)) / self._rate)

    def sent(self, now: float) -> None:
        """A request is sent."""
        self._tokens, self._as_of = self._filled(now) - 1, now

    def replied(self, reply: Reply | None, *, sent: float, now: float) -> None:
        """What came back for a request: a 429 says that the bucket, which others drink from as well, is empty."""
        if reply is None or reply.status != 429 or sent < self._not_before:
            return
        self._tokens, self._as_of = 0.0, now
        self._not_before = now + (signals.asked(reply) or 0.0)

    def _filled(self, now: float) -> float:
        return min(float(self._burst), self._tokens + max(0.0, now - self._as_of) * self._rate)
