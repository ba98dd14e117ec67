"""HTML: one file for managers and engineers that needs no network, no server and, but for the list of rows, no script.

Everything but the list is plain markup. The rows stand in one JSON document (see `reporters.html_rows`) that the page's script
pages, filters and exports; it writes them as text, never as markup. The page's policy (CSP) forbids every request and every
script and style but its own two, named by their digests. Style and script are the files in `html_page`, as they are.

Unasked, passes and rows that do not apply are listed up to 5,000 in all; beyond, they are counted and the page says so.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

from reporters import html_rows
from reporters.html_coverage import coverage
from reporters.html_exceptions import exceptions, run
from reporters.html_headline import fix_first, headline, incomplete, told, verdict
from reporters.html_list import findings
from reporters.html_markup import Markup, el, encoded, join
from reporters.html_scores import scores
from reporters.html_tally import Tally, tally
from reporters.view import FILTERED, UNASKED, View
from scanner.model import ScanResult

PROFILES = FILTERED
_STYLES = ("page.css", "findings.css", "print.css")
_SCRIPTS = ("rows.js", "filters.js", "detail.js", "export.js", "page.js")


def render(result: ScanResult, view: View = UNASKED) -> Iterator[bytes]:
    """Write the page: its head, the sections, then the rows and the script that shows them."""
    read = tally(result)
    yield from _head(result)
    yield from map(encoded, _sections(result, view, read))
    yield b'<script type="application/json" id="data">'
    yield from html_rows.document(result, view)
    yield b"</script>\n<script>" + script() + b"</script>\n</body>\n</html>\n"


def _head(result: ScanResult) -> Iterator[bytes]:
    title = f"{verdict(result)[0]}: {told(result)} (arguard)"
    head = join(
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=policy()),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("meta", name="referrer", content="no-referrer"),
        el("title", title),
    )
    yield b'<!doctype html>\n<html lang="en">\n<head>' + encoded(head) + b"<style>" + style() + b"</style>\n</head>\n<body>\n"


def _sections(result: ScanResult, view: View, read: Tally) -> Iterator[Markup]:
    causes = fix_first(result, read)
    sections = {"causes": "Fix first"} if causes else {}
    sections |= {one: one.capitalize() for one in ("score", "findings", "coverage", "exceptions")} | {"run": "This run"}
    links = (el("li", el("a", name, href=f"#{target}")) for target, name in sections.items())
    yield el("a", "Skip to the findings", href="#findings", class_="skip")
    yield el(
        "header",
        el("p", el("b", "arguard"), " compliance report", class_="brand"),
        el("nav", el("ul", *links), aria_label="Sections"),
        class_="top",
    )
    yield Markup("<main>\n")
    yield headline(result, read)
    yield incomplete(result)
    yield join(causes)
    yield scores(result, read)
    yield findings(result, view, read)
    yield coverage(result, read)
    yield exceptions(result, read)
    yield run(result)
    yield Markup("</main>\n")


def policy() -> str:
    """The page's content security policy: its own script and style by their digests, and nothing from anywhere."""
    return (
        f"default-src 'none'; script-src {_digest(script())}; style-src {_digest(style())}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _digest(text: bytes) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text).digest()).decode()}'"


@cache
def script() -> bytes:
    """The script as it stands in the page."""
    return b'"use strict";\n' + _read(_SCRIPTS)


@cache
def style() -> bytes:
    """The style as it stands in the page."""
    return _read(_STYLES)


def _read(names: tuple[str, ...]) -> bytes:
    """Files of the page, with the same line ends on every platform: a browser folds them before it takes a digest."""
    folder = files("reporters") / "html_page"
    return b"".join((folder / name).read_bytes().replace(b"\r\n", b"\n") for name in names)
