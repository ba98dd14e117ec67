"""OCSF: every event fits the schema of its class and what no schema checks, and all that was not seen has an event."""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from reporters import ocsf
from reporters.view import UNASKED, Shown, View
from scanner.cli import main
from scanner.model import (
    Decision,
    Failure,
    Finding,
    Gap,
    Identity,
    PolicyResult,
    Reason,
    Resource,
    ScanResult,
    Severity,
    Verdict,
)
from tests.reporters import estate
from tests.reporters.test_formats import ANY_TEXT

Event = dict[str, Any]
CONTOSO = Path(__file__).parents[2] / "examples" / "contoso"
VERSIONS = ["1.5.0", "1.6.0", "1.7.0", "1.8.0"]
MOMENT_MS = 1_795_154_400_000
"""2026-11-20T06:00:00Z, the time of every made result: `date -d 2026-11-20T06:00:00Z +%s`, times 1000."""


@cache
def schema(version: str) -> Any:
    return get_ocsf_schema(version)


@cache
def validator(version: str) -> Any:
    made = OcsfJsonSchemaEmbedded(schema(version)).get_class_schema("compliance_finding", ["cloud", "datetime"])
    return jsonschema_rs.validator_for(made)


def lines(result: ScanResult, view: View = UNASKED) -> list[bytes]:
    return list(ocsf.render(result, view))


def events(result: ScanResult, view: View = UNASKED) -> list[Event]:
    """The events as a reader of JSON Lines finds them."""
    data = b"".join(lines(result, view))
    assert data.endswith(b"\n")
    return [json.loads(line) for line in data.split(b"\n")[:-1]]


def refused(event: Event, version: str = "1.5.0") -> list[str]:
    """What the schema of a version says against an event."""
    return [f"{'/'.join(map(str, error.instance_path))}: {error.message}" for error in validator(version).iter_errors(event)]


def own_checks(found: list[Event]) -> list[str]:
    """What no schema checks, but readers rely on."""
    problems = []
    for event in found:
        standards = event["compliance"].get("standards", [])
        right = {
            "type_uid": event["type_uid"] == event["class_uid"] * 100 + event["activity_id"],
            "time is not in milliseconds": 10**12 < event["time"] < 10**13,
            "standards": all(standards) and standards != [],
            "resources": bool(event.get("resources")),
            "message": event["message"] != "",
            "version": event["metadata"]["version"] == "1.5.0",
        }
        problems += [name for name, fine in right.items() if not fine]
    uids = [event["metadata"].get("uid") for event in found]
    if None in uids or len(uids) != len(set(uids)):
        problems.append("uids")
    if len({event["metadata"]["correlation_uid"] for event in found}) != 1:
        problems.append("correlation")
    if [event["finding_info"]["types"] for event in found].count(["scan"]) != 1:
        problems.append("scan")
    return problems


def status(event: Event) -> tuple[int, str]:
    return event["compliance"]["status_id"], event["compliance"]["status"]


def of_kind(found: list[Event], kind: str) -> list[Event]:
    return [event for event in found if event["finding_info"]["types"] == [kind]]


def failed_job() -> ScanResult:
    """A failed job, the finding that explains it, and a parameter that is no text."""
    agent = estate.policy("301", Severity.HIGH, title="The agent is ready")
    job = estate.policy("605", Severity.HIGH, title="The newest backup worked", params={"hours": {"value": 26, "origin": "x"}})
    cause = estate.finding(agent, "web01", Verdict.FAIL, message="The agent of web01 is silent.")
    because = estate.because(cause)
    failure = Failure(code="ErrorA", title="No contact", link="https://example.com/#a", numbers=(400,), because=(because,) * 30)
    failed = estate.finding(job, "web01", Verdict.FAIL, message="It failed.", failure=failure)
    return estate.result_of([(agent, [cause], []), (job, [failed], [])])


@pytest.mark.parametrize("version", VERSIONS)
def test_every_event_fits_the_schema(version: str, canonical_scan: ScanResult, odd: Mapping[str, ScanResult]) -> None:
    for result in [canonical_scan, failed_job(), *odd.values()]:
        found = events(result)
        assert [told for event in found for told in refused(event, version)] == []
        assert own_checks(found) == []


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None, max_examples=60)
@given(text=ANY_TEXT)
def test_no_text_makes_an_event_unfit(hostile_scan: Callable[[str], ScanResult], text: str) -> None:
    found = events(hostile_scan(text))
    assert [told for event in found for version in ("1.5.0", "1.8.0") for told in refused(event, version)] == []
    assert own_checks(found) == []


@pytest.mark.estate
def test_the_demo_estate_fits_the_schema(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    assert main(["scan", "--snapshot", str(CONTOSO), "--as-of", "snapshot", "-q", "-o", f"ocsf={file}"]) == 1
    found = [json.loads(line) for line in file.read_bytes().splitlines()]
    assert [told for event in found for version in VERSIONS for told in refused(event, version)] == []
    assert own_checks(found) == []
    assert len(of_kind(found, "verdict")) > 1000


# The checks themselves: what the schema must notice, and what it does not.


def changed(event: Event, path: str, value: object) -> Event:
    """An event with another value at a path; `...` takes the member away."""
    made = copy.deepcopy(event)
    *parents, last = path.split("/")
    place = made
    for step in parents:
        place = place[step]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return made


@pytest.fixture(scope="module")
def good(canonical_scan: ScanResult) -> Event:
    return of_kind(events(canonical_scan), "verdict")[0]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        *((name, ...) for name in ("compliance", "cloud", "finding_info", "metadata", "time", "type_uid", "severity_id")),
        ("metadata/product", ...),
        ("finding_info/uid", ...),
        ("cloud/provider", ...),
        ("class_uid", 2004),
        ("category_uid", 3),
        ("type_uid", 200401),
        ("severity_id", "High"),
        ("severity_id", 9),
        ("status_id", 9),
        ("compliance/status_id", 4),
        ("compliance/status_id", "Fail"),
        ("cloud/account/type_id", 98),
        ("unknown", 1),
        ("compliance/verdict", "fail"),
        ("time", "2026-11-20T06:00:00Z"),
        ("time_dt", "yesterday"),
        ("resources", [{"type": "neither uid nor name"}]),
        ("compliance/control_parameters", [{"name": "no value"}]),
    ],
)
def test_the_schema_notices(path: str, value: object, good: Event) -> None:
    assert [refused(good, version) for version in VERSIONS] == [[], [], [], []]
    assert all(refused(changed(good, path, value), version) for version in VERSIONS)


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        ("type_uid", 200302, "type_uid"),
        ("time", MOMENT_MS // 1000, "time is not in milliseconds"),
        ("time", MOMENT_MS * 1000, "time is not in milliseconds"),
        ("compliance/standards", [], "standards"),
        ("compliance/standards", ..., "standards"),
        ("compliance/standards", [""], "standards"),
        ("resources", [], "resources"),
        ("resources", ..., "resources"),
        ("message", "", "message"),
        ("metadata/version", "1.3.0", "version"),
        ("metadata/uid", ..., "uids"),
        ("metadata/correlation_uid", "another", "correlation"),
        ("finding_info/types", ["verdict"], "scan"),
    ],
)
def test_the_own_checks_notice_what_the_schema_accepts(
    path: str, value: object, problem: str, canonical_scan: ScanResult
) -> None:
    first, *rest = events(canonical_scan)
    bad = changed(first, path, value)
    assert refused(bad) == []
    assert problem in own_checks([bad, *rest])


def test_the_own_checks_notice_an_event_twice(canonical_scan: ScanResult) -> None:
    found = events(canonical_scan)
    assert own_checks([*found, found[-1]]) == ["uids"]


# What the schema says in words: captions, and attributes that are not to be used any more.


def test_captions_are_those_of_the_schema(canonical_scan: ScanResult) -> None:
    objects, event_class = schema("1.5.0")["objects"], schema("1.5.0")["classes"]["compliance_finding"]
    for event in events(canonical_scan):
        told = [(event_class, event, "severity_id", "severity"), (event_class, event, "status_id", "status")]
        told += [(objects["analytic"], event["finding_info"]["analytic"], "type_id", "type")]
        told += [(objects["compliance"], event["compliance"], "status_id", "status")] * (status(event)[0] != 99)
        if "account" in event["cloud"]:
            told += [(objects["account"], event["cloud"]["account"], "type_id", "type")]
        for definition, place, number, caption in told:
            assert definition["attributes"][number]["enum"][str(place[number])]["caption"] == place[caption]


@pytest.mark.parametrize("version", VERSIONS)
def test_nothing_deprecated_is_written(version: str) -> None:
    objects, event_class = schema(version)["objects"], schema(version)["classes"]["compliance_finding"]
    used = [event for event in events(failed_job()) if "related_events" in event["finding_info"]]
    assert used
    for event in used:
        told = [(event_class, event), *((objects[name], event[name]) for name in ("compliance", "finding_info", "metadata"))]
        told += [(objects["cloud"], event["cloud"]), (objects["account"], event["cloud"]["account"])]
        told += [(objects["resource_details"], event["resources"][0]), (objects["remediation"], event["remediation"])]
        told += [(objects["related_event"], event["finding_info"]["related_events"][0])]
        assert [name for definition, place in told for name in place if "@deprecated" in definition["attributes"][name]] == []


# What the events tell.


def test_every_row_gap_and_policy_has_its_event(canonical_scan: ScanResult) -> None:
    found, policies = events(canonical_scan), canonical_scan.policies
    stored = [one for policy in policies for one in canonical_scan.findings.of(policy.info.id)]
    verdicts = of_kind(found, "verdict")
    assert [event["finding_info"]["uid"] for event in verdicts] == [one.fingerprint for one in stored]
    assert [event["severity_id"] for event in verdicts] == [int(one.severity) for one in stored]
    assert [event["metadata"]["event_code"] for event in verdicts] == [one.policy for one in stored]
    statuses = {
        Verdict.PASS: (1, "Pass"),
        Verdict.FAIL: (3, "Fail"),
        Verdict.UNKNOWN: (0, "Unknown"),
        Verdict.NOT_APPLICABLE: (99, "Not applicable"),
    }
    assert [status(event) for event in verdicts] == [statuses[one.verdict] for one in stored]
    kinds = Counter(event["finding_info"]["types"][0] for event in found)
    assert kinds == {"scan": 1, "verdict": len(stored), "gap": 2, "none": 1, "not_asked": 1}
    assert found[0]["unmapped"]["rows"] == {
        "pass": 4,
        "fail": 11,
        "unknown": 6,
        "not_applicable": 2,
        "waived": 2,
        "gap": 2,
        "none": 1,
        "not_asked": 1,
    }


def test_a_failing_row_in_full() -> None:
    info = estate.policy("101", Severity.CRITICAL, title="Restore point groups carry no lock")
    row = estate.finding(info, "Web01", Verdict.FAIL, subject="lock:x", message="It is locked", evidence={"b": 1, "a": [None]})
    [event] = of_kind(events(estate.result_of([(info, [row], [])])), "verdict")
    scan = events(estate.result_of([(info, [row], [])]))[0]
    display = f"/subscriptions/{estate.PROD}/resourceGroups/RG-App/providers/Microsoft.Compute/virtualMachines/Web01"
    assert (event["class_uid"], event["activity_id"], event["type_uid"], event["time"]) == (2003, 1, 200301, MOMENT_MS)
    assert event["time_dt"] == "2026-11-20T06:00:00.000Z"
    assert event["message"] == "Web01 lock:x: It is locked."
    assert (event["severity"], event["status_id"], event["status"]) == ("Critical", 1, "New")
    assert event["metadata"]["correlation_uid"] == scan["metadata"]["correlation_uid"]
    assert event["metadata"]["product"]["version"] == "0.1.0"
    assert event["metadata"]["labels"] == ["agent", "backup"]
    assert event["compliance"]["control"] == "ABK101"
    assert event["compliance"]["standards"] == ["azure-backup"]
    assert event["compliance"]["requirements"] == [info.title] == [event["finding_info"]["title"]]
    assert event["compliance"]["desc"] == info.why.strip()
    assert event["compliance"]["control_parameters"] == [{"name": "min_version", "value": "2.7.41491.1010"}]
    account = {"uid": estate.PROD, "name": "sub-1", "type_id": 13, "type": "Azure Subscription"}
    assert event["cloud"] == {"provider": "Azure", "account": account, "region": "westeurope"}
    assert event["resources"] == [
        {
            "uid": display.lower(),
            "uid_alt": display,
            "name": "Web01",
            "type": "microsoft.compute/virtualmachines",
            "region": "westeurope",
            "group": {"name": "RG-App"},
            "data": {"a": [None], "b": 1},
        }
    ]
    assert list(event["resources"][0]["data"]) == ["a", "b"]
    assert event["remediation"] == {"desc": info.fix.strip(), "references": list(info.references)}
    assert event["finding_info"]["src_url"] == info.references[0]
    assert event["unmapped"] == {"verdict": "fail", "subject": "lock:x"}


def test_only_a_fail_is_told_how_to_mend_it(canonical_scan: ScanResult) -> None:
    for event in events(canonical_scan):
        assert ("remediation" in event) == (event["compliance"]["status_id"] == 3)


def test_a_fix_that_is_only_a_reference_and_one_that_is_nothing() -> None:
    info = estate.policy("1", Severity.LOW, title="", fix=" \n", pack="", references=("see the book", "https://a.example/b"))
    bare = replace(info, id="ABK2", references=())
    failed = [estate.finding(one, "web01", Verdict.FAIL) for one in (info, bare)]
    first, second = of_kind(events(estate.result_of([(info, failed[:1], []), (bare, failed[1:], [])])), "verdict")
    assert first["remediation"] == {"desc": "See the references.", "references": ["see the book", "https://a.example/b"]}
    assert first["finding_info"]["src_url"] == "https://a.example/b"
    assert first["compliance"]["standards"] == ["arguard"]
    assert first["finding_info"]["title"] == "ABK1"
    assert "remediation" not in second
    assert "src_url" not in second["finding_info"]


def test_waived_rows_are_suppressed_and_say_by_whom(canonical_scan: ScanResult) -> None:
    found = events(canonical_scan)
    waived = [event for event in found if event["status_id"] == 3]
    assert [(status(event), event["status"]) for event in waived] == [
        ((3, "Fail"), "Suppressed"),
        ((0, "Unknown"), "Suppressed"),
    ]
    for event in waived:
        assert event["status_detail"] == "Waived by W-7 (backup-team) until 2026-12-31: migration in progress"
        assert event["comment"] == "migration in progress"
    assert not any("comment" in event or "status_detail" in event for event in found if event not in waived)


def test_unknown_rows_and_gaps_give_their_reason(canonical_scan: ScanResult) -> None:
    found = events(canonical_scan)
    unknown = [event for event in of_kind(found, "verdict") if status(event)[0] == 0]
    assert [event["compliance"]["status_code"] for event in unknown] == [
        *("DUPLICATE", "DUPLICATE", "MISSING", "SIDE_DENIED", "REDACTED", "EVAL_ERROR")
    ]
    denied, stale = of_kind(found, "gap")
    assert status(denied) == status(stale) == (0, "Unknown")
    assert (denied["compliance"]["status_code"], stale["compliance"]["status_code"]) == ("DENIED", "STALE")
    assert denied["cloud"]["account"]["uid"] == estate.TEST
    assert denied["resources"][0] == {
        "uid": f"/subscriptions/{estate.TEST}",
        "name": "sub-2",
        "type": "microsoft.resources/subscriptions",
    }
    assert "account" not in stale["cloud"]
    assert stale["resources"][0]["data"] == {"kind": "proven", "management_groups": ["contoso"], "subscriptions": 2}
    assert (denied["severity_id"], stale["severity_id"]) == (5, 2)
    assert (denied["unmapped"], stale["unmapped"]) == ({"table": "arm_locks", "could_hide": True}, {"could_hide": False})
    assert "(this gap could hide a blocking finding)" in denied["message"]
    assert "(this gap cannot change the decision)" in stale["message"]


def test_a_gap_has_the_severity_of_the_worst_it_could_hide() -> None:
    info = estate.policy("1", Severity.LOW, title="x", highest=Severity.CRITICAL)
    scan, gap = events(estate.result_of([(info, [], [Gap(reason=Reason.FAILED, text="500")])]))
    assert scan["severity_id"] == gap["severity_id"] == 5


def test_duplicates_share_their_finding_but_not_their_event(canonical_scan: ScanResult) -> None:
    twins = [event for event in events(canonical_scan) if event["compliance"].get("status_code") == "DUPLICATE"]
    assert len({event["finding_info"]["uid"] for event in twins}) == 1
    assert len({event["metadata"]["uid"] for event in twins}) == len(twins) == 2


def test_equal_gaps_are_two_events() -> None:
    info = estate.policy("1", Severity.LOW, title="x")
    found = events(estate.result_of([(info, [], [Gap(reason=Reason.FAILED, text=text) for text in ("500", "502")])]))
    assert own_checks(found) == []
    assert len({event["finding_info"]["uid"] for event in of_kind(found, "gap")}) == 1


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("empty", ["scan 0"]),
        ("not-asked", ["scan 0", "not_asked 99"]),
        ("interrupted", ["scan 0", "gap 0", "verdict 1"]),
        ("bug", ["scan 0", "gap 0"]),
        ("nothing", ["scan 99", "none 99"]),
        ("inapplicable", ["scan 99", "verdict 99"]),
        ("healthy", ["scan 99", "verdict 1"]),
        ("incomplete", ["scan 0", "gap 0", "verdict 1"]),
        ("allowed", ["scan 0", "gap 0", "verdict 1"]),
    ],
)
def test_the_scan_itself_stands_first(name: str, told: list[str], odd: Mapping[str, ScanResult]) -> None:
    found = events(odd[name])
    assert [f"{event['finding_info']['types'][0]} {event['compliance']['status_id']}" for event in found] == told
    assert (
        (found[0]["compliance"]["status_code"] == "COMPLETE") == odd[name].decision.complete == found[0]["unmapped"]["complete"]
    )
    assert all(reason in found[0]["message"] for reason in odd[name].decision.reasons)


@pytest.mark.parametrize("include", [frozenset({one}) for one in Shown] + [frozenset()])
def test_no_choice_of_rows_hides_that_the_scan_is_incomplete(
    include: frozenset[Shown], canonical_scan: ScanResult, odd: Mapping[str, ScanResult]
) -> None:
    view = View(include=include)
    for result in (canonical_scan, *odd.values()):
        found = events(result, view)
        assert own_checks(found) == []
        unknown = [event for event in found if status(event)[0] == 0]
        assert result.decision.complete or found[0] in unknown
        assert len(of_kind(found, "gap")) == sum(len(policy.gaps) for policy in result.policies)
        shown = [one for policy in result.policies for one in result.findings.of(policy.info.id) if view.shows(one)]
        assert len(of_kind(found, "verdict")) == len(shown)


def test_rows_that_were_left_out_hide_nothing() -> None:
    info = estate.policy("1", Severity.HIGH, title="x")
    unknown = estate.finding(info, "web01", Verdict.UNKNOWN, reason=Reason.MISSING)
    [event] = events(estate.result_of([(info, [unknown], [])]), View(include=frozenset({Shown.FAIL})))
    assert status(event) == (0, "Unknown")


def test_a_healthy_estate_has_no_unknown_and_no_fail(odd: Mapping[str, ScanResult]) -> None:
    for name in ("healthy", "nothing", "inapplicable"):
        assert {status(event)[0] for event in events(odd[name])} <= {1, 99}
    assert {event["severity_id"] for event in events(odd["nothing"])} == {1}


@pytest.mark.parametrize("name", ["nothing", "bug"])
def test_a_scope_of_one_subscription_is_that_subscription(name: str, odd: Mapping[str, ScanResult]) -> None:
    result = odd[name]
    one = replace(result, info=replace(result.info, scope=replace(result.info.scope, expected=(estate.TEST,))))
    assert len(events(one)) == 2
    for event in events(one):
        assert event["cloud"]["account"]["uid"] == estate.TEST
        assert event["resources"][0]["uid"] == f"/subscriptions/{estate.TEST}"


@pytest.mark.parametrize(("fail_on", "word", "severity_id"), [(None, "never", 4), (Severity.MEDIUM, "medium", 3)])
def test_a_scan_that_asked_nothing_is_as_bad_as_what_the_gate_fails_on(
    fail_on: Severity | None, word: str, severity_id: int, odd: Mapping[str, ScanResult]
) -> None:
    result = odd["empty"]
    scope, options = replace(result.info.scope, expected=()), replace(result.info.options, fail_on=fail_on)
    [event] = events(replace(result, info=replace(result.info, scope=scope, options=options)))
    assert own_checks([event]) == refused(event) == []
    assert (status(event), event["severity_id"], event["unmapped"]["fail_on"]) == ((0, "Unknown"), severity_id, word)


def test_a_failed_job_names_the_events_that_explain_it() -> None:
    agent, job = of_kind(events(failed_job()), "verdict")
    related = job["finding_info"]["related_events"]
    assert len(related) == 20
    assert related[0] == {"uid": agent["metadata"]["uid"], "type": "verdict", "title": "ABK301: The agent of web01 is silent."}
    assert job["unmapped"]["failure"] == {"code": "ErrorA", "link": "https://example.com/#a", "numbers": [400]}
    assert job["compliance"]["status_details"][:2] == [
        "It failed.",
        "Failed with ErrorA (400): No contact. See https://example.com/#a",
    ]
    assert job["compliance"]["control_parameters"] == [{"name": "hours", "value": "26"}]


# Identity and time.


def uids(result: ScanResult) -> list[str]:
    return [event["metadata"]["uid"] for event in events(result)]


def test_the_next_scan_has_other_events_of_the_same_findings(canonical_scan: ScanResult) -> None:
    info = canonical_scan.info
    tomorrow = replace(canonical_scan, info=replace(info, run_time=info.run_time + timedelta(days=1)))
    findings = [[event["finding_info"]["uid"] for event in events(one)] for one in (canonical_scan, tomorrow)]
    assert findings[0] == findings[1]
    assert not set(uids(canonical_scan)) & set(uids(tomorrow))


@pytest.mark.parametrize(
    "change",
    [
        {"source": "azure"},
        {"digests": {"snapshot": "00" * 32}},
        {"scope": replace(estate.scan_info().scope, expected=(estate.PROD,))},
        {"options": replace(estate.scan_info().options, params={"max_disk_gib": 1})},
        {"options": replace(estate.scan_info().options, fail_on=None)},
    ],
)
def test_another_scan_at_the_same_time_has_other_events(change: dict[str, Any], canonical_scan: ScanResult) -> None:
    other = replace(canonical_scan, info=replace(canonical_scan.info, **change))
    assert not set(uids(canonical_scan)) & set(uids(other))


@given(microsecond=st.integers(0, 999_999), hours=st.integers(-12, 14))
def test_time_is_in_milliseconds_of_utc(microsecond: int, hours: int, odd: Mapping[str, ScanResult]) -> None:
    result = odd["healthy"]
    moment = estate.scan_info().run_time.replace(microsecond=microsecond).astimezone(timezone(timedelta(hours=hours)))
    event = events(replace(result, info=replace(result.info, run_time=moment)))[0]
    assert event["time"] == MOMENT_MS + microsecond // 1000
    assert event["time_dt"] == f"2026-11-20T06:00:00.{microsecond // 1000:03d}Z"


def test_the_tenant_is_told_where_it_is_known(odd: Mapping[str, ScanResult]) -> None:
    result = odd["healthy"]
    known = replace(result, info=replace(result.info, identity=Identity(credential="cli", tenant="t1")))
    assert {event["metadata"]["tenant_uid"] for event in events(known)} == {"t1"}
    assert not any("tenant_uid" in event["metadata"] for event in events(result))


def test_a_row_without_subscription_has_no_account() -> None:
    info = estate.policy("1", Severity.HIGH, title="x")
    nowhere = Resource(id="x", display_id="x", name="", type="", subscription="", resource_group="", location="")
    row = Finding(policy=info.id, resource=nowhere, verdict=Verdict.UNKNOWN, reason=Reason.MISSING, severity=Severity.HIGH)
    [event] = of_kind(events(estate.result_of([(info, [row], [])])), "verdict")
    assert refused(event) == []
    assert event["cloud"] == {"provider": "Azure"}
    assert event["resources"] == [{"uid": "x"}]


def test_events_are_written_one_by_one(canonical_scan: ScanResult) -> None:
    assert all(line.count(b"\n") == 1 and line.endswith(b"}\n") for line in lines(canonical_scan))


def test_a_policy_that_waits_is_told_as_such() -> None:
    info = estate.policy("1", Severity.CRITICAL, title="x")
    waiting = [PolicyResult(info=info, waits_for=("evidence", "parameter:proxy"))]
    decision = Decision(exit_code=0, complete=True, reasons=("nothing blocks",))
    [event] = of_kind(events(estate.result_of([], waiting=waiting, decision=decision)), "not_asked")
    assert (status(event), event["severity_id"]) == ((99, "Not asked"), 1)
    assert event["message"] == "ABK1 was not asked: it waits for evidence, parameter:proxy."
