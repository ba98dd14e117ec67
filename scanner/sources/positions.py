"""Where the keys and values of a JSON text stand, so that a complaint can point at them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import orjson

Path: TypeAlias = tuple[str | int, ...]

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"|[][{},:]|[^\s\[\]{},:"]++')


class Position(NamedTuple):
    """A place in a text; both numbers count from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The places in a JSON text by path: of values, of the keys that name them, and of keys repeated in one object."""

    values: Mapping[Path, Position]
    keys: Mapping[Path, Position]
    repeated: tuple[tuple[Path, Position], ...]

    def value(self, path: Path) -> Position:
        """The place of a value, or of the nearest one that holds it."""
        while path and path not in self.values:
            path = path[:-1]
        return self.values.get(path, Position(1, 1))

    def key(self, path: Path) -> Position:
        """The place of the key that names a value; of the value itself inside a list."""
        return self.keys.get(path) or self.value(path)


def places(text: str) -> Places:
    """The places in a text that is already known to be JSON."""
    values: dict[Path, Position] = {}
    keys: dict[Path, Position] = {}
    repeated: list[tuple[Path, Position]] = []
    stack: list[_Open] = []
    lines = _Lines(text)
    for token in _TOKEN.finditer(text):
        word = token.group()
        if word in ("]", "}"):
            stack.pop()
        elif word == ",":
            stack[-1].step()
        elif word == ":":
            stack[-1].named = True
        elif stack and stack[-1].wants_key:
            path = stack[-1].name(orjson.loads(word))
            if path in keys:
                repeated.append((path, lines.position(token.start())))
            keys[path] = lines.position(token.start())
        else:
            path = stack[-1].path if stack else ()
            values[path] = lines.position(token.start())
            if word in ("[", "{"):
                stack.append(_Open(base=path, is_object=word == "{"))
    return Places(values=values, keys=keys, repeated=tuple(repeated))


class _Open:
    """A container that is being read: the path of its current member, and whether its key was read."""

    def __init__(self, *, base: Path, is_object: bool) -> None:
        self._base = base
        self._is_object = is_object
        self.path: Path = base if is_object else (*base, 0)
        self.named = False

    @property
    def wants_key(self) -> bool:
        return self._is_object and not self.named

    def name(self, key: str) -> Path:
        self.path = (*self._base, key)
        return self.path

    def step(self) -> None:
        self.named = False
        if not self._is_object:
            self.path = (*self._base, int(self.path[-1]) + 1)


class _Lines:
    """Lines and columns of offsets that only grow, without counting from the start each time."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._line = 1
        self._start = 0

    def position(self, offset: int) -> Position:
        while (end := self._text.find("\n", self._start, offset)) >= 0:
            self._line += 1
            self._start = end + 1
        return Position(self._line, offset - self._start + 1)
