"""One call: a request that is sent until it has a usable answer, within attempts, quota and time. Nothing else retries.

azure-core's own policy is switched off: it does not retry a POST on 429 without Retry-After, 408, 502 or a reset, and its
time-outs bound single reads, not an exchange (azure-core 1.41: azure/core/pipeline/policies/_retry.py).
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TypeVar

from scanner.model import Reason, Trace
from scanner.sources.azure import signals, troubles
from scanner.sources.azure.bounded import Late, bounded
from scanner.sources.azure.pacer import Buckets, Line, Pacer
from scanner.sources.azure.troubles import Trouble
from scanner.sources.azure.wire import Failed, Lost, Reply, Request, Timing, Transport

T = TypeVar("T")

_LOG = logging.getLogger("arguard.azure")
_SOCKET_SECONDS = 60.0
"""The longest wait for the next bytes of a reply."""
_LATE = Lost("timeout", "SlowAnswer")


@dataclass(slots=True, kw_only=True)
class _Run:
    """Where one call stands. `until` is when it must be over, on the clock."""

    request: Request
    began: float
    until: float
    attempts: int = 0
    status: int = 0
    request_id: str = ""
    seen: Counter[str] = field(default_factory=Counter)
    last: Trouble | None = None


class Caller:
    """Calls through one transport, for one identity. Safe to use from several threads; `tell` is called by one at a time.

    `deadline` is on the clock of `timing`; a call ends there, after `page_seconds`, or once `stop` is set, waits included.
    """

    def __init__(  # noqa: PLR0913 - everything that bounds a call, each by name
        self,
        transport: Transport,
        *,
        timing: Timing,
        pacer: Pacer,
        buckets: Buckets,
        deadline: float,
        stop: threading.Event,
        tell: Callable[[Trace], None],
        page_seconds: float = 180.0,
    ) -> None:
        self._transport = transport
        self._timing = timing
        self._pacer = pacer
        self._buckets = buckets
        self._deadline = deadline
        self._stop = stop
        self._tell = tell
        self._page_seconds = page_seconds
        self._lock = threading.Lock()
        self._server_time: datetime | None = None
        self._quota_left: int | None = None

    @property
    def server_time(self) -> datetime | None:
        """What the server's clock said in the first answer (status 200) that told."""
        return self._server_time

    @property
    def quota_left(self) -> int | None:
        """How many queries the latest reply of Resource Graph left."""
        return self._quota_left

    def call(self, request: Request, read: Callable[[Reply], T]) -> T:
        """What `read` makes of a reply with status 200. Raises Failed; `read` runs in another thread and may raise it, too."""
        began = self._timing.clock()
        run = _Run(request=request, began=began, until=min(began + self._page_seconds, self._deadline))
        try:
            while True:
                try:
                    return self._attempt(run, read)
                except Trouble as trouble:
                    self._recover(run, trouble)
        finally:
            self._tell_of(run)

    def _attempt(self, run: _Run, read: Callable[[Reply], T]) -> T:
        reply = self._exchange(run)
        if reply.status != 200:
            raise troubles.of_reply(reply)
        try:
            return bounded(partial(read, reply), self._seconds(run), given_up=self._stop.is_set)
        except Failed:
            raise
        except Late:
            raise troubles.of_lost(_LATE) from None
        except Exception as error:
            raise troubles.of_reader(error) from error

    def _exchange(self, run: _Run) -> Reply:
        """One request, sent when its turn comes."""
        line, sent = self._admitted(run)
        run.attempts, run.status = run.attempts + 1, 0
        seconds = self._seconds(run)
        send = partial(self._transport.send, run.request, seconds=min(seconds, _SOCKET_SECONDS))
        reply: Reply | None = None
        outcome = "interrupted"
        try:
            reply = bounded(send, seconds, given_up=self._stop.is_set)
            outcome = str(reply.status)
            self._note(run, reply)
        except Exception as error:
            trouble = _of_send(error)
            outcome = trouble.failed.text
            raise trouble from error
        finally:
            line.settle(sent, reply)
            self._log(run, outcome, sent)
        return reply

    def _admitted(self, run: _Run) -> tuple[Line, float]:
        """The line that pays, and when it let the request go."""
        self._check(run)
        request = run.request
        line = self._pacer if request.route == "graph" else self._buckets.line(request.subscription, request.provider)
        sent = line.acquire(until=run.until, stopped=self._stop.is_set)
        if sent is None:
            self._check(run)
            if run.last is not None:
                raise run.last.failed
            if run.until >= self._deadline:
                raise Failed(Reason.TIMEOUT, "DeadlineExceeded")
            raise Failed(Reason.THROTTLED, "NoQuota")
        return line, sent

    def _recover(self, run: _Run, trouble: Trouble) -> None:
        """Wait for the next attempt, or raise why there is none."""
        self._check(run)
        run.last = trouble
        run.seen[trouble.kind] += 1
        if run.attempts >= troubles.MOST_ATTEMPTS or run.seen[trouble.kind] >= trouble.tries:
            raise trouble.failed from trouble
        if trouble.kind == "token":
            self._transport.forget_token()
        backoff = min(60.0, 1.6 * 2 ** (run.attempts - 1)) * self._timing.random()
        wait = backoff if trouble.wait is None else trouble.wait
        if self._timing.clock() + wait >= run.until:
            raise trouble.failed from trouble
        self._timing.sleep(wait)

    def _check(self, run: _Run) -> None:
        if self._stop.is_set():
            raise Failed(Reason.FAILED, "Interrupted", status=run.status)
        if self._timing.clock() >= self._deadline:
            raise Failed(Reason.TIMEOUT, "DeadlineExceeded", status=run.status)

    def _seconds(self, run: _Run) -> float:
        """For one step: half of a page's time at most, so that one stalled connection leaves room for another try."""
        return max(0.0, min(self._page_seconds / 2, run.until - self._timing.clock()))

    def _note(self, run: _Run, reply: Reply) -> None:
        run.status, run.request_id = reply.status, signals.request_id(reply)
        with self._lock:
            if reply.status == 200:  # any other may come from a gateway, whose clock nobody looks after
                self._server_time = self._server_time or signals.date(reply)
            remaining = signals.quota_remaining(reply)
            self._quota_left = self._quota_left if remaining is None else remaining

    def _log(self, run: _Run, outcome: str, sent: float) -> None:
        """Never a token, a body or a query; the URL of a page holds the query's skip token."""
        ms = round((self._timing.clock() - sent) * 1000)
        request = run.request
        _LOG.info("%s %s %d: %s, %d ms, %s", request.method, request.route, run.attempts, outcome, ms, run.request_id or "-")

    def _tell_of(self, run: _Run) -> None:
        trace = Trace(
            method=run.request.method,
            route=run.request.route,
            attempts=run.attempts,
            status=run.status,
            request_id=run.request_id,
            ms=round((self._timing.clock() - run.began) * 1000),
        )
        with self._lock:
            self._tell(trace)


def _of_send(error: Exception) -> Trouble:
    if isinstance(error, Lost):
        return troubles.of_lost(error)
    return troubles.of_lost(_LATE) if isinstance(error, Late) else troubles.of_error(error)
