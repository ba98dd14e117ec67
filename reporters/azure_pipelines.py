"""Logging commands for Azure Pipelines (`-o azure-pipelines`): an issue for what matters, and plain lines for the log.

`##vso[task.logissue type=error;sourcepath=azure-backup/ABK301-x.yaml;linenumber=21;columnnumber=1;code=ABK301]message`. There
are errors and warnings alone, so a notice is a plain line. A column is always given, because the agent writes
`path(line,column)` into the message. What an agent reads is told by github.com/microsoft/azure-pipelines-agent, `Command.cs`,
`CommandStringConvertor.cs` and `TaskCommandExtension.cs`. The result of the task is left alone: the exit code is the gate, and
`task.complete` would hide it. Which findings are told: see `reporters.annotations`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from reporters.annotations import CHANNEL, Annotation, Level, selected, told
from reporters.view import UNASKED, View
from scanner.model import ScanResult

PROFILES = CHANNEL
_READ_BACK = re.compile(r"%(?=3B|0D|0A|5D|AZP25)")
"""A percent sign that agents would take for an escape. Whether `%AZP25` is one is a setting, so a blank breaks all of them."""
_ESCAPES = {";": "%3B", "\r": "%0D", "\n": "%0A", "]": "%5D"}


def render(result: ScanResult, view: View = UNASKED) -> Iterator[bytes]:
    """Write the decision, then the issues, one a line."""
    for line in told(result):
        yield f"{line}\n".encode()
    for one in selected(result, view):
        yield f"{_plain(one) if one.level is Level.NOTICE else _command(one)}\n".encode()


def _plain(one: Annotation) -> str:
    return f"notice: {one.title}: {one.text}"


def _command(one: Annotation) -> str:
    place = {"sourcepath": one.file, "linenumber": str(one.line), "columnnumber": "1"} if one.file else {}
    properties = {"type": one.level.word, **place, "code": one.code}
    written = "".join(f"{name}={_escaped(value)};" for name, value in properties.items())
    return f"##vso[task.logissue {written}]{_escaped(f'{one.title}: {one.text}')}"


def _escaped(text: str) -> str:
    broken = _READ_BACK.sub("% ", text)
    return "".join(_ESCAPES.get(char, char) for char in broken)
