from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner.errors import MissingExtraError
from scanner.model import (
    Finding,
    Gap,
    Json,
    Options,
    Outcome,
    PolicyResult,
    Reason,
    Row,
    ScanResult,
    Scope,
    Severity,
    Trace,
    Verdict,
)
from scanner.policy import Attach, Policy
from scanner.scan import scan
from scanner.store import VerdictStore
from tests.conftest import NOW, MemorySource, a_gap, a_job, a_policy, a_query, a_row, an_answer, an_info, one_of, vm

TWO = Scope(kind="proven", expected=("s1", "s2"))
BOTH = frozenset({"s1", "s2"})


def run(
    source: MemorySource, *policies: Policy, options: Options | None = None, **changes: Any
) -> tuple[ScanResult, list[Finding]]:
    with TemporaryDirectory() as folder, VerdictStore(Path(folder)) as store:
        result = scan(a_job(source, *policies, options=options, **changes), source, store)
        return result, [finding for one in result.policies for finding in result.findings.of(one.info.id)]


def by_id(result: ScanResult) -> dict[str, PolicyResult]:
    return {one.info.id: one for one in result.policies}


def test_a_healthy_estate_is_compliant_and_green() -> None:
    result, findings = run(MemorySource(answers={"vms": an_answer([a_row()])}), a_policy())
    assert (result.decision.exit_code, result.decision.complete) == (0, True)
    assert [one.verdict for one in findings] == [Verdict.PASS]
    assert by_id(result)["ABK001"].outcome is Outcome.COMPLIANT


def test_a_violation_is_one() -> None:
    result, _ = run(MemorySource(answers={"vms": an_answer([a_row(ok=False), a_row(id=vm("b"))])}), a_policy())
    assert result.decision.exit_code == 1
    assert by_id(result)["ABK001"].outcome is Outcome.VIOLATIONS


def test_a_proven_zero_is_none_and_green() -> None:
    result, _ = run(MemorySource(answers={"vms": an_answer()}), a_policy())
    assert (result.decision.exit_code, by_id(result)["ABK001"].outcome) == (0, Outcome.NONE)
    assert "nothing to judge" in result.decision.reasons[0]


def test_an_unproven_zero_is_incomplete() -> None:
    result, _ = run(MemorySource(), a_policy())
    assert (result.decision.exit_code, by_id(result)["ABK001"].outcome) == (3, Outcome.INCOMPLETE)


def test_an_empty_scope_is_incomplete_even_where_that_is_allowed() -> None:
    source = MemorySource(scope=Scope(kind="discovered", expected=()), answers={"vms": an_answer(answered=frozenset())})
    result, _ = run(source, a_policy(), options=Options(allow_incomplete=True))
    assert result.decision.exit_code == 3


def test_no_verdict_but_not_applicable_is_not_compliant_but_green() -> None:
    result, _ = run(MemorySource(answers={"vms": an_answer([a_row()])}), a_policy(applies="ok == `false`"))
    assert (result.decision.exit_code, by_id(result)["ABK001"].outcome) == (0, Outcome.NOT_APPLICABLE)


def test_policies_that_wait_are_not_asked_and_never_a_gap() -> None:
    result, _ = run(
        MemorySource(answers={"vms": an_answer([a_row()])}), a_policy("ABK002", needs=("evidence",)), a_policy("ABK003")
    )
    waiting = by_id(result)["ABK002"]
    assert (waiting.outcome, waiting.gaps, waiting.waits_for) == (Outcome.NOT_ASKED, (), ("evidence",))
    assert result.decision.exit_code == 0


def test_nothing_asked_is_three() -> None:
    result, _ = run(MemorySource(), a_policy(needs=("evidence",)))
    assert (result.decision.exit_code, result.decision.reasons) == (3, ("no policy was asked",))


def test_results_are_in_order_of_id_whatever_the_plan() -> None:
    policies = [
        a_policy("ABK003"),
        a_policy("ABK002", query=a_query("disks"), needs=("evidence",)),
        a_policy("ABK001", query=a_query("disks")),
    ]
    result, _ = run(MemorySource(answers={"vms": an_answer(), "disks": an_answer(table="disks")}), *policies)
    assert list(by_id(result)) == ["ABK001", "ABK002", "ABK003"]


def test_every_question_is_asked_once() -> None:
    jobs = Attach(name="jobs", source="jobs", how="many", on=(("vm", "id"),), query=a_query("jobs"))
    locks = one_of("arm_locks")
    source = MemorySource(answers={name: an_answer(table=name) for name in ("vms", "jobs", "arm_locks")})
    policies = [
        a_policy("ABK001", attach=(locks, jobs)),
        a_policy("ABK002", attach=(locks,)),
        a_policy("ABK003", query=a_query("jobs")),
    ]
    result, _ = run(source, *policies)
    assert sorted(source.asked) == ["arm_locks", "jobs", "vms"]
    assert [(entry.table, entry.rows) for entry in result.ledger] == [("jobs", 0), ("vms", 0), ("arm_locks", 0)]
    assert result.decision.exit_code == 0


def test_trouble_with_one_query_leaves_the_other_policies_alone() -> None:
    policies = a_policy("ABK001"), a_policy("ABK002", query=a_query("disks"))
    bad = an_answer(answered=frozenset(), gaps=(a_gap(Reason.TIMEOUT),))
    result, _ = run(MemorySource(answers={"vms": bad, "disks": an_answer([a_row()], "disks")}), *policies)
    assert by_id(result)["ABK001"].outcome is Outcome.INCOMPLETE
    assert by_id(result)["ABK002"].outcome is Outcome.COMPLIANT
    assert result.decision.exit_code == 3


def test_a_gap_below_fail_on_is_shown_and_changes_nothing() -> None:
    low = a_policy(info=an_info(severity=Severity.LOW))
    bad = an_answer(answered=frozenset(), gaps=(a_gap(Reason.TIMEOUT),))
    result, _ = run(MemorySource(answers={"vms": bad}), low)
    assert [(gap.reason, gap.counts) for gap in by_id(result)["ABK001"].gaps] == [(Reason.TIMEOUT, False)]
    assert (result.decision.exit_code, result.decision.complete) == (0, True)


def test_a_row_seen_twice_is_two_unknowns_and_no_pass() -> None:
    result, findings = run(
        MemorySource(answers={"vms": an_answer([a_row(), a_row(id=vm("web01", "RG1").upper())])}), a_policy()
    )
    assert [(one.verdict, one.reason) for one in findings] == [(Verdict.UNKNOWN, Reason.DUPLICATE)] * 2
    assert result.decision.exit_code == 3


def test_a_page_that_got_lost_is_noticed() -> None:
    result, _ = run(MemorySource(answers={"vms": replace(an_answer([a_row()]), rows=2)}), a_policy())
    assert [gap.reason for gap in by_id(result)["ABK001"].gaps] == [Reason.UNSTABLE]
    assert result.decision.exit_code == 3


OLD = NOW - timedelta(hours=25)


def test_an_old_snapshot_is_stale_for_every_policy_unless_judged_as_of_itself() -> None:
    source = MemorySource(answers={"vms": an_answer([a_row()])}, collected_at=OLD)
    result, _ = run(source, a_policy("ABK001"), a_policy("ABK002"))
    assert [[gap.reason for gap in one.gaps] for one in result.policies] == [[Reason.STALE]] * 2
    assert run(source, a_policy(), options=Options(max_age_hours=26.0))[0].decision.exit_code == 0
    assert run(source, a_policy(), options=Options(as_of="snapshot"), as_of=OLD)[0].decision.exit_code == 0


def pages_then(stop: BaseException, *rows: Row) -> Any:
    def pages() -> Iterator[Sequence[Row]]:
        yield list(rows)
        raise stop

    return pages


@pytest.mark.parametrize(("stop", "code"), [(KeyboardInterrupt(), 130), (ValueError("bug"), 70), (MemoryError(), 70)])
def test_a_scan_that_ends_early_keeps_what_it_had_and_marks_what_was_not_finished(stop: BaseException, code: int) -> None:
    answers = {
        "a": an_answer([a_row()], "a"),
        "b": an_answer([a_row(ok=False)], "b", pages=pages_then(stop, a_row(ok=False))),
        "c": an_answer([a_row()], "c"),
    }
    source = MemorySource(answers=answers)
    result, findings = run(source, *(a_policy(f"ABK00{number}", query=a_query(name)) for number, name in enumerate("abc")))
    assert (result.decision.exit_code, result.decision.complete) == (code, False)
    assert [(one.policy, one.verdict) for one in findings] == [("ABK000", Verdict.PASS), ("ABK001", Verdict.FAIL)]
    done, broken, never = result.policies
    assert (done.outcome, done.gaps) == (Outcome.COMPLIANT, ())
    assert {gap.reason for gap in broken.gaps} == {Reason.FAILED}
    assert (never.outcome, [gap.text for gap in never.gaps][-1]) == (Outcome.INCOMPLETE, "was not asked")
    assert source.asked == ["a", "b"]


class Terminated(KeyboardInterrupt):
    exit_code = 143


@pytest.mark.parametrize(("stop", "code"), [(KeyboardInterrupt(), 130), (Terminated(), 143)])
def test_what_was_collected_before_an_interruption_is_judged_and_marked(stop: BaseException, code: int) -> None:
    lost = an_answer(table="b", answered=frozenset(), gaps=(a_gap(Reason.FAILED, table="b"),))
    source = MemorySource(answers={"a": an_answer([a_row(ok=False)], "a"), "b": lost})
    policies = [a_policy("ABK001", query=a_query("a")), a_policy("ABK002", query=a_query("b"))]
    with TemporaryDirectory() as folder, VerdictStore(Path(folder)) as store:
        result = scan(replace(a_job(source, *policies), stopped=stop), source, store)
    assert (result.decision.exit_code, result.decision.complete) == (code, False)
    assert [(one.outcome, len(one.gaps)) for one in result.policies] == [(Outcome.VIOLATIONS, 0), (Outcome.INCOMPLETE, 1)]


def test_a_bug_after_an_interruption_does_not_hide_it() -> None:
    source = MemorySource(answers={"vms": an_answer([a_row()], pages=pages_then(ValueError("bug"), a_row()))})
    with TemporaryDirectory() as folder, VerdictStore(Path(folder)) as store:
        result = scan(replace(a_job(source, a_policy()), stopped=KeyboardInterrupt()), source, store)
    assert result.decision.exit_code == 130
    assert [gap.reason for gap in result.policies[0].gaps] == [Reason.FAILED]


def test_a_column_that_no_row_has_any_more_is_shape_drift() -> None:
    rows = [{"id": vm(name), "name": name} for name in "ab"]
    result, findings = run(MemorySource(answers={"vms": an_answer(rows)}), a_policy())
    assert [(gap.reason, gap.text, gap.counts) for gap in result.policies[0].gaps] == [
        (Reason.SHAPE_DRIFT, "ok is missing or null, in every row", True)
    ]
    assert [one.reason for one in findings] == [Reason.MISSING] * 2
    assert result.decision.exit_code == 3


def test_the_requests_of_a_live_scan_are_passed_on() -> None:
    trace = (Trace(method="GET", route="locks", attempts=1, status=200, request_id="r-1", ms=12),)
    source = MemorySource(answers={"vms": an_answer([a_row()])})
    with TemporaryDirectory() as folder, VerdictStore(Path(folder)) as store:
        assert scan(replace(a_job(source, a_policy()), trace=trace), source, store).trace == trace


def test_a_missing_extra_is_bad_input_and_not_a_bug() -> None:
    answer = an_answer(pages=pages_then(MissingExtraError("Running a query", "offline")))
    with pytest.raises(MissingExtraError):
        run(MemorySource(answers={"vms": answer}), a_policy())


GOOD = {"id": vm("a"), "name": "a", "ok": True}
SIDE = {"id": vm("a"), "properties": {"instanceView": {"osName": "New"}}}
POLICY = a_policy(assertion="ok && side.os_name != 'Old'", attach=(one_of("arm_vm_status"),))


def world(**changes: Any) -> MemorySource:
    """Two subscriptions in which everything was seen; `changes` take something away or make it bad."""
    rows = [{**GOOD, **changes.get("row", {})}, {**GOOD, "id": vm("b", subscription="s2")}]
    sides = [replace_in(SIDE, changes.get("system", "New")), {**SIDE, "id": vm("b", subscription="s2")}]
    population = an_answer(rows, answered=changes.get("answered", BOTH), gaps=changes.get("gaps", ()))
    side = an_answer(sides, "arm_vm_status", answered=changes.get("side_answered", BOTH), gaps=changes.get("side_gaps", ()))
    return MemorySource(answers={"vms": population, "arm_vm_status": side}, scope=TWO)


def replace_in(side: Json, system: Json) -> Json:
    return {**side, "properties": {"instanceView": {"osName": system}}}


def test_the_whole_world_is_green() -> None:
    assert run(world(), POLICY)[0].decision.exit_code == 0


subsets = st.sampled_from([frozenset(), frozenset({"s1"}), frozenset({"s2"}), BOTH])
some_gaps: st.SearchStrategy[tuple[Gap, ...]] = st.lists(
    st.builds(a_gap, st.sampled_from(list(Reason)), st.sampled_from(["", "s1", "s2"])), max_size=2
).map(tuple)
taken = st.fixed_dictionaries(
    {},
    optional={
        "answered": subsets,
        "side_answered": subsets,
        "gaps": some_gaps,
        "side_gaps": some_gaps,
        "row": st.sampled_from([{}, {"ok": None}, {"ok": "true"}, {"ok": 1}, {"id": None}, {"id": "odd"}, {"id": vm("c")}]),
        "system": st.sampled_from(["New", None, 5, {}, ["New"]]),
    },
)


@settings(deadline=None, max_examples=250)
@given(taken, st.booleans())
def test_taking_knowledge_away_never_makes_a_pass_nor_exit_zero(changes: dict[str, Any], bad: Json) -> None:
    row = {"ok": False, **changes.get("row", {})} if bad else changes.get("row", {})
    changed = {**changes, "row": row}
    result, findings = run(world(**changed), POLICY)
    lessened = any(
        [
            changes.get("answered", BOTH) != BOTH,
            changes.get("side_answered", BOTH) != BOTH,
            changes.get("gaps"),
            changes.get("side_gaps"),
            changes.get("row"),
            changes.get("system", "New") != "New",
        ]
    )
    if lessened:
        # A row that fails whatever the rest says may still be the whole truth.
        assert result.decision.exit_code == 3 or (bad and result.decision.exit_code == 1)
        assert not (result.decision.complete and not bad)
    else:
        assert result.decision.exit_code == (1 if bad else 0)
    assert len(findings) == 2
    silent = (BOTH - changes.get("answered", BOTH)) | (BOTH - changes.get("side_answered", BOTH))
    for finding in findings:
        assert finding.verdict is not Verdict.PASS or finding.resource.subscription not in silent
    lost = bad or changes.get("row") or changes.get("system", "New") != "New"
    assert not (lost and any(one.verdict is Verdict.PASS and one.resource.subscription != "s2" for one in findings))


def test_allow_incomplete_lowers_a_lessened_world_to_zero_and_says_so() -> None:
    source = world(answered=frozenset({"s1"}))
    result, _ = run(source, POLICY, options=Options(allow_incomplete=True))
    assert (result.decision.exit_code, result.decision.complete) == (0, False)
    assert "--allow-incomplete" in result.decision.reasons[-1]


def test_the_result_carries_the_run_and_its_ledger() -> None:
    source = MemorySource(answers={"vms": an_answer([a_row()])})
    job = a_job(source, a_policy())
    with TemporaryDirectory() as folder, VerdictStore(Path(folder)) as store:
        result = scan(job, source, store)
        assert result.info is job.info
        assert [(entry.table, entry.digest, entry.answered, entry.rows) for entry in result.ledger] == [
            ("vms", "digest-vms", ("s1",), 1)
        ]
