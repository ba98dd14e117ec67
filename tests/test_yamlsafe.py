from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.errors import InputError, Problem
from scanner.nodes import ListNode, MappingNode, Part, Position, ScalarNode, find, key_position
from scanner.yamlsafe import DEEPEST, LARGEST, decode, load

MERGE_BOMB = "a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 12))


def problems_of(text: bytes | str) -> list[str]:
    with pytest.raises(InputError) as caught:
        load(text, "f.yaml")
    return [str(problem) for problem in caught.value.problems]


def scalar(text: str) -> ScalarNode:
    node = find(load(text, "f.yaml"), ["k"])
    assert isinstance(node, ScalarNode)
    return node


@pytest.mark.parametrize(
    ("text", "where", "words"),
    [
        pytest.param("", "f.yaml: ", "empty", id="empty"),
        pytest.param("# only a comment\n", "f.yaml: ", "empty", id="comment only"),
        pytest.param("---\n", "f.yaml: ", "empty", id="a document of nothing"),
        pytest.param("~\n", "f.yaml: ", "empty", id="null alone"),
        pytest.param("a: 1\n--- \nb: 2\n", "f.yaml:2:1: ", "second document", id="two documents"),
        pytest.param("%YAML 1.1\n---\na: 1\n", "f.yaml:1:1: ", "directives", id="directive"),
        pytest.param("%TAG ! tag:x,2000:\n---\na: 1\n", "f.yaml:1:1: ", "directives", id="tag directive"),
        pytest.param("a: !!python/object:os.system x\n", "f.yaml:1:4: ", "tags are not allowed", id="python tag"),
        pytest.param("a: ! x\n", "f.yaml:1:4: ", "tags are not allowed", id="bare tag"),
        pytest.param("a: !!binary aGk=\n", "f.yaml:1:4: ", "tags are not allowed", id="binary"),
        pytest.param("a: !!set {x}\n", "f.yaml:1:4: ", "tags are not allowed", id="tag on a mapping"),
        pytest.param("a: &b 1\n", "f.yaml:1:4: ", "anchors are not allowed (&b)", id="anchor"),
        pytest.param("a: &b\n  - 1\n", "f.yaml:1:4: ", "anchors are not allowed (&b)", id="anchor on a list"),
        pytest.param("a: *b\n", "f.yaml:1:4: ", "aliases are not allowed (*b)", id="alias"),
        pytest.param("a:\n  <<: {b: 1}\n", "f.yaml:2:3: ", "merge keys", id="merge key"),
        pytest.param(
            "severity: high\nseverity: low\n",
            "f.yaml:2:1: ",
            "'severity' is here a second time; the first is on line 1",
            id="twice",
        ),
        pytest.param("a:\n\tb: 1\n", "f.yaml:2:1: ", "tab is used for indentation", id="tab"),
        pytest.param("a: 1\n\t\nb: 2\n", "f.yaml:2:1: ", "tab is used for indentation", id="tab on a line of its own"),
        pytest.param("- |\n\ttext\n", "f.yaml:2:1: ", "tab is used for indentation", id="tab before a block"),
        pytest.param("a: b: c\n", "f.yaml:1:5: ", "starts a mapping; quote", id="colon in plain text"),
        pytest.param("a: @x\n", "f.yaml:1:4: ", "cannot start with '@'; quote it", id="at sign"),
        pytest.param("a: `x`\n", "f.yaml:1:4: ", "cannot start with '`'; quote it", id="back-tick"),
        pytest.param("a: [1, 2\n", "f.yaml:2:1: ", "not YAML: did not find expected ',' or ']'", id="open list"),
        pytest.param("}\n", "f.yaml:1:1: ", "not YAML", id="brace"),
        pytest.param('a: "\\ud800"\n', "f.yaml:1:7: ", "not YAML", id="escaped surrogate"),
        pytest.param('a: "\\x1b[31m"\n', "f.yaml:1:4: ", "U+001B", id="escaped escape"),
        pytest.param('a: "x\\ny"\n', "f.yaml:1:4: ", "U+000A; longer texts go into a | block", id="escaped newline"),
        pytest.param('a: "\\u202e"\n', "f.yaml:1:4: ", "U+202E", id="escaped direction control"),
        pytest.param("a: \u202ex\n", "f.yaml:1:4: ", "U+202E", id="direction control"),
        pytest.param("a: b\x00\n", "f.yaml:1:5: ", "U+0000", id="NUL"),
        pytest.param("a: b\x85c\n", "f.yaml:1:5: ", "U+0085", id="next line"),
        pytest.param("a: b\rc: d\n", "f.yaml:1:5: ", "U+000D", id="lone carriage return"),
        pytest.param("a: \ud800\n", "f.yaml:1:4: ", "U+D800", id="lone surrogate"),
        pytest.param("\ufeffa: 1\n", "f.yaml:1:1: ", "byte order mark", id="BOM"),
        pytest.param(b"a: 1\nb: \xc3\xa9\xff\n", "f.yaml:2:5: ", "byte 0xFF is not UTF-8", id="bad UTF-8"),
        pytest.param("a: 9007199254740993\n", "f.yaml:1:4: ", "beyond 9007199254740992", id="beyond 2^53"),
        pytest.param("a: " + "9" * 5000 + "\n", "f.yaml:1:4: ", "beyond 9007199254740992", id="5,000 digits"),
        pytest.param("1: a\n", "f.yaml:1:1: ", "a key must be a text; quote 1", id="number as key"),
        pytest.param("true: a\n", "f.yaml:1:1: ", "a key must be a text; quote true", id="boolean as key"),
        pytest.param("?\n: b\n", "f.yaml:1:2: ", "a key must be a text; quote it", id="no key"),
        pytest.param("? [a]\n: b\n", "f.yaml:1:3: ", "a key must be a text on one line", id="list as key"),
        pytest.param("? |\n  a\n: b\n", "f.yaml:1:3: ", "a key must be a text on one line", id="block as key"),
        pytest.param("[" * 500, "f.yaml:1:31: ", "more than 30 levels", id="500 brackets"),
        # Newer parsers have a limit of their own, and tell it before anything can be counted here.
        pytest.param("[" * 50_000, "f.yaml:1:", "more than 30 levels", id="50,000 brackets"),
        pytest.param("- " * 50_000, "f.yaml:1:61: ", "more than 30 levels", id="50,000 dashes"),
        pytest.param("#" * (LARGEST + 1), "f.yaml: ", "larger than 256 KiB", id="too large"),
    ],
)
def test_what_is_refused_is_told_with_its_place(text: bytes | str, where: str, words: str) -> None:
    (problem,) = problems_of(text)
    assert problem.startswith(where)
    assert words in problem


def test_all_problems_are_listed_and_not_only_the_first() -> None:
    text = "a: *b\nx: &r 2\nx: 3\n1: 3\n[q]: 3\n[q]: 4\nbig: 99999999999999999999\n"
    assert [problem.split(": ")[0] for problem in problems_of(text)] == [
        "f.yaml:1:4",
        "f.yaml:2:4",
        "f.yaml:3:1",
        "f.yaml:4:1",
        "f.yaml:5:1",
        "f.yaml:6:1",
        "f.yaml:7:6",
    ]


def test_a_broken_end_does_not_hide_the_problems_before_it() -> None:
    assert [problem.split(": ")[0] for problem in problems_of("a: *b\nc: [\n")] == ["f.yaml:1:4", "f.yaml:3:1"]


def test_every_forbidden_character_is_listed() -> None:
    assert [problem.split(": ")[0] for problem in problems_of("\ufeffa: \x07\nb: \x1b\n")] == [
        "f.yaml:1:1",
        "f.yaml:1:5",
        "f.yaml:2:4",
    ]


def test_a_merge_key_bomb_ends_at_once_with_its_anchors_and_aliases() -> None:
    found = problems_of(MERGE_BOMB)
    assert sum("anchors" in problem for problem in found) == 12
    assert sum("aliases" in problem for problem in found) == 22
    assert sum("merge keys" in problem for problem in found) == 11


def test_nesting_is_allowed_up_to_the_cap() -> None:
    load("[" * DEEPEST + "]" * DEEPEST, "f.yaml")
    assert "levels" in problems_of("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1))[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("k:", None),
        ("k: ~", None),
        ("k: null", None),
        ("k: true", True),
        ("k: false", False),
        ("k: 0", 0),
        ("k: -17", -17),
        ("k: 9007199254740992", 2**53),
        ("k: -9007199254740992", -(2**53)),
        ("k: '1'", "1"),
        ('k: ""', ""),
        ("k: 'null'", "null"),
        ("k: |\n  1", "1"),
        ("k: plain text", "plain text"),
        ("k: 2.7.41491.1010", "2.7.41491.1010"),
        ("k: nothing", "nothing"),
    ],
)
def test_scalars_follow_the_core_schema(text: str, value: object) -> None:
    node = scalar(text)
    assert node.value == value
    assert type(node.value) is type(value)
    assert node.odd == ""


@pytest.mark.parametrize(
    ("text", "odd"),
    [
        *((word, "a boolean") for word in ("no", "No", "YES", "on", "off", "y", "N", "True", "FALSE")),
        *((word, "null") for word in ("Null", "NULL")),
        *((word, "a date") for word in ("2024-01-31", "2024-13-45", "2026-11-20T06:00:00Z", "2001-1-1 1:2:3")),
        *((word, "a number") for word in ("1_000", "017", "0o17", "0x1F", "0b11", "1:30", "1:30:00.5", "+1", "08")),
        *((word, "a number") for word in ("1.10", "1e3", "1.5e-3", ".5", "-.inf", ".NaN", "1.")),
    ],
)
def test_what_other_readers_take_for_another_type_stays_a_text_and_is_marked(text: str, odd: str) -> None:
    assert scalar(f"k: {text}") == ScalarNode(position=Position(1, 4), value=text, first=Position(1, 4), odd=odd)
    assert scalar(f"k: '{text}'").odd == ""


def test_an_odd_key_stays_the_text_that_was_written() -> None:
    assert load("no: 1\n1.10: 2\n", "f.yaml").plain() == {"no": 1, "1.10": 2}


def test_a_quoted_merge_sign_is_an_ordinary_key() -> None:
    assert load('"<<": 1', "f.yaml").plain() == {"<<": 1}


def test_windows_line_ends_and_tabs_inside_blocks_are_fine() -> None:
    assert load(b"a: |\r\n  x\ty\r\n  z\r\nb: 1\r\n", "f.yaml").plain() == {"a": "x\ty\nz\n", "b": 1}


TEXT = """\
a: é b
c: 'x y'  # comment
d: |
    one
      two

    three
e: >
  folded
  text
f: "es\\"caped"
g: [q, {r: s}]
h: |2-
    lead
i: |

  late
j: two
  lines
k: |
l: 😀 x
"""


def test_every_value_knows_its_place() -> None:
    node = load(TEXT, "f.yaml")
    assert node.at([]) == (1, 1)
    assert node.at(["c"]) == (2, 4)
    assert node.at(["g", 1, "r"]) == (12, 12)
    assert node.at(["g", 1, "nowhere"]) == (12, 8)
    assert node.at(["g", 7]) == node.at(["g", "x"]) == (12, 4)
    assert node.at(["a", "deeper"]) == (1, 4)
    assert key_position(node, ["g", 1, "r"]) == (12, 9)
    assert key_position(node, ["g", 1]) == (12, 8)
    assert key_position(node, []) == (1, 1)
    assert key_position(node, ["a", "b", "c"]) == (1, 4)
    assert key_position(node, ["x"]) == (1, 1)


def test_find_gives_the_node_or_nothing() -> None:
    node = load(TEXT, "f.yaml")
    assert isinstance(find(node, ["g"]), ListNode)
    assert isinstance(find(node, ["g", 1]), MappingNode)
    paths: list[list[Part]] = [["x"], ["g", 2], ["g", "q"], ["a", "b"]]
    for path in paths:
        assert find(node, path) is None


@pytest.mark.parametrize(
    ("key", "word", "place"),
    [
        ("a", "b", (1, 6)),
        ("c", "y", (2, 7)),
        ("d", "one", (4, 5)),
        ("d", "two", (5, 7)),
        ("d", "three", (7, 5)),
        ("h", "lead", (14, 5)),
        ("i", "late", (17, 3)),
        ("l", "x", (21, 6)),
    ],
)
def test_a_character_of_a_text_is_found_in_the_file(key: str, word: str, place: tuple[int, int]) -> None:
    node = find(load(TEXT, "f.yaml"), [key])
    assert isinstance(node, ScalarNode)
    assert node.place(str(node.value).index(word)) == place
    line = TEXT.split("\n")[place[0] - 1]
    assert line[place[1] - 1 :].startswith(word)


@pytest.mark.parametrize("key", ["e", "f", "j", "k"])
def test_a_text_that_the_file_spells_differently_is_placed_at_its_start(key: str) -> None:
    node = find(load(TEXT, "f.yaml"), [key])
    assert isinstance(node, ScalarNode)
    assert node.first is None
    assert node.place(3) == node.position


def test_decode_is_strict_and_makes_line_ends_alike() -> None:
    assert decode(b"a\r\nb\n", "q.kql") == "a\nb\n"
    with pytest.raises(InputError, match=r"q\.kql: the file is larger than 1 KiB"):
        decode(b"a" * 1025, "q.kql", 1024)
    with pytest.raises(InputError, match=r"q\.kql:2:2: byte 0xE9 is not UTF-8"):
        decode(b"a\n\x41\xe9", "q.kql")


YAMLISH = st.text(alphabet=st.sampled_from("ab1:-?[]{},&*!|>'\"#%@` \n\t~<yé"), max_size=60)


@given(st.binary(max_size=200) | YAMLISH.map(str.encode) | YAMLISH.map(lambda text: f"a:\n {text}".encode()))
def test_any_bytes_give_a_tree_or_problems_and_nothing_else(data: bytes) -> None:
    try:
        outcome = json.dumps(load(data, "f.yaml").plain())
        problems: tuple[Problem, ...] = ()
    except InputError as error:
        outcome, problems = str(error), error.problems
    assert outcome
    assert all(re.match(r"f\.yaml(:[1-9][0-9]*:[1-9][0-9]*)?: .", str(problem)) for problem in problems)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=4),
    max_leaves=20,
)


@given(JSON.filter(lambda value: value is not None))
def test_json_without_floats_is_read_as_it_is(value: object) -> None:
    assert load(json.dumps(value), "f.yaml").plain() == value
