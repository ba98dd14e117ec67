from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner.model import Because, Failure, Finding, Reason, Resource, Severity, Verdict, WaiverMark
from scanner.store import VerdictStore

letters = st.text(st.sampled_from("aAzé\u00ff\ud7ff\ue000\uffff\U00010000\U0001f600\x00/ "), max_size=3) | st.text(max_size=3)
keys = st.tuples(st.sampled_from(["P1", "P2", "p1"]) | letters, letters, letters)


def finding(
    policy: str = "P1", identity: str = "/subscriptions/s/x", subject: str = "", message: str = "", **more: object
) -> Finding:
    resource = Resource(
        id=identity, display_id=identity, name="n", type="t", subscription="s", resource_group="rg", location="l"
    )
    fields = {"verdict": Verdict.FAIL, "severity": Severity.HIGH, **more}
    return Finding(policy=policy, resource=resource, subject=subject, message=message, **fields)  # type: ignore[arg-type]


def stored(findings: Sequence[Finding], policies: Sequence[str] | None = None) -> list[Finding]:
    with TemporaryDirectory() as folder, VerdictStore(Path(folder)) as store:
        store.extend(findings)
        return [one for policy in policies or sorted({one.policy for one in findings}) for one in store.of(policy)]


def key(one: Finding) -> tuple[str, str, str]:
    return one.policy, one.resource.id, one.subject


@settings(deadline=None)
@given(st.lists(keys, max_size=8), st.randoms(use_true_random=False))
def test_verdicts_come_back_in_the_order_of_policy_id_and_subject(places: list[tuple[str, str, str]], chance: object) -> None:
    findings = [finding(*place, message=str(number)) for number, place in enumerate(places)]
    shuffled = list(findings)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    back = stored(shuffled)
    assert back == stored(findings)
    assert [key(one) for one in back] == sorted(places)
    for one in back:
        assert (one.reason is Reason.DUPLICATE) is (places.count(key(one)) > 1)
        assert (one.verdict is Verdict.UNKNOWN) is (places.count(key(one)) > 1)


def test_a_finding_comes_back_as_it_was() -> None:
    waiver = WaiverMark(id="w", owner="o", reason="r", expires="2027-01-01")
    evidence = {"a.b": [1, None, {"x": 1.5}], "params.m": {"value": 1, "origin": "default"}}
    full = finding(message="m", subject="extension:e", evidence=evidence, cause="lock", waiver=waiver, known=True)
    unknown = finding("P2", verdict=Verdict.UNKNOWN, reason=Reason.MISSING, severity=Severity.INFO)
    assert stored([full, unknown]) == [full, unknown]


def test_two_rows_with_one_key_are_both_unknown_whatever_they_said() -> None:
    passed, failed = finding(verdict=Verdict.PASS), finding(message="bad", cause="lock")
    back = stored([passed, finding(subject="other"), failed])
    assert [(one.verdict, one.reason, one.cause) for one in back[:2]] == [(Verdict.UNKNOWN, Reason.DUPLICATE, None)] * 2
    assert back[2].verdict is Verdict.FAIL
    assert "too coarse" in back[0].message


def test_equal_rows_are_duplicates_as_well_and_none_is_lost() -> None:
    back = stored([finding()] * 3)
    assert [one.reason for one in back] == [Reason.DUPLICATE] * 3


def test_one_policys_verdicts_are_not_anothers() -> None:
    assert stored([finding("P1"), finding("P2")], ["P2", "P3"]) == [finding("P2")]


def test_it_can_be_read_as_often_as_a_reporter_likes_and_filled_meanwhile(tmp_path: Path) -> None:
    with VerdictStore(tmp_path) as store:
        store.extend([finding(identity="/a")])
        first, second = store.of("P1"), store.of("P1")
        assert next(first) == next(second)
        store.extend([finding(identity="/b")])
        assert [one.resource.id for one in store.of("P1")] == ["/a", "/b"]


def test_what_came_before_a_crash_is_kept(tmp_path: Path) -> None:
    def rows() -> Iterator[Finding]:
        yield finding(identity="/a")
        yield finding(identity="/b")
        raise KeyboardInterrupt

    with VerdictStore(tmp_path) as store:
        with pytest.raises(KeyboardInterrupt):
            store.extend(rows())
        store.extend([finding(identity="/c")])
        assert [one.resource.id for one in store.of("P1")] == ["/a", "/b", "/c"]


def test_nobody_else_may_read_the_spool(tmp_path: Path) -> None:
    with VerdictStore(tmp_path) as store:
        store.extend([finding()])
        assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600 if os.name == "posix" else 0o666}


VM1, VM2 = "/subscriptions/s/resourcegroups/a/vm", "/subscriptions/s/resourcegroups/b/vm"
FAILURE = Failure(code="E", title="t", link="https://e", told_by="name", numbers=(7,), causes=("P3", "P1", "P2"))


def explained(*others: Finding, identity: str = VM1) -> list[tuple[str, str, str]]:
    """What explains a failed job of a VM, told by P9."""
    [job] = stored([finding("P9", identity, affects=(identity,), failure=FAILURE), *others], ["P9"])
    assert job.failure is not None
    assert replace(job.failure, because=()) == FAILURE
    return [(one.policy, one.id, one.subject) for one in job.failure.because]


def test_a_failed_job_is_explained_by_findings_on_the_same_resource_the_most_likely_cause_first() -> None:
    disk, group = "/subscriptions/s/disk", "/subscriptions/s/group"
    found = explained(
        finding("P1", VM1, "extension:b", affects=(VM1,)),
        finding("P1", VM1, "extension:a", affects=(VM1,)),
        finding("P2", disk, affects=(VM1, VM2)),
        finding("P3", group, affects=(VM2, VM1)),
        finding("P1", VM2, affects=(VM2,)),
        finding("P4", VM1, affects=(VM1,)),
    )
    assert found == [("P3", group, ""), ("P1", VM1, "extension:a"), ("P1", VM1, "extension:b"), ("P2", disk, "")]


def test_what_affects_nothing_or_contradicts_itself_explains_nothing() -> None:
    assert explained(finding("P1", VM1), finding("P2", VM2, affects=(VM2,))) == []
    twice = [finding("P1", VM1, message=text, affects=(VM1,)) for text in ("one", "two")]
    assert explained(*twice) == []


def test_a_failed_job_does_not_explain_itself() -> None:
    failure = replace(FAILURE, causes=("P9",))
    [job] = stored([finding("P9", VM1, affects=(VM1,), failure=failure)])
    assert job.failure == failure


def test_an_explanation_says_what_the_finding_says() -> None:
    cause = finding("P1", VM1, "s", "the agent is dead", affects=(VM1,), severity=Severity.LOW)
    [job] = stored([cause, finding("P9", VM1, affects=(VM1,), failure=FAILURE)], ["P9"])
    assert job.failure is not None
    assert job.failure.because == (
        Because(
            policy="P1",
            id=VM1,
            subject="s",
            display_id=VM1,
            severity=Severity.LOW,
            message="the agent is dead",
            fingerprint=cause.fingerprint,
        ),
    )
