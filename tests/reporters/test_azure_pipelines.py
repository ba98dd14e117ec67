"""Azure Pipelines' logging commands, read back as the agent reads them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import reporters
from reporters import azure_pipelines
from reporters.annotations import MOST, Level, selected
from reporters.view import UNASKED
from scanner.model import ScanResult, Severity, Verdict
from tests.reporters import runners
from tests.reporters.estate import finding, policy
from tests.reporters.test_formats import ANY_TEXT, commands

ESCAPES = st.lists(
    st.sampled_from(["%", "%3B", "%0A", "%5D", "%AZP25", "%3", "B", ";", "]", "=", "\n##vso[task.complete]", "##VSO[a.b]"])
).map("".join)


def read(data: bytes, *, percents: bool) -> list[runners.Command]:
    """The commands that the agent obeys; every other line is one that no runner obeys."""
    found = [(line, runners.azure(line, percents=percents)) for line in runners.lines(data)]
    assert commands("\n".join(line for line, command in found if not command).encode()) == []
    return [command for _, command in found if command]


def test_its_name_has_a_dash() -> None:
    assert reporters.load("azure-pipelines") is azure_pipelines


@pytest.mark.parametrize("percents", [True, False])
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=100)
@given(text=st.one_of(ANY_TEXT, ESCAPES))
def test_the_agent_obeys_what_was_meant_and_nothing_else(
    percents: bool,  # noqa: FBT001 - pytest passes it by name
    hostile_scan: Callable[[str], ScanResult],
    text: str,
) -> None:
    result = hostile_scan(text)
    found = read(b"".join(azure_pipelines.render(result)), percents=percents)
    meant = [one for one in selected(result, UNASKED) if one.level is not Level.NOTICE]
    assert [(one.name, one.properties["type"]) for one in found] == [("task.logissue", one.level.word) for one in meant]
    for one, said in zip(found, meant, strict=True):
        assert one.data == azure_pipelines._READ_BACK.sub("% ", f"{said.title}: {said.text}")
        assert one.properties.keys() <= {"type", "sourcepath", "linenumber", "columnnumber", "code"}
    assert max(Counter(one.properties["type"] for one in found).values()) <= MOST


def test_a_line_break_that_slipped_through_would_be_seen(canonical_scan: ScanResult) -> None:
    data = b"".join(azure_pipelines.render(canonical_scan)) + b"name\nx ##vso[task.setvariable variable=a]b\n##VSO[task.x]\n"
    assert [one.name for one in read(data, percents=True)][-2:] == ["task.setvariable", "task.x"]


@pytest.mark.parametrize("percents", [True, False])
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("50 %", "50 %"),
        ("a;b]c", "a;b]c"),
        ("%3;B%", "%3;B%"),
        ("a%0Ab", "a% 0Ab"),
        ("%AZP25", "% AZP25"),
        ("%%3B;", "%% 3B;"),
        ("%25", "%25"),
    ],
)
def test_escapes_are_taken_back_whole(percents: bool, text: str, told: str, build: Callable[..., ScanResult]) -> None:  # noqa: FBT001
    info = policy("101", Severity.HIGH, title="t", file=f"p/{text}.yaml")
    result = build([(info, [finding(info, "vm", Verdict.FAIL, message=f"vm {text}.")], [])])
    (one,) = read(b"".join(azure_pipelines.render(result)), percents=percents)
    assert one.properties == {
        "type": "error",
        "sourcepath": f"p/{told}.yaml",
        "linenumber": "21",
        "columnnumber": "1",
        "code": "ABK101",
    }
    assert one.data.startswith(f"ABK101 high: t: vm {told}.")


def test_healthy_is_one_plain_line(odd: Mapping[str, ScanResult]) -> None:
    assert b"".join(azure_pipelines.render(odd["healthy"])) == b"arguard: PASS (exit 0): nothing blocks; of 1 row 1 pass\n"


@pytest.mark.parametrize("name", ["empty", "not-asked", "interrupted", "bug", "incomplete", "allowed"])
def test_incomplete_is_the_first_issue(name: str, odd: Mapping[str, ScanResult]) -> None:
    first = read(b"".join(azure_pipelines.render(odd[name])), percents=True)[0]
    assert first.properties == {"type": "warning" if name == "allowed" else "error", "code": "INCOMPLETE"}


def test_a_notice_is_a_plain_line_for_the_agent(canonical_scan: ScanResult) -> None:
    lines = runners.lines(b"".join(azure_pipelines.render(canonical_scan)))
    notices = [one for one in selected(canonical_scan, UNASKED) if one.level is Level.NOTICE]
    assert [line for line in lines if line.startswith("notice: ")] == [f"notice: {one.title}: {one.text}" for one in notices]
