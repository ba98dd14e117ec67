from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.assertion import ExpressionError, Undecided, compile_expression, path_text
from scanner.model import Json, Reason
from tests.conftest import json_values

WORDS = [
    "a",
    "b",
    ".",
    "[",
    "]",
    "[*]",
    "[]",
    "[?",
    "*",
    "(",
    ")",
    "{",
    "}",
    ":",
    ",",
    "|",
    "||",
    "&&",
    "!",
    "==",
    "!=",
    "<",
    ">=",
    "@",
    "&",
]
WORDS += [
    "'x'",
    "`5`",
    "`null`",
    "`{`",
    '"q"',
    "length(",
    "sort_by(",
    "map(",
    "max_by(",
    "not_null(",
    "lower(",
    "to_number(",
    "0",
    "-1",
    " ",
    "\\ud800",
]


def reads(text: str) -> set[str]:
    return {path_text(path) for path in compile_expression(text).reads}


@given(
    st.text(max_size=30) | st.lists(st.sampled_from(WORDS), max_size=12).map("".join),
    st.dictionaries(st.sampled_from("ab"), json_values),
)
def test_any_text_compiles_or_is_refused_and_what_compiles_decides_or_does_not(text: str, row: Json) -> None:
    refused, undecided = None, None
    try:
        expression = compile_expression(text)
        assert all(isinstance(path[0], str) for path in expression.reads)
        assert expression.truth(row) in (True, False)
    except ExpressionError as error:
        refused = error
    except Undecided as error:
        undecided = error
    assert refused is None or (refused.message and 0 <= refused.offset <= len(text))
    assert undecided is None or (undecided.reason is Reason.EVAL_ERROR and "\n" not in undecided.text)


@pytest.mark.parametrize(
    ("text", "words", "offset"),
    [
        ("", "empty", 0),
        ("a ==", "ends too early", 4),
        ("a == == b", "unexpected", 5),
        ("a # b", "not JMESPath", 2),
        ("a.b(c)", "no function 'b()'", 0),
        ("nosuch(a)", "no function 'nosuch()'", 0),
        ("a == `Unknown`", "a text is written 'Unknown'", 5),
        ("a == `01`", "is not JSON", 5),
        ("a != `NaN`", "is not JSON", 5),
        ("a < `Infinity`", "is not JSON", 4),
        ("a >= '2.7'", "version_at_least", 0),
        ("'2.7' < a", "version_at_least", 0),
        ("a || (b > '1')", "version_at_least", 0),
        ("a[?v >= '2.7']", "version_at_least", 0),
        ("&a", "`&`", 0),
        ("&a != &b", "`&`", 0),
        ("[&a]", "`&`", 0),
        ("length(&a)", "argument 1 of length() is a value", 0),
        ("map(a, b)", "argument 1 of map() is an expression", 0),
        ("map(a, &b)", "argument 1 of map() is an expression", 0),
        ("sort_by(&a, &b)", "argument 1 of sort_by() is a value", 0),
        ("not_null(a, &b)", "argument 2 of not_null() is a value", 0),
        ("length()", "takes 1 arguments, not 0", 0),
        ("length(a, b)", "takes 1 arguments, not 2", 0),
        ("not_null()", "takes at least 1 arguments, not 0", 0),
        ('"\\ud800" == a', "half a surrogate pair", 0),
        ("a == `36893488147419103232`", "64 bits", 0),
        ("[" * 600 + "a" + "]" * 600, "too deeply", 0),
        ("a" * 5000, "at most 4096 characters", 0),
        ("[a,a] | [@,@] | " * 11 + "[@,@]", "too many multi-selects", 0),
    ],
)
def test_what_cannot_be_used_is_refused_at_load_with_its_place(text: str, words: str, offset: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text)
    assert words in caught.value.message
    assert caught.value.offset == offset


@pytest.mark.parametrize(
    "text", ["a == '`x`'", 'a == "`"', 'a == `"\\`"`', 'a == `[1, {"b": null}]`', "not_null(a, b, c)", "a == 'it\\'s'"]
)
def test_quotes_inside_quotes_are_understood(text: str) -> None:
    assert compile_expression(text).text == text


def test_the_limits_themselves_are_allowed() -> None:
    assert compile_expression("a" * 4096).reads == {("a" * 4096,)}
    thousand = "[a, a, a, a, a, a, a, a, a, a]"
    compile_expression(f"[{thousand}, a] | [@, @, @, @, @] | length(@) == `5`")
    compile_expression(" | ".join([thousand, *["[@, @, @, @, @, @, @, @, @, @]"] * 2]))
    with pytest.raises(ExpressionError, match="too many multi-selects"):
        compile_expression(" | ".join(["[a, a, a]", "[@, @]", *["[@, @, @, @, @, @, @, @, @, @, @, @, @]"] * 2]))


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("a", "a"),
        ("a.b.c == `1`", "a.b.c"),
        ("a[0].b", "a[0].b"),
        ("a[*].b", "a[*].b"),
        ("a[*]", "a[*]"),
        ("a[].b", "a[*][].b"),
        ("a[][].b", "a[*][][].b"),
        ("a[*].b[].c", "a[*].b[].c"),
        ("a.*.b", "a.*.b"),
        ("a.*", "a.*"),
        ("a[1:3].b", "a[*].b"),
        ("a[::-1] | [0].b", "a[*].b"),
        ("a[?b == 'x']", "a[*] a[*].b"),
        ("a[?b == 'x'].c", "a[*].b a[*].c"),
        ("a[?b[?c == `1`]]", "a[*] a[*].b[*] a[*].b[*].c"),
        ("a[?@ == 'x']", "a[*]"),
        ("a[?b].{x: c, y: d}", "a[*] a[*].b a[*].c a[*].d"),
        ("a[?b].[c, d]", "a[*] a[*].b a[*].c a[*].d"),
        ("{x: a.b, y: c}.x == 'q'", "a.b"),
        ("{x: a.b, y: c}", "a.b c"),
        ("{x: a} | x.y", "a.y"),
        ("[a, b.c]", "a b.c"),
        ("a | b", "a.b"),
        ("@.a", "a"),
        ("a || b && !c", "a b c"),
        ("length(a[?b > `1`]) == `0`", "a[*] a[*].b"),
        ("max_by(a, &b).c", "a a[*].b a[*].c"),
        ("min_by(a[*].x, &b).c", "a[*].x a[*].x.b a[*].x.c"),
        ("sort_by(a, &b)[0].c", "a a[*].b a[*].c"),
        ("sort_by(a, &b)[*].c", "a a[*].b a[*].c"),
        ("reverse(a)[0].c", "a a[*].c"),
        ("sort(a)[-1]", "a a[*]"),
        ("sort(`[2, 1]`)", ""),
        ("map(&b.c, a)", "a a[*].b.c"),
        ("map(&b, a)[0].c", "a a[*].b a[*].b.c"),
        ("map(&length(b), a)", "a a[*].b"),
        ("map(&a.b, c[*].d)", "c[*].d c[*].d.a.b"),
        ("not_null(a, b.c)", "a b.c"),
        ('contains(`["x"]`, lower(a))', "a"),
        ("a[*].b | [0].c", "a[*].b.c"),
        ("sum(a[*].b)", "a[*].b"),
        ("params.max > a", "a params.max"),
        ("`true`", ""),
        ("a[*].b[*].c", "a[*].b[*].c"),
        ('a."x y"', 'a."x y"'),
    ],
)
def test_every_path_is_read_off_the_expression(text: str, paths: str) -> None:
    assert reads(text) == set(paths.split(" ") if '"' not in paths else [paths]) - {""}


@pytest.mark.parametrize(
    "text",
    [
        "@",
        "@ == `1`",
        "keys(@)",
        "{x: @}",
        "*",
        "*.a",
        "[*].a",
        "[0]",
        "[]",
        "[?a]",
        "not_null(a, b).c",
        "not_null(a, b)[0]",
        "not_null(a, b)[*].c",
        "values(a)[?b == `1`]",
        "merge(a, b).c",
        "to_array(a)[0].b",
        '`{"a": 1}`.a == `1`',
        "`[1]`[0] == `1`",
        "[a, b][0]",
        "[a, b][?@ == 'x']",
        "{x: a}.y",
        "!a[?b == 'x']",
        "map(&to_number(@), a) | [0]",
        "{x: a}[0]",
        "{x: a}.*",
        "(a[*]).b",
        "(a == b).c",
        "map(&length(b), a)[*].c",
        "sort_by(values(a), &b)",
    ],
)
def test_what_no_path_names_is_refused_because_its_absence_could_not_be_noticed(text: str) -> None:
    with pytest.raises(ExpressionError, match="cannot be judged safely"):
        compile_expression(text)


def test_a_row_nested_beyond_the_interpreter_is_undecided() -> None:
    deep: Json = "x"
    for _ in range(5000):
        deep = [deep]
    expression = compile_expression("a == b")
    with pytest.raises(Undecided, match="nested too deeply"):
        expression.truth({"a": deep, "b": deep})


def test_an_error_without_words_is_named_by_its_kind() -> None:
    with pytest.raises(Undecided, match="cannot convert"):
        compile_expression("ceil(a) == `1`").truth({"a": float("inf")})


@pytest.mark.parametrize("result", [None, 0, 1, "", "true", [], [True], {}])
def test_only_true_and_false_decide(result: Json) -> None:
    with pytest.raises(Undecided, match="not true or false") as caught:
        compile_expression("a").truth({"a": result})
    assert caught.value.reason is Reason.EVAL_ERROR


def test_two_expressions_of_one_text_are_equal() -> None:
    assert compile_expression("a.b") == compile_expression("a.b")
    assert compile_expression("a.b") != compile_expression("a.c")
