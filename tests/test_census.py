from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from scanner.census import Freshness, Ledger, gaps, shape_gaps
from scanner.gate import count
from scanner.model import (
    Finding,
    Gap,
    LedgerEntry,
    Options,
    Reason,
    Resource,
    Scope,
    Severity,
    Verdict,
    WaiverMark,
)
from scanner.policy import Attach, Policy
from scanner.sources import Answer
from tests.conftest import NOW, VM, a_gap, a_policy, a_query, a_row, an_answer, an_asked, one_of

FRESH = Freshness(collected_at=NOW, now=NOW, max_age=timedelta(hours=24))
TWO = Scope(kind="proven", expected=("s1", "s2"))
BOTH = frozenset({"s1", "s2"})


def census(*answers: Answer, policy: Policy | None = None, rows: int = 0, **changes: Any) -> tuple[Gap, ...]:
    """The gaps of one policy after its population was judged."""
    ledger = Ledger()
    for answer in answers:
        ledger.note(answer)
    asked = an_asked(policy or a_policy())
    ledger.stopped = changes.get("stopped")
    if changes.get("finished", True):
        ledger.finish([asked])
    return gaps(asked, ledger, changes.get("scope", TWO), changes.get("freshness", FRESH), rows)


def codes(found: tuple[Gap, ...]) -> list[tuple[str, str, str]]:
    return [(gap.reason.value, gap.table, gap.subscription) for gap in found]


def test_with_everything_seen_and_answered_nothing_is_missing_and_zero_rows_are_proven() -> None:
    assert census(an_answer(answered=BOTH)) == ()


def test_an_expected_subscription_that_is_neither_answered_nor_a_gap_is_scope_missing() -> None:
    assert codes(census(an_answer(answered=frozenset({"s1"})))) == [("SCOPE_MISSING", "vms", "s2")]
    assert codes(census(an_answer(answered=frozenset()))) == [("SCOPE_MISSING", "vms", "s1"), ("SCOPE_MISSING", "vms", "s2")]


def test_a_gap_says_why_and_is_not_told_twice() -> None:
    answer = an_answer(answered=frozenset({"s1"}), gaps=(a_gap(Reason.DENIED, "s2"),))
    assert codes(census(answer)) == [("DENIED", "vms", "s2")]


def test_a_gap_for_all_of_them_stands_for_each() -> None:
    answer = an_answer(answered=frozenset(), gaps=(a_gap(Reason.TIMEOUT),))
    assert codes(census(answer)) == [("TIMEOUT", "vms", "")]


def test_a_gap_found_at_the_end_is_kept_though_all_answered() -> None:
    assert codes(census(an_answer(answered=BOTH, gaps=(a_gap(Reason.SHAPE_DRIFT),)))) == [("SHAPE_DRIFT", "vms", "")]


def test_a_subscription_that_nobody_expects_is_no_gap() -> None:
    assert census(an_answer(answered=BOTH, gaps=(a_gap(Reason.DENIED, "s9"),))) == ()


@pytest.mark.parametrize("spec", [one_of("arm_locks"), one_of("jobs", query=a_query("jobs"))])
def test_every_side_source_must_have_answered_too(spec: Attach) -> None:
    policy = a_policy(attach=(spec,))
    population = an_answer(answered=BOTH)
    complete = an_answer(table=spec.source, answered=BOTH)
    silent = an_answer(table=spec.source, answered=frozenset({"s1"}), gaps=(a_gap(Reason.DENIED, "s2", spec.source),))
    assert census(population, complete, policy=policy) == ()
    assert codes(census(population, silent, policy=policy)) == [("DENIED", spec.source, "s2")]
    assert codes(census(population, policy=policy)) == [("FAILED", spec.source, "")]


def test_a_side_source_of_another_policy_does_not_matter() -> None:
    assert census(an_answer(answered=BOTH), an_answer(table="arm_locks", answered=frozenset())) == ()


def test_what_was_never_asked_failed() -> None:
    assert codes(census()) == [("FAILED", "vms", "")]


def test_an_empty_scope_is_a_gap() -> None:
    found = census(an_answer(answered=frozenset()), scope=Scope(kind="discovered", expected=()))
    assert codes(found) == [("SCOPE_EMPTY", "", "")]


@pytest.mark.parametrize(("rows", "announced"), [(1, 2), (2, 1), (0, 1)])
def test_more_or_fewer_rows_than_were_announced_are_unstable(rows: int, announced: int) -> None:
    found = census(an_answer([a_row()] * announced, answered=BOTH), rows=rows)
    assert codes(found) == [("UNSTABLE", "vms", "")]
    assert found[0].text == f"{announced} rows were announced and {rows} judged"


@pytest.mark.parametrize(
    ("rows", "expected"), [(2, []), (3, []), (1, [("POPULATION_SMALL", "vms", "")]), (0, [("POPULATION_SMALL", "vms", "")])]
)
def test_fewer_rows_than_the_policy_expects_are_a_gap(rows: int, expected: list[tuple[str, str, str]]) -> None:
    policy = a_policy(min_population=2)
    assert codes(census(an_answer([a_row()] * rows, answered=BOTH), policy=policy, rows=rows)) == expected


def test_a_small_population_is_not_blamed_where_something_was_not_seen() -> None:
    found = census(an_answer(answered=frozenset({"s1"})), policy=a_policy(min_population=2))
    assert codes(found) == [("SCOPE_MISSING", "vms", "s2")]


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (timedelta(0), None),
        (timedelta(hours=24), None),
        (timedelta(hours=24, seconds=1), "older than 24 hours"),
        (timedelta(minutes=-5), None),
        (timedelta(minutes=-5, seconds=-1), "lies in the future"),
    ],
)
def test_an_old_or_future_snapshot_is_stale(age: timedelta, words: str | None) -> None:
    freshness = Freshness(collected_at=NOW - age, now=NOW, max_age=timedelta(hours=24))
    found = census(an_answer(answered=BOTH), freshness=freshness)
    assert codes(found) == ([("STALE", "", "")] if words else [])
    assert not words or words in found[0].text


def test_age_does_not_matter_as_of_the_snapshot_nor_live() -> None:
    old = NOW - timedelta(days=999)
    assert census(an_answer(answered=BOTH), freshness=Freshness(collected_at=old, now=NOW, max_age=None)) == ()
    assert census(an_answer(answered=BOTH), freshness=Freshness(collected_at=None, now=NOW, max_age=timedelta(0))) == ()


@pytest.mark.parametrize(
    ("stop", "words"), [(KeyboardInterrupt(), "an interruption"), (ValueError(), "an error inside arguard")]
)
def test_a_policy_that_was_not_finished_when_the_scan_ended_says_so(stop: BaseException, words: str) -> None:
    found = census(an_answer(answered=BOTH), stopped=stop, finished=False)
    assert [(gap.reason, gap.text) for gap in found] == [(Reason.FAILED, f"{words} ended the scan before this policy was done")]
    assert census(an_answer(answered=BOTH), stopped=stop, finished=True) == ()


def test_gaps_are_sorted() -> None:
    answer = an_answer(answered=frozenset(), gaps=(a_gap(Reason.TIMEOUT, "s2"), a_gap(Reason.DENIED, "s1")))
    assert codes(census(answer, policy=a_policy(attach=(one_of("arm_locks"),)))) == [
        ("DENIED", "vms", "s1"),
        ("FAILED", "arm_locks", ""),
        ("TIMEOUT", "vms", "s2"),
    ]


def test_the_ledger_shows_queries_then_side_tables_each_by_name() -> None:
    ledger = Ledger()
    for answer in (an_answer(table="arm_locks"), an_answer(table="vms", answered=BOTH), an_answer([a_row()], table="disks")):
        assert ledger.note(answer) is answer
    assert ledger.entries() == (
        LedgerEntry(table="disks", digest="digest-disks", answered=("s1",), rows=1),
        LedgerEntry(table="vms", digest="digest-vms", answered=("s1", "s2"), rows=0),
        LedgerEntry(table="arm_locks", answered=("s1",), rows=0),
    )


# Shape drift: a required path that no row has.

HOLE = "status.agent_code is missing or null"


def drift(*verdicts: tuple[Verdict, Reason | None, str], waived: bool = False, finished: bool = True) -> tuple[Gap, ...]:
    """The shape gaps of a policy whose rows ended so; each reading of the findings is noted in `READ`."""
    asked = an_asked(a_policy())
    ledger = Ledger()
    if finished:
        ledger.finish([asked])
    resource = Resource(id=VM, display_id=VM, name="a", type="t", subscription="s1", resource_group="rg", location="westeurope")
    mark = WaiverMark(id="W-1", owner="o", reason="r", expires="2027-01-01") if waived else None
    findings = [
        Finding(
            policy="ABK001",
            resource=resource,
            verdict=verdict,
            reason=reason,
            severity=Severity.HIGH,
            message=message,
            waiver=mark,
        )
        for verdict, reason, message in verdicts
    ]
    counts = count(findings, asked.info, Options())

    def read() -> Iterator[Finding]:
        READ.append(len(findings))
        yield from findings

    READ.clear()
    return shape_gaps(asked, ledger, counts, read())


READ: list[int] = []
MISSING = (Verdict.UNKNOWN, Reason.MISSING, HOLE)
APART = (Verdict.NOT_APPLICABLE, None, "the VM is not running")


@pytest.mark.parametrize("rows", [[MISSING], [MISSING, MISSING], [APART, MISSING, APART]])
def test_a_path_that_is_missing_in_every_row_that_was_to_be_decided_is_shape_drift(rows: list[Any]) -> None:
    assert drift(*rows) == (Gap(reason=Reason.SHAPE_DRIFT, table="vms", text=f"{HOLE}, in every row"),)


@pytest.mark.parametrize(
    "other",
    [
        (Verdict.UNKNOWN, Reason.MISSING, "name is missing or null"),
        (Verdict.UNKNOWN, Reason.EVAL_ERROR, HOLE),
        (Verdict.UNKNOWN, Reason.DUPLICATE, "several rows"),
    ],
)
def test_rows_that_lack_different_things_are_no_shape_drift(other: tuple[Verdict, Reason, str]) -> None:
    assert drift(MISSING, other) == ()
    assert drift(other, MISSING, MISSING) == ()


def test_rows_that_were_undecided_for_another_reason_are_no_shape_drift() -> None:
    assert drift((Verdict.UNKNOWN, Reason.EVAL_ERROR, HOLE)) == ()


def test_a_waived_row_says_nothing_about_the_shape() -> None:
    assert drift(MISSING, waived=True) == ()


@pytest.mark.parametrize("other", [(Verdict.PASS, None, ""), (Verdict.FAIL, None, "bad")])
def test_one_decided_row_proves_the_shape_and_no_finding_is_read_again(other: tuple[Verdict, None, str]) -> None:
    assert drift(MISSING, other) == ()
    assert READ == []


@pytest.mark.parametrize(("rows", "finished"), [([], True), ([APART], True), ([MISSING], False)])
def test_findings_are_not_read_again_where_nothing_can_come_of_it(rows: list[Any], *, finished: bool) -> None:
    assert drift(*rows, finished=finished) == ()
    assert READ == []
