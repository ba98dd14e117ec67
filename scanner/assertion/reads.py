"""Which paths an expression reads, told from its syntax tree before it ever runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from scanner.assertion.paths import EACH, Many, Path

Node: TypeAlias = Any
"""A node of the library's syntax tree: a dict of type, value and children."""


class Untraceable(Exception):
    """The expression reads something that no path names, so its absence could not be noticed."""


@dataclass(frozen=True, slots=True)
class _Value:
    """The value at a path."""

    path: Path


@dataclass(frozen=True, slots=True)
class _Stream:
    """A list made by the expression, whose elements are the values at a path."""

    path: Path


@dataclass(frozen=True, slots=True)
class _Object:
    """An object made by the expression, with what its members stand for."""

    members: dict[str, _Traced]


_Traced: TypeAlias = _Value | _Stream | _Object | None
"""None stands for a computed value, such as a comparison's."""

_PICKS = {"min_by", "max_by"}
_SHUFFLES = {"sort", "sort_by", "reverse", "matching"}


def reads(tree: Node) -> frozenset[Path]:
    """Every path that the expression reads; raises Untraceable where a member of a computed value is read."""
    tracer = _Tracer()
    tracer.use(tracer.trace(tree, _Value(())))
    if () in tracer.seen:
        raise Untraceable("it reads the whole row (`@`); name the columns it needs")
    if not all(isinstance(path[0], str) for path in tracer.seen):
        raise Untraceable("a row has no elements, and not all of its columns are known; name the columns it needs")
    return frozenset(tracer.seen)


class _Tracer:
    def __init__(self) -> None:
        self.seen: set[Path] = set()

    def use(self, traced: _Traced) -> None:
        if isinstance(traced, _Value | _Stream):
            self.seen.add(traced.path)
        elif isinstance(traced, _Object):
            for member in traced.members.values():
                self.use(member)

    def trace(self, node: Node, at: _Traced) -> _Traced:
        handler = getattr(self, f"_{node['type']}", None)
        if handler is not None:
            traced: _Traced = handler(node, at)
            return traced
        for child in node["children"]:
            self.use(self.trace(child, at))
        return None

    def _field(self, node: Node, at: _Traced) -> _Traced:
        if isinstance(at, _Value):
            return _Value((*at.path, node["value"]))
        if isinstance(at, _Object) and node["value"] in at.members:
            return at.members[node["value"]]
        raise Untraceable(f"it reads the member '{node['value']}' of a computed value; read it from a column by its path")

    def _index(self, node: Node, at: _Traced) -> _Traced:
        if isinstance(at, _Value):
            return _Value((*at.path, node["value"]))
        if isinstance(at, _Stream):
            return _Value(at.path)
        raise Untraceable(f"it reads element {node['value']} of a computed value; read it from a column by its path")

    def _chain(self, node: Node, at: _Traced) -> _Traced:
        for child in node["children"]:
            at = self.trace(child, at)
        return at

    _subexpression = _index_expression = _pipe = _chain

    def _same(self, _node: Node, at: _Traced) -> _Traced:
        return at

    _identity = _current = _slice = _same

    def _literal(self, _node: Node, _at: _Traced) -> _Traced:
        return None

    def _element(self, base: _Traced, step: Many = EACH) -> _Value:
        if isinstance(base, _Stream):
            return _Value(base.path)
        if isinstance(base, _Value):
            return _Value((*base.path, step))
        raise Untraceable("it goes through the elements of a computed value; read them from a column by their path")

    def _projection(self, node: Node, at: _Traced) -> _Traced:
        left, right = node["children"][:2]
        element = self._element(self.trace(left, at), Many.VALUES if node["type"] == "value_projection" else EACH)
        for condition in node["children"][2:]:
            self.use(self.trace(condition, element))
        found = self.trace(right, element)
        if isinstance(found, _Value | _Stream):
            return _Stream(found.path)
        self.use(element)
        self.use(found)
        return None

    _filter_projection = _value_projection = _projection

    def _flatten(self, node: Node, at: _Traced) -> _Traced:
        element = self._element(self.trace(node["children"][0], at))
        return _Stream((*element.path, Many.SPLAT))

    def _multi_select_dict(self, node: Node, at: _Traced) -> _Traced:
        return _Object({child["value"]: self.trace(child["children"][0], at) for child in node["children"]})

    def _function_expression(self, node: Node, at: _Traced) -> _Traced:
        name, arguments = node["value"], node["children"]
        lists = [self.trace(child, at) for child in arguments if child["type"] != "expref"]
        for traced in lists:
            self.use(traced)
        mapped = [self.trace(child["children"][0], self._element(lists[0])) for child in arguments if child["type"] == "expref"]
        for traced in mapped:
            self.use(traced)
        if name in _PICKS:
            return self._element(lists[0])
        if name == "map":
            return _Stream(mapped[0].path) if isinstance(mapped[0], _Value | _Stream) else None
        # Another order: what stands first is no longer the first element of the column.
        return _Stream(self._element(lists[0]).path) if name in _SHUFFLES and lists[0] is not None else None
