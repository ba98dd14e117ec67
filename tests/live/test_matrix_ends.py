"""Fault matrix, rows 40, 41 and 49: sign-ins that fail, at once or on the way, and signals."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from azure.core.credentials import AccessTokenInfo

from scanner import packs
from scanner.cli import live
from scanner.emulator.exchange import Reply, Seen, error
from scanner.emulator.script import Fault, Wire
from scanner.emulator.server import Emulator
from scanner.sources.azure.credentials import StaticToken
from tests.live.altered import subscriptions
from tests.live.matrix import CANARY, TWO, expect_blind
from tests.live.processes import ROOT, clean_environment
from tests.live.world import Stage, emulating, expect_sound

pytestmark = pytest.mark.estate

PATIENCE = 60.0
"""Seconds that a test waits for what is certain to come."""
STOPS = 20.0
"""Seconds that a signal may take on a machine that is busy, half a second on one that is not; a reply is waited for for 60."""


# Rows 40 and 41.


def last_asked(*chosen: str) -> tuple[str, str]:
    """Of some policies the one whose query is asked last, and how that query begins."""
    policies = [one for pack in packs.load(packs.bundled()) for one in pack.policies if one.id in chosen]
    last = max(policies, key=lambda one: one.query.digest)
    return last.id, last.query.kql.splitlines()[0]


class SignsInOnce(StaticToken):
    """Has one token and no second one."""

    asked = 0

    def get_token_info(self, *scopes: str, **options: Any) -> AccessTokenInfo:
        SignsInOnce.asked += 1
        if SignsInOnce.asked > 1:
            raise RuntimeError("the assertion sec-ret-value has expired")
        return super().get_token_info(*scopes, **options)


class Expired(Reply):
    """Says that the token has expired, once everything else was answered."""

    rest = Event()

    @property
    def content(self) -> bytes:
        assert self.rest.wait(PATIENCE)
        return error(401, "ExpiredAuthenticationToken", "The access token expiry UTC time is earlier than now.").content


def test_row_40_what_was_done_before_a_sign_in_fails_is_kept(healthy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    last, query = last_asked("ABK501", "ABK602")
    missing = {("graph", CANARY), *(("permissions", one) for one in subscriptions(healthy))}

    def watch(seen: Seen) -> None:
        missing.difference_update({one for one in missing if one[0] == seen.route and one[1] in seen.path + seen.query})
        if not missing:
            Expired.rest.set()

    monkeypatch.setattr("scanner.sources.azure.run.THREADS", 1)
    monkeypatch.setattr(SignsInOnce, "asked", 0)
    monkeypatch.setattr(Expired, "rest", Event())
    monkeypatch.setattr(live, "StaticToken", SignsInOnce)
    with emulating(healthy, watch=watch) as emulator:
        run = Stage(emulator).scan(*TWO, faults=[Fault(route="graph", contains=query, action=Expired(status=401))])
    expect_blind(run, ("DENIED", "", "SignInFailed"), policy=last)
    assert {line["policy"] for line in run.of("verdict")} == {"ABK501", "ABK602"} - {last}
    assert len(run.asked("graph", query)) == 1
    assert SignsInOnce.asked == 2
    assert "sec-ret-value" not in run.stdout + run.stderr + str(run.lines)


class NeverSignsIn(StaticToken):
    """Raises what no credential should."""

    asked = 0

    def get_token_info(self, *_scopes: str, **_options: Any) -> AccessTokenInfo:
        NeverSignsIn.asked += 1
        raise RuntimeError("cannot\nsign in")


def test_row_41_nobody_who_signs_in_means_nothing_is_known(healthy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NeverSignsIn, "asked", 0)
    monkeypatch.setattr(live, "StaticToken", NeverSignsIn)
    with emulating(healthy) as emulator:
        named = Stage(emulator).scan(*(f"--subscription={one}" for one in subscriptions(healthy)))
        everything = Stage(emulator).scan("--allow-incomplete")
    for run in (named, everything):
        assert (run.exit_code, run.of("decision")[0]["complete"]) == (3, False)
        assert set(run.results().values()) == {"incomplete"}
        assert ("DENIED", "", "SignInFailed") in run.gaps("ABK501")
        assert run.of("verdict") == []
        assert run.seen == []
        told = [line for line in run.stderr.splitlines() if "sign-in failed" in line]
        assert len(told) == 1
        assert "RuntimeError: cannot sign in; what to do: " in told[0]
    assert NeverSignsIn.asked == 2  # once in each scan


# Row 49.

POLICIES = ("ABK101", "ABK401", "ABK501", "ABK602")
ONE_THREAD = "from scanner.sources.azure import run; run.THREADS = 1; import arguard; arguard.main()"
"""arguard, asking one thing after the other: a request then proves that what was asked before it is finished."""


@contextmanager
def scanning(emulator: Emulator, native: Path) -> Iterator[subprocess.Popen[str]]:
    """A scan in a process of its own, until it has begun everything that it can."""
    asked = (f"--policy={one}" for one in POLICIES)
    known = {"ARGUARD_ENDPOINT": emulator.url, "ARGUARD_TOKEN": emulator.token, "REQUESTS_CA_BUNDLE": str(emulator.ca)}
    with subprocess.Popen(
        [sys.executable, "-c", ONE_THREAD, "scan", "--all", *asked, "-o", f"native={native}"],
        cwd=ROOT,
        env={**clean_environment(), **known},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def await_requests(emulator: Emulator, requests: Sequence[tuple[str, str]]) -> None:
    """Wait until the emulator has seen a request of each route whose query holds a text."""
    end = time.monotonic() + PATIENCE
    while not all(any(one.route == route and text in one.query for one in emulator.seen) for route, text in requests):
        assert time.monotonic() < end
        Event().wait(0.02)


def interrupted(process: subprocess.Popen[str], number: signal.Signals) -> str:
    """What the process printed; it ends long before the silence of a server would end it."""
    process.send_signal(number)
    printed, _ = process.communicate(timeout=STOPS)
    return printed


STALL = Wire(kind="stall")
SIGNALS = pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])


@SIGNALS
def test_row_49_a_signal_ends_a_scan_with_what_it_has(number: signal.Signals, code: int, healthy: Path, tmp_path: Path) -> None:
    """One query and the first list of locks never answer; everything that was asked before them is judged."""
    policy, query = last_asked(*POLICIES)
    native = tmp_path / "result.ndjson"
    faults = [Fault(route="graph", contains=query, action=STALL), Fault(route="locks", action=STALL)]
    with emulating(healthy, faults=faults) as emulator, scanning(emulator, native) as process:
        await_requests(emulator, [("graph", query), ("locks", "")])
        printed = interrupted(process, number)
        asked = emulator.seen
    lines = expect_sound(native.read_bytes(), printed, emulator.token)
    assert process.returncode == code
    decision = next(line for line in lines if line["kind"] == "decision")
    assert (decision["exit_code"], decision["complete"]) == (code, False)
    assert "the scan was interrupted" in decision["reasons"]
    results = {line["policy"]: line["result"] for line in lines if line["kind"] == "summary"}
    unfinished = {policy, "ABK101"}
    assert results == {one: "incomplete" if one in unfinished else "compliant" for one in POLICIES}
    gaps = {(line["policy"], line["reason"], line["text"]) for line in lines if line["kind"] == "gap"}
    assert gaps == {(one, "FAILED", "Interrupted") for one in unfinished}
    assert not any(line["verdict"] == "pass" for line in lines if line["kind"] == "verdict" and line["policy"] in unfinished)
    assert len([one for one in asked if query in one.query]) == 1
    assert len([one for one in asked if one.route == "locks"]) == 1


@SIGNALS
def test_row_49_a_signal_before_the_scope_is_known_leaves_a_result_without_a_pass(
    number: signal.Signals, code: int, healthy: Path, tmp_path: Path
) -> None:
    native = tmp_path / "result.ndjson"
    with (
        emulating(healthy, faults=[Fault(route="subscriptions", action=STALL)]) as emulator,
        scanning(emulator, native) as process,
    ):
        await_requests(emulator, [("subscriptions", "")])
        printed = interrupted(process, number)
        asked = emulator.seen
    lines = expect_sound(native.read_bytes(), printed, emulator.token)
    assert process.returncode == code
    assert {line["result"] for line in lines if line["kind"] == "summary"} == {"incomplete"}
    assert ("FAILED", "Interrupted") in {(line["reason"], line["text"]) for line in lines if line["kind"] == "gap"}
    assert not any(line["kind"] == "verdict" for line in lines)
    assert [one.route for one in asked] == ["subscriptions"]
