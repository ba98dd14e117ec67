"""The generated estates: valid, repeatable, and wrong exactly where they were made wrong."""

from __future__ import annotations

import json
from pathlib import Path

from scanner.cli import main
from tests import big_estate


def test_every_planted_defect_is_found_and_nothing_else(tmp_path: Path) -> None:
    written = big_estate.write(tmp_path / "estate", subscriptions=20, vms_per_subscription=6, defects=0.3)
    report = tmp_path / "result.ndjson"
    arguments = ["scan", "--snapshot", str(tmp_path / "estate"), "--as-of", "snapshot", "-q", "-o", f"native={report}"]
    assert main(arguments) == 1
    lines = [json.loads(line) for line in report.read_text("utf-8").splitlines()]
    failed = [line["policy"] for line in lines if line["kind"] == "verdict" and line["verdict"] == "fail"]
    assert {policy: failed.count(policy) for policy in big_estate.DEFECTS} == written.planted
    assert min(written.planted.values()) > 0
    verdicts = [line for line in lines if line["kind"] == "verdict"]
    assert {line["verdict"] for line in verdicts} == {"pass", "fail", "not_applicable"}
    # An extension that takes no snapshots, and a VM that is gone: its schedule binds nobody.
    excused = {line["policy"] for line in verdicts if line["verdict"] == "not_applicable"}
    assert excused == {"ABK403", "ABK603", "ABK604", "ABK607"}  # no VM has two vaults
    assert lines[-1]["complete"] is True


def test_without_defects_the_estate_is_healthy(tmp_path: Path) -> None:
    big_estate.write(tmp_path / "estate", subscriptions=3, vms_per_subscription=2, defects=0)
    assert main(["scan", "--snapshot", str(tmp_path / "estate"), "--as-of", "snapshot", "-q"]) == 0


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        big_estate.write(tmp_path / name, subscriptions=3, vms_per_subscription=4, defects=0.5)
    files = [{path.name: path.read_bytes() for path in sorted((tmp_path / name).iterdir())} for name in ("one", "two")]
    assert files[0] == files[1]
