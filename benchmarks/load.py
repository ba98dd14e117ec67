"""Load level M: a live scan of 1,200 subscriptions and 200,000 rows, and of a tenth of that; wall time and peak memory.

    python -m benchmarks.load

The emulator (quota off) and the scanner are processes of their own; the scanner is the real command line, with native and
JUnit results. Its peak is the high-water mark of its resident set (Linux), its children apart. Bars: 3 minutes, 250 MB.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests import big_estate
from tests.live.processes import ROOT, emulator_process

SUBSCRIPTIONS, MACHINES = 1200, 20
"""About 200,000 rows in all tables."""
SECONDS, MEGABYTES = 180.0, 250.0
_MEASURED = """
import re, sys
from pathlib import Path
sys.path.insert(0, sys.argv.pop(1))
import arguard
try:
    code = arguard.main()
except SystemExit as end:
    code = end.code
peak = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())
print(f"{code} {int(peak[1])}", file=sys.__stdout__)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One scan: rows of the estate, exit code, wall time in seconds, peak of the resident set in MB, size of its result."""

    rows: int
    code: int
    seconds: float
    peak: float
    result: int


def measure(estate: Path, folder: Path, rows: int) -> Measured:
    """Scan an estate once."""
    with emulator_process(estate) as environment:
        return _scan(folder, rows, environment)


def _scan(folder: Path, rows: int, environment: Mapping[str, str]) -> Measured:
    result = folder / "result.ndjson"
    options = ["--all", "--quota", "1000", "-q", "-o", f"native={result}", "-o", f"junit={folder / 'junit.xml'}"]
    before = time.monotonic()
    done = subprocess.run(  # noqa: S603 - arguard itself
        [sys.executable, "-c", _MEASURED, str(ROOT), "scan", *options],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    seconds = time.monotonic() - before
    code, peak = done.stdout.split()[-2:]
    return Measured(rows=rows, code=int(code), seconds=seconds, peak=int(peak) / 1024, result=result.stat().st_size)


def main() -> int:
    """0 when the larger scan keeps both bars."""
    print(f"{'rows':>8} {'exit':>4} {'seconds':>8} {'peak MB':>8} {'result MB':>9}")
    found = [_level(subscriptions) for subscriptions in (SUBSCRIPTIONS // 10, SUBSCRIPTIONS)]
    small, large = found
    print(
        f"growth: {large.peak - small.peak:.0f} MB, {large.peak / small.peak:.2f}x for {large.rows / small.rows:.0f}x the rows"
    )
    return int(large.seconds > SECONDS or large.peak > MEGABYTES or any(one.code != 1 for one in found))


def _level(subscriptions: int) -> Measured:
    with tempfile.TemporaryDirectory() as folder:
        estate = Path(folder, "estate")
        written = big_estate.write(estate, subscriptions=subscriptions, vms_per_subscription=MACHINES)
        one = measure(estate, Path(folder), sum(written.rows.values()))
    print(f"{one.rows:8} {one.code:4} {one.seconds:8.1f} {one.peak:8.0f} {one.result / 1e6:9.1f}", flush=True)
    return one


if __name__ == "__main__":
    sys.exit(main())
