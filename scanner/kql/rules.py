"""What every rule of the generated parser can be asked: its place, its words, its own name. It carries no types."""

from __future__ import annotations

from typing import Any, TypeAlias

from scanner.kql.syntax import Literal
from scanner.kql.text import unquoted

Rule: TypeAlias = Any
"""A context of the generated parser."""


LITERALS = {
    "LongLiteralExpression": "long",
    "SignedLongLiteralExpression": "long",
    "IntLiteralExpression": "long",
    "RealLiteralExpression": "real",
    "SignedRealLiteralExpression": "real",
    "DecimalLiteralExpression": "decimal",
    "DateTimeLiteralExpression": "datetime",
    "TimeSpanLiteralExpression": "timespan",
    "BooleanLiteralExpression": "bool",
    "GuidLiteralExpression": "guid",
    "TypeLiteralExpression": "type",
    "DynamicLiteralExpression": "dynamic",
}


def at(rule: Rule) -> int:
    """Where a rule begins, in characters from 0."""
    return int(rule.start.start)


def words(rule: Rule) -> str:
    """The first words of a rule, as they are quoted in a message."""
    text = rule.start.getInputStream().getText(rule.start.start, (rule.stop or rule.start).stop)
    return " ".join(text.split())[:60]


def kind(rule: Rule) -> str:
    """The name of a rule in the grammar."""
    return type(rule).__name__.removesuffix("Context")


def name(rule: Rule) -> str:
    """A name, its brackets and quotes taken off."""
    text: str = rule.getText()
    return unquoted(text[1:-1]) if text.startswith("[") else text


def string(rule: Rule) -> Literal:
    """A string literal, or several side by side, which Kusto puts together."""
    return Literal(at=at(rule), kind="string", text="".join(unquoted(token.text) for token in rule.Tokens))


def literal(rule: Rule) -> Literal:
    """A literal of any other type, as it is written."""
    return Literal(at=at(rule), kind=LITERALS[kind(rule)], text=rule.getText())
