"""The report for people: the decision first, then what to mend, then the table by policy, and the decision again.

Every line is made safe after it was laid out: no resource can start a line with a CI command or colour the terminal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import StringIO
from typing import TYPE_CHECKING

from reporters.console_decision import completeness, decision, facts
from reporters.console_digest import digest
from reporters.console_findings import accepted, causes, findings
from reporters.console_gaps import missing
from reporters.console_lines import BLANK, Line, heading
from reporters.console_table import Table, table
from reporters.sanitise import clean, console_safe
from reporters.view import UNASKED, WHOLE, View
from scanner.model import ScanResult

if TYPE_CHECKING:
    from rich.console import Console, JustifyMethod, RenderableType

PROFILES = WHOLE
_NARROWEST = 80
_UNFOLDED = 100_000
_BETWEEN = 2
_SHORTEST_TITLE = 12


def render(result: ScanResult, _view: View = UNASKED, *, color: bool = False, width: int = 100) -> Iterator[bytes]:
    """Write the report for a terminal of `width` columns, with escape codes for colour only where `color` is true."""
    console, width = _console(color=color), max(width, _NARROWEST)
    for line in _above(result):
        yield from _folded(console, line, width)
    if result.policies:
        yield from _folded(console, heading("Policies"), width)
        yield _printed(console, _table(table(result), width))
        yield from _folded(console, BLANK, width)
    yield from _folded(console, decision(result), width)


def _above(result: ScanResult) -> Iterator[Line]:
    """Everything above the table."""
    read = digest(result)
    yield decision(result)
    yield from completeness(result)
    yield BLANK
    yield from facts(result)
    yield from causes(result, read)
    yield from findings(result, read)
    yield from missing(result, read)
    yield from accepted(read)


def _console(*, color: bool) -> Console:
    """A rich console that reads nothing of the environment, writes nowhere, and folds and cuts nothing: that is done here."""
    from rich.console import Console  # noqa: PLC0415 - the report alone pays for it

    return Console(
        file=StringIO(),
        width=_UNFOLDED,
        color_system="standard" if color else None,
        force_terminal=color,
        force_interactive=False,
        force_jupyter=False,
        legacy_windows=False,
        no_color=not color,
        highlight=False,
        markup=False,
        emoji=False,
        _environ={},
    )


def _folded(console: Console, line: Line, width: int) -> Iterator[bytes]:
    """One line as rich text, folded between words; a word that is too long stays whole, so that it can be copied."""
    from rich.text import Text  # noqa: PLC0415 - the report alone pays for it

    text = Text.assemble(*((_flat(piece), style) for piece, style in line.pieces))
    room = width - line.indent
    for number, part in enumerate(text.divide(_breaks(text.plain, room, line.hang) if line.fold else [])):
        part.rstrip()
        blanks = " " * (line.indent + (line.hang if number else 0))
        yield _printed(console, Text.assemble(blanks, part) if part.plain else part)


def _breaks(text: str, room: int, hang: int) -> list[int]:
    """Where a line is folded: before the words that no longer fit; a word is never cut."""
    from rich.cells import cell_len  # noqa: PLC0415 - the report alone pays for it

    breaks: list[int] = []
    used = 0
    for match in re.finditer(r"\s*\S+", text):
        width = cell_len(match[0])
        if used and used + width > room:
            breaks.append(match.end() - len(match[0].lstrip()))
            used, width = hang, cell_len(match[0].lstrip())
        used += width
    return breaks


def _table(data: Table, width: int) -> RenderableType:
    """The table at a width: the title is cut first, and left out where too little of it would remain."""
    from rich.cells import cell_len  # noqa: PLC0415
    from rich.table import Table as RichTable  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    columns = [[name, *(row[index][0] for row in data.rows)] for index, name in enumerate(data.columns)]
    widths = [max(cell_len(_flat(text)) for text in column) for column in columns]
    title = data.columns.index("title")
    widths[title] = min(widths[title], width - sum(widths) + widths[title] - _BETWEEN * (len(widths) - 1))
    shown = [index for index in range(len(widths)) if index != title or widths[title] >= _SHORTEST_TITLE]
    drawn = RichTable(box=None, padding=(0, _BETWEEN, 0, 0), pad_edge=False, header_style="bold underline")
    for index in shown:
        justify: JustifyMethod = "left" if index < data.texts else "right"
        drawn.add_column(data.columns[index], no_wrap=True, overflow="ellipsis", justify=justify, width=widths[index])
    for row in data.rows:
        drawn.add_row(*(Text(_flat(row[index][0]), row[index][1]) for index in shown))
    return drawn


def _printed(console: Console, renderable: RenderableType) -> bytes:
    with console.capture() as capture:
        console.print(renderable, soft_wrap=not hasattr(renderable, "columns"))
    lines = (console_safe(line.rstrip()) for line in capture.get().split("\n"))
    return "\n".join(lines).encode()


def _flat(text: str) -> str:
    """Resource text on one line: a newline in it would start a line of its own."""
    return clean(text).replace("\n", " ").replace("\t", " ")
