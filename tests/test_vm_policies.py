"""What cases cannot say of the policies about VMs: the severity, cause and message of a finding, and who shares a cause."""

from __future__ import annotations

import pytest

from scanner.model import Json, Severity, Verdict
from tests.bench import Bench, Tables

GROUP = "/subscriptions/s1/resourceGroups/RG"
VM = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/Web01"
VAULT = f"{GROUP}/providers/Microsoft.RecoveryServices/vaults/v1"
ITEMS = "microsoft.recoveryservices/vaults/backupfabrics/protectioncontainers/protecteditems"
RUNNING = {"extended": {"instanceView": {"powerState": {"code": "PowerState/running"}}}}


def protected(properties: Json, tables: Tables | None = None, consistency: str = "") -> Tables:
    """One VM, protected by a policy that asks for some consistency, and what else there is."""
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
    return given


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
    finding = bench.failure("ABK201", protected({"provisioningState": state}))
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
    model = bench.failure("ABK201", protected({"provisioningState": "Failed"}, listed))
    inside = bench.failure("ABK402", protected(RUNNING, {**listed, **view}))
    assert model.cause == inside.cause == f"{VM}/extensions/mon".lower()
    assert inside.message == 'Web01: these extensions report a failure: ["zz","Mon"].'


def test_a_failed_extension_without_a_name_has_no_cause(bench: Bench) -> None:
    finding = bench.failure(
        "ABK402", protected(RUNNING, status(extensions=[{"statuses": [{"code": "ProvisioningState/failed"}]}]))
    )
    assert finding.cause is None


@pytest.mark.parametrize("levels", [("ReadOnly", "CanNotDelete"), ("readonly", "ReadOnly")])
def test_the_cause_of_a_locked_vm_is_the_readonly_lock_highest_up(bench: Bench, levels: tuple[str, str]) -> None:
    subscription, inner = (
        lock("/subscriptions/s1", "top", levels[0]),
        lock(f"{VM}/extensions/e1", "inner", "ReadOnly"),
    )
    locks = [lock("/subscriptions/s1", "keep", "CanNotDelete"), lock(VM, "vm", levels[1]), inner, subscription]
    assert bench.failure("ABK103", protected({}, {"arm_locks": locks})).cause == subscription["id"]


AGENT = {"vmAgentVersion": "2.0.0.1", "statuses": [{"code": "ProvisioningState/Unavailable"}]}
STOPPED = {"extended": {"instanceView": {"powerState": {"code": "PowerState/stopped"}}}}
AGENTLESS = [("ABK202", STOPPED, Severity.LOW, Severity.INFO), ("ABK301", RUNNING, Severity.HIGH, Severity.LOW)]


@pytest.mark.parametrize(("policy", "properties", "usual", "agentless"), AGENTLESS)
def test_what_agentless_backup_does_not_need_is_milder_under_it(
    bench: Bench, policy: str, properties: Json, usual: Severity, agentless: Severity
) -> None:
    tables = status(vmAgent=AGENT)
    assert bench.failure(policy, protected(properties, tables)).severity is usual
    assert bench.failure(policy, protected(properties, tables, "OnlyCrashConsistent")).severity is agentless


@pytest.mark.parametrize(("size", "severity"), [("Standard_DC4as_v5", Severity.MEDIUM), ("Standard_DC4es_V6", Severity.LOW)])
def test_a_confidential_vm_that_the_preview_may_take_is_milder(bench: Bench, size: str, severity: Severity) -> None:
    properties = {"hardwareProfile": {"vmSize": size}, "securityProfile": {"securityType": "ConfidentialVM"}}
    assert bench.failure("ABK305", protected(properties)).severity is severity


def test_a_limit_is_shown_with_its_origin(bench: Bench) -> None:
    properties = {**RUNNING, "storageProfile": {"osDisk": {"osType": "Windows"}}}
    message = bench.failure("ABK302", protected(properties, status(vmAgent=AGENT))).message
    assert "is version 2.0.0.1; supported from 2.7.41491.1010 on Windows (default) and 2.2.53.1 on Linux (default)" in message


@pytest.mark.parametrize(("policy", "view"), [("ABK302", {"power_state": "PowerState/running"}), ("ABK303", {})])
def test_a_vm_whose_backup_item_was_not_seen_is_not_taken_for_agentless(
    bench: Bench, policy: str, view: dict[str, Json]
) -> None:
    applies = bench.policy(policy).applies
    assert applies is not None
    assert applies.when.truth({**view, "items": []}) is True
    assert applies.when.truth({**view, "items": [{"snapshots": "crash"}, {"snapshots": "application"}]}) is True
    assert applies.when.truth({**view, "items": [{"snapshots": "crash"}]}) is False


@pytest.mark.parametrize("policy", ["ABK202", "ABK301"])
def test_nor_is_a_finding_milder_where_no_backup_item_was_seen(bench: Bench, policy: str) -> None:
    [milder] = bench.policy(policy).severity_when
    assert milder.when.truth({"items": []}) is False
    assert milder.when.truth({"items": [{"snapshots": "crash"}]}) is True


def test_a_system_that_is_not_supported_is_judged_where_no_backup_item_was_seen(bench: Bench) -> None:
    applies = bench.policy("ABK304").applies
    assert applies is not None
    view: dict[str, Json] = {"power_state": "PowerState/running", "image_kind": "marketplace"}
    assert applies.when.truth({**view, "items": []}) is True
    assert applies.when.truth({**view, "items": [{"snapshots": "crash"}]}) is False


@pytest.mark.parametrize(
    ("state", "code", "severity"),
    [
        ("Failed", "ProvisioningState/succeeded", Severity.HIGH),
        ("Canceled", "ProvisioningState/succeeded", Severity.HIGH),
        ("Succeeded", "ProvisioningState/failed/1", Severity.MEDIUM),
    ],
)
def test_a_backup_extension_that_azure_still_calls_succeeded_is_milder(
    bench: Bench, state: str, code: str, severity: Severity
) -> None:
    found = {"publisher": "Microsoft.Azure.RecoveryServices", "type": "VMSnapshot", "provisioningState": state}
    listed = {"resources": [{"id": f"{VM}/extensions/VMSnapshot", "properties": found}]}
    view = status(extensions=[reported("VMSnapshot", code)])
    finding = bench.failure("ABK403", protected(RUNNING, {**listed, **view}), subject="extension:vmsnapshot")
    assert (finding.severity, finding.cause) == (severity, f"{VM}/extensions/VMSnapshot".lower())


def test_an_undecided_backup_extension_weighs_as_much_as_what_azure_says_of_it(bench: Bench) -> None:
    found = {"publisher": "Microsoft.Azure.RecoveryServices", "type": "VMSnapshot", "provisioningState": "Succeeded"}
    listed = {"resources": [{"id": f"{VM}/extensions/VMSnapshot", "properties": found}]}
    finding = bench.finding("ABK403", protected(RUNNING, {**listed, **status(extensions=[])}), subject="extension:vmsnapshot")
    assert (finding.verdict, finding.severity) == (Verdict.UNKNOWN, Severity.MEDIUM)
