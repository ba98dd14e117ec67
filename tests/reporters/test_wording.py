from __future__ import annotations

from dataclasses import replace

import pytest

from reporters import wording
from reporters.advice import ADVICE
from scanner.model import Because, Failure, Finding, Gap, PolicyInfo, Reason, Resource, Severity, Verdict, WaiverMark

WEB = Resource(id="/x/web01", display_id="/X/web01", name="web01", type="t", subscription="s", resource_group="g", location="l")
POLICY = PolicyInfo(
    id="ABK1",
    name="n",
    title="All is well",
    severity=Severity.LOW,
    highest=Severity.LOW,
    pack="p",
    file="f",
    line=1,
    why="w",
    fix="f",
)


def found(verdict: Verdict, message: str = "", **more: object) -> Finding:
    return replace(Finding(policy="ABK1", resource=WEB, verdict=verdict, severity=Severity.LOW, message=message), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("finding", "message"),
    [
        (found(Verdict.FAIL, "two\n lines"), "two lines"),
        (found(Verdict.FAIL), "Fails: All is well"),
        (found(Verdict.PASS), "Passes: All is well"),
        (found(Verdict.NOT_APPLICABLE), "Not applicable: All is well"),
        (found(Verdict.UNKNOWN, "x is missing", reason=Reason.MISSING), "MISSING: x is missing"),
        (found(Verdict.UNKNOWN), "UNKNOWN: the row could not be decided"),
    ],
)
def test_a_message_is_one_line_and_never_empty(finding: Finding, message: str) -> None:
    assert wording.message(finding, POLICY) == message


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ("The agent of web01 is dead", "The agent of web01 is dead."),
        ("The agent is dead!", "web01 disk:1: The agent is dead!"),
        ("x" * 2000 + " web01", "web01 disk:1: " + "x" * 999 + "…"),
    ],
)
def test_a_sentence_names_the_resource_and_ends(message: str, sentence: str) -> None:
    assert wording.sentence(found(Verdict.FAIL, message, subject="disk:1"), POLICY) == sentence


def test_a_message_of_a_nameless_resource_stands_alone() -> None:
    nameless = replace(WEB, name="")
    assert wording.sentence(found(Verdict.FAIL, "bad", resource=nameless, subject="s"), POLICY) == "s: bad."
    assert wording.sentence(found(Verdict.FAIL, "bad", resource=nameless), POLICY) == "bad."


def test_evidence_is_sorted_and_names_the_origin_of_parameters() -> None:
    evidence = {
        "z": {"b": 1, "a": [None, True]},
        "params.limit": {"value": 7, "origin": "command line"},
        "params.odd": {"value": 7},
        "a\n": "t\x00",
    }
    assert list(wording.evidence(found(Verdict.FAIL, evidence=evidence))) == [
        'a = "t\\u0000"',
        "params.limit = 7 (command line)",
        'params.odd = {"value": 7}',
        'z = {"a": [null, true], "b": 1}',
    ]


@pytest.mark.parametrize(
    ("gap", "text"),
    [
        (Gap(reason=Reason.STALE, text="too old"), "STALE: too old"),
        (Gap(reason=Reason.DENIED, table="arm_locks", text="403"), "DENIED (arm_locks): 403"),
        (
            Gap(reason=Reason.DENIED, table="arm_locks", subscription="s1", text="403"),
            "DENIED (arm_locks, subscription s1): 403",
        ),
    ],
)
def test_a_gap_says_why_and_where(gap: Gap, text: str) -> None:
    assert wording.gap(gap) == text


def test_a_waiver_names_owner_and_end() -> None:
    mark = WaiverMark(id="W-7", owner="team", reason="moving", expires="2026-12-31")
    assert wording.waived(mark) == "Waived by W-7 (team) until 2026-12-31: moving"


def test_there_is_advice_for_every_reason() -> None:
    assert set(ADVICE) == set(Reason)
    assert all(text.endswith(".") for text in ADVICE.values())


BECAUSE = Because(
    policy="P1", id="/x", subject="", display_id="/x", severity=Severity.HIGH, message="It is dead.", fingerprint="f"
)


@pytest.mark.parametrize(
    ("failure", "lines"),
    [
        (None, []),
        (Failure(), ["Failed with an error that is not known here"]),
        (Failure(numbers=(7, 8)), ["Failed with an error (7, 8) that is not known here"]),
        (
            Failure(code="E1", title="It broke", link="https://e#1", told_by="name", because=(BECAUSE,) * 5),
            ["Failed with E1: It broke. See https://e#1", *["Because P1: It is dead."] * 3, "and 2 more findings explain it"],
        ),
    ],
)
def test_a_failed_job_says_what_it_failed_with_and_why(failure: Failure | None, lines: list[str]) -> None:
    told = Finding(policy="P9", resource=WEB, verdict=Verdict.FAIL, severity=Severity.HIGH, failure=failure)
    assert list(wording.failure(told)) == lines
