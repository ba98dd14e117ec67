"""What the way through one query finds, and what is known of the columns at one point of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from scanner.kql import syntax as node
from scanner.kql.kinds import Value
from scanner.kql.shape import Complaint


@dataclass(slots=True, kw_only=True)
class Survey:
    """What is found on the way through one query: problems by offset, readings of tables, how often a limit counts.

    `asked` holds, per reading of a table, its name and the resource types that its conditions leave (None: all); `places`
    where each stands; `right` those on the right side of a join.
    `pending` holds queries met inside expressions, still to be followed. `population` says that the rows will be judged, so
    that they must meet this project's rules too, not only ARG's.
    """

    population: bool = True
    problems: list[tuple[int, str, Complaint]] = field(default_factory=list)
    asked: list[tuple[str, frozenset[str] | None]] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    right: set[int] = field(default_factory=set)
    joins: list[int] = field(default_factory=list)
    expansions: list[int] = field(default_factory=list)
    legs: list[int] = field(default_factory=list)
    pending: list[node.Query] = field(default_factory=list)

    def tell(self, at: int, text: str, complaint: Complaint = "meaning") -> None:
        """Note a problem that ARG itself would have."""
        self.problems.append((at, text, complaint))

    def advise(self, at: int, text: str) -> None:
        """Note what ARG takes and a population must not do."""
        if self.population:
            self.tell(at, text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The columns at one point of a query.

    `lead` is the reading of the leading table; `rows` is true for the query whose rows are the population (and for the legs
    of its unions), false inside joins, where rows may be aggregated. `open` is true behind a source that was refused.
    """

    columns: Mapping[str, Value]
    lead: int = -1
    rows: bool = False
    open: bool = False
