"""What checking and running a query hand back: its shape, its problems, the trouble met on the way. No engine here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from scanner.model import ColumnType, Reason

Complaint: TypeAlias = Literal["syntax", "operator", "join", "type", "meaning"]
"""What is complained of: the text does not parse, an operator or a kind of join is outside ARG's subset, a column has a type
that results do not hold here (ARG's do), anything else."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class KqlProblem:
    """One thing wrong with a query; `line` and `column` count from 1 in the author's text."""

    line: int
    column: int
    text: str
    complaint: Complaint = field(default="meaning", compare=False)

    def __str__(self) -> str:
        return f"{self.line}:{self.column}: {self.text}"


class KqlProblems(Exception):
    """A query that must not run, with every problem found, in reading order."""

    def __init__(self, problems: Iterable[KqlProblem]) -> None:
        self.problems = sorted(set(problems))
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a query yields and reads.

    `columns` are the projected columns in order; `tables` maps each ARG table named (lower case) to the resource types
    that its own top-level conditions ask for (lower case), None for all of them.
    """

    columns: Mapping[str, ColumnType]
    tables: Mapping[str, frozenset[str] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A query that ARG takes, and what decides how ARG pages it.

    `limited`: it takes, limits or samples rows; `grouped`: it summarizes; both in its outermost pipe.
    """

    shape: Shape
    limited: bool
    grouped: bool


class QueryTrouble(Exception):
    """A query that gave no answer offline: becomes a gap with this `reason` and `text`."""

    def __init__(self, reason: Reason, text: str) -> None:
        self.reason = reason
        self.text = text
        super().__init__(f"{reason}: {text}")
