from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reporters import native
from scanner.model import Identity, ScanResult, Trace, Verdict


def rendered(result: ScanResult) -> list[dict[str, Any]]:
    return [json.loads(line) for line in b"".join(native.render(result)).splitlines()]


def test_lines_come_in_the_promised_order(canonical_scan: ScanResult) -> None:
    kinds = [line["kind"] for line in rendered(canonical_scan)]
    assert kinds[:3] == ["scan", "ledger", "ledger"]
    assert kinds[-1] == "decision"
    order = {"policy": 0, "verdict": 1, "gap": 2, "summary": 3}
    steps = [order[kind] for kind in kinds[3:-1]]
    assert [later for earlier, later in pairwise(steps) if later < earlier] == [0] * 7


def test_kind_stands_first_in_every_line(canonical_scan: ScanResult) -> None:
    assert all(line.startswith(b'{"kind":"') and line.endswith(b"}\n") for line in native.render(canonical_scan))


def test_the_seal_is_the_digest_of_all_lines_before_it(canonical_scan: ScanResult) -> None:
    lines = b"".join(native.render(canonical_scan)).splitlines(keepends=True)
    assert json.loads(lines[-1])["sha256"] == hashlib.sha256(b"".join(lines[:-1])).hexdigest()


TRACE = (
    Trace(method="GET", route="subscriptions", attempts=1, status=200, request_id="r-1", ms=12),
    Trace(method="POST", route="graph", attempts=6, status=0, request_id="", ms=9000),
)


def test_traces_follow_the_decision_and_lie_outside_the_seal(canonical_scan: ScanResult) -> None:
    plain = b"".join(native.render(canonical_scan))
    traced = b"".join(native.render(replace(canonical_scan, trace=TRACE)))
    assert traced.startswith(plain)
    assert [json.loads(line) for line in traced[len(plain) :].splitlines()] == [
        {
            "kind": "trace",
            "method": "GET",
            "route": "subscriptions",
            "attempts": 1,
            "status": 200,
            "request_id": "r-1",
            "ms": 12,
        },
        {"kind": "trace", "method": "POST", "route": "graph", "attempts": 6, "status": 0, "request_id": "", "ms": 9000},
    ]


def test_who_asked_stands_in_the_scan_line(canonical_scan: ScanResult) -> None:
    identity = Identity(credential="cli", tenant="t-1", object_id="o-1")
    result = replace(canonical_scan, info=replace(canonical_scan.info, identity=identity))
    assert rendered(result)[0]["identity"] == {"credential": "cli", "tenant": "t-1", "object_id": "o-1"}
    assert rendered(canonical_scan)[0]["identity"] is None


def test_every_finding_is_a_verdict_with_its_identity(canonical_scan: ScanResult) -> None:
    verdicts = [line for line in rendered(canonical_scan) if line["kind"] == "verdict"]
    stored = [one for policy in canonical_scan.policies for one in canonical_scan.findings.of(policy.info.id)]
    assert [(one["fingerprint"], one["guid"], one["verdict"]) for one in verdicts] == [
        (one.fingerprint, one.guid, one.verdict.value) for one in stored
    ]
    assert {one["verdict"] for one in verdicts} == {verdict.value for verdict in Verdict}


def test_marks_are_kept(canonical_scan: ScanResult) -> None:
    rows = {
        one["display"]["name"]: one
        for one in rendered(canonical_scan)
        if one["kind"] == "verdict" and one["policy"] == "ABK101"
    }
    assert rows["group3"]["waiver"] == {
        "id": "W-7",
        "owner": "backup-team",
        "reason": "migration in progress",
        "expires": "2026-12-31",
    }
    assert (rows["group4"]["known"], rows["group5"]["known"], rows["group1"]["known"]) == (True, False, None)


def test_summaries_hold_the_counts_and_the_result(canonical_scan: ScanResult) -> None:
    summaries = {one["policy"]: one for one in rendered(canonical_scan) if one["kind"] == "summary"}
    assert summaries["ABK101"]["counts"] == {
        "passed": 1, "failed": 4, "unknown": 0, "not_applicable": 0, "waived": 1, "known": 1, "blocking": 2, "hiding": 0,
    }  # fmt: skip
    assert [one["result"] for one in summaries.values()] == [policy.outcome.value for policy in canonical_scan.policies]


def test_a_policy_that_was_not_asked_says_what_it_waits_for(canonical_scan: ScanResult) -> None:
    policies = {one["id"]: one for one in rendered(canonical_scan) if one["kind"] == "policy"}
    assert policies["ABK701"]["waits_for"] == ["evidence", "parameter:proxy"]
    assert policies["ABK101"]["waits_for"] == []


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 11, 20, 6, 0, tzinfo=UTC), "2026-11-20T06:00:00Z"),
        (datetime(2026, 11, 20, 8, 0, tzinfo=timezone(timedelta(hours=2))), "2026-11-20T06:00:00Z"),
        (datetime(2026, 11, 20, 6, 0, 0, 250000, tzinfo=UTC), "2026-11-20T06:00:00.250000Z"),
    ],
)
def test_times_are_utc_with_z(moment: datetime, text: str, canonical_scan: ScanResult) -> None:
    result = replace(canonical_scan, info=replace(canonical_scan.info, run_time=moment, as_of=moment, collected_at=None))
    scan = rendered(result)[0]
    assert (scan["run_time"], scan["as_of"], scan["collected_at"]) == (text, text, None)


def test_never_failing_is_recorded_as_a_word(canonical_scan: ScanResult) -> None:
    options = replace(canonical_scan.info.options, fail_on=None)
    result = replace(canonical_scan, info=replace(canonical_scan.info, options=options))
    assert rendered(result)[0]["options"]["fail_on"] == "never"


@settings(deadline=None, max_examples=60)
@given(text=st.text())
def test_no_text_is_altered(hostile_scan: Callable[[str], ScanResult], text: str) -> None:
    scan, _, policy, verdict, *_ = rendered(hostile_scan(text))
    assert scan["options"]["params"] == {text: text}
    assert (policy["title"], policy["why"], policy["tags"]) == (text, text, [text])
    assert (verdict["id"], verdict["message"], verdict["display"]["name"]) == (text, text, text)
    assert verdict["evidence"][text] == text


def test_lone_surrogates_become_visible_text(hostile_scan: Callable[[str], ScanResult]) -> None:
    verdict = next(one for one in rendered(hostile_scan("a\ud800b")) if one["kind"] == "verdict")
    assert verdict["message"] == "a\\ud800b"
    assert verdict["evidence"]["a\\ud800b"] == "a\\ud800b"


def test_open_mappings_are_sorted(canonical_scan: ScanResult) -> None:
    scan = rendered(canonical_scan)[0]
    assert list(scan["libraries"]) == ["duckdb", "jmespath"]
    assert list(scan["digests"]) == ["pack:azure-backup", "snapshot"]


@pytest.mark.parametrize("name", ["empty", "not-asked", "interrupted", "bug", "nothing", "allowed"])
def test_the_decision_is_the_last_word_whatever_happened(name: str, odd: Mapping[str, ScanResult]) -> None:
    last = rendered(odd[name])[-1]
    decision = odd[name].decision
    assert (last["exit_code"], last["complete"], last["reasons"]) == (
        decision.exit_code,
        decision.complete,
        list(decision.reasons),
    )
