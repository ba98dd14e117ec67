"""Contoso's rows for Azure Backup: vaults, restore point collections, protected items, backup policies, jobs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from examples import contoso_spelling as spelling
from examples import contoso_story as story
from examples.contoso_fleets import PLANS, POLICIES, SCHEDULES, SNAPSHOT, SUBSCRIPTIONS, VAULTS
from examples.contoso_shapes import MISSING, Item, Machine

Row = dict[str, Any]

NEVER = "2001-01-01T00:00:00Z"
"""What lastBackupTime says before the first backup."""
ITEMS = "microsoft.recoveryservices/vaults/backupfabrics/protectioncontainers/protecteditems"
STOPPED = {"protectionstopped", "protectionpaused", "backupssuspended"}


def vault_rows() -> Iterator[Row]:
    """The vaults, as the table `resources` lists them."""
    for vault, (sub, group) in VAULTS.items():
        yield spelling.arg_row(
            sub,
            group,
            id=vault_id(vault),
            name=vault,
            type="microsoft.recoveryservices/vaults",
            sku={"name": "RS0", "tier": "Standard"},
            properties={
                "provisioningState": "Succeeded",
                "redundancySettings": {"standardTierStorageRedundancy": "GeoRedundant", "crossRegionRestore": "Disabled"},
                "securitySettings": {
                    "softDeleteSettings": {"softDeleteState": "Enabled", "softDeleteRetentionPeriodInDays": 14}
                },
            },
        )


def vault_id(vault: str) -> str:
    """The id of a vault."""
    sub, group = VAULTS[vault]
    return f"{spelling.group_id(sub, group)}/providers/Microsoft.RecoveryServices/vaults/{vault}"


def collection_rows() -> Iterator[Row]:
    """One restore point collection for each VM that has been backed up, and the extra ones of the story."""
    machines = {(vm.sub, vm.group, vm.name): vm for vm in story.machines()}
    for vm in machines.values():
        if vm.restore_group and not _first_backup_pending(vm):
            yield _collection(vm.restore_group, collection_name(vm), vm=vm)
    for sub, group, name, source in story.EXTRA_COLLECTIONS:
        yield _collection(group, name, vm=machines[(sub, *source)])
    for sub, group, name, gone in story.LOST_COLLECTIONS:
        yield _collection_row(sub, group, name, source=spelling.machine_id(sub, *gone[:1], name=gone[1]) if gone else MISSING)


def restore_points() -> Iterator[Row]:
    """The collections as Azure Resource Manager gives them one by one, with their restore points."""
    for row in collection_rows():
        name = row["name"]
        sub = next(short for short, (identity, _, _) in SUBSCRIPTIONS.items() if identity == row["subscriptionId"])
        count = story.RESTORE_POINTS.get((sub, name.split("_")[1] if "_" in name else ""), 2)
        points = [{"name": f"{name}_{number}"} for number in range(count)] if isinstance(count, int) else MISSING
        yield {
            "id": row["id"],
            "name": name,
            "properties": spelling.present({**row["properties"], "restorePoints": points}),
            "type": "Microsoft.Compute/restorePointCollections",
        }


def collection_name(vm: Machine) -> str:
    """The name that Azure Backup gives a VM's collection."""
    return f"AzureBackup_{vm.name}_{35184372088832 + spelling.pick(f'collection/{vm.sub}/{vm.group}/{vm.name}', 9000)}"


def _first_backup_pending(vm: Machine) -> bool:
    return any(item.state == "IRPending" for item in vm.items)


def _collection(group: str, name: str, *, vm: Machine) -> Row:
    return _collection_row(vm.sub, group, name, source=spelling.vm_reference(vm, "collection"))


def _collection_row(sub: str, group: str, name: str, *, source: str) -> Row:
    loud = group.upper() if group.startswith("AzureBackupRG") else group
    origin = spelling.present({"id": source, "location": spelling.location(sub)})
    return spelling.arg_row(
        sub,
        group,
        id=f"{spelling.group_id(sub, loud)}/providers/Microsoft.Compute/restorePointCollections/{name}",
        name=name,
        type="microsoft.compute/restorepointcollections",
        properties={
            "provisioningState": "Succeeded",
            "restorePointCollectionId": spelling.guid(f"{sub}/{group}/{name}"),
            "source": origin,
        },
    )


def recovery_rows() -> Iterator[Row]:
    """Every row of the table `recoveryservicesresources`."""
    for vm in story.machines():
        for item in vm.items:
            source = spelling.vm_reference(vm, f"item/{item.vault}")
            yield _item_row(vm.group, vm.name, item=item, source=source, failed=_backup_fails(vm))
            if not _at_rest(item):
                yield from _job_rows(vm.group, vm.name, item=item, failed=_backup_fails(vm))
    for sub, group, name, item in story.ORPHANS:
        yield _item_row(group, name, item=item, source=spelling.machine_id(sub, group, name=name), failed=False)
    for sub, group, name, vault, database in story.DATABASES:
        yield _database_row(vault, database, machine=name, source=spelling.machine_id(sub, group, name=name))
    for vault, name, kind, details in POLICIES:
        yield _policy_row(vault, name, kind=kind, details=details)


def _backup_fails(vm: Machine) -> bool:
    silent = vm.power == "running" and vm.agent is not None and not vm.agent.code.lower().endswith("succeeded")
    return silent or vm.extensions.get(SNAPSHOT[vm.os]) == "Failed"


def _recovery_row(vault: str, **columns: Any) -> Row:
    sub, group = VAULTS[vault]
    return spelling.arg_row(sub, group, **columns)


def _item_id(group: str, name: str, *, vault: str) -> str:
    tail = f"iaasvmcontainerv2;{group};{name}"
    return f"{vault_id(vault)}/backupFabrics/Azure/protectionContainers/iaasvmcontainer;{tail}/protectedItems/vm;{tail}"


def _item_row(group: str, name: str, *, item: Item, source: str, failed: bool) -> Row:
    pending = item.state == "IRPending"
    policy, kind = _policy_of(group, item.vault)
    properties = {
        "backupManagementType": "AzureIaasVM",
        "currentProtectionState": item.current,
        "extendedProperties": None,
        "friendlyName": name,
        "healthStatus": "ActionRequired" if failed or _at_rest(item) else "Passed",
        "isArchiveEnabled": False,
        "isScheduledForDeferredDelete": item.deferred_delete,
        "lastBackupStatus": "" if pending else "Failed" if failed else "Completed",
        "lastBackupTime": NEVER if pending else _night(name, rested=_at_rest(item)),
        "lastRecoveryPoint": None if pending else _night(name, rested=_at_rest(item)),
        "policyId": f"{vault_id(item.vault)}/backupPolicies/{policy}",
        "policyName": policy,
        "policyType": (None, kind, MISSING)[spelling.pick(f"policytype/{name}", 3)],
        "protectedItemType": "Microsoft.Compute/virtualMachines",
        "protectionState": item.state,
        "protectionStatus": "Healthy",
        "sourceResourceId": source,
        "vaultId": vault_id(item.vault),
        "virtualMachineId": source,
        "workloadType": "VM",
        **item.facts,
    }
    return _recovery_row(
        item.vault,
        id=_item_id(group, name, vault=item.vault),
        name=f"VM;iaasvmcontainerv2;{group};{name}",
        type=ITEMS,
        properties=spelling.present(properties),
    )


def _policy_of(group: str, vault: str) -> tuple[str, str]:
    """Name and kind of the backup policy that a group's machines follow in a vault."""
    offered = {name: kind for where, name, kind, _ in POLICIES if where == vault}
    name = PLANS.get((VAULTS[vault][0], group), "")
    chosen = name if name in offered else next(iter(offered))
    return chosen, offered[chosen]


def _at_rest(item: Item) -> bool:
    return str(item.state).lower() in STOPPED


def _night(name: str, *, rested: bool) -> str:
    day = "2026-09-30" if rested else "2026-11-20"
    return f"{day}T01:{spelling.pick(f'minute/{name}', 60):02}:09Z"


def _database_row(vault: str, database: str, *, machine: str, source: str) -> Row:
    tail = f"protectionContainers/VMAppContainer;Compute;rg;{machine}/protectedItems/SQLDataBase;MSSQLSERVER;{database}"
    return _recovery_row(
        vault,
        id=f"{vault_id(vault)}/backupFabrics/Azure/{tail}",
        name=f"SQLDataBase;MSSQLSERVER;{database}",
        type=ITEMS,
        properties={
            "backupManagementType": "AzureWorkload",
            "currentProtectionState": "ProtectionConfigured",
            "friendlyName": database,
            "protectedItemType": "AzureVmWorkloadSQLDatabase",
            "protectionState": "Protected",
            "sourceResourceId": source,
            "workloadType": "SQLDataBase",
        },
    )


def _policy_row(vault: str, name: str, *, kind: str, details: Any) -> Row:
    suffix = "V2" if kind == "V2" else ""
    special = dict(SCHEDULES.get((vault, name), {}))
    days, frequency = special.pop("days", 2), special.pop("frequency", "Daily")
    schedule: Row = {"schedulePolicyType": f"SimpleSchedulePolicy{suffix}", "scheduleRunFrequency": frequency, **special}
    properties = {
        "backupManagementType": "AzureIaasVM",
        "instantRPDetails": MISSING if details is None else dict(details),
        "instantRpRetentionRangeInDays": days,
        "policyType": kind,
        "retentionPolicy": {"dailySchedule": {"retentionDuration": {"count": 30, "durationType": "Days"}}},
        "schedulePolicy": schedule if special else schedule | {"scheduleRunTimes": ["2026-01-01T01:00:00Z"]},
        "timeZone": "UTC",
    }
    return _recovery_row(
        vault,
        id=f"{vault_id(vault)}/backupPolicies/{name}",
        name=name,
        type="microsoft.recoveryservices/vaults/backuppolicies",
        properties=spelling.present(properties),
    )


def _job_rows(group: str, name: str, *, item: Item, failed: bool) -> Iterator[Row]:
    """ARG keeps jobs for 14 days, so items whose backups rest have none."""
    for number, unlike in enumerate(item.jobs):
        properties = spelling.present({**_last_night(group, name, item=item, failed=failed), **unlike})
        yield _job_row(item.vault, spelling.guid(f"job/{item.vault}/{group}/{name}" + f"/{number}" * (number > 0)), properties)


def _last_night(group: str, name: str, *, item: Item, failed: bool) -> Row:
    pending = item.state == "IRPending"
    start = _night(name, rested=False)
    snapshot = {"taskId": "Take Snapshot", "status": "Failed" if failed else "Completed"}
    return {
        "backupInstanceId": _item_id(group, name, vault=item.vault),
        "backupManagementType": "AzureIaasVM",
        "duration": "PT9.8782791S" if pending else "00:20:23.0896697",
        "endTime": start.replace("T01:", "T03:"),
        "entityFriendlyName": name,
        "errorDetails": [_error()] if failed else None,
        "extendedInfo": {"dynamicErrorMessage": "", "propertyBag": {"VM Name": name}, "tasksList": [snapshot]},
        "isUserTriggered": False,
        "jobType": "AzureIaaSVMJob",
        "operation": "ConfigureBackup" if pending else "Backup",
        "startTime": start,
        "status": "Failed" if failed else "Completed",
    }


def _job_row(vault: str, job: str, properties: Row) -> Row:
    return _recovery_row(
        vault,
        id=f"{vault_id(vault)}/backupJobs/{job}".replace("/subscriptions/", "/Subscriptions/", 1),
        name=job,
        type="microsoft.recoveryservices/vaults/backupjobs",
        properties=properties,
    )


def _error() -> Row:
    return {
        "errorCode": 400000,
        "errorString": "VM Agent unable to communicate with Azure Backup",
        "errorTitle": "",
        "recommendations": ["Check that the VM agent is running."],
    }
