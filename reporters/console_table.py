"""The table by policy, as data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from reporters.console_lines import SEVERITY_STYLES
from scanner.model import Outcome, PolicyResult, ScanResult

_STYLES: Final = {
    Outcome.COMPLIANT: "green",
    Outcome.VIOLATIONS: "bold red",
    Outcome.INCOMPLETE: "yellow",
    Outcome.NOT_APPLICABLE: "dim",
    Outcome.NONE: "dim",
    Outcome.NOT_ASKED: "dim",
}
_NUMBERS: Final[tuple[tuple[str, Callable[[PolicyResult], int]], ...]] = (
    ("pass", lambda policy: policy.counts.passed),
    ("fail", lambda policy: policy.counts.failed),
    ("unknown", lambda policy: policy.counts.unknown),
    ("n/a", lambda policy: policy.counts.not_applicable),
    ("waived", lambda policy: policy.counts.waived),
    ("known", lambda policy: policy.counts.known),
    ("gaps", lambda policy: len(policy.gaps)),
)
_ALWAYS = ("pass", "fail", "unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Column names and rows of (text, style); the first `texts` columns hold text, the others numbers."""

    columns: tuple[str, ...]
    rows: tuple[tuple[tuple[str, str], ...], ...]
    texts: int = 4


def table(result: ScanResult) -> Table:
    """One row for each policy, asked or not; columns of numbers that are all zero are left out."""
    used = [(name, read) for name, read in _NUMBERS if name in _ALWAYS or any(read(policy) for policy in result.policies)]
    rows = tuple(tuple(_row(policy, [read for _, read in used])) for policy in result.policies)
    return Table(columns=("policy", "title", "severity", "result", *(name for name, _ in used)), rows=rows)


def _row(policy: PolicyResult, numbers: list[Callable[[PolicyResult], int]]) -> Iterator[tuple[str, str]]:
    info, outcome = policy.info, policy.outcome
    yield info.id, "bold"
    yield info.title, ""
    yield info.severity.word, SEVERITY_STYLES[info.severity]
    yield outcome.value.replace("_", " "), _STYLES[outcome]
    for read in numbers:
        number = read(policy)
        yield (f"{number:,}" if policy.asked else ""), ("" if number else "dim")
