"""Fault matrix, rows 13 to 15 and 19: answers that never end. The only real waits of the matrix, of one or two seconds each."""

from __future__ import annotations

import gc
import subprocess
import time
import tracemalloc
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from scanner.cli import live
from scanner.emulator.script import Action, Fault, RouteName, Wire
from scanner.sources.azure.calls import Caller
from scanner.sources.azure.wire import real_timing
from tests.live.matrix import CANARY, DISKS, TWO, disks, expect_blind
from tests.live.processes import ARGUARD, clean_environment
from tests.live.world import Stage

pytestmark = pytest.mark.estate

PATIENCE = 20.0
"""Seconds in which a scan must be over that waits for one: far more than it needs, far less than the answers would take."""


def _two_seconds_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page's 180 s, and the waits between attempts, shrunk to two seconds."""
    monkeypatch.setattr(live, "Caller", partial(Caller, page_seconds=2.0))
    monkeypatch.setattr(live, "real_timing", lambda stop: replace(real_timing(stop), random=lambda: 0.01))


@pytest.mark.parametrize(
    "action",
    [
        Wire(kind="stall"),
        Wire(kind="stall", where="headers"),
        Wire(kind="slow", where="body", seconds=0.1),
        Wire(kind="slow", where="headers", seconds=0.1),
    ],
    ids=["row 13", "row 13 after the headers", "row 14", "row 15"],
)
def test_rows_13_to_15_an_answer_that_does_not_come_costs_one_policy(
    action: Action, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.scan(*TWO)  # the emulator's first answer takes its own time: none of it is to be mistaken for the fault
    _two_seconds_a_page(monkeypatch)
    began = time.monotonic()
    run = stage.scan(*TWO, faults=disks(action), real_time=True)
    assert time.monotonic() - began < PATIENCE
    expect_blind(run, *run.gaps("ABK501"))
    assert {(reason, home) for reason, home, _ in run.gaps("ABK501")} == {("TIMEOUT", "")}
    assert len(run.asked("graph", DISKS)) == 2


@pytest.mark.parametrize(
    ("route", "contains", "asked"),
    [("graph", "", 1), ("graph", CANARY, 1), ("permissions", "", 2), ("subscriptions", "", 1)],
    ids=["queries", "who is visible", "permissions", "subscriptions"],
)
@pytest.mark.parametrize("action", [Wire(kind="stall"), Wire(kind="slow", where="headers", seconds=0.1)], ids=["13", "15"])
def test_rows_13_and_15_the_deadline_ends_the_whole_scan(
    action: Action, route: RouteName, contains: str, asked: int, stage: Stage
) -> None:
    began = time.monotonic()
    run = stage.scan(*TWO, "--deadline", "1s", faults=[Fault(route=route, contains=contains, action=action)], real_time=True)
    assert time.monotonic() - began < PATIENCE
    assert run.exit_code == 3
    assert set(run.results().values()) == {"incomplete"}
    assert {reason for reason, _, _ in run.gaps()} - {"SCOPE_EMPTY"} == {"TIMEOUT"}
    assert run.passes() == set()
    assert len(run.asked(route, contains)) == asked


def test_row_14_a_process_is_not_held_by_answers_that_it_gave_up(stage: Stage, tmp_path: Path) -> None:
    stage.emulator.restart([Fault(route="graph", action=Wire(kind="slow", where="headers", seconds=0.2))])
    told = {
        "ARGUARD_ENDPOINT": stage.emulator.url,
        "ARGUARD_TOKEN": stage.emulator.token,
        "REQUESTS_CA_BUNDLE": str(stage.emulator.ca),
    }
    began = time.monotonic()
    done = subprocess.run(
        [*ARGUARD, "scan", "--all", *TWO, "--deadline", "1s", "-o", f"native={tmp_path / 'r'}"],
        env={**clean_environment(), **told},
        capture_output=True,
        text=True,
        timeout=3 * PATIENCE,
        check=False,
    )
    assert (done.returncode, "Traceback" in done.stderr) == (3, False)
    assert time.monotonic() - began < PATIENCE
    assert len(stage.emulator.seen) < 20


def test_row_19_a_gzip_bomb_is_defused(stage: Stage) -> None:
    gc.collect()
    tracemalloc.start()
    try:
        run = stage.scan(*TWO, faults=disks(Wire(kind="gzip_bomb")))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    expect_blind(run, ("FAILED", "", "AnswerTooLarge"))
    assert len(run.asked("graph", DISKS)) == 1
    assert peak < 160 << 20
