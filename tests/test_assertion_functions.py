from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jmespath.functions import Functions

from scanner.assertion import Undecided, compile_expression, path_text
from scanner.assertion.functions import NotComparable, PolicyFunctions, kind, same
from scanner.model import Json
from tests.conftest import json_values


def value(expression: str, **row: Json) -> Json:
    return compile_expression(expression).value(row)


@pytest.mark.parametrize(
    ("version", "minimum", "answer"),
    [
        ("2.7.41491.1010", "2.7.41491.1010", True),
        ("2.10", "2.9", True),
        ("2.9", "2.10", False),
        ("2", "2.0.0", True),
        ("2.0.0", "2", True),
        ("2.0", "2.0.1", False),
        ("02.7", "2.7", True),
        ("Unknown", "2.7", None),
        ("", "2.7", None),
        ("2.7-beta", "2.7", None),
        ("2..7", "2.7", None),
        ("2.7.", "2.7", None),
        ("²", "2.7", None),
        ("2.7\n", "2.7", None),
        ("2.7", "newest", None),
        ("1" * 19, "2", None),
        (None, "2.7", None),
    ],
)
def test_versions_compare_number_by_number_or_not_at_all(version: str | None, minimum: str, answer: Json) -> None:
    assert value("version_at_least(v, m)", v=version, m=minimum) is answer


@given(*[st.lists(st.integers(0, 99), min_size=1, max_size=4)] * 2)
def test_one_of_two_versions_is_at_least_the_other(left: list[int], right: list[int]) -> None:
    a, b = (".".join(map(str, parts)) for parts in (left, right))
    at_least = value("version_at_least(a, b)", a=a, b=b), value("version_at_least(b, a)", a=a, b=b)
    assert any(at_least)
    assert all(at_least) is (left + [0] * (4 - len(left)) == right + [0] * (4 - len(right)))


def test_lower_keeps_null_null() -> None:
    assert value("lower(v)", v="CanNotDelete") == "cannotdelete"
    assert value("lower(v)", v=None) is None


@pytest.mark.parametrize("odd", [5, True, [], {}])
def test_lower_takes_texts_only(odd: Json) -> None:
    with pytest.raises(Undecided):
        value("lower(v)", v=odd)


@pytest.mark.parametrize(
    ("subject", "search", "answer"),
    [
        ("abc", "b", True),
        ("abc", "x", False),
        (["a"], "a", True),
        (["a"], "b", False),
        ([], "b", False),
        ([1, "b"], "b", True),
        ([1.0], 1, True),
    ],
)
def test_contains_finds_what_is_there(subject: Json, search: Json, answer: Json) -> None:
    assert value("contains(s, x)", s=subject, x=search) is answer


@pytest.mark.parametrize(
    ("subject", "search"),
    [
        ("51", 5),
        (["a", 5], "b"),
        ([True], 1),
        ([1], True),
        ([None], "b"),
        (["a"], None),
        ([["a"]], "a"),
        ([{"a": 1}], {"a": 1}),
        (None, "x"),
        (5, 5),
    ],
)
def test_contains_does_not_deny_what_it_cannot_tell(subject: Json, search: Json) -> None:
    with pytest.raises(Undecided):
        value("contains(s, x)", s=subject, x=search)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12", 12),
        ("-1.5", -1.5),
        ("1e3", 1000.0),
        (7, 7),
        (1.5, 1.5),
        ("1_000", None),
        ("nan", None),
        ("Infinity", None),
        ("1e999", None),
        (" 1", None),
        ("01", None),
        ("٣", None),
        (True, None),
        (None, None),
        ([1], None),
        ("", None),
    ],
)
def test_to_number_reads_json_numbers_only(text: Json, number: float | None) -> None:
    found = value("to_number(v)", v=text)
    assert (found, type(found)) == (number, type(number))


@pytest.mark.parametrize(("given_value", "text"), [("a", "a"), (5, "5"), (True, "true"), (1.5, "1.5")])
def test_to_string_of_one_value(given_value: Json, text: str) -> None:
    assert value("to_string(v)", v=given_value) == text


@pytest.mark.parametrize("odd", [None, [], {}, {"$redacted": "password"}, [{"$redacted": "key"}]])
def test_to_string_never_hides_what_is_missing_or_redacted(odd: Json) -> None:
    with pytest.raises(Undecided):
        value("to_string(v)", v=odd)


@given(json_values, json_values)
def test_equality_is_symmetric_and_raises_or_tells(left: Json, right: Json) -> None:
    def outcome(one: Json, other: Json) -> bool | None:
        try:
            return same(one, other)
        except NotComparable:
            return None

    assert outcome(left, right) == outcome(right, left)
    if kind(left) == kind(right) and not isinstance(left, list | dict):
        assert outcome(left, right) is (left == right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1, True),
        (0, False),
        ("1", 1),
        (None, "x"),
        ([1], [True]),
        ([None], ["x"]),
        ({}, {}),
        ({"a": 1}, {"a": 1}),
        ([{}], [{}]),
        ([], {}),
    ],
)
def test_what_json_keeps_apart_is_not_equated(left: Json, right: Json) -> None:
    with pytest.raises(NotComparable):
        same(left, right)


def test_lists_are_equal_element_by_element() -> None:
    assert same(["a", ["b"]], ["a", ["b"]])
    assert not same(["a"], ["a", "b"])
    assert not same(["a", "c"], ["a", "b"])


@pytest.mark.parametrize(
    ("texts", "wanted", "answer"),
    [
        (["get", "list"], ["get", "list"], True),
        (["List", "GET", "set"], ["get", "LIST"], True),
        (["get"], ["get", "list"], False),
        (["getx", "list"], ["get", "list"], False),
        ([], ["get"], False),
        ([], [], True),
    ],
)
def test_contains_all_finds_every_wanted_text_in_any_case(texts: list[str], wanted: list[str], answer: Json) -> None:
    assert value("contains_all(t, w)", t=texts, w=wanted) is answer


@pytest.mark.parametrize("odd", [None, "get", {"get": True}, ["get", None], ["get", 7], ["get", {"$redacted": "secret"}]])
def test_contains_all_takes_lists_of_texts_only(odd: Json) -> None:
    with pytest.raises(Undecided):
        value("contains_all(t, w)", t=odd, w=["get"])
    with pytest.raises(Undecided):
        value("contains_all(t, w)", t=["get"], w=odd)


@given(st.lists(st.sampled_from("abcd")), st.lists(st.sampled_from("abcd")))
def test_contains_all_is_contains_for_each(texts: list[str], wanted: list[str]) -> None:
    each = [value("contains(t, w)", t=texts, w=one) for one in wanted]
    assert value("contains_all(t, w)", t=texts, w=wanted) is all(each)


def test_our_own_functions_are_a_closed_list() -> None:
    assert set(PolicyFunctions.FUNCTION_TABLE) - set(Functions.FUNCTION_TABLE) == {
        "contains_all",
        "contains_any",
        "like_any",
        "lower",
        "matching",
        "only_if",
        "version_at_least",
    }


@pytest.mark.parametrize(("condition", "answer"), [(True, False), (False, None)])
def test_only_if_leaves_a_row_undecided_where_its_condition_does_not_hold(condition: Json, answer: Json) -> None:
    assert value("only_if(a > `5`, c)", a=1, c=condition) is answer


@pytest.mark.parametrize("odd", [None, 1, "true", []])
def test_the_condition_of_only_if_is_true_or_false(odd: Json) -> None:
    with pytest.raises(Undecided):
        value("only_if(a, c)", a=True, c=odd)


@pytest.mark.parametrize(
    ("text", "words", "answer"),
    [
        ("Windows Server 2019 Datacenter", ["windows server 2019"], True),
        ("ubuntu", ["Debian", "UBUNTU"], True),
        ("ubuntu", ["debian"], False),
        ("ubuntu", [], False),
    ],
)
def test_a_text_holds_one_of_some_words_in_any_case(text: str, words: list[str], answer: Json) -> None:
    assert value("contains_any(t, params.w)", t=text, params={"w": words}) is answer


@pytest.mark.parametrize(("text", "words"), [(None, ["a"]), (5, ["a"]), ("a", None), ("a", [1]), ("a", "a"), ("a", ["a", ""])])
def test_contains_any_takes_a_text_and_words_only(text: Json, words: Json) -> None:
    with pytest.raises(Undecided):
        value("contains_any(t, w)", t=text, w=words)


ENTRIES = [{"objectId": "AB", "keys": ["get"]}, {"objectId": "cd", "keys": ["list"]}]


@pytest.mark.parametrize(("wanted", "keys"), [("ab", ["get"]), ("CD", ["list"]), ("x", [])])
def test_matching_keeps_the_elements_with_a_key_that_a_parameter_names(wanted: str, keys: list[str]) -> None:
    assert value("matching(e, &objectId, params.id)[*].keys[]", e=ENTRIES, params={"id": wanted}) == keys


@pytest.mark.parametrize("odd", [{}, {"objectId": None}, {"objectId": 5}])
def test_matching_does_not_pass_over_an_element_that_could_be_meant(odd: Json) -> None:
    with pytest.raises(Undecided):
        value("matching(e, &objectId, 'ab')", e=[*ENTRIES, odd])


def test_what_matching_reads_is_known_before_it_runs() -> None:
    found = compile_expression("matching(e, &objectId, params.id)[*].keys[]").reads
    assert {"e[*].objectId", "params.id", "e[*].keys[]"} <= {path_text(path) for path in found}


@pytest.mark.parametrize(
    ("text", "patterns", "answer"),
    [
        ("Microsoft.KeyVault/vaults/keys/backup/action", ["Microsoft.KeyVault/vaults/*"], True),
        ("Microsoft.KeyVault/vaults/keys/backup/action", ["*/BACKUP/action"], True),
        ("Microsoft.KeyVault/vaults/keys/backup/action", ["*"], True),
        ("Microsoft.KeyVault/vaults/keys/backup/action", ["Microsoft.KeyVault/vaults/secrets/*", "*/read"], False),
        ("a.b", ["a?b", "a[.]b"], False),
        ("a\nb", ["a*b"], True),
        ("a", [], False),
    ],
)
def test_stars_stand_for_anything_and_nothing_else_is_special(text: str, patterns: list[str], answer: Json) -> None:
    assert value("like_any(t, p)", t=text, p=patterns) is answer
