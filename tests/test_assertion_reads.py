"""Nothing that an expression looks at may vanish unnoticed: random expressions over random rows, one member taken away."""

from __future__ import annotations

import copy
from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from scanner.assertion import Expression, ExpressionError, Undecided, compile_expression, first_missing
from scanner.assertion.paths import Many, Path
from scanner.model import Json, Verdict
from tests.conftest import VM, a_policy, judge

names = st.sampled_from("abc")
texts = st.sampled_from(["x", "y"])
literals = st.sampled_from(["'x'", "'y'", "`0`", "`1`", "`true`", "`null`", '`["x"]`'])
leaf = st.sampled_from([None, True, False, 0, 1, "x", "y"])


def objects(inner: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    return st.dictionaries(names, inner, max_size=3)


values = st.recursive(
    leaf, lambda inner: objects(inner) | st.lists(inner, max_size=3) | st.lists(objects(inner), max_size=3), max_leaves=10
)
rows = objects(st.lists(objects(values), max_size=3) | values)

plain = st.lists(names, min_size=1, max_size=3).map(".".join)
paths: st.SearchStrategy[str] = st.deferred(
    lambda: (
        plain
        | st.tuples(
            paths,
            st.sampled_from([".{}", "[*].{}", "[].{}", "[0].{}", "[-1:].{}", "[?{} == 'x'].a", "[?!{}].b", "[?{} && c].a"]),
            names,
        ).map(lambda parts: parts[0] + parts[1].format(parts[2]))
    )
)
ones = paths | st.tuples(
    paths,
    st.sampled_from(["max_by({0}, &{1}).c", "min_by({0}, &{1}).b", "sort_by({0}, &{1})[0].c", "reverse({0})[0].{1}"]),
    names,
).map(lambda parts: parts[1].format(parts[0], parts[2]))
ones = ones | st.tuples(paths, names).map(lambda parts: f"({parts[0]} | [0].{parts[1]})") | paths.map("{{k: {0}}}.k".format)
ones = ones | st.tuples(ones, literals).map(lambda parts: f"({parts[0]} || {parts[1]})")
ones = ones | paths.map("to_number({})".format) | st.tuples(ones, ones).map("not_null({0[0]}, {0[1]})".format)
tests = (
    st.tuples(ones, st.sampled_from(["==", "!=", "<", ">="]), literals | ones).map(" ".join)
    | st.tuples(ones, literals).map("contains({0[0]}, {0[1]})".format)
    | paths.map("length({}[*].a) == `0`".format)
    | paths.map("length({}[?b == 'x'][]) == `1`".format)
    | st.tuples(names, paths).map("length(map(&{0[0]}, {0[1]}[*])) >= `1`".format)
    | paths
)
conditions = st.recursive(
    tests,
    lambda inner: (
        inner.map("!({})".format)
        | st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(lambda parts: "({} {} {})".format(*parts))
    ),
    max_leaves=4,
)


def compiled(text: str) -> Expression | None:
    try:
        return compile_expression(text)
    except ExpressionError:
        return None


def truth(expression: Expression, row: Json) -> bool | None:
    """The verdict in short: None where a path is missing or nothing is decided."""
    if any(first_missing(row, path) for path in expression.reads):
        return None
    try:
        return expression.truth(row)
    except Undecided:
        return None


def members(value: Json, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every member of every object inside a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        if isinstance(value, dict):
            yield (*at, key)
        yield from members(inner, (*at, key))


def changed(row: Json, member: tuple[str | int, ...], to: Json) -> Json:
    other = copy.deepcopy(row)
    holder = other
    for step in member[:-1]:
        holder = holder[step]
    if to is ...:
        del holder[member[-1]]
    else:
        holder[member[-1]] = to
    return other


@settings(max_examples=600, deadline=None)
@given(conditions, rows)
def test_no_member_that_vanishes_or_becomes_null_turns_a_row_into_a_pass(text: str, row: Json) -> None:
    expression = compiled(text)
    if expression is None or truth(expression, row) is True:
        return
    for member in members(row):
        assert truth(expression, changed(row, member, ...)) is not True, member
        assert truth(expression, changed(row, member, None)) is not True, member


@settings(max_examples=300, deadline=None)
@given(conditions, rows)
def test_what_the_verdict_rests_on_is_among_the_reads(text: str, row: Json) -> None:
    expression = compiled(text)
    if expression is None or truth(expression, row) is None:
        return
    for member in members(row):
        if truth(expression, changed(row, member, ...)) is not truth(expression, row):
            assert any(is_on(member, path) for path in expression.reads), member


def is_on(member: tuple[str | int, ...], path: Path) -> bool:
    """Whether a member lies on a read path, or inside what stands at its end; `[]` also passes without a step."""
    if not member or not path:
        return True
    if path[0] is Many.SPLAT:
        return is_on(member, path[1:]) or (isinstance(member[0], int) and is_on(member[1:], path[1:]))
    fits = path[0] == member[0] if isinstance(path[0], str) else isinstance(member[0], int)
    return fits and is_on(member[1:], path[1:])


@settings(max_examples=200, deadline=None)
@given(conditions, rows)
def test_a_policy_never_passes_a_row_in_which_a_read_path_is_missing(text: str, row: Json) -> None:
    if compiled(text) is not None:
        policy = a_policy(assertion=text)
        view = {**row, "id": VM}
        missing = any(first_missing(view, path) for path in policy.assertion.reads)
        finding = judge(policy, view)
        assert not (missing and finding.verdict is not Verdict.UNKNOWN)
