"""The quota of Azure Resource Graph: so many queries of one user in any window of seconds, told in two headers.

Source: MicrosoftDocs/azure-docs articles/governance/resource-graph/concepts/guidance-for-throttled-requests.md, normally 15
queries in 5 seconds. Whether Azure counts in fixed or sliding windows is not documented: the stricter one is played here.
"""

from __future__ import annotations

import math
import re
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

from scanner.errors import UsageError

REMAINING = "x-ms-user-quota-remaining"
RESETS = "x-ms-user-quota-resets-after"
_FORM = re.compile(r"([0-9]{1,6})/([0-9]{1,6}(?:\.[0-9]{1,3})?)s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """At most `limit` queries in any `window` seconds."""

    limit: int
    window: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "15/5s"; UsageError for anything else, and for a window of nothing."""
        found = _FORM.fullmatch(text.strip())
        if found is None or float(found[2]) == 0:
            raise UsageError(
                f"'{text}' is no quota.", hint="Write queries and seconds, such as 15/5s; 0/5s refuses every query."
            )
        return cls(limit=int(found[1]), window=float(found[2]))


class Meter:
    """Counts the queries of each token. Safe to use from several threads."""

    def __init__(self, quota: Quota | None, clock: Callable[[], float]) -> None:
        self._quota = quota
        self._clock = clock
        self._sent: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def take(self, token: str) -> tuple[bool, Mapping[str, str]]:
        """Whether one more query is allowed, and the two headers of its answer; a refused one is not counted.

        Without a quota everything is allowed and there are no headers.
        """
        quota = self._quota
        if quota is None:
            return True, {}
        with self._lock:
            now = self._clock()
            sent = self._sent.setdefault(token, deque())
            while sent and sent[0] <= now - quota.window:
                sent.popleft()
            allowed = len(sent) < quota.limit
            if allowed:
                sent.append(now)
            wait = sent[0] + quota.window - now if sent else quota.window
            return allowed, {REMAINING: str(quota.limit - len(sent)), RESETS: _clock_time(wait)}


def _clock_time(seconds: float) -> str:
    """Whole seconds, rounded up, as hh:mm:ss."""
    whole = math.ceil(seconds)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"
