"""The log: on stderr as loud as asked for, whole in a file where one is named, and as one moving line on a terminal."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from scanner.errors import OutputError

_LEVELS = {0: logging.WARNING, 1: logging.INFO}
_COLUMNS = 79
_CONSOLE = "arguard on stderr"


@contextmanager
def to(stream: TextIO, *, verbose: int, quiet: bool, file: Path | None) -> Iterator[None]:
    """Log while the block runs; raises OutputError where the log file cannot be opened."""
    logger = logging.getLogger("arguard")
    console = logging.StreamHandler(stream)
    console.name = _CONSOLE
    console.setLevel(logging.ERROR if quiet else _LEVELS.get(verbose, logging.DEBUG))
    handlers: list[logging.Handler] = [console]
    if file:
        try:
            handlers.append(logging.FileHandler(file, encoding="utf-8"))
        except OSError as error:
            hint = "nothing was scanned; name another --log-file"
            raise OutputError(f"{file}: the log cannot be written ({error.strerror})", hint=hint) from None
    logger.setLevel(logging.DEBUG)
    for handler in handlers:
        handler.setFormatter(logging.Formatter("arguard: %(message)s"))
        logger.addHandler(handler)
    try:
        yield
    finally:
        for handler in handlers:
            logger.removeHandler(handler)
            handler.close()


@contextmanager
def progress(stream: TextIO, *, shown: bool) -> Iterator[None]:
    """While the block runs, show on a terminal what was done last, in one line that leaves no trace.

    Nothing is shown where the log itself says as much.
    """
    logger = logging.getLogger("arguard")
    told = any(handler.level <= logging.INFO for handler in logger.handlers if handler.name == _CONSOLE)
    if not shown or told or not stream.isatty():
        yield
        return
    logger.setLevel(logging.DEBUG)
    handler = _Line(stream, level=logging.INFO)
    logger.addHandler(handler)
    handler.show("scanning ...")
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.show("")
        stream.write("\r")
        stream.flush()


class _Line(logging.Handler):
    """Shows each record in the place of the one before."""

    def __init__(self, stream: TextIO, *, level: int) -> None:
        super().__init__(level)
        self._stream = stream

    def emit(self, record: logging.LogRecord) -> None:
        self.show(record.getMessage())

    def show(self, text: str) -> None:
        self._stream.write(f"\r{text[:_COLUMNS]:<{_COLUMNS}}")
        self._stream.flush()
