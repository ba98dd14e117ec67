from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.gate import PRECEDENCE, count, decide, strongest, weigh
from scanner.model import (
    Counts,
    Decision,
    Finding,
    Gap,
    Json,
    Options,
    PolicyResult,
    Reason,
    Resource,
    Scope,
    Severity,
    Verdict,
    WaiverMark,
)
from scanner.model.weight import blocks, could_block
from tests.conftest import a_gap, an_info

SCOPE = Scope(kind="proven", expected=("s1",))
EMPTY = Scope(kind="discovered", expected=())
WAIVER = WaiverMark(id="w", owner="o", reason="r", expires="2027-01-01")
RESOURCE = Resource(id="/x", display_id="/x", name="x", type="t", subscription="s1", resource_group="rg", location="")
BLOCKING = Counts(failed=1, blocking=1)
HIDING = Counts(unknown=1, hiding=1)


class Terminated(KeyboardInterrupt):
    exit_code = 143


def finding(verdict: Verdict = Verdict.FAIL, **changes: Any) -> Finding:
    fields = {"policy": "P1", "resource": RESOURCE, "severity": Severity.HIGH, **changes}
    return Finding(verdict=verdict, **fields)


def result(counts: Counts | None = None, *gaps: Gap, waits_for: tuple[str, ...] = ()) -> PolicyResult:
    return PolicyResult(info=an_info(), counts=counts or Counts(passed=1), gaps=gaps, waits_for=waits_for)


def decision(*results: PolicyResult, scope: Scope = SCOPE, stopped: BaseException | None = None, **options: Any) -> Decision:
    return decide(results, scope, Options(**options), stopped)


@pytest.mark.parametrize(("strong", "weak"), list(combinations([130, 143, 2, 70, 4, 1, 3, 0], 2)))
def test_of_two_exit_codes_the_graver_wins(strong: int, weak: int) -> None:
    assert strongest([strong, weak]) == strongest([weak, strong]) == strong


def test_every_exit_code_has_a_place() -> None:
    assert sorted(PRECEDENCE) == [0, 1, 2, 3, 4, 70, 130, 143]


@pytest.mark.parametrize("severity", list(Severity))
@pytest.mark.parametrize("fail_on", list(Severity))
def test_a_fail_at_or_above_fail_on_blocks(severity: Severity, fail_on: Severity) -> None:
    assert blocks(finding(severity=severity), Options(fail_on=fail_on)) is (severity >= fail_on)


def test_the_default_is_high() -> None:
    assert blocks(finding(severity=Severity.HIGH), Options())
    assert not blocks(finding(severity=Severity.MEDIUM), Options())


@pytest.mark.parametrize("changes", [{"waiver": WAIVER}, {"known": True}, {"waiver": WAIVER, "known": False}])
def test_a_waived_or_known_finding_does_not_block(changes: dict[str, Any]) -> None:
    assert not blocks(finding(**changes), Options())


def test_a_new_finding_blocks() -> None:
    assert blocks(finding(known=False), Options())


@pytest.mark.parametrize("verdict", [Verdict.PASS, Verdict.UNKNOWN, Verdict.NOT_APPLICABLE])
def test_only_fails_block(verdict: Verdict) -> None:
    assert not blocks(finding(verdict, severity=Severity.CRITICAL), Options())


def test_with_fail_on_never_nothing_blocks_and_nothing_counts() -> None:
    never = Options(fail_on=None)
    info = an_info(severity=Severity.CRITICAL)
    assert not blocks(finding(severity=Severity.CRITICAL), never)
    assert not could_block(info, never)
    assert count([finding(Verdict.UNKNOWN), finding()], info, never) == Counts(failed=1, unknown=1)
    assert decision(result(Counts(failed=9, unknown=9)), fail_on=None).exit_code == 0


def test_what_was_not_seen_counts_by_the_highest_severity_that_the_policy_can_have() -> None:
    info = an_info(severity=Severity.LOW, highest=Severity.HIGH)
    assert could_block(info, Options(fail_on=Severity.HIGH))
    assert not could_block(info, Options(fail_on=Severity.CRITICAL))


def test_counts_and_marks() -> None:
    findings = [
        finding(Verdict.PASS),
        finding(Verdict.NOT_APPLICABLE),
        finding(),
        finding(severity=Severity.LOW),
        finding(waiver=WAIVER),
        finding(known=True),
        finding(Verdict.UNKNOWN),
        finding(Verdict.UNKNOWN, waiver=WAIVER),
    ]
    expected = Counts(passed=1, failed=4, unknown=2, not_applicable=1, waived=2, known=1, blocking=1, hiding=1)
    assert count(findings, an_info(), Options()) == expected
    assert expected.rows == len(findings)


@pytest.mark.parametrize(
    ("severity", "reason", "hiding"),
    [
        (Severity.HIGH, Reason.MISSING, 1),
        (Severity.LOW, Reason.MISSING, 0),
        (Severity.LOW, Reason.DUPLICATE, 1),
    ],
)
def test_an_unknown_hides_what_its_own_severity_could_block(severity: Severity, reason: Reason, hiding: int) -> None:
    unknown = finding(Verdict.UNKNOWN, severity=severity, reason=reason)
    assert count([unknown], an_info(severity=Severity.HIGH), Options()) == Counts(unknown=1, hiding=hiding)


def test_an_unknown_that_the_baseline_knows_still_hides_what_it_hides() -> None:
    assert count([finding(Verdict.UNKNOWN, known=True)], an_info(), Options()).hiding == 1


def test_gaps_below_fail_on_are_reported_and_do_not_count() -> None:
    low = an_info(severity=Severity.LOW)
    (gap,) = weigh([a_gap(Reason.DENIED)], low, Options())
    assert not gap.counts
    assert decision(result(Counts(passed=1), gap)) == Decision(exit_code=0, complete=True, reasons=(FINE,))
    (gap,) = weigh([a_gap(Reason.DENIED)], low, Options(fail_on=Severity.LOW))
    assert gap.counts
    assert decision(result(Counts(passed=1), gap)).exit_code == 3


FINE = "nothing blocks and nothing that counts is missing"


def test_a_healthy_estate_is_green() -> None:
    assert decision(result(), result(Counts(not_applicable=3))) == Decision(exit_code=0, complete=True, reasons=(FINE,))


def test_unknown_rows_that_could_not_change_the_decision_do_not_turn_it_red() -> None:
    assert decision(result(Counts(unknown=5))) == Decision(exit_code=0, complete=True, reasons=(FINE,))


def test_a_proven_nothing_is_green_and_says_that_there_was_nothing_to_judge() -> None:
    found = decision(result(Counts()), result(Counts(), waits_for=("evidence",)))
    assert found.exit_code == 0
    assert found.reasons == ("there was nothing to judge: every population is proven empty",)
    assert decision(result(Counts()), result()).reasons == (FINE,)


@pytest.mark.parametrize(
    ("number", "words"), [(1, "1 blocking finding at or above high"), (2, "2 blocking findings at or above high")]
)
def test_blocking_findings_exit_with_one(number: int, words: str) -> None:
    found = decision(result(Counts(failed=9, blocking=number)))
    assert found == Decision(exit_code=1, complete=True, reasons=(words,))


@pytest.mark.parametrize(("number", "words"), [(1, "1 row was not decided"), (2, "2 rows were not decided")])
def test_rows_that_could_hide_a_blocking_finding_exit_with_three(number: int, words: str) -> None:
    found = decision(result(Counts(unknown=9, hiding=number)))
    assert (found.exit_code, found.complete) == (3, False)
    assert found.reasons == (f"{words} and could hide a blocking finding",)


def test_gaps_exit_with_three_and_are_named_once() -> None:
    gaps = a_gap(Reason.TIMEOUT), a_gap(Reason.DENIED, "s2"), a_gap(Reason.DENIED, "s1")
    assert decision(result(None, *gaps)).reasons == ("1 policy did not see everything (DENIED, TIMEOUT)",)
    found = decision(result(None, *gaps), result(None, gaps[1]))
    assert (found.exit_code, found.complete) == (3, False)
    assert found.reasons == ("2 policies did not see everything (DENIED, TIMEOUT)",)


def test_a_blocking_finding_beats_incompleteness_and_the_result_says_that_it_is_incomplete() -> None:
    found = decision(result(BLOCKING), result(HIDING))
    assert (found.exit_code, found.complete, len(found.reasons)) == (1, False, 2)


@pytest.mark.parametrize("fail_on", [Severity.HIGH, None])
@pytest.mark.parametrize("allow", [True, False])
def test_a_scan_in_which_no_policy_was_asked_always_counts(fail_on: Severity | None, allow: Json) -> None:
    for results in ((), (result(Counts(), waits_for=("evidence",)),)):
        found = decision(*results, fail_on=fail_on, allow_incomplete=allow)
        assert (found.exit_code, found.complete, found.reasons) == (3, False, ("no policy was asked",))


@pytest.mark.parametrize("fail_on", [Severity.HIGH, None])
@pytest.mark.parametrize("allow", [True, False])
def test_an_empty_scope_always_counts(fail_on: Severity | None, allow: Json) -> None:
    found = decision(result(Counts()), scope=EMPTY, fail_on=fail_on, allow_incomplete=allow)
    assert (found.exit_code, found.complete, found.reasons) == (3, False, ("the scope holds no subscription",))


def test_allow_incomplete_lowers_three_to_zero_loudly() -> None:
    found = decision(result(HIDING), allow_incomplete=True)
    assert (found.exit_code, found.complete) == (0, False)
    assert found.reasons[-1] == "--allow-incomplete: what is missing was accepted on the command line"
    assert decision(result(), allow_incomplete=True).reasons == (FINE,)


def test_allow_incomplete_lowers_nothing_else() -> None:
    assert decision(result(BLOCKING), result(HIDING), allow_incomplete=True).exit_code == 1
    assert decision(result(HIDING), stopped=ValueError(), allow_incomplete=True).exit_code == 70
    assert decision(result(HIDING), stopped=KeyboardInterrupt(), allow_incomplete=True).exit_code == 130


@pytest.mark.parametrize(
    ("stopped", "code", "words"),
    [
        (KeyboardInterrupt(), 130, "the scan was interrupted"),
        (Terminated(), 143, "the scan was interrupted"),
        (ValueError("boom"), 70, "an error inside arguard ended the scan"),
    ],
)
@pytest.mark.parametrize("counts", [Counts(), BLOCKING, HIDING])
def test_a_scan_that_ended_early_is_never_complete(stopped: BaseException, code: int, words: str, counts: Counts) -> None:
    found = decision(result(counts), stopped=stopped)
    assert (found.exit_code, found.complete, found.reasons[0]) == (code, False, words)


results = st.lists(
    st.builds(
        lambda failed, unknown, gap, waits: result(
            Counts(failed=failed, blocking=failed, unknown=unknown, hiding=unknown),
            *([a_gap(Reason.DENIED)] if gap else []),
            waits_for=waits,
        ),
        st.integers(0, 2),
        st.integers(0, 2),
        st.booleans(),
        st.sampled_from([(), (), ("evidence",)]),
    ),
    max_size=4,
)


@given(results, st.sampled_from([SCOPE, EMPTY]), st.booleans())
def test_exit_zero_means_that_nothing_blocks_and_nothing_that_counts_is_missing(
    found: list[PolicyResult], scope: Scope, allow: Json
) -> None:
    whole = decision(*found, scope=scope, allow_incomplete=allow)
    blocking = any(one.counts.blocking for one in found)
    empty = not scope.expected or not any(one.asked for one in found)
    missing = any(one.gaps or one.counts.hiding for one in found)
    assert whole.exit_code == (1 if blocking else 3 if empty or (missing and not allow) else 0)
    assert whole.complete is not (empty or missing)
    assert whole.reasons
    assert all(whole.reasons)
