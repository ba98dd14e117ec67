"""JMESPath made strict: where the language would quietly yield null or guess, a row is undecided instead.

JMESPath fails open by nature: `!(size > `5`)` is true where there is no size, a filter drops what it cannot compare, and
`0` is true. A gate may not pass a row on such grounds, so each of these raises here.
"""

from __future__ import annotations

import operator
from typing import Any

from jmespath.visitor import Options, TreeInterpreter

from scanner.assertion.functions import PolicyFunctions, same
from scanner.model import Json

_ORDER = {"lt": operator.lt, "lte": operator.le, "gt": operator.gt, "gte": operator.ge}


class NotComparable(TypeError):
    """Two values that no comparison can order or equate, or a condition that is not true or false."""


class StrictInterpreter(TreeInterpreter):
    """The library's interpreter with strict comparisons, conditions and logic."""

    functions = PolicyFunctions()

    def __init__(self) -> None:
        super().__init__(Options(custom_functions=self.functions))

    def visit_comparator(self, node: Any, value: Json) -> bool:
        """Order numbers only; equate values of one type, or anything with null."""
        left, right = (self.visit(child, value) for child in node["children"])
        kind = node["value"]
        if kind in _ORDER:
            if not (_is_number(left) and _is_number(right)):
                raise NotComparable(f"{_kind(left)} and {_kind(right)} have no order")
            return bool(_ORDER[kind](left, right))
        if left is not None and right is not None and _kind(left) != _kind(right):
            raise NotComparable(f"{_kind(left)} is compared with {_kind(right)}")
        return same(left, right) is (kind == "eq")

    def visit_filter_projection(self, node: Any, value: Json) -> Json:
        """Keep elements for which the condition is true; one that is neither true nor false is an error, not dropped."""
        base = self.visit(node["children"][0], value)
        if not isinstance(base, list):
            return None
        kept = [element for element in base if self._condition(node["children"][2], element, "a filter")]
        found = (self.visit(node["children"][1], element) for element in kept)
        return [item for item in found if item is not None]

    def visit_not_expression(self, node: Any, value: Json) -> bool:
        """The opposite of true or false, and of nothing else."""
        return not self._condition(node["children"][0], value, "`!`")

    def visit_and_expression(self, node: Any, value: Json) -> Json:
        """The right side where the left is true, false where it is false."""
        left, right = node["children"]
        return self.visit(right, value) if self._condition(left, value, "`&&`") else False

    def _condition(self, node: Any, value: Json, what: str) -> bool:
        result = self.visit(node, value)
        if not isinstance(result, bool):
            raise NotComparable(f"the condition of {what} is {_kind(result)}, not true or false")
        return result


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _kind(value: Json) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, list) else "an object"
