"""Fabrikam's rows for Azure Backup: vaults, policies, items, jobs, restore point collections."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from examples import fabrikam_story as story
from examples.arg_rows import Row
from examples.fabrikam_machines import Machine, arg_row, guid, pick, protected, resource_id, vm_id

NEVER = "2001-01-01T00:00:00Z"
"""What lastBackupTime says before the first backup."""
NOW = datetime.fromisoformat(story.COLLECTED_AT)
ITEM = "microsoft.recoveryservices/vaults/backupfabrics/protectioncontainers/protecteditems"
WEEKLY = ("weekly", "test-weekly")
SCHEDULES: dict[str, Row] = {
    "every-4h": {
        "schedulePolicyType": "SimpleSchedulePolicyV2",
        "scheduleRunFrequency": "Hourly",
        "hourlySchedule": {"interval": 4, "scheduleWindowStartTime": "2026-01-01T00:00:00Z", "scheduleWindowDuration": 24},
    },
    **{
        name: {
            "schedulePolicyType": "SimpleSchedulePolicy",
            "scheduleRunFrequency": "Weekly",
            "scheduleRunDays": ["Sunday"],
            "scheduleRunTimes": ["2026-01-01T01:00:00Z"],
        }
        for name in WEEKLY
    },
}


def vault_id(vault: str) -> str:
    """The id of a vault."""
    return resource_id(*story.VAULTS[vault], "Microsoft.RecoveryServices/vaults", vault)


def resource_rows() -> Iterator[Row]:
    """Vaults and restore point collections, as the table `resources` lists them."""
    for vault, (sub, group) in story.VAULTS.items():
        kind = "microsoft.recoveryservices/vaults"
        yield arg_row(sub, group, id=vault_id(vault), name=vault, type=kind, properties={"provisioningState": "Succeeded"})
    for vm in protected():
        if not vm.is_new:
            yield _collection(vm.fleet.sub, vm.name, vm_id(vm))
    for group, name, has_points in story.RETIRED:
        if has_points:
            yield _collection("legacy", name, resource_id("legacy", group, "Microsoft.Compute/virtualMachines", name))


def restore_group(sub: str) -> str:
    """The group in which Azure Backup keeps the restore points of a subscription."""
    return f"AzureBackupRG_{story.SUBSCRIPTIONS[sub][2]}_1"


def _collection(sub: str, name: str, source: str) -> Row:
    full = f"AzureBackup_{name}_{35184372088832 + pick(f'collection/{source}', 9000)}"
    group = restore_group(sub)
    return arg_row(
        sub,
        group,
        id=resource_id(sub, group.upper(), "Microsoft.Compute/restorePointCollections", full),
        name=full,
        type="microsoft.compute/restorepointcollections",
        properties={"provisioningState": "Succeeded", "source": {"id": source, "location": story.SUBSCRIPTIONS[sub][2]}},
    )


def recovery_rows() -> Iterator[Row]:
    """Every row of the table `recoveryservicesresources`."""
    yield from (_policy_row(name) for name in story.BACKUP_POLICIES)
    for vm in protected():
        yield _item_row(vm)
        yield from (_job_row(vm, number, job) for number, job in enumerate(_jobs(vm)))
    yield from (_retired_row(group, name) for group, name, _ in story.RETIRED)


def _recovery_row(vault: str, **columns: Any) -> Row:
    return arg_row(*story.VAULTS[vault], **columns)


def _policy_row(name: str) -> Row:
    vault, kind = story.BACKUP_POLICIES[name]
    plain = {
        "schedulePolicyType": f"SimpleSchedulePolicy{'V2' if kind == 'V2' else ''}",
        "scheduleRunFrequency": "Daily",
        ("dailySchedule" if kind == "V2" else "scheduleRunTimes"): {"scheduleRunTimes": ["2026-01-01T01:00:00Z"]}
        if kind == "V2"
        else ["2026-01-01T01:00:00Z"],
    }
    properties = {
        "backupManagementType": "AzureIaasVM",
        "instantRPDetails": {},
        "instantRpRetentionRangeInDays": 5 if name in WEEKLY else 7 if kind == "V2" else 2,
        "policyType": kind,
        "protectedItemsCount": sum(vm.fleet.policy == name for vm in protected()),
        "schedulePolicy": SCHEDULES.get(name, plain),
        "timeZone": "UTC",
    }
    properties |= {"snapshotConsistencyType": "OnlyCrashConsistent"} if name == "appliances" else {}
    return _recovery_row(
        vault, id=_policy_id(name), name=name, type="microsoft.recoveryservices/vaults/backuppolicies", properties=properties
    )


def _policy_id(name: str) -> str:
    return f"{vault_id(story.BACKUP_POLICIES[name][0])}/backupPolicies/{name}"


def item_id(vault: str, group: str, name: str) -> str:
    """The id of the backup item of a VM."""
    tail = f"iaasvmcontainerv2;{group};{name}"
    return f"{vault_id(vault)}/backupFabrics/Azure/protectionContainers/iaasvmcontainer;{tail}/protectedItems/vm;{tail}"


def _item(policy: str, group: str, name: str, **properties: Any) -> Row:
    vault, kind = story.BACKUP_POLICIES[policy]
    return _recovery_row(
        vault,
        id=item_id(vault, group, name),
        name=f"VM;iaasvmcontainerv2;{group};{name}",
        type=ITEM,
        properties={
            "backupManagementType": "AzureIaasVM",
            "friendlyName": name,
            "healthDetails": [],
            "healthStatus": "Passed",
            "isScheduledForDeferredDelete": False,
            "policyId": _policy_id(policy),
            "policyName": policy,
            "policyType": kind,
            "protectedItemType": "Microsoft.Compute/virtualMachines",
            "protectionStatus": "Healthy",
            "vaultId": vault_id(vault),
            "workloadType": "VM",
            **properties,
        },
    )


def _item_row(vm: Machine) -> Row:
    _, group, name = vm.place
    last = NEVER if vm.is_new else _text(_last_start(vm) + timedelta(minutes=25))
    exclusion = {"diskExclusionProperties": {"diskLunList": list(vm.fleet.out), "isInclusionList": False}}
    return _item(
        vm.fleet.policy,
        group,
        name,
        currentProtectionState="ConfiguringProtection" if vm.is_new else "ProtectionConfigured",
        extendedProperties=exclusion if vm.fleet.out else None,
        lastBackupStatus="" if vm.is_new else "Completed",
        lastBackupTime=last,
        lastRecoveryPoint=None if vm.is_new else last,
        protectionState="IRPending" if vm.is_new else "Protected",
        sourceResourceId=vm_id(vm),
        virtualMachineId=vm_id(vm),
    )


def _retired_row(group: str, name: str) -> Row:
    source = resource_id("legacy", group, "Microsoft.Compute/virtualMachines", name)
    return _item(
        "retired",
        group,
        name,
        currentProtectionState="ProtectionStopped",
        lastBackupStatus="Completed",
        lastBackupTime="2026-06-30T01:12:09Z",
        lastRecoveryPoint="2026-06-30T01:12:09Z",
        protectionState="ProtectionStopped",
        sourceResourceId=source,
        virtualMachineId=source,
    )


def _last_start(vm: Machine) -> datetime:
    """Last night at one, four hours ago, or last Sunday."""
    if vm.fleet.policy in WEEKLY:
        return datetime.fromisoformat("2026-11-15T01:00:00+00:00")
    return NOW - timedelta(hours=5, minutes=-pick(f"minute/{vm.name}", 40))


def _jobs(vm: Machine) -> Iterator[tuple[datetime, str]]:
    """When each backup job of the last days started, and how it ended; the newest first."""
    if vm.is_new:
        return
    last = _last_start(vm)
    if vm.place == story.BUSY:
        yield NOW - timedelta(hours=2), "InProgress"
    if vm.place == story.CANCELLED:
        yield NOW - timedelta(hours=1), "Cancelled"
    yield last, "CompletedWithWarnings" if vm.place == story.WARNINGS else "Completed"
    yield last - timedelta(days=7 if vm.fleet.policy in WEEKLY else 1), "Failed" if vm.place == story.RECOVERED else "Completed"


def _job_row(vm: Machine, number: int, job: tuple[datetime, str]) -> Row:
    start, status = job
    vault = story.BACKUP_POLICIES[vm.fleet.policy][0]
    name = guid(f"job/{vm.place}/{number}")
    running = status == "InProgress"
    properties = {
        "backupInstanceId": item_id(vault, vm.fleet.group, vm.name),
        "backupManagementType": "AzureIaasVM",
        "duration": "00:25:10.1896697",
        "endTime": None if running else _text(start + timedelta(minutes=25)),
        "entityFriendlyName": vm.name,
        "errorDetails": [_error()] if status == "Failed" else None,
        "extendedInfo": {"dynamicErrorMessage": "", "propertyBag": {"VM Name": vm.name}, "tasksList": _tasks(status)},
        "isUserTriggered": status == "Cancelled",
        "jobType": "AzureIaaSVMJob",
        "operation": "Backup",
        "startTime": _text(start),
        "status": status,
    }
    identity = f"{vault_id(vault)}/backupJobs/{name}".replace("/subscriptions/", "/Subscriptions/", 1)
    return _recovery_row(
        vault, id=identity, name=name, type="microsoft.recoveryservices/vaults/backupjobs", properties=properties
    )


def _tasks(status: str) -> list[Row]:
    snapshot = "Failed" if status == "Failed" else "Completed"
    transfer = {"Failed": "NotStarted", "InProgress": "InProgress"}.get(status, "Completed")
    return [{"taskId": "Take Snapshot", "status": snapshot}, {"taskId": "Transfer data to vault", "status": transfer}]


def _error() -> Row:
    return {
        "errorCode": 400001,
        "errorString": "Could not communicate with the VM agent for snapshot status.",
        "errorTitle": "",
        "recommendations": ["Try the backup again."],
    }


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
