"""How far a collection is: numbers that any thread may add to and any other may look at. Nothing is shown here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Lock


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """A look at the progress. `total` and `done` count parts: one question to one batch of subscriptions each."""

    total: int = 0
    done: int = 0
    pages: int = 0
    rows: int = 0
    requests: int = 0


def _unheard(_: str) -> None:
    """Whoever wants to hear of the stages says so."""


class Progress:
    """The numbers of one collection; `on_stage` hears one line per stage, in the thread that collects."""

    def __init__(self, on_stage: Callable[[str], None] = _unheard) -> None:
        self.stage = on_stage
        self._lock = Lock()
        self._numbers = Numbers()

    def now(self) -> Numbers:
        """The numbers at this moment."""
        return self._numbers

    def planned(self, *, total: int, done: int) -> None:
        """How many parts there are, and how many of them an earlier run has finished."""
        with self._lock:
            self._numbers = replace(self._numbers, total=total, done=done)

    def finished(self) -> None:
        """One part more is finished, well or not."""
        with self._lock:
            self._numbers = replace(self._numbers, done=self._numbers.done + 1)

    def page(self, rows: int) -> None:
        """A page of rows came in."""
        with self._lock:
            self._numbers = replace(self._numbers, pages=self._numbers.pages + 1, rows=self._numbers.rows + rows)

    def request(self) -> None:
        """A request was answered or given up."""
        with self._lock:
            self._numbers = replace(self._numbers, requests=self._numbers.requests + 1)
