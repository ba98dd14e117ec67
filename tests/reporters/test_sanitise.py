from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporters import sanitise

ANY = st.text(alphabet=st.characters())


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain ü 日本 🙂\n\ttabs stay", "plain ü 日本 🙂\n\ttabs stay"),
        ("a\r\nb\rc", "a\nb\\u000dc"),
        ("\x00\x07\x1b[31m\x7f\x9b", "\\u0000\\u0007\\u001b[31m\\u007f\\u009b"),
        ("user\u202etxt.exe\u2066\u200f\u061c", "user\\u202etxt.exe\\u2066\\u200f\\u061c"),
        ("\u2028\u2029\ufeff\ufffe\uffff", "\\u2028\\u2029\\ufeff\\ufffe\\uffff"),
        ("\ud800\udfff", "\\ud800\\udfff"),
    ],
)
def test_clean_makes_what_is_dangerous_visible(text: str, cleaned: str) -> None:
    assert sanitise.clean(text) == cleaned


@given(ANY)
def test_clean_text_is_good_for_xml_and_utf8_and_stays_clean(text: str) -> None:
    cleaned = sanitise.clean(text)
    element = ET.Element("a")
    element.text = cleaned
    assert ET.fromstring(ET.tostring(element, encoding="utf-8")).text == (cleaned or None)
    assert sanitise.clean(cleaned) == cleaned


def test_two_names_that_differ_still_differ() -> None:
    assert sanitise.clean("vm\x00") != sanitise.clean("vm\x01")


@given(ANY, st.integers(1, 30))
def test_one_line_is_one_line_within_its_limit(text: str, limit: int) -> None:
    line = sanitise.one_line(text, limit)
    assert len(line) <= limit
    assert len(line.splitlines()) <= 1
    assert line == line.strip() or line.endswith("…")


def test_one_line_says_that_it_was_cut() -> None:
    assert sanitise.one_line("abcdef", 6) == "abcdef"
    assert sanitise.one_line("abcdefg", 6) == "abcde…"


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("::error::x", ": :error::x"),
        ("a\n \t::set-output", "a\n \t: :set-output"),
        ("\u00a0::x", "\u00a0: :x"),
        ("\x1b[1m ::x", "\x1b[1m : :x"),
        ("std::vector", "std::vector"),
        ("see ##vso[task.x] and ##[error] and ##TeamCity[x]", "see # #vso[task.x] and # #[error] and # #TeamCity[x]"),
        ("###[", "## #["),
        ("## heading", "## heading"),
    ],
)
def test_console_safe_breaks_commands_and_nothing_else(text: str, safe: str) -> None:
    assert sanitise.console_safe(text) == safe


@given(ANY | st.sampled_from(["##vso[a", "###[", "\x7f##[", "\u202e", "\x9b"]))
def test_json_safe_changes_the_spelling_only(text: str) -> None:
    value = sanitise.well_formed(text)
    raw = json.dumps({"a": value}, ensure_ascii=False).encode()
    safe = sanitise.json_safe(raw)
    assert json.loads(safe) == {"a": value}
    assert not any(char in safe.decode() for char in "\x7f\x9b\u202e\u2028")
    assert b"##vso[" not in safe
    assert b"##[" not in safe


@pytest.mark.parametrize("text", ["a ##vso[b] ###[c", "x\n  ::error::y\n::z", "a::b"])
def test_xml_safe_changes_the_spelling_only(text: str) -> None:
    element = ET.Element("a", {"b": text.replace("\n", " ")})
    element.text = text
    safe = sanitise.xml_safe(ET.tostring(element, encoding="unicode"))
    read = ET.fromstring(safe)
    assert (read.text, read.get("b")) == (text, text.replace("\n", " "))
    assert "##vso[" not in safe
    assert not any(line.lstrip().startswith("::") for line in safe.split("\n"))


def test_json_values_fit_an_encoder() -> None:
    value = {"a\ud800": [1, True, None, 2.5, 2**63, 2**64, -(2**63) - 1, ("t",), {"n": "\x00"}]}
    assert sanitise.json_value(value, sanitise.well_formed) == {
        "a\\ud800": [1, True, None, 2.5, 2**63, str(2**64), str(-(2**63) - 1), ["t"], {"n": "\x00"}]
    }
    assert sanitise.json_value("\x00", sanitise.clean) == "\\u0000"


def test_json_that_is_nested_too_deep_says_so() -> None:
    value: object = "x"
    for _ in range(5000):
        value = [value]
    text = json.dumps(sanitise.json_value(value, str))
    assert "nested deeper than 200 levels" in text
