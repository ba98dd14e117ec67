"""Reads many parts at once: a few threads for each of Azure's two front doors, whose pacing lies in the calls.

The threads are daemons: an interrupted collection waits for nobody, and a late reader finds the work sealed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Literal, TypeAlias

from scanner.sources.azure.progress import Progress
from scanner.sources.azure.wire import Outcome, Sink
from scanner.sources.azure.work import Late, Work

THREADS = 15
"""For each lane. A quota of 15 queries needs as many in flight: with 8 a scan of 60 requests takes a tenth longer."""
POLL = 0.1
"""Seconds between looks at `stop`; also how late Ctrl-C is noticed where a wait cannot be interrupted (Windows)."""

OpenSink: TypeAlias = Callable[[], Sink]
Lane = Literal["graph", "arm"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One question to one batch of subscriptions: what is read, finished and resumed as a whole."""

    question: str
    number: int
    lane: Lane
    subscriptions: tuple[str, ...]
    read: Callable[[OpenSink], Outcome]


def run(parts: Sequence[Part], work: Work, *, stop: Event, progress: Progress) -> None:
    """Read and finish every part that is not finished yet; returns early when `stop` is set.

    An exception in a part is a bug, or a disk that is full: it sets `stop` and is raised here.
    """
    left = [part for part in parts if work.finished(part.question, part.number) is None]
    progress.planned(total=len(parts), done=len(parts) - len(left))
    reports: SimpleQueue[BaseException | None] = SimpleQueue()
    for lane in ("graph", "arm"):
        waiting: SimpleQueue[Part] = SimpleQueue()
        mine = [part for part in left if part.lane == lane]
        for part in mine:
            waiting.put(part)
        for number in range(min(THREADS, len(mine))):
            reader = _Reader(work, waiting=waiting, reports=reports, stop=stop)
            Thread(target=reader.serve, name=f"arguard-{lane}-{number}", daemon=True).start()
    for _ in left:
        if not _reported(reports, stop):
            return
        progress.finished()


def _reported(reports: SimpleQueue[BaseException | None], stop: Event) -> bool:
    """Wait for one part to be finished; false when the collection is to stop instead."""
    while True:
        try:
            trouble = reports.get(timeout=POLL)
        except Empty:
            if stop.is_set():
                return False
            continue
        if trouble is not None:
            stop.set()
            raise trouble
        return True


@dataclass(frozen=True, slots=True)
class _Reader:
    """What one thread does."""

    work: Work
    waiting: SimpleQueue[Part]
    reports: SimpleQueue[BaseException | None]
    stop: Event

    def serve(self) -> None:
        """Read part after part until none waits."""
        while not self.stop.is_set():
            try:
                part = self.waiting.get_nowait()
            except Empty:
                return
            try:
                outcome = part.read(partial(self.work.open_sink, part.question, part.number))
                self.work.finish(part.question, part.number, outcome)
            except Late:
                return
            except BaseException as bug:  # noqa: BLE001 - handed to the thread that waits for it, which raises it
                self.reports.put(bug)
                return
            self.reports.put(None)
