"""JMESPath made strict: where the language would quietly yield null or guess, a row is undecided instead.

JMESPath fails open by nature: `!(size > `5`)` is true where there is no size, a filter drops what it cannot compare, and
`0` is true. A gate may not pass a row on such grounds, so each of these raises here.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any

from jmespath.visitor import Options, TreeInterpreter

from scanner.assertion.functions import NotComparable, PolicyFunctions, kind, same
from scanner.model import Json

_PATH = {"field", "subexpression", "current", "identity"}
"""Nodes that only name a path: where one yields null, the policy has said that the path is optional."""
_ORDER = {"lt": operator.lt, "lte": operator.le, "gt": operator.gt, "gte": operator.ge}


class StrictInterpreter(TreeInterpreter):
    """The library's interpreter with strict comparisons, conditions and logic."""

    functions = PolicyFunctions()

    def __init__(self) -> None:
        super().__init__(Options(custom_functions=self.functions))

    def visit_comparator(self, node: Any, value: Json) -> bool:
        """Order numbers only; equate values of one kind, an optional path with anything, and whatever with a literal null."""
        sides = node["children"]
        left, right = (self.visit(side, value) for side in sides)
        if node["value"] in _ORDER:
            if not (kind(left) == kind(right) == "a number"):
                raise NotComparable(f"{kind(left)} and {kind(right)} have no order")
            return bool(_ORDER[node["value"]](left, right))
        if left is None or right is None:
            nulls = [side for side, found in zip(sides, (left, right), strict=True) if found is None]
            if not (all(map(_is_path, nulls)) or any(side["type"] == "literal" for side in nulls)):
                raise NotComparable(f"{kind(left)} is compared with {kind(right)}")
            return (left is right) is (node["value"] == "eq")
        return same(left, right) is (node["value"] == "eq")

    def visit_projection(self, node: Any, value: Json) -> Json:
        """What every element of a list yields."""
        base = self.visit(node["children"][0], value)
        return self._project(base, node) if isinstance(base, list) else None

    def visit_value_projection(self, node: Any, value: Json) -> Json:
        """What every value of an object yields."""
        base = self.visit(node["children"][0], value)
        return self._project(base.values(), node) if isinstance(base, dict) else None

    def visit_filter_projection(self, node: Any, value: Json) -> Json:
        """Keep elements for which the condition is true; one that is neither true nor false is an error, not dropped."""
        base = self.visit(node["children"][0], value)
        if not isinstance(base, list):
            return None
        return self._project([element for element in base if self._condition(node["children"][2], element, "a filter")], node)

    def visit_pipe(self, node: Any, value: Json) -> Json:
        """The right side on what the left side yields, which must be something."""
        left, right = node["children"]
        found = self.visit(left, value)
        if found is None:
            raise NotComparable("there is nothing on the left of `|`")
        return self.visit(right, found)

    def visit_multi_select_dict(self, node: Any, value: Json) -> Json:
        """An object of members that are there: a member that is null could be read later as if its path were optional."""
        found = super().visit_multi_select_dict(node, value)
        for name, member in (found or {}).items():
            if member is None:
                raise NotComparable(f"the member {name} of a multi-select is null")
        return found

    def visit_not_expression(self, node: Any, value: Json) -> bool:
        """The opposite of true or false, and of nothing else."""
        return not self._condition(node["children"][0], value, "`!`")

    def visit_and_expression(self, node: Any, value: Json) -> Json:
        """The right side where the left is true, false where it is false."""
        left, right = node["children"]
        return self.visit(right, value) if self._condition(left, value, "`&&`") else False

    def visit_or_expression(self, node: Any, value: Json) -> Json:
        """The left side unless it is empty, as in JMESPath; but what is undecided is not outvoted by true or false."""
        left, right = node["children"]
        found = self.visit(left, value)
        if found is not None and found is not False and found not in ("", [], {}):
            return found
        other = self.visit(right, value)
        if found is None and isinstance(other, bool) and not _is_path(left):
            raise NotComparable("the left side of `||` is null, not true or false")
        return other

    def _project(self, elements: Iterable[Json], node: Any) -> list[Json]:
        """JMESPath drops nulls here; one that no optional path explains is an error."""
        right = node["children"][1]
        found = [self.visit(right, element) for element in elements]
        if any(item is None for item in found) and not _is_path(right):
            raise NotComparable("a projection yields null for an element")
        return [item for item in found if item is not None]

    def _condition(self, node: Any, value: Json, what: str) -> bool:
        result = self.visit(node, value)
        if not isinstance(result, bool):
            raise NotComparable(f"the condition of {what} is {kind(result)}, not true or false")
        return result


def _is_path(node: Any) -> bool:
    return node["type"] in _PATH and all(map(_is_path, node["children"]))
