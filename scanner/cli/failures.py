"""How a failure ends: one plain text on stderr and the exit code that the design gives it."""

from __future__ import annotations

import traceback
from typing import TextIO

import click

from scanner.errors import ArguardError


def report_failure(failure: BaseException, stream: TextIO) -> int:
    """Say what went wrong and what to do next; return the exit code."""
    if isinstance(failure, click.exceptions.Exit):
        return failure.exit_code
    if isinstance(failure, click.ClickException):
        failure.show(stream)
        return 2
    if isinstance(failure, ArguardError):
        say(stream, str(failure), failure.hint)
        return failure.exit_code
    if isinstance(failure, click.exceptions.Abort | KeyboardInterrupt):
        say(stream, "interrupted")
        return getattr(failure, "exit_code", 130)
    if isinstance(failure, SystemExit):
        return failure.code if isinstance(failure.code, int) else 70
    say(stream, "a bug in arguard ended the run", "please report it with the lines below; they name no resource of yours")
    stream.writelines(f"  {line}" for line in _frames(failure))
    return 70


def say(stream: TextIO, text: str, hint: str = "") -> None:
    """Print a message for people, each line marked so that no CI runner takes it for a command."""
    stream.writelines(f"arguard: {line}\n" for line in text.splitlines() or [""])
    if hint:
        stream.write(f"arguard: hint: {hint}\n")


def _frames(failure: BaseException) -> list[str]:
    """Where it happened, without the values, which could be the user's."""
    frames = traceback.extract_tb(failure.__traceback__)[-8:]
    return [f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} in {frame.name}\n" for frame in frames] + [
        f"{type(failure).__name__}\n"
    ]
