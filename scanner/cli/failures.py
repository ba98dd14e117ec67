"""How a failure ends: one plain text on stderr and the exit code that the design gives it."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from typing import TextIO

import click
from click.core import ParameterSource

from scanner.errors import ArguardError


def report_failure(failure: BaseException, stream: TextIO) -> int:
    """Say what went wrong and what to do next; return the exit code."""
    if isinstance(failure, click.ClickException):
        _say_usage(stream, failure)
        return 2
    if isinstance(failure, ArguardError):
        say(stream, str(failure), failure.hint)
        return failure.exit_code
    if isinstance(failure, click.exceptions.Abort | KeyboardInterrupt):
        # click turns every KeyboardInterrupt into Abort; the cause knows which signal it was.
        say(stream, "interrupted; what was not yet written is missing")
        return getattr(failure.__cause__ or failure, "exit_code", 130)
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


def _say_usage(stream: TextIO, failure: click.ClickException) -> None:
    if isinstance(failure, click.exceptions.NoArgsIsHelpError):
        stream.write(f"{failure.format_message()}\n")
        return
    context = getattr(failure, "ctx", None)
    hint = f"`{context.command_path} --help` shows what there is" if context else ""
    say(stream, f"{_origin(failure)}{failure.format_message()}", hint)


def _origin(failure: click.ClickException) -> str:
    """The environment variable that a bad value came from: nobody looks for it in the command line."""
    context, parameter = getattr(failure, "ctx", None), getattr(failure, "param", None)
    if context is None or parameter is None or parameter.name is None:
        return ""
    if context.get_parameter_source(parameter.name) is not ParameterSource.ENVIRONMENT:
        return ""
    return f"{parameter.envvar} in the environment: "


def _frames(failure: BaseException) -> Iterator[str]:
    """Where it happened, without the values, which could be the user's."""
    for frame in traceback.extract_tb(failure.__traceback__)[-8:]:
        yield f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} in {frame.name}\n"
    yield f"{type(failure).__name__}\n"
