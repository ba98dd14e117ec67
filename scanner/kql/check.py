"""A population query, checked as a whole: what ARG refuses, and what would make a finding lie."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import cast

from scanner.kql import arg
from scanner.kql import syntax as node
from scanner.kql.flow import run
from scanner.kql.grammar import parsed
from scanner.kql.infer import closest
from scanner.kql.kinds import COLUMN_TYPES
from scanner.kql.rewrite import Rewritten, rewrite
from scanner.kql.shape import Accepted, KqlProblem, KqlProblems, Shape
from scanner.kql.sources import refused_source
from scanner.kql.survey import Frame, Survey
from scanner.kql.text import Token, code, tokens
from scanner.model import ColumnType

_LONGEST = 64 * 1024
_DEEPEST = 40
"""The parser of the grammar needs a stack frame for every rule of every bracket."""

_ESCAPE = re.compile(r"(?s)\\(.)")

_ADVICE = {
    "datetime": "project tostring(...) of it, or an age such as datetime_diff('hour', now(), ...)",
    "timespan": "project a number, such as tolong(... / 1h)",
    "guid": "project tostring(...) of it",
    "decimal": "project toreal(...) of it",
}


_KEEP_NULL = "keep that apart, as in iff(isnull(x), bool(null), x == 1), with isempty(x) for texts"
_CURE = "make it a query of its own, and `attach` that population in the policy"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Followed:
    """A query that was followed to its end."""

    text: Rewritten
    query: node.Query
    frame: Frame
    survey: Survey

    @property
    def end(self) -> int:
        """Where its columns are chosen."""
        chosen = (step.at for step in reversed(self.query.steps) if isinstance(step, node.Columns | node.Away))
        return next(chosen, self.query.at)

    def shape(self) -> Shape:
        """Its shape; KqlProblems with everything that was told."""
        if self.survey.problems:
            raise KqlProblems(
                KqlProblem(line=line, column=column, text=text, complaint=complaint)
                for at, text, complaint in self.survey.problems
                for line, column in [self.text.place(at)]
            )
        columns = {name: cast("ColumnType", value.kind) for name, value in self.frame.columns.items()}
        return Shape(columns=columns, tables=_tables(self.survey))


def inspect(kql: str, key: Sequence[str]) -> Shape:
    """The shape of a population query; KqlProblems with everything that is wrong with it."""
    followed = _follow(kql, Survey())
    if not followed.frame.open:
        _check_rows(followed, key)
        _check_types(followed)
    return followed.shape()


def accept(kql: str) -> Accepted:
    """What ARG would make of a query; KqlProblems with what ARG would refuse, and with what cannot be run offline."""
    followed = _follow(kql, Survey(population=False))
    if not followed.frame.open:
        _check_types(followed)
    steps = followed.query.steps
    return Accepted(
        shape=followed.shape(),
        limited=any(isinstance(step, node.Other) and step.word in {"take", "limit"} for step in steps),
        grouped=any(isinstance(step, node.Summarize) for step in steps),
    )


def _follow(kql: str, survey: Survey) -> _Followed:
    problems = list(_text_problems(kql))
    if problems:
        raise KqlProblems(problems)
    rewritten = rewrite(kql)
    query = _only_query(parsed(rewritten), survey)
    frame = run(query, survey, rows=survey.population)
    while survey.pending:
        run(survey.pending.pop(), survey, rows=False)
    _check_limits(survey)
    _check_right_tables(survey, frame.lead)
    return _Followed(text=rewritten, query=query, frame=frame, survey=survey)


def _problem(line: int, column: int, text: str) -> KqlProblem:
    return KqlProblem(line=line, column=column, text=text)


def _text_problems(kql: str) -> Iterator[KqlProblem]:
    """What can be told before parsing, and must be, since the parser would read it otherwise or not at all."""
    if len(kql) > _LONGEST:
        yield _problem(1, 1, f"the query has {len(kql)} characters; at most {_LONGEST} are read")
        return
    for token in tokens(kql):
        if text := _token_problem(token):
            yield _problem(token.line, token.column, text)
    words = code(kql)
    if not words:
        yield _problem(1, 1, "the query is empty")
    elif words[0].text == ".":
        yield _problem(words[0].line, words[0].column, "a control command: a population is a query")
    for first, second in pairwise(words):
        if first.text == second.text == "{" and second.offset == first.end:
            yield _problem(first.line, first.column, "a shared query `{{...}}`: write its text here, so that reviews see it")
    depths = accumulate((word.text in {"(", "[", "{"}) - (word.text in {")", "]", "}"}) for word in words)
    if deep := next((word for word, depth in zip(words, depths, strict=True) if depth > _DEEPEST), None):
        yield _problem(deep.line, deep.column, f"brackets are nested more than {_DEEPEST} deep")


def _token_problem(token: Token) -> str:
    """Strings without end and characters that nobody sees."""
    if token.kind == "broken":
        return "this string does not end on its line"
    if token.kind in {"name", "punctuation"} and not token.text.isascii():
        return f"the character {token.text!a} outside a string: only plain ASCII has a meaning here"
    if any(mark in token.text for mark in "\u2028\u2029\0"):
        return "a line separator or NUL character that editors do not show: delete it"
    return _spelling_problem(token.text.strip("[]")) if token.kind in {"string", "bracket"} else ""


def _spelling_problem(literal: str) -> str:
    """Spellings of text that Kusto decodes and the offline engine takes as they stand, so that they match nothing there."""
    if literal.startswith(("h", "H", "```", "~~~")):
        return f"`{literal[:12]}`: write this text in plain quotes, without h, ``` or ~~~"
    escapes = [] if literal.startswith("@") else _ESCAPE.findall(literal)
    if odd := next((mark for mark in escapes if mark not in "\\'\"nrt"), None):
        return (
            f"the escape `\\{odd}` is not read alike everywhere: write the character itself, or a regular expression as @'...'"
        )
    return ""


def _only_query(found: Sequence[node.Query | node.Foreign], survey: Survey) -> node.Query:
    """The last statement, which ARG would run; every other one is refused."""
    for statement in found:
        if isinstance(statement, node.Foreign):
            survey.tell(statement.at, refused_source(statement.words))
    queries = [statement for statement in found if isinstance(statement, node.Query)]
    for extra in queries[1:]:
        survey.tell(extra.at, "a second query: one population is one query, without `;`")
    return queries[0] if queries else node.Query(at=0, source=node.Name(at=0, name="resources"), steps=())


def _check_limits(survey: Survey) -> None:
    limits = (
        (survey.joins, arg.MAX_JOINS, "joins"),
        (survey.expansions, arg.MAX_MV_EXPANDS, "mv-expands"),
        (survey.legs, arg.MAX_UNION_LEGS, "union legs"),
    )
    for found, most, what in limits:
        if len(found) > most:
            survey.tell(
                sorted(found)[most], f"Azure Resource Graph takes at most {most} {what} in a query; here are {len(found)}"
            )


def _check_right_tables(survey: Survey, lead: int) -> None:
    """The right sides of all joins, nested ones too: each table once, and one table beside the leading and the basic ones.

    Through its API, ARG refuses more (DisallowedMaxNumberOfRemoteTables), and a refused population is never judged.
    """
    near = arg.BASIC | ({survey.asked[lead][0]} if lead >= 0 else set())
    seen: set[str] = set()
    other = ""
    for reading in sorted(survey.right, key=survey.places.__getitem__):
        table, at = survey.asked[reading][0], survey.places[reading]
        if table in seen:
            survey.tell(
                at,
                f"'{table}' is read a second time on the right side of a join, and Azure Resource Graph takes a table there"
                f" once (DisallowedMaxNumberOfRemoteTables): {_CURE}",
            )
        elif table not in near and other:
            survey.tell(
                at,
                f"a join with '{table}' beside one with '{other}', and Azure Resource Graph takes one cross-table join in a"
                f" query, further ones only with resources and resourcecontainers: {_CURE}",
            )
        seen.add(table)
        other = other if table in near else other or table


def _check_rows(followed: _Followed, key: Sequence[str]) -> None:
    """Rows must be told apart and paged: `id` untouched, the key projected."""
    frame, survey, end = followed.frame, followed.survey, followed.end
    lead = frame.columns.get("id")
    if lead is None:
        survey.tell(end, "`id` must be projected: without it Azure Resource Graph does not page, and rows are lost")
    elif not (lead.exact and lead.root is not None and (lead.root.column, lead.root.source) == ("id", frame.lead)):
        survey.tell(lead.at or end, "`id` must be the leading table's own id, unaltered: give other ids another name")
    for name in key:
        if name not in frame.columns:
            survey.tell(end, f"the key column '{name}' is not projected{closest(name, frame.columns)}")
        elif frame.columns[name].kind == "dynamic":
            survey.tell(end, f"the key column '{name}' is dynamic, and pages are ordered by it: project tostring() of it")
    for name, value in frame.columns.items():
        if value.kind == "bool" and value.blind:
            survey.tell(value.at or end, f"'{name}' is false also where the value it tests is missing: {_KEEP_NULL}")


def _check_types(followed: _Followed) -> None:
    """Plain types only."""
    for name, value in followed.frame.columns.items():
        if value.kind not in COLUMN_TYPES and value.kind != "unknown":
            followed.survey.tell(
                value.at or followed.end,
                f"'{name}' is a {value.kind}, which results do not hold: {_ADVICE[value.kind]}",
                "type",
            )


def _tables(survey: Survey) -> dict[str, frozenset[str] | None]:
    """Each table with the types asked of it; a table that is read several times, with all of them."""
    tables: dict[str, frozenset[str] | None] = {}
    for name, types in survey.asked:
        before = tables.get(name, frozenset())
        tables[name] = None if types is None or before is None else before | types
    return tables
