"""Where JMESPath would quietly yield null or guess, a row is undecided: every one of these passed a gate somewhere."""

from __future__ import annotations

import pytest

from scanner.assertion import Undecided, compile_expression
from scanner.model import Json


def truth(text: str, row: Json) -> bool:
    return compile_expression(text).truth(row)


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("!(a >= `5`)", {}),
        ("!(a >= `5`)", {"a": "7"}),
        ("!(a >= `5`)", {"a": True}),
        ("a < b", {"a": "4", "b": "5"}),
        ("a != 'bad'", {"a": 5}),
        ("a != `1`", {"a": True}),
        ("a == `0`", {"a": False}),
        ('a != `["bad"]`', {"a": [5]}),
        ('a != `["bad"]`', {"a": "bad"}),
        ('a != `{"x": 1}`', {"a": {}}),
        ("!a", {"a": 0}),
        ("!a", {"a": ""}),
        ("!a", {"a": []}),
        ("!(a[?b == 'x'])", {"a": []}),
        ("a && b", {"a": "yes", "b": True}),
        ("length(a[?b]) == `0`", {"a": [{"b": "no"}]}),
        ("length(a[?b == 'x']) == `0`", {"a": [{"b": 5}]}),
        ("length(a[?b == 'x']) == `0`", {"a": {"b": "x"}}),
        ("length(a[?b > `1`]) == `0`", {"a": [{}]}),
        ("length(a.*) == `0`", {"a": []}),
        ("length(a[*]) == `0`", {"a": {}}),
        ("!contains(a, 'bad')", {"a": ["ok", 5]}),
        ("!contains(a, 'bad')", {"a": None}),
        ("to_number(a) != `5`", {"a": "five"}),
        ("to_number(a) == to_number(b)", {"a": "x", "b": "y"}),
        ("version_at_least(a, '2') != `false`", {"a": "Unknown"}),
        ("!version_at_least(a, '2')", {"a": "Unknown"}),
        ("!(version_at_least(a, '2') || b)", {"a": "Unknown", "b": False}),
        ("version_at_least(a, '2') || b", {"a": "Unknown", "b": True}),
        ("!contains(a[*].version_at_least(v, '2'), `false`)", {"a": [{"v": "Unknown"}]}),
        ("!contains(a.*.version_at_least(v, '2'), `false`)", {"a": {"x": {"v": "Unknown"}}}),
        ("!contains(a[?w].version_at_least(v, '2'), `false`)", {"a": [{"w": True, "v": "Unknown"}]}),
        ("(a[*].b | [5]) != 'bad'", {"a": [{"b": "bad"}]}),
        ("(a[?n == 'x'] | [0].s) != 'bad'", {"a": []}),
        ("a[?n == 'x'] | [0].s != 'bad'", {"a": []}),
        ("a[?n == 'x'] | [0] | s != 'bad'", {"a": []}),
        ("a[?n == 'x'] | [0] | !s", {"a": []}),
        ("max_by(a, &t).s != 'bad'", {"a": []}),
        ("max_by(a, &t) | s != 'bad'", {"a": []}),
        ("max_by(a, &t).s == max_by(b, &t).s", {"a": [], "b": []}),
        ("sort_by(a, &t)[0].s != 'bad'", {"a": []}),
        ("sort_by(a, &t)[0].s != 'bad'", {"a": [{"t": "1"}, {"t": 2}]}),
        ("max(a) != `5`", {"a": []}),
        ("{x: to_number(a)} | x != `5`", {"a": "five"}),
        ("{x: to_number(a)}.x != `5`", {"a": "five"}),
        ("to_string(a) != 'x'", {"a": None}),
        ("starts_with(a, 'x')", {"a": None}),
        ("length(a) == `0`", {"a": None}),
    ],
)
def test_jmespath_fails_open_here_and_arguard_does_not(text: str, row: Json) -> None:
    with pytest.raises(Undecided):
        truth(text, row)


@pytest.mark.parametrize(
    ("text", "row", "answer"),
    [
        ("a >= `5`", {"a": 5.0}, True),
        ("a > `5`", {"a": 5}, False),
        ("a <= b", {"a": 5, "b": 6}, True),
        ("a < b", {"a": 5, "b": 5}, False),
        ("a == 'x'", {"a": "x"}, True),
        ("a != 'x'", {"a": "x"}, False),
        ("a == b", {"a": ["x", 1], "b": ["x", 1.0]}, True),
        ("a == `null`", {}, True),
        ("`null` != a", {}, False),
        ("a == `null`", {"a": 1}, False),
        ("a != 'bad'", {}, True),
        ("a.b == 'good'", {"a": {}}, False),
        ("max_by(a, &t) == `null`", {"a": []}, True),
        ("!(a && b)", {"a": False}, True),
        ("a && b", {"a": True, "b": False}, False),
        ("a || b", {"a": False, "b": True}, True),
        ("a || b", {"a": True}, True),
        ("a || b", {"b": True}, True),
        ("(a || 'none') == 'none'", {"a": ""}, True),
        ("(to_number(a) || `0`) == `0`", {"a": "x"}, True),
        ("length(a[?b == 'x' && c > `1`]) == `1`", {"a": [{"b": "x", "c": 2}, {"b": "y"}, {"b": "x", "c": 0}]}, True),
        ("sum(a[?b].n) == `3`", {"a": [{"b": True, "n": 3}, {"b": False, "n": 4}]}, True),
        ("length(a[*].b) == `1`", {"a": [{"b": 1}, {}]}, True),
        ("length(a.*.b) == `2`", {"a": {"x": {"b": 1}, "y": {"b": 2}}}, True),
        ("contains(a[].b, 'x')", {"a": [[{"b": "x"}], {"b": "y"}]}, True),
        ("{x: a, y: b} | x == y", {"a": 1, "b": 1}, True),
        ("sort_by(a, &t)[0].s == 'first'", {"a": [{"t": 2, "s": "second"}, {"t": 1, "s": "first"}]}, True),
        ("a[?n == 'x'] | [0].s == 'good'", {"a": [{"n": "x", "s": "good"}]}, True),
    ],
)
def test_what_is_there_is_judged_as_jmespath_does(text: str, row: Json, answer: Json) -> None:
    assert truth(text, row) is answer


def test_a_projection_over_what_is_no_list_is_null() -> None:
    for text in ("a[*].b", "a[?b]", "a.*.b", "a[].b"):
        assert compile_expression(text).value({"a": "text"}) is None


def test_a_multi_select_of_nothing_is_null() -> None:
    assert compile_expression("a.{x: b}").value({}) is None
