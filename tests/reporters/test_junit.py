from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from reporters import junit
from reporters.junit_cases import Case
from scanner.model import Finding, Gap, Reason, ScanResult, Verdict

XSD = etree.XMLSchema(etree.parse(str(Path(__file__).parent / "schemas" / "junit-10.xsd")))


def rendered(result: ScanResult) -> bytes:
    return b"".join(junit.render(result))


def parsed(result: ScanResult) -> etree._Element:
    root = etree.fromstring(rendered(result))
    assert XSD.validate(root), XSD.error_log
    return root


def suites(root: etree._Element) -> dict[str, etree._Element]:
    return {str(suite.get("name")).split(" ", 1)[0]: suite for suite in root.iter("testsuite")}


def cases(suite: etree._Element) -> dict[str, etree._Element]:
    return {str(case.get("name")): case for case in suite.iter("testcase")}


def elements(root: etree._Element) -> Counter[str]:
    return Counter(child.tag for case in root.iter("testcase") for child in case)


def test_the_canonical_report_satisfies_jenkins(canonical_scan: ScanResult) -> None:
    assert rendered(canonical_scan).startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="arguard" tests=')
    parsed(canonical_scan)


SAMPLE = (
    b'<testsuites><testsuite name="a" tests="1" failures="0" errors="0" time="0"><testcase name="n"/></testsuite></testsuites>'
)


def test_the_schema_accepts_a_small_file() -> None:
    assert XSD.validate(etree.fromstring(SAMPLE))


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (b'tests="1"', b'tests="1" disabled="0"'),
        (b'tests="1" ', b""),
        (b'failures="0" ', b""),
        (b'errors="0" ', b""),
        (b'time="0"', b'time="1e-05"'),
        (b'time="0"', b'time="0.30000000000000004"'),
        (b'<testcase name="n"/>', b'<testcase name="n" file="f"/>'),
        (b'<testcase name="n"/>', b'<testcase name="n" assertions="1"/>'),
        (b'<testcase name="n"/>', b'<testcase name="n" timestamp="2026-11-22"/>'),
        (b'<testcase name="n"/>', b"<testcase/>"),
        (b"<testsuites>", b'<testsuites disabled="0">'),
    ],
)
def test_the_schema_refuses_what_jenkins_refuses(good: bytes, bad: bytes) -> None:
    assert SAMPLE.count(good) == 1
    assert not XSD.validate(etree.fromstring(SAMPLE.replace(good, bad)))


def test_a_lone_surrogate_reference_is_no_xml() -> None:
    with pytest.raises(etree.XMLSyntaxError):
        etree.fromstring(SAMPLE.replace(b'"n"', b'"&#55296;"'))


def test_totals_are_the_elements_that_were_written(canonical_scan: ScanResult) -> None:
    root = parsed(canonical_scan)
    for scope in [root, *root.iter("testsuite")]:
        found = elements(scope)
        assert scope.get("tests") == str(sum(1 for _ in scope.iter("testcase")))
        assert (scope.get("failures"), scope.get("errors")) == (str(found["failure"]), str(found["error"]))
    assert all(suite.get("skipped") == str(elements(suite)["skipped"]) for suite in root.iter("testsuite"))


def test_every_open_finding_undecided_row_and_gap_is_a_failure_or_an_error(canonical_scan: ScanResult) -> None:
    stored = [one for policy in canonical_scan.policies for one in canonical_scan.findings.of(policy.info.id)]
    fails = sum(one.verdict is Verdict.FAIL and not one.waiver and not one.known for one in stored)
    unknown = sum(one.verdict is Verdict.UNKNOWN and not one.waiver for one in stored)
    gaps = sum(len(policy.gaps) for policy in canonical_scan.policies)
    found = elements(parsed(canonical_scan))
    assert (found["failure"], found["error"]) == (fails, unknown + gaps)


def test_waived_and_known_rows_are_skipped_with_the_reason(canonical_scan: ScanResult) -> None:
    suite = suites(parsed(canonical_scan))["ABK101"]
    told = [str(skipped.get("message")) for skipped in suite.iter("skipped")]
    assert told == [
        "Waived by W-7 (backup-team) until 2026-12-31: migration in progress",
        "In the baseline: group4 carries a lock",
    ]


def test_a_known_row_that_was_not_decided_stays_an_error(odd: Mapping[str, ScanResult]) -> None:
    healthy = odd["healthy"]
    row = next(healthy.findings.of("ABK101"))
    unknown = replace(row, verdict=Verdict.UNKNOWN, reason=Reason.MISSING, known=True)
    policy = replace(healthy.policies[0], counts=replace(healthy.policies[0].counts, passed=0, unknown=1))
    result = replace(healthy, policies=(policy,), findings=replace(healthy.findings, findings={"ABK101": (unknown,)}))  # type: ignore[type-var]
    assert elements(parsed(result)) == {"error": 1}


def test_a_failure_says_everything_that_is_needed_to_mend_it(canonical_scan: ScanResult) -> None:
    suite = suites(parsed(canonical_scan))["ABK301"]
    failure = next(case for name, case in cases(suite).items() if name.startswith("web01 · "))[0]
    assert failure.get("type") == "high"
    assert failure.get("message") == "The agent of web01 reports Not Ready (ProvisioningState/failed/1)."
    body = str(failure.text)
    assert body.startswith("Resource: /subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/RG-App/")
    assert 'Evidence: params.min_version = "2.7.41491.1010" (default)' in body
    assert "Why: Backup asks the agent" in body
    assert "Fix: 1. Restart the agent" in body


def test_rows_that_do_not_apply_are_a_property(canonical_scan: ScanResult) -> None:
    suite = suites(parsed(canonical_scan))["ABK301"]
    properties = {one.get("name"): one.get("value") for one in suite.iter("property")}
    assert properties["not_applicable"] == "1"
    assert not any(name.startswith("web04") for name in cases(suite))


@pytest.mark.parametrize(
    ("name", "case", "found"),
    [
        ("nothing", "nothing to judge (proven)", {}),
        ("inapplicable", "no row applies (1 not applicable)", {}),
        ("empty", "the scan is complete", {"error": 1}),
        ("not-asked", "the scan is complete", {"error": 1}),
        ("interrupted", "not seen · FAILED", {"error": 1}),
        ("bug", "not seen · FAILED", {"error": 1}),
        ("incomplete", "not seen · FAILED", {"error": 1}),
        ("allowed", "not seen · FAILED", {"error": 1}),
    ],
)
def test_results_at_the_edge(name: str, case: str, found: dict[str, int], odd: Mapping[str, ScanResult]) -> None:
    root = parsed(odd[name])
    assert case in {str(one.get("name")) for one in root.iter("testcase")}
    assert elements(root) == found


def test_a_healthy_estate_is_green(odd: Mapping[str, ScanResult]) -> None:
    root = parsed(odd["healthy"])
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("1", "0", "0")


def test_even_a_decision_that_claims_to_be_complete_is_red_when_nothing_was_asked(odd: Mapping[str, ScanResult]) -> None:
    lying = replace(odd["not-asked"], decision=replace(odd["not-asked"].decision, exit_code=0, complete=True, reasons=()))
    root = parsed(lying)
    error = next(root.iter("error"))
    assert error.get("message") == "The scan is not complete: no policy was asked."


def test_case_names_are_short_and_unique(canonical_scan: ScanResult) -> None:
    for suite in parsed(canonical_scan).iter("testsuite"):
        names = [str(case.get("name")) for case in suite.iter("testcase")]
        assert len(names) == len(set(names))
        assert max(map(len, names)) <= 256
    twins = [name for name in cases(suites(parsed(canonical_scan))["ABK301"]) if name.startswith("twin")]
    assert twins[1] == f"{twins[0]} #2"


def test_equal_gaps_get_different_names(build: Callable[..., ScanResult], odd: Mapping[str, ScanResult]) -> None:
    gap = Gap(reason=Reason.FAILED, table="vms", text="one")
    result = build([(odd["healthy"].policies[0].info, [], [gap, replace(gap, text="two")])])
    names = list(cases(suites(parsed(result))["ABK101"]))
    assert names == ["not seen · FAILED · vms", "not seen · FAILED · vms #2"]


def test_many_rows_are_written_in_portions(
    build: Callable[..., ScanResult], odd: Mapping[str, ScanResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(junit, "PORTION", 3)
    row = next(odd["healthy"].findings.of("ABK101"))
    rows = [replace(row, subject=f"disk:{number}") for number in range(8)]
    result = build([(odd["healthy"].policies[0].info, rows, [])])
    assert len(list(junit.render(result))) == 2 + 3 + 1 + 1
    root = parsed(result)
    assert root.get("tests") == "8"
    assert sum(1 for _ in root.iter("properties")) == 1


def test_a_store_that_changes_between_the_passes_is_noticed(odd: Mapping[str, ScanResult]) -> None:
    healthy = odd["healthy"]
    row = next(healthy.findings.of("ABK101"))
    lists = iter([[row], [replace(row, verdict=Verdict.FAIL)]])

    class Fickle:
        def of(self, _: str) -> list[Finding]:
            return next(lists)

    with pytest.raises(RuntimeError, match="ABK101"):
        rendered(replace(healthy, findings=Fickle()))  # type: ignore[arg-type]


def test_a_suite_that_breaks_its_promise_is_noticed(odd: Mapping[str, ScanResult], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(junit, "cases_of", lambda *_: iter([Case(name="a", classname="b", element="failure", message="m")]))
    with pytest.raises(RuntimeError, match="were counted, but"):
        rendered(odd["healthy"])


@settings(deadline=None, max_examples=60)
@given(text=st.text(alphabet=st.characters()))
def test_any_text_gives_a_valid_file(hostile_scan: Callable[[str], ScanResult], text: str) -> None:
    root = parsed(hostile_scan(text))
    assert elements(root) == {"failure": 1, "skipped": 2, "error": 2}
    assert all(one.get("message") for one in root.iter("failure", "error", "skipped"))


def test_long_names_keep_their_fingerprint(hostile_scan: Callable[[str], ScanResult]) -> None:
    root = parsed(hostile_scan("x" * 400))
    names = [str(case.get("name")) for case in root.iter("testcase")]
    assert max(map(len, names)) <= 256
    assert len(names) == len(set(names))
