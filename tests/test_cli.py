"""The command line as its users meet it: exit codes, files and texts."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

import reporters
import reporters.junit
import scanner.scan
from reporters.view import View
from scanner.attach import Joined
from scanner.cli import Terminated, main, outputs
from scanner.evaluate import evaluate as evaluate_rows
from scanner.model import Finding, ScanResult
from scanner.plan import Asked

ROOT = Path(__file__).resolve().parent.parent
CONTOSO = ROOT / "examples" / "contoso"
PROD = "1c0507aa-6f2e-4d0b-8a11-3e5b9d7c0001"
SHARED = "2c0507aa-6f2e-4d0b-8a11-3e5b9d7c0002"
DR = "3c0507aa-6f2e-4d0b-8a11-3e5b9d7c0003"
SCAN = ["scan", "--snapshot", str(CONTOSO), "--as-of", "snapshot"]
HEALTHY = [*SCAN, "--policy", "ABK501", "--subscription", DR]
REFUSED = [*SCAN, "--policy", "ABK101", "--subscription", DR]


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("NO_COLOR", "FORCE_COLOR", "SOURCE_DATE_EPOCH", "ARGUARD_FAIL_ON", "ARGUARD_POLICY"):
        monkeypatch.delenv(name, raising=False)
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def lines_of(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_bytes().splitlines()]


# Exit codes of the design's table, one by one.


def test_0_when_nothing_blocks_and_nothing_is_missing(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(HEALTHY) == 0
    assert "0" in capfd.readouterr().out


def test_1_when_a_finding_blocks() -> None:
    assert main([*SCAN, "--policy", "ABK602"]) == 1


def test_3_when_something_that_counts_was_not_seen(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(REFUSED) == 3
    assert "DENIED" in capfd.readouterr().out


def test_3_when_the_snapshot_is_old(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", "--snapshot", str(CONTOSO), "--policy", "ABK501", "--subscription", DR]) == 3
    assert "STALE" in capfd.readouterr().out


def test_an_old_snapshot_is_no_gap_within_the_age_that_was_asked_for() -> None:
    arguments = ["scan", "--snapshot", str(CONTOSO), "--policy", "ABK501", "--subscription", DR, "--max-age", "99999d"]
    assert main(arguments) == 0


def test_3_when_an_expected_subscription_is_not_in_the_snapshot(capfd: pytest.CaptureFixture[str]) -> None:
    assert main([*HEALTHY, "--subscription", "99999999-0000-0000-0000-000000000000"]) == 3
    assert "SCOPE_MISSING" in capfd.readouterr().out


def test_what_cannot_change_the_decision_never_turns_a_run_red() -> None:
    assert main([*SCAN, "--policy", "ABK502"]) == 0  # a medium finding and an unknown, below --fail-on high
    assert main([*SCAN, "--policy", "ABK502", "--fail-on", "medium"]) == 1
    assert main([*SCAN, "--fail-on", "never"]) == 0


def test_allow_incomplete_lowers_3_to_0_loudly(capfd: pytest.CaptureFixture[str]) -> None:
    assert main([*REFUSED, "--allow-incomplete"]) == 0
    assert "--allow-incomplete" in capfd.readouterr().out


def test_130_when_interrupted_and_what_was_done_is_kept(tmp_path: Path, stop: Callable[[BaseException], None]) -> None:
    stop(KeyboardInterrupt())
    assert (
        main([*SCAN, "-o", f"native={tmp_path / 'r'}", "-o", f"junit={tmp_path / 'j'}", "-o", f"sarif={tmp_path / 's'}"]) == 130
    )
    decision = lines_of(tmp_path / "r")[-1]
    assert decision["exit_code"] == 130
    assert decision["complete"] is False
    assert json.loads((tmp_path / "s").read_bytes())["runs"][0]["invocations"][0]["executionSuccessful"] is False
    assert b"<error" in (tmp_path / "j").read_bytes()


def test_143_when_terminated(stop: Callable[[BaseException], None]) -> None:
    stop(Terminated())
    assert main(SCAN) == 143


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_before_the_scan_has_its_code_too(
    number: signal.Signals, code: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_arguments: object) -> None:
        signal.raise_signal(number)

    monkeypatch.setattr("scanner.cli.scanning.load_packs", interrupt)
    assert main(SCAN) == code
    assert "interrupted" in capfd.readouterr().err


def test_70_for_a_bug_in_arguard(
    stop: Callable[[BaseException], None], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    stop(RuntimeError("a secret value"))
    assert main([*HEALTHY, "-o", f"native={tmp_path / 'r'}"]) == 70
    printed = capfd.readouterr()
    assert "a bug ended the scan: RuntimeError in evaluate" in printed.err
    assert "a secret value" not in printed.err + printed.out
    assert lines_of(tmp_path / "r")[-1]["complete"] is False


@pytest.fixture
def stop(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Let the last policy of a scan end it."""

    def arrange(failure: BaseException) -> None:
        def evaluate(asked: Asked, rows: Iterable[Joined], answered: frozenset[str]) -> Iterator[Finding]:
            if asked.policy.id in {"ABK501", "ABK602"}:
                raise failure
            return evaluate_rows(asked, rows, answered)

        monkeypatch.setattr(scanner.scan, "evaluate", evaluate)

    return arrange


# Every pair of codes that can occur together: the stronger wins.


@pytest.fixture
def break_output(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_result: ScanResult, _view: View) -> Iterator[bytes]:
        yield b"<testsuites>"
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(reporters.junit, "render", full)


def test_130_beats_3(stop: Callable[[BaseException], None]) -> None:
    stop(KeyboardInterrupt())
    assert main([*SCAN, "--policy", "ABK501", "--policy", "ABK101", "--subscription", DR]) == 130


@pytest.mark.usefixtures("break_output")
def test_70_beats_4(stop: Callable[[BaseException], None], tmp_path: Path) -> None:
    stop(RuntimeError())
    assert main([*HEALTHY, "-o", f"junit={tmp_path / 'j'}"]) == 70


def test_70_beats_1(stop: Callable[[BaseException], None]) -> None:
    stop(RuntimeError())
    assert main(SCAN) == 70


@pytest.mark.usefixtures("break_output")
@pytest.mark.parametrize("arguments", [[*SCAN, "--policy", "ABK602"], REFUSED, HEALTHY], ids=["4/1", "4/3", "4/0"])
def test_4_beats_1_and_3_and_the_other_outputs_are_written(
    arguments: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    old = tmp_path / "j"
    old.write_text("the report of yesterday")
    assert main([*arguments, "-o", f"junit={old}", "-o", f"native={tmp_path / 'r'}"]) == 4
    assert old.read_text() == "the report of yesterday"
    assert lines_of(tmp_path / "r")[-1]["kind"] == "decision"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["j", "r"]
    assert f"{old}: No space left on device" in capfd.readouterr().err


def test_1_beats_3() -> None:
    assert main([*SCAN, "--policy", "ABK101"]) == 1


# Bad input: exit 2, every problem named, nothing scanned.


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--policy", "ZZZ999"], ["--policy ZZZ999", "there are: ABK101, "]),
        (["--policy", "disk-to-large"], ["did you mean disk-too-large"]),
        (["--policy", "ZZZ999", "--profile", "artcle"], ["ZZZ999", "artcle", "did you mean article"]),
        (["--param", "max_disk_gib"], ["--param max_disk_gib", "NAME=VALUE"]),
        (["--param", "max_disk_gib=1", "--param", "max_disk_gib=2"], ["--param max_disk_gib: given 2 times"]),
        (["--param", "max_disk=1"], ["max_disk", "did you mean max_disk_gib"]),
        (["--param", "max_disk_gib=big"], ["max_disk_gib=big", "whole number"]),
        (["--max-age", "soon"], ["--max-age soon", "24h"]),
        (["-o", "junitt=x"], ["junitt", "did you mean junit"]),
        (["-o", "junit", "-o", "sarif"], ["-o junit -o sarif: two outputs on stdout"]),
        (
            ["--subscription", "contoso-prod", "--param", "x", "--max-age", "soon"],
            ["contoso-prod", "GUID", "az ", "x:", "soon"],
        ),
        (["-o", "junit=x", "-o", "sarif=x"], ["two outputs have this file"]),
        (["-o", "junit="], ["file name is missing"]),
        (["--fail-on", "hihg"], ["hihg"]),
        (["--snapshto", "x"], ["--snapshto", "--snapshot"]),
    ],
)
def test_2_for_a_command_line_that_makes_no_sense(
    arguments: list[str], words: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert main([*SCAN, *arguments]) == 2
    printed = capfd.readouterr()
    assert not printed.out
    assert all(word in printed.err for word in words), printed.err
    assert "Traceback" not in printed.err
    assert all(line.startswith("arguard: ") for line in printed.err.splitlines())


def test_2_for_a_bad_value_names_the_environment_variable_it_came_from(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ARGUARD_FAIL_ON", "hihg")
    assert main(SCAN) == 2
    assert "ARGUARD_FAIL_ON in the environment" in capfd.readouterr().err
    assert main([*SCAN, "--fail-on", "hihg"]) == 2
    assert "ARGUARD_FAIL_ON" not in capfd.readouterr().err


def test_2_without_a_command_and_the_help_on_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    printed = capfd.readouterr()
    assert not printed.out
    assert "Commands:" in printed.err


def test_2_for_a_snapshot_that_is_not_there(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", "--snapshot", str(tmp_path / "nothing")]) == 2
    assert "nothing" in capfd.readouterr().err


@pytest.mark.parametrize("kind", ["folder", "missing folder", "link", "pipe", "snapshot"])
def test_4_before_the_scan_for_an_output_that_cannot_work(
    kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    targets = {"folder": tmp_path, "missing folder": tmp_path / "no" / "x", "snapshot": CONTOSO / "new"}
    target = targets.get(kind, tmp_path / kind)
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / "pipe")

    def unexpected(*_arguments: object) -> None:
        raise AssertionError("the scan was started")

    monkeypatch.setattr("scanner.cli.scanning.scan", unexpected)
    assert main([*HEALTHY, "-o", f"junit={target}"]) == 4
    assert str(target) in capfd.readouterr().err
    assert not (tmp_path / "elsewhere").exists()
    assert (tmp_path / "pipe").is_fifo()


# Outputs.


def test_a_report_on_stdout_is_pure(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main([*HEALTHY, "-v", "-o", "native"]) == 0
    printed = capfdbinary.readouterr()
    assert [json.loads(line)["kind"] for line in printed.out.splitlines()][-1] == "decision"
    assert printed.err


class Full(io.FileIO):
    def write(self, _data: object, /) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("arguments", [["list"], HEALTHY, [*HEALTHY, "-o", "native"]])
def test_4_when_stdout_takes_no_more(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with Full(os.devnull, "w") as full, io.TextIOWrapper(full, encoding="utf-8") as stdout:
        monkeypatch.setattr("sys.stdout", stdout)
        assert main(arguments) == 4
    assert "stdout: No space left on device" in capfd.readouterr().err


@pytest.mark.parametrize("arguments", [["list"], HEALTHY, [*HEALTHY, "-q", "-o", "native"]])
def test_4_when_stdout_is_closed(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout", None)
    assert main(arguments) == 4
    assert "closed" in capfd.readouterr().err


@pytest.mark.parametrize("name", ["snapshot", "evidence"])
def test_what_is_read_is_never_written_to(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folders = {one: tmp_path / one for one in ("snapshot", "evidence")}
    for one, folder in folders.items():
        shutil.copytree(CONTOSO if one == "snapshot" else CONTOSO.parent / "contoso-evidence", folder)
    file = folders[name] / "r.xml"
    given = ["--snapshot", str(folders["snapshot"]), "--evidence", str(folders["evidence"])]
    assert main(["scan", *given, "-q", "-o", f"junit={file}"]) == 4
    assert f"lies in the {name}, which is never changed" in capfd.readouterr().err
    assert not file.exists()


def test_a_closed_stdout_is_no_obstacle_where_nothing_is_printed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.stdout", None)
    assert main([*HEALTHY, "-q", "-o", f"native={tmp_path / 'r'}"]) == 0
    assert (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["list"], 0),
        (HEALTHY, 0),
        ([*SCAN, "--policy", "ABK602"], 1),
        ([*HEALTHY, "-o", "console"], 0),
        ([*HEALTHY, "-o", "native"], 4),  # a report that was asked for and did not arrive whole
    ],
)
def test_a_reader_that_went_away_does_not_change_the_decision(
    arguments: list[str], code: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", encoding="utf-8") as pipe:
        monkeypatch.setattr("sys.stdout", pipe)
        assert main(arguments) == code
    assert "Traceback" not in capfd.readouterr().err


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_progress_that_leaves_no_trace(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr("sys.stderr", terminal)
    assert main(HEALTHY) == 0
    buffer = terminal.buffer
    assert isinstance(buffer, io.BytesIO)
    shown = buffer.getvalue().decode().split("\r")
    assert [text.strip() for text in shown if "protected-disks" in text]
    assert not shown[-1]
    assert not shown[-2].strip()
    assert "protected-disks" not in capfd.readouterr().out


@pytest.mark.parametrize("option", ["-q", "-v"])
def test_no_progress_where_it_would_be_in_the_way(option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr("sys.stderr", terminal)
    assert main([*HEALTHY, option]) == 0
    buffer = terminal.buffer
    assert isinstance(buffer, io.BytesIO)
    assert b"\r" not in buffer.getvalue()


@pytest.mark.parametrize(("name", "colour"), [("FORCE_COLOR", True), ("NO_COLOR", False)])
def test_colour_is_what_the_environment_asks_for(
    name: str, *, colour: bool, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, "1")
    for arguments in (HEALTHY, [*HEALTHY, "-o", "console"]):
        assert main(arguments) == 0
        assert ("\x1b[" in capfd.readouterr().out) is colour


def test_what_was_written_is_said(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    junit, native = tmp_path / "j", tmp_path / "r"
    assert main([*HEALTHY, "-o", f"junit={junit}", "-o", f"native={native}"]) == 0
    assert capfd.readouterr().err == f"arguard: written: {junit}, {native}\n"


def test_files_are_private_and_replace_the_old_ones(tmp_path: Path) -> None:
    file = tmp_path / "r"
    file.write_text("old")
    assert main([*HEALTHY, "-o", f"native={file}", "-q"]) == 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert lines_of(file)[0]["kind"] == "scan"


def test_quiet_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    assert main([*HEALTHY, "-q"]) == 0
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == ("", "")


def test_the_log_file_tells_more_than_the_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main([*HEALTHY, "--log-file", str(tmp_path / "log")]) == 0
    assert "protected-disks" in (tmp_path / "log").read_text()
    assert capfd.readouterr().err == ""


def test_a_log_file_that_cannot_be_opened_is_4(tmp_path: Path) -> None:
    assert main([*HEALTHY, "--log-file", str(tmp_path / "no" / "log")]) == 4


def test_a_broken_reporter_does_not_take_the_others_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(_result: ScanResult, _view: View) -> Iterator[bytes]:
        raise ZeroDivisionError
        yield b""

    monkeypatch.setattr(reporters.junit, "render", broken)
    assert main([*HEALTHY, "-o", f"junit={tmp_path / 'j'}", "-o", f"native={tmp_path / 'r'}"]) == 4
    assert (tmp_path / "r").exists()
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_options_can_come_from_the_environment_and_flags_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARGUARD_FAIL_ON", "never")
    assert main([*SCAN, "--policy", "ABK602"]) == 0
    assert main([*SCAN, "--policy", "ABK602", "--fail-on", "high"]) == 1


def test_source_date_epoch_changes_the_printed_time_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    assert main(["scan", "--snapshot", str(CONTOSO), "--policy", "ABK501", "-o", f"native={tmp_path / 'r'}"]) == 1
    header = lines_of(tmp_path / "r")[0]
    assert header["run_time"] == "1970-01-01T00:00:00Z"
    assert str(header["as_of"]) > "2026"


def test_a_failing_bug_names_no_value(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    def bug(*_arguments: object, **_named: object) -> None:
        raise RuntimeError("password=hunter2")

    monkeypatch.setattr(outputs, "check", bug)
    assert main(HEALTHY) == 70
    printed = capfd.readouterr().err
    assert "RuntimeError" in printed
    assert "hunter2" not in printed
    assert "Traceback" not in printed


# The other commands.


@pytest.mark.parametrize("name", ["ABK502", "encrypted-disk-too-large"])
def test_only_the_cases_of_one_policy(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["test", "--policy", name]) == 0
    assert "cases of 1 policy: " in capfd.readouterr().out


def test_the_help_groups_the_options_and_names_the_formats(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", "--help"]) == 0
    printed = capfd.readouterr().out
    groups = ["What is judged:", "What decides:", "Output:", "Other:"]
    assert [line for line in printed.splitlines() if line in groups] == groups
    assert all(name in printed for name in reporters.names())
    assert "ARGUARD_" in printed
    assert main(["verify", "--help"]) == 0
    assert capfd.readouterr().out.count("RESULT") == 2


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    file = tmp_path / "r"
    assert main([*HEALTHY, "-q", "-o", f"native={file}"]) == 0
    return file


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("as_of", "yesterday"),
        ("options", []),
        ("options.subscriptions", [1]),
        ("options.profile", None),
        ("options.params", [1]),
    ],
)
def test_verify_says_which_line_of_which_file_is_damaged(
    key: str, value: object, recorded: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    lines = recorded.read_bytes().splitlines(keepends=True)
    header = json.loads(lines[0])
    first, _, second = key.partition(".")
    if second:
        header[first][second] = value
    else:
        header[first] = value
    recorded.write_bytes(b"".join([json.dumps(header).encode() + b"\n", *lines[1:]]))
    assert main(["verify", str(recorded), "--snapshot", str(CONTOSO)]) == 2
    printed = capfd.readouterr().err
    assert f"{recorded}:1:1: the scan line is damaged" in printed
    assert "-o native=FILE" in printed


def test_verify_shows_where_a_line_differs(recorded: Path, capfd: pytest.CaptureFixture[str]) -> None:
    lines = recorded.read_bytes().splitlines(keepends=True)
    changed = lines[-3].replace(b'"verdict":"pass"', b'"verdict":"fail"')
    assert changed != lines[-3]
    recorded.write_bytes(b"".join([*lines[:-3], changed, *lines[-2:]]))
    assert main(["verify", str(recorded), "--snapshot", str(CONTOSO)]) == 1
    told = capfd.readouterr().out.splitlines()
    assert told[0].startswith(f"line {len(lines)}: the sha256")
    assert told[1].startswith(f"line {len(lines) - 2}: recorded  ...")
    assert told[1].count('"verdict":"fail"') == told[2].count('"verdict":"pass"') == 1
    assert told[-1].startswith("NOT VERIFIED")


def test_verify_refuses_what_is_no_result(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "x"
    for text in ("", "# README\n", "[" * 100_000, "[]\n"):
        file.write_text(text)
        assert main(["verify", str(file), "--snapshot", str(CONTOSO)]) == 2
        assert "is not a whole native result" in capfd.readouterr().err


def test_a_case_that_fails_says_where_and_how(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pack = tmp_path / "azure-backup"
    shutil.copytree(ROOT / "policies" / "azure-backup", pack)
    # Four policies say it as well as all of them do; that all cases hold is proven where the commands of the README run.
    (pack / "coverage.yaml").unlink()
    about = (pack / "pack.yaml").read_text()
    (pack / "pack.yaml").write_text(about[: about.index("codes:\n")] + about[about.index("parameters:\n") :])
    for file in [*pack.glob("ABK*.yaml"), *(pack / "cases").iterdir()]:
        if file.name[:6] not in {"ABK101", "ABK501", "ABK502", "ABK602"}:
            file.unlink()
    cases = pack / "cases" / "ABK501.yaml"
    cases.write_text(cases.read_text().replace("fail: [web01_d1, web02_os]", "fail: [web02_os]", 1))
    (pack / "cases" / "ABK602.yaml").unlink()
    assert main(["test", str(pack)]) == 1
    printed = capfd.readouterr().out
    assert "FAIL  ABK501  a disk of exactly the limit" in printed
    assert "cases/ABK501.yaml:3)" in printed
    assert "not expected: fail for" in printed
    assert "UNTESTED  ABK602" in printed
    assert "1 fail, 1 untested" in printed
    assert main(["test", "--policy", "ZZZ999", str(pack)]) == 2
    assert "there are: ABK101" in capfd.readouterr().err


def test_list_names_every_policy(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    printed = capfd.readouterr().out
    assert all(policy in printed for policy in ("ABK101", "ABK301", "ABK401", "ABK501", "ABK502", "ABK602"))


def test_schema_prints_one_schema_or_all(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "policy"]) == 0
    assert "properties" in json.loads(capfd.readouterr().out)
    assert main(["schema"]) == 0
    assert set(json.loads(capfd.readouterr().out)) == {"policy", "pack", "cases", "coverage", "evidence", "snapshot"}


def test_the_demo_works_whatever_it_finds(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "-o", f"native={tmp_path / 'r'}"]) == 0
    printed = capfd.readouterr()
    assert printed.out.startswith("FAIL  exit 1")
    assert "a pipeline would have got exit code 1" in printed.err
    assert main(["demo", "-o", f"native={tmp_path / 'no' / 'r'}"]) == 4


def test_version(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    assert capfd.readouterr().out.startswith("arguard 0.")


def test_a_finding_is_what_the_console_is_given(capfd: pytest.CaptureFixture[str]) -> None:
    assert Finding.__slots__  # frozen data, not objects that reporters could change
    assert main([*SCAN, "--policy", "ABK602"]) == 1
    printed = capfd.readouterr().out
    assert "erp-db-01" in printed
    assert "az backup protection resume" in printed
