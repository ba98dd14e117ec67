"""The parts of the Markdown summary that stand around the findings: said as the console says them, each within its room."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reporters import console_decision, console_findings, console_gaps
from reporters.console_digest import Digest
from reporters.console_lines import Line, count
from reporters.console_table import Table, table
from reporters.markdown_text import row, size, text
from reporters.view import Shown, View
from scanner.model import Outcome, PolicyResult, ScanResult

_LINE = 600
_FIRST = 400
_TITLE = 120
_MARK = "? "
_RESERVE = 300
"""Bytes that are kept for saying what was left out."""
_ICONS = {"PASS": "✅", "NOTHING TO JUDGE": "✅", "FAIL": "❌", "BUG": "❌"}


def head(result: ScanResult, view: View, room: int) -> Iterator[str]:
    """The decision, whether it is complete, and what was looked at."""
    word, _, why = (piece for piece, _ in console_decision.decision(result).pieces)
    icon = _ICONS.get(word, "⚠️") if result.decision.complete or word == "FAIL" else "⚠️"
    known = result.decision.complete or "COMPLETE" in word
    told = f"{word}{'' if known else ', NOT COMPLETE'} (exit {result.decision.exit_code}): {why}"
    first = f"## {icon} arguard: {text(told, _FIRST)}\n\n"
    yield first
    yield from _fit(_about(result, view), room - size(first), "The facts about the scan were cut; -o console tells them all.")
    yield "\n"


def _about(result: ScanResult, view: View) -> Iterator[str]:
    for line in console_decision.completeness(result):
        yield f"{inline(line)}\n\n"
    fact = ""
    for line in console_decision.facts(result):
        if not line.pieces:
            continue
        name, said = (piece.strip() for piece, _ in line.pieces)
        if name and fact:
            yield f"{fact}\n"
        fact = f"- **{text(name, _LINE)}** {text(said, _LINE)}" if name else f"{fact}<br>{text(said, _LINE)}"
    yield f"{fact}\n"
    if view.include is not None:
        words = ", ".join(one.value.replace("_", " ") for one in Shown if one in view.include)
        yield f"- **Shown** as asked for, of the rows only: {text(words, _LINE)}\n"


def causes(result: ScanResult, read: Digest, room: int) -> Iterator[str]:
    """Causes that several findings share."""
    return _part(console_findings.causes(result, read), room, "More causes did not fit.")


def missing(result: ScanResult, read: Digest, room: int) -> Iterator[str]:
    """What was not seen and not decided, with advice."""
    gaps = sum(len(policy.gaps) for policy in result.policies)
    undecided = sum(sample.total for sample in read.unknown.values())
    numbers = f"{count(gaps, 'gap')} and {count(undecided, 'undecided row')} in all"
    return _part(
        console_gaps.missing(result, read), room, f"Not everything fits here: {numbers}; the table counts them by policy."
    )


def accepted(read: Digest, room: int) -> Iterator[str]:
    """What does not block because somebody accepted it."""
    return _part(console_findings.accepted(read), room, "More accepted rows did not fit; the table counts them by policy.")


def _part(lines: Iterable[Line], room: int, more: str) -> Iterator[str]:
    """Lines of the console as a heading and a list that is nested as they are indented."""
    used = (line for line in lines if line.pieces)
    first = next(used, None)
    if first is None:
        return
    heading = f"### {text(first.pieces[0][0], _LINE)}\n\n"
    yield heading
    items = (f"{' ' * max(line.indent - 2, 0)}- {inline(line)}\n" for line in used)
    yield from _fit(items, room - size(heading), more)
    yield "\n"


def inline(line: Line) -> str:
    """A line of the console: bold stays bold; other styles, and the mark of an undecided row, are gone."""
    told = ""
    for piece, style in line.pieces if line.pieces[0][0] != _MARK else line.pieces[1:]:
        said = text(piece, _LINE)
        blank = " " if told and (piece[:1] == " " or told[-1:] == " ") else ""
        told = f"{told.rstrip(' ')}{blank}{f'**{said}**' if 'bold' in style else said}{' ' if piece[-1:] == ' ' else ''}"
    return told.rstrip()


def policies(result: ScanResult, room: int) -> Iterator[str]:
    """The table by policy: without titles where it is too long, and then cut, those with something wrong kept."""
    if not result.policies:
        return
    data = table(result)
    heading = (
        f"### Policies\n\n{row(data.columns)}{row('---' if at < data.texts else '---:' for at in range(len(data.columns)))}"
    )
    room -= size(heading) + _RESERVE
    lines = _table(result, data, _TITLE)
    if sum(map(size, lines)) > room:
        lines = _table(result, data, 0)
    if sum(map(size, lines)) > room:
        calm = {Outcome.COMPLIANT, Outcome.NONE, Outcome.NOT_APPLICABLE, Outcome.NOT_ASKED}
        order = sorted(range(len(lines)), key=lambda at: (result.policies[at].outcome in calm, at))
        lines = [lines[at] for at in order]
    kept = _kept(lines, room)
    yield heading
    yield from kept
    if len(kept) < len(lines):
        yield f"\n{count(len(lines) - len(kept), 'more policy', 'more policies')} did not fit; other formats hold them all.\n"
    yield "\n"


def _table(result: ScanResult, data: Table, title: int) -> list[str]:
    return [
        row(_cells(policy, [told for told, _ in cells], title))
        for policy, cells in zip(result.policies, data.rows, strict=True)
    ]


def _cells(policy: PolicyResult, cells: list[str], title: int) -> Iterator[str]:
    code, name, severity, result, *numbers = cells
    yield f"**{text(code, 60)}**"
    yield text(name, title) if title else ""
    yield severity
    yield f"{_mark(policy)}{result}"
    yield from numbers


def _mark(policy: PolicyResult) -> str:
    """What stands out: what blocks, what hides something that could, and what is fine."""
    if policy.counts.blocking:
        return "❌ "
    if policy.counts.hiding or any(gap.counts for gap in policy.gaps):
        return "⚠️ "
    return "✅ " if policy.outcome is Outcome.COMPLIANT else ""


def _fit(pieces: Iterable[str], room: int, more: str) -> Iterator[str]:
    """The first pieces that fit, and a sentence where one did not; what stands behind that one is never made."""
    room -= _RESERVE
    for piece in pieces:
        room -= size(piece)
        if room < 0:
            yield f"\n{more}\n"
            return
        yield piece


def _kept(pieces: list[str], room: int) -> list[str]:
    """The first pieces that fit into the room together."""
    used = 0
    for at, piece in enumerate(pieces):
        used += size(piece)
        if used > room:
            return pieces[:at]
    return pieces
