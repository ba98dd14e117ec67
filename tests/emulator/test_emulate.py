"""`arguard emulate`: what it prints makes other programs use it, and Ctrl-C is its normal end."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
import urllib3

from scanner import kql
from scanner.cli import Terminated, emulate
from scanner.errors import InputError, MissingExtraError, UsageError
from tests import big_estate
from tests.emulator.emulated import ROOT

GRAPH = "/providers/Microsoft.ResourceGraph/resources?api-version=2024-04-01"
TOLD: dict[str, Any] = {"port": 0, "faults": None, "quota": "", "latency": 0, "roles": None}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("big") / "it's an estate"
    big_estate.write(path, subscriptions=2, vms_per_subscription=1)
    return path


def environment(text: str) -> dict[str, str]:
    """The variables that the printed lines set; every other line is a comment."""
    lines = [shlex.split(line, comments=True) for line in text.splitlines()]
    assert all(line[0] == "export" and len(line) == 2 for line in lines if line)
    return dict(line[1].split("=", 1) for line in lines if line)


def send(told: dict[str, str], path: str, method: str = "GET", **more: Any) -> urllib3.BaseHTTPResponse:
    with urllib3.PoolManager(ca_certs=told["REQUESTS_CA_BUNDLE"]) as pool:
        headers = {"Authorization": f"Bearer {told['ARGUARD_TOKEN']}"}
        return pool.request(method, told["ARGUARD_ENDPOINT"] + path, headers=headers, retries=False, **more)


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., None]:
    """Do something with the printed environment while the emulator runs, then press Ctrl-C."""

    def prepare(act: Callable[[dict[str, str]], None], end: type[BaseException] = KeyboardInterrupt) -> None:
        def slept(_seconds: float) -> NoReturn:
            act(environment(capsys.readouterr().out))
            raise end

        monkeypatch.setattr(emulate, "sleep", slept)

    return prepare


def test_the_printed_environment_is_all_that_a_client_needs(
    folder: Path, meanwhile: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    found: list[str] = []

    def act(told: dict[str, str]) -> None:
        assert told["NODE_EXTRA_CA_CERTS"] == told["REQUESTS_CA_BUNDLE"]
        found.extend(one["state"] for one in send(told, "/subscriptions?api-version=2022-12-01").json()["value"])
        assert send({**told, "ARGUARD_TOKEN": "other"}, "/subscriptions?api-version=2022-12-01").status == 401

    meanwhile(act)
    assert emulate.run(snapshot=folder, verbose=2, **TOLD) == 0
    assert found == ["Enabled", "Enabled"]
    assert capsys.readouterr().err.splitlines() == [
        "arguard: GET subscriptions 1: 200",
        "arguard:   '/subscriptions?api-version=2022-12-01' ",
        "arguard: GET subscriptions 2: 401",
        "arguard:   '/subscriptions?api-version=2022-12-01' ",
        "arguard: the emulator has ended",
    ]


def test_the_options_reach_the_emulator(
    folder: Path, tmp_path: Path, meanwhile: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    faults, roles = tmp_path / "faults.yaml", tmp_path / "roles.yaml"
    faults.write_text("faults:\n  - {route: subscriptions, numbers: 1, reply: {status: 503, code: Busy}}\n")
    roles.write_text("assignments: []\n")

    def act(told: dict[str, str]) -> None:
        assert send(told, "/subscriptions?api-version=2022-12-01").json()["error"]["code"] == "Busy"
        assert send(told, "/subscriptions?api-version=2022-12-01").json() == {"value": []}
        reply = send(told, GRAPH, "POST", json={"query": "resources | project id"})
        assert reply.json()["error"]["code"] == "RateLimiting"

    meanwhile(act)
    given: dict[str, Any] = {"port": 0, "faults": faults, "quota": "0/5s", "latency": 1, "roles": roles}
    assert emulate.run(snapshot=folder, verbose=0, **given) == 0
    assert capsys.readouterr().err == "arguard: the emulator has ended\n"


def test_being_terminated_is_no_normal_end(folder: Path, meanwhile: Callable[..., None]) -> None:
    meanwhile(lambda _: None, Terminated)
    with pytest.raises(Terminated):
        emulate.run(snapshot=folder, **TOLD)


def test_a_port_that_is_taken(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"--port {port}: Address already in use") as caught:
            emulate.run(snapshot=folder, **{**TOLD, "port": port})
    assert caught.value.hint == "Leave --port out to take a free one."


def test_bad_input_is_told_before_anything_is_served(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'many' is no quota"):
        emulate.run(snapshot=folder, **{**TOLD, "quota": "many"})
    with pytest.raises(InputError, match=r"none\.yaml: cannot be read"):
        emulate.run(snapshot=folder, **{**TOLD, "roles": tmp_path / "none.yaml"})
    with pytest.raises(InputError, match=r"manifest\.json: is missing"):
        emulate.run(snapshot=tmp_path, **TOLD)


def test_a_missing_extra_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(MissingExtraError, match="The emulator needs the extra 'offline'"):
        emulate.run(snapshot=folder, **TOLD)
    monkeypatch.setattr(kql, "available", lambda: False)
    with pytest.raises(MissingExtraError, match="The emulator needs the extra 'offline'"):
        emulate.run(snapshot=folder, **TOLD)


def test_ctrl_c_ends_a_real_one_and_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    # A shell may have started the suite with SIGINT ignored.
    script = f"""
import signal
from pathlib import Path
from scanner.cli import emulate
signal.signal(signal.SIGINT, signal.default_int_handler)
raise SystemExit(emulate.run(snapshot=Path({str(folder)!r}), **{TOLD}))
"""
    variables = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-u", "-c", script], cwd=ROOT, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        lines = [child.stdout.readline()]
        while not lines[-1].startswith("export NODE"):
            assert lines[-1]
            lines.append(child.stdout.readline())
        told = environment("".join(lines))
        assert Path(told["REQUESTS_CA_BUNDLE"]).is_relative_to(tmp_path)
        assert send(told, "/subscriptions?api-version=2022-12-01").status == 200
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=60)
    assert (child.returncode, err) == (0, "arguard: the emulator has ended\n")
    assert list(tmp_path.iterdir()) == []
