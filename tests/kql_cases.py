"""The queries in `tests/kql`: which may run, with the columns they yield, and which may not, with what is told."""

from __future__ import annotations

from pathlib import Path

CASES = Path(__file__).parent / "kql"


def blocks(file: str) -> list[tuple[str, list[str]]]:
    """The queries of a file of cases, each with its marked lines."""
    found = []
    for block in (CASES / file).read_text("utf-8").split("\n\n"):
        lines = [line for line in block.splitlines() if not line.startswith("# ")]
        query = "\n".join(line for line in lines if not line.startswith("! "))
        if query:
            found.append((query, [line[2:] for line in lines if line.startswith("! ")]))
    return found
