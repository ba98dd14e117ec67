"""`arguard doctor` names what is wrong and what to do: through the real SDK against an emulator with defects."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from scanner.cli import main
from scanner.cli.checks import Check, Patient, check_graph, check_quota, check_rights, check_scope, check_side, needed
from scanner.cli.facts import write_facts
from scanner.emulator.exchange import Reply as Refusal
from scanner.emulator.roles import Assignment, Roles
from scanner.emulator.script import Fault, Headers
from scanner.model import Gap, Options, Reason, Scope, Subscription
from scanner.plan import Plan, make_plan
from scanner.sources.azure import wire
from scanner.sources.azure.scope import Found
from scanner.sources.azure.wire import Failed
from tests.conftest import a_pack, a_policy, a_query, one_of
from tests.live_azure import DR, PROD, azure

NOW = datetime(2026, 11, 20, 6, tzinfo=UTC)
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
QUOTA = {"x-ms-user-quota-remaining": "7", "x-ms-user-quota-resets-after": "00:00:01"}


def doctor(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str]]:
    code = main(["doctor", *arguments])
    return code, capfd.readouterr().out.splitlines()


def failures(lines: Sequence[str]) -> list[str]:
    return [line.split(None, 1)[1] for line in lines if line.startswith("FAIL")]


@pytest.fixture(autouse=True)
def _no_azure(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ARGUARD_ENDPOINT", "ARGUARD_TOKEN"):
        monkeypatch.delenv(name, raising=False)


# The command, defect by defect.


def test_all_is_well(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with azure(tmp_path / "s", faults=[Fault(route="graph", action=Headers(headers=QUOTA))]):
        code, lines = doctor(capfd, "--subscription", PROD)
    assert code == 0, lines
    assert [line.split()[0] for line in lines] == ["ok"] * 7
    assert [line.split(None, 1)[1].partition(":")[0] for line in lines] == [
        "sign-in",
        "subscriptions",
        "resource graph",
        "rights",
        "locks",
        "VM status",
        "quota",
    ]
    assert "7 more queries" in lines[-1]


def test_nobody_is_signed_in(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PATH", "")
    code, lines = doctor(capfd, "--auth", "cli")
    assert code == 1
    assert lines[0].startswith("FAIL       sign-in: cli: ")
    assert "-> run `az login`" in lines[0]
    assert len(lines) == 7
    assert all(line.startswith("not tried") and "nobody is signed in" in line for line in lines[1:])


def test_no_subscription_is_visible(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with azure(tmp_path / "s", roles=Roles([])):
        code, lines = doctor(capfd)
    (told,) = failures(lines)
    assert code == 1
    assert told.startswith("subscriptions: none is visible")
    assert READER in told
    assert all(line.startswith("not tried") for line in lines[2:])


def test_rights_are_partial(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    roles = Roles([Assignment(actions=("*/read",), not_actions=("Microsoft.Compute/disks/read",))])
    with azure(tmp_path / "s", roles=roles):
        code, lines = doctor(capfd, "--subscription", PROD)
    (told,) = failures(lines)
    assert code == 1
    assert told.startswith("rights: Microsoft.Compute/disks/read is not granted in 1 subscription, contoso-prod")
    assert "ABK501, ABK502, ABK503, ABK504 cannot be decided there" in told
    assert f"--role Reader --scope /subscriptions/{PROD}" in told
    assert READER in told


def test_locks_cannot_be_read(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with azure(tmp_path / "s"):
        code, lines = doctor(capfd)
    (told,) = failures(lines)
    assert code == 1
    assert told.startswith(f"locks: DENIED 403 AuthorizationFailed in 1 subscription, contoso-dr ({DR}) -> assign Reader")


def test_the_quota_is_used_up(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    used_up = Headers(headers={**QUOTA, "x-ms-user-quota-remaining": "0"})
    with azure(tmp_path / "s", faults=[Fault(route="graph", action=used_up)]):
        code, lines = doctor(capfd, "--subscription", PROD)
    (told,) = failures(lines)
    assert code == 1
    assert told.startswith("quota: 0 queries left")
    assert "an identity of its own" in told


def test_a_name_is_no_command_of_a_pipeline(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    body = {
        "value": [
            {"id": f"/subscriptions/{PROD}", "subscriptionId": PROD, "displayName": "##vso[task.fail]", "state": "Disabled"}
        ]
    }
    with azure(tmp_path / "s", faults=[Fault(route="subscriptions", action=Refusal(status=200, body=body))]):
        assert main(["doctor", "--policy", "ABK101"]) == 1
    printed = capfd.readouterr().out
    assert "cannot be read (Disabled)" in printed
    assert "##vso[" not in printed


@pytest.mark.parametrize("arguments", [["--deadline", "soon"], ["--subscription", "prod"], ["--policy", "ABK999"]])
def test_bad_input_is_2(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert doctor(capfd, *arguments) == (2, [])


# Facts.


def test_facts_are_written_without_a_name(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "facts"
    with azure(tmp_path / "s"):
        _, lines = doctor(capfd, "--facts", str(folder), "--policy", "ABK301")
    files = {path.stem: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    assert len(files) == 10
    assert lines[-1].startswith("wrote 9 files to ")
    text = "".join(files.values()).lower()
    assert not [name for name in ("contoso", "erp-", "web-0", "sql-0", PROD, "audit-freeze", "weu") if name in text]
    assert "READ THE FILES BEFORE YOU SEND THEM" in files["README"]
    assert json.loads(files["booleans"])["first"][0].keys() >= {"flag", "flag_text", "flag_null"}
    job = json.loads(files["failed-job"])["first"][0]["properties"]["errorDetails"][0]
    assert isinstance(job["errorCode"], int)
    assert len(json.loads(files["protection-states"])["first"]) > 3
    assert "vmAgent" in files["vm-status"]
    assert (folder / "vm-status.json").stat().st_mode & 0o777 == 0o600


def test_facts_say_what_could_not_be_asked(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    refusal = Refusal(status=403, body={"error": {"code": "AccessDenied"}})
    odd = Refusal(status=200, body={"data": None})
    page = Refusal(status=200, body=b"<html>sign in</html>")
    faults = [
        Fault(route="graph", action=refusal),
        Fault(route="locks", action=odd),
        Fault(route="vm_status", action=page),
    ]
    with azure(tmp_path / "s", faults=faults):
        doctor(capfd, "--facts", str(tmp_path / "f"), "--policy", "ABK602", "--subscription", PROD)
    assert json.loads((tmp_path / "f" / "booleans.json").read_text())["answer"] == "DENIED 403 AccessDenied"
    assert json.loads((tmp_path / "f" / "locks.json").read_text())["answer"] == "BAD_ANSWER NotAList"
    assert json.loads((tmp_path / "f" / "vm-status.json").read_text())["answer"] == "BAD_ANSWER NotJson"


def test_facts_are_looked_for_in_every_subscription(tmp_path: Path) -> None:
    calls = Answers()
    assert write_facts(tmp_path / "f", calls, ["s1", "s2"]).startswith("wrote 9 files")
    assert json.loads((tmp_path / "f" / "locks.json").read_text())["count"] == 0
    assert calls.asked["locks"] == 2


def test_facts_overwrite_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes").write_text("mine")
    assert main(["doctor", "--facts", str(tmp_path)]) == 2
    assert "is not empty" in capfd.readouterr().err


def test_facts_that_cannot_be_written_are_4(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def full(*_arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("scanner.cli.facts._write", full)
    assert main(["doctor", "--auth", "cli", "--facts", str(tmp_path / "f")]) == 4
    assert "No space left on device" in capfd.readouterr().err


# The checks, one by one.


class Answers:
    """Calls that fail with what a test names by route, and otherwise answer with nothing."""

    def __init__(self, **failing: Failed | None) -> None:
        self.failing = failing
        self.asked: Counter[str] = Counter()

    def call(self, request: wire.Request, read: Any) -> Any:
        self.asked[request.route] += 1
        failed = self.failing.get(request.route)
        if failed:
            raise failed
        body = b'{"value":[]}' if request.route != "graph" else EMPTY
        return read(wire.Reply(status=200, headers={}, body=body))


EMPTY = b'{"totalRecords":0,"count":0,"resultTruncated":"false","data":[]}'
TWO = (Subscription(id="s1", name="one", state="Enabled"), Subscription(id="s2", name="", state="Warned"))


def patient(*known: Subscription, expected: Sequence[str] = ("s1", "s2"), **failing: Failed | None) -> Patient:
    return Patient(calls=Answers(**failing), scope=Scope(kind="proven", expected=tuple(expected), subscriptions=known))


def scope_check(patient: Patient, *gaps: Gap, groups: Sequence[str] = ()) -> Check:
    scope = Scope(
        kind="proven",
        expected=patient.scope.expected,
        subscriptions=patient.scope.subscriptions,
        management_groups=tuple(groups),
    )
    return check_scope(Found(scope=scope, gaps=gaps), patient)


def test_expected_subscriptions_that_nobody_lists_are_named() -> None:
    told = scope_check(patient(TWO[0]))
    assert told.line.startswith("FAIL       subscriptions: 1 of 2 expected are not visible: s2 -> assign Reader")
    assert scope_check(patient(*TWO)).line == "ok         subscriptions: 2 visible (proven, Enabled, Warned): one (s1), s2"


@pytest.mark.parametrize(("groups", "cure"), [(["g"], "--management-group"), ([], "try again")])
def test_a_scope_that_cannot_be_listed_says_why(groups: list[str], cure: str) -> None:
    told = scope_check(patient(), Gap(reason=Reason.DENIED, text="403 AuthorizationFailed"), groups=groups)
    assert "could not be listed (DENIED 403 AuthorizationFailed)" in told.text
    assert cure in told.cure


def test_many_subscriptions_are_counted_not_listed() -> None:
    names = [f"s{number}" for number in range(2000)]
    assert "s10 and 1,997 more" in scope_check(patient(expected=names)).text


@pytest.mark.parametrize(
    ("failed", "text", "cure"),
    [
        (Failed(Reason.DENIED, "403 AccessDenied", status=403), "DENIED 403 AccessDenied in 2 subscriptions", "assign Reader"),
        (Failed(Reason.THROTTLED, "429 RateLimiting", status=429), "THROTTLED 429 RateLimiting", "identity of its own"),
        (Failed(Reason.FAILED, "500 InternalServerError", status=500), "FAILED 500", "try again"),
        (None, "SCOPE_MISSING NotVisible in 2 subscriptions, one (s1), s2", "assign Reader"),
    ],
)
def test_a_resource_graph_that_does_not_answer_says_why(failed: Failed | None, text: str, cure: str) -> None:
    told = check_graph(patient(*TWO, graph=failed), NOW)
    assert told.good is False
    assert text in told.text
    assert cure in told.cure


def test_permissions_that_cannot_be_read_concern_every_policy() -> None:
    failed = Failed(Reason.FAILED, "500 InternalServerError", status=500)
    (told,) = check_rights(a_plan(), patient(*TWO, permissions=failed))
    assert "not known (500 InternalServerError) in 2 subscriptions" in told.text
    assert "ABK001, ABK002 cannot be decided" in told.text


def test_each_action_that_is_missing_is_a_check_of_its_own() -> None:
    told = {check.text.partition(" ")[0]: check.text for check in check_rights(a_plan(), patient(*TWO))}
    assert sorted(told) == ["*/read", "Microsoft.Authorization/locks/read", "Microsoft.Compute/disks/read"]
    assert "ABK001 cannot" in told["Microsoft.Authorization/locks/read"]


def test_a_query_that_is_attached_needs_its_rights_too() -> None:
    assert needed(a_plan())["Microsoft.Compute/disks/read"] == {"ABK002"}


def a_plan() -> Plan:
    disks = a_query("disks", tables={"resources": frozenset({"microsoft.compute/disks"})})
    locks, jobs, evidence = one_of("arm_locks"), one_of("disks", name="disks", query=disks), one_of("evidence", name="proof")
    packs = [a_pack(a_policy("ABK001", attach=(locks, evidence)), a_policy("ABK002", query=a_query("all"), attach=(jobs,)))]
    return make_plan(packs, Options())


def test_a_side_table_that_fails_otherwise_is_worth_another_try() -> None:
    failed = Failed(Reason.FAILED, "500 InternalServerError", status=500)
    told = check_side("arm_restore_points", patient(*TWO, restore_point_collections=failed))
    assert told.line.startswith("FAIL       restore points: FAILED 500 InternalServerError in 2 subscriptions")
    assert "try again" in told.cure
    assert check_side("arm_restore_points", patient(*TWO)).good


@pytest.mark.parametrize(("left", "good"), [(None, None), (0, False), (14, True)])
def test_the_quota_is_what_azure_says(left: int | None, *, good: bool | None) -> None:
    assert check_quota(left).good is good
