"""arguard in processes of its own: an emulator that serves, and commands that ask it."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ARGUARD = (sys.executable, str(ROOT / "arguard.py"))


def clean_environment() -> dict[str, str]:
    """The environment without what would lead a live scan elsewhere."""
    misleading = [name for name in os.environ if name.startswith("ARGUARD_") or name.lower().endswith("_proxy")]
    return {name: value for name, value in os.environ.items() if name not in misleading}


@contextmanager
def emulator_process(estate: Path, *options: str) -> Iterator[Mapping[str, str]]:
    """`arguard emulate --snapshot ESTATE <options>` until the block ends: the environment that makes clients use it."""
    command = [*ARGUARD, "emulate", "--snapshot", str(estate), *options]
    with subprocess.Popen(command, env=clean_environment(), stdout=subprocess.PIPE, text=True) as process:
        try:
            yield {**clean_environment(), **dict(_exports(process))}
        finally:
            process.terminate()


def _exports(process: subprocess.Popen[str]) -> Iterator[tuple[str, str]]:
    """What it prints: a remark, then the variables, then remarks again."""
    assert process.stdout is not None
    found = False
    for line in process.stdout:
        words = shlex.split(line, comments=True)
        if words:
            found = True
            name, _, value = words[1].partition("=")
            yield name, value
        elif found:
            return
    raise RuntimeError("the emulator did not start")
