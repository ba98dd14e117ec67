"""A YAML document as a tree of plain values, each with its place in the file, so that every complaint can point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from scanner.model import Json

Part: TypeAlias = str | int
"""One step into a tree: a key of a mapping or an index of a list."""


class Position(NamedTuple):
    """A place in a file; both numbers count from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalarNode:
    """One value: null, a boolean, an integer or a text.

    `first` is where the first character of a text stands, or None where the file spells it differently (escapes, folded
    lines). `block` tells a literal block (`|`). `odd` says what other YAML readers take a plain text for: "a boolean",
    "null", "a number" or "a date"; empty for every ordinary value.
    """

    position: Position
    value: bool | int | str | None
    first: Position | None = None
    block: bool = False
    odd: str = ""

    def plain(self) -> Json:
        """The value as Python data."""
        return self.value

    def place(self, offset: int) -> Position:
        """The place of a character of the text, counted from 0: exact where the file spells the text as it is."""
        if self.first is None:
            return self.position
        before = str(self.value)[:offset]
        return Position(self.first.line + before.count("\n"), self.first.column + len(before) - (before.rfind("\n") + 1))

    def at(self, path: Sequence[Part]) -> Position:  # noqa: ARG002 - nothing lies deeper
        """The place of the value itself."""
        return self.position


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A key of a mapping, where it stands, and its value."""

    key: str
    position: Position
    value: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingNode:
    """Keys and values in the order of the file."""

    position: Position
    entries: tuple[Entry, ...] = ()

    def plain(self) -> Json:
        """The mapping as a dict."""
        return {entry.key: entry.value.plain() for entry in self.entries}

    def entry(self, key: Part) -> Entry | None:
        """The entry of a key, or None."""
        return next((entry for entry in self.entries if entry.key == key), None)

    def at(self, path: Sequence[Part]) -> Position:
        """The place of the value at `path`, or of the last part of the path that exists."""
        entry = self.entry(path[0]) if path else None
        return entry.value.at(path[1:]) if entry else self.position


@dataclass(frozen=True, slots=True, kw_only=True)
class ListNode:
    """Values in the order of the file."""

    position: Position
    items: tuple[Node, ...] = ()

    def plain(self) -> Json:
        """The values as a list."""
        return [item.plain() for item in self.items]

    def at(self, path: Sequence[Part]) -> Position:
        """The place of the value at `path`, or of the last part of the path that exists."""
        if path and isinstance(path[0], int) and 0 <= path[0] < len(self.items):
            return self.items[path[0]].at(path[1:])
        return self.position


Node: TypeAlias = ScalarNode | MappingNode | ListNode


def find(node: Node, path: Sequence[Part]) -> Node | None:
    """The node at `path`, or None where there is none."""
    for part in path:
        if isinstance(node, MappingNode):
            entry = node.entry(part)
            if entry is None:
                return None
            node = entry.value
        elif isinstance(node, ListNode) and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
        else:
            return None
    return node


def key_position(node: Node, path: Sequence[Part]) -> Position:
    """The place of the key that `path` ends in; of the value where it ends in an index or nowhere."""
    parent = find(node, path[:-1]) if path else None
    entry = parent.entry(path[-1]) if isinstance(parent, MappingNode) else None
    return entry.position if entry else node.at(path)
