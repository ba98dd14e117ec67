"""KQL as Azure Resource Graph runs it: checked at load, run offline on raw tables. The only user of duckdb_kql and duckdb.

Importing this package loads no engine; `inspect` and the child process of `Engine` do.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec

from scanner.errors import MissingExtraError
from scanner.kql.engine import Engine
from scanner.kql.shape import Accepted, Complaint, KqlProblem, KqlProblems, QueryTrouble, Shape

__all__ = [
    "Accepted",
    "Complaint",
    "Engine",
    "KqlProblem",
    "KqlProblems",
    "QueryTrouble",
    "Shape",
    "accept",
    "available",
    "inspect",
    "require",
]


def available() -> bool:
    """Whether the `[offline]` extra is installed."""
    return find_spec("duckdb") is not None and find_spec("duckdb_kql") is not None


def require(what: str = "Checking or running KQL offline") -> None:
    """Raise MissingExtraError, naming `what` needs it, unless the `[offline]` extra is installed."""
    if not available():
        raise MissingExtraError(what, "offline")


def inspect(kql: str, key: Sequence[str]) -> Shape:
    """The shape of a population query whose rows are told apart by the columns in `key`.

    Raises KqlProblems with every problem that ARG, or this project's rules for populations, would have with the text;
    MissingExtraError without the `[offline]` extra.
    """
    require()
    return _inspected(kql, tuple(key))


def accept(kql: str) -> Accepted:
    """What Azure Resource Graph itself would make of a query, which need not be fit for a population.

    Raises KqlProblems with what ARG would refuse and what cannot be run offline; MissingExtraError without the extra.
    """
    require()
    return _accepted(kql)


@lru_cache(maxsize=1024)
def _accepted(kql: str) -> Accepted:
    from scanner.kql.check import accept as checked  # noqa: PLC0415 - the grammar alone takes a tenth of a second to load

    return checked(kql)


@lru_cache(maxsize=1024)
def _inspected(kql: str, key: tuple[str, ...]) -> Shape:
    """The checked shape; a process that loads a pack again, as a test suite does, need not parse it again."""
    from scanner.kql.check import inspect as checked  # noqa: PLC0415 - the grammar alone takes a tenth of a second to load

    return checked(kql, key)
