from __future__ import annotations

from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.assertion import EACH, Path, Step, first_missing, parse_path, path_text, read
from scanner.assertion.paths import Many
from scanner.model import Json
from tests.conftest import json_values

names = st.sampled_from(["a", "b", "c", "x1", "_y"])
steps: st.SearchStrategy[Step] = names | st.integers(-2, 2) | st.sampled_from([EACH, Many.VALUES, Many.SPLAT])
paths: st.SearchStrategy[Path] = st.builds(lambda head, tail: (head, *tail), names, st.lists(steps, max_size=3))
written: st.SearchStrategy[Path] = st.builds(
    lambda head, tail: (head, *tail), names, st.lists(names | st.integers(-3, 30) | st.just(EACH), max_size=4)
)
Found: TypeAlias = list[tuple[int, Json]]


def leaves(value: Json, path: Path) -> Found:
    """The naive model: every end that the path leads to, with how many steps lead there; a dead end yields its None."""
    ends: Found = [(0, value)]
    for step in path:
        ends = [end for depth, at in ends for end in next_ends(depth, at, step)]
    return ends


def next_ends(depth: int, at: Json, step: Step) -> Found:
    if at is None:
        return [(depth, None)]
    if isinstance(step, str):
        return [(depth + 1, at.get(step) if isinstance(at, dict) else None)]
    if isinstance(step, int):
        return [
            (
                depth + 1,
                dict(enumerate(at)).get(step % len(at) if -len(at) <= step < len(at) else -1) if isinstance(at, list) else None,
            )
        ]
    if step is Many.VALUES:
        return [(depth + 1, item) for item in at.values()] if isinstance(at, dict) else [(depth + 1, None)]
    if step is Many.SPLAT:
        return [(depth + 1, item) for item in (at if isinstance(at, list) else [at])]
    return [(depth + 1, item) for item in at] if isinstance(at, list) else [(depth + 1, None)]


@given(st.dictionaries(names, json_values, max_size=3), paths)
def test_a_path_is_missing_exactly_where_the_naive_model_finds_a_null(row: Json, path: Path) -> None:
    holes = [depth for depth, value in leaves(row, path) if value is None]
    missing = first_missing(row, path)
    assert (missing is None) is (not holes)
    assert missing is None or (missing == path[: len(missing)] and len(missing) in holes)


@given(st.dictionaries(names, json_values, max_size=3), paths)
def test_reading_gives_none_or_a_list_and_never_raises(row: Json, path: Path) -> None:
    value = read(row, path)
    if not any(isinstance(step, Many) for step in path):
        assert value == leaves(row, path)[0][1]
    elif first_missing(row, path) is None:
        assert flat(value, sum(isinstance(step, Many) for step in path)) == [end for _, end in leaves(row, path)]


def flat(value: Json, depth: int) -> list[Json]:
    return [value] if depth == 0 else [end for item in value for end in flat(item, depth - 1)]


@given(written)
def test_a_path_is_read_back_from_its_text(path: Path) -> None:
    assert parse_path(path_text(path)) == path


@given(st.text(max_size=12) | st.text("ab.[]*-09", max_size=12))
def test_any_text_is_a_path_or_a_value_error(text: str) -> None:
    path, refused = None, ""
    try:
        path = parse_path(text)
    except ValueError as error:
        refused = str(error)
    assert (path is None) is (text in refused and refused.endswith("locks[*].level"))
    assert path is None or parse_path(path_text(path)) == path


@pytest.mark.parametrize(
    "text", ["", ".", "a.", ".a", "a..b", "[0]", "[*].a", "a[", "a[x]", "a b", "a[0]b", "a.[0]", "1a", "a-b", "a[*]b"]
)
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a path"):
        parse_path(text)


def test_every_kind_of_step_has_a_text() -> None:
    assert path_text(("a", EACH, "b", 0, Many.VALUES, Many.SPLAT, -1)) == "a[*].b[0].*[][-1]"


def test_a_name_that_is_no_plain_word_is_quoted_so_that_two_paths_never_share_a_text() -> None:
    assert path_text(("tags", "cost.centre")) == 'tags."cost.centre"'
    assert path_text(("tags", "cost", "centre")) == "tags.cost.centre"


ROW = {"a": {"b": None, "c": [{"d": 1}, {"d": None}, None]}, "t": "text", "n": 0, "e": [], "f": False, "s": ""}


@pytest.mark.parametrize(
    ("path", "missing"),
    [
        ("n", None),
        ("f", None),
        ("s", None),
        ("e", None),
        ("e[*].x", None),
        ("zzz", "zzz"),
        ("a.b", "a.b"),
        ("a.b.x", "a.b"),
        ("zzz.x.y", "zzz"),
        ("t.x", "t.x"),
        ("t[0]", "t[0]"),
        ("a[0]", "a[0]"),
        ("e[0]", "e[0]"),
        ("t[*]", "t[*]"),
        ("a.c[*].d", "a.c[*].d"),
        ("a.c[0].d", None),
        ("a.c[-1]", "a.c[-1]"),
        ("a.c[-3].d", None),
        ("a.c[-4]", "a.c[-4]"),
        ("a.c[3]", "a.c[3]"),
    ],
)
def test_false_zero_and_empty_are_there_and_null_is_not(path: str, missing: str | None) -> None:
    found = first_missing(ROW, parse_path(path))
    assert (found and path_text(found)) == missing


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a.c[*].d", [1, None, None]),
        ("a.c[0]", {"d": 1}),
        ("a.c[3]", None),
        ("t[*].x", []),
        ("e[*].x", []),
        ("a.c[*]", [{"d": 1}, {"d": None}, None]),
    ],
)
def test_what_stands_at_a_path(path: str, value: Json) -> None:
    assert read(ROW, parse_path(path)) == value


@pytest.mark.parametrize(
    ("row", "path", "optional", "missing"),
    [
        ({}, "a", "a", None),
        ({"a": None}, "a", "a", None),
        ({}, "a.b", "a", None),
        ({"a": {}}, "a.b", "a", "a.b"),
        ({"a": {}}, "a.b", "a.b", None),
        ({"a": {"b": None}}, "a.b.c", "a.b", None),
        ({"a": {"b": {}}}, "a.b.c", "a.b", "a.b.c"),
        ({}, "ab", "a", "ab"),
        ({"a": [{}, {"b": 1}]}, "a[*].b", "a[*].b", None),
        ({"a": [None]}, "a[*].b", "a", "a[*]"),
        ({"a": [None]}, "a[*].b", "a[*]", None),
        ({"a": [{}]}, "a[*].b", "a[*]", "a[*].b"),
        ({"a": []}, "a[0]", "a[0]", None),
    ],
)
def test_an_optional_path_may_be_absent_as_far_as_it_goes(row: Json, path: str, optional: str, missing: str | None) -> None:
    found = first_missing(row, parse_path(path), [parse_path("other"), parse_path(optional)])
    assert (found and path_text(found)) == missing


@pytest.mark.parametrize(
    ("row", "path"), [({"a": "x"}, "a.b"), ({"a": [1]}, "a.b"), ({"a": "x"}, "a[*].b"), ({"a": {}}, "a[0]"), ({"a": 5}, "a[0]")]
)
def test_what_is_there_but_of_another_kind_is_missing_even_where_optional(row: Json, path: str) -> None:
    assert first_missing(row, parse_path(path), [parse_path(path)]) is not None
