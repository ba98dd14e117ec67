"""Fault matrix, rows 43 to 47: rows that are odd, and side tables in trouble."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scanner.emulator.exchange import error
from scanner.emulator.script import Fault, Patch
from tests import big_estate
from tests.live.altered import Row, altered, subscriptions
from tests.live.matrix import DISKS, LOCKS, TWO, expect_blind, expect_green
from tests.live.world import Run, Stage, emulating, scan_live

pytestmark = pytest.mark.estate

AGENTS = ("--policy", "ABK301", "--policy", "ABK602")


@pytest.fixture(scope="module")
def stage(healthy: Path) -> Iterator[Stage]:
    with emulating(healthy) as emulator:
        yield Stage(emulator)


def unknown(run: Run, policy: str) -> list[tuple[str, str]]:
    """Name and reason of what a policy did not decide."""
    return [(one["display"]["name"], one["reason"]) for one in run.of("verdict", policy) if one["verdict"] == "unknown"]


# Rows 43 to 45: what the estate itself has odd.


def shouted(identity: str) -> str:
    """An ARM id as some services spell it: everything behind the subscription in upper case."""
    head, mark, tail = identity.partition("/resourceGroups/")
    return head + (mark + tail).upper()


def shout(row: Row) -> Row:
    row["id"] = shouted(row["id"])
    if row.get("managedBy"):
        row["managedBy"] = shouted(row["managedBy"])
    return row


def whisper(row: Row) -> Row:
    properties = row["properties"]
    for name in ("sourceResourceId", "virtualMachineId", "policyId"):
        if name in properties:
            properties[name] = properties[name].lower()
    return row


def judged(run: Run) -> set[tuple[str, str, str, str, str]]:
    return {(one["policy"], one["id"], one["subject"], one["verdict"], one["fingerprint"]) for one in run.of("verdict")}


def test_row_43_ids_that_differ_in_case_are_joined_and_found_once(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    planted = big_estate.write(plain, subscriptions=2, vms_per_subscription=6, defects=1.0).planted
    changes = {"resources": shout, "recoveryservicesresources": whisper, "arm_locks": shout, "arm_vm_status": shout}
    odd = scan_live(altered(plain, tmp_path / "odd", changes))
    usual = scan_live(plain)
    assert (odd.exit_code, usual.exit_code) == (1, 1)
    assert judged(odd) == judged(usual)
    assert len(judged(odd)) == len(odd.of("verdict"))
    assert odd.gaps() == set()
    failed = [one["policy"] for one in odd.of("verdict") if one["verdict"] == "fail"]
    assert {policy: failed.count(policy) for policy in planted} == planted
    assert sum(planted.values()) > 5


def sized(size: object, name: str = "") -> Callable[[Row], Row]:
    """A change of the size of one disk, or of all of them; None takes it away."""

    def change(row: Row) -> Row:
        if row["type"] == "microsoft.compute/disks" and row["id"].endswith(name):
            row["properties"]["diskSizeGB"] = size
        return row

    return change


@pytest.mark.parametrize(
    ("size", "reason"), [(None, "MISSING"), ("256", "EVAL_ERROR"), (True, "EVAL_ERROR"), ([], "EVAL_ERROR")]
)
def test_row_44_a_property_that_is_not_there_or_no_number_is_unknown(
    size: object, reason: str, healthy: Path, tmp_path: Path
) -> None:
    run = scan_live(altered(healthy, tmp_path / "estate", {"resources": sized(size, "vm-00001-os")}), *TWO)
    assert (run.exit_code, run.of("decision")[0]["complete"]) == (3, False)
    assert unknown(run, "ABK501") == [("vm-00001-os", reason)] * 2
    assert run.counts("ABK501") == {"pass": 10, "unknown": 2}
    assert (run.gaps(), run.results()["ABK602"]) == (set(), "compliant")
    assert len(run.asked("graph", DISKS)) == 1


def test_row_44_a_property_that_no_row_has_any_more_is_told_as_such(healthy: Path, tmp_path: Path) -> None:
    run = scan_live(altered(healthy, tmp_path / "estate", {"resources": sized(None)}), *TWO)
    expect_blind(run, ("SHAPE_DRIFT", "", "size_gib is missing or null, in every row"))
    assert run.counts("ABK501") == {"unknown": 12}


def without_agent(row: Row, name: str = "vm-00001") -> Row:
    if row["name"] == name:
        del row["properties"]["instanceView"]["vmAgent"]
    return row


def test_row_45_a_running_machine_without_an_agent_is_unknown(healthy: Path, tmp_path: Path) -> None:
    run = scan_live(altered(healthy, tmp_path / "estate", {"arm_vm_status": without_agent}), *AGENTS)
    assert (run.exit_code, run.of("decision")[0]["complete"]) == (3, False)
    assert unknown(run, "ABK301") == [("vm-00001", "MISSING")] * 2
    assert run.counts("ABK301") == {"pass": 4, "unknown": 2}
    assert (run.gaps(), run.results()["ABK602"]) == (set(), "compliant")
    assert [len(run.asked("vm_status")), len(run.asked("instance_view", "vm-00001")), len(run.asked("instance_view"))] == [
        2,
        2,
        2,
    ]


def test_row_45_an_agent_that_only_the_list_left_out_is_found(healthy: Path, stage: Stage) -> None:
    first = subscriptions(healthy)[0]
    forgetful = Fault(route="vm_status", contains=first, action=Patch(swap=[(b'"vmAgent"', b'"vmAgenX"')]))
    run = stage.scan(*AGENTS, faults=[forgetful])
    expect_green(run)
    assert run.counts("ABK301") == {"pass": 6}
    assert len(run.asked("instance_view")) == 1


def test_row_45_a_deallocated_machine_has_nothing_to_report(healthy: Path, tmp_path: Path) -> None:
    def off(row: Row) -> Row:
        if row["name"] == "vm-00001" and row["type"].lower() == "microsoft.compute/virtualmachines":
            text = json.dumps(row["properties"]).replace("PowerState/running", "PowerState/deallocated")
            row["properties"] = json.loads(text)
            row["properties"].get("instanceView", {}).pop("vmAgent", None)
        return row

    run = scan_live(altered(healthy, tmp_path / "estate", {"resources": off, "arm_vm_status": off}), *AGENTS)
    expect_green(run)
    assert run.counts("ABK301") == {"pass": 4, "not_applicable": 2}
    assert run.asked("instance_view") == []


# Rows 46 and 47: side tables.


def test_row_46_locks_that_one_subscription_does_not_tell_are_unknown_there_only(healthy: Path, stage: Stage) -> None:
    first, second = subscriptions(healthy)
    broken = Fault(route="locks", contains=first, action=error(500, "InternalServerError", "Oops."))
    run = stage.scan(*LOCKS, faults=[broken])
    expect_blind(run, ("FAILED", first, "500 InternalServerError"), policy="ABK101")
    verdicts = {(one["display"]["subscription"], one["verdict"], one["reason"]) for one in run.of("verdict", "ABK101")}
    assert verdicts == {(first, "unknown", "SIDE_DENIED"), (second, "pass", None)}
    assert len(run.asked("locks", first)) == 6
    assert len(run.asked("locks", second)) == 1
    assert len([wait for wait in run.waits if wait > 0.05]) == 5


GONE = error(404, "ResourceNotFound", "The Resource 'vm-00001' was not found.")


def forgotten(first: str, name: str) -> Callable[[Row], Row | None]:
    return lambda row: None if name in row["id"] and first in row["id"] else row


@pytest.mark.parametrize("listed", [True, False], ids=["Resource Graph still lists it", "Resource Graph knows"])
def test_row_47_a_machine_that_was_just_deleted_is_left_out_of_the_side_table(
    *, listed: bool, healthy: Path, tmp_path: Path
) -> None:
    """Where Resource Graph still lists it, nothing is known of its agent: that is never fine."""
    first = subscriptions(healthy)[0]
    changes: dict[str, Callable[[Row], Row | None]] = {"arm_vm_status": without_agent}
    if not listed:
        changes |= dict.fromkeys(("resources", "recoveryservicesresources"), forgotten("/subscriptions/", "vm-00001"))
    gone = Fault(route="instance_view", contains="vm-00001", action=GONE)
    run = scan_live(altered(healthy, tmp_path / "estate", changes), *AGENTS, "-v", faults=[gone])
    assert len(run.asked("instance_view", first)) == 1
    assert "is listed but gone: left out" in run.stderr
    assert run.gaps() == set()
    assert run.results()["ABK602"] == "compliant"
    if listed:
        assert (run.exit_code, run.of("decision")[0]["complete"]) == (3, False)
        assert unknown(run, "ABK301") == [("vm-00001", "MISSING")] * 2
    else:
        expect_green(run)
        assert run.counts("ABK301") == {"pass": 4}
