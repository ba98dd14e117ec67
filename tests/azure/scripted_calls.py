"""A caller over a scripted transport in virtual time."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Iterable

import pytest

from scanner.model import Trace
from scanner.sources.azure.calls import Caller
from scanner.sources.azure.pacer import Buckets, Pacer
from scanner.sources.azure.wire import Failed, Reply, Request, Timing, Transport

GRAPH = Request(route="graph", method="POST", url="/providers/Microsoft.ResourceGraph/resources", body=b'{"query": "secret"}')
LOCKS = Request(route="locks", url="/subscriptions/s1/locks", subscription="s1", provider="microsoft.authorization")
Step = Reply | Exception


class Clock:
    """Virtual time; a nap moves it on."""

    def __init__(self) -> None:
        self.now = 100.0
        self.naps: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds


class Script:
    """A transport that plays its steps, the last of them for ever; each takes `seconds` of virtual time."""

    def __init__(self, clock: Clock, steps: Iterable[Step], *, seconds: float = 0.25) -> None:
        self.clock = clock
        self.steps = itertools.chain(steps)
        self.seconds = seconds
        self.sent: list[tuple[Request, float]] = []
        self.forgotten = 0
        self.step: Step = Reply(status=200, headers={})

    def send(self, request: Request, *, seconds: float) -> Reply:
        self.sent.append((request, seconds))
        self.clock.now += self.seconds
        self.step = next(self.steps, self.step)
        if isinstance(self.step, Exception):
            raise self.step
        return self.step

    def forget_token(self) -> None:
        self.forgotten += 1


class World:
    """A caller over a script, and all that can be seen of it."""

    def __init__(self, *steps: Step, seconds: float = 0.25, deadline: float = 10_000.0, page_seconds: float = 180.0) -> None:
        self.clock = Clock()
        self.script = Script(self.clock, steps, seconds=seconds)
        self.stop = threading.Event()
        self.traces: list[Trace] = []
        self.caller = self.over(self.script, deadline=deadline, page_seconds=page_seconds)

    def over(self, transport: Transport, *, deadline: float = 10_000.0, page_seconds: float = 180.0) -> Caller:
        timing = Timing(clock=lambda: self.clock.now, sleep=self.clock.sleep, random=lambda: 0.5)
        self.pacer = Pacer(timing=timing)
        self.buckets = Buckets(timing=timing)
        return Caller(
            transport,
            timing=timing,
            pacer=self.pacer,
            buckets=self.buckets,
            deadline=deadline,
            stop=self.stop,
            tell=self.traces.append,
            page_seconds=page_seconds,
        )

    def call(self, request: Request = LOCKS, read: Callable[[Reply], bytes] = lambda reply: reply.body) -> bytes:
        return self.caller.call(request, read)

    def fails(self, request: Request = LOCKS, read: Callable[[Reply], bytes] = lambda reply: reply.body) -> Failed:
        with pytest.raises(Failed) as raised:
            self.caller.call(request, read)
        return raised.value

    @property
    def attempts(self) -> int:
        return len(self.script.sent)


def reply(status: int = 200, body: bytes = b"rows", **headers: str) -> Reply:
    return Reply(status=status, headers={name.replace("_", "-"): text for name, text in headers.items()}, body=body)


def error(status: int, code: str, **headers: str) -> Reply:
    return reply(status, json.dumps({"error": {"code": code, "message": "prose"}}).encode(), **headers)


OK = reply()
