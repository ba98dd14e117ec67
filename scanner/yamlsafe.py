"""Strict YAML: what a policy may be written in, read without surprises, every problem with its place.

Accepted is a small, plain part of YAML: one document of mappings, lists and scalars. Plain scalars follow the core schema, less
its floats: null, true, false and integers; everything else is text, as it stands. Refused, because each has made
some reader see something else than the author wrote: anchors, aliases, merge keys, tags, directives, duplicate keys, control
characters, several documents, nothing at all. The caps on size and depth hold before any tree is built.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from scanner.errors import InputError, Problem
from scanner.nodes import Entry, ListNode, MappingNode, Node, Position, ScalarNode

LARGEST = 256 * 1024
"""Bytes in a file. Checked first: the parser alone needs minutes for megabytes of brackets."""
DEEPEST = 30
"""Levels of nesting. Checked on the event stream: the C composer dies of 50,000 nested brackets."""

_LARGEST_INTEGER = 2**53
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
# C0 without tab and newline, DEL, C1, line and paragraph separators, bidirectional controls, BOM, surrogates, non-characters.
_FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff\ufffe\uffff]")
# What YAML 1.1 (and 1.2, for some) reads as another type: yaml.org/type/{bool,null,int,float,timestamp}.html
_ODD = (
    ("a boolean", re.compile(r"(?i:y|n|yes|no|on|off|true|false)")),
    ("null", re.compile(r"(?i:null)")),
    ("a date", re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt \t].*)?")),
    (
        "a number",
        re.compile(r"[-+]?(0[xob][0-9A-Fa-f_]+|[0-9][0-9_]*(:[0-9]{1,2})+(\.[0-9_]*)?|\.(inf|Inf|INF))|\.(nan|NaN|NAN)"),
    ),
    ("a number", re.compile(r"[-+]?([0-9][0-9_]*(\.[0-9_]*)?|\.[0-9][0-9_]*)([eE][-+]?[0-9]+)?")),
)
_TAB = "a tab is used for indentation; indent with spaces"
_HINTS = (
    ("mapping values are not allowed", "': ' inside plain text starts a mapping; quote the text or write it in a | block"),
    ("a tab character", _TAB),
    ("exceeded maximum nesting depth", f"nested more than {DEEPEST} levels deep"),
)


def load(text: bytes | str, file: str) -> Node:
    """Read one document; raises InputError with every problem that can be found. `file` is how problems name it."""
    source = _decode(text, file)
    # What ends at the end of the file is placed on the line after the last.
    builder = _Builder(file=file, lines=[*source.split("\n"), ""])
    try:
        for event in yaml.parse(source, Loader=yaml.CSafeLoader):
            if not builder.take(event):
                break
    except yaml.MarkedYAMLError as error:
        builder.refuse(*_explain(error, builder.lines))
    if builder.root is None or builder.problems:
        raise InputError(
            builder.problems or [Problem(file=file, text="the file is empty: there is no policy or other document in it")]
        )
    return builder.root


def decode(text: bytes, file: str, largest: int = LARGEST) -> str:
    r"""Strict UTF-8 with `\n` line ends, no byte order mark, no control characters; raises InputError with every problem."""
    if len(text) > largest:
        raise InputError([Problem(file=file, text=f"the file is larger than {largest // 1024} KiB, the most that is read")])
    try:
        source = text.decode("utf-8", "surrogatepass").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        before = text[: error.start]
        column = len(before.rpartition(b"\n")[2].decode("utf-8", "replace")) + 1
        words = f"byte 0x{text[error.start]:02X} is not UTF-8; save the file as UTF-8"
        raise InputError([Problem(file=file, line=before.count(b"\n") + 1, column=column, text=words)]) from None
    problems = [
        Problem(file=file, line=number, column=match.start() + 1, text=_forbidden(match[0]))
        for number, line in enumerate(source.split("\n"), 1)
        for match in _FORBIDDEN.finditer(line)
    ]
    if problems:
        raise InputError(problems)
    return source


def _decode(text: bytes | str, file: str) -> str:
    return decode(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text, file)


def _forbidden(character: str) -> str:
    if character == "\ufeff":
        return "the file has a byte order mark (U+FEFF); save it as UTF-8 without BOM"
    return f"the character U+{ord(character):04X} is not allowed; it would not be seen"


def _explain(error: yaml.MarkedYAMLError, lines: list[str]) -> tuple[Position, str]:
    """The place and the words for what the parser refused."""
    position = _position(error.problem_mark)
    text = lines[position.line - 1]
    here, problem = text[position.column - 1 : position.column], str(error.problem)
    if here == "\t" and not text[: position.column].strip():
        return position, _TAB
    for words, hint in _HINTS:
        if words in problem:
            return position, hint
    if "cannot start any token" in problem:
        return position, f"plain text cannot start with '{here}'; quote it"
    context = f" {error.context}" if error.context else ""
    return position, f"not YAML: {problem}{context}"


@dataclass(slots=True, kw_only=True)
class _Open:
    """A mapping or list whose end has not come yet."""

    position: Position
    is_mapping: bool
    items: list[Node] = field(default_factory=list)
    entries: dict[str, Entry] = field(default_factory=dict)
    key: tuple[str, Position] | None = None

    def close(self) -> Node:
        if self.is_mapping:
            return MappingNode(position=self.position, entries=tuple(self.entries.values()))
        return ListNode(position=self.position, items=tuple(self.items))


@dataclass(slots=True, kw_only=True)
class _Builder:
    """Makes nodes of events; gathers problems and goes on as long as the rest can still be understood."""

    file: str
    lines: list[str]
    problems: list[Problem] = field(default_factory=list)
    root: Node | None = None
    stack: list[_Open] = field(default_factory=list)
    documents: int = 0

    def refuse(self, position: Position, text: str) -> None:
        self.problems.append(Problem(file=self.file, line=position.line, column=position.column, text=text))

    def take(self, event: yaml.Event) -> bool:
        """Use one event; false when reading on makes no sense."""
        position = _start(event)
        if isinstance(event, yaml.DocumentStartEvent):
            return self._document(event, position)
        if isinstance(event, yaml.AliasEvent):
            self.refuse(
                position, f"aliases are not allowed (*{event.anchor}); write the value out, or quote a text that starts with *"
            )
            self._add(ScalarNode(position=position, value=""))
        elif isinstance(event, yaml.ScalarEvent):
            self._check_properties(event, position)
            self._add(self._scalar(event, position))
        elif isinstance(event, yaml.CollectionStartEvent):
            self._check_properties(event, position)
            return self._open(position, is_mapping=isinstance(event, yaml.MappingStartEvent))
        elif isinstance(event, yaml.CollectionEndEvent):
            self._add(self.stack.pop().close())
        return True

    def _document(self, event: yaml.DocumentStartEvent, position: Position) -> bool:
        self.documents += 1
        if self.documents > 1:
            self.refuse(position, "a second document starts here; a file holds exactly one")
            return False
        if event.version or event.tags:
            self.refuse(position, "directives (%YAML, %TAG) are not allowed")
        return True

    def _check_properties(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent, position: Position) -> None:
        if event.anchor is not None:
            self.refuse(position, f"anchors are not allowed (&{event.anchor}); quote a text that starts with &")
        if event.tag is not None:
            self.refuse(position, f"tags are not allowed ({event.tag}); quote a text that starts with !")

    def _open(self, position: Position, *, is_mapping: bool) -> bool:
        if len(self.stack) >= DEEPEST:
            self.refuse(position, f"nested more than {DEEPEST} levels deep")
            return False
        self.stack.append(_Open(position=position, is_mapping=is_mapping))
        return True

    def _add(self, node: Node) -> None:
        if not self.stack:
            # A document of nothing but comments is one empty scalar: the same as no document.
            self.root = None if isinstance(node, ScalarNode) and node.value is None else node
            return
        top = self.stack[-1]
        if not top.is_mapping:
            top.items.append(node)
        elif top.key is None:
            top.key = self._key(node), node.position
        else:
            (key, position), top.key = top.key, None
            if first := top.entries.get(key):
                self.refuse(position, f"the key '{key}' is here a second time; the first is on line {first.position.line}")
            else:
                top.entries[key] = Entry(key=key, position=position, value=node)

    def _key(self, node: Node) -> str:
        if not isinstance(node, ScalarNode) or node.block:
            self.refuse(node.position, "a key must be a text on one line")
            return f"{node.position}"
        if node.value == "<<" and node.first == node.position:
            self.refuse(node.position, "merge keys (<<) are not allowed; write the values out")
        elif not isinstance(node.value, str):
            self.refuse(node.position, f"a key must be a text; quote {self._word(node.position)}")
        return str(node.value)

    def _word(self, position: Position) -> str:
        words = re.match(r"[^\s:,\]}]*", self.lines[position.line - 1][position.column - 1 :])
        return words[0] if words and words[0] else "it"

    def _scalar(self, event: yaml.ScalarEvent, position: Position) -> ScalarNode:
        block = event.style in {"|", ">"}
        if not block and (match := re.search(r"[\x00-\x1f]", event.value) or _FORBIDDEN.search(event.value)):
            self.refuse(position, f"the text holds the character U+{ord(match[0]):04X}; longer texts go into a | block")
        first = _literal(event, self.lines) if block else _inline(event, self.lines)
        if event.style or not event.implicit[0]:
            return ScalarNode(position=position, value=event.value, first=first, block=block)
        if _INTEGER.fullmatch(event.value):
            return ScalarNode(position=position, value=self._integer(event.value, position), first=first)
        words: dict[str, bool | None] = {"": None, "~": None, "null": None, "true": True, "false": False}
        if event.value in words:
            return ScalarNode(position=position, value=words[event.value], first=first)
        return ScalarNode(position=position, value=event.value, first=first, odd=_odd(event.value))

    def _integer(self, text: str, position: Position) -> int:
        if len(text) <= len(str(-_LARGEST_INTEGER)) and abs(int(text)) <= _LARGEST_INTEGER:
            return int(text)
        self.refuse(
            position, f"the integer is beyond {_LARGEST_INTEGER} (2^53), where readers differ; quote it if it is a text"
        )
        return 0


def _start(event: yaml.Event) -> Position:
    return _position(event.start_mark)


def _position(mark: Any) -> Position:
    """A mark as a position; the parser sets one on every event, though its type allows none."""
    return Position(mark.line + 1, mark.column + 1)


def _odd(value: str) -> str:
    return next((name for name, pattern in _ODD if len(value) <= 64 and pattern.fullmatch(value)), "")


def _inline(event: yaml.ScalarEvent, lines: list[str]) -> Position | None:
    """Where the text of a plain or quoted scalar starts, if the file spells it as it is."""
    start, end = _position(event.start_mark), _position(event.end_mark)
    skip = 1 if event.style else 0
    raw = lines[start.line - 1][start.column - 1 + skip : end.column - 1 - skip] if start.line == end.line else None
    return Position(start.line, start.column + skip) if raw == event.value else None


def _literal(event: yaml.ScalarEvent, lines: list[str]) -> Position | None:
    """Where the content of a `|` block starts; its indent is that column less one. None for folded and blank blocks."""
    first = _start(event).line
    for number, text in enumerate(event.value.split("\n") if event.style == "|" else ()):
        if text.strip():
            return Position(first + 1, len(lines[first + number]) - len(text) + 1)
    return None
