"""Fault matrix, row 48: the clock of this machine, and Azure's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from email.utils import format_datetime
from pathlib import Path
from textwrap import dedent

import pytest

from scanner.cli import scanning
from scanner.emulator.script import Fault, Headers
from tests.live.matrix import ITEMS, TWO, expect_green
from tests.live.world import Stage, emulating

pytestmark = pytest.mark.estate

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
AGE_PACK = dedent("""\
    format: arguard-pack/1
    requires_arguard: ">=0.1"
    id: ages
    version: 1.0.0
    title: Ages
    queries:
      backups: {file: backups.kql, key: [id]}
    """)
AGE_QUERY = dedent("""\
    // Every backup item of a virtual machine, with the age of its last backup.
    recoveryservicesresources
    | where type =~ 'microsoft.recoveryservices/vaults/backupfabrics/protectioncontainers/protecteditems'
    | project id, hours = datetime_diff('hour', now(), todatetime(properties.lastBackupTime))
    """)
AGE_POLICY = dedent("""\
    id: AGE101
    name: backup-too-old
    title: The last backup is not too old
    severity: high
    query: backups
    assert: hours <= `24`
    message: "It is {hours} hours old."
    why: It breaks.
    fix: Mend it.
    references: ["https://example.com/a"]
    """)


@pytest.fixture(scope="module")
def stage(healthy: Path) -> Iterator[Stage]:
    with emulating(healthy) as emulator:
        yield Stage(emulator)


@pytest.fixture
def ages(tmp_path: Path) -> Path:
    """A pack of one policy that hangs on the time."""
    folder = tmp_path / "ages"
    folder.mkdir()
    for name, text in {"pack.yaml": AGE_PACK, "backups.kql": AGE_QUERY, "AGE101-backup-too-old.yaml": AGE_POLICY}.items():
        (folder / name).write_text(text)
    return folder


def azure_says(moment: datetime) -> list[Fault]:
    return [Fault(action=Headers(headers={"Date": format_datetime(moment, usegmt=True)}))]


@pytest.mark.parametrize(
    ("days", "warning"),
    [
        (0, ""),
        (1, "this machine's clock is 24.0 hours ahead of Azure's"),
        (-1, "this machine's clock is 24.0 hours behind Azure's"),
    ],
)
def test_row_48_ages_are_as_of_azures_clock_and_a_clock_that_is_off_is_told(
    days: int, warning: str, ages: Path, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # a datetime, not another Clock
            return (NOON + timedelta(days=days)).astimezone(tz)

    monkeypatch.setattr(scanning, "datetime", Clock)
    run = stage.scan("--pack", str(ages), faults=azure_says(NOON))
    expect_green(run)
    assert [one["evidence"] for one in run.of("verdict")] == [{"hours": 11}] * 6
    assert run.lines[0]["as_of"] == run.lines[0]["collected_at"] == "2026-11-20T12:00:00Z"
    assert ("this machine's clock" in run.stderr) == bool(days)
    assert warning in run.stderr
    assert len(run.asked("graph", ITEMS)) == 1


@pytest.mark.parametrize("days", [1, -1])
def test_row_48_a_day_between_the_clocks_hides_nothing_and_breaks_nothing(days: int, stage: Stage) -> None:
    then = datetime.now(UTC) + timedelta(days=days)
    run = stage.scan(*TWO, faults=azure_says(then))
    expect_green(run)
    assert "this machine's clock is 24.0 hours " + ("behind" if days > 0 else "ahead of") in run.stderr
