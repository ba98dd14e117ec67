"""A blocking call that cannot outlive its time: it runs in a thread of its own, which is left behind when it is late.

Time-outs of sockets bound one read each, so a server that sends a byte a second never trips them; nothing outside a thread
can end such a read. A late thread keeps its socket until the process ends, which it never delays. Threads that are done
wait for the next call: a new one for each would cost four times as much.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

T = TypeVar("T")

_LOOK = 0.1
"""Seconds between two looks at `given_up`: how long an interrupted scan may stay deaf."""


class Late(TimeoutError):
    """The function was not done in time, or nobody wants its result any more."""


class _Work(Generic[T]):
    """One run of a function: its result or what it raised, once `done` is set."""

    def __init__(self, function: Callable[[], T]) -> None:
        self.function = function
        self.done = threading.Event()
        self.error: BaseException | None = None
        self.result: T

    def run(self) -> None:
        try:
            self.result = self.function()
        except BaseException as error:  # noqa: BLE001 - whatever it is, the caller gets it
            self.error = error
        finally:
            self.done.set()


_Todo = SimpleQueue[_Work[Any]]
_IDLE: deque[_Todo] = deque()
"""One queue per thread that has nothing to do."""


def bounded(function: Callable[[], T], seconds: float, *, given_up: Callable[[], bool] = lambda: False) -> T:
    """What `function` returns or raises, within `seconds` of real time.

    Raises Late, a TimeoutError, when the time is up or `given_up()` turns true; the thread then runs on, unheard.
    """
    work = _Work(function)
    end = time.monotonic() + seconds
    _idle().put(work)
    while not work.done.wait(max(0.0, min(_LOOK, end - time.monotonic()))):
        if given_up() or time.monotonic() >= end:
            raise Late
    if work.error is not None:
        try:
            raise work.error
        finally:
            # The error holds this frame, and the frame would hold the error, with the reply it was about.
            del work
    return work.result


def _idle() -> _Todo:
    try:
        return _IDLE.pop()
    except IndexError:
        todo: _Todo = SimpleQueue()
        threading.Thread(target=_serve, args=(todo,), name="arguard-bounded", daemon=True).start()
        return todo


def _serve(todo: _Todo) -> None:
    while True:
        todo.get().run()
        _IDLE.append(todo)
