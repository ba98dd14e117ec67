"""`arguard verify`: accepts a result that follows from its snapshot, and nothing else."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scanner.cli import main

pytestmark = pytest.mark.usefixtures("remembering")
CONTOSO = Path(__file__).resolve().parent.parent / "examples" / "contoso"
SCAN = ["scan", "--snapshot", str(CONTOSO), "--as-of", "snapshot", "--policy", "ABK101", "--policy", "ABK301", "-q"]


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("verify") / "r.ndjson"
    assert main([*SCAN, "-o", f"native={file}"]) == 1
    return file


def test_a_true_result_is_accepted(result: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(result), "--snapshot", str(CONTOSO)]) == 0
    assert "verified" in capfd.readouterr().out


def test_a_result_of_the_wall_clock_is_accepted_too(tmp_path: Path) -> None:
    file = tmp_path / "r"
    assert main(["scan", "--snapshot", str(CONTOSO), "--policy", "ABK301", "-q", "-o", f"native={file}"]) == 1
    assert main(["verify", str(file), "--snapshot", str(CONTOSO)]) == 0


def test_a_result_with_evidence_is_verified_with_the_same_evidence_alone(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    evidence, file = CONTOSO.parent / "contoso-evidence", tmp_path / "r"
    assert main([*SCAN, "--policy", "ABK701", "--evidence", str(evidence), "-o", f"native={file}"]) == 1
    again = ["verify", str(file), "--snapshot", str(CONTOSO)]
    assert main([*again, "--evidence", str(evidence)]) == 0
    other = tmp_path / "other"
    shutil.copytree(evidence, other)
    next(iter(sorted(other.iterdir()))).unlink()
    assert main([*again, "--evidence", str(other)]) == 1
    capfd.readouterr()
    assert main(again) == 2
    assert "was made with evidence" in (told := capfd.readouterr().err)
    assert "--evidence FOLDER" in told


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_changed_byte_of_the_result_is_rejected(result: Path, tmp_path: Path, data: st.DataObject) -> None:
    text = bytearray(result.read_bytes())
    place = data.draw(st.integers(0, len(text) - 1))
    text[place] ^= data.draw(st.sampled_from([1, 2, 4, 8, 16, 32]))
    changed = tmp_path / "changed"
    changed.write_bytes(text)
    assert main(["verify", str(changed), "--snapshot", str(CONTOSO)]) in {1, 2}


def test_a_forged_verdict_with_a_new_seal_is_rejected(result: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    lines = result.read_bytes().splitlines(keepends=True)
    forged = [line.replace(b'"verdict":"fail"', b'"verdict":"pass"') for line in lines]
    decision = json.loads(forged[-1])
    decision["sha256"] = hashlib.sha256(b"".join(forged[:-1])).hexdigest()
    forged[-1] = json.dumps(decision, separators=(",", ":")).encode() + b"\n"
    file = tmp_path / "forged"
    file.write_bytes(b"".join(forged))
    assert main(["verify", str(file), "--snapshot", str(CONTOSO)]) == 1
    assert '"verdict":"pass"' in capfd.readouterr().out


def test_a_shortened_result_is_rejected(result: Path, tmp_path: Path) -> None:
    file = tmp_path / "short"
    file.write_bytes(b"".join(result.read_bytes().splitlines(keepends=True)[:-1]))
    assert main(["verify", str(file), "--snapshot", str(CONTOSO)]) == 2
    file.write_bytes(b"")
    assert main(["verify", str(file), "--snapshot", str(CONTOSO)]) == 2
    assert main(["verify", str(tmp_path / "absent"), "--snapshot", str(CONTOSO)]) == 2


def test_trace_lines_after_the_decision_are_not_evidence(result: Path, tmp_path: Path) -> None:
    file = tmp_path / "traced"
    file.write_bytes(result.read_bytes() + b'{"kind":"trace","ms":12}\n')
    assert main(["verify", str(file), "--snapshot", str(CONTOSO)]) == 0


@pytest.mark.parametrize(
    "more",
    [b'{"kind":"verdict","verdict":"pass"}\n', b'{"kind":"decision","exit_code":0}\n', b"[" * 200_000, b"\n", b"{}\n"],
    ids=["verdict", "decision", "nested", "blank", "empty"],
)
def test_nothing_else_may_follow_the_decision(more: bytes, result: Path, tmp_path: Path) -> None:
    file = tmp_path / "longer"
    file.write_bytes(result.read_bytes() + more)
    assert main(["verify", str(file), "--snapshot", str(CONTOSO)]) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"as_of": "2026-11-20T06:00:00"},
        {"run_time": 7},
        {"options": {"max_age_hours": float("inf")}},
        {"options": {"max_age_hours": -1}},
        {"options": {"policies": [1]}},
        {"options": {"profile": 3}},
        {"options": {"params": {"max_disk_gib": 3}}},
        {"options": {"params": [1]}},
        {"options": {"fail_on": "awful"}},
        {"options": None},
        {"source": "aws"},
        {"source": None},
        {"identity": []},
        {"identity": {"credential": "cli", "tenant": 1, "object_id": ""}},
        {"identity": {"credential": "cli"}},
    ],
    ids=str,
)
def test_a_damaged_header_is_bad_input(change: dict[str, object], result: Path, tmp_path: Path) -> None:
    lines = result.read_bytes().splitlines(keepends=True)
    header = json.loads(lines[0])
    options = change.get("options", {})
    header |= {**change, "options": {**header["options"], **options} if isinstance(options, dict) else options}
    file = tmp_path / "damaged"
    file.write_bytes(json.dumps(header).encode() + b"\n" + b"".join(lines[1:]))
    assert main(["verify", str(file), "--snapshot", str(CONTOSO)]) == 2


@pytest.mark.parametrize("name", sorted(path.name for path in CONTOSO.iterdir() if path.suffix in {".json", ".ndjson"}))
def test_any_changed_byte_of_the_snapshot_is_rejected(name: str, result: Path, tmp_path: Path) -> None:
    copy = tmp_path / "snapshot"
    shutil.copytree(CONTOSO, copy)
    text = bytearray((copy / name).read_bytes())
    text[len(text) // 2] ^= 1
    (copy / name).write_bytes(text)
    assert main(["verify", str(result), "--snapshot", str(copy)]) in {1, 2}


def test_a_changed_policy_is_rejected(result: Path, tmp_path: Path) -> None:
    pack = tmp_path / "azure-backup"
    shutil.copytree(CONTOSO.parent.parent / "policies" / "azure-backup", pack)
    file = next(pack.glob("ABK301-*.yaml"))
    file.write_text(file.read_text() + "# a comment\n")
    assert main(["verify", str(result), "--snapshot", str(CONTOSO), "--pack", str(pack)]) == 1
