"""What goes to stdout: a terminal, a file, a pipe, or a pipe that was closed."""

from __future__ import annotations

import os
import shutil
import sys
from typing import BinaryIO, TextIO

from scanner.errors import OutputError
from scanner.model import ScanResult


def print_console(result: ScanResult, stream: TextIO) -> None:
    """Print the console report; raises OutputError where stdout takes no more.

    A reader that went away changes nothing: the decision stands in the exit code.
    """
    from reporters import console  # noqa: PLC0415 - `list` and `version` print without it

    width = min(120, max(80, shutil.get_terminal_size((100, 24)).columns))
    for chunk in console.render(result, color=wants_color(stream), width=width):
        _write(stream, chunk)
    _write(stream, b"")


def tell(text: str) -> None:
    """Print lines for people; raises OutputError where stdout takes no more. A reader that went away is no error."""
    if sys.stdout is None:
        raise OutputError("stdout is closed")
    _write(sys.stdout, f"{text}\n".encode(errors="backslashreplace"))


def wants_color(stream: TextIO) -> bool:
    """Colour on a terminal only; NO_COLOR forbids it, FORCE_COLOR asks for it (no-color.org, force-color.org)."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


def _write(stream: TextIO, data: bytes) -> None:
    try:
        stream.buffer.write(data)
        stream.flush()
    except BrokenPipeError:
        let_go(stream)
    except OSError as error:
        let_go(stream)
        raise OutputError(f"stdout: {error.strerror or error}") from None


def let_go(stream: TextIO | BinaryIO) -> None:
    """Send what follows nowhere: Python would complain again when it flushes stdout at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
