"""The type of an expression, and what is wrong inside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from scanner.kql import syntax as node
from scanner.kql.arg import ABSENT, HOMES, TABLES
from scanner.kql.kinds import (
    AGGREGATES,
    ALL_AGGREGATES,
    ARITIES,
    AVERAGES,
    CHOICES,
    FUNCTIONS,
    KEPT_BY_AVERAGES,
    LIKE_FIRST,
    NUMBERS,
    SCALARS,
    UNKNOWN,
    WIDEST,
    Kind,
    Value,
    blinded,
    common,
    kind_of,
)
from scanner.kql.syntax import Expr

Tell = Callable[[int, str], None]
"""Takes note of a problem at an offset."""

_EQUAL = frozenset({"==", "=~", "in", "in~"})
_ASKED = _EQUAL | {"has", "contains", "startswith", "endswith"}
_EXACT = frozenset({"==", "!=", "<>", "in", "!in"})
_COMPARE = frozenset({"==", "!=", "<>", "<", "<=", ">", ">=", "in", "!in", "between", "!between"})
_ARITHMETIC = frozenset("+-*/%")
_SEEING = frozenset({"isnull", "isnotnull", "notnull", "isempty", "isnotempty", "notempty", "tobool", "toboolean", "gettype"})
"""Functions that tell a missing value from any other, or keep it missing."""
_KEEP_CASE = {"split": 0, "substring": 0, "replace_string": 0, "trim": 1, "trim_start": 1, "trim_end": 1, "extract": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Where an expression stands: its columns, who hears of problems, who checks a query inside it.

    `advise` hears of what ARG takes and only a population must not do. `open` says that the source was refused, so that any
    name may be a column of it.
    """

    columns: Mapping[str, Value]
    tell: Tell
    advise: Tell
    nested: Callable[[node.Query], None]
    aggregates: bool = False
    open: bool = False


def closest(name: str, known: Iterable[str]) -> str:
    """A hint at the name that was meant, with a blank in front; empty where nothing is near."""
    names = list(known)
    if twin := next((each for each in names if each.lower() == name.lower()), None):
        return f" (names are case-sensitive: did you mean '{twin}'?)"
    near = get_close_matches(name, names, n=1)
    return f" (did you mean '{near[0]}'?)" if near else ""


def infer(expr: Expr, scope: Scope) -> Value:
    """What is known of an expression; every problem inside it goes to `scope.tell`."""
    match expr:
        case node.Name(name=name):
            return column(expr, name, scope)
        case node.Literal(kind=kind, text=text):
            return Value(kind=kind_of(kind), lowered=kind == "string" and text == text.lower(), at=expr.at)
        case node.Path():
            return _path(expr, scope)
        case node.Call():
            return _call(expr, scope)
        case node.Operation():
            return _operation(expr, scope)
        case node.Nested(query=query):
            scope.nested(query)
            scope.tell(expr.at, "a query inside an expression: only `in (...)` takes one; join it instead")
        case node.Star():
            scope.tell(expr.at, "`*` stands for all columns only in arg_max(), arg_min() and pack_all()")
        case _:
            scope.tell(expr.at, f"`{expr.words}` is outside the part of KQL that Azure Resource Graph is known to take")
    return UNKNOWN


def column(expr: Expr, name: str, scope: Scope) -> Value:
    """The column of this name; a problem where there is none."""
    found = scope.columns.get(name)
    if found is None and not scope.open:
        scope.tell(expr.at, f"there is no column '{name}' here{closest(name, scope.columns)}")
    return found or UNKNOWN


def _path(expr: node.Path, scope: Scope) -> Value:
    base = infer(expr.base, scope)
    if base.kind not in {"dynamic", "unknown"}:
        scope.tell(expr.at, f"a {base.kind} has no members: only dynamic values do (parse_json() makes one of a string)")
    return Value(kind="dynamic", lowered=base.lowered, at=expr.at)


def _call(expr: node.Call, scope: Scope) -> Value:
    name = expr.name
    if name in ALL_AGGREGATES and (scope.aggregates or name not in FUNCTIONS):
        return _aggregate(expr, scope)
    if name not in FUNCTIONS:
        scope.tell(expr.at, f"the function {name}() is not known{closest(name, FUNCTIONS | ALL_AGGREGATES)}")
    args = [infer(arg, scope) for arg in expr.args if not (name == "pack_all" and isinstance(arg, node.Star))]
    least, most = ARITIES.get(name, (0, 999))
    if not least <= len(args) <= most:
        scope.tell(expr.at, f"{name}() takes {least if least == most else f'{least} to {most}'} arguments, not {len(args)}")
        return UNKNOWN
    if name in {"isnull", "isnotnull", "notnull"} and args[0].kind == "string":
        scope.advise(expr.at, f"{name}() of a string is always the same, since Kusto strings have no null: use isempty()")
    if name in CHOICES:
        return _choice(expr, args, scope)
    if name in LIKE_FIRST:
        return _like_first(expr, args, scope)
    return _scalar(name, args, at=expr.at)


def _scalar(name: str, args: Sequence[Value], *, at: int) -> Value:
    """A function of one return type; the ones that keep a value's letters keep what is known of their case."""
    kind = SCALARS.get(name, "unknown")
    first = args[0] if args else UNKNOWN
    blind = name not in _SEEING and blinded(args)
    match name:
        case "tolower":
            return Value(kind=kind, root=first.root, lowered=True, blind=blind, at=at)
        case "tostring":
            return replace(first, kind=kind, blind=blind, at=at)
        case "strcat" | "strcat_delim":
            return Value(kind=kind, lowered=all(arg.lowered for arg in args), blind=blind, at=at)
    kept = _KEEP_CASE.get(name, 99)
    return Value(kind=kind, lowered=kept < len(args) and args[kept].lowered, blind=blind, at=at)


def _like_first(expr: node.Call, args: Sequence[Value], scope: Scope) -> Value:
    first = args[0]
    if first.kind in {"dynamic", "string", "bool"}:
        scope.tell(expr.at, f"{expr.name}() takes a number, not a {first.kind}: convert it with tolong() or toreal()")
        return UNKNOWN
    wider = common(arg.kind for arg in args) if expr.name in WIDEST and first.kind in NUMBERS else None
    return Value(kind=wider or first.kind, at=expr.at)


def _choice(expr: node.Call, args: Sequence[Value], scope: Scope) -> Value:
    """`iff`, `case`, `coalesce` and their like: the branches must have one type."""
    tests: list[int] = []
    if expr.name in {"iff", "iif"}:
        tests = [0]
    elif expr.name == "case":
        tests = list(range(0, len(args) - 1, 2))
    for index in tests:
        condition(args[index], expr.args[index], scope)
    branches = [arg for index, arg in enumerate(args) if index not in tests]
    kind = common(branch.kind for branch in branches)
    if kind is None:
        found = " and ".join(sorted({branch.kind for branch in branches}))
        hint = "wrap the dynamic ones in tostring(), tolong() or tobool()" if "dynamic" in found else "convert them to one type"
        scope.tell(expr.at, f"{expr.name}() mixes {found}: {hint}")
        return UNKNOWN
    blind = blinded(args) and not any(isinstance(arg, node.Literal) and arg.text == "bool(null)" for arg in expr.args)
    return Value(kind=kind, lowered=all(branch.lowered for branch in branches), blind=blind, at=expr.at)


def _aggregate(expr: node.Call, scope: Scope) -> Value:
    if not scope.aggregates:
        scope.tell(expr.at, f"{expr.name}() is an aggregate: it stands in summarize, in the right side of a join")
        return UNKNOWN
    inner = replace(scope, aggregates=False)
    args = [infer(arg, inner) for arg in expr.args if not isinstance(arg, node.Star)]
    if expr.name in AVERAGES and args and args[0].kind in KEPT_BY_AVERAGES:
        return Value(kind=args[0].kind, at=expr.at)
    if expr.name in AGGREGATES:
        return Value(kind=AGGREGATES[expr.name], at=expr.at)
    if not args:
        scope.tell(expr.at, f"{expr.name}() needs an argument")
        return UNKNOWN
    if args[0].kind == "dynamic" and expr.name not in {"any", "take_any", "anyif", "take_anyif"}:
        scope.tell(expr.at, f"{expr.name}() of a dynamic value: convert it with tolong(), tostring() or todatetime()")
        return UNKNOWN
    return Value(kind=args[0].kind, lowered=args[0].lowered, blind=blinded(args), at=expr.at)


def condition(value: Value, expr: Expr, scope: Scope) -> None:
    """A condition must be a bool; ARG also takes a dynamic one."""
    if value.kind not in {"bool", "dynamic", "unknown"}:
        scope.tell(expr.at, f"a condition must be a bool, not a {value.kind}")


def _operation(expr: node.Operation, scope: Scope) -> Value:
    if expr.op in {"and", "or"}:
        values = [infer(arg, scope) for arg in expr.args]
        for value, arg in zip(values, expr.args, strict=True):
            condition(value, arg, scope)
        return Value(kind="bool", blind=blinded(values), at=expr.at)
    args = [_operand(arg, expr, scope) for arg in expr.args]
    if expr.op in _ARITHMETIC:
        return Value(kind=_arithmetic(expr, [arg.kind for arg in args], scope), blind=blinded(args), at=expr.at)
    for other, literal in zip(args[1:], expr.args[1:], strict=True):
        _comparable(expr, args[0], other, scope)
        if isinstance(literal, node.Literal) and literal.kind == "string":
            _reachable(expr, args[0], literal, scope)
    if len(args) == 2 and isinstance(expr.args[0], node.Literal) and expr.args[0].kind == "string":
        _reachable(expr, args[1], expr.args[0], scope)
    return Value(kind="bool", blind=blinded(args), at=expr.at)


def _operand(arg: Expr, expr: node.Operation, scope: Scope) -> Value:
    """An operand; after `in` it may be a query, or the name of a table."""
    listed = expr.op in {"in", "!in", "in~", "!in~", "has_any", "has_all"} and arg is not expr.args[0]
    if listed and isinstance(arg, node.Nested):
        scope.nested(arg.query)
        return UNKNOWN
    if listed and isinstance(arg, node.Name) and arg.name not in scope.columns and arg.name.lower() in TABLES:
        scope.nested(node.Query(at=arg.at, source=arg, steps=()))
        return UNKNOWN
    return infer(arg, scope)


def _arithmetic(expr: node.Operation, kinds: Sequence[Kind], scope: Scope) -> Kind:
    found = set(kinds)
    if found <= NUMBERS | {"unknown"}:
        return common(kinds) or "unknown"
    if "unknown" in found:
        return "unknown"
    if found <= {"timespan", "long", "real"}:
        return _spans(expr.op, kinds)
    if found == {"datetime", "timespan"} and expr.op in "+-":
        return "datetime"
    if kinds == ["datetime", "datetime"] and expr.op == "-":
        return "timespan"
    hint = {"dynamic": "convert it with tolong() or toreal()", "string": "put strings together with strcat()"}
    advice = next((hint[kind] for kind in sorted(found) if kind in hint), "convert them to numbers")
    scope.tell(expr.at, f"`{expr.op}` does not take {' and '.join(sorted(found))}: {advice}")
    return "unknown"


def _spans(op: str, kinds: Sequence[Kind]) -> Kind:
    return "real" if op == "/" and list(kinds) == ["timespan", "timespan"] else "timespan"


def _comparable(expr: node.Operation, left: Value, right: Value, scope: Scope) -> None:
    """Operands of one type, of two numeric ones, or a dynamic one that is not ordered against a time."""
    kinds = {left.kind, right.kind}
    if "unknown" in kinds:
        return
    if expr.op not in _COMPARE:
        if odd := sorted(kinds - {"string", "dynamic"}):
            scope.tell(expr.at, f"`{expr.op}` compares text, not {odd[0]}: use == or convert with tostring()")
        return
    timed = kinds & {"datetime", "timespan"}
    span = expr.op.endswith("between") and kinds == {"datetime", "timespan"}
    if len(kinds) == 1 or span or kinds <= NUMBERS | {"bool"} or ("dynamic" in kinds and not timed):
        return
    hint = f"use to{min(timed)}() on the dynamic value" if timed and "dynamic" in kinds else "convert one of them"
    scope.tell(expr.at, f"`{expr.op}` compares {' with '.join(sorted(kinds))}: {hint}")


def _reachable(expr: node.Operation, value: Value, literal: node.Literal, scope: Scope) -> None:
    """A comparison that can never hold finds nothing for ever, which looks like a clean estate."""
    text = literal.text
    if value.lowered and expr.op in _EXACT and text != text.lower():
        scope.advise(literal.at, f"'{text}' never matches: the value is in lower case. Write '{text.lower()}' or use =~")
    if value.root is None or value.root.column != "type" or expr.op not in _ASKED:
        return
    home = HOMES.get(text.lower(), value.root.table)
    if text.lower() in ABSENT:
        scope.advise(literal.at, f"'{text}' is in no table of Azure Resource Graph: {ABSENT[text.lower()]}")
    elif expr.op in _EQUAL and home != value.root.table:
        scope.advise(literal.at, f"'{text}' is not in the table {value.root.table}: it is in {home}")
