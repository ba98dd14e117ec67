"""A failed job with what explains it, in the reports that show it."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema_rs

from reporters import console, csv, junit, native, sarif
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
AGENT = estate.policy("301", Severity.HIGH, title="The agent is ready")
RESULT = estate.result_of(
    [
        (AGENT, [], []),
        (INFO, [estate.finding(INFO, "web01", Verdict.FAIL, message="It failed.", failure=FAILURE)], []),
    ]
)


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
                "display_id": "/X/web01",
                "subject": "",
                "severity": "high",
                "message": "The agent of web01 is silent.",
                "fingerprint": "f" * 64,
            }
        ],
    }


def test_a_viewer_of_sarif_finds_what_explains_the_job() -> None:
    [found] = json.loads(b"".join(sarif.render(RESULT)))["runs"][0]["results"]
    [related] = found["relatedLocations"]
    assert related["id"] == 1
    assert related["message"]["text"] == "Because ABK301: The agent of web01 is silent."
    assert related["logicalLocations"] == [{"name": "web01", "fullyQualifiedName": "/X/web01", "kind": "resource"}]
    assert related["physicalLocation"]["artifactLocation"]["uri"] == AGENT.file
    assert found["properties"]["failure"] == {
        "code": "ErrorA",
        "title": "VM agent unable to communicate",
        "link": "https://example.com/#a",
        "toldBy": "number",
        "numbers": [400],
    }


def test_a_spreadsheet_names_the_code_and_what_explains_it() -> None:
    header, *_, last = b"".join(csv.render(RESULT)).decode().splitlines()
    line = dict(zip(header.split(","), last.split(","), strict=True))
    assert (line['"code"'], line['"because"']) == ('"ErrorA"', '"ABK301 /X/web01"')


def test_the_schema_takes_it() -> None:
    schema = Path(__file__).parent / "schemas" / "sarif-2.1.0.json"
    validator = jsonschema_rs.validator_for(json.loads(schema.read_bytes()))
    assert [error.message for error in validator.iter_errors(json.loads(b"".join(sarif.render(RESULT))))] == []


def test_people_read_the_error_and_its_cause() -> None:
    for text in (b"".join(junit.render(RESULT)).decode(), b"".join(console.render(RESULT)).decode()):
        said = " ".join(text.split())
        assert "Failed with ErrorA (400): VM agent unable to communicate. See https://example.com/#a" in said
        assert "Because ABK301: The agent of web01 is silent." in said
