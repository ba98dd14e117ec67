"""Write everything in the repository that is generated: schemas, and the parts of the README between marks."""

from __future__ import annotations

import contextlib
import io
import os
import re
from pathlib import Path

from docs.pages import pages
from scanner import packs
from scanner.cli import main
from scanner.schemas import schemas
from scanner.sources import manifest

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs" / "policies"
EXAMPLE = "ABK301-vm-agent-not-ready.yaml"


def generated() -> dict[Path, bytes]:
    """Every generated file with what it should hold."""
    files = {ROOT / "policies" / name: text for name, text in schemas().items()}
    files[ROOT / "policies" / "snapshot.schema.json"] = manifest.schema()
    files[ROOT / "README.md"] = readme().encode()
    files.update({PAGES / name: text for name, text in pages(packs.load(packs.bundled(), cases=True)).items()})
    return files


def readme() -> str:
    """The README with the demo's real output and a real policy."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    policy = (ROOT / "policies" / "azure-backup" / EXAMPLE).read_text(encoding="utf-8")
    text = between(text, "demo", f"```text\n{shortened(demo())}```\n")
    return between(text, "policy", f"```yaml\n{policy}```\n")


def between(text: str, mark: str, part: str) -> str:
    """A text with what stands between two marks replaced."""
    pattern = re.compile(rf"(<!-- {mark}:[^\n]*-->\n).*?(<!-- /{mark} -->)", re.DOTALL)
    return pattern.sub(lambda found: found[1] + part + found[2], text, count=1)


def shortened(text: str) -> str:
    """The report down to the first policy's findings, and its table: the rest is more of the same."""
    lines = text.splitlines(keepends=True)
    first = next(number for number, line in enumerate(lines) if line.startswith("    See "))
    table = lines.index("Policies\n")
    return "".join([*lines[: first + 1], "\n...\n\n", *lines[table:]])


def demo() -> str:
    """What the demo prints on stdout, as it looks in a pipe of 100 columns."""
    os.environ["COLUMNS"] = "100"
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    said = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(said):
        code = main(["demo"])
    if code or "exit code 1" not in said.getvalue():
        raise RuntimeError(f"the demo did not work: {said.getvalue()}")
    out.flush()
    assert isinstance(out.buffer, io.BytesIO)
    return out.buffer.getvalue().decode()


if __name__ == "__main__":
    PAGES.mkdir(exist_ok=True)
    made = generated()
    for stale in set(PAGES.iterdir()) - set(made):
        stale.unlink()
    for file, content in made.items():
        file.write_bytes(content)
