"""Paths into a row: how they are written, what they find, and whether something on the way is missing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import TypeAlias

import orjson

from scanner.model import Json


class Many(Enum):
    """A step that leads to many values: the elements of a list, the values of an object, or a list's items else itself."""

    EACH = "[*]"
    VALUES = ".*"
    SPLAT = "[]"


EACH = Many.EACH
Step: TypeAlias = str | int | Many
Path: TypeAlias = tuple[Step, ...]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_STEP = re.compile(r"(?P<dot>\.?)(?P<name>[A-Za-z_][A-Za-z0-9_]*)|\[(?P<index>-?[0-9]+)\]|(?P<each>\[\*\])")


def parse_path(text: str) -> Path:
    """Read `status.agent_code`, `locks[*].level` or `zones[0]`; ValueError when it is none of these."""
    steps: list[Step] = []
    position = 0
    while position < len(text) or not steps:
        match = _STEP.match(text, position)
        if match is None or not (bool(match["dot"]) is bool(steps) if match["name"] else steps):
            raise ValueError(f"'{text}' is not a path such as name, status.agent_code or locks[*].level")
        steps.append(match["name"] or (EACH if match["each"] else int(match["index"])))
        position = match.end()
    return tuple(steps)


def path_text(path: Path) -> str:
    """A path as a policy would write it."""
    text = ""
    for step in path:
        if isinstance(step, Many):
            text += step.value
        elif isinstance(step, int):
            text += f"[{step}]"
        else:
            name = step if _NAME.fullmatch(step) else orjson.dumps(step).decode()
            text += f".{name}" if text else name
    return text


def read(value: Json, path: Path) -> Json:
    """What stands at `path`: None where there is nothing, a list where a step leads to many values."""
    for position, step in enumerate(path):
        if isinstance(step, Many):
            return [read(item, path[position + 1 :]) for item in _many(value, step) or ()]
        value = _one(value, step)
    return value


def first_missing(value: Json, path: Path, optional: Iterable[Path] = ()) -> Path | None:
    """The shortest prefix of `path` that is absent or null, or None where every value is there.

    An optional path may be absent as far as it goes: with `a` optional, `a.b` needs its `b` only where there is an `a`.
    What is there but of another kind (a text where `a.b` needs an object) is missing, optional or not.
    """
    excused = max((len(other) for other in optional if path[: len(other)] == other), default=0)
    position = _missing_from(value, path, excused)
    return None if position is None else path[:position]


def _missing_from(value: Json, path: Path, excused: int, position: int = 0) -> int | None:
    while position < len(path):
        step = path[position]
        position += 1
        if isinstance(step, Many):
            items = _many(value, step)
            return position if items is None else next(_holes(items, path, excused, position), None)
        found = _one(value, step)
        if found is None:
            return None if position <= excused and _leads(value, step) else position
        value = found
    return None


def _holes(items: Iterable[Json], path: Path, excused: int, position: int) -> Iterator[int]:
    for item in items:
        if item is None:
            if position > excused:
                yield position
            continue
        hole = _missing_from(item, path, excused, position)
        if hole is not None:
            yield hole


def _leads(value: Json, step: str | int) -> bool:
    return isinstance(value, list) if isinstance(step, int) else isinstance(value, Mapping)


def _one(value: Json, step: str | int) -> Json:
    if isinstance(step, int):
        inside = isinstance(value, list) and -len(value) <= step < len(value)
        return value[step] if inside else None
    return value.get(step) if isinstance(value, Mapping) else None


def _many(value: Json, step: Many) -> Iterable[Json] | None:
    if step is Many.VALUES:
        return value.values() if isinstance(value, Mapping) else None
    if isinstance(value, list):
        return value
    return [value] if step is Many.SPLAT else None
