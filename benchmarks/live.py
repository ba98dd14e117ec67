"""Resource Graph's quota in real time: how long a live scan takes against its ideal, and how often it is refused.

    python -m benchmarks.live

The emulator, in a process of its own, grants 15 queries in any 5 s and answers after 0.3 s; the command line scans one
subscription of 1,000 machines with pages of 100 rows. The ideal of N requests is (ceil(N / 15) - 1) * 5 s and one reply.
Bar: 1.10 times the ideal from the first request to the last reply, and not one 429.
"""

from __future__ import annotations

import math
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from scanner.cli import main as arguard
from scanner.emulator.quota import Quota
from scanner.sources.azure import graph
from tests import big_estate
from tests.live.processes import clean_environment
from tests.live.world import emulating

MACHINES, PAGE, ROUNDS = 1000, 100, 3
QUOTA, PERIOD, LATENCY = 15, 5.0, 0.3
BAR = 1.10


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    """What the emulator saw of one scan: when each query came, in seconds, and how many were refused."""

    exit_code: int
    queries: Sequence[float]
    refused: int

    @property
    def wall(self) -> float:
        """Seconds from the first request to the last reply."""
        return max(self.queries) - min(self.queries) + LATENCY

    @property
    def ratio(self) -> float:
        """The wall time as a multiple of the ideal."""
        return self.wall / ((math.ceil(len(self.queries) / QUOTA) - 1) * PERIOD + LATENCY)


def serve(pipe: Connection, estate: Path) -> None:
    """Serve an estate; tells the environment of a client, then at every word what was seen since the last one."""
    with emulating(estate, quota=Quota(limit=QUOTA, window=PERIOD), latency=LATENCY, page=1000) as emulator:
        pipe.send({"ARGUARD_ENDPOINT": emulator.url, "ARGUARD_TOKEN": emulator.token, "REQUESTS_CA_BUNDLE": str(emulator.ca)})
        told = 0
        while pipe.recv():
            seen = [one for one in emulator.seen if one.route == "graph"]
            pipe.send([(one.at, one.status) for one in seen[told:]])
            told = len(seen)


def scan(pipe: Connection, result: Path) -> Scanned:
    """Scan once, when what was asked before no longer counts."""
    time.sleep(PERIOD + 1)
    code = arguard(["scan", "--all", "-q", "-o", f"native={result}"])
    pipe.send("seen")
    seen = pipe.recv()
    return Scanned(exit_code=code, queries=[at for at, _ in seen], refused=sum(status == 429 for _, status in seen))


def main() -> int:
    """0 when every round keeps the bar; the first one, in which the emulator still runs the queries, is not shown."""
    graph.TOP = PAGE
    here, there = get_context("spawn").Pipe()
    with tempfile.TemporaryDirectory() as folder:
        estate = Path(folder, "estate")
        big_estate.write(estate, subscriptions=1, vms_per_subscription=MACHINES, defects=0)
        child = get_context("spawn").Process(target=serve, args=(there, estate), daemon=True)
        child.start()
        try:
            environment = clean_environment() | here.recv()
            os.environ.clear()
            os.environ.update(environment)
            rounds = [scan(here, Path(folder, "result")) for _ in range(ROUNDS + 1)][1:]
        finally:
            here.send("")
            child.join()
    print("requests  seconds    ideal    ratio     429s")
    for one in rounds:
        print(f"{len(one.queries):8} {one.wall:8.2f} {one.wall / one.ratio:8.2f} {one.ratio:8.3f} {one.refused:8}")
    return int(any(one.ratio > BAR or one.refused or one.exit_code for one in rounds))


if __name__ == "__main__":
    sys.exit(main())
