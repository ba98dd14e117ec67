"""The grammar's parse tree as `scanner.kql.syntax`: the only module that knows the names of the grammar's rules."""

from __future__ import annotations

from collections.abc import Callable

from scanner.kql import syntax as node
from scanner.kql.rules import LITERALS, Rule, at, kind, literal, name, string, words
from scanner.kql.syntax import Expr, Step


def statements(top: Rule) -> list[node.Query | node.Foreign]:
    """Every statement of a parsed text; what is not a query is Foreign."""
    return [
        query(found.Query.Expression) if found.Query is not None else node.Foreign(at=at(found), words=words(found))
        for found in top.query().Statements
    ]


def query(rule: Rule) -> node.Query:
    """A pipe expression."""
    rule = _descend(rule, {"PipeExpression"})
    steps = tuple(_step(piped.Operator) for piped in rule.PipedOperators)
    return node.Query(at=at(rule), source=_source(rule.Expression), steps=steps)


def _descend(rule: Rule, stops: set[str] | None = None) -> Rule:
    """Through rules that only pass on one other rule, to the first that says something (or is named in `stops`)."""
    known = _EXPRESSIONS.keys() | (stops or set())
    while kind(rule) not in known and rule.getChildCount() == 1 and hasattr(rule.getChild(0), "start"):
        rule = rule.getChild(0)
    return rule


def _source(rule: Rule) -> node.Source:
    rule = _descend(rule, {"UnionOperator"})
    return _union(rule) if kind(rule) == "UnionOperator" else _side(rule)


def _side(rule: Rule) -> node.Side:
    """A source without brackets around it; anything that is neither a table nor a query is Foreign."""
    found = expression(rule)
    return found if isinstance(found, node.Name | node.Nested) else node.Foreign(at=at(rule), words=words(rule))


def expression(rule: Rule) -> Expr:
    """A scalar expression, or the right side of a join or union."""
    rule = _descend(rule)
    build = _EXPRESSIONS.get(kind(rule))
    return build(rule) if build is not None else node.Foreign(at=at(rule), words=words(rule))


def _chain(op: str) -> Callable[[Rule], Expr]:
    """`a or b or c`: one operation with every operand. A rule with one operand passes it on."""

    def build(rule: Rule) -> Expr:
        operands = tuple(expression(part) for part in (rule.Left, *(each.Right for each in rule.Operations)))
        return node.Operation(at=at(rule), op=op, args=operands) if len(operands) > 1 else operands[0]

    return build


def _fold(rule: Rule) -> Expr:
    """`a + b - c`, from the left."""
    left = expression(rule.Left)
    for each in rule.Operations:
        left = node.Operation(at=at(rule), op=each.OperatorToken.text, args=(left, expression(each.Right)))
    return left


def _binary(rule: Rule) -> Expr:
    left = expression(rule.Left)
    if rule.OperatorToken is None:
        return left
    return node.Operation(at=at(rule), op=rule.OperatorToken.text, args=(left, expression(rule.Right)))


def _string_operator(rule: Rule) -> Expr:
    left = expression(rule.Left)
    if rule.Operation is None:
        return left
    operator = rule.Operation.Operator
    op = " ".join(operator.OperatorToken.text.split()) if operator is not None else ":"
    return node.Operation(at=at(rule), op=op, args=(left, expression(rule.Operation.Right)))


def _equality(rule: Rule) -> Expr:
    """`==`, `in` and `between` with the operand before them; `* == x` has none."""
    if rule.Left is None:
        return node.Foreign(at=at(rule), words=words(rule))
    left, tail = expression(rule.Left), rule.Tail
    if tail is None:
        return left
    args = _TAILS[kind(tail)](tail)
    return node.Operation(at=at(rule), op=tail.OperatorToken.text, args=(left, *args))


def _compared(tail: Rule) -> tuple[Expr, ...]:
    return (expression(tail.Right),)


def _listed(tail: Rule) -> tuple[Expr, ...]:
    """The items of `in`; one item alone is read by the grammar as a query, which only a pipe makes it."""
    if tail.Subquery is None:
        return tuple(map(expression, tail.Expressions))
    if tail.Subquery.PipedOperators:
        return (node.Nested(at=at(tail.Subquery), query=query(tail.Subquery)),)
    return (expression(tail.Subquery.Expression),)


def _bounds(tail: Rule) -> tuple[Expr, ...]:
    return (expression(tail.StartExpression), expression(tail.EndExpression))


def _signed(rule: Rule) -> Expr:
    inner = expression(rule.Expression)
    return inner if rule.OperatorToken is None else node.Operation(at=at(rule), op=rule.OperatorToken.text, args=(inner,))


def _path(rule: Rule) -> Expr:
    base = expression(rule.Expression)
    steps = tuple(map(_member, rule.Operations))
    return node.Path(at=at(rule), base=base, steps=steps) if steps else base


def _member(rule: Rule) -> str:
    """One step of a path: its name, or the empty string for an index."""
    rule = rule.getChild(0)
    if kind(rule) == "FunctionCallOrPathPathOperation":
        return name(rule.Name)
    element = expression(rule.Element)
    return element.text if isinstance(element, node.Literal) and element.kind == "string" else ""


def _call(rule: Rule) -> Expr:
    args: list[Expr] = []
    labels: list[str] = []
    for argument in rule.Arguments:
        inner = argument.getChild(0)
        if kind(inner) == "StarExpression":
            args.append(node.Star(at=at(inner)))
            labels.append("")
        else:
            item = named(inner)
            args.append(item.value)
            labels.append(item.names[0] if item.names else "")
    return node.Call(at=at(rule), name=name(rule.Name), args=tuple(args), labels=tuple(labels))


def _count(rule: Rule) -> Expr:
    return node.Call(at=at(rule), name="count", args=())


def _composite(rule: Rule) -> Expr:
    """`f(x)`, or `x.f()` chains, which are outside the subset."""
    return node.Foreign(at=at(rule), words=words(rule)) if rule.Operations else expression(rule.Call)


def _brackets(rule: Rule) -> Expr:
    inner = _descend(rule.Expression, {"PipeExpression"})
    union = kind(_descend(inner.Expression, {"UnionOperator"})) == "UnionOperator"
    if inner.PipedOperators or union:
        return node.Nested(at=at(rule), query=query(inner))
    return expression(inner.Expression)


def _reference(rule: Rule) -> Expr:
    scoped = rule.Scope is not None
    return node.Foreign(at=at(rule), words=words(rule)) if scoped else node.Name(at=at(rule), name=name(rule.Name))


def named(rule: Rule) -> node.Named:
    """`name = expression`."""
    clause = rule.Name
    names: tuple[str, ...] = ()
    if clause is not None:
        names = (name(clause.Name),) if clause.Name is not None else tuple(map(name, clause.NameList.Names))
    return node.Named(at=at(rule), names=names, value=expression(rule.Expression))


def _options(rule: Rule) -> tuple[tuple[str, str], ...]:
    return tuple((each.NameToken.text, (each.NameValue or each.LiteralValue).getText()) for each in rule.Parameters)


def _union(rule: Rule) -> node.Union:
    legs = tuple(_leg(leg.getChild(0)) for leg in rule.Expressions)
    return node.Union(at=at(rule), options=_options(rule), legs=legs)


def _leg(rule: Rule) -> node.Side:
    text: str = rule.getText()
    if text.startswith("[") or text.replace("_", "a").isalnum():
        return node.Name(at=at(rule), name=name(rule))
    return _side(rule)


def _step(rule: Rule) -> Step:
    rule = rule.getChild(0)
    build = _STEPS.get(kind(rule))
    return build(rule) if build is not None else node.Other(at=at(rule), word=rule.start.text)


def _columns(rule: Rule) -> Step:
    return node.Columns(at=at(rule), word=rule.start.text, items=tuple(map(named, rule.Expressions)))


def _distinct(rule: Rule) -> Step:
    items = tuple(map(named, rule.ColumnList.Expressions)) if rule.ColumnList is not None else ()
    return node.Columns(at=at(rule), word="distinct", items=items)


def _away(rule: Rule) -> Step:
    return node.Away(at=at(rule), names=tuple(node.Name(at=at(each), name=name(each)) for each in rule.Columns))


def _rename(rule: Rule) -> Step:
    return node.Rename(at=at(rule), items=tuple(map(named, rule.Expressions)))


def _summarize(rule: Rule) -> Step:
    by = tuple(map(named, rule.ByClause.Expressions)) if rule.ByClause is not None else ()
    return node.Summarize(at=at(rule), items=tuple(map(named, rule.Expressions)), by=by)


def _sort(rule: Rule) -> Step:
    return node.Sort(at=at(rule), keys=tuple(named(each.Expression) for each in rule.Expressions))


def _join(rule: Rule) -> Step:
    on = tuple(map(expression, rule.OnClause.Expressions)) if rule.OnClause is not None else ()
    return node.Join(at=at(rule), options=_options(rule), right=_side(rule.Table), on=on)


def _where(rule: Rule) -> Step:
    return node.Where(at=at(rule), test=named(rule.Predicate).value)


def _mv_expand(rule: Rule) -> Step:
    items = tuple(
        node.Expanded(
            item=named(each.Expression), to=each.ToClause.Type.text[7:-1].strip() if each.ToClause is not None else ""
        )
        for each in rule.Expressions
    )
    limit = int(rule.LimitClause.LimitValue.text) if rule.LimitClause is not None else None
    return node.MvExpand(at=at(rule), options=_options(rule), items=items, limit=limit)


def _parse(rule: Rule) -> Step:
    pattern = rule.Pattern
    columns = [pattern.LeadingColumn, *(segment.Column for segment in pattern.Segments)]
    typed = tuple((name(each.Name), each.Type.getText() if each.Type is not None else "string") for each in columns if each)
    return node.Parse(at=at(rule), value=expression(rule.Expression), columns=typed)


_TAILS: dict[str, Callable[[Rule], tuple[Expr, ...]]] = {
    "EqualsEqualityExpression": _compared,
    "ListEqualityExpression": _listed,
    "BetweenEqualityExpression": _bounds,
}

_EXPRESSIONS: dict[str, Callable[[Rule], Expr]] = {
    "LogicalOrExpression": _chain("or"),
    "LogicalAndExpression": _chain("and"),
    "EqualityExpression": _equality,
    "RelationalExpression": _binary,
    "AdditiveExpression": _fold,
    "MultiplicativeExpression": _fold,
    "StringBinaryOperatorExpression": _string_operator,
    "InvocationExpression": _signed,
    "FunctionCallOrPathPathExpression": _path,
    "DotCompositeFunctionCallExpression": _composite,
    "NamedFunctionCallExpression": _call,
    "CountExpression": _count,
    "ParenthesizedExpression": _brackets,
    "NameReferenceWithDataScope": _reference,
    "StringLiteralExpression": string,
    **dict.fromkeys(LITERALS, literal),
}

_STEPS: dict[str, Callable[[Rule], Step]] = {
    "WhereOperator": _where,
    "ExtendOperator": _columns,
    "ProjectOperator": _columns,
    "DistinctOperator": _distinct,
    "ProjectAwayOperator": _away,
    "ProjectRenameOperator": _rename,
    "SummarizeOperator": _summarize,
    "SortOperator": _sort,
    "JoinOperator": _join,
    "UnionOperator": _union,
    "MvexpandOperator": _mv_expand,
    "ParseOperator": _parse,
}
