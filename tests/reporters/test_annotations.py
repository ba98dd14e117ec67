"""Which findings the CI channels tell: levels, order, the cut at ten, and what `--include` leaves out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import pytest

from reporters.annotations import CHANNEL, MOST, Annotation, Level, selected, told
from reporters.view import UNASKED, Shown, View
from scanner.model import Decision, Finding, Gap, PolicyInfo, Reason, ScanResult, Severity, Verdict
from scanner.model.weight import hides
from tests.reporters.estate import finding, policy

Build = Callable[..., ScanResult]


def fails(info: PolicyInfo, number: int) -> list[Finding]:
    return [finding(info, f"vm{index:05}", Verdict.FAIL, message=f"vm{index:05} is bad.") for index in range(number)]


def of(result: ScanResult, view: View = UNASKED) -> dict[Level, list[Annotation]]:
    found = list(selected(result, view))
    assert [one.level for one in found] == sorted(one.level for one in found)
    return {level: [one for one in found if one.level is level] for level in Level}


def test_levels(canonical_scan: ScanResult) -> None:
    told = {level: Counter(one.code for one in found) for level, found in of(canonical_scan).items()}
    assert told == {
        Level.ERROR: Counter({"INCOMPLETE": 1, "ABK101": 2, "ABK301": 6, "DENIED": 1}),
        Level.WARNING: Counter({"ABK401": 1}),
        Level.NOTICE: Counter({"ABK401": 2, "ABK501": 1, "ABK502": 1, "STALE": 1}),
    }


def test_what_hides_agrees_with_the_gate(canonical_scan: ScanResult) -> None:
    options, told = canonical_scan.info.options, of(canonical_scan)
    for one in canonical_scan.policies:
        rows = [row for row in canonical_scan.findings.of(one.info.id) if hides(row, one.info, options)]
        said = [note.text for note in told[Level.ERROR] if note.code == one.info.id and "not decided" in note.title]
        assert sum(int(text.partition(" ")[0]) for text in said) == len(rows) == one.counts.hiding


def test_waived_and_known_rows_and_passes_are_silent(canonical_scan: ScanResult) -> None:
    text = " ".join(one.text for one in selected(canonical_scan, UNASKED))
    for name in ("group3", "group4", "group5", "web03", "web04", "web07", "off01"):
        assert name not in text


@pytest.mark.parametrize(
    ("name", "levels"),
    [
        ("empty", [Level.ERROR]),
        ("not-asked", [Level.ERROR]),
        ("interrupted", [Level.ERROR, Level.ERROR]),
        ("bug", [Level.ERROR, Level.ERROR]),
        ("nothing", []),
        ("inapplicable", []),
        ("healthy", []),
        ("incomplete", [Level.ERROR, Level.ERROR]),
        ("allowed", [Level.WARNING, Level.WARNING]),
    ],
)
def test_odd_results_say_first_that_they_are_incomplete(name: str, levels: list[Level], odd: Mapping[str, ScanResult]) -> None:
    found = list(selected(odd[name], UNASKED))
    assert [one.level for one in found] == levels
    assert [one.code for one in found[:1]] == ["INCOMPLETE"] * bool(levels)
    assert all(one.text and one.title for one in found)


def test_what_was_not_asked_is_a_line_and_no_annotation(odd: Mapping[str, ScanResult]) -> None:
    assert list(told(odd["not-asked"]))[1:] == ["arguard: not asked: ABK101 (waits for evidence)"]
    assert list(told(odd["healthy"])) == ["arguard: PASS (exit 0): nothing blocks; of 1 row 1 pass"]


@pytest.mark.parametrize("number", [1, 9, 10, 11, 100_000])
def test_findings_stand_alone_while_they_fit(number: int, build: Build) -> None:
    info = policy("101", Severity.HIGH, title="t")
    found = of(build([(info, fails(info, number), [])]))[Level.ERROR]
    if number < MOST:
        assert [one.text.split()[0] for one in found] == [f"vm{index:05}" for index in range(number)]
    else:
        assert len(found) == 1
        named = "vm00000, vm00001, vm00002, vm00003, vm00004"
        assert found[0].text == f"{number:,} findings: {named} and {number - 5:,} more. The first: vm00000 is bad."


@pytest.mark.parametrize("policies", [9, 10, 11, 12, 5000])
def test_the_last_says_how_many_are_not_shown(policies: int, build: Build) -> None:
    infos = [policy(f"{index:04}", Severity.HIGH, title="t") for index in range(policies)]
    found = of(build([(info, fails(info, 2), []) for info in infos]))[Level.ERROR]
    assert len(found) == min(policies, MOST)
    assert [one.code for one in found if one.code != "MORE"] == [
        f"ABK{index:04}" for index in range(min(policies, 9 + (policies == 10)))
    ]
    if policies > MOST:
        assert found[-1].title == f"{(policies - 9) * 2:,} more"


def test_the_worst_come_first_and_never_hide_that_the_scan_is_incomplete(build: Build) -> None:
    levels = [Severity.HIGH] * 20 + [Severity.CRITICAL]
    infos = [policy(f"{index:03}", severity, title="t") for index, severity in enumerate(levels)]
    gap = Gap(reason=Reason.DENIED, table="arm_locks", text="403")
    found = of(build([(info, fails(info, 3), [gap]) for info in infos]))[Level.ERROR]
    assert [one.code for one in found] == ["INCOMPLETE", "ABK020", *(f"ABK{index:03}" for index in range(7)), "MORE"]
    assert "DENIED" not in found[0].text  # this fixture's reasons are short; what is cut is counted
    assert found[-1].title == "40 more"  # 13 policies of 3 findings, and one gap that all share


def test_severity_and_threshold_decide_the_level(build: Build) -> None:
    infos = [policy(str(severity.value), severity, title="t") for severity in Severity]
    result = build([(info, fails(info, 1), []) for info in infos])
    words = {level: [one.title.split()[1] for one in found] for level, found in of(result).items()}
    assert words == {Level.ERROR: ["critical:", "high:"], Level.WARNING: ["medium:"], Level.NOTICE: ["low:", "info:"]}
    never = replace(result, info=replace(result.info, options=replace(result.info.options, fail_on=None)))
    assert [len(found) for found in of(never).values()] == [0, 3, 2]
    low = replace(result, info=replace(result.info, options=replace(result.info.options, fail_on=Severity.LOW)))
    assert [len(found) for found in of(low).values()] == [4, 0, 1]


@pytest.mark.parametrize("shown", [Shown.FAIL, Shown.UNKNOWN])
def test_include_limits_rows_and_never_what_was_not_seen(shown: Shown, canonical_scan: ScanResult) -> None:
    found = list(selected(canonical_scan, View(include=frozenset({shown}))))
    assert [one.code for one in found[:1]] == ["INCOMPLETE"]
    assert {"DENIED", "STALE"} <= {one.code for one in found}
    rows = [one for one in found if one.file]
    assert rows
    assert [one for one in rows if ("not decided" in one.title) is (shown is Shown.FAIL)] == []


def test_a_channel_offers_what_it_can_annotate() -> None:
    assert CHANNEL[""].choices == {Shown.FAIL, Shown.UNKNOWN}


def test_equal_gaps_are_told_once(build: Build) -> None:
    infos: Sequence[PolicyInfo] = [policy(f"{index}", Severity.HIGH, title="t") for index in range(300)]
    gaps = [Gap(reason=Reason.DENIED, table="arm_locks", subscription=f"s{index}", text="403") for index in range(9)]
    found = of(build([(info, [], gaps) for info in infos], decision=Decision(exit_code=3, complete=False, reasons=("r",))))
    assert [one.code for one in found[Level.ERROR]] == ["INCOMPLETE", "DENIED"]
    assert "s0, s1, s2, s3, s4 and 4 more; missing for" in found[Level.ERROR][1].text
