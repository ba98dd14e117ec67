"""Collections that are ended from outside, as real processes: `kill -9` and Ctrl-C lose nothing that was there before."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

import pytest

from scanner.cli import main
from scanner.emulator.exchange import Seen
from scanner.emulator.script import Fault, Headers
from scanner.emulator.server import Emulator
from tests.live.processes import ARGUARD, clean_environment
from tests.live.world import KEPT, emulating

pytestmark = pytest.mark.estate

LATENCY = 0.05
"""Seconds for each answer, so that a part is finished before the next one's is there."""
NOW = Fault(route="subscriptions", action=Headers(headers={"Date": format_datetime(datetime.now(UTC), usegmt=True)}))
"""Every collection is of one moment, so that answers with ages in them are equal; a recent one, or none would be resumed."""
REQUESTS = 1 + (KEPT + 1) + 2 * 3
"""Of a collection of the healthy estate: the list of subscriptions, 7 queries, 3 calls for each of two subscriptions."""


@dataclass(slots=True)
class Sniper:
    """Signals a process as soon as the emulator has answered `after` requests; not at all when that is 0."""

    kind: signal.Signals = signal.SIGKILL
    after: int = 0
    pid: int = 0
    answered: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, _seen: Seen) -> None:
        with self.lock:
            self.answered += 1
            if self.answered == self.after:
                os.kill(self.pid, self.kind)

    def aim(self, kind: signal.Signals, after: int) -> None:
        self.kind, self.after, self.answered = kind, after, 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Azure:
    """An emulator whose answers may be deadly."""

    emulator: Emulator
    sniper: Sniper

    def collect(self, folder: Path, *options: str, kind: signal.Signals = signal.SIGKILL, after: int = 0) -> Done:
        """`arguard collect FOLDER --all` in a process of its own; what it was, and what it asked for."""
        self.sniper.aim(kind, after)
        self.emulator.restart([NOW])
        known = {
            "ARGUARD_ENDPOINT": self.emulator.url,
            "ARGUARD_TOKEN": self.emulator.token,
            "REQUESTS_CA_BUNDLE": str(self.emulator.ca),
        }
        process = subprocess.Popen(
            [*ARGUARD, "collect", str(folder), "--all", *options],
            env={**clean_environment(), **known},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.sniper.pid = process.pid
        out, err = process.communicate(timeout=60)
        _let_go()
        for text in (out, err):
            assert self.emulator.token not in text
            assert "Traceback" not in text
        return Done(code=process.returncode, stderr=err, seen=self.emulator.seen)


def _let_go() -> None:
    """Wait until the emulator has read all that a dead client sent: it would count as what the next one asks."""
    for thread in threading.enumerate():
        if "process_request_thread" in thread.name:  # socketserver's, one for each connection
            thread.join(10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A process that has ended. Its code is negative where a signal ended it."""

    code: int
    stderr: str
    seen: Sequence[Seen]

    @property
    def asked(self) -> Counter[tuple[str, bytes]]:
        return Counter((one.path, one.body) for one in self.seen)


@contextmanager
def azure(estate: Path) -> Iterator[Azure]:
    sniper = Sniper()
    with emulating(estate, latency=LATENCY, watch=sniper) as emulator:
        yield Azure(emulator=emulator, sniper=sniper)


@pytest.fixture(scope="module")
def world(healthy: Path) -> Iterator[Azure]:
    with azure(healthy) as found:
        yield found


@pytest.fixture(scope="module")
def whole(world: Azure, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A snapshot whose collection nobody disturbed."""
    folder = tmp_path_factory.mktemp("whole") / "snapshot"
    done = world.collect(folder)
    assert done.code == 0, done.stderr
    assert len(done.seen) == REQUESTS
    return folder


def held(folder: Path) -> Mapping[str, bytes]:
    """Every file of a snapshot, but for what is not finished."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if not name.startswith(".partial/")}


def judged(folder: Path, out: Path) -> list[dict[str, object]]:
    """What a scan of a snapshot says, but for when it was collected and what that changes."""
    # The estate is of one day and was collected now, so that its backups are old: that is not what is looked at here.
    given = ["--param", "max_missed=100000", "-q", "-o", f"native={out}"]
    assert main(["scan", "--snapshot", str(folder), "--as-of", "snapshot", *given]) == 0
    lines = [json.loads(line) for line in out.read_bytes().splitlines()]
    return [line for line in lines if line["kind"] not in {"scan", "decision"}]


def finished(folder: Path) -> int:
    """How many parts of a killed collection can be gone on with: what they rest on is proven anew, and was proven before."""
    database = sqlite3.connect(folder / ".partial" / "work.sqlite")
    try:
        done = set(database.execute("SELECT question, number FROM part"))
    finally:
        database.close()
    proven = {number for number in range(2) if {("canary", 0), ("permissions", number)} <= done}
    sides = [number for question, number in done if question.startswith("side ") and number in proven]
    answers = [number for question, number in done if question.startswith("answer ") and len(proven) == 2]
    return len(sides) + len(answers)


def check_same(world: Azure, folder: Path, whole: Path, spool: Path) -> None:
    """A snapshot holds the same rows as one whose collection nobody disturbed, and nothing beside them."""
    now, then = held(folder), held(whole)
    assert now.keys() == then.keys()
    assert all(now[name] == then[name] for name in now if name != "manifest.json")
    assert not (folder / ".partial").exists()
    assert judged(folder, spool / "one") == judged(whole, spool / "other")
    assert not any(world.emulator.token.encode() in data for data in now.values())


@pytest.mark.parametrize("after", [1, 8, REQUESTS])
def test_a_killed_collection_leaves_the_old_snapshot_and_goes_on(world: Azure, whole: Path, tmp_path: Path, after: int) -> None:
    folder = tmp_path / "snapshot"
    shutil.copytree(whole, folder)
    killed = world.collect(folder, after=after)
    assert killed.code == -signal.SIGKILL
    assert held(folder) == held(whole)
    assert judged(folder, tmp_path / "old") == judged(whole, tmp_path / "whole")

    done = finished(folder)
    assert done <= after - 1
    assert done or after < REQUESTS
    resumed = world.collect(folder)
    assert resumed.code == 0, resumed.stderr
    # Without the first answer the scope is not known, and there is nothing to go on with.
    known = after > 1
    assert len(resumed.seen) == REQUESTS - done - known
    assert ("going on with the collection that was interrupted" in resumed.stderr) == known
    assert any(one.route == "subscriptions" for one in resumed.seen) != known
    assert max(resumed.asked.values()) == 1
    check_same(world, folder, whole, tmp_path)


def test_a_first_collection_that_is_killed_twice_is_no_snapshot_until_it_is_whole(
    world: Azure, whole: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "snapshot"
    assert world.collect(folder, after=9).code == -signal.SIGKILL
    first = finished(folder)
    assert world.collect(folder, after=REQUESTS - 1 - first).code == -signal.SIGKILL
    second = finished(folder)
    assert first <= second < REQUESTS - 1
    assert main(["scan", "--snapshot", str(folder)]) == 2
    assert "manifest.json" in capfd.readouterr().err
    last = world.collect(folder)
    assert last.code == 0, last.stderr
    assert len(last.seen) == REQUESTS - 1 - second
    check_same(world, folder, whole, tmp_path)


@pytest.mark.parametrize(("kind", "code", "fresh"), [(signal.SIGINT, 130, False), (signal.SIGTERM, 143, True)])
def test_an_interrupted_collection_says_how_to_go_on(  # noqa: PLR0913 - the fixtures, and what a signal does
    world: Azure, whole: Path, tmp_path: Path, kind: signal.Signals, code: int, *, fresh: bool
) -> None:
    folder = tmp_path / "snapshot"
    shutil.copytree(whole, folder)
    stopped = world.collect(folder, kind=kind, after=5)
    assert stopped.code == code
    assert f"interrupted; {folder} was not changed" in stopped.stderr
    assert "the same command goes on where this one stopped" in stopped.stderr
    assert held(folder) == held(whole)
    known = finished(folder) + 1
    again = world.collect(folder, *(["--fresh"] if fresh else []))
    assert again.code == 0, again.stderr
    assert len(again.seen) == REQUESTS - (0 if fresh else known)
    check_same(world, folder, whole, tmp_path)
