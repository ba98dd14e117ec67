"""What cases cannot say of the policies about VMs: the severity, cause and message of a finding, and who shares a cause."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from scanner import kql, packs
from scanner.cases import judge
from scanner.model import Finding, Json, Severity, Verdict
from scanner.policy import Case, Expectation, Pack

GROUP = "/subscriptions/s1/resourceGroups/RG"
VM = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/Web01"
VAULT = f"{GROUP}/providers/Microsoft.RecoveryServices/vaults/v1"
ITEMS = "microsoft.recoveryservices/vaults/backupfabrics/protectioncontainers/protecteditems"
RUNNING = {"extended": {"instanceView": {"powerState": {"code": "PowerState/running"}}}}
Tables = Mapping[str, Sequence[Json]]


@pytest.fixture(scope="module")
def pack() -> Pack:
    return packs.load(packs.bundled())[0]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kql.Engine]:
    with kql.Engine({}, tmp_path_factory.mktemp("engine")) as engine:
        yield engine


class Bench:
    """One VM, protected by a policy that asks for some consistency, under one policy of the pack."""

    def __init__(self, pack: Pack, engine: kql.Engine, folder: Path) -> None:
        self.pack, self.engine, self.folder = pack, engine, folder

    def finding(self, policy: str, properties: Json, tables: Tables | None = None, consistency: str = "") -> Finding:
        given: dict[str, list[Json]] = {
            "resources": [{"id": VM, "type": "microsoft.compute/virtualmachines", "properties": properties}],
            "recoveryservicesresources": [
                {
                    "id": f"{VAULT}/backupFabrics/Azure/protectionContainers/c/protectedItems/web01",
                    "type": ITEMS,
                    "properties": {
                        "backupManagementType": "AzureIaasVM",
                        "sourceResourceId": VM,
                        "protectionState": "Protected",
                        "policyId": f"{VAULT}/backupPolicies/p",
                    },
                },
                {"id": f"{VAULT}/backupPolicies/p", "properties": {"snapshotConsistencyType": consistency}},
            ],
        }
        for table, rows in (tables or {}).items():
            given.setdefault(table, []).extend(rows)
        case = Case(
            policy=policy,
            name="",
            file="",
            line=1,
            collected_at="2026-11-20T06:00:00Z",
            tables={table: tuple(rows) for table, rows in given.items()},
            expect=Expectation(rows={}),
        )
        findings = judge(self.pack, case, self.engine, self.folder)[1]
        (finding,) = (one for one in findings if not one.subject)
        assert finding.verdict is Verdict.FAIL, finding
        return finding


@pytest.fixture
def bench(pack: Pack, engine: kql.Engine, tmp_path: Path) -> Bench:
    return Bench(pack, engine, tmp_path)


def extension(name: str, state: str | None) -> Json:
    return {"id": f"{VM}/extensions/{name}", "properties": {"publisher": "P", "type": "T", "provisioningState": state}}


def status(**view: Json) -> Tables:
    return {
        "arm_vm_status": [{"id": VM.upper().replace("/SUBSCRIPTIONS", "/subscriptions"), "properties": {"instanceView": view}}]
    }


def reported(name: str, code: str) -> Json:
    return {"name": name, "statuses": [{"code": code}]}


def lock(scope: str, name: str, level: str) -> Json:
    return {"id": f"{scope}/providers/Microsoft.Authorization/locks/{name}", "name": name, "properties": {"level": level}}


@pytest.mark.parametrize(
    ("state", "severity"),
    [("Failed", Severity.MEDIUM), ("UPDATING", Severity.LOW), ("Migrating", Severity.LOW), ("Deleting", Severity.LOW)],
)
def test_a_vm_on_the_move_is_milder_than_one_that_failed(bench: Bench, state: str, severity: Severity) -> None:
    finding = bench.finding("ABK201", {"provisioningState": state})
    assert (finding.severity, finding.cause) == (severity, None)
    assert finding.message == f"The provisioning state of Web01 is {state}, not Succeeded."


def test_a_failed_vm_and_its_failed_extension_have_one_cause_in_every_policy(bench: Bench) -> None:
    listed = {
        "resources": [
            extension("aa", None),
            extension("Mon", "Failed"),
            extension("bb", "Succeeded"),
            extension("zz", "Failed"),
        ]
    }
    view = status(
        extensions=[
            reported("zz", "ProvisioningState/failed"),
            reported("Mon", "ProvisioningState/failed/1"),
            reported("aa", "ProvisioningState/succeeded"),
        ]
    )
    model = bench.finding("ABK201", {"provisioningState": "Failed"}, listed)
    inside = bench.finding("ABK402", RUNNING, {**listed, **view})
    assert model.cause == inside.cause == f"{VM}/extensions/mon".lower()
    assert inside.message == 'Web01: these extensions report a failure: ["zz","Mon"].'


def test_a_failed_extension_without_a_name_has_no_cause(bench: Bench) -> None:
    finding = bench.finding("ABK402", RUNNING, status(extensions=[{"statuses": [{"code": "ProvisioningState/failed"}]}]))
    assert finding.cause is None


@pytest.mark.parametrize("levels", [("ReadOnly", "CanNotDelete"), ("readonly", "ReadOnly")])
def test_the_cause_of_a_locked_vm_is_the_readonly_lock_highest_up(bench: Bench, levels: tuple[str, str]) -> None:
    subscription, inner = (
        lock("/subscriptions/s1", "top", levels[0]),
        lock(f"{VM}/extensions/e1", "inner", "ReadOnly"),
    )
    locks = [lock("/subscriptions/s1", "keep", "CanNotDelete"), lock(VM, "vm", levels[1]), inner, subscription]
    assert bench.finding("ABK103", {}, {"arm_locks": locks}).cause == subscription["id"]


AGENT = {"vmAgentVersion": "2.0.0.1", "statuses": [{"code": "ProvisioningState/Unavailable"}]}
STOPPED = {"extended": {"instanceView": {"powerState": {"code": "PowerState/stopped"}}}}
AGENTLESS = [("ABK202", STOPPED, Severity.LOW, Severity.INFO), ("ABK301", RUNNING, Severity.HIGH, Severity.LOW)]


@pytest.mark.parametrize(("policy", "properties", "usual", "agentless"), AGENTLESS)
def test_what_agentless_backup_does_not_need_is_milder_under_it(
    bench: Bench, policy: str, properties: Json, usual: Severity, agentless: Severity
) -> None:
    tables = status(vmAgent=AGENT)
    assert bench.finding(policy, properties, tables).severity is usual
    assert bench.finding(policy, properties, tables, "OnlyCrashConsistent").severity is agentless


@pytest.mark.parametrize(("size", "severity"), [("Standard_DC4as_v5", Severity.MEDIUM), ("Standard_DC4es_V6", Severity.LOW)])
def test_a_confidential_vm_that_the_preview_may_take_is_milder(bench: Bench, size: str, severity: Severity) -> None:
    properties = {"hardwareProfile": {"vmSize": size}, "securityProfile": {"securityType": "ConfidentialVM"}}
    assert bench.finding("ABK305", properties).severity is severity


def test_a_limit_is_shown_with_its_origin(bench: Bench) -> None:
    properties = {**RUNNING, "storageProfile": {"osDisk": {"osType": "Windows"}}}
    message = bench.finding("ABK302", properties, status(vmAgent=AGENT)).message
    assert "is version 2.0.0.1; supported from 2.7.41491.1010 on Windows (default) and 2.2.53.1 on Linux (default)" in message
