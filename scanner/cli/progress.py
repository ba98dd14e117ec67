"""How far a collection is: one moving line on a terminal, one plain line for each stage elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread
from typing import TextIO

from scanner.cli.failures import say

_COLUMNS = 79
_REDRAW = 0.2
"""Seconds between two looks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Far:
    """How far a collection is. `seconds` is how long the queries must wait for Azure's quota; 0 when they need not."""

    done: int = 0
    total: int = 0
    pages: int = 0
    rows: int = 0
    requests: int = 0
    seconds: float = 0.0


def line(far: Far) -> str:
    """The moving line."""
    if not far.total:
        return f"asking Azure what there is ({far.requests:,} requests)"
    told = f"asking Azure: {far.done:,} of {far.total:,} parts, {far.pages:,} pages, {far.rows:,} rows"
    return f"{told}, waiting {far.seconds:.0f} s for quota" if far.seconds >= 1 else told


class Display:
    """What people see of a collection while it runs; silent when `quiet`.

    On a terminal the moving line says it all; with `verbose` the log does, so that stages are lines there too.
    """

    def __init__(self, stream: TextIO, *, quiet: bool, verbose: int) -> None:
        self._stream = stream
        self._moving = not quiet and not verbose and stream.isatty()
        self._plain = not quiet and not self._moving

    def stage(self, text: str) -> None:
        """One stage of the collection is over, or begins."""
        if self._plain:
            say(self._stream, text)

    @contextmanager
    def following(self, look: Callable[[], Far]) -> Iterator[None]:
        """While the block runs, show how far it is; the line leaves no trace."""
        if not self._moving:
            yield
            return
        over = Event()
        thread = Thread(target=self._redraw, args=(look, over), name="arguard-progress", daemon=True)
        self._show(line(look()))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            self._show("")

    def _redraw(self, look: Callable[[], Far], over: Event) -> None:
        while not over.wait(_REDRAW):
            self._show(line(look()))

    def _show(self, text: str) -> None:
        # The cursor goes back to the start: a warning of the log then writes over the line instead of behind it.
        self._stream.write(f"\r{text[:_COLUMNS]:<{_COLUMNS}}\r")
        self._stream.flush()
