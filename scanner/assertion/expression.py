"""One JMESPath expression of a policy: compiled at load, evaluated per row."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import zip_longest
from typing import Any

import jmespath.exceptions
import orjson
from jmespath.parser import Parser

from scanner.assertion.functions import PolicyFunctions, kind
from scanner.assertion.interpreter import StrictInterpreter
from scanner.assertion.paths import Path
from scanner.assertion.reads import Node, Untraceable, reads
from scanner.model import Json, Reason

_LONGEST = 4096
_LARGEST_FAN_OUT = 1000
_TOKENS = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|`(?P<json>(?:\\.|[^`\\])*)`""", re.DOTALL)
_ORDERINGS = {"lt", "lte", "gt", "gte"}
_STRAY = "`&` stands only before an argument of map, sort_by, min_by, max_by or matching"


class ExpressionError(Exception):
    """An expression that cannot be used; `offset` counts characters from 0."""

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


class Undecided(Exception):
    """An expression that has no answer for this row."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason = reason
        self.text = text


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """A compiled expression. `reads` holds every path it looks at, root names first."""

    text: str
    reads: frozenset[Path]
    tree: Node = field(repr=False, compare=False)

    def value(self, view: Mapping[str, Json]) -> Json:
        """What the expression yields; raises Undecided where it cannot be computed."""
        try:
            return _interpreter().visit(self.tree, view)
        except RecursionError:
            raise Undecided(Reason.EVAL_ERROR, "the value is nested too deeply") from None
        except Exception as error:  # noqa: BLE001 - functions raise whatever Python raises on odd values
            raise Undecided(Reason.EVAL_ERROR, _first_line(error)) from None

    def truth(self, view: Mapping[str, Json]) -> bool:
        """Exactly true or false; raises Undecided for anything else."""
        result = self.value(view)
        if result is True or result is False:
            return result
        raise Undecided(Reason.EVAL_ERROR, f"the result is {kind(result)}, not true or false")


def compile_expression(text: str) -> Expression:
    """Compile, and refuse what could not be judged safely; raises ExpressionError with the place."""
    if len(text) > _LONGEST:
        raise ExpressionError(f"an expression has at most {_LONGEST} characters, this one {len(text)}")
    _check_literals(text)
    try:
        # Not `jmespath.compile`: its cache is keyed by text alone and shared with whoever else uses the library.
        tree: Node = Parser().parse(text).parsed
        _check_tree(tree)
        return Expression(text=text, reads=reads(tree), tree=tree)
    except jmespath.exceptions.LexerError as error:
        raise ExpressionError(f"not JMESPath: {error.message}", error.lexer_position) from None
    except jmespath.exceptions.EmptyExpressionError:
        raise ExpressionError("the expression is empty") from None
    except jmespath.exceptions.ParseError as error:
        raise ExpressionError(_parse_message(error), error.lex_position) from None
    except Untraceable as error:
        raise ExpressionError(f"cannot be judged safely: {error}") from None
    except RecursionError:
        raise ExpressionError("the expression is nested too deeply") from None


@cache
def _interpreter() -> StrictInterpreter:
    return StrictInterpreter()


def _parse_message(error: Any) -> str:
    if error.token_value is None:
        return "not JMESPath: the expression ends too early"
    return f"not JMESPath: unexpected '{error.token_value}'"


def _check_literals(text: str) -> None:
    for match in _TOKENS.finditer(text):
        body = match["json"]
        if body is None:
            continue
        try:
            json.loads(body.replace("\\`", "`"), parse_constant=_refuse)
        except ValueError:
            raise ExpressionError(f"`{body}` is not JSON; a text is written '{body.strip()}'", match.start()) from None


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _check_tree(tree: Node) -> None:
    fan_out = 1
    if tree["type"] == "expref":
        raise ExpressionError(_STRAY)
    for node in _nodes(tree):
        children = [child for child in node["children"] if isinstance(child, dict)]
        if node["type"] == "function_expression":
            _check_call(node["value"], [child["type"] == "expref" for child in children])
        elif any(child["type"] == "expref" for child in children):
            raise ExpressionError(_STRAY)
        if node["type"] == "comparator" and node["value"] in _ORDERINGS and any(_is_text(child) for child in children):
            raise ExpressionError("texts have no order here ('Unknown' >= '2.7' would be true); use version_at_least(a, b)")
        if node["type"] in {"field", "literal"}:
            _check_value(node["value"])
        if node["type"] in {"multi_select_list", "multi_select_dict"}:
            fan_out *= max(1, len(children))
    if fan_out > _LARGEST_FAN_OUT:
        raise ExpressionError("too many multi-selects: each one multiplies the result")


def _check_call(name: str, given: Sequence[bool]) -> None:
    """The name, the number of arguments and which of them are expressions (`&`); the rest only a row can tell."""
    function = PolicyFunctions.FUNCTION_TABLE.get(name)
    if function is None:
        raise ExpressionError(f"there is no function '{name}()'")
    wanted = [one["types"] == ["expref"] for one in function["signature"]]
    variadic = bool(function["signature"][-1].get("variadic"))
    if len(given) < len(wanted) or (len(given) > len(wanted) and not variadic):
        raise ExpressionError(f"{name}() takes {'at least ' * variadic}{len(wanted)} arguments, not {len(given)}")
    for number, (is_expression, wants) in enumerate(zip_longest(given, wanted, fillvalue=False), start=1):
        if is_expression is not wants:
            what = "an expression such as &name" if wants else "a value, without `&`"
            raise ExpressionError(f"argument {number} of {name}() is {what}")


def _check_value(value: Json) -> None:
    try:
        orjson.dumps(value)
    except TypeError:
        raise ExpressionError("a text with half a surrogate pair, or a number of more than 64 bits") from None


def _nodes(tree: Node) -> Any:
    stack = [tree]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(child for child in node["children"] if isinstance(child, dict))


def _is_text(node: Node) -> bool:
    return node["type"] == "literal" and isinstance(node["value"], str)


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]
