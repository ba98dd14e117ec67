"""JUnit files read by a library that is not ours: every file of every profile says what the result says."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from junitparser import Error, Failure, JUnitXml, Skipped, TestSuite
from lxml import etree

from reporters import junit
from reporters.junit_cases import MANY
from reporters.view import EVERYTHING, UNASKED, Shown, View, shown
from scanner.cli import main
from scanner.model import Finding, PolicyResult, Reason, ScanResult, Severity, Verdict
from tests.reporters.estate import finding, policy, result_of
from tests.reporters.test_junit import XSD

CONTOSO = Path(__file__).resolve().parents[2] / "examples" / "contoso"
SCANS = ["canonical", "empty", "not-asked", "interrupted", "bug", "nothing", "inapplicable", "healthy", "incomplete", "allowed"]
VIEWS = [None, EVERYTHING, *(frozenset({one}) for one in Shown), frozenset({Shown.FAIL, Shown.UNKNOWN})]
_ELEMENTS = {Failure: "failed", Error: "error", Skipped: "skipped"}


@pytest.fixture(params=SCANS)
def scan(request: pytest.FixtureRequest, canonical_scan: ScanResult, odd: Mapping[str, ScanResult]) -> ScanResult:
    return {"canonical": canonical_scan, **odd}[request.param]


def whole(result: ScanResult, view: View = UNASKED) -> bytes:
    return b"".join(junit.render(result, view))


def folder(result: ScanResult, view: View = UNASKED) -> dict[str, bytes]:
    files = [(name, b"".join(chunks)) for name, chunks in junit.parts(result, replace(view, profile="policies"))]
    assert len({name.lower() for name, _ in files}) == len(files)
    return dict(files)


def suites(data: bytes) -> list[TestSuite]:
    """The suites of a file that Jenkins takes; every total in it is the number of the elements that it counts."""
    root = etree.fromstring(data)
    assert XSD.validate(root), XSD.error_log
    read = JUnitXml.fromstring(data)
    assert isinstance(read, JUnitXml)
    found = list(read)
    told = [(one.tests, one.failures, one.errors, one.skipped) for one in found]
    for suite in found:
        names = [str(case.name) for case in suite]
        assert len(set(names)) == len(names)
        assert max(map(len, names)) <= 256
        suite.update_statistics()  # type: ignore[no-untyped-call]
    assert [(one.tests, one.failures, one.errors, one.skipped) for one in found] == told
    totals = [sum(column) for column in zip(*told, strict=True)]
    assert [read.tests, read.failures, read.errors] == totals[:3]
    return found


def states(read: list[TestSuite]) -> Counter[str]:
    """Cases by what they are, each counted once; none may be two things."""
    found: Counter[str] = Counter()
    for case in (one for suite in read for one in suite):
        assert len(case.result) <= 1
        found[_ELEMENTS[cast("type[Failure]", type(case.result[0]))] if case.result else "passed"] += 1
    return found


def properties(suite: TestSuite) -> dict[str, str]:
    return {str(one.name): str(one.value) for one in suite.properties()}  # type: ignore[no-untyped-call]


def _state(row: Finding) -> str:
    if row.waiver and row.verdict in {Verdict.FAIL, Verdict.UNKNOWN}:
        return "skipped"
    if row.verdict is Verdict.FAIL:
        return "skipped" if row.known else "failed"
    return {Verdict.PASS: "passed", Verdict.UNKNOWN: "error", Verdict.NOT_APPLICABLE: ""}[row.verdict]


def expected(result: ScanResult, one: PolicyResult, include: frozenset[Shown] | None) -> Counter[str]:
    """What a reader must see of a policy, counted from the rows."""
    rows = list(result.findings.of(one.info.id))
    found = Counter(_state(row) for row in rows if include is None or shown(row) in include)
    del found[""]
    found["error"] += len(one.gaps)
    left_out = any(row.verdict in {Verdict.FAIL, Verdict.UNKNOWN} for row in rows)
    return +found or Counter(["skipped" if left_out else "passed"])


@pytest.mark.parametrize("include", VIEWS, ids=lambda one: "unasked" if one is None else ",".join(sorted(one)))
def test_one_file_says_what_the_result_says(scan: ScanResult, include: frozenset[Shown] | None) -> None:
    asked = [one for one in scan.policies if one.asked]
    wanted = sum((expected(scan, one, include) for one in asked), Counter[str]())
    if not asked or (not scan.decision.complete and not wanted["error"]):
        wanted["error"] += 1
    assert states(suites(whole(scan, View(include=include)))) == wanted


@pytest.mark.parametrize("include", VIEWS, ids=lambda one: "unasked" if one is None else ",".join(sorted(one)))
def test_the_files_of_a_folder_say_what_the_result_says(scan: ScanResult, include: frozenset[Shown] | None) -> None:
    files = folder(scan, View(include=include))
    asked = {f"TEST-{one.info.id}.xml": one for one in scan.policies if one.asked}
    broken = ["TEST-arguard.xml"] if not asked or not scan.decision.complete else []
    assert sorted(files) == sorted([*asked, *broken])
    for name, one in asked.items():
        (suite,) = suites(files[name])
        assert str(suite.name).startswith(f"{one.info.id} ")
        assert states([suite]) == expected(scan, one, include)
    for name in broken:
        assert states(suites(files[name])) == {"error": 1}


def test_no_file_of_an_incomplete_scan_is_green(scan: ScanResult) -> None:
    red = states(suites(whole(scan)))["error"] > 0
    assert red is (not scan.decision.complete)
    assert any(states(suites(data))["error"] for data in folder(scan).values()) is red


@pytest.mark.parametrize("include", VIEWS[1:], ids=lambda one: ",".join(sorted(one)))
def test_what_is_left_out_is_told(canonical_scan: ScanResult, include: frozenset[Shown]) -> None:
    read = {str(suite.name).split(" ", 1)[0]: suite for suite in suites(whole(canonical_scan, View(include=include)))}
    for one in (one for one in canonical_scan.policies if one.asked):
        hidden = sum(shown(row) not in include for row in canonical_scan.findings.of(one.info.id))
        told = properties(read[one.info.id])
        assert (told["left_out"], told["passed"]) == (str(hidden), str(one.counts.passed))
        assert told["not_applicable"] == str(one.counts.not_applicable)


def test_a_suite_whose_rows_are_all_left_out_says_so(odd: Mapping[str, ScanResult]) -> None:
    (suite,) = suites(whole(odd["healthy"], View(include=frozenset({Shown.FAIL}))))
    assert [case.name for case in suite] == ["no row is shown (1 left out)"]
    assert states([suite]) == {"passed": 1}


def test_rows_that_were_left_out_are_never_a_pass(canonical_scan: ScanResult) -> None:
    read = suites(whole(canonical_scan, View(include=frozenset({Shown.NOT_APPLICABLE}))))
    (disks,) = [suite for suite in read if str(suite.name).startswith("ABK502 ")]
    (case,) = disks
    assert states([disks]) == {"skipped": 1}
    assert case.result[0].message == "Left out, as asked: 1 fail, 0 unknown, 0 pass."


@pytest.mark.estate
def test_the_files_of_the_demo_say_what_its_native_result_says(tmp_path: Path) -> None:
    (tmp_path / "each").mkdir()
    targets = {"native": "native", "junit": "junit.xml", "junit:policies": "each"}
    outputs = [part for name, file in targets.items() for part in ("-o", f"{name}={tmp_path / file}")]
    assert main(["scan", "--snapshot", str(CONTOSO), "--as-of", "snapshot", "-q", *outputs]) == 1
    lines = [json.loads(line) for line in (tmp_path / "native").read_text().splitlines()]
    rows = Counter(line["verdict"] for line in lines if line["kind"] == "verdict" and not line["waiver"])
    gaps = sum(line["kind"] == "gap" for line in lines)
    wanted = {"failed": rows["fail"], "error": rows["unknown"] + gaps}
    assert min(wanted.values()) > 0
    read = suites((tmp_path / "junit.xml").read_bytes())
    assert {name: states(read)[name] for name in wanted} == wanted
    files = {file.name: suites(file.read_bytes()) for file in (tmp_path / "each").iterdir()}
    assert states(files.pop("TEST-arguard.xml")) == {"error": 1}
    assert sum((states(one) for one in files.values()), Counter[str]()) == states(read)


@pytest.fixture(scope="module")
def many() -> ScanResult:
    """One pass more than are told one by one, a fail, and a row that was not decided."""
    info = policy("101", Severity.HIGH, title="Restore point groups carry no lock")
    passing = finding(info, "web01", Verdict.PASS)
    rows = [replace(passing, subject=f"disk:{number:05}") for number in range(MANY + 1)]
    rows += [replace(passing, subject="disk:x", verdict=Verdict.FAIL, message="too large")]
    rows += [replace(passing, subject="disk:y", verdict=Verdict.UNKNOWN, reason=Reason.MISSING, message="no size")]
    return result_of([(info, rows, [])])


def test_more_passes_than_readers_bear_are_one_case(many: ScanResult) -> None:
    (suite,) = suites(whole(many))
    assert states([suite]) == {"passed": 1, "failed": 1, "error": 1}
    assert next(iter(suite)).name == "10001 rows pass (told as one case)"
    assert (properties(suite)["passed"], properties(suite)["left_out"]) == ("10001", "0")
    (alone,) = suites(folder(many)["TEST-ABK101.xml"])
    assert states([alone]) == states([suite])


def test_they_are_told_one_by_one_where_passes_are_asked_for(many: ScanResult) -> None:
    incomplete, suite = suites(whole(many, View(include=frozenset({Shown.PASS, Shown.FAIL}))))
    assert incomplete.name == "arguard"
    assert states([suite]) == {"passed": MANY + 1, "failed": 1}
    assert properties(suite)["left_out"] == "1"


def test_as_many_as_readers_bear_are_told_one_by_one(many: ScanResult) -> None:
    (judged,) = many.policies
    rows = list(many.findings.of("ABK101"))[1:]
    fewer = result_of([(judged.info, rows, [])])
    assert states(suites(whole(fewer))) == {"passed": MANY, "failed": 1, "error": 1}


def test_of_many_passes_none_is_told_where_fails_are_asked_for(many: ScanResult) -> None:
    _, suite = suites(whole(many, View(include=frozenset({Shown.FAIL}))))
    assert states([suite]) == {"failed": 1}
    assert properties(suite)["left_out"] == str(MANY + 2)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('tests="1"', 'tests="2"'),
        ('failures="1"', 'failures="0"'),
        ('<failure message="m"/>', ""),
        ('<failure message="m"/>', '<failure message="m"/><skipped/>'),
        ('name="n"', f'name="{"n" * 257}"'),
        ('<testcase name="n">', '<testcase name="o"/><testcase name="o"/><testcase name="n">'),
        ('time="0"', 'time="1e-05"'),
    ],
)
def test_the_reading_sees_a_file_that_is_wrong(old: str, new: str) -> None:
    counts = 'tests="1" failures="1" errors="0"'
    good = (
        f'<testsuites {counts}><testsuite name="a" {counts} skipped="0" time="0">'
        '<testcase name="n"><failure message="m"/></testcase></testsuite></testsuites>'
    )
    assert states(suites(good.encode())) == {"failed": 1}
    with pytest.raises(AssertionError):
        states(suites(good.replace(old, new).encode()))
