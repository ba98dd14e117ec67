"""What cases cannot say of the policies about restore points: severity, cause and message of a finding, and whom it affects."""

from __future__ import annotations

import pytest

from scanner.model import Json, Severity
from tests.bench import Bench, Tables

GROUP = "/subscriptions/s1/resourceGroups/RG"
VM = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/Web01"
VAULT = f"{GROUP}/providers/Microsoft.RecoveryServices/vaults/v1"
POINTS = f"{GROUP}/providers/Microsoft.Compute/restorePointCollections/AzureBackup_Web01_1"
STANDARD: Json = {
    "policyType": "V1",
    "instantRpRetentionRangeInDays": 2,
    "schedulePolicy": {"scheduleRunFrequency": "Daily", "scheduleRunTimes": ["2026-01-01T02:00:00Z"]},
}
ENHANCED: Json = {
    "policyType": "V2",
    "instantRpRetentionRangeInDays": 7,
    "schedulePolicy": {
        "scheduleRunFrequency": "Hourly",
        "hourlySchedule": {"interval": 4, "scheduleWindowDuration": 24},
    },
}


def protected(plan: Json, *, points: int = 1, locks: tuple[Json, ...] = ()) -> Tables:
    """One protected VM with one collection of restore points, under a backup policy."""
    source = {"source": {"id": VM}}
    item = {"backupManagementType": "AzureIaasVM", "sourceResourceId": VM, "protectionState": "Protected"}
    return {
        "resources": [{"id": VM}, {"id": POINTS, "properties": source}],
        "recoveryservicesresources": [
            {"id": f"{VAULT}/backupPolicies/p", "properties": {"backupManagementType": "AzureIaasVM", **plan}},
            {
                "id": f"{VAULT}/backupFabrics/Azure/protectionContainers/c/protectedItems/i",
                "properties": {**item, "policyId": f"{VAULT}/backupPolicies/p"},
            },
        ],
        "arm_restore_points": [
            {"id": POINTS, "properties": {**source, "restorePoints": [{"name": str(n)} for n in range(points)]}},
        ],
        "arm_locks": locks,
    }


@pytest.mark.parametrize(
    ("plan", "points", "severity"),
    [
        (STANDARD, 16, Severity.MEDIUM),
        (STANDARD, 17, Severity.MEDIUM),
        (STANDARD, 18, Severity.HIGH),
        (ENHANCED, 46, Severity.MEDIUM),
        (ENHANCED, 499, Severity.MEDIUM),
        (ENHANCED, 500, Severity.HIGH),
    ],
)
def test_a_vm_at_its_limit_is_worse_than_one_close_to_it(bench: Bench, plan: Json, points: int, severity: Severity) -> None:
    finding = bench.failure("ABK104", protected(plan, points=points))
    assert (finding.severity, finding.affects) == (severity, (VM.lower(),))


def test_a_vm_at_its_limit_is_told_with_what_was_counted_and_what_counts(bench: Bench) -> None:
    assert bench.failure("ABK104", protected(STANDARD, points=18)).message == (
        "Web01 has restore points in 1 collections: [18]. Its backup policy p (V1) plans 2. Standard (V1): backups fail at 18"
        " (default), told from 2 before (default); Enhanced (V2): 3 more than planned (default)."
    )


def test_a_policy_affects_the_vms_that_follow_it(bench: Bench) -> None:
    finding = bench.failure("ABK105", protected({**STANDARD, "instantRpRetentionRangeInDays": 6}))
    assert (finding.severity, finding.affects) == (Severity.MEDIUM, (VM.lower(),))
    assert finding.message == (
        "p in vault v1 (V1) plans 6 restore points of each VM: 1 a day, kept for 6 days. Standard (V1) allows 1 a day (default)"
        " for up to 5 days (default), Enhanced (V2) 60 in all (default) for up to 30 days (default)."
    )


def test_a_locked_collection_has_its_lowest_lock_as_its_cause_and_affects_its_vm(bench: Bench) -> None:
    tail = "/providers/Microsoft.Authorization/locks"
    locks = tuple(
        {"id": f"{scope}{tail}/{name}", "name": name, "properties": {"level": level}}
        for scope, name, level in ((GROUP, "Group", "CanNotDelete"), (POINTS, "Mine", "ReadOnly"))
    )
    finding = bench.failure("ABK102", protected(STANDARD, locks=locks))
    assert (finding.severity, finding.affects) == (Severity.HIGH, (VM.lower(),))
    assert finding.cause == f"{POINTS}{tail}/Mine".lower()
