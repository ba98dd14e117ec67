"""Which members of a row a query looks into before it projects: read off its tokens, so that no engine is needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scanner.kql.arg import COLUMNS
from scanner.kql.text import Token, code, unquoted

Members = tuple[str, ...]
"""Names from a column down: `properties.settings['mode']` is (properties, settings, mode); indexes are left out."""


def selecting(kql: str) -> frozenset[Members]:
    """What decides which rows there are: every path into a dynamic value, but for those of the last projection."""
    words = code(kql)
    return frozenset(path for path in _paths(words[: _last_projection(words)]) if len(path) > 1)


def looks_into(paths: frozenset[Members], hidden: Members) -> bool:
    """Whether one of these paths leads to a hidden member or through it; behind a column of another name, by its name."""
    return any(path[: len(hidden)] == hidden or (path[0] not in COLUMNS and hidden[-1] in path[1:]) for path in paths)


def _last_projection(words: Sequence[Token]) -> int:
    """The index of the last operator if it is `project`, else the end."""
    depth, last = 0, len(words)
    for index, word in enumerate(words):
        depth += (word.text in {"(", "[", "{"}) - (word.text in {")", "]", "}"})
        if word.text == "|" and depth == 0:
            last = index
    follows = [word.text for word in words[last + 1 : last + 3]]
    return last if follows[:1] == ["project"] and follows[1:] != ["-"] else len(words)


def _paths(words: Sequence[Token]) -> Iterator[Members]:
    index = 0
    while index < len(words):
        path: list[str] = []
        if words[index].kind in {"name", "bracket"}:
            path = [_name(words[index])]
            while step := _step(words, index):
                index, found = step
                path += found
        index += 1
        yield tuple(path)


def _step(words: Sequence[Token], index: int) -> tuple[int, list[str]] | None:
    """The last token of the next step of a path, and the name that it adds, if any."""
    follows = [word.text for word in words[index + 1 : index + 4]]
    if follows[:1] == ["."] and len(follows) > 1:
        return index + 2, [_name(words[index + 2])]
    if len(words) > index + 1 and words[index + 1].kind == "bracket":
        return index + 1, [_name(words[index + 1])]
    if follows[:1] == ["["] and follows[2:] == ["]"]:
        inside = words[index + 2]
        return index + 3, [unquoted(inside.text)] if inside.kind == "string" else []
    return None


def _name(word: Token) -> str:
    return unquoted(word.text[1:-1]) if word.kind == "bracket" else word.text
