"""KQL as text: its tokens, its digest, and the exact words that are sent. Needs no engine."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

Kind = Literal["comment", "string", "bracket", "number", "name", "punctuation", "broken"]

_STRING = r"""[hH]?(?:@'(?:[^'\r\n]|'')*'|@"(?:[^"\r\n]|"")*"|'(?:[^'\\\r\n]|\\[^\r\n])*'|"(?:[^"\\\r\n]|\\[^\r\n])*")"""
_MULTI = r"[hH]?(?:```(?s:.*?)```|~~~(?s:.*?)~~~)"
_TOKEN = re.compile(
    rf"(?P<comment>//[^\r\n]*)"
    rf"|(?P<bracket>\[{_STRING}\])"
    rf"|(?P<string>{_MULTI}|{_STRING})"
    r"|(?P<broken>[hH]?@?(?:```|~~~|['\"])[^\r\n]*)"
    r"|(?P<number>0[xX][0-9a-fA-F]+|[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?[A-Za-z]*)"
    r"|(?P<name>[$]?\w+)"
    r"|(?P<punctuation>[=!<>][=~]|[<>]\||\.\.|(?s:[^ \t\r\n\f\v]))"
)
_BLANK = " \t\r\n\f\v"
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

# Words that the grammar refuses as bare column names: each was tried on Kql.g4 as duckdb-kql 1.1.2 carries it.
_WORDS = """
accumulate and anomalychart anomalycolumns areachart as asc bagexpansion barchart between bin_legacy boolean by card
columnchart consume contains contains_cs containscs count datascope datatable date datetime decimal decodeblocks desc
distinct double dynamic endswith endswith_cs entity_group expandoutput extend external_data externaldata false filter
find first flags float getschema has has_all has_any has_cs hasprefix hasprefix_cs hassuffix hassuffix_cs hotcache in
int int16 int32 int64 int8 invoke isfuzzy join kind ladderchart last like likecs limit linechart long materialize
mvapply mvexpand nooptimization not notcontains notcontainscs notlike notlikecs null of or order others panels parse
piechart pivotchart print project real regex relaxed sample scan scatterchart search serialize set simple sort
stackedareachart startswith startswith_cs string summarize table take time timechart timeline timepivot timespan title
to top toscalar totable treemap true uint uint16 uint32 uint64 uint8 ulong union uniqueid where with_itemindex
with_match_id with_node_id with_source with_step_name withsource
"""
KEYWORDS = frozenset(_WORDS.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One word of a query. `offset` counts characters from 0, `line` and `column` from 1.

    A broken token is a string that does not end on its line.
    """

    kind: Kind
    text: str
    offset: int
    line: int
    column: int

    @property
    def end(self) -> int:
        """The offset behind the last character."""
        return self.offset + len(self.text)


def tokens(kql: str) -> Iterator[Token]:
    """Every token of any text, comments included; what lies between them is white space."""
    line, start, seen = 1, 0, 0
    for match in _TOKEN.finditer(kql):
        breaks = kql.count("\n", seen, match.start())
        if breaks:
            line, start = line + breaks, kql.rindex("\n", 0, match.start()) + 1
        seen = match.start()
        kind: Kind = match.lastgroup  # type: ignore[assignment]
        yield Token(kind=kind, text=match[0], offset=seen, line=line, column=seen - start + 1)


def code(kql: str) -> list[Token]:
    """The tokens without comments and without the semicolons that end the text."""
    kept = [token for token in tokens(kql) if token.kind != "comment"]
    while kept and kept[-1].text == ";":
        kept.pop()
    return kept


def normalised(kql: str) -> str:
    """The text without comments, with white space outside strings folded to single blanks, trimmed, final `;` dropped."""
    parts: list[str] = []
    end = 0
    for token in code(kql):
        if parts and token.offset > end:
            parts.append(" ")
        parts.append(token.text)
        end = token.end
    return "".join(parts).strip(_BLANK)


def digest(kql: str) -> str:
    """The identity of a query: sha256 (64 hex digits) of its normalised text."""
    return hashlib.sha256(normalised(kql).encode("utf-8", "surrogatepass")).hexdigest()


def column(name: str) -> str:
    """A column name as it must stand in a query: bracket-quoted where the grammar would read something else."""
    if _PLAIN.fullmatch(name) and name not in KEYWORDS:
        return name
    escaped = name.replace("\\", "\\\\").replace("'", "\\'")
    return f"['{escaped}']"


def as_sent(kql: str, *, now: datetime, key: Sequence[str]) -> str:
    """The text with the only two edits ever made to it.

    `now()`, `now(x)` and `ago(x)` become literals of `now` (aware, any zone; microseconds kept), so that every page and
    every source means the same moment; and `order by` the key columns is appended, so that pages are stable.
    """
    words = code(kql)
    moment = f"datetime({now.astimezone(UTC).strftime('%Y-%m-%dT%H:%M:%S.%fZ')})"
    body = _clocked(kql, words, moment)
    order = ", ".join(f"{column(name)} asc" for name in key)
    return f"{body}\n| order by {order}" if order else body


def _clocked(kql: str, words: Sequence[Token], moment: str) -> str:
    """The text up to its last word, with each clock call replaced; calls inside calls included."""
    parts: list[str] = []
    done = 0
    index = 0
    while index < len(words):
        close = _call_end(words, index)
        if close is not None:
            token, inside = words[index], words[index + 2 : close]
            parts += [kql[done : token.offset], _moment(token.text, _argument(kql, inside, moment), moment)]
            done, index = words[close].end, close
        index += 1
    return "".join(parts) + (kql[done : words[-1].end] if words else "")


def _call_end(words: Sequence[Token], index: int) -> int | None:
    """The index of the bracket that closes the clock call at `index`; None where there is no such call."""
    token = words[index]
    if token.kind != "name" or token.text not in {"now", "ago"} or (index and words[index - 1].text == "."):
        return None
    depth = 0
    for at in range(index + 1, len(words)):
        depth += {"(": 1, ")": -1}.get(words[at].text, 0)
        if depth <= 0:
            return at if at > index + 1 else None
    return None


def _argument(kql: str, inside: Sequence[Token], moment: str) -> str:
    """The argument of a clock call as an operand: one word as it stands, more of them in brackets."""
    if not inside:
        return ""
    start = inside[0].offset
    shifted = [Token(kind=t.kind, text=t.text, offset=t.offset - start, line=t.line, column=t.column) for t in inside]
    text = _clocked(kql[start : inside[-1].end], shifted, moment)
    return text if len(inside) == 1 else f"({text})"


def _moment(name: str, argument: str, moment: str) -> str:
    """What a clock call means. `ago` without its argument is left to fail where it is checked."""
    if name == "ago":
        return f"({moment} - {argument})" if argument else "ago()"
    return f"({moment} + {argument})" if argument else moment


_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "a": "\a", "v": "\v", "0": "\0"}
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)


def unquoted(text: str) -> str:
    """The value of one string literal in any of Kusto's spellings."""
    text = text[1:] if text[:1] in {"h", "H"} else text
    if text[:3] in {"```", "~~~"}:
        return text[3:-3]
    if text.startswith("@"):
        return text[2:-1].replace(text[1] * 2, text[1])
    return _ESCAPE.sub(_unescaped, text[1:-1])


def _unescaped(match: re.Match[str]) -> str:
    code_point = match[1] or match[2] or match[3]
    if code_point is None:
        return _ESCAPES.get(match[4], match[4])
    value = int(code_point, 16)
    return chr(value) if value <= 0x10FFFF else match[0]
