"""Microsoft's parser of Kusto with the schema of Azure Resource Graph, and what a query may hold there, read off its tree.

The limits stand here a second time, apart from `scanner.kql`, so that a mistake in one of them shows. They are those of
https://learn.microsoft.com/azure/governance/resource-graph/concepts/query-language (read as johntrogan/azure-docs, commit
c48996b5, articles/governance/resource-graph/concepts/query-language.md).
"""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from scanner.kql.arg import COLUMNS, TABLES
from tests.node_programs import tool

_OPERATORS = """
count distinct extend join limit mvexpand mv-expand order parse project project-away sort summarize take top union where
"""
OPERATORS = frozenset(_OPERATORS.split())
"""The page's list of tabular operators, whole."""
JOIN_KINDS = frozenset({"innerunique", "inner", "leftouter", "fullouter"})
UNION_PARAMETERS = frozenset({"kind", "withsource"})
MOST = 3
"""Joins, mv-expands and legs of unions, each counted over the whole text."""
MOST_ELEMENTS = 2000
HOME_TABLES = frozenset({"resources", "resourcecontainers"})
"""Tables that a query may join more than once: the page allows three joins among these two."""

_SYNTAX = """
QueryBlock List SeparatedElement ExpressionStatement PipeExpression ParenthesizedExpression ExpressionList ExpressionCouple
NameReference NameDeclaration TokenName BracketedName WildcardedName NameAndTypeDeclaration PrimitiveTypeExpression
SimpleNamedExpression PathExpression ElementExpression BracketedExpression BracedName StarExpression
FunctionCallExpression NamedParameter UnaryMinusExpression UnaryPlusExpression InExpression InCsExpression NotInExpression
NotInCsExpression BetweenExpression NotBetweenExpression HasAnyExpression HasAllExpression DynamicExpression
JsonArrayExpression JsonObjectExpression JsonPair CompoundStringLiteralExpression TypeOfLiteralExpression JoinOnClause
MvExpandExpression MvExpandRowLimitClause ToTypeOfClause SummarizeByClause OrderedExpression OrderingClause
OrderingNullsClause
"""
SYNTAX = frozenset(_SYNTAX.split())
"""What else a tree may consist of; `let`, toscalar(), materialize(), datatable and their like are nodes of their own."""
ELSEWHERE = frozenset({"cluster", "database", "table", "external_table", "materialized_view", "workspace", "app", "resource"})
"""Functions known to Kusto that read something else than the tables of Azure Resource Graph."""
TYPES = {"int": "long"}
"""Microsoft's types that results here do not tell apart."""


class Diagnostic(TypedDict):
    """One thing that Microsoft's parser says; `line` and `column` count from 1."""

    code: str
    severity: str
    message: str
    line: int
    column: int


class Union(TypedDict):
    """One union: its parameters, and how many tables stand behind the word."""

    parameters: Mapping[str, str]
    legs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """What Microsoft's parser makes of one query.

    `columns` are those of the result with their types, None where the result is no table; `statements` counts the
    queries in the text; `operators` their words in order;
    `syntax` the kinds of all other nodes; `functions` the names called, each with whether it is known; `joins` the parameters
    of each join; `rights` the tables read in right sides of joins, one for each reading; `limits` that of each mv-expand.
    """

    query: str
    diagnostics: Sequence[Diagnostic]
    columns: Sequence[tuple[str, str]] | None
    statements: int
    operators: Sequence[str]
    syntax: Sequence[str]
    functions: Sequence[tuple[str, bool]]
    joins: Sequence[Mapping[str, str]]
    rights: Sequence[str]
    unions: Sequence[Union]
    limits: Sequence[int | None]

    def told(self, *, errors: bool) -> list[str]:
        """Its errors, or everything else it says, each with its place and the line of the query."""
        lines = self.query.split("\n")
        return [
            f"{each['line']}:{each['column']}: {each['code']}: {each['message']} In: {lines[each['line'] - 1].strip()}"
            for each in self.diagnostics
            if (each["severity"] == "Error") is errors
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parser:
    """Microsoft's parser, installed in a folder."""

    folder: Path

    def analyse(self, queries: Sequence[str]) -> list[Analysis]:
        """The analysis of each query."""
        found = self._ask(queries, [])["queries"]
        return [Analysis(query=query, **each) for query, each in zip(queries, found, strict=True)]

    def returns(self, functions: Sequence[str]) -> Mapping[str, Sequence[str] | None]:
        """The declared types of functions, "computed" among them where one follows from arguments; None if unknown."""
        found: Mapping[str, Sequence[str] | None] = self._ask([], functions)["functions"]
        return found

    def _ask(self, queries: Sequence[str], functions: Sequence[str]) -> dict[str, Any]:
        request = {"tables": sorted(TABLES), "columns": COLUMNS, "queries": queries, "functions": functions}
        done = subprocess.run(
            [tool("node"), "analyse.cjs"],
            cwd=self.folder,
            input=json.dumps(request),
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found


def outside(analysis: Analysis) -> Iterator[str]:
    """Everything in a query that is outside what Azure Resource Graph documents to take."""
    if analysis.statements != 1:
        yield f"{analysis.statements} queries"
    yield from (f"the operator {word}" for word in sorted({*analysis.operators} - OPERATORS))
    yield from (f"the construct {name}" for name in sorted({*analysis.syntax} - SYNTAX))
    yield from (f"the function {name}()" for name, known in analysis.functions if not known or name in ELSEWHERE)
    yield from _joins(analysis.joins)
    yield from (
        f"a union with {name}" for union in analysis.unions for name in sorted({*union["parameters"]} - UNION_PARAMETERS)
    )
    yield from (f"an mv-expand with the limit {limit}" for limit in analysis.limits if not 1 <= (limit or 0) <= MOST_ELEMENTS)
    legs = sum(union["legs"] for union in analysis.unions)
    for count, what in ((len(analysis.joins), "joins"), (len(analysis.limits), "mv-expands"), (legs, "union legs")):
        if count > MOST:
            yield f"{count} {what}"


def _joins(joins: Sequence[Mapping[str, str]]) -> Iterator[str]:
    for join in joins:
        yield from (f"a join with {name}" for name in sorted({*join} - {"kind"}))
        if (kind := join.get("kind", "innerunique")) not in JOIN_KINDS:
            yield f"a join of kind {kind}"


def joined_again(analysis: Analysis) -> list[str]:
    """Tables that are read twice in right sides of joins: DisallowedMaxNumberOfRemoteTables.

    The page says that no table may be "right table" more than once. What was refused in practice is a table other than those
    two: Azure/AzureLocal-LENS-Workbook, README.md ("Table extensibilityresources was referenced as right table 2 times").
    """
    counts = Counter(analysis.rights)
    return sorted(name for name, count in counts.items() if count > 1 and name not in HOME_TABLES)


def differences(ours: Mapping[str, str], analysis: Analysis) -> list[str]:
    """Where the columns that we track differ from Microsoft's, by name, order or type."""
    theirs = None if analysis.columns is None else [(name, TYPES.get(kind, kind)) for name, kind in analysis.columns]
    return [] if theirs == [*ours.items()] else [f"ours {[*ours.items()]}, Microsoft's {theirs}"]
