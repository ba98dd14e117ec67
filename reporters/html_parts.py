"""What several sections of the page are made of: headings, tables, facts, badges, and links that set the list's filters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode

from reporters.html_markup import Markup, el, join
from reporters.sanitise import one_line
from reporters.wording import LINE
from scanner.model import Severity

LISTED: Final = 200
"""Rows of a table outside the list of findings at most; the rest is counted."""


def section(name: str, title: str, *inside: str | None, about: str = "") -> Markup:
    """A part of the page with its heading and what it is about."""
    title_id = f"{name}-title"
    told = el("p", about, class_="about") if about else None
    return el("section", el("h2", title, id=title_id), told, *inside, id=name, aria_labelledby=title_id)


def table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[str]], *, more: str = "") -> Markup:
    """A table whose first column names its rows; `more` says what was left out."""
    head = el("tr", *(el("th", name, scope="col", role="columnheader") for name in columns), role="row")
    body = [_row(columns, cells) for cells in rows]
    return join(
        el(
            "table",
            el("caption", caption),
            el("thead", head, role="rowgroup"),
            el("tbody", *body, role="rowgroup"),
            class_="stack",
            role="table",
        ),
        el("p", more, class_="soft") if more else None,
    )


def _row(columns: Sequence[str], cells: Sequence[str]) -> Markup:
    first = el("th", cells[0], scope="row", role="rowheader")
    rest = (el("td", el("div", cell), data_label=name, role="cell") for name, cell in zip(columns[1:], cells[1:], strict=True))
    return el("tr", first, *rest, role="row")


def facts(pairs: Iterable[tuple[str, str]]) -> Markup:
    """Names and values; a pair without a value is left out."""
    told = [el("div", el("dt", name), el("dd", value)) for name, value in pairs if value]
    return el("dl", *told, class_="facts")


def severity(level: Severity) -> Markup:
    """A severity as a badge."""
    return el("span", level.word, class_=f"badge v-{level.word}")


def filtered(label: str, **filters: str) -> Markup:
    """A link to the list of findings with these filters set, spelt as the rows are (see `reporters.html_rows`)."""
    told = {name: one_line(value, LINE) for name, value in filters.items()}
    return el("a", label, href=f"#{urlencode(told)}", class_="filter")


def names(policies: Iterable[str]) -> Markup:
    """Policies, each a link to its findings."""
    linked = [filtered(one, policy=one) for one in policies]
    return join(*(part for index, one in enumerate(linked) for part in ((", " if index else ""), one)))


def two_lines(first: str, second: str) -> Markup:
    """A name with what explains it beneath."""
    return join(el("span", first, class_="first"), el("span", second, class_="second") if second and second != first else None)


def moment(time: datetime) -> str:
    """A time for people."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def left_out(number: int, what: str) -> str:
    """What stands under a table that does not show everything; empty when it does."""
    return f"and {number:,} more {what}; -o native=FILE holds all" if number > 0 else ""
