"""What cases cannot say of the policies about backup items and jobs: the severity, cause and message of a finding."""

from __future__ import annotations

import pytest

from scanner.model import Json, Severity
from tests.bench import Bench, Tables

GROUP = "/subscriptions/s1/resourceGroups/RG"
VM = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/Web01"
VAULT = f"{GROUP}/providers/Microsoft.RecoveryServices/vaults/v1"
ITEM = f"{VAULT}/backupFabrics/Azure/protectionContainers/c/protectedItems/web01"


def item(**properties: Json) -> dict[str, list[Json]]:
    """One VM that follows a daily policy, and its backup item."""
    plain = {
        "backupManagementType": "AzureIaasVM",
        "sourceResourceId": VM,
        "protectionState": "Protected",
        "policyId": f"{VAULT}/backupPolicies/p",
    }
    return {
        "resources": [{"id": VM, "type": "microsoft.compute/virtualmachines", "properties": {}}],
        "recoveryservicesresources": [
            {
                "id": ITEM,
                "type": "microsoft.recoveryservices/vaults/backupfabrics/protectioncontainers/protecteditems",
                "properties": plain | properties,
            },
            {"id": f"{VAULT}/backupPolicies/p", "properties": {"schedulePolicy": {"scheduleRunFrequency": "Daily"}}},
        ],
    }


def jobs(*found: tuple[str, str]) -> dict[str, list[Json]]:
    """Backup jobs of the item: when each started, and how it ended."""
    tables = item()
    rows = [
        {
            "id": f"{VAULT}/backupJobs/{number}",
            "properties": {
                "backupManagementType": "AzureIaasVM",
                "operation": "Backup",
                "backupInstanceId": ITEM,
                "startTime": start,
                "status": status,
            },
        }
        for number, (start, status) in enumerate(found)
    ]
    return tables | {"recoveryservicesresources": [*tables["recoveryservicesresources"], *rows]}


def vaulted(bench: Bench, policy: str, tables: Tables) -> tuple[Severity, str | None, str]:
    finding = bench.failure(policy, tables, subject="vault:rg/v1")
    return finding.severity, finding.cause, finding.message


@pytest.mark.parametrize(("word", "severity"), [("ActionRequired", Severity.MEDIUM), ("actionsuggested", Severity.LOW)])
def test_a_suggestion_is_milder_than_a_requirement(bench: Bench, word: str, severity: Severity) -> None:
    tables = item(healthStatus=word, healthDetails=[{"title": "One"}, {"title": "Two"}])
    said = f"Azure Backup's health check of Web01 in vault v1 says {word}: One; Two."
    assert vaulted(bench, "ABK603", tables) == (severity, None, said)


@pytest.mark.parametrize(
    ("newest", "status", "severity", "hours"),
    [
        ("2026-11-17T06:00:00Z", "Completed", Severity.HIGH, "72.0"),
        ("2026-11-17T06:00:00Z", "Failed", Severity.HIGH, "72.0"),
        ("2026-11-20T00:00:00Z", "Failed", Severity.MEDIUM, "6.0"),
    ],
)
def test_a_backup_that_is_too_old_is_worse_than_a_new_one_that_failed(
    bench: Bench, newest: str, status: str, severity: Severity, hours: str
) -> None:
    said = (
        f"The newest backup of Web01 in vault v1 was {hours} hours ago and is {status}; "
        "the schedule asks for one every 24 hours, and at most 2 intervals may pass (default)."
    )
    assert vaulted(bench, "ABK604", item(lastBackupTime=newest, lastBackupStatus=status)) == (severity, None, said)


NIGHTS = ["2026-11-20T01:00:00Z", "2026-11-19T01:00:00Z", "2026-11-18T01:00:00Z"]


@pytest.mark.parametrize(
    ("ends", "severity"),
    [
        (["Failed"], Severity.MEDIUM),
        (["Failed", "Completed", "Failed"], Severity.MEDIUM),
        (["Failed", "Failed", "Completed"], Severity.HIGH),
        (["Failed", "Cancelled", "Failed"], Severity.HIGH),
        (["Failed", "Cancelled", "CompletedWithWarnings"], Severity.MEDIUM),
        (["InProgress", "Failed", "Failed"], Severity.HIGH),
    ],
)
def test_two_failed_jobs_in_a_row_are_worse_than_one(bench: Bench, ends: list[str], severity: Severity) -> None:
    tables = jobs(*zip(NIGHTS, ends, strict=False))
    assert vaulted(bench, "ABK605", tables) == (severity, None, "The newest backup job of Web01 in vault v1 has failed.")


def test_a_failed_extension_is_the_cause_of_a_failed_job(bench: Bench) -> None:
    tables = jobs((NIGHTS[0], "Failed"))
    states = {"aa": None, "bb": "Succeeded", "Mon": "failed", "zz": "Failed"}
    tables["resources"] = [
        *tables["resources"],
        *({"id": f"{VM}/extensions/{name}", "properties": {"provisioningState": state}} for name, state in states.items()),
    ]
    assert vaulted(bench, "ABK605", tables)[1] == f"{VM}/extensions/Mon".lower()


def test_jobs_that_overlap_are_told_with_the_limit(bench: Bench) -> None:
    finding = bench.failure("ABK606", jobs((NIGHTS[1], "InProgress")))
    said = "Two backup jobs of Web01 run at once, or one has run for more than 24 hours (default)."
    assert (finding.severity, finding.message) == (Severity.MEDIUM, said)


def test_the_vaults_of_a_vm_are_told_with_their_states(bench: Bench) -> None:
    tables = item()
    second = {
        "id": ITEM.replace("/v1/", "/v2/"),
        "type": "microsoft.recoveryservices/vaults/backupfabrics/protectioncontainers/protecteditems",
        "properties": {"backupManagementType": "AzureIaasVM", "sourceResourceId": VM, "protectionState": "IRPending"},
    }
    tables["recoveryservicesresources"] = [*tables["recoveryservicesresources"], second]
    finding = bench.failure("ABK607", tables)
    said = "Two vaults protect Web01, or a job still runs in one that no longer does: "
    said += 'items in ["v1","v2"] (["Protected","IRPending"]).'
    assert (finding.severity, finding.message) == (Severity.MEDIUM, said)
