from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.assertion import ExpressionError, compile_template
from scanner.assertion.template import show
from scanner.model import Json
from tests.conftest import json_values


def render(text: str, **view: Json) -> str:
    return compile_template(text).render(view)


def test_paths_in_braces_are_replaced_by_their_values() -> None:
    view = {"name": "Web01", "a": {"b": [1, 2]}, "locks": [{"id": "x"}, {"id": "y"}], "params": {"m": 5}}
    assert render("{name}: {a.b[1]} {locks[*].id} {params.m}{a}", **view) == 'Web01: 2 ["x","y"] 5{"b":[1,2]}'


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "(none)"), ("", ""), (True, "true"), (1.5, "1.5"), ([], "[]"), ({"b": 1, "a": 2}, '{"a":2,"b":1}')],
)
def test_values_print_as_a_reader_wants_them(value: Json, text: str) -> None:
    assert render("{v}", v=value) == text


def test_an_absent_path_prints_as_none() -> None:
    assert render("{a.b[0].c}") == "(none)"


def test_what_a_template_reads_is_known() -> None:
    assert compile_template("{a} and {b.c} and {a}").reads == {("a",), ("b", "c")}
    assert compile_template("nothing").reads == frozenset()


@pytest.mark.parametrize(
    ("text", "offset"),
    [("ab{", 2), ("}", 0), ("{a}}", 3), ("x {{a}}", 2), ("{a b}", 0), ("{}", 0), ("ok {length(a)}", 3), ("{a}{", 3)],
)
def test_stray_braces_and_expressions_are_refused_with_their_place(text: str, offset: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_template(text)
    assert caught.value.offset == offset


@given(st.text())
def test_any_text_is_a_template_or_refused(text: str) -> None:
    offset = None
    try:
        template = compile_template(text)
        assert template.reads or template.render({}) == text
    except ExpressionError as error:
        offset = error.offset
    assert offset is None or text[offset] in "{}"


@given(json_values)
def test_every_value_can_be_shown(value: Json) -> None:
    assert isinstance(show(value), str)
