"""Parsing with the published Kusto grammar, and its errors in words that help.

The grammar tells where prediction failed, which is often the first pipe of the query. So after an error each operator is
tried alone behind a table, innermost brackets first, and the ones that do not parse are told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from scanner.kql import syntax as node
from scanner.kql.rewrite import Rewritten
from scanner.kql.shape import KqlProblem, KqlProblems
from scanner.kql.text import KEYWORDS, Token, tokens
from scanner.kql.tree import statements

_OPERATORS = """
where extend project project-away project-rename project-keep project-reorder join union mv-expand mvexpand parse summarize
distinct order sort take limit top count sample lookup evaluate mv-apply make-series render search find print range invoke
serialize as consume facet fork getschema partition reduce scan parse-where parse-kv sample-distinct top-nested top-hitters
"""
_LISTS = frozenset({",", "project", "extend", "by", "distinct", "summarize", "away", "rename", "(", "where", "and", "or", "on"})


def parsed(query: Rewritten) -> list[node.Query | node.Foreign]:
    """The statements of a query; KqlProblems with every operator that does not parse."""
    import duckdb_kql  # noqa: PLC0415 - the grammar takes a tenth of a second to load

    try:
        return statements(duckdb_kql.parse(query.text).tree)
    except duckdb_kql.KqlSyntaxError as error:
        span = error.diagnostics[0].span
        whole = _offset(query.text, span.line, span.column)
    words = list(tokens(query.text))
    found = list(_failures(query.text, words)) or [(whole, "the query does not parse here")]
    raise KqlProblems(_problem(query, at, text) for at, text in found)


def _problem(query: Rewritten, at: int, text: str) -> KqlProblem:
    line, column = query.place(at)
    return KqlProblem(line=line, column=column, text=f"syntax: {text}", complaint="syntax")


def _offset(text: str, line: int, column: int) -> int:
    """The offset of a place as the parser tells it: lines from 1, columns from 0."""
    before = text.split("\n")[: line - 1]
    return sum(len(each) + 1 for each in before) + column


def _failures(text: str, words: Sequence[Token]) -> Iterator[tuple[int, str]]:
    """The operators between the pipes of one level that do not parse, each with its place."""
    if unclosed := _unclosed(words):
        yield unclosed
        return
    for index, part in enumerate(_parts(words)):
        if not part or not _failure(text, part, source=index == 0):
            yield from () if part else [(words[0].offset, "there is nothing between two pipes")]
            continue
        inner = [problem for group in _groups(part) for problem in _failures(text, group)]
        yield from inner or [_explained(text, part, source=index == 0)]


def _unclosed(words: Sequence[Token]) -> tuple[int, str] | None:
    """The first bracket without its partner."""
    pairs = {")": "(", "]": "[", "}": "{"}
    opened: list[Token] = []
    for word in words:
        if word.text in pairs.values():
            opened.append(word)
        elif word.text in pairs:
            partner = opened.pop().text if opened else ""
            if partner != pairs[word.text]:
                return word.offset, f"`{word.text}` closes nothing"
    return (opened[-1].offset, f"`{opened[-1].text}` is not closed") if opened else None


def _parts(words: Sequence[Token]) -> Iterator[list[Token]]:
    """The words between the pipes of the outermost level."""
    depth, part = 0, list[Token]()
    for word in words:
        depth += (word.text in {"(", "[", "{"}) - (word.text in {")", "]", "}"})
        if word.text == "|" and depth == 0:
            yield part
            part = []
        else:
            part.append(word)
    yield part


def _groups(part: Sequence[Token]) -> Iterator[list[Token]]:
    """The insides of outermost brackets that hold a query."""
    depth, start = 0, 0
    for index, word in enumerate(part):
        if word.text == "(":
            depth += 1
            start = index + 1 if depth == 1 else start
        elif word.text == ")":
            depth -= 1
            group = list(part[start:index])
            if depth == 0 and any(each.text == "|" for each in group):
                yield group


def _failure(text: str, part: Sequence[Token], *, source: bool) -> int | None:
    """Where one operator does not parse, in characters of the whole text; None where it does."""
    import duckdb_kql  # noqa: PLC0415 - as above

    lead = "" if source else "T | "
    alone = lead + text[part[0].offset : part[-1].end]
    diagnostics = duckdb_kql.validate(alone)
    if not diagnostics:
        return None
    at = max(_offset(alone, each.span.line, each.span.column) for each in diagnostics)
    return part[0].offset + max(at - len(lead), 0)


def _explained(text: str, part: Sequence[Token], *, source: bool) -> tuple[int, str]:
    """The likeliest reason why an operator does not parse."""
    if not source and (unknown := _unknown_operator(part)):
        return unknown
    for before, word, after in zip(part, part[1:], [*part[2:], part[-1]], strict=False):
        if word.text in KEYWORDS and word.kind == "name" and before.text in _LISTS and after.text != "(":
            return word.offset, f"`{word.text}` is a word of the language; as the name of a column write ['{word.text}']"
    at = _failure(text, part, source=source) or part[0].offset
    if at >= part[-1].end:
        return part[-1].offset, f"something is missing after `{part[-1].text}`"
    word = next((each for each in part if each.end > at), part[-1])
    if word.text == "(" and part.index(word) > 1 and part[part.index(word) - 2].text == ".":
        return word.offset, "a function takes its value in brackets: f(x), not x.f()"
    return word.offset, f"`{word.text}` is not expected here"


def _unknown_operator(part: Sequence[Token]) -> tuple[int, str] | None:
    name = part[0].text
    for dash, word in zip(part[1::2], part[2::2], strict=False):
        if dash.text != "-":
            break
        name = f"{name}-{word.text}"
    known = _OPERATORS.split()
    if name in known:
        return None
    near = get_close_matches(name, known, n=1)
    hint = f" (did you mean '{near[0]}'?)" if near else ""
    return part[0].offset, f"`{name}` is not an operator{hint}"
