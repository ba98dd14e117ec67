"""Text in GitHub's Markdown that stays text: no name is a link, a mention, a picture, HTML, code or formatting.

What CommonMark reads is escaped (spec.commonmark.org 0.31, sections 2.4 and 2.5) by a backslash or, where a table or HTML could
see through one, by an entity. GitHub links some things only after that, in the finished text, where no escape is left: `@name`,
`#1`, `GH-1`, bare addresses, `:emoji:` and `$math$` (github.github.com/gfm section 6.9; docs.github.com, "Autolinked references
and URLs" and "Writing mathematical expressions"). There the sign stands in a `<span>` of its own, which is never seen and is
not copied along. Not covered: hex digits that happen to name a commit of the same repository.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from reporters.sanitise import one_line

_SIGN = re.compile(
    r"(?P<span>[@#$]"
    r"|:(?=//)|(?<=www)\.|(?<=mailto):|(?<=xmpp):"
    r"|:(?=[A-Za-z0-9_+-]+:)"
    r"|(?<=GH)-|(?<=GHSA)-|(?<=CVE)-)"
    r"|(?P<entity>[<>&|])"
    r"|(?P<slash>[\\`*_\[\]{}!~^])",
    re.IGNORECASE,
)
_START = re.compile(r"(?P<digits>[0-9]{1,9})(?P<dot>[.)])|(?P<sign>[-+=]|:(?=:))")
"""What makes a list, a heading's underline or (`::`) a runner's command at the start of a line."""
_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;", "|": "&#124;"}
_PAGE = re.compile(r"https://(?P<host>[A-Za-z0-9.-]+)(/([A-Za-z0-9._~$+;=:@/?-]|%[0-9A-Fa-f]{2})*)?(#[A-Za-z0-9._~-]*)?")
"""References that are links; what holds another character is shown as text."""


def text(value: str, limit: int) -> str:
    """Text from outside on one line, at most `limit` characters long before it is escaped."""
    told = one_line(value, limit)
    start = _START.match(told)
    if start is None:
        return _SIGN.sub(_escaped, told)
    return f"{start['digits'] or ''}\\{start['dot'] or start['sign']}{_SIGN.sub(_escaped, told[start.end() :])}"


def _escaped(match: re.Match[str]) -> str:
    sign = match[0]
    if match["span"]:
        return f"<span>{sign}</span>"
    return _ENTITIES[sign] if match["entity"] else f"\\{sign}"


def link(page: str, limit: int) -> str:
    """A reference: a link that shows its host where every reader takes it for one, else text."""
    found = _PAGE.fullmatch(page) if len(page) <= limit else None
    return f"[{text(found['host'], limit)}](<{page}>)" if found else text(page, limit)


def row(cells: Iterable[str]) -> str:
    """A row of a table, of cells that are escaped."""
    return f"| {' | '.join(cells)} |\n"


def size(written: str) -> int:
    """How many bytes a text takes."""
    return len(written.encode())


def folded(summary: str, lines: Iterable[str]) -> Iterator[str]:
    """Lines behind a summary that opens them; the summary is our own text."""
    yield f"<details><summary>{summary}</summary>\n\n"
    yield from lines
    yield "\n</details>\n\n"
