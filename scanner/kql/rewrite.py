"""What ARG takes and the published Kusto grammar does not: rewritten token by token, each place traceable to the author's text.

Lines never change; columns do. The rewrites: a column or member `kind` (a grammar keyword) and other keywords after a dot
become bracket-quoted, `count(x)` becomes `count()`, `.[` becomes `[`, an unnamed path of mv-expand gets the name that
Kusto gives it, and a text that begins with an operator reads `Resources`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from scanner.kql.arg import STARTS
from scanner.kql.text import KEYWORDS, Token, code, column

_COLUMN_LISTS = frozenset({",", "project", "extend", "summarize", "by", "distinct", "rename", "away", "with", "("})
_COMMENT = re.compile(r"//[^\r\n]*")
_CLOSING = {")", "]", "}"}
_OPENING = {"(", "[", "{"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewritten:
    """The text for the grammar, and the author's token behind each of its places."""

    text: str
    offsets: tuple[int, ...]
    words: tuple[Token, ...]

    def place(self, offset: int) -> tuple[int, int]:
        """The line and column, from 1, where the author wrote what stands at an offset of the rewritten text."""
        index = max(bisect_right(self.offsets, offset) - 1, 0)
        if not self.words:
            return 1, 1
        word = self.words[index]
        inside = offset - self.offsets[index]
        return word.line, word.column + (inside if 0 < inside <= len(word.text) else 0)


def rewrite(kql: str) -> Rewritten:
    """The text as the grammar takes it; a text without any of these constructs comes back as it is, comments excepted."""
    words = code(kql)
    changed = {**_kinds(words), **_members(words), **_counts(words)}
    named = dict(_expansions(words))
    parts: list[str] = []
    offsets: list[int] = []
    length = done = 0
    for index, word in enumerate(words):
        lead = ("Resources | " if index == 0 and _headless(words) else "") + named.get(index, "")
        gap = _COMMENT.sub(" ", kql[done : word.offset]) + lead
        parts += [gap, changed.get(index, word.text)]
        offsets.append(length + len(gap))
        length += len(gap) + len(parts[-1])
        done = word.end
    return Rewritten(text="".join(parts), offsets=tuple(offsets), words=tuple(words))


def _headless(words: Sequence[Token]) -> bool:
    """Whether the text begins with an operator instead of a table."""
    first = words[0].text
    if len(words) > 2 and words[1].text == "-":
        first = f"{first}-{words[2].text}"
    return first in STARTS or first.startswith("project-")


def _text(words: Sequence[Token], index: int) -> str:
    return words[index].text if 0 <= index < len(words) else ""


def _kinds(words: Sequence[Token]) -> dict[int, str]:
    """Each `kind` that is a column, not the parameter of an operator."""
    found = {}
    for index, word in enumerate(words):
        if word.text != "kind" or word.kind != "name" or _text(words, index - 1) == ".":
            continue
        option = _text(words, index + 1) == "=" and _text(words, index - 1) not in _COLUMN_LISTS
        expand = _text(words, index - 1) in {"expand", "mvexpand"} and _text(words, index + 2) not in {"array", "bag"}
        if not option or expand:
            found[index] = "['kind']"
    return found


def _members(words: Sequence[Token]) -> dict[int, str]:
    """Each `.keyword` and `.[`; the dot goes."""
    found = {}
    for index, word in enumerate(words):
        follower = _text(words, index + 1)
        if word.text != "." or not index:
            continue
        if follower.startswith("["):
            found[index] = ""
        elif follower in KEYWORDS and _text(words, index + 2) != "(":
            found[index] = ""
            found[index + 1] = f"['{follower}']"
    return found


def _counts(words: Sequence[Token]) -> dict[int, str]:
    """The argument of each `count(x)`: ARG takes it and counts rows."""
    found: dict[int, str] = {}
    for index, word in enumerate(words):
        if word.text == "count" and word.kind == "name" and _text(words, index + 1) == "(":
            close = _close(words, index + 1)
            found |= dict.fromkeys(range(index + 2, close), "")
    return found


def _close(words: Sequence[Token], index: int) -> int:
    """The index of the bracket that closes the one at `index`, or the end."""
    depth = 0
    for at in range(index, len(words)):
        depth += (words[at].text in _OPENING) - (words[at].text in _CLOSING)
        if depth == 0:
            return at
    return len(words)


def _expansions(words: Sequence[Token]) -> Iterator[tuple[int, str]]:
    """The names of unnamed mv-expand paths, each with the index of the path's first word."""
    for index, word in enumerate(words):
        if word.text == "mvexpand" or (
            word.text == "expand" and [w.text for w in words[max(index - 2, 0) : index]] == ["mv", "-"]
        ):
            at = index + 1
            while _text(words, at + 1) == "=" and _text(words, at) in {"kind", "bagexpansion", "with_itemindex"}:
                at += 3
            yield from _columns_of_expansion(words, at)


def _columns_of_expansion(words: Sequence[Token], at: int) -> Iterator[tuple[int, str]]:
    while at < len(words) and words[at].text not in {"|", "limit", ")"}:
        end = _item_end(words, at)
        path = words[at:end]
        if (
            len(path) > 1
            and path[1].text != "="
            and all(w.kind in {"name", "number", "bracket"} or w.text in ".[]" for w in path)
        ):
            yield at, column("_".join(w.text.strip("[]'\"") for w in path if w.text not in ".[]")) + " = "
        at = end
        while at < len(words) and words[at].text not in {"|", "limit", ")", ","}:
            at = max(_close(words, at), at) + 1
        at += _text(words, at) == ","


def _item_end(words: Sequence[Token], at: int) -> int:
    """The index behind one column of mv-expand, before `to typeof(...)`, a comma, a limit, or what follows the operator."""
    while at < len(words) and words[at].text not in {"|", "limit", ")", ",", "to"}:
        at = _close(words, at) + 1 if words[at].text in _OPENING else at + 1
    return at
