"""Stored answers, replayed, say what the raw tables say; and equal input gives equal bytes wherever it runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scanner import kql
from scanner.cli import main
from tests.answers import store_answers

pytestmark = pytest.mark.estate
ROOT = Path(__file__).resolve().parent.parent
CONTOSO = ROOT / "examples" / "contoso"


def results(file: Path) -> list[bytes]:
    """The lines of a native result that must not depend on where rows came from."""
    return [line for line in file.read_bytes().splitlines() if json.loads(line)["kind"] not in {"scan", "ledger", "decision"}]


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("raw") / "r"
    assert main(["scan", "--snapshot", str(CONTOSO), "--as-of", "snapshot", "-q", "-o", f"native={file}"]) == 1
    return file


def test_replayed_answers_equal_raw_tables(raw: Path, tmp_path: Path) -> None:
    stored = store_answers(CONTOSO, tmp_path / "stored")
    file = tmp_path / "r"
    assert main(["scan", "--snapshot", str(stored), "--as-of", "snapshot", "-q", "-o", f"native={file}"]) == 1
    assert results(file) == results(raw)


def test_answers_are_replayed_without_the_engine(raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = store_answers(CONTOSO, tmp_path / "stored")
    monkeypatch.setattr(kql, "available", lambda: False)
    file = tmp_path / "r"
    assert main(["scan", "--snapshot", str(stored), "--as-of", "snapshot", "-q", "-o", f"native={file}"]) == 1
    assert results(file) == results(raw)


@pytest.mark.parametrize("arguments", [["test"], ["scan", "--snapshot", str(CONTOSO)]])
def test_without_the_engine_the_user_is_told_what_to_install(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(kql, "available", lambda: False)
    assert main(arguments) == 2
    assert 'pip install "arguard[offline]"' in capfd.readouterr().err


def test_reports_do_not_depend_on_hash_seed_time_zone_or_folder(raw: Path, tmp_path: Path) -> None:
    seen = set()
    for seed, zone in (("1", "Pacific/Auckland"), ("2", "America/St_Johns")):
        folder = tmp_path / seed
        folder.mkdir()
        outputs = [part for name in ("native", "junit", "sarif", "console") for part in ("-o", f"{name}={name}")]
        done = subprocess.run(
            [sys.executable, str(ROOT / "arguard.py"), "scan", "--snapshot", str(CONTOSO), "--as-of", "snapshot", *outputs],
            cwd=folder,
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": zone},
            capture_output=True,
            check=False,
        )
        assert done.returncode == 1, done.stderr
        seen.add(tuple((folder / name).read_bytes() for name in ("native", "junit", "sarif", "console")))
    assert len(seen) == 1
    assert next(iter(seen))[0] == raw.read_bytes()
