"""GitHub's workflow commands, read back as the runner reads them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reporters import github
from reporters.annotations import MOST, selected
from reporters.view import UNASKED
from scanner.model import ScanResult, Severity, Verdict
from tests.reporters import runners
from tests.reporters.estate import finding, policy
from tests.reporters.test_formats import ANY_TEXT, commands

ESCAPES = st.lists(st.sampled_from(["%", "%25", "%0A", "%3A", "%2C", ":", ",", "::", "=", "\n::error::x", "##[add-mask]"])).map(
    "".join
)


def read(data: bytes) -> list[runners.Command]:
    """The commands that the runner obeys; every other line is one that no runner obeys."""
    found = [(line, runners.github(line)) for line in runners.lines(data)]
    assert commands("\n".join(line for line, command in found if not command).encode()) == []
    return [command for _, command in found if command]


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=150)
@given(text=st.one_of(ANY_TEXT, ESCAPES))
def test_the_runner_obeys_what_was_meant_and_nothing_else(hostile_scan: Callable[[str], ScanResult], text: str) -> None:
    result = hostile_scan(text)
    found = read(b"".join(github.render(result)))
    meant = list(selected(result, UNASKED))
    assert [(one.name, one.data, one.properties["title"]) for one in found] == [
        (one.level.word, one.text, one.title) for one in meant
    ]
    for one, said in zip(found, meant, strict=True):
        assert one.properties.keys() <= {"file", "line", "title"}
        assert one.properties.get("file", "") == said.file.lstrip("=")
    assert max(Counter(one.name for one in found).values()) <= MOST


def test_a_line_break_that_slipped_through_would_be_seen(canonical_scan: ScanResult) -> None:
    data = b"".join(github.render(canonical_scan)) + b"name\n::add-mask::x\n##[error]y\n ::set-env name=a::b\n"
    assert [one.name for one in read(data)][-3:] == ["add-mask", "##error", "set-env"]


@pytest.mark.parametrize("text", ["50 %", "a%0Ab", "a%25b", "a: b, c", "::error::x"])
def test_escapes_are_taken_back_whole(text: str, build: Callable[..., ScanResult]) -> None:
    info = policy("101", Severity.HIGH, title=text, file=f"p/{text}.yaml")
    result = build([(info, [finding(info, "vm", Verdict.FAIL, message=f"vm {text}.")], [])])
    (one,) = read(b"".join(github.render(result)))
    assert one.properties == {"file": f"p/{text}.yaml", "line": "21", "title": f"ABK101 high: {text}"}
    assert one.data.startswith(f"vm {text}.")


def test_healthy_is_one_plain_line(odd: Mapping[str, ScanResult]) -> None:
    assert b"".join(github.render(odd["healthy"])) == b"arguard: PASS (exit 0): nothing blocks; of 1 row 1 pass\n"
    assert b"".join(github.render(odd["nothing"])).startswith(b"arguard: NOTHING TO JUDGE (exit 0): ")


@pytest.mark.parametrize("name", ["empty", "not-asked", "interrupted", "bug", "incomplete", "allowed"])
def test_incomplete_is_the_first_annotation(name: str, odd: Mapping[str, ScanResult]) -> None:
    first = read(b"".join(github.render(odd[name])))[0]
    assert first.properties == {"title": "Not complete"}
    assert first.name == ("warning" if name == "allowed" else "error")
