"""Collections that are killed at every moment that matters, each in a process of its own."""

from __future__ import annotations

import multiprocessing
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest

from scanner.sources.azure.collect import Progress, collect
from scanner.sources.azure.writing import PARTIAL, open_work, write_snapshot
from scanner.sources.snapshot import open_snapshot
from tests.azure.doomed import die_at_change, die_at_request, fresh, gather
from tests.azure.memory_azure import META, NOW, MemoryAzure, order

PARTS = 8
"""Of the order that these collections have: disks and the canary, and for each of three subscriptions rights and locks."""


def old_snapshot(folder: Path) -> dict[str, bytes]:
    with open_work(folder, META, now=NOW, resume=False) as work:
        write_snapshot(folder, collect(order(), MemoryAzure(), work, now=NOW, stop=Event(), progress=Progress()), work)
    return held(folder)


def held(folder: Path) -> dict[str, bytes]:
    """What is there, but for what is not finished."""
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {name: data for name, data in files.items() if not name.startswith(f"{PARTIAL}/")}


def opens(folder: Path, spool: Path) -> bool:
    spool.mkdir()
    open_snapshot(folder, spool=spool).close()
    return True


def run_to_death(target: Callable[..., None], *arguments: object) -> int | None:
    """The exit code of a process of its own: 0 when it outlived its moment."""
    multiprocessing.set_forkserver_preload(["tests.azure.doomed"])
    context = multiprocessing.get_context("spawn") if sys.platform == "win32" else multiprocessing.get_context("forkserver")
    process = context.Process(target=target, args=arguments)
    process.start()
    process.join()
    return process.exitcode


def proven_parts(folder: Path) -> int:
    """How many finished parts can be gone on with: proofs are asked anew, and what they had not proven yet is, too."""
    database = sqlite3.connect(folder / PARTIAL / "work.sqlite")
    done = set(database.execute("SELECT question, number FROM part"))
    database.close()
    proven = {number for number in range(3) if {("canary", 0), ("permissions", number)} <= done}
    locks = [number for question, number in done if question.startswith("side ") and number in proven]
    answers = [number for question, number in done if question.startswith("answer ") and len(proven) == 3]
    return len(locks) + len(answers)


def test_a_process_that_is_killed_while_writing_leaves_the_old_snapshot_or_the_new(tmp_path: Path) -> None:
    old = old_snapshot(tmp_path / "old")
    gather(tmp_path / "new", fresh())
    new = held(tmp_path / "new")
    states, number, code = [], 0, None
    while code != 0:
        number += 1
        folder = tmp_path / f"run-{number}"
        old_snapshot(folder)
        code = run_to_death(die_at_change, folder, number)
        now = held(folder)
        whole = [name for name, snapshot in (("old", old), ("new", new)) if snapshot.items() <= now.items()]
        assert len(whole) == 1
        states += whole
        assert opens(folder, tmp_path / f"spool-{number}")
        gather(folder, fresh())
        assert held(folder) == new
    assert states == sorted(states, reverse=True)
    assert {"old", "new"} == set(states)
    assert number > 12


@pytest.mark.parametrize("number", range(1, PARTS + 2))
@pytest.mark.parametrize("page_size", [1, 1000])
def test_a_process_that_is_killed_while_asking_goes_on_where_it_was(tmp_path: Path, number: int, page_size: int) -> None:
    folder = tmp_path / "snap"
    old = old_snapshot(folder)
    assert run_to_death(die_at_request, folder, page_size, number) != 0
    assert held(folder) == old
    kept = proven_parts(folder)
    azure = fresh()
    # The first request is the scope's: before it is answered there is nothing to go on with.
    assert gather(folder, azure) == (number > 1)
    assert azure.asked["subscriptions"] == (number == 1)
    assert azure.asked.total() == (number == 1) + PARTS - kept
    gather(tmp_path / "whole", fresh())
    assert held(folder) == held(tmp_path / "whole")
