"""Workflow commands for GitHub Actions: an annotation for what matters, and the decision in plain words for the log.

`::error file=azure-backup/ABK301-x.yaml,line=21,title=ABK301 high%3A ...::message`. The place is the policy, in the folder that
holds the packs: a resource has no line. What a runner reads is told by github.com/actions/runner, `ActionCommand.cs`, how it
is escaped by github.com/actions/toolkit, `packages/core/src/command.ts`. Which findings are told: see `reporters.annotations`.
"""

from __future__ import annotations

from collections.abc import Iterator

from reporters.annotations import CHANNEL, Annotation, selected, told
from reporters.view import UNASKED, View
from scanner.model import ScanResult

PROFILES = CHANNEL


def render(result: ScanResult, view: View = UNASKED) -> Iterator[bytes]:
    """Write the decision, then the commands, one a line."""
    for line in told(result):
        yield f"{line}\n".encode()
    for one in selected(result, view):
        yield f"{_command(one)}\n".encode()


def _command(one: Annotation) -> str:
    place = {"file": one.file, "line": str(one.line)} if one.file else {}
    properties = ",".join(f"{name}={_property(value)}" for name, value in {**place, "title": one.title}.items())
    return f"::{one.level.word} {properties}::{_data(one.text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
