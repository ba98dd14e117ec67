"""Markdown for people: the job summary of GitHub and Azure Pipelines, or a comment on a pull request.

GitHub drops a summary of more than 1 MiB whole (github.com/actions/runner, `FileCommandManager.cs`), so this one never has more
than 1,000,000 bytes. Every part has its room, what a part leaves goes to the findings, and these are cut by rows, the most
severe kept; how many rows of which policy were left out is said. The first line is the decision, and whether it is complete.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from reporters.console_digest import digest
from reporters.markdown_findings import Shelf, findings, left_out
from reporters.markdown_parts import accepted, causes, head, missing, policies
from reporters.markdown_text import size
from reporters.view import FILTERED, UNASKED, View
from scanner.model import ScanResult

PROFILES = FILTERED
MOST: Final = 1_000_000
"""Bytes of the whole."""
_ROOMS: Final = {"head": 60_000, "causes": 60_000, "missing": 140_000, "policies": 400_000, "accepted": 40_000}
_LEFT_OUT = 100_000
_NOTE = 500


def render(result: ScanResult, view: View = UNASKED) -> Iterator[bytes]:
    """Write the summary part by part."""
    read = digest(result, view)
    top = "".join(head(result, view, _ROOMS["head"]))
    shared = "".join(causes(result, read, _ROOMS["causes"]))
    below = [
        *missing(result, read, _ROOMS["missing"]),
        *policies(result, _ROOMS["policies"]),
        *accepted(read, _ROOMS["accepted"]),
    ]
    used = sum(map(size, (top, shared, *below))) + _LEFT_OUT + _NOTE
    shelf = Shelf(room=MOST - used)
    findings(result, read, view, shelf)
    yield top.encode()
    if shelf.left:
        shown, total = shelf.total - sum(shelf.left.values()), shelf.total
        yield f"**{shown:,} of {total:,} rows are shown**; what did not fit is counted under “Left out”.\n\n".encode()
    for part in (shared, *shelf.written, *left_out(shelf, _LEFT_OUT), *below):
        yield part.encode()
