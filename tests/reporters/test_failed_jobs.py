"""A failed job with what explains it, in the reports that show it."""

from __future__ import annotations

import json

from reporters import console, junit, native
from scanner.model import Because, Failure, Severity, Verdict
from tests.reporters import estate

BECAUSE = Because(
    policy="ABK301",
    id="/x/web01",
    subject="",
    display_id="/X/web01",
    severity=Severity.HIGH,
    message="The agent of web01 is silent.",
    fingerprint="f" * 64,
)
FAILURE = Failure(
    code="ErrorA",
    title="VM agent unable to communicate",
    link="https://example.com/#a",
    told_by="number",
    numbers=(400,),
    because=(BECAUSE,),
)
INFO = estate.policy("605", Severity.HIGH, title="The newest backup worked")
RESULT = estate.result_of([(INFO, [estate.finding(INFO, "web01", Verdict.FAIL, message="It failed.", failure=FAILURE)], [])])


def test_the_native_result_holds_everything() -> None:
    [verdict] = [line for line in map(json.loads, b"".join(native.render(RESULT)).splitlines()) if line["kind"] == "verdict"]
    assert verdict["failure"] == {
        "code": "ErrorA",
        "title": "VM agent unable to communicate",
        "link": "https://example.com/#a",
        "told_by": "number",
        "numbers": [400],
        "because": [
            {
                "policy": "ABK301",
                "id": "/x/web01",
                "subject": "",
                "severity": "high",
                "message": "The agent of web01 is silent.",
                "fingerprint": "f" * 64,
            }
        ],
    }


def test_people_read_the_error_and_its_cause() -> None:
    for text in (b"".join(junit.render(RESULT)).decode(), b"".join(console.render(RESULT)).decode()):
        said = " ".join(text.split())
        assert "Failed with ErrorA (400): VM agent unable to communicate. See https://example.com/#a" in said
        assert "Because ABK301: The agent of web01 is silent." in said
