"""The log: on stderr as loud as asked for, and whole in a file where one is named."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from scanner.errors import OutputError

_LEVELS = {0: logging.WARNING, 1: logging.INFO}


@contextmanager
def to(stream: TextIO, *, verbose: int, quiet: bool, file: Path | None) -> Iterator[None]:
    """Log while the block runs; raises OutputError where the log file cannot be opened."""
    logger = logging.getLogger("arguard")
    console = logging.StreamHandler(stream)
    console.setLevel(logging.ERROR if quiet else _LEVELS.get(verbose, logging.DEBUG))
    handlers: list[logging.Handler] = [console]
    if file:
        try:
            handlers.append(logging.FileHandler(file, encoding="utf-8"))
        except OSError as error:
            raise OutputError(f"{file}: the log cannot be written ({error.strerror})") from None
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
