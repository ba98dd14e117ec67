"""The command line as people start it: an emulator in one process, a scan in another, and help that can be read."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from scanner.cli import main
from tests.live.processes import ARGUARD, emulator_process

pytestmark = pytest.mark.estate


def test_an_emulator_in_one_process_is_scanned_by_another(healthy: Path) -> None:
    with emulator_process(healthy, "--quota", "15/5s", "--latency", "1") as environment:
        # The estate is of one day and this emulator's clock is the real one, so that its backups are old.
        command = [*ARGUARD, "scan", "--all", "--param", "max_missed=100000"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "PASS" in done.stdout
    assert environment["ARGUARD_TOKEN"] not in done.stdout + done.stderr


def test_the_scanners_environment_does_not_reach_the_emulator(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("ARGUARD_QUOTA", "20")
    monkeypatch.setenv("ARGUARD_SNAPSHOT", str(tmp_path))
    assert main(["emulate"]) == 2
    assert "--snapshot" in capfd.readouterr().err


def test_each_exit_code_has_a_line_of_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    lines = [
        line.split()[0]
        for line in capfd.readouterr().out.partition("Exit codes:")[2].partition("Options:")[0].splitlines()
        if line
    ]
    assert lines == ["0", "1", "2", "3", "4", "70", "130/143"]
