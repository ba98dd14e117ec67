"""Fault matrix, rows 1 to 8: a scan waits as long as it is asked to, gives up in time, and says what it did not see."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from scanner.emulator.exchange import Reply, error
from scanner.emulator.script import Action, Fault, Headers, Wire
from tests.live.matrix import DISKS, ITEMS, TWO, disks, expect_blind, expect_green
from tests.live.world import POPULATIONS, InventedTime, Run, Stage, emulating

pytestmark = pytest.mark.estate

REMAINING = "x-ms-user-quota-remaining"
RESETS = "x-ms-user-quota-resets-after"
LOCKS = ("--policy", "ABK101", "--policy", "ABK602")
LOOK = 0.05
"""Seconds between the looks of queries that wait for the first reply of all."""


def limited(headers: dict[str, str] | None = None) -> Reply:
    return error(429, "RateLimiting", "Too many queries.").adding(headers or {})


def failing(status: int) -> Reply:
    return error(status, f"Trouble{status}", "The service is not well.")


FOR_EVER = pytest.mark.parametrize(
    ("action", "reason", "text"),
    [
        (limited(), "THROTTLED", "429 RateLimiting"),
        (failing(500), "FAILED", "500 Trouble500"),
        (Wire(kind="reset"), "FAILED", "ConnectionReset"),
    ],
    ids=["429", "500", "reset"],
)


def statuses(run: Run, query: str) -> list[int]:
    return [one.status for one in run.asked("graph", query)]


def seconds(run: Run, route: str) -> list[float]:
    """How long each call of a route took, waits included, on the invented clock."""
    return sorted(line["ms"] / 1000 for line in run.of("trace") if line["route"] == route)


def attempts(run: Run, route: str) -> list[int]:
    return sorted(line["attempts"] for line in run.of("trace") if line["route"] == route)


def test_without_a_fault_everything_is_green_at_the_first_attempt(stage: Stage) -> None:
    run = stage.scan()
    expect_green(run)
    assert {line["attempts"] for line in run.of("trace")} == {1}
    assert len(run.passes()) == 160


def test_row_1_a_429_with_retry_after_is_waited_for(stage: Stage) -> None:
    run = stage.scan(*TWO, faults=disks(limited({"Retry-After": "1"}), (1,)))
    expect_green(run)
    assert statuses(run, DISKS) == [429, 200]
    assert statuses(run, ITEMS) == [200]
    assert 1.0 in run.waits
    assert 1 <= seconds(run, "graph")[-1] <= 180


def test_row_2_a_429_that_does_not_say_how_long_is_tried_again(stage: Stage) -> None:
    run = stage.scan(*TWO, faults=disks(limited(), (1, 2)))
    expect_green(run)
    assert statuses(run, DISKS) == [429, 429, 200]


def test_row_3_a_429_is_waited_for_until_the_quota_resets(stage: Stage) -> None:
    run = stage.scan(*TWO, faults=disks(limited({REMAINING: "0", RESETS: "00:00:02"}), (1,)))
    expect_green(run)
    assert statuses(run, DISKS) == [429, 200]
    assert 2.0 in run.waits
    assert 2 <= seconds(run, "graph")[-1] <= 180


def test_row_4_a_429_for_ever_is_asked_six_times(stage: Stage) -> None:
    run = stage.scan(*TWO, faults=disks(limited()))
    expect_blind(run, ("THROTTLED", "", "429 RateLimiting"))
    assert statuses(run, DISKS) == [429] * 6
    assert statuses(run, ITEMS) == [200]
    assert seconds(run, "graph")[-1] <= 180


def test_row_4_a_429_for_ever_costs_180_seconds_at_most(stage: Stage) -> None:
    run = stage.scan(*TWO, faults=disks(limited({"Retry-After": "100"})))
    expect_blind(run, ("THROTTLED", "", "429 RateLimiting"))
    assert statuses(run, DISKS) == [429] * 2
    assert 100 <= seconds(run, "graph")[-1] <= 180


@pytest.mark.parametrize("text", ["soon", "00:00:03", "-5", "1e9"])
def test_row_5_a_strange_retry_after_neither_breaks_nor_holds_up(text: str, stage: Stage) -> None:
    run = stage.scan(*TWO, faults=disks(limited({"Retry-After": text}), (1,)))
    expect_green(run)
    assert statuses(run, DISKS) == [429, 200]
    assert min(run.waits) >= 0
    assert max(run.waits) <= 120
    assert (120.0 in run.waits) is (text == "1e9")


def test_row_6_where_no_quota_is_left_the_next_query_waits(healthy: Path) -> None:
    invented = InventedTime()
    told = Headers(headers={REMAINING: "0", RESETS: "00:00:07"})
    with emulating(healthy, clock=lambda: invented.now) as emulator:
        run = Stage(emulator).scan(faults=[Fault(route="graph", numbers=(1,), action=told)], invented=invented)
    expect_green(run)
    first, *later = run.asked("graph")
    assert len(later) == POPULATIONS
    assert 7 <= min(one.at for one in later) - first.at <= 120
    assert set(statuses(run, "")) == {200}


@pytest.mark.parametrize("status", [408, 502])
def test_row_7_a_408_or_502_is_tried_again(status: int, stage: Stage) -> None:
    run = stage.scan(*TWO, faults=disks(failing(status), (1,)))
    expect_green(run)
    assert statuses(run, DISKS) == [status, 200]


@pytest.mark.parametrize("status", [500, 503, 504])
def test_row_8_a_query_that_fails_for_ever_costs_its_own_policy(status: int, stage: Stage) -> None:
    run = stage.scan(*TWO, faults=disks(failing(status)))
    expect_blind(run, ("FAILED", "", f"{status} Trouble{status}"))
    assert statuses(run, DISKS) == [status] * 6
    assert statuses(run, ITEMS) == [200]
    assert run.counts("ABK501") == {}
    assert run.counts("ABK602") == {"pass": 6}


def test_row_8_the_waits_between_attempts_may_grow_and_are_not_alike(stage: Stage) -> None:
    run = stage.scan("--policy", "ABK501", faults=disks(failing(500)))
    waits = [wait for wait in run.waits if wait != LOOK]
    assert len(waits) == 5
    assert all(0 <= wait <= 1.6 * 2**number for number, wait in enumerate(waits))
    assert len({round(after / before, 6) for before, after in pairwise(waits)}) == 4


# The same from Azure Resource Manager.


@pytest.mark.parametrize("route", ["permissions", "locks"])
@pytest.mark.parametrize(
    "action", [limited({"Retry-After": "3"}), failing(500), Wire(kind="reset")], ids=["429", "500", "reset"]
)
def test_resource_manager_failing_once_is_mended(route: str, action: Action, stage: Stage) -> None:
    run = stage.scan(*LOCKS, faults=[Fault(route=route, numbers=(1,), action=action)])  # type: ignore[arg-type]  # a parameter
    expect_green(run)
    assert len(run.asked(route)) == 3
    assert attempts(run, route) == [1, 2]
    assert (3.0 in run.waits) is (action == limited({"Retry-After": "3"}))


@FOR_EVER
def test_locks_failing_for_ever_in_one_subscription_cost_their_policy_there(
    action: Action, reason: str, text: str, stage: Stage, homes: tuple[str, str]
) -> None:
    bad, good = homes
    run = stage.scan(*LOCKS, faults=[Fault(route="locks", contains=bad, action=action)])
    expect_blind(run, (reason, bad, text), policy="ABK101")
    assert (len(run.asked("locks", bad)), len(run.asked("locks", good))) == (6, 1)
    assert {(line["id"].split("/")[2], line["verdict"]) for line in run.of("verdict", "ABK101")} == {
        (bad, "unknown"),
        (good, "pass"),
    }


@FOR_EVER
def test_without_its_permissions_a_subscription_counts_for_nothing(
    action: Action, reason: str, text: str, stage: Stage, homes: tuple[str, str]
) -> None:
    bad, good = homes
    run = stage.scan(*TWO, faults=[Fault(route="permissions", contains=bad, action=action)])
    assert run.exit_code == 3
    assert run.results() == {"ABK501": "incomplete", "ABK602": "incomplete"}
    assert run.gaps("ABK501") == run.gaps("ABK602") == {(reason, bad, text)}
    assert (len(run.asked("permissions", bad)), len(run.asked("permissions", good))) == (6, 1)
    assert {identity.split("/")[2] for _, identity, _ in run.passes()} == {good}
