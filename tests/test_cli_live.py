"""`arguard scan` and `arguard collect` against Azure: through the real SDK, over TLS, to an emulator."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from scanner.cli import main
from scanner.cli.options import AUTHS, CLOUDS
from scanner.emulator.exchange import Reply, Seen
from scanner.emulator.script import Fault, Wire
from scanner.emulator.server import Emulator
from scanner.model import Identity
from scanner.sources.azure import clouds, credentials
from tests.conftest import a_query
from tests.live_azure import CONTOSO, DR, PROD, azure, lines_of

POLICIES = ["--policy", "ABK101", "--policy", "ABK602"]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with azure(tmp_path_factory.mktemp("emulator") / "spool") as emulator:
        yield emulator


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def scanned(file: Path, *arguments: str) -> list[dict[str, Any]]:
    main(["scan", *POLICIES, "-q", "-o", f"native={file}", *arguments])
    return lines_of(file)


def judged(lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for line in lines if line["kind"] in {"policy", "verdict", "gap", "summary"}]


# A live scan.


@pytest.mark.usefixtures("cloud")
def test_a_live_scan_says_what_the_same_estate_says_offline(tmp_path: Path) -> None:
    live = scanned(tmp_path / "live", "--all")
    offline = scanned(tmp_path / "offline", "--snapshot", str(CONTOSO), "--as-of", "snapshot")
    assert judged(live) == judged(offline)
    assert len(judged(live)) > 50


def test_bad_evidence_costs_no_question_to_azure(cloud: Emulator, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "web01.json").write_text("{")
    cloud.restart()
    assert main(["scan", "--all", "--evidence", str(tmp_path / "docs"), "-q"]) == 2
    assert "web01.json:1:2: not JSON" in capfd.readouterr().err
    assert cloud.seen == []


@pytest.mark.usefixtures("cloud")
def test_the_result_says_who_asked_what_and_when(tmp_path: Path) -> None:
    lines = scanned(tmp_path / "r", "--all")
    header = lines[0]
    assert header["source"] == "azure"
    assert header["identity"] == {"credential": "StaticToken", "tenant": "", "object_id": ""}
    assert header["scope"]["kind"] == "discovered"
    assert header["as_of"] == header["collected_at"]
    assert list(header["digests"]) == ["pack:azure-backup"]
    kinds = [line["kind"] for line in lines]
    traces = lines[kinds.index("decision") + 1 :]
    assert {line["kind"] for line in traces} == {"trace"}
    assert {line["route"] for line in traces} == {"subscriptions", "permissions", "locks", "graph"}
    assert all(line["attempts"] >= 1 for line in traces)


@pytest.mark.usefixtures("cloud")
@pytest.mark.parametrize(
    ("scope", "expected", "groups"),
    [(["--subscription", PROD.upper()], [PROD], []), (["--management-group", "root", "--subscription", DR], None, ["root"])],
)
def test_a_scope_that_was_named_is_proven(
    scope: list[str], expected: list[str] | None, groups: list[str], tmp_path: Path
) -> None:
    found = scanned(tmp_path / "r", *scope)[0]["scope"]
    assert (found["kind"], found["management_groups"]) == ("proven", groups)
    assert found["expected"] == expected or (expected is None and len(found["expected"]) == 3)


@pytest.mark.usefixtures("cloud")
@pytest.mark.parametrize("scope", [["--all"], ["--management-group", "root", "--subscription", DR]])
def test_what_was_saved_verifies_the_result_and_is_judged_alike(
    scope: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "kept"
    live = scanned(tmp_path / "r", *scope, "--save", str(kept))
    assert "snapshot" in live[0]["digests"]
    assert main(["verify", str(tmp_path / "r"), "--snapshot", str(kept)]) == 0
    assert "verified" in capfd.readouterr().out
    replayed = scanned(tmp_path / "again", "--snapshot", str(kept))
    assert judged(replayed) == judged(live)
    assert main(["scan", "--all", "--save", str(kept), "-o", f"junit={kept / 'x'}"]) == 4


@pytest.mark.usefixtures("cloud")
def test_each_stage_is_one_line_where_there_is_no_terminal(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["scan", "--subscription", PROD, *POLICIES, "-o", f"junit={tmp_path / 'j'}", "-o", "native"]) == 1
    told = [line.removeprefix("arguard: ") for line in capfd.readouterr().err.splitlines()]
    starts = ["signed in with StaticToken at https://localhost:", "scope: 1 subscription", "asked: ", "judged ", "written: "]
    assert [text for text, start in zip(told, starts, strict=True) if not text.startswith(start)] == []


@pytest.mark.usefixtures("cloud")
def test_verbose_shows_each_request_and_never_the_token(
    cloud: Emulator, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    arguments = ["scan", "--subscription", PROD, *POLICIES, "-v", "-o", f"native={tmp_path / 'r'}"]
    assert main([*arguments, "--log-file", str(log)]) == 1
    printed = capfd.readouterr()
    assert sum("graph" in line for line in printed.err.splitlines()) >= 2
    assert cloud.token not in printed.err + printed.out + log.read_text() + (tmp_path / "r").read_text()


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


@pytest.mark.usefixtures("cloud")
def test_a_terminal_shows_one_moving_line_that_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr("sys.stderr", terminal)
    arguments = ["--subscription", PROD, "--policy", "ABK602"]
    assert main(["scan", *arguments, "-o", f"junit={tmp_path / 'j'}"]) == 1
    terminal.flush()
    buffer = terminal.buffer
    assert isinstance(buffer, io.BytesIO)
    shown = buffer.getvalue().decode()
    assert "\rasking Azure what there is" in shown
    assert shown.split("\r")[-1].strip() == f"arguard: written: {tmp_path / 'j'}"
    assert "signed in" not in shown


def test_a_live_scan_needs_no_engine_for_kql(cloud: Emulator, tmp_path: Path) -> None:
    program = """
import sys
from importlib.machinery import PathFinder
class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.split(".")[0] in {"duckdb", "duckdb_kql"} else PathFinder.find_spec(name, path, target)
sys.meta_path = [Without if finder is PathFinder else finder for finder in sys.meta_path]
from scanner.cli import main
sys.exit(main(sys.argv[1:]))
"""
    base = [sys.executable, "-c", program]
    root = Path(__file__).resolve().parent.parent
    file = tmp_path / "r"
    scan = ["scan", "--subscription", PROD, *POLICIES, "-q", "-o", f"native={file}"]
    done = subprocess.run([*base, *scan], cwd=root, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert sum(line["kind"] == "verdict" for line in lines_of(file)) > 20
    assert not [line for line in lines_of(file) if line["kind"] == "gap"]
    done = subprocess.run(
        [*base, "collect", str(tmp_path / "c"), "--all", "--raw"], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "--raw needs the extra 'offline'" in done.stderr
    assert cloud.url not in done.stderr


# An interruption.


def interrupting(number: signal.Signals) -> Callable[[Seen], None]:
    def watch(seen: Seen) -> None:
        if seen.route == "permissions":
            os.kill(os.getpid(), number)

    return watch


STALL = Fault(route="locks", action=Wire(kind="stall"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_scan_judges_what_it_has_and_says_so(number: signal.Signals, code: int, tmp_path: Path) -> None:
    kept, file = tmp_path / "kept", tmp_path / "r"
    with azure(tmp_path / "spool", faults=[STALL], watch=interrupting(number)):
        arguments = ["scan", "--subscription", PROD, *POLICIES, "-q", "--save", str(kept), "-o", f"native={file}"]
        assert main(arguments) == code
    lines = lines_of(file)
    decision = next(line for line in lines if line["kind"] == "decision")
    assert (decision["exit_code"], decision["complete"]) == (code, False)
    assert ("FAILED", "Interrupted") in {(line["reason"], line["text"]) for line in lines if line["kind"] == "gap"}
    assert not any(line["verdict"] == "pass" for line in lines if line["kind"] == "verdict" and line["policy"] == "ABK101")
    assert "snapshot" not in lines[0]["digests"]
    assert not (kept / "manifest.json").exists()


class WhileBroken:
    """Which requests a fault concerns: all of them until it is mended."""

    broken = True

    def __contains__(self, _number: object) -> bool:
        return self.broken


def test_an_interrupted_collection_goes_on_with_the_same_command(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "snapshot"
    state = WhileBroken()
    faults = [Fault(route="locks", numbers=state, action=Wire(kind="stall"))]

    def watch(seen: Seen) -> None:
        if state.broken:
            interrupting(signal.SIGINT)(seen)

    command = ["collect", str(folder), "--subscription", PROD, "--policy", "ABK101"]
    with azure(tmp_path / "spool", faults=faults, watch=watch) as emulator:
        assert main(command) == 130
        state.broken = False
        assert not (folder / "manifest.json").exists()
        assert "the same command goes on" in capfd.readouterr().err
        before = sum(seen.route == "subscriptions" for seen in emulator.seen)
        assert main(command) == 0
        assert sum(seen.route == "subscriptions" for seen in emulator.seen) == before
        printed = capfd.readouterr()
        assert "going on with the collection" in printed.err
        assert f"arguard scan --snapshot {folder}" in printed.out
        assert main([*command, "--fresh"]) == 0
        assert "going on" not in capfd.readouterr().err


# collect.


@pytest.mark.usefixtures("cloud")
def test_collect_says_what_it_wrote_and_what_is_missing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "a snapshot"
    assert main(["collect", str(folder), "--all", *POLICIES]) == 3
    first, *gaps, last = capfd.readouterr().out.splitlines()
    assert first.startswith(f"{folder}: 3 tables, ")
    assert gaps == [f"gap DENIED: 403 AuthorizationFailed: 1 subscription ({DR}), in arm_locks"]
    assert last == f"judge it with: arguard scan --snapshot '{folder}'"
    assert main(["scan", "--snapshot", str(folder), *POLICIES, "-q"]) == 1
    assert main(["collect", str(folder), "--subscription", PROD, *POLICIES, "-q"]) == 0
    assert capfd.readouterr().out == ""


@pytest.mark.usefixtures("cloud")
def test_collect_raw_keeps_whole_tables_for_policies_to_come(tmp_path: Path) -> None:
    folder = tmp_path / "raw"
    assert main(["collect", str(folder), "--subscription", PROD, "--policy", "ABK501", "--raw", "-q"]) == 0
    assert {path.name.partition(".")[0] for path in folder.glob("*.ndjson")} == {"resources", "recoveryservicesresources"}
    assert main(["scan", "--snapshot", str(folder), "--policy", "ABK502", "-q", "--fail-on", "medium"]) == 1


def test_the_tables_of_raw_are_those_of_all_queries_together() -> None:
    from scanner.cli.collecting import raw_tables  # noqa: PLC0415 - the Azure SDK, for this test alone

    some, more, every = (
        a_query(name, tables={"resources": types})
        for name, types in [("some", frozenset({"a"})), ("more", frozenset({"b"})), ("every", None)]
    )
    other = a_query("other", tables={"resourcecontainers": frozenset({"c"})})
    assert raw_tables([some, more, other]) == {"resources": frozenset("ab"), "resourcecontainers": frozenset("c")}
    assert raw_tables([some, every, more]) == {"resources": None}
    assert raw_tables([a_query("unknown")]) == {}


@pytest.mark.usefixtures("cloud")
def test_collect_leaves_a_folder_of_other_things_alone(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    assert main(["collect", str(tmp_path), "--all"]) == 2
    assert "thesis.txt" in capfd.readouterr().err
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_an_empty_scope_is_a_gap_and_no_silence(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from scanner.emulator.roles import Roles  # noqa: PLC0415 - of this test alone

    with azure(tmp_path / "spool", roles=Roles([])):
        assert main(["collect", str(tmp_path / "c"), "--all", "--policy", "ABK101"]) == 3
        assert "SCOPE_EMPTY" in capfd.readouterr().out
        assert main(["scan", "--all", "--policy", "ABK101"]) == 3
        assert "the scope holds no subscription" in capfd.readouterr().out


# Sign-in.


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ARGUARD_ENDPOINT", "ARGUARD_TOKEN", "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", "")


@pytest.mark.usefixtures("nobody")
def test_without_a_sign_in_everything_is_a_gap_and_the_cure_is_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "r"
    arguments = ["--subscription", PROD, *POLICIES, "--auth", "cli", "-o", f"native={file}"]
    assert main(["scan", *arguments]) == 3
    told = [line for line in capfd.readouterr().err.splitlines() if "sign-in failed (cli)" in line]
    assert len(told) == 1
    assert "az login" in told[0]
    gaps = {(line["reason"], line["text"]) for line in lines_of(file) if line["kind"] == "gap"}
    assert ("DENIED", "SignInFailed") in gaps
    assert lines_of(file)[0]["identity"]["credential"] == "cli"


def test_a_sign_in_that_hangs_is_given_up() -> None:
    from scanner.cli import live  # noqa: PLC0415 - the Azure SDK, for this test alone

    released = Event()

    def hang() -> Identity:
        released.wait(60)
        return Identity(credential="late")

    told = live.sign_in(hang, "managed", seconds=0.05)
    released.set()
    assert (told.identity, told.trouble) == (Identity(credential="managed"), "no answer within 0.05 s")


@pytest.mark.usefixtures("nobody")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--auth", "env"], ["--auth env", "AZURE_TENANT_ID", "AZURE_CLIENT_ID"]),
        (["--endpoint", "https://localhost:8443"], ["ARGUARD_TOKEN", "arguard emulate"]),
    ],
)
@pytest.mark.parametrize("command", [["scan"], ["collect", "snapshot"], ["doctor"]])
def test_settings_that_a_sign_in_lacks_are_bad_input(
    command: list[str], arguments: list[str], words: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command = [str(tmp_path / part) if part == "snapshot" else part for part in command]
    assert main([*command, "--all", *arguments]) == 2
    told = capfd.readouterr().err
    assert all(word in told for word in words), told


def test_a_token_goes_to_this_machine_only(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("ARGUARD_TOKEN", "secret-token")
    assert main(["scan", "--all", "--endpoint", "https://management.azure.com"]) == 2
    told = capfd.readouterr().err
    assert "this machine" in told
    assert "secret-token" not in told


# The command line.


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["nothing to judge", "--snapshot", "--subscription", "--management-group", "--all"]),
        (["--all", "--subscription", PROD], ["--all: is everything already"]),
        (["--all", "--snapshot", "x"], ["--all: asks Azure", "--snapshot"]),
        (["--management-group", "g", "--snapshot", "x"], ["--management-group: asks Azure"]),
        (["--snapshot", "x", "--save", "y"], ["--save: keeps what Azure answers"]),
        (["--all", "--as-of", "snapshot"], ["--as-of snapshot: goes with --snapshot"]),
        (["--all", "--deadline", "soon"], ["--deadline soon", "90s, 30m or 2h"]),
        (["--all", "--deadline", "0s"], ["--deadline 0s"]),
        (["--all", "--quota", "0"], ["--quota"]),
        (["--management-group", "a/../b"], ["--management-group a/../b", "group's id"]),
        (["--all", "--auth", "browser"], ["--auth"]),
        (
            ["--subscription", "prod", "--management-group", "?", "--deadline", "1d", "--param", "x"],
            ["--subscription prod", "--management-group ?", "--deadline 1d", "--param x", "az account list"],
        ),
    ],
)
def test_2_for_a_command_line_that_makes_no_sense(
    arguments: list[str], words: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["scan", *arguments]) == 2
    told = capfd.readouterr().err
    assert all(word in told for word in words), told
    assert all(line.startswith("arguard: ") for line in told.splitlines())


@pytest.mark.parametrize("arguments", [[], ["--subscription", "prod"], ["--policy", "ABK999", "--all"]])
def test_2_for_a_collection_of_nothing(arguments: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["collect", str(tmp_path / "c"), *arguments]) == 2
    assert "hint: " in capfd.readouterr().err or "ABK999" in arguments
    assert not (tmp_path / "c").exists()


def test_the_help_offers_what_there_is() -> None:
    assert AUTHS == credentials.AUTHS
    assert set(CLOUDS) == set(clouds.CLOUDS)


def test_a_blocked_way_is_told_once_with_what_to_do(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    page = Reply(body=b"<html>Sign in</html>", headers={"Content-Type": "text/html"})
    with azure(tmp_path / "spool", faults=[Fault(route="locks", action=page)]):
        assert main(["scan", "--all", *POLICIES, "-o", f"native={tmp_path / 'r'}"]) in {1, 3}
    told = [line for line in capfd.readouterr().err.splitlines() if "what to do: " in line]
    assert len(told) == 1
    assert told[0].startswith("arguard: LoginOrProxyPage; what to do: ")
