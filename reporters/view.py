"""What of a result one output shows, and the ways (profiles) in which a format can be written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from scanner.model import Finding


class Shown(StrEnum):
    """What a row can be shown as: its verdict, but a row that a waiver covers is `waived` whatever its verdict."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    WAIVED = "waived"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not_applicable"


EVERYTHING: Final = frozenset(Shown)


def shown(finding: Finding) -> Shown:
    """What a row is shown as."""
    return Shown.WAIVED if finding.waiver else Shown(finding.verdict.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One way to write a format.

    `choices` is what `--include` may ask of it, nothing where it is never filtered. A profile that writes a file for each
    policy into a folder (`reporters.Divided`) has a pattern for their names, and a `mark` at the start of each of them: by
    both, those of an earlier scan are known.
    """

    choices: frozenset[Shown] = EVERYTHING
    files: str = ""
    mark: bytes = b""

    @property
    def folder(self) -> bool:
        """Whether it writes several files into a folder."""
        return bool(self.files)


WHOLE: Final[Mapping[str, Profile]] = {"": Profile(choices=frozenset())}
"""The profiles of a format that has one way to be written and leaves nothing out."""
FILTERED: Final[Mapping[str, Profile]] = {"": Profile()}
"""The profiles of a format that has one way to be written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What was asked of one output: a profile (empty: the format's first) and what to show (None: what it shows unasked)."""

    profile: str = ""
    include: frozenset[Shown] | None = None

    def shows(self, finding: Finding) -> bool:
        """Whether a row is among what was asked for."""
        return self.include is None or shown(finding) in self.include


UNASKED: Final = View()
"""An output of which nothing special was asked."""
