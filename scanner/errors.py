"""Every error that arguard raises on purpose.

    ArguardError                 has a hint (what to do next) and an exit code
    ├── UsageError          2    the command line contradicts itself or names what does not exist
    ├── InputError          2    files that cannot be used; carries every Problem found, not the first
    ├── MissingExtraError   2    the command needs an optional part that is not installed
    └── OutputError         4    a requested output cannot be written

Trouble with one query, subscription or row is never an exception outside its module: it is a `Gap` or an unknown verdict.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


class ArguardError(Exception):
    """Something the user can mend; the message says what and where, `hint` what to do next."""

    exit_code = 2

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(ArguardError):
    """The command line contradicts itself or names what does not exist."""


class MissingExtraError(ArguardError):
    """The command needs an extra that is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(
            f"{what} needs the extra '{extra}', which is not installed.",
            hint=f'pip install "arguard[{extra}]"',
        )


class OutputError(ArguardError):
    """A requested output cannot be written."""

    exit_code = 4


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Problem:
    """One thing wrong with one input file.

    `line` and `column` count from 1; 0 means that the problem is about the file as a whole.
    """

    file: str
    line: int = 0
    column: int = 0
    path: str = ""
    text: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{where}: {self.path}: {self.text}" if self.path else f"{where}: {self.text}"


class InputError(ArguardError):
    """Input files that cannot be used, with every problem of every file in reading order."""

    def __init__(self, problems: Iterable[Problem], *, hint: str = "") -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(map(str, self.problems)), hint=hint)
