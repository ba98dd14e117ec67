"""The console report on whatever stdout is: a terminal, a pipe, or a pipe that was closed."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TextIO

from reporters import console
from scanner.model import ScanResult


def print_console(result: ScanResult, stream: TextIO) -> None:
    """Print the console report. A reader that went away changes nothing: the decision stands in the exit code."""
    color = wants_color(stream)
    width = min(120, max(80, shutil.get_terminal_size((100, 24)).columns))
    try:
        for chunk in console.render(result, color=color, width=width):
            stream.buffer.write(chunk)
        stream.flush()
    except BrokenPipeError:
        # Python would complain again when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def wants_color(stream: TextIO) -> bool:
    """Colour on a terminal only; NO_COLOR forbids it, FORCE_COLOR asks for it (no-color.org, force-color.org)."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()
