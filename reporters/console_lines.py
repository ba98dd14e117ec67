"""What the console report is made of: styled lines as data, and the words that several of its parts use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from scanner.model import Options, Severity

SEVERITY_STYLES: Final = {
    Severity.CRITICAL: "bold magenta",
    Severity.HIGH: "bold red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "cyan",
    Severity.INFO: "blue",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Pieces of (text, style) on one line, which is folded at the report's width unless `fold` is false.

    `indent` counts columns before it; `hang` more of them stand before what is folded.
    """

    pieces: tuple[tuple[str, str], ...] = ()
    indent: int = 0
    hang: int = 0
    fold: bool = True


BLANK = Line()


def line(text: str, style: str = "", *, indent: int = 0, hang: int = 0, fold: bool = True) -> Line:
    """A line of one piece."""
    return Line(pieces=((text, style),), indent=indent, hang=hang, fold=fold)


def heading(text: str) -> Line:
    """The first line of a part."""
    return line(text, "bold")


def count(number: int, singular: str, plural: str = "") -> str:
    """A number with its noun: `1 finding`, `2 findings`."""
    return f"{number:,} {singular if number == 1 else plural or f'{singular}s'}"


def threshold(options: Options) -> str:
    """From which severity on findings block."""
    return f"at or above {options.fail_on.word}" if options.fail_on else "at no severity (--fail-on never)"
