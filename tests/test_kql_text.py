from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.kql.text import as_sent, code, column, digest, normalised, tokens, unquoted

NOW = datetime(2026, 11, 20, 6, tzinfo=UTC)
MOMENT = "datetime(2026-11-20T06:00:00.000000Z)"
ANY_TEXT = st.text(alphabet=st.one_of(st.sampled_from("abn ow()|;/'\"@h`~[]\\\n\r\t{}.,=-1x"), st.characters()), max_size=60)
PIECE = st.sampled_from(
    [
        "resources",
        "| where x == 'now()'",
        '"ago(1d)"',
        "// now()\n",
        "now()",
        "ago(1d)",
        "['now']",
        "@'a''now()'",
        "a.now()",
        "```\nnow()```",
        "h'ago(2h)'",
    ]
)


def words(kql: str) -> list[tuple[str, str]]:
    return [(token.kind, token.text) for token in tokens(kql)]


def test_every_kind_of_token_is_told_apart() -> None:
    found = words("T // c\n| x =~ 'a\\'b' and y['k'] != @\"v\"\"w\" h'z' 0x1F 1.5e-3 2h ```m\nn``` $left.a .. 'open")
    assert found == [
        ("name", "T"), ("comment", "// c"), ("punctuation", "|"), ("name", "x"), ("punctuation", "=~"), ("string", "'a\\'b'"),
        ("name", "and"), ("name", "y"), ("bracket", "['k']"), ("punctuation", "!="), ("string", '@"v""w"'), ("string", "h'z'"),
        ("number", "0x1F"), ("number", "1.5e-3"), ("number", "2h"), ("string", "```m\nn```"), ("name", "$left"),
        ("punctuation", "."), ("name", "a"), ("punctuation", ".."), ("broken", "'open"),
    ]  # fmt: skip


def test_a_token_knows_its_place() -> None:
    places = [(token.text, token.line, token.column, token.offset, token.end) for token in tokens("a\n  b 'c'\n\nd")]
    assert places == [("a", 1, 1, 0, 1), ("b", 2, 3, 4, 5), ("'c'", 2, 5, 6, 9), ("d", 4, 1, 11, 12)]


@pytest.mark.parametrize(
    ("kql", "expected"),
    [
        ("a | b", "a | b"),
        ("  a\n\n|\tb ; ;\n", "a | b"),
        ("a // one\n// two\n| b", "a | b"),
        ("a | where x == 'two  blanks // no comment;'", "a | where x == 'two  blanks // no comment;'"),
        ("a//c\n|b", "a |b"),
        ("", ""),
        ("// only a comment", ""),
        ("a 'open  ", "a 'open"),
    ],
)
def test_normalised(kql: str, expected: str) -> None:
    assert normalised(kql) == expected


@given(ANY_TEXT)
def test_normalised_is_idempotent_on_any_text(kql: str) -> None:
    once = normalised(kql)
    assert normalised(once) == once


@given(ANY_TEXT)
def test_tokens_cover_any_text_but_white_space(kql: str) -> None:
    left = kql
    for token in reversed(list(tokens(kql))):
        assert kql[token.offset : token.end] == token.text
        left = left[: token.offset] + left[token.end :]
    assert left.strip(" \t\r\n\f\v") == ""


def test_digest_is_of_the_normalised_text() -> None:
    assert digest("a  | b // x") == digest("a | b;") == hashlib.sha256(b"a | b").hexdigest()
    assert digest("a | b") != digest("a | B")
    assert len(digest("'\ud800'")) == 64


@pytest.mark.parametrize(
    ("kql", "expected"),
    [
        ("T | where a > now()", f"T | where a > {MOMENT}"),
        ("T | where a > now( )", f"T | where a > {MOMENT}"),
        ("T | where a > ago(1d)", f"T | where a > ({MOMENT} - 1d)"),
        ("T | where a > now(-1h)", f"T | where a > ({MOMENT} + (-1h))"),
        ("T | where a > ago(1d + 2h)", f"T | where a > ({MOMENT} - (1d + 2h))"),
        ("T | where a > ago(f(now()))", f"T | where a > ({MOMENT} - (f({MOMENT})))"),
        ("T | where a == now", "T | where a == now"),
        ("T | where a == x.now()", "T | where a == x.now()"),
        ("T | where a == now(1", "T | where a == now(1"),
        ("T | where a == ago()", "T | where a == ago()"),
        ("T | where a == 'now()' // ago(1d)\n| project a;", "T | where a == 'now()' // ago(1d)\n| project a"),
        ("", ""),
    ],
)
def test_the_clock_becomes_a_literal_and_nothing_else_changes(kql: str, expected: str) -> None:
    assert as_sent(kql, now=NOW, key=()) == expected


def test_the_order_is_appended_on_a_line_of_its_own() -> None:
    assert as_sent("T | project id // last", now=NOW, key=["id"]) == "T | project id\n| order by id asc"
    sent = as_sent("T | project id", now=NOW, key=["id", "kind", "a b", "it's"])
    assert sent.endswith("\n| order by id asc, ['kind'] asc, ['a b'] asc, ['it\\'s'] asc")


def test_the_moment_is_told_in_utc() -> None:
    cet = NOW.astimezone(timezone(timedelta(hours=1))).replace(microsecond=7)
    assert as_sent("now()", now=cet, key=()) == "datetime(2026-11-20T06:00:00.000007Z)"


@given(st.lists(PIECE, max_size=8).map(" ".join))
def test_strings_and_comments_are_never_touched(kql: str) -> None:
    sent = as_sent(kql, now=NOW, key=["id"])
    strings = [token.text for token in code(kql) if token.kind in {"string", "bracket"}]
    assert [token.text for token in code(sent) if token.kind in {"string", "bracket"}] == strings


@given(st.lists(PIECE, max_size=8).map(" ".join))
def test_no_clock_is_left(kql: str) -> None:
    sent = code(as_sent(kql, now=NOW, key=()))
    calls = [i for i, token in enumerate(sent[:-1]) if token.text in {"now", "ago"} and sent[i + 1].text == "("]
    assert all(sent[i - 1].text == "." for i in calls)


@pytest.mark.parametrize("name", ["kind", "last", "count", "a-b", "1a", "ü", ""])
def test_columns_that_the_grammar_refuses_are_quoted(name: str) -> None:
    assert column(name) == f"['{name}']"


@pytest.mark.parametrize("name", ["id", "subscriptionId", "_x1"])
def test_plain_columns_stay_plain(name: str) -> None:
    assert column(name) == name


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ("'a'", "a"),
        ('"a\'b"', "a'b"),
        (r"'a\'b\\c\n\t'", "a'b\\c\n\t"),
        (r"'\u0041\x42\U00000043'", "ABC"),
        (r"'\Uffffffff'", r"\Uffffffff"),
        (r"'\q'", "q"),
        (r"@'a\b''c'", r"a\b'c"),
        ("h'secret'", "secret"),
        ("```a\n'b'```", "a\n'b'"),
    ],
)
def test_the_value_of_a_string(literal: str, value: str) -> None:
    assert unquoted(literal) == value
