"""Texts with `{path}` in them: a policy's message and subject."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from scanner.assertion.expression import ExpressionError
from scanner.assertion.paths import Path, parse_path, read
from scanner.model import Json

_PLACE = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A text and the paths that stand in it."""

    text: str
    parts: tuple[str | Path, ...]

    @property
    def reads(self) -> frozenset[Path]:
        """Every path that the text shows."""
        return frozenset(part for part in self.parts if isinstance(part, tuple))

    def render(self, view: Mapping[str, Json]) -> str:
        """The text with every path replaced by its value; null prints as `(none)`."""
        return "".join(part if isinstance(part, str) else show(read(view, part)) for part in self.parts)


def show(value: Json) -> str:
    """A value as a reader wants it: texts bare, everything else as JSON, null as `(none)`."""
    if value is None:
        return "(none)"
    return value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def compile_template(text: str) -> Template:
    """Read a text with `{path}` in it; raises ExpressionError with the place of a stray brace or a bad path."""
    parts: list[str | Path] = []
    end = 0
    for match in _PLACE.finditer(text):
        parts.append(_plain(text, end, match.start()))
        try:
            parts.append(parse_path(match[1]))
        except ValueError as error:
            raise ExpressionError(str(error), match.start()) from None
        end = match.end()
    parts.append(_plain(text, end, len(text)))
    return Template(text=text, parts=tuple(part for part in parts if part))


def _plain(text: str, start: int, end: int) -> str:
    for offset in range(start, end):
        if text[offset] in "{}":
            raise ExpressionError(f"a lone '{text[offset]}'; braces stand only around a path, as in {{name}}", offset)
    return text[start:end]
