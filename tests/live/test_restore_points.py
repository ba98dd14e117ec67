"""Restore points, counted live by the policy of the pack that asks for them: a list, then one call for each collection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scanner.emulator.exchange import error
from scanner.emulator.roles import Assignment, Roles
from scanner.emulator.script import Fault, Patch
from tests.live import probes
from tests.live.altered import Row, altered, subscriptions
from tests.live.honest import expect_honest
from tests.live.world import Run, Stage, emulating, scan_live

pytestmark = pytest.mark.estate

POINTS = "Microsoft.Compute/restorePointCollections/restorePoints/read"
COUNTS = {"vm-00000": 3, "vm-00001": 16, "vm-00002": 18}
"""Restore points of the machines of each subscription, under a Standard policy: few, close to the limit, at it."""
FIRST = "restorePointCollections/AzureBackup_vm-00000_1"


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two subscriptions of three machines each."""
    folder = tmp_path_factory.mktemp("points")
    probes.estate(folder / "plain", subscriptions=2, vms=3, defects=0.0, mute=False)
    return altered(
        folder / "plain", folder / "full", {"recoveryservicesresources": standard, "arm_restore_points": with_points}
    )


def standard(row: Row) -> Row:
    if row["type"] != "microsoft.recoveryservices/vaults/backuppolicies":
        return row
    schedule = {
        "schedulePolicyType": "SimpleSchedulePolicy",
        "scheduleRunFrequency": "Daily",
        "scheduleRunTimes": ["2026-01-01T02:00:00Z"],
    }
    told = {"policyType": "V1", "instantRpRetentionRangeInDays": 2, "schedulePolicy": schedule}
    return {**row, "properties": {**row["properties"], **told}}


def with_points(row: Row) -> Row:
    count = COUNTS[row["name"].split("_")[1]]
    points: list[Any] = [{"id": f"{row['id']}/restorePoints/p{number}", "name": f"p{number}"} for number in range(count)]
    return {**row, "properties": {**row["properties"], "restorePoints": points}}


@pytest.fixture(scope="module")
def stage(full: Path) -> Iterator[Stage]:
    with emulating(full) as emulator:
        yield Stage(emulator)


@pytest.fixture(scope="module")
def whole(stage: Stage) -> Run:
    return count(stage)


def count(stage: Stage, *faults: Fault) -> Run:
    return stage.scan("--policy", "ABK104", faults=faults)


def by_machine(run: Run, subscription: str) -> dict[str, tuple[str, str]]:
    """Verdict and severity of each machine of a subscription."""
    return {
        line["id"].rpartition("/")[2]: (line["verdict"], line["severity"])
        for line in run.of("verdict", "ABK104")
        if f"/{subscription}/" in line["id"]
    }


def test_machines_near_their_limit_are_found(whole: Run, full: Path) -> None:
    assert (whole.exit_code, whole.gaps()) == (1, set())
    for home in subscriptions(full):
        found = by_machine(whole, home)
        assert found["vm-00000"][0] == "pass"
        assert found["vm-00001"] == ("fail", "medium")
        assert found["vm-00002"] == ("fail", "high")
        assert len(found) == 3


def test_each_collection_is_asked_for_once_beside_one_list_for_each_subscription(whole: Run) -> None:
    assert Counter(one.route for one in whole.seen) == {
        "subscriptions": 1,
        "graph": 3,  # the machines, the backup policies, and the canary
        "permissions": 2,
        "restore_point_collections": 2,
        "restore_points": 6,
    }
    assert {one.status for one in whole.seen} == {200}
    assert max(Counter((one.method, one.path, one.query, one.body) for one in whole.seen).values()) == 1


def test_nobody_counts_restore_points_unasked(stage: Stage) -> None:
    run = stage.scan()
    assert run.asked("restore_point_collections") + run.asked("restore_points") == []
    assert run.of("verdict", "ABK104") == []


def test_points_that_may_not_be_read_leave_every_machine_undecided(full: Path, whole: Run) -> None:
    run = scan_live(full, "--policy", "ABK104", roles=Roles([Assignment(not_actions=(POINTS,))]))
    expect_honest(whole, run)
    assert run.exit_code == 3
    assert run.gaps() == {("RIGHTS_PARTIAL", "", POINTS), ("DENIED", "", "403 AuthorizationFailed")}
    assert run.counts("ABK104") == {"unknown": 6}


def test_a_collection_that_is_gone_when_it_is_counted_leaves_its_machine_undecided(
    stage: Stage, full: Path, whole: Run
) -> None:
    home, other = subscriptions(full)
    gone = error(404, "ResourceNotFound", "The Resource was not found.")
    run = count(
        stage,
        Fault(
            route="restore_points",
            contains=f"{home}/resourceGroups/AzureBackupRG_westeurope_1/providers/Microsoft.Compute/{FIRST}",
            action=gone,
        ),
    )
    expect_honest(whole, run)
    assert run.gaps() == set()
    assert by_machine(run, other) == by_machine(whole, other)
    assert {name: verdict for name, (verdict, _) in by_machine(run, home).items()} == {
        "vm-00000": "unknown",
        "vm-00001": "fail",
        "vm-00002": "fail",
    }


def test_a_list_that_lacks_a_collection_passes_no_machine_of_it(stage: Stage, full: Path, whole: Run) -> None:
    home = subscriptions(full)[0]
    run = count(stage, Fault(route="restore_point_collections", contains=home, action=Patch(drop_row=0)))
    expect_honest(whole, run)
    assert Counter(verdict for verdict, _ in by_machine(run, home).values()) == {"unknown": 1, "fail": 2}


def test_a_collection_without_its_points_is_not_one_without_any(stage: Stage, full: Path, whole: Run) -> None:
    home = subscriptions(full)[0]
    run = count(
        stage, Fault(route="restore_points", contains=home, action=Patch(swap=((b'"restorePoints":', b'"otherPoints":'),)))
    )
    expect_honest(whole, run)
    assert {verdict for verdict, _ in by_machine(run, home).values()} == {"unknown"}
