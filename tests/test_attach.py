from __future__ import annotations

from datetime import timedelta

import pytest

from scanner.model import Finding, Json, Reason, Verdict
from scanner.policy import Attach, MaxAge
from tests.conftest import NOW, VM, a_gap, a_policy, a_query, a_row, an_answer, judge, one_of, vm

RG = "/subscriptions/s1/resourceGroups/rg1"
LOCKS = "/providers/Microsoft.Authorization/locks"
DOCUMENT: dict[str, Json] = {"id": VM.upper(), "collected_at": "2026-11-20T05:00:00Z", "checks": {"a": {"status": "pass"}}}


def lock(scope: str, name: str = "l", **properties: Json) -> dict[str, Json]:
    return {"id": f"{scope}{LOCKS}/{name}", "name": name, "properties": {"level": "ReadOnly", **properties}}


def relations(covering: Json, *locks: Json) -> list[tuple[str, str]]:
    """What a row that is covered by some locks sees of them: name and relation, in order."""
    policy = a_policy(assertion="length(locks) == `-1`", message="{locks}", attach=(COVER,))
    finding = judge(policy, a_row(scope=covering), {"arm_locks": an_answer(locks, "arm_locks")})
    assert finding.verdict is Verdict.FAIL, finding.message
    return [(item["name"], item["relation"]) for item in finding.evidence["locks"]]


COVER = Attach(name="locks", source="arm_locks", how="covering", covering="scope")


def test_locks_at_above_and_below_an_id_are_told_apart() -> None:
    found = relations(
        RG, lock("/subscriptions/S1", "sub"), lock(RG.upper(), "group"), lock(VM, "vm"), lock(vm("x", "rg2"), "other")
    )
    assert found == [("sub", "above"), ("group", "at"), ("vm", "below")]


@pytest.mark.parametrize("other", [RG + "0", RG + "-prod", RG[:-1], "/subscriptions/s10", "/subscriptions/s", RG + "/../rg2"])
def test_a_common_prefix_is_no_relation(other: str) -> None:
    expected = [("l", "below")] if other.startswith(RG + "/") else []
    assert relations(RG, lock(other)) == expected


def test_a_group_whose_name_goes_on_does_not_hide_what_lies_below() -> None:
    assert relations(RG, lock(RG + "!"), lock(RG + "-1"), lock(RG + "/providers/x/y/z"), lock(RG + "0")) == [("l", "below")]


@pytest.mark.parametrize("spelling", [RG + "/", RG.upper(), f" {RG}//"])
def test_covering_ids_match_in_canonical_form(spelling: str) -> None:
    assert relations(spelling, lock(RG)) == [("l", "at")]


def test_a_lock_that_does_not_say_what_it_is_on_could_be_on_everything() -> None:
    assert relations(RG, {"id": "/subscriptions/s1/mine", "name": "odd"}) == [("odd", "above")]


def test_attached_lists_are_sorted_whatever_the_order_of_arrival() -> None:
    items = [lock(RG, "b", notes="2"), lock(RG, "a"), lock(RG, "b", notes="1")]
    assert relations(RG, *items) == relations(RG, *reversed(items)) == [("a", "at"), ("b", "at"), ("b", "at")]


def test_no_lock_is_an_empty_list_and_a_fact() -> None:
    assert relations(RG) == []


@pytest.mark.parametrize("covering", [None, 5, "rg1", "", ["x"]])
def test_a_row_without_an_arm_id_to_cover_is_not_unlocked(covering: Json) -> None:
    policy = a_policy(assertion="length(locks) == `0`", attach=(COVER,))
    finding = judge(policy, a_row(scope=covering), {"arm_locks": an_answer((), "arm_locks")})
    assert (finding.verdict, finding.reason, finding.message) == (Verdict.UNKNOWN, Reason.MISSING, "locks is missing or null")


STATUS = one_of("arm_vm_status")


def with_status(row: Json, *items: Json, **answer: Json) -> Finding:
    policy = a_policy(assertion="side.os_name == 'Ubuntu'", attach=(STATUS,))
    return judge(policy, row, {"arm_vm_status": an_answer(items, "arm_vm_status", **answer)})


def machine(name: str = VM, system: str = "Ubuntu") -> dict[str, Json]:
    return {"id": name, "properties": {"instanceView": {"osName": system}}}


def test_one_object_is_matched_on_canonical_ids() -> None:
    assert with_status(a_row(), machine(VM.upper() + "/"), machine(vm("other"), "x")).verdict is Verdict.PASS


def test_two_objects_where_one_is_expected_are_ambiguous() -> None:
    finding = with_status(a_row(), machine(), machine(VM.lower()))
    assert (finding.verdict, finding.reason) == (Verdict.UNKNOWN, Reason.AMBIGUOUS)


def test_no_object_is_null_and_so_whatever_reads_it_is_missing() -> None:
    finding = with_status(a_row(), machine(vm("other")))
    assert (finding.reason, finding.message) == (Reason.MISSING, "side is missing or null")


@pytest.mark.parametrize("key", [None, 5, "", [], ["x", 5], ["x", ""], [["x"]], {"x": "x"}])
def test_a_row_with_nothing_to_match_on_finds_nothing(key: Json) -> None:
    policy = a_policy(assertion="length(side) == `0`", attach=(one_of("arm_vm_status", how="many", on=(("id", "vm"),)),))
    finding = judge(policy, a_row(vm=key), {"arm_vm_status": an_answer((), "arm_vm_status")})
    assert (finding.verdict, finding.reason) == (Verdict.UNKNOWN, Reason.MISSING)


SHARED = Attach(name="disks", source="disks", how="many", on=(("vms", "wanted"),), query=a_query("disks"))


def disks_of(wanted: Json, *disks: Json) -> Json:
    """The names of the disks that a row sees, by a column of each that may hold a list."""
    policy = a_policy(assertion="length(disks) == `-1`", message="{disks}", attach=(SHARED,))
    finding = judge(policy, a_row(wanted=wanted), {"disks": an_answer(disks, "disks")})
    return [item["name"] for item in finding.evidence["disks"]] if finding.verdict is Verdict.FAIL else finding.reason


def disk(name: str, vms: Json) -> dict[str, Json]:
    return {"id": f"{RG}/disks/{name}", "name": name, "vms": vms}


def test_a_list_on_either_side_matches_by_each_of_its_texts() -> None:
    disks = (disk("a", [VM.upper(), vm("other")]), disk("b", vm("other")), disk("c", [vm("third")]))
    assert disks_of(VM, *disks) == ["a"]
    assert disks_of([vm("other")], *disks) == ["a", "b"]
    assert disks_of([VM, vm("third")], *disks) == ["a", "c"]


def test_what_matches_by_several_texts_is_there_once() -> None:
    assert disks_of([VM, vm("other"), VM], disk("a", [VM, vm("other")])) == ["a"]


@pytest.mark.parametrize("vms", [None, [], [VM, 5], {"x": VM}])
def test_an_object_that_is_matched_on_something_else_could_be_any_rows(vms: Json) -> None:
    assert disks_of(VM, disk("a", vms)) == Reason.SIDE_DENIED


@pytest.mark.parametrize("how", ["one", "covering"])
def test_only_many_takes_lists(how: str) -> None:
    spec = COVER if how == "covering" else one_of("arm_vm_status", name="locks", on=(("id", "scope"),))
    policy = a_policy(assertion="locks == `null`", attach=(spec,), optional=("locks",))
    finding = judge(policy, a_row(scope=[VM]), {spec.source: an_answer((), spec.source)})
    assert (finding.verdict, finding.reason) == (Verdict.UNKNOWN, Reason.MISSING)


def test_every_subscription_that_a_list_names_must_have_answered() -> None:
    policy = a_policy(assertion="length(disks) == `0`", attach=(SHARED,))
    finding = judge(policy, a_row(wanted=[VM, vm("x").replace("s1", "s2")]), {"disks": an_answer((), "disks")})
    assert finding.message == "disks did not answer for subscription s2"


def test_where_the_side_source_did_not_answer_the_row_is_unknown_and_says_why() -> None:
    gaps = (a_gap(Reason.TIMEOUT, "s2", "arm_vm_status"), a_gap(Reason.DENIED, "s1", "arm_vm_status"))
    finding = with_status(a_row(), machine(), answered=frozenset({"s2"}), gaps=gaps)
    assert (finding.verdict, finding.reason) == (Verdict.UNKNOWN, Reason.SIDE_DENIED)
    assert finding.message == "arm_vm_status did not answer for subscription s1 (DENIED: 403 AuthorizationFailed)"


def test_a_silent_side_source_without_a_gap_is_unknown_as_well() -> None:
    finding = with_status(a_row(), machine(), answered=frozenset())
    assert finding.message == "arm_vm_status did not answer for subscription s1"


@pytest.mark.parametrize("spec", [COVER, one_of("arm_locks", name="locks", how="many", on=(("scope", "scope"),))])
def test_a_side_source_must_have_answered_where_the_row_is_matched_not_only_where_it_stands(spec: Attach) -> None:
    policy = a_policy(assertion="length(locks) == `0`", attach=(spec,))
    row = a_row(scope="/subscriptions/S2/resourceGroups/rg")
    denied = judge(policy, row, {"arm_locks": an_answer((), "arm_locks")})
    assert (denied.verdict, denied.reason) == (Verdict.UNKNOWN, Reason.SIDE_DENIED)
    both = an_answer((), "arm_locks", answered=frozenset({"s1", "s2"}))
    assert judge(policy, row, {"arm_locks": both}).verdict is Verdict.PASS


POINTS = one_of("arm_restore_points", name="points", how="many", on=(("source_id", "id"),))


def points(*sources: Json, subscription: str = "s1") -> Finding:
    policy = a_policy(assertion="length(points) < `2`", attach=(POINTS,))
    items = [
        {"id": f"/subscriptions/{subscription}/c{number}", "properties": {"source": {"id": source}}}
        for number, source in enumerate(sources)
    ]
    return judge(policy, a_row(), {"arm_restore_points": an_answer(items, "arm_restore_points")})


def test_many_objects_are_a_list() -> None:
    assert points(VM, VM.upper(), vm("other")).verdict is Verdict.FAIL
    assert points(VM, vm("other")).verdict is Verdict.PASS
    assert points().verdict is Verdict.PASS


@pytest.mark.parametrize("lost", [None, 5, {"id": VM}])
def test_an_object_that_lost_what_it_is_matched_on_could_be_any_rows(lost: Json) -> None:
    finding = points(VM, lost)
    assert (finding.verdict, finding.reason) == (Verdict.UNKNOWN, Reason.SIDE_DENIED)
    assert "without what it is matched on" in finding.message


def test_it_could_be_a_row_of_its_own_subscription_only() -> None:
    assert points(VM, None, subscription="s2").verdict is Verdict.PASS


@pytest.mark.parametrize("identity", [None, "", 5, "somewhere"])
def test_an_object_without_an_id_could_be_anywhere(identity: Json) -> None:
    policy = a_policy(assertion="length(points) == `0`", attach=(POINTS,))
    side = an_answer([{"id": identity, "properties": {"source": {"id": None}}}], "arm_restore_points")
    assert judge(policy, a_row(), {"arm_restore_points": side}).reason is Reason.SIDE_DENIED


def test_another_population_is_attached_as_its_rows() -> None:
    spec = Attach(name="jobs", source="newest-jobs", how="many", on=(("vm", "id"),), query=a_query("newest-jobs"))
    rows = [{"id": f"{RG}/j1", "vm": VM.lower(), "status": "Failed"}, {"id": f"{RG}/j0", "vm": VM, "status": "Completed"}]
    policy = a_policy(assertion="length(jobs[?status == 'Failed']) == `0`", message="{jobs[*].status}", attach=(spec,))
    finding = judge(policy, a_row(), {"newest-jobs": an_answer(rows, "newest-jobs")})
    assert (finding.verdict, finding.message) == (Verdict.FAIL, '["Completed","Failed"]')


def test_a_population_called_like_a_side_table_keeps_its_own_columns() -> None:
    spec = one_of("evidence", query=a_query("evidence"))
    finding = judge(
        a_policy(assertion="side.mine", attach=(spec,)), a_row(), {"evidence": an_answer([a_row(mine=True)], "evidence")}
    )
    assert finding.verdict is Verdict.PASS


def proof(collected_at: Json, hours: int | str = 24, **params: Json) -> Finding:
    spec = one_of("evidence", max_age=MaxAge(at="collected_at", hours=hours))
    policy = a_policy(assertion="side.checks.a.status == 'pass'", attach=(spec,))
    return judge(policy, a_row(), {"evidence": an_answer([{**DOCUMENT, "collected_at": collected_at}], "evidence")}, **params)


@pytest.mark.parametrize("age", [timedelta(0), timedelta(hours=1), timedelta(hours=24)])
def test_fresh_side_data_counts(age: timedelta) -> None:
    assert proof((NOW - age).isoformat()).verdict is Verdict.PASS


@pytest.mark.parametrize(
    "age", [timedelta(hours=24, microseconds=1), timedelta(days=9999), timedelta(microseconds=-1), timedelta(days=-1)]
)
def test_old_or_future_side_data_is_unanswered_stale(age: timedelta) -> None:
    finding = proof((NOW - age).isoformat())
    assert (finding.verdict, finding.reason) == (Verdict.UNKNOWN, Reason.STALE)
    assert ("future" in finding.message) is (age < timedelta(0))


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "yesterday",
        5,
        "2026-11-20T05:00:00",
        "2026-11-20",
        [],
        {"at": 1},
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
    ],
)
def test_undated_side_data_is_unanswered_stale(text: Json) -> None:
    finding = proof(text)
    assert (finding.verdict, finding.reason) == (Verdict.UNKNOWN, Reason.STALE)


def test_how_old_side_data_may_be_can_be_a_parameter() -> None:
    two_hours_old = (NOW - timedelta(hours=2)).isoformat()
    assert proof(two_hours_old, "limit", limit=2).verdict is Verdict.PASS
    assert proof(two_hours_old, "limit", limit=1).reason is Reason.STALE
    assert proof(two_hours_old, "limit", limit=10**18).verdict is Verdict.PASS


def test_one_stale_object_of_many_leaves_the_row_unanswered() -> None:
    spec = one_of("evidence", how="many", max_age=MaxAge(at="collected_at", hours=24))
    policy = a_policy(assertion="length(side) >= `0`", attach=(spec,))
    documents = [DOCUMENT, {**DOCUMENT, "collected_at": "2020-01-01T00:00:00Z"}]
    assert judge(policy, a_row(), {"evidence": an_answer(documents, "evidence")}).reason is Reason.STALE
    assert judge(policy, a_row(), {"evidence": an_answer([DOCUMENT, DOCUMENT], "evidence")}).verdict is Verdict.PASS


def test_the_first_trouble_is_the_reason_when_several_side_sources_are_silent() -> None:
    policy = a_policy(assertion="a.os_name == b.os_name", attach=(one_of("arm_vm_status", "a"), one_of("evidence", "b")))
    sides = {
        "arm_vm_status": an_answer([machine(), machine()], "arm_vm_status"),
        "evidence": an_answer((), "evidence", answered=frozenset()),
    }
    assert judge(policy, a_row(), sides).reason is Reason.AMBIGUOUS


@pytest.mark.parametrize("key", [None, "", " /", 5])
def test_that_a_row_has_nothing_to_match_on_is_no_answer_and_optional_does_not_excuse_it(key: Json) -> None:
    proof = one_of("evidence", name="proof", on=(("id", "vm"),))
    policy = a_policy(assertion="proof == `null`", optional=("proof",), attach=(proof,))
    side = {"evidence": an_answer((), "evidence")}
    assert judge(policy, a_row(vm=VM), side).verdict is Verdict.PASS
    finding = judge(policy, a_row(vm=key), side)
    assert (finding.verdict, finding.reason) == (Verdict.UNKNOWN, Reason.MISSING)


def test_a_row_with_nothing_to_match_on_is_still_not_applicable() -> None:
    proof = one_of("evidence", name="proof", on=(("id", "vm"),))
    policy = a_policy(assertion="proof.ok", applies="!gone", attach=(proof,))
    finding = judge(policy, a_row(gone=True), {"evidence": an_answer((), "evidence")})
    assert finding.verdict is Verdict.NOT_APPLICABLE
