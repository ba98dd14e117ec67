"""Programs of the suite that run under Node.js: found, and installed in the exact versions of their package.json."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

NEEDED = "install Node.js 18 or newer, which brings node and npm (https://nodejs.org)"


def tool(name: str) -> str:
    """The path of `node` or `npm`; a test that needs a missing one fails, since it must not be left out in silence."""
    found = shutil.which(name)
    assert found is not None, f"{name} is missing: {NEEDED}"
    return found


def install(program: str, folder: Path) -> Path:
    """A copy of the folder `tests/<program>` inside `folder`, with the packages it needs."""
    copy = folder / program
    shutil.copytree(Path(__file__).parent / program, copy, ignore=shutil.ignore_patterns("node_modules"))
    command = [tool("npm"), "install", "--no-audit", "--no-fund", "--no-package-lock"]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return copy
