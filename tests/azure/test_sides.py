from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.model import Gap, Json, Reason
from scanner.sources.azure.sides import read_side
from scanner.sources.azure.wire import Failed, Outcome
from scanner.sources.coverage import _CANONICAL
from scanner.sources.rows import parse_row
from scanner.views import VIEWS
from tests.azure.scripted_arm import DENIED, S1, Kept, ScriptedCalls, Turns, failed, page

LOCKS = f"{S1}/providers/Microsoft.Authorization/locks?api-version=2020-05-01"
VMS = f"{S1}/providers/Microsoft.Compute/virtualMachines?api-version=2024-07-01&statusOnly=true"
COLLECTIONS = f"{S1}/providers/Microsoft.Compute/restorePointCollections?api-version=2024-07-01"
GONE = failed(404, "ResourceNotFound")
AGENT = {"vmAgentVersion": "2.7", "statuses": [{"code": "ProvisioningState/succeeded"}]}


def lock(name: str, **changes: Json) -> Json:
    return {
        "id": f"{S1}/providers/Microsoft.Authorization/locks/{name}",
        "name": name,
        "properties": {"level": "ReadOnly"},
        **changes,
    }


def vm_id(name: str) -> str:
    return f"{S1}/resourceGroups/RG1/providers/Microsoft.Compute/virtualMachines/{name}"


def vm(name: str, *codes: str, **view: Json) -> Json:
    statuses = [{"code": "ProvisioningState/succeeded"}, *({"code": code} for code in codes)]
    return {"id": vm_id(name), "name": name, "properties": {"vmId": "1", "instanceView": {"statuses": statuses, **view}}}


def view_url(name: str) -> str:
    return f"{vm_id(name)}/instanceView?api-version=2024-07-01"


def collection_id(name: str) -> str:
    return f"{S1}/resourceGroups/AzureBackupRG_weu_1/providers/Microsoft.Compute/restorePointCollections/{name}"


def collection(name: str, points: int | None = None) -> Json:
    properties = {"source": {"id": vm_id("web")}}
    some = {} if points is None else {"restorePoints": [{"name": str(number)} for number in range(points)]}
    return {"id": collection_id(name), "name": name, "properties": {**properties, **some}}


def points_url(name: str) -> str:
    return f"{collection_id(name)}?api-version=2024-07-01&$expand=restorePoints"


def read(table: str, script: dict[str, Json]) -> tuple[Outcome, Kept, ScriptedCalls]:
    calls, sink = ScriptedCalls(script), Kept()
    return read_side(table, "S1", calls, sink), sink, calls


def assert_gap(table: str, script: dict[str, Json], reason: Reason, text: str) -> None:
    outcome, sink, _ = read(table, script)
    assert outcome.gaps == (Gap(reason=reason, subscription="s1", text=text),)
    assert outcome.answered == frozenset()
    assert sink.rows == {}
    assert _CANONICAL.fullmatch(text)


def test_locks_are_one_list_per_subscription_without_a_filter() -> None:
    below = lock("rg", id=f"{S1}/resourceGroups/RG1/providers/Microsoft.Authorization/locks/rg")
    outcome, sink, calls = read("arm_locks", {LOCKS: page(lock("sub"), below)})
    assert outcome == Outcome(answered=frozenset({"s1"}), pages=1, rows=2)
    assert sink.rows == {lock("sub")["id"].lower(): lock("sub"), below["id"].lower(): below}
    assert [(one.route, one.subscription, one.provider) for one in calls.requests] == [
        ("locks", "s1", "microsoft.authorization")
    ]


def test_a_subscription_without_objects_has_answered() -> None:
    outcome, sink, _ = read("arm_locks", {LOCKS: page()})
    assert outcome == Outcome(answered=frozenset({"s1"}), pages=1)
    assert sink.rows == {}


def test_secrets_are_taken_out_before_a_row_is_kept() -> None:
    _, sink, _ = read(
        "arm_locks", {LOCKS: page(lock("l", properties={"level": "ReadOnly", "notes": "Password=hunter2;AccountKey=abcd"}))}
    )
    ((_, row),) = sink.rows.items()
    assert "hunter2" not in str(row)
    assert row["properties"]["level"] == "ReadOnly"


def test_rows_have_their_keys_in_order_and_keep_nulls() -> None:
    lines: list[bytes] = []

    class Lines(Kept):
        def add(self, rows: Sequence[tuple[str, bytes]]) -> int:
            lines.extend(line for _, line in rows)
            return len(rows)

    read_side("arm_locks", "s1", ScriptedCalls({LOCKS: page({"z": None, "id": f"{S1}/x", "a": 1})}), Lines())
    assert lines == [b'{"a":1,"id":"/subscriptions/s1/x","z":null}\n']


@pytest.mark.parametrize(("table", "url"), [("arm_locks", LOCKS), ("arm_vm_status", VMS), ("arm_restore_points", COLLECTIONS)])
@pytest.mark.parametrize(
    "trouble", [DENIED, failed(), failed(404, "SubscriptionNotFound"), GONE, Failed(Reason.TIMEOUT, "DeadlineExceeded")]
)
def test_a_list_that_fails_leaves_the_subscription_unanswered(table: str, url: str, trouble: Failed) -> None:
    assert_gap(table, {url: trouble}, trouble.reason, trouble.text)


def test_a_later_page_that_fails_takes_the_rows_before_it_along() -> None:
    assert_gap(
        "arm_locks",
        {LOCKS: page(lock("a"), link="https://host/2"), "https://host/2": failed()},
        Reason.FAILED,
        "500 InternalServerError",
    )


@pytest.mark.parametrize(
    ("item", "text"),
    [
        ({"name": "nobody"}, "IdMissing"),
        ({"id": ""}, "IdMissing"),
        ({"id": 7}, "IdMissing"),
        ({"id": "/subscriptions/s2/providers/Microsoft.Authorization/locks/x"}, "ForeignObject"),
        (
            {"id": "/providers/Microsoft.Management/managementGroups/g/providers/Microsoft.Authorization/locks/x"},
            "ForeignObject",
        ),
        ({"id": "   "}, "ForeignObject"),
        ({"id": f"{S1}/providers/x?sig=abcdefghijklmnopqrstuvwxyz0123456789abcdefg%3D&se=1"}, "IdRedacted"),
    ],
)
@pytest.mark.parametrize(("table", "url"), [("arm_locks", LOCKS), ("arm_vm_status", VMS), ("arm_restore_points", COLLECTIONS)])
def test_an_object_that_is_not_the_subscriptions_own_is_a_bad_answer(table: str, url: str, item: Json, text: str) -> None:
    assert_gap(table, {url: page(item)}, Reason.BAD_ANSWER, text)


def test_an_object_too_deep_for_a_snapshot_is_kept_with_its_depths_redacted() -> None:
    deep: Json = {}
    for _ in range(250):
        deep = {"a": deep}
    outcome, sink, _ = read("arm_locks", {LOCKS: page(lock("a", properties=deep))})
    assert outcome == Outcome(answered=frozenset({"s1"}), pages=1, rows=1)
    (kept,) = sink.rows.values()
    assert parse_row(orjson.dumps(kept) + b"\n")["id"] == lock("a")["id"]


def test_an_object_that_is_listed_twice_alike_is_kept_once() -> None:
    again = lock("a", id=lock("a")["id"])
    outcome, sink, calls = read(
        "arm_locks", {LOCKS: page(lock("a"), again, link="https://host/2"), "https://host/2": page(lock("a"))}
    )
    assert outcome == Outcome(answered=frozenset({"s1"}), pages=2, rows=1)
    assert len(sink.rows) == 1
    assert len(calls.requests) == 2


def test_an_object_that_is_listed_twice_differently_is_read_once_more() -> None:
    odd = lock("a", properties={"level": "CanNotDelete"})
    outcome, sink, calls = read("arm_locks", {LOCKS: Turns([page(lock("b"), lock("a"), odd), page(lock("a"))])})
    assert outcome == Outcome(answered=frozenset({"s1"}), pages=1, rows=1)
    assert list(sink.rows.values()) == [lock("a")]
    assert len(calls.requests) == 2
    assert sink.drops == 1


@pytest.mark.parametrize("case", [str.upper, str.lower])
def test_a_list_that_never_settles_is_unstable(case: Callable[[str], str]) -> None:
    odd = lock("a", id=case(lock("a")["id"]), properties={"level": "CanNotDelete"})
    assert_gap("arm_locks", {LOCKS: page(lock("a"), odd)}, Reason.UNSTABLE, "RowsRepeated")


def test_a_second_reading_that_fails_otherwise_says_so() -> None:
    odd = lock("a", properties={"level": "CanNotDelete"})
    assert_gap("arm_locks", {LOCKS: Turns([page(lock("a"), odd), DENIED])}, Reason.DENIED, "403 AuthorizationFailed")


@pytest.mark.parametrize(
    "one",
    [
        vm("web", "PowerState/running", vmAgent=AGENT),
        vm("web", "PowerState/stopped"),
        vm("web", "PowerState/deallocated"),
        vm("web", "powerstate/DEALLOCATING"),
        vm("web", "PowerState/deallocated", vmAgent=None),
    ],
)
def test_a_vm_with_its_agent_and_one_that_is_off_are_not_asked_again(one: Json) -> None:
    outcome, sink, calls = read("arm_vm_status", {VMS: page(one)})
    assert list(sink.rows.values()) == [one]
    assert outcome.answered == {"s1"}
    assert calls.urls == [VMS]


@pytest.mark.parametrize(
    "one",
    [
        vm("web", "PowerState/running"),
        vm("web", "PowerState/running", vmAgent=None),
        vm("web", "PowerState/running", vmAgent={}),
        vm("web", "PowerState/running", vmAgent=[AGENT]),
        vm("web", "PowerState/starting"),
        vm("web", "PowerState/unknown"),
        vm("web", "PowerState/deallocated", "PowerState/running"),
        vm("web"),
        vm("web", statuses=None),
        vm("web", statuses=[None, {"code": 3}, {"code": None}]),
        {"id": vm_id("web"), "properties": None},
        {"id": vm_id("web")},
        {"id": f" {vm_id('web')}/"},
    ],
)
def test_a_vm_that_may_be_running_and_shows_no_agent_is_asked_itself(one: Json) -> None:
    own = {"vmAgent": AGENT, "statuses": [{"code": "PowerState/running"}]}
    outcome, sink, calls = read("arm_vm_status", {VMS: page(one), view_url("web"): own})
    assert outcome == Outcome(answered=frozenset({"s1"}), pages=1, rows=1)
    row = sink.rows[vm_id("web").lower()]
    assert row["properties"]["instanceView"] == own
    assert VIEWS["arm_vm_status"](row)["agent_code"] == "ProvisioningState/succeeded"
    assert row == {**one, "properties": {**(one.get("properties") or {}), "instanceView": own}}
    asked = calls.requests[1]
    assert (asked.route, asked.subscription, asked.provider) == ("instance_view", "s1", "microsoft.compute")


def test_a_running_vm_without_an_agent_even_in_its_own_view_stays_and_has_none() -> None:
    outcome, sink, _ = read("arm_vm_status", {VMS: page(vm("web", "PowerState/running")), view_url("web"): {"statuses": []}})
    assert outcome.answered == {"s1"}
    view = VIEWS["arm_vm_status"](sink.rows[vm_id("web").lower()])
    assert (view["agent_code"], view["agent_version"]) == (None, None)


@pytest.mark.parametrize("code", ["ResourceNotFound", "resourcegroupnotfound", "ParentResourceNotFound", "NotFound"])
def test_a_vm_that_is_gone_is_left_out_with_a_note(code: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "arguard.azure")
    script = {VMS: page(vm("dead"), vm("web", vmAgent=AGENT)), view_url("dead"): failed(404, code)}
    outcome, sink, _ = read("arm_vm_status", script)
    assert outcome == Outcome(answered=frozenset({"s1"}), pages=1, rows=1)
    assert list(sink.rows) == [vm_id("web").lower()]
    assert f"{vm_id('dead')}/instanceView is listed but gone" in caplog.text


@pytest.mark.parametrize(
    "trouble",
    [
        DENIED,
        failed(),
        failed(404, ""),
        failed(404, "SubscriptionNotFound"),
        failed(404, "InvalidResourceType"),
        failed(400, "NotFound"),
    ],
)
@pytest.mark.parametrize(
    ("table", "listed"),
    [
        ("arm_vm_status", {VMS: page(vm("b", vmAgent=AGENT), vm("a")), view_url("a"): None}),
        ("arm_restore_points", {COLLECTIONS: page(collection("AzureBackup_a")), points_url("AzureBackup_a"): None}),
    ],
)
def test_one_object_that_cannot_be_read_leaves_the_subscription_unanswered(
    table: str, listed: dict[str, Json], trouble: Failed
) -> None:
    script = {url: trouble if answer is None else answer for url, answer in listed.items()}
    assert_gap(table, script, trouble.reason, trouble.text)


def test_only_collections_of_azure_backup_are_asked_for_their_points() -> None:
    names = ["AzureBackup_web_1", "AZUREBACKUP_db", "azurebackup", "mine", "xAzureBackup_web"]
    script = {COLLECTIONS: page(*map(collection, names)), **{points_url(name): collection(name, 2) for name in names[:3]}}
    outcome, sink, calls = read("arm_restore_points", script)
    assert outcome == Outcome(answered=frozenset({"s1"}), pages=1, rows=3)
    assert [VIEWS["arm_restore_points"](row)["count"] for row in sink.rows.values()] == [2, 2, 2]
    assert calls.urls == [COLLECTIONS, *map(points_url, names[:3])]
    assert [one.route for one in calls.requests] == ["restore_point_collections", *["restore_points"] * 3]
    assert {(one.subscription, one.provider) for one in calls.requests} == {("s1", "microsoft.compute")}


@pytest.mark.parametrize("name", [None, "", 7, "renamed"])
def test_a_collection_whose_name_says_nothing_is_known_by_its_id(name: Json) -> None:
    listed = {**collection("AzureBackup_a"), "name": name}
    outcome, sink, _ = read(
        "arm_restore_points", {COLLECTIONS: page(listed), points_url("AzureBackup_a"): collection("AzureBackup_a", 1)}
    )
    assert (outcome.rows, len(sink.rows)) == (1, 1)


def test_a_collection_that_is_gone_is_left_out() -> None:
    script = {COLLECTIONS: page(collection("AzureBackup_a"), collection("AzureBackup_b"))}
    script |= {points_url("AzureBackup_a"): GONE, points_url("AzureBackup_b"): collection("AzureBackup_b", 1)}
    outcome, sink, _ = read("arm_restore_points", script)
    assert outcome.answered == {"s1"}
    assert list(sink.rows) == [collection_id("AzureBackup_b").lower()]


@pytest.mark.parametrize("answer", [collection("AzureBackup_b", 1), {"name": "AzureBackup_a"}])
def test_the_points_of_another_collection_are_a_bad_answer(answer: Json) -> None:
    script = {COLLECTIONS: page(collection("AzureBackup_a")), points_url("AzureBackup_a"): answer}
    assert_gap("arm_restore_points", script, Reason.BAD_ANSWER, "ForeignObject")


def test_an_object_without_any_member_answers_nothing() -> None:
    script = {COLLECTIONS: page(collection("AzureBackup_a")), points_url("AzureBackup_a"): {}}
    assert_gap("arm_restore_points", script, Reason.BAD_ANSWER, "EmptyObject")


def test_a_collection_that_answers_without_a_list_of_points_has_no_count() -> None:
    _, sink, _ = read(
        "arm_restore_points",
        {COLLECTIONS: page(collection("AzureBackup_a")), points_url("AzureBackup_a"): collection("azurebackup_A")},
    )
    ((_, row),) = sink.rows.items()
    assert VIEWS["arm_restore_points"](row)["count"] is None


def test_evidence_is_nothing_that_azure_can_be_asked_for() -> None:
    with pytest.raises(KeyError):
        read("evidence", {})


KINDS = ["agent", "off", "fallback", "gone", "denied", "twice"]


@given(st.lists(st.sampled_from(KINDS), max_size=8), st.integers(1, 3))
def test_a_subscription_answers_with_every_vm_that_is_there_or_not_at_all(kinds: list[str], size: int) -> None:
    states = {"agent": {"vmAgent": AGENT}, "twice": {"vmAgent": AGENT}}
    script: dict[str, Json] = {}
    listed, there = [], set()
    for number, kind in enumerate(kinds):
        name = f"vm{number}"
        one = vm(name, "PowerState/deallocated" if kind == "off" else "PowerState/running", **states.get(kind, {}))
        listed += [one, one] if kind == "twice" else [one]
        script[view_url(name)] = {"gone": GONE, "denied": DENIED}.get(kind, {"vmAgent": AGENT})
        there |= set() if kind == "gone" else {vm_id(name).lower()}
    pages = [listed[start : start + size] for start in range(0, len(listed), size)] or [[]]
    for number, items in enumerate(pages):
        url = f"https://host/{number}" if number else VMS
        script[url] = page(*items, link=f"https://host/{number + 1}" if number + 1 < len(pages) else None)
    outcome, sink, _ = read("arm_vm_status", script)
    if "denied" in kinds:
        assert (outcome.answered, len(outcome.gaps), sink.rows) == (frozenset(), 1, {})
    else:
        assert (outcome.answered, outcome.gaps, set(sink.rows)) == (frozenset({"s1"}), (), there)


UNREGISTERED = failed(409, "MissingSubscriptionRegistration")


@pytest.mark.parametrize(("table", "url"), [("arm_vm_status", VMS), ("arm_restore_points", COLLECTIONS)])
def test_a_subscription_that_never_used_compute_has_no_virtual_machines(table: str, url: str) -> None:
    outcome, sink, _ = read(table, {url: UNREGISTERED})
    assert outcome == Outcome(answered=frozenset({"s1"}), pages=0)
    assert sink.rows == {}


def test_a_conflict_of_another_kind_or_place_proves_nothing() -> None:
    assert_gap("arm_vm_status", {VMS: failed(409, "Conflict")}, Reason.FAILED, "409 Conflict")
    text = "409 MissingSubscriptionRegistration"
    assert_gap("arm_locks", {LOCKS: UNREGISTERED}, Reason.FAILED, text)
    more = {VMS: page(vm("a", "PowerState/deallocated"), link="/more"), "/more": UNREGISTERED}
    assert_gap("arm_vm_status", more, Reason.FAILED, text)
    alone = {VMS: page(vm("a", "PowerState/running")), view_url("a"): UNREGISTERED}
    assert_gap("arm_vm_status", alone, Reason.FAILED, text)
