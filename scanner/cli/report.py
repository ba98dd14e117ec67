"""`arguard report`: a stored result, told again in other formats."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from scanner.cli import outputs, writing
from scanner.cli.failures import say
from scanner.errors import OutputError
from scanner.sources.result import read_result


def run(result: Path, texts: Sequence[str], includes: Sequence[str]) -> int:
    """Write every report that was asked for, the console report if none was; 0, or 4 where one cannot be written."""
    asked = outputs.parse(texts, includes) if texts or includes else (outputs.Output(format="console"),)
    outputs.check(asked, inputs={}, quiet=True)
    if any(output.file and output.file.resolve() == result.resolve() for output in asked):
        raise OutputError(f"{result}: is the result that is read", hint="name another file")
    problems = writing.write(asked, read_result(result))
    for problem in problems:
        say(sys.stderr, f"not written: {problem}")
    files = [str(output.file) for output in asked if output.file]
    if files and not problems:
        say(sys.stderr, f"written: {', '.join(files)}")
    return 4 if problems else 0
