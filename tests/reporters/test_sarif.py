from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reporters import sarif
from reporters.view import Shown, View
from scanner.model import ScanResult, Severity, Verdict
from tests.reporters.estate import finding, policy
from tests.reporters.sarif_checks import SCHEMA, problems, schema_errors

PROFILES = ["full", "github", "azdo"]
ALERTS = ["github", "azdo"]


def rendered(result: ScanResult, profile: str = "") -> bytes:
    return b"".join(sarif.render(result, View(profile=profile)))


def run(result: ScanResult, profile: str = "") -> dict[str, Any]:
    document = json.loads(rendered(result, profile))
    assert schema_errors(document) == []
    (only,) = document["runs"]
    return dict(only)


def own_checks(run: dict[str, Any]) -> list[str]:
    return problems(run, run["properties"]["profile"])


@pytest.mark.parametrize("profile", PROFILES)
def test_the_canonical_report_satisfies_schema_and_readers(profile: str, canonical_scan: ScanResult) -> None:
    assert own_checks(run(canonical_scan, profile)) == []


def change(document: Any, path: str, value: object) -> None:
    *parents, last = path.split("/")
    for step in parents:
        document = document[int(step) if step.isdigit() else step]
    document[last] = value


REGION = "locations/0/physicalLocation/region/startLine"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (REGION, 0),
        ("level", "critical"),
        ("kind", "passed"),
        ("guid", "xyz"),
        ("guid", "01890a5d-ac96-774b-bcce-b302099a8057"),
        ("unknown", 1),
        ("locations/0/physicalLocation/region", {}),
        ("suppressions", [{"kind": "waived"}]),
    ],
)
def test_the_schema_refuses_a_bad_result(path: str, value: object, canonical_scan: ScanResult) -> None:
    document = json.loads(rendered(canonical_scan))
    change(document["runs"][0]["results"][0], path, value)
    assert not SCHEMA.is_valid(document)


def test_the_schema_refuses_a_bad_time(canonical_scan: ScanResult) -> None:
    document = json.loads(rendered(canonical_scan))
    document["runs"][0]["invocations"][0]["exitCode"] = "1"
    assert not SCHEMA.is_valid(document)


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        ("results/0/level", "none", "kind fail with level none"),
        ("results/4/level", "error", "kind pass with level error"),
        ("results/0/ruleIndex", 1, "ruleIndex"),
        ("results/0/locations", [], "no physical location"),
        ("results/0/locations/0/physicalLocation/artifactLocation/uri", "/subscriptions/x", "uri is not relative"),
        ("tool/driver/rules/0/properties/security-severity", 9.5, "security-severity"),
    ],
)
def test_the_own_checks_see_what_the_schema_accepts(path: str, value: object, problem: str, canonical_scan: ScanResult) -> None:
    document = json.loads(rendered(canonical_scan))
    change(document["runs"][0], path, value)
    assert SCHEMA.is_valid(document)
    assert problem in own_checks(document["runs"][0])


def test_every_verdict_is_a_result_of_its_kind(canonical_scan: ScanResult) -> None:
    kinds = {"pass": Verdict.PASS, "fail": Verdict.FAIL, "open": Verdict.UNKNOWN, "notApplicable": Verdict.NOT_APPLICABLE}
    stored = [one for policy in canonical_scan.policies for one in canonical_scan.findings.of(policy.info.id)]
    results = run(canonical_scan)["results"]
    assert [kinds[one["kind"]] for one in results] == [one.verdict for one in stored]
    assert [one["partialFingerprints"]["arguardFinding/v1"] for one in results] == [one.fingerprint for one in stored]


def test_severities_are_levels_and_scores(canonical_scan: ScanResult) -> None:
    rules = run(canonical_scan)["tool"]["driver"]["rules"]
    told = [
        (rule["properties"]["severity"], rule["defaultConfiguration"]["level"], rule["properties"].get("security-severity"))
        for rule in rules
    ]
    assert told[:5] == [
        ("critical", "error", "9.5"),
        ("high", "error", "8.0"),
        ("medium", "warning", "5.5"),
        ("low", "note", "2.0"),
        ("info", "note", None),
    ]


def test_a_row_has_its_own_level(canonical_scan: ScanResult) -> None:
    results = [one for one in run(canonical_scan)["results"] if one["ruleId"] == "ABK401"]
    assert [one["level"] for one in results] == ["warning", "note", "none", "none"]


def test_every_policy_is_a_rule_even_if_it_was_not_asked(canonical_scan: ScanResult) -> None:
    rules = {rule["id"]: rule for rule in run(canonical_scan)["tool"]["driver"]["rules"]}
    assert list(rules) == [policy.info.id for policy in canonical_scan.policies]
    assert rules["ABK701"]["properties"]["waitsFor"] == ["evidence", "parameter:proxy"]
    assert "waitsFor" not in rules["ABK101"]["properties"]
    assert rules["ABK301"]["name"] == "DefectOf301"
    assert "helpUri" not in rules["ABK502"]


def test_waived_rows_are_suppressed_and_others_are_not(canonical_scan: ScanResult) -> None:
    suppressed = [one for one in run(canonical_scan)["results"] if "suppressions" in one]
    assert [one["kind"] for one in suppressed] == ["fail", "open"]
    assert suppressed[0]["suppressions"] == [
        {
            "kind": "external",
            "status": "accepted",
            "justification": "Waived by W-7 (backup-team) until 2026-12-31: migration in progress",
        }
    ]


def test_the_location_is_the_assertion_and_the_resource(canonical_scan: ScanResult) -> None:
    location = run(canonical_scan)["results"][0]["locations"][0]
    assert location["physicalLocation"] == {
        "artifactLocation": {"uri": "azure-backup/ABK101-defect-of-101.yaml", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 21, "startColumn": 1, "endLine": 21, "endColumn": 7},
    }
    (logical,) = location["logicalLocations"]
    assert logical["name"] == "group1"
    assert logical["fullyQualifiedName"].endswith("/resourceGroups/RG-App/providers/Microsoft.Compute/virtualMachines/group1")


def test_duplicates_share_the_fingerprint_but_not_the_hash_or_guid(canonical_scan: ScanResult) -> None:
    first, second = (one for one in run(canonical_scan)["results"] if "DUPLICATE" in one["message"]["text"])
    assert first["partialFingerprints"]["arguardFinding/v1"] == second["partialFingerprints"]["arguardFinding/v1"]
    assert second["partialFingerprints"]["primaryLocationLineHash"].endswith(":2")
    assert "guid" in first
    assert "guid" not in second


def test_an_incomplete_run_says_why(canonical_scan: ScanResult) -> None:
    (invocation,) = run(canonical_scan)["invocations"]
    assert invocation["executionSuccessful"] is False
    assert (invocation["startTimeUtc"], invocation["endTimeUtc"]) == ("2026-11-20T06:00:00.000Z", "2026-11-20T06:00:00.000Z")
    told = [(one["descriptor"]["id"], one["level"]) for one in invocation["toolExecutionNotifications"]]
    assert told == [
        ("INCOMPLETE", "error"),
        ("DENIED", "error"),
        ("UNDECIDED", "error"),
        ("UNDECIDED", "note"),
        ("STALE", "note"),
    ]
    undecided = invocation["toolExecutionNotifications"][2]
    assert undecided["message"]["text"] == "ABK301: rows not decided: 5, of which could hide a blocking finding: 4"
    assert undecided["associatedRule"] == {"id": "ABK301", "index": 1}


@pytest.mark.parametrize(
    ("name", "successful", "notifications"),
    [
        ("empty", False, ["INCOMPLETE"]),
        ("not-asked", False, ["INCOMPLETE"]),
        ("interrupted", False, ["INCOMPLETE", "FAILED"]),
        ("bug", False, ["INCOMPLETE", "FAILED"]),
        ("allowed", False, ["INCOMPLETE", "FAILED"]),
        ("nothing", True, []),
        ("inapplicable", True, []),
        ("healthy", True, []),
    ],
)
def test_results_at_the_edge(name: str, successful: bool, notifications: list[str], odd: Mapping[str, ScanResult]) -> None:  # noqa: FBT001
    for profile in PROFILES:
        only = run(odd[name], profile)
        (invocation,) = only["invocations"]
        assert invocation["executionSuccessful"] is successful
        assert [one["descriptor"]["id"] for one in invocation["toolExecutionNotifications"]] == notifications
        assert own_checks(only) == []


def test_the_run_is_told_apart_by_scope_and_policies_only(canonical_scan: ScanResult, odd: Mapping[str, ScanResult]) -> None:
    name = run(canonical_scan)["automationDetails"]["id"]
    info = canonical_scan.info
    later = replace(canonical_scan, info=replace(info, tool="arguard 0.2.0", run_time=info.run_time.replace(year=2027)))
    elsewhere = replace(canonical_scan, info=replace(info, scope=replace(info.scope, management_groups=("fabrikam",))))
    assert len(name) == len("arguard/0123456789abcdef/")
    assert run(later)["automationDetails"]["id"] == name
    assert run(elsewhere)["automationDetails"]["id"] != name
    assert run(odd["healthy"])["automationDetails"]["id"] != name


def test_never_failing_is_recorded_as_a_word(canonical_scan: ScanResult) -> None:
    info = canonical_scan.info
    relaxed = replace(canonical_scan, info=replace(info, options=replace(info.options, fail_on=None)))
    assert run(relaxed)["properties"]["failOn"] == "never"
    assert run(canonical_scan)["properties"]["failOn"] == Severity.HIGH.word


def test_messages_hold_no_link_and_no_placeholder(hostile_scan: Callable[[str], ScanResult]) -> None:
    text = run(hostile_scan("[click](https://evil.example) {0} {name}"))["results"][0]["message"]["text"]
    assert text == "[click] (https://evil.example) { 0} {name}."


@settings(deadline=None, max_examples=60)
@given(text=st.text(alphabet=st.characters()))
def test_any_text_gives_a_valid_file(hostile_scan: Callable[[str], ScanResult], text: str) -> None:
    for profile, results in (("full", 8), ("github", 1), ("azdo", 1)):
        only = run(hostile_scan(text), profile)
        assert own_checks(only) == []
        assert len(only["results"]) == results


def test_a_result_is_a_line(canonical_scan: ScanResult) -> None:
    rows = sum(policy.counts.rows for policy in canonical_scan.policies)
    assert rendered(canonical_scan).count(b"\n") == rows + 2


@pytest.mark.parametrize("profile", ALERTS)
def test_alerts_are_the_failures_that_no_waiver_covers(profile: str, canonical_scan: ScanResult) -> None:
    stored = [one for policy in canonical_scan.policies for one in canonical_scan.findings.of(policy.info.id)]
    expected = [one.fingerprint for one in stored if one.verdict is Verdict.FAIL and not one.waiver]
    only = run(canonical_scan, profile)
    assert [one["partialFingerprints"]["arguardFinding/v1"] for one in only["results"]] == expected
    assert not [one for one in only["results"] if "suppressions" in one or "evidence" in one["properties"]]
    assert only["invocations"] == run(canonical_scan)["invocations"]
    assert (only["properties"]["profile"], only["properties"]["shown"]) == (profile, ["fail"])


def many(build: Callable[..., ScanResult], severities: Mapping[Severity, int]) -> ScanResult:
    """A result with so many failures of each severity, all of one policy."""
    info = policy("101", Severity.HIGH, title="A policy")
    names = ((severity, f"vm{severity.word}{number:05}") for severity, count in severities.items() for number in range(count))
    return build([(info, [finding(info, name, Verdict.FAIL, severity=severity) for severity, name in names], [])])


@pytest.mark.parametrize("profile", ALERTS)
def test_too_many_failures_are_cut_by_severity_and_told(profile: str, build: Callable[..., ScanResult]) -> None:
    only = run(many(build, {Severity.CRITICAL: 2, Severity.HIGH: 24_990, Severity.LOW: 9}), profile)
    severities = Counter(one["properties"]["severity"] for one in only["results"])
    assert severities == {"critical": 2, "high": 24_990, "low": 8}
    (invocation,) = only["invocations"]
    assert invocation["executionSuccessful"] is False
    (told,) = invocation["toolExecutionNotifications"]
    assert told["descriptor"] == {"id": "LEFT_OUT"}
    assert told["message"]["text"] == "More failures than this file may hold; left out, the mildest first: 1 low"
    assert own_checks(only) == []


def test_a_file_that_is_just_full_is_whole(build: Callable[..., ScanResult]) -> None:
    only = run(many(build, {Severity.HIGH: 24_999, Severity.LOW: 1}), "github")
    assert len(only["results"]) == 25_000
    assert only["invocations"][0]["executionSuccessful"] is True


def test_the_whole_file_is_never_cut(build: Callable[..., ScanResult]) -> None:
    assert rendered(many(build, {Severity.LOW: 25_001})).count(b'"kind":"fail"') == 25_001


def test_a_scan_that_asked_less_never_replaces_one_that_asked_more(canonical_scan: ScanResult) -> None:
    asked = replace(canonical_scan, policies=tuple(replace(one, waits_for=()) for one in canonical_scan.policies))
    told = [run(one)["automationDetails"] for one in (canonical_scan, asked)]
    assert told[0]["id"] != told[1]["id"]
    assert told[0]["correlationGuid"] != told[1]["correlationGuid"]


def test_azure_devops_is_told_its_pipeline(canonical_scan: ScanResult) -> None:
    details = run(canonical_scan, "azdo")["automationDetails"]
    assert details["id"] == (
        "azuredevops/pipeline/build/contoso/11111111-1111-1111-1111-111111111111/42"
        "/22222222-2222-2222-2222-222222222222/refs/heads/main/98765"
    )
    assert details["properties"] == {
        "azuredevops/pipeline/build/buildDefinitionId": "42",
        "azuredevops/pipeline/build/buildDefinitionName": "Nightly compliance",
        "azuredevops/pipeline/build/phaseId": "22222222-2222-2222-2222-222222222222",
        "azuredevops/pipeline/build/phaseName": "Judge",
    }
    assert details["correlationGuid"] == run(canonical_scan)["automationDetails"]["correlationGuid"]


def test_outside_a_pipeline_azure_devops_gets_no_half_an_identity(canonical_scan: ScanResult) -> None:
    info = replace(canonical_scan.info, pipeline={"organization": "contoso"})
    assert list(run(replace(canonical_scan, info=info), "azdo")["automationDetails"]) == ["correlationGuid"]


def test_what_was_asked_to_be_shown_is_shown_and_told(canonical_scan: ScanResult) -> None:
    (only,) = json.loads(b"".join(sarif.render(canonical_scan, View(include=frozenset({Shown.WAIVED})))))["runs"]
    assert [one["kind"] for one in only["results"]] == ["fail", "open"]
    assert only["properties"]["shown"] == ["waived"]
    assert run(canonical_scan)["properties"]["shown"] == ["fail", "not_applicable", "pass", "unknown", "waived"]
