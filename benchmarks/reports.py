"""Reports of 1,000,000 verdicts (2 % fails) and of a tenth of that: peak memory of each format and profile.

    python -m benchmarks.reports [FORMAT[:PROFILE] | junit+all | store ...]

Each report is rendered in a process of its own, from verdicts that are made while it reads them; the line `store` fills the
real store and reads it as CSV, `junit+all` asks for each pass, which are one case for each policy otherwise. The peak is the
high-water mark of the resident set above what it was when everything was imported (Linux). Bars: 64 MB, and 10 MB more than
for a tenth of the verdicts.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import reporters
from reporters.view import EVERYTHING, View
from scanner.model import (
    Counts,
    Decision,
    Finding,
    LedgerEntry,
    Options,
    PolicyInfo,
    PolicyResult,
    Resource,
    ScanInfo,
    ScanResult,
    Scope,
    Severity,
    Subscription,
    Verdict,
)
from scanner.store import VerdictStore

ROOT = Path(__file__).resolve().parent.parent
ROWS, POLICIES, EVERY = 1_000_000, 20, 50
"""Verdicts in all, among how many policies, and which of them fails: the 50th, the 100th ..."""
MEGABYTES, GROWTH = 64.0, 10.0
STORE = "store"
EXTRA = ("junit+all", STORE)
_MARK = re.compile(r"(VmHWM|VmRSS):\s+(\d+) kB")
_SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One report: seconds, its size in MB, and the peak in MB above the start."""

    seconds: float
    size: float
    peak: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """Verdicts that exist only while they are read."""

    rows: int

    def of(self, policy: str) -> Iterator[Finding]:
        """The verdicts of one policy, sorted by id."""
        return (_finding(policy, number) for number in range(self.rows))


def _finding(policy: str, number: int) -> Finding:
    name = f"vm-{number:07}"
    group = f"rg-{number // 100:05}"
    display = f"/subscriptions/{_SUBSCRIPTION}/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines/{name}"
    fails = number % EVERY == EVERY - 1
    return Finding(
        policy=policy,
        resource=Resource(
            id=display.lower(),
            display_id=display,
            name=name,
            type="microsoft.compute/virtualmachines",
            subscription=_SUBSCRIPTION,
            resource_group=group,
            location="westeurope",
        ),
        verdict=Verdict.FAIL if fails else Verdict.PASS,
        severity=Severity.HIGH,
        message=f"The agent of {name} reports Not Ready (ProvisioningState/failed/1)." if fails else "",
        evidence={"status.agent_code": f"ProvisioningState/{'failed/1' if fails else 'succeeded'}", "row.number": number},
    )


def result(rows: int) -> ScanResult:
    """A complete scan of so many verdicts."""
    each = rows // POLICIES
    failed = each // EVERY
    counts = Counts(passed=each - failed, failed=failed, blocking=failed)
    moment = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
    return ScanResult(
        info=ScanInfo(
            tool="arguard 0.1.0",
            libraries={},
            run_time=moment,
            as_of=moment,
            collected_at=moment,
            source="snapshot",
            scope=Scope(
                kind="proven",
                expected=(_SUBSCRIPTION,),
                subscriptions=(Subscription(id=_SUBSCRIPTION, name="one", state="Enabled"),),
            ),
            options=Options(as_of="snapshot"),
            digests={},
        ),
        ledger=(LedgerEntry(table="protected-vms", answered=(_SUBSCRIPTION,), rows=rows),),
        policies=tuple(PolicyResult(info=_policy(number), counts=counts) for number in range(POLICIES)),
        findings=Made(rows=each),
        decision=Decision(exit_code=1, complete=True, reasons=(f"{failed * POLICIES} blocking findings at or above high",)),
    )


def _policy(number: int) -> PolicyInfo:
    return PolicyInfo(
        id=f"ABK{number + 100}",
        name=f"defect-{number}",
        title="The VM agent of every running protected VM reports Ready",
        severity=Severity.HIGH,
        highest=Severity.HIGH,
        pack="azure-backup",
        file=f"azure-backup/ABK{number + 100}.yaml",
        line=21,
        why="Backup asks the agent to freeze the disks.",
        fix="Restart the agent, then run the backup again.",
        references=("https://learn.microsoft.com/azure/backup/",),
    )


def outputs() -> list[str]:
    """Everything that is measured unless something is named."""
    formats = [(name, profile) for name in reporters.names() for profile in reporters.load(name).PROFILES]
    return [*(f"{name}:{profile}" if profile else name for name, profile in formats), *EXTRA]


def _chunks(told: str, scan: ScanResult) -> Iterator[bytes]:
    output, _, everything = told.partition("+")
    name, _, profile = output.partition(":")
    reporter = reporters.load(name)
    view = View(profile=profile, include=EVERYTHING if everything else None)
    if reporter.PROFILES[profile or next(iter(reporter.PROFILES))].folder:
        for _, chunks in cast("reporters.Divided", reporter).parts(scan, view):
            yield from chunks
    else:
        yield from reporter.render(scan, view)


def _from_store(scan: ScanResult) -> Iterator[bytes]:
    with TemporaryDirectory() as folder, VerdictStore(Path(folder)) as store:
        for policy in scan.policies:
            store.extend(scan.findings.of(policy.info.id))
        yield from _chunks("csv", replace(scan, findings=store))


def _child(told: str, rows: int) -> None:
    """Render one report in this process and say what it took."""
    scan = result(rows)
    reporters.load("csv" if told == STORE else re.split(r"[:+]", told)[0])
    start, before = time.monotonic(), _memory()["VmRSS"]
    size = sum(map(len, _from_store(scan) if told == STORE else _chunks(told, scan)))
    print(time.monotonic() - start, size / 1e6, (_memory()["VmHWM"] - before) / 1024)


def _memory() -> dict[str, int]:
    return {name: int(kilobytes) for name, kilobytes in _MARK.findall(Path("/proc/self/status").read_text())}


def measure(told: str, rows: int) -> Measured:
    """Render one report in a process of its own."""
    code = f"from benchmarks import reports; reports._child({told!r}, {rows})"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(  # noqa: S603 - arguard itself
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True, env=environment
    )
    seconds, size, peak = map(float, done.stdout.split())
    return Measured(seconds=seconds, size=size, peak=peak)


def main() -> int:
    """0 when every report keeps both bars."""
    print(f"{'output':28} {'seconds':>8} {'MB':>8} {'peak, a tenth':>14} {'peak':>7} {'ratio':>6} {'growth':>7}")
    kept = [_line(told) for told in sys.argv[1:] or outputs()]
    return int(not all(kept))


def _line(told: str) -> bool:
    small, large = (measure(told, rows) for rows in (ROWS // 10, ROWS))
    growth, ratio = large.peak - small.peak, large.peak / max(small.peak, 0.1)
    kept = large.peak <= MEGABYTES and growth <= GROWTH
    print(
        f"{told:28} {large.seconds:8.1f} {large.size:8.1f} {small.peak:14.1f} {large.peak:7.1f}"
        f" {ratio:6.2f} {growth:7.1f}{'' if kept else '  misses its bar'}",
        flush=True,
    )
    return kept


if __name__ == "__main__":
    sys.exit(main())
