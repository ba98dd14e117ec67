"""Columns tracked through a whole query: its source, its joins and unions, and the operators between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from scanner.kql import arg
from scanner.kql import syntax as node
from scanner.kql.infer import column
from scanner.kql.kinds import UNKNOWN, Value, altered
from scanner.kql.sources import refused_source
from scanner.kql.steps import apply, put, scope, table
from scanner.kql.survey import Frame, Survey
from scanner.kql.syntax import Expr


def run(query: node.Query, survey: Survey, *, rows: bool) -> Frame:
    """The columns that a query yields; queries inside its expressions are left in `survey.pending`."""
    frame = _source(query.source, survey, rows=rows)
    for step in query.steps:
        match step:
            case node.Join():
                frame = _join(frame, step, survey)
            case node.Union():
                frame = _union(frame, step, survey)
            case _:
                frame = apply(step, frame, survey)
    return frame


def _source(source: node.Source, survey: Survey, *, rows: bool) -> Frame:
    if isinstance(source, node.Union):
        return _union(Frame(columns={}, rows=rows), source, survey)
    return _side(source, survey, rows=rows)


def _side(side: node.Side, survey: Survey, *, rows: bool) -> Frame:
    """A source: of a query, on the right side of a join, or as a leg of a union."""
    if isinstance(side, node.Nested):
        return run(side.query, survey, rows=rows)
    if isinstance(side, node.Name):
        return table(side, survey, rows=rows)
    survey.tell(side.at, refused_source(side.words))
    return Frame(columns={}, rows=rows, open=True)


def _join(left: Frame, step: node.Join, survey: Survey) -> Frame:
    """`join`: the keys checked, the columns of the right side added, renamed as Kusto does where a name is taken."""
    survey.joins.append(step.at)
    kind = _join_kind(step, survey)
    if kind == "innerunique" and left.rows:
        survey.advise(step.at, "a join of kind innerunique keeps one row per key and hides the others: use kind=inner")
    right = _right(step, survey)
    if not step.on:
        survey.tell(step.at, "a join needs `on` with the columns to match")
    for pair in _keys(step.on, left, right, survey):
        _match(*pair, survey)
    columns = {name: altered(value) if kind == "fullouter" else value for name, value in left.columns.items()}
    for name, value in right.columns.items():
        put(columns, _free(name, columns), replace(value, exact=False, at=step.at), survey)
    return replace(left, columns=columns, open=left.open or right.open)


def _right(step: node.Join, survey: Survey) -> Frame:
    """The right side of a join, followed with the queries inside its expressions, so that every table it reads is known."""
    readings, waiting = len(survey.asked), len(survey.pending)
    right = _side(step.right, survey, rows=False)
    while len(survey.pending) > waiting:
        run(survey.pending.pop(), survey, rows=False)
    survey.right |= {*range(readings, len(survey.asked))}
    return right


def _join_kind(step: node.Join, survey: Survey) -> str:
    kind = ""
    for name, value in step.options:
        if name == "kind":
            kind = value
            if value not in arg.JOIN_KINDS:
                survey.tell(step.at, f"a join of kind {value}: Azure Resource Graph takes {', '.join(arg.JOIN_KINDS)}", "join")
        else:
            survey.tell(step.at, f"a join with `{name}`: Azure Resource Graph takes no join hints")
    if not kind:
        survey.advise(step.at, "write the kind of the join: without it Kusto keeps one left row per key (innerunique)")
    return kind


def _free(name: str, columns: Mapping[str, Value]) -> str:
    """The name that a column of the right side gets: with the first number that is free, from 1."""
    new, number = name, 0
    while new in columns:
        number += 1
        new = f"{name}{number}"
    return new


def _keys(on: tuple[Expr, ...], left: Frame, right: Frame, survey: Survey) -> Iterator[tuple[int, str, Value, Value]]:
    """Each pair of key columns, `name` or `$left.a == $right.b`, with its place and the words for it."""
    for expr in on:
        match expr:
            case node.Operation(op="and", args=args):
                yield from _keys(args, left, right, survey)
            case node.Name(name=name):
                yield expr.at, name, *_pair(expr, {"$left": name, "$right": name}, left, right, survey)
            case node.Operation(
                op="==",
                args=(
                    node.Path(base=node.Name(name=one), steps=(first,)),
                    node.Path(base=node.Name(name=two), steps=(second,)),
                ),
            ) if {one, two} == {"$left", "$right"}:
                if one == "$right":
                    survey.tell(expr.at, "a join names its left side first: `on $left.a == $right.b`")
                names = {one: first, two: second}
                words = f"{names['$left']} with {names['$right']}"
                yield expr.at, words, *_pair(expr, names, left, right, survey)
            case _:
                survey.tell(
                    expr.at, "a join matches columns: `on name` or `on $left.a == $right.b`; compute the key with extend first"
                )


def _pair(expr: Expr, names: Mapping[str, str], left: Frame, right: Frame, survey: Survey) -> tuple[Value, Value]:
    return (
        column(expr, names["$left"], scope(left, survey)),
        column(expr, names["$right"], scope(right, survey)),
    )


def _match(at: int, words: str, left: Value, right: Value, survey: Survey) -> None:
    """Keys of one plain type; text only where its case is the same on both sides; never the names of resources."""
    kinds = {left.kind, right.kind}
    if "unknown" in kinds:
        return
    if "dynamic" in kinds:
        survey.tell(at, f"the join on {words} matches dynamic values: convert them with tostring() or tolong()")
    elif len(kinds) > 1:
        survey.tell(at, f"the join on {words} matches {left.kind} with {right.kind}: convert one of them")
    elif _is_name(left) and _is_name(right) and _table(left) != _table(right):
        survey.advise(at, f"the join on {words} matches names, and names are not unique: joins match ids on tolower()")
    elif "string" in kinds and not (_one_case(left) and _one_case(right)):
        survey.advise(at, f"the join on {words} matches text in any case: make both sides tolower(...), or ids will miss")


def _table(value: Value) -> str:
    return value.root.table if value.root is not None else ""


def _is_name(value: Value) -> bool:
    return value.root is not None and value.root.column == "name"


def _one_case(value: Value) -> bool:
    return value.lowered or (value.root is not None and value.root.column in arg.LOWER_CASE)


def _union(left: Frame, step: node.Union, survey: Survey) -> Frame:
    """`union`: rows of every leg, with the columns of all (or, with kind=inner, those that all have)."""
    options = dict(step.options)
    for name, value in step.options:
        if name == "kind" and value not in arg.UNION_KINDS:
            survey.tell(step.at, f"a union of kind {value}: Azure Resource Graph takes {' and '.join(arg.UNION_KINDS)}")
        elif name not in {"kind", "withsource", "with_source"}:
            survey.tell(step.at, f"a union with `{name}`: Azure Resource Graph takes kind and withsource only")
    survey.legs += [leg.at for leg in step.legs]
    frames = [_side(leg, survey, rows=left.rows) for leg in step.legs]
    frames = [left, *frames] if left.columns or left.open else frames
    columns: dict[str, Value] = {}
    source = options.get("withsource") or options.get("with_source")
    if source:
        columns[source] = Value(kind="string", at=step.at)
    names = list(dict.fromkeys(name for frame in frames for name in frame.columns))
    if options.get("kind") == "inner":
        names = [name for name in names if all(name in frame.columns for frame in frames)]
    for name in names:
        put(columns, name, _merged(name, frames, step, survey), survey)
    return replace(left, columns=columns, lead=frames[0].lead, open=any(frame.open for frame in frames))


def _merged(name: str, frames: list[Frame], step: node.Union, survey: Survey) -> Value:
    """One column of a union. It is an id only where it is the leading table's own id in every leg."""
    values = [frame.columns[name] for frame in frames if name in frame.columns]
    kinds = {value.kind for value in values} - {"unknown"}
    if len(kinds) > 1:
        survey.tell(step.at, f"the legs of the union have '{name}' as {' and '.join(sorted(kinds))}: convert it in one of them")
        return UNKNOWN
    own = [frame for frame in frames if _own(frame, name)]
    root = values[0].root if len(own) == len(frames) else None
    return replace(values[0], root=root, exact=root is not None, lowered=all(value.lowered for value in values))


def _own(frame: Frame, name: str) -> bool:
    value = frame.columns.get(name, UNKNOWN)
    return value.exact and value.root is not None and (value.root.column, value.root.source) == (name, frame.lead)
