"""Fault matrix, rows 9 to 12, 16 to 18, 20, 65 and 66: no connection, a broken one, and strangers in between."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from scanner.emulator.exchange import Reply
from scanner.emulator.script import Fault, Wire, WireKind, redirect
from scanner.sources.azure import graph
from tests.azure.tls_server import reply, serving
from tests.live.matrix import DISKS, ITEMS, TWO, disks, expect_blind, expect_green
from tests.live.world import Run, Stage, scan_live

pytestmark = pytest.mark.estate

EMPTY = ("SCOPE_EMPTY", "", "the scope holds no subscription")


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that is taken, on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def expect_nothing_seen(run: Run, text: str, *, attempts: int, listed: bool = True) -> None:
    """Every policy is unknown for one reason, however often asked; a scope that could not be listed is empty as well."""
    assert (run.exit_code, run.of("decision")[0]["complete"]) == (3, False)
    assert set(run.results().values()) == {"incomplete"}
    assert run.gaps() - {EMPTY} == {("FAILED", "", text)}
    assert (EMPTY in run.gaps()) is not listed
    assert run.passes() == set()
    assert {line["attempts"] for line in run.of("trace")} == {attempts}


def expect_cure(run: Run, *words: str) -> None:
    """Exactly one line says what to do."""
    lines = [line for line in run.stderr.splitlines() if "what to do: " in line]
    assert len(lines) == 1
    assert all(word in lines[0] for word in words)


def named(homes: tuple[str, ...]) -> list[str]:
    return [f"--subscription={one}" for one in homes]


# No connection.


def test_row_9_a_refused_connection_is_tried_six_times(stage: Stage, closed_port: int, homes: tuple[str, ...]) -> None:
    away = {"ARGUARD_ENDPOINT": f"https://localhost:{closed_port}"}
    run = stage.scan(*named(homes), environment=away)
    expect_nothing_seen(run, "ConnectionFailed", attempts=6)
    assert {line["route"] for line in run.of("trace")} == {"subscriptions", "permissions", "graph", "locks", "vm_status"}
    expect_cure(run, "ConnectionFailed", "firewall")


def test_row_9_nor_does_a_scope_that_cannot_be_listed_look_like_an_empty_one(stage: Stage, closed_port: int) -> None:
    run = stage.scan("--all", environment={"ARGUARD_ENDPOINT": f"https://localhost:{closed_port}"})
    expect_nothing_seen(run, "ConnectionFailed", attempts=6, listed=False)
    assert [line["route"] for line in run.of("trace")] == ["subscriptions"]
    expect_cure(run, "ConnectionFailed", "firewall")


def test_row_10_a_name_that_does_not_resolve_is_tried_three_times(
    stage: Stage, homes: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    run = stage.scan(*named(homes), *TWO)
    expect_nothing_seen(run, "NameNotResolved", attempts=3)
    assert run.seen == []
    expect_cure(run, "NameNotResolved", "DNS")


# Broken connections.


@pytest.mark.parametrize("where", ["request", "headers", "body"])
def test_row_11_a_reset_is_tried_again(where: str, stage: Stage) -> None:
    run = stage.scan(*TWO, faults=disks(Wire(kind="reset", where=where), (1,)))  # type: ignore[arg-type]  # a parameter
    expect_green(run)
    assert len(run.asked("graph", DISKS)) == 2
    assert len(run.asked("graph", ITEMS)) == 1


def test_row_12_a_reset_on_page_3_of_5_costs_that_page_only(wide: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "TOP", 7)
    run = scan_live(wide, *TWO, faults=disks(Wire(kind="reset"), (3,)))
    expect_green(run)
    assert run.counts("ABK501") == {"pass": 32}
    tokens = [orjson.loads(one.body)["options"].get("$skipToken", "") for one in run.asked("graph", DISKS)]
    assert list(Counter(tokens).values()) == [1, 1, 2, 1, 1]


KINDS: list[WireKind] = ["short_body", "cut_chunk", "cut_gzip", "bad_crc"]


def test_row_12_the_same_on_page_2_of_3_of_a_list_of_resource_manager(healthy: Path, homes: tuple[str, str]) -> None:
    bad, good = homes
    fault = Fault(route="vm_status", contains=bad, numbers=(2,), action=Wire(kind="reset"))
    run = scan_live(healthy, "--policy", "ABK301", "--policy", "ABK602", faults=[fault], page=1)
    expect_green(run)
    assert run.counts("ABK301") == {"pass": 6}
    assert list(Counter(one.path for one in run.asked("vm_status", bad)).values()) == [1, 2, 1]
    assert list(Counter(one.path for one in run.asked("vm_status", good)).values()) == [1, 1, 1]


@pytest.mark.parametrize("kind", KINDS)
def test_rows_16_to_18_an_answer_that_is_cut_is_asked_for_again(kind: WireKind, stage: Stage) -> None:
    run = stage.scan(*TWO, faults=disks(Wire(kind=kind), (1,)))
    expect_green(run)
    assert len(run.asked("graph", DISKS)) == 2
    assert run.counts("ABK501") == {"pass": 12}


@pytest.mark.parametrize("kind", KINDS)
def test_rows_16_to_18_an_answer_that_is_always_cut_is_never_used(kind: WireKind, stage: Stage) -> None:
    run = stage.scan(*TWO, faults=disks(Wire(kind=kind)))
    expect_blind(run, ("FAILED", "", "AnswerCut"))
    assert len(run.asked("graph", DISKS)) == 6


# Strangers in between.


LOGIN = Reply(body=b"<!DOCTYPE html><html><title>Sign in</title></html>", headers={"Content-Type": "text/html"})


def test_row_20_a_login_page_is_no_answer(stage: Stage) -> None:
    run = stage.scan(*TWO, faults=disks(LOGIN))
    expect_blind(run, ("BAD_ANSWER", "", "LoginOrProxyPage"))
    assert len(run.asked("graph", DISKS)) == 3
    expect_cure(run, "LoginOrProxyPage", "proxy")


def test_row_20_a_login_page_is_no_list_of_locks(stage: Stage, homes: tuple[str, str]) -> None:
    bad, good = homes
    faults = [Fault(route="locks", contains=bad, action=LOGIN)]
    run = stage.scan("--policy", "ABK101", "--policy", "ABK602", faults=faults)
    expect_blind(run, ("BAD_ANSWER", bad, "LoginOrProxyPage"), policy="ABK101")
    assert (len(run.asked("locks", bad)), len(run.asked("locks", good))) == (3, 1)


def test_row_65_a_dead_proxy(stage: Stage, closed_port: int, homes: tuple[str, ...]) -> None:
    proxy = {"HTTPS_PROXY": f"http://127.0.0.1:{closed_port}", "NO_PROXY": ""}
    run = stage.scan(*named(homes), environment={**proxy, **{name.lower(): value for name, value in proxy.items()}})
    expect_nothing_seen(run, "ProxyFailed", attempts=3)
    assert run.seen == []
    expect_cure(run, "ProxyFailed", "HTTPS_PROXY")


def test_row_65_a_certificate_of_an_authority_that_is_not_known(
    stage: Stage, homes: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    run = stage.scan(*named(homes), environment={"REQUESTS_CA_BUNDLE": ""})
    expect_nothing_seen(run, "CertificateRejected", attempts=3)
    assert run.seen == []
    expect_cure(run, "CertificateRejected", "REQUESTS_CA_BUNDLE")


def test_row_65_a_certificate_that_ran_out(healthy: Path, homes: tuple[str, ...]) -> None:
    run = scan_live(healthy, *named(homes), expired=True)
    expect_nothing_seen(run, "CertificateExpired", attempts=3)
    assert run.seen == []
    expect_cure(run, "CertificateExpired", "clock")


def test_row_65_a_bundle_of_authorities_that_is_not_there(stage: Stage, homes: tuple[str, ...], tmp_path: Path) -> None:
    run = stage.scan(*named(homes), environment={"REQUESTS_CA_BUNDLE": str(tmp_path / "none.pem")})
    expect_nothing_seen(run, "CaBundleMissing", attempts=3)
    assert run.seen == []
    expect_cure(run, "CaBundleMissing", "REQUESTS_CA_BUNDLE")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_row_66_a_redirect_to_another_host_is_not_followed(status: int, stage: Stage) -> None:
    with serving(lambda _: reply()) as elsewhere:
        run = stage.scan(*TWO, faults=disks(redirect(f"{elsewhere.endpoint}/somewhere", status)))
        expect_blind(run, ("FAILED", "", f"{status} Redirect"))
        assert len(run.asked("graph", DISKS)) == 1
        assert (elsewhere.received, elsewhere.connections) == ([], [])


def test_row_66_nor_is_one_of_resource_manager(stage: Stage, homes: tuple[str, str]) -> None:
    bad, good = homes
    with serving(lambda _: reply()) as elsewhere:
        faults = [Fault(route="permissions", contains=bad, action=redirect(elsewhere.endpoint))]
        run = stage.scan(*TWO, faults=faults)
        assert (run.exit_code, run.gaps()) == (3, {("FAILED", bad, "307 Redirect")})
        assert (len(run.asked("permissions", bad)), len(run.asked("permissions", good))) == (1, 1)
        assert {identity.split("/")[2] for _, identity, _ in run.passes()} == {good}
        assert elsewhere.connections == []
