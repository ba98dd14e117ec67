"""Columns tracked through the operators that read no other table; every problem met on the way is noted."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase
from functools import singledispatch

from scanner.kql import arg
from scanner.kql import syntax as node
from scanner.kql.infer import Scope, closest, column, condition, infer
from scanner.kql.kinds import UNKNOWN, Kind, Root, Value, kind_of
from scanner.kql.survey import Frame, Survey
from scanner.kql.syntax import Expr


def scope(frame: Frame, survey: Survey, *, aggregates: bool = False) -> Scope:
    """What an expression sees at this point."""
    return Scope(
        columns=frame.columns,
        tell=survey.tell,
        advise=survey.advise,
        nested=survey.pending.append,
        aggregates=aggregates,
        open=frame.open,
    )


def table(name: node.Name, survey: Survey, *, rows: bool) -> Frame:
    """A reading of a table, with ARG's standard columns."""
    known = name.name.lower()
    if known not in arg.TABLES:
        survey.tell(name.at, f"'{name.name}' is not a table of Azure Resource Graph{closest(known, sorted(arg.TABLES))}")
        return Frame(columns={}, rows=rows, open=True)
    reading = len(survey.asked)
    survey.asked.append((known, None))
    survey.places.append(name.at)
    columns = {
        title: Value(
            kind=kind,
            root=Root(source=reading, table=known, column=title),
            exact=True,
            lowered=title in arg.LOWER_CASE,
        )
        for title, kind in arg.COLUMNS.items()
    }
    return Frame(columns=columns, lead=reading, rows=rows)


@singledispatch
def apply(step: node.Step, frame: Frame, survey: Survey) -> Frame:
    """The columns after one operator that reads no other table; one outside the subset is told."""
    assert isinstance(step, node.Other)
    if survey.population:
        survey.tell(step.at, _refused(step.word), "operator")
    elif step.word not in arg.SHORTENING:
        survey.tell(step.at, f"`{step.word}` is not an operator of Azure Resource Graph's subset", "operator")
    elif step.word == "count":
        return replace(frame, columns={"Count": Value(kind="long", at=step.at)})
    return frame


@apply.register
def _where(step: node.Where, frame: Frame, survey: Survey) -> Frame:
    here = scope(frame, survey)
    condition(infer(step.test, here), step.test, here)
    _narrow(step.test, frame, survey)
    return frame


@apply.register
def _sort(step: node.Sort, frame: Frame, survey: Survey) -> Frame:
    for key in step.keys:
        _sortable(infer(key.value, scope(frame, survey)), key.value, "order by", survey)
    return frame


def _refused(word: str) -> str:
    if word in {"take", "limit", "top", "sample", "sample-distinct", "top-nested", "top-hitters"}:
        return f"`{word}` hides rows, and a population must hold all of them"
    if word == "count":
        return "`count` leaves no rows to judge: a population holds resources"
    return f"`{word}` is not an operator of Azure Resource Graph's subset: {arg.OPERATORS}"


def _narrow(test: Expr, frame: Frame, survey: Survey) -> None:
    """Types that a condition leaves: `type ==, =~, in, in~` with literals, alone or joined by `and`."""
    terms = test.args if isinstance(test, node.Operation) and test.op == "and" else (test,)
    for term in terms:
        if not isinstance(term, node.Operation) or term.op not in {"==", "=~", "in", "in~"}:
            continue
        literals = [part for part in term.args if isinstance(part, node.Literal) and part.kind == "string"]
        others = [part for part in term.args if part not in literals]
        quiet = Scope(columns=frame.columns, tell=_deaf, advise=_deaf, nested=_unheard)
        value = infer(others[0], quiet) if len(others) == 1 and literals else UNKNOWN
        if value.root is not None and value.root.column == "type":
            name, before = survey.asked[value.root.source]
            types = frozenset(literal.text.lower() for literal in literals)
            left = types if before is None else before & types
            if not left:
                survey.advise(term.at, "no row has this type: a condition before this one asks for another")
            survey.asked[value.root.source] = (name, left)


def _deaf(at: int, text: str) -> None:
    """What is wrong was told when the condition was checked."""


def _unheard(query: node.Query) -> None:
    """The same."""


def _sortable(value: Value, expr: Expr, where: str, survey: Survey) -> None:
    if value.kind == "dynamic":
        survey.tell(expr.at, f"{where} does not take a dynamic value: convert it with tostring() or tolong()")


def title(item: node.Named, survey: Survey) -> str:
    """The name of a column: the one written, or the one Kusto gives to a bare name, a path and a simple aggregate."""
    if len(item.names) == 1:
        return item.names[0]
    match item.value:
        case node.Name(name=name):
            return name
        case node.Path(base=node.Name(name=name), steps=steps) if all(steps):
            return "_".join((name, *steps))
        case node.Call(name="count" | "countif" as name):
            return f"{name}_"
    survey.tell(item.at, "give this column a name: `name = ...`")
    return f"?{item.at}"


def put(columns: dict[str, Value], name: str, value: Value, survey: Survey) -> None:
    """Add or replace a column; two names that differ only in case cannot be told apart offline."""
    if name not in columns and (twin := next((each for each in columns if each.lower() == name.lower()), None)):
        survey.tell(value.at, f"the columns '{twin}' and '{name}' differ only in case: rename one")
    columns[name] = value


@apply.register
def _columns(step: node.Columns, frame: Frame, survey: Survey) -> Frame:
    """`project`, `extend` and `distinct`; in `extend` a column is seen by those after it."""
    if step.word == "distinct":
        _no_rows(frame, step.at, "distinct", survey)
    columns = dict(frame.columns) if step.word == "extend" or not step.items else {}
    seen = frame
    for item in step.items:
        value = infer(item.value, scope(seen, survey))
        if step.word == "distinct":
            _sortable(value, item.value, "distinct", survey)
        value = replace(value, at=item.at)
        name = title(item, survey)
        if step.word == "project" and name in columns:
            survey.tell(item.at, f"the column '{name}' is projected twice")
        put(columns, name, value, survey)
        seen = replace(seen, columns=columns) if step.word == "extend" else seen
    return replace(frame, columns=columns)


@apply.register
def _away(step: node.Away, frame: Frame, survey: Survey) -> Frame:
    gone = set()
    for each in step.names:
        matches = {column for column in frame.columns if fnmatchcase(column, each.name)}
        if not matches:
            column(each, each.name, scope(frame, survey))
        gone |= matches
    return replace(frame, columns={name: value for name, value in frame.columns.items() if name not in gone})


@apply.register
def _rename(step: node.Rename, frame: Frame, survey: Survey) -> Frame:
    names: dict[str, tuple[str, int]] = {}
    for item in step.items:
        if isinstance(item.value, node.Name) and len(item.names) == 1:
            column(item.value, item.value.name, scope(frame, survey))
            names[item.value.name] = (item.names[0], item.at)
        else:
            survey.tell(item.at, "project-rename takes `new = old`")
    columns: dict[str, Value] = {}
    for name, value in frame.columns.items():
        new, at = names.get(name, (name, value.at))
        put(columns, new, replace(value, at=at), survey)
    return replace(frame, columns=columns)


def _no_rows(frame: Frame, at: int, word: str, survey: Survey) -> None:
    if frame.rows:
        survey.advise(
            at, f"`{word}` here leaves rows that Azure Resource Graph does not page: put it in the right side of a join"
        )


@apply.register
def _summarize(step: node.Summarize, frame: Frame, survey: Survey) -> Frame:
    _no_rows(frame, step.at, "summarize", survey)
    columns: dict[str, Value] = {}
    for item in step.by:
        value = infer(item.value, scope(frame, survey))
        _sortable(value, item.value, "summarize by", survey)
        put(columns, title(item, survey), replace(value, at=item.at), survey)
    for item in step.items:
        if isinstance(item.value, node.Call) and item.value.name in {"arg_max", "arg_min"}:
            _extreme(columns, item, frame, survey)
            continue
        value = infer(item.value, scope(frame, survey, aggregates=True))
        put(columns, title(item, survey), Value(kind=value.kind, blind=value.blind, at=item.at), survey)
    return replace(frame, columns=columns)


def _extreme(columns: dict[str, Value], item: node.Named, frame: Frame, survey: Survey) -> None:
    """`arg_max(x, *)` and `arg_max(x, a, b)`: the row that has the greatest `x`, its columns under their own names."""
    assert isinstance(item.value, node.Call)
    infer(item.value, scope(frame, survey, aggregates=True))
    if not item.value.args or not all(isinstance(part, node.Name | node.Star) for part in item.value.args):
        survey.tell(item.at, f"{item.value.name}() takes column names here: compute them with extend first")
        return
    first, *others = item.value.args
    for part in (first, *others):
        names = list(frame.columns) if isinstance(part, node.Star) else [part.name] if isinstance(part, node.Name) else []
        for name in names:
            new = item.names[0] if part is first and item.names else name
            if name in frame.columns and new not in columns:
                put(columns, new, replace(frame.columns[name], at=item.at), survey)


@apply.register
def _expand(step: node.MvExpand, frame: Frame, survey: Survey) -> Frame:
    survey.expansions.append(step.at)
    most = arg.MAX_MV_EXPAND_LIMIT
    if step.limit is None or not 1 <= step.limit <= most:
        survey.tell(
            step.at, f"write a limit of 1 to {most}: without one ARG keeps 128 elements of each array and drops the rest"
        )
    columns = dict(frame.columns)
    for each in step.items:
        value = infer(each.item.value, scope(frame, survey))
        if value.kind not in {"dynamic", "unknown"}:
            survey.tell(each.item.at, f"mv-expand takes a dynamic array, not a {value.kind}")
        kind: Kind = kind_of(each.to) if each.to else "dynamic"
        put(columns, title(each.item, survey), Value(kind=kind, lowered=value.lowered, blind=True, at=each.item.at), survey)
    for name, option in step.options:
        if name == "with_itemindex":
            put(columns, option, Value(kind="long", at=step.at), survey)
        elif name not in {"kind", "bagexpansion"}:
            survey.tell(step.at, f"mv-expand does not take `{name}` here")
    return replace(frame, columns=columns)


@apply.register
def _parse(step: node.Parse, frame: Frame, survey: Survey) -> Frame:
    value = infer(step.value, scope(frame, survey))
    if value.kind not in {"string", "unknown"}:
        survey.tell(step.value.at, f"parse reads a string, not a {value.kind}: use tostring()")
    columns = dict(frame.columns)
    for name, spelling in step.columns:
        put(columns, name, Value(kind=kind_of(spelling), lowered=value.lowered, blind=True, at=step.at), survey)
    return replace(frame, columns=columns)
