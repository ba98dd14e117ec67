"""Snapshots of any size with raw tables, written fast; the same arguments give the same bytes.

A fictitious company with many alike subscriptions: what `examples/contoso` tells in words, this tells in numbers. Rows have
Contoso's shapes and use its tables of kinds, images and agents.
"""

from __future__ import annotations

import hashlib
import json
import random
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from examples.contoso_compute import GIB, IMAGES, SYSTEMS
from examples.contoso_fleets import AGENTS, COLLECTED_AT, KINDS, MONITOR, SNAPSHOT, TENANT

Row = dict[str, Any]

DEFECTS = ("ABK101", "ABK301", "ABK401", "ABK501", "ABK502", "ABK602")
"""What can be wrong with a machine (with its subscription, for the lock of ABK101), by the policy that finds it."""
TABLES = (
    "arm_locks",
    "arm_vm_status",
    "guestconfigurationresources",
    "patchassessmentresources",
    "recoveryservicesresources",
    "resourcecontainers",
    "resources",
)
LOCATION = "westeurope"
SEEN = "2026-11-20T05:58:41.885+00:00"
ITEMS = "microsoft.recoveryservices/vaults/backupfabrics/protectioncontainers/protecteditems"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What was written: the subscriptions in order, the rows of each table, and the defects by the policy that finds them."""

    subscriptions: tuple[str, ...]
    rows: Mapping[str, int]
    planted: Mapping[str, int]


@dataclass(slots=True)
class _Table:
    """A table while it is written."""

    stream: BinaryIO
    rows: int = 0
    sha256: Any = field(default_factory=hashlib.sha256)
    types: set[str] = field(default_factory=set)

    def write(self, rows: list[Row]) -> None:
        rows.sort(key=lambda row: str(row["id"]))
        data = b"".join(orjson.dumps(row, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE) for row in rows)
        self.stream.write(data)
        self.sha256.update(data)
        self.rows += len(rows)
        self.types.update(row["type"] for row in rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Home:
    """A subscription: its id, and the ids of its groups and its vault."""

    sub: str

    @property
    def group(self) -> str:
        return f"/subscriptions/{self.sub}/resourceGroups/rg-app"

    @property
    def restore_group(self) -> str:
        return f"/subscriptions/{self.sub}/resourceGroups/AzureBackupRG_{LOCATION}_1"

    @property
    def vault(self) -> str:
        return f"/subscriptions/{self.sub}/resourceGroups/rg-backup/providers/Microsoft.RecoveryServices/vaults/rsv-{LOCATION}"


def write(folder: Path, *, subscriptions: int, vms_per_subscription: int, defects: float = 0.1, seed: str = "big") -> Written:
    """Write a snapshot into `folder`, which is made. `defects` is the share of machines that have one."""
    folder.mkdir(parents=True)
    homes = sorted(str(uuid.uuid5(uuid.NAMESPACE_URL, f"{seed}/{number}")) for number in range(subscriptions))
    chance = random.Random(seed)  # noqa: S311 - an estate that is made up
    planted: Counter[str] = Counter(dict.fromkeys(DEFECTS, 0))
    streams = {name: _Table((folder / f"{name}.ndjson").open("wb")) for name in TABLES}
    for sub in homes:
        wrong = {number: chance.choice(DEFECTS) for number in range(vms_per_subscription) if chance.random() < defects}
        planted.update(kind for kind in wrong.values() if kind != "ABK101")
        planted["ABK101"] += "ABK101" in wrong.values()
        for name, rows in _rows(_Home(sub=sub), vms_per_subscription, wrong).items():
            streams[name].write(rows)
    for table in streams.values():
        table.stream.close()
    (folder / "manifest.json").write_bytes(_manifest(homes, streams))
    return Written(subscriptions=tuple(homes), rows={name: table.rows for name, table in streams.items()}, planted=planted)


def _rows(home: _Home, machines: int, wrong: Mapping[int, str]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {
        "resources": [_vault(home)],
        "recoveryservicesresources": [_policy(home)],
        "resourcecontainers": list(_containers(home)),
        "guestconfigurationresources": [],
        "patchassessmentresources": [],
        "arm_vm_status": [],
        "arm_locks": [_lock(home)] if "ABK101" in wrong.values() else [],
    }
    for number in range(machines):
        name, defect = f"vm-{number:05}", wrong.get(number, "")
        system = "Linux" if number % 3 == 0 else "Windows"
        found["resources"] += _compute(home, name, system=system, defect=defect)
        found["recoveryservicesresources"] += [_item(home, name, defect=defect), _job(home, name)]
        found["patchassessmentresources"].append(_assessment(home, name, system=system))
        found["arm_vm_status"].append(_status(home, name, system=system, defect=defect))
    return found


def _row(sub: str, identity: str, kind: str, **columns: Any) -> Row:
    """A row of an ARG table with its standard columns."""
    parts = identity.split("/")
    return {
        "extendedLocation": None,
        "id": identity,
        "identity": None,
        "kind": "",
        "location": LOCATION,
        "managedBy": "",
        "name": parts[-1],
        "plan": None,
        "resourceGroup": parts[4].lower() if len(parts) > 4 else "",
        "sku": None,
        "subscriptionId": sub,
        "tags": None,
        "tenantId": TENANT,
        "type": kind,
        "zones": None,
        **columns,
    }


def _containers(home: _Home) -> Iterator[Row]:
    chain = [{"displayName": "Tenant Root Group", "name": TENANT}]
    inner = {"managementGroupAncestorsChain": chain, "state": "Enabled"}
    kind = "microsoft.resources/subscriptions"
    yield _row(home.sub, f"/subscriptions/{home.sub}", kind, name=f"sub-{home.sub[:8]}", location="", properties=inner)
    for group in (home.group, home.restore_group, home.vault.partition("/providers/")[0]):
        yield _row(home.sub, group, f"{kind}/resourcegroups", properties={"provisioningState": "Succeeded"})


def _vault(home: _Home) -> Row:
    sku = {"name": "RS0", "tier": "Standard"}
    return _row(
        home.sub, home.vault, "microsoft.recoveryservices/vaults", sku=sku, properties={"provisioningState": "Succeeded"}
    )


def _policy(home: _Home) -> Row:
    schedule: Row = {
        "schedulePolicyType": "SimpleSchedulePolicyV2",
        "scheduleRunFrequency": "Daily",
        "scheduleRunTimes": ["2026-01-01T01:00:00Z"],
    }
    properties: Row = {
        "backupManagementType": "AzureIaasVM",
        "instantRPDetails": {},
        "instantRpRetentionRangeInDays": 2,
        "policyType": "V2",
        "schedulePolicy": schedule,
        "timeZone": "UTC",
    }
    kind = "microsoft.recoveryservices/vaults/backuppolicies"
    return _row(home.sub, f"{home.vault}/backupPolicies/daily", kind, properties=properties)


def _machine(home: _Home, name: str) -> str:
    return f"{home.group}/providers/Microsoft.Compute/virtualMachines/{name}"


def _compute(home: _Home, name: str, *, system: str, defect: str) -> Iterator[Row]:
    machine = _machine(home, name)
    disks = {
        f"{name}-os": (127, False),
        f"{name}-data0": (71680 if defect == "ABK501" else 8192 if defect == "ABK502" else 256, defect == "ABK502"),
    }
    yield _row(home.sub, machine, "microsoft.compute/virtualmachines", properties=_model(home, name, system=system))
    for extension in (SNAPSHOT[system], MONITOR[system]):
        publisher, version = KINDS[extension]
        properties: Row = {
            "autoUpgradeMinorVersion": True,
            "provisioningState": "Failed" if defect == "ABK401" and extension == MONITOR[system] else "Succeeded",
            "publisher": publisher,
            "type": extension,
            "typeHandlerVersion": version,
        }
        kind = "microsoft.compute/virtualmachines/extensions"
        yield _row(home.sub, f"{machine}/extensions/{extension}", kind, properties=properties)
    for disk, (gib, encrypted) in disks.items():
        properties = {
            "diskSizeBytes": gib * GIB,
            "diskSizeGB": gib,
            "diskState": "Attached",
            "encryption": {"type": "EncryptionAtRestWithPlatformKey"},
            "encryptionSettingsCollection": {"enabled": encrypted},
            "provisioningState": "Succeeded",
        }
        identity = f"{home.group}/providers/Microsoft.Compute/disks/{disk}"
        sku = {"name": "Premium_LRS", "tier": "Premium"}
        yield _row(home.sub, identity, "microsoft.compute/disks", managedBy=machine, sku=sku, properties=properties)
    collection = f"{home.restore_group}/providers/Microsoft.Compute/restorePointCollections/AzureBackup_{name}_1"
    properties = {"provisioningState": "Succeeded", "source": {"id": machine, "location": LOCATION}}
    yield _row(home.sub, collection, "microsoft.compute/restorepointcollections", properties=properties)


def _model(home: _Home, name: str, *, system: str) -> Row:
    named, version = SYSTEMS[system]
    disks = f"{home.group}/providers/Microsoft.Compute/disks/{name}"
    power = {"code": "PowerState/running", "displayStatus": "VM running", "level": "Info"}
    return {
        "extended": {"instanceView": {"computerName": name, "osName": named, "osVersion": version, "powerState": power}},
        "hardwareProfile": {"vmSize": "Standard_D4s_v5"},
        "osProfile": {
            "adminUsername": "big",
            "allowExtensionOperations": True,
            "computerName": name,
            f"{system.lower()}Configuration": {"provisionVMAgent": True},
            "secrets": [],
        },
        "provisioningState": "Succeeded",
        "storageProfile": {
            "dataDisks": [{"lun": 0, "name": f"{name}-data0", "managedDisk": {"id": f"{disks}-data0"}}],
            "imageReference": IMAGES[system],
            "osDisk": {"name": f"{name}-os", "osType": system, "managedDisk": {"id": f"{disks}-os"}},
        },
    }


def _item(home: _Home, name: str, *, defect: str) -> Row:
    machine, stopped = _machine(home, name), defect == "ABK602"
    properties = {
        "backupManagementType": "AzureIaasVM",
        "currentProtectionState": "ProtectionStopped" if stopped else "ProtectionConfigured",
        "friendlyName": name,
        "healthStatus": "Passed",
        "lastBackupStatus": "Completed",
        "lastBackupTime": "2026-11-20T01:07:09Z",
        "policyId": f"{home.vault}/backupPolicies/daily",
        "protectionState": "ProtectionStopped" if stopped else "Protected",
        "sourceResourceId": machine,
        "vaultId": home.vault,
        "virtualMachineId": machine,
        "workloadType": "VM",
    }
    return _row(home.sub, _item_id(home, name), ITEMS, name=f"VM;iaasvmcontainerv2;rg-app;{name}", properties=properties)


def _item_id(home: _Home, name: str) -> str:
    tail = f"iaasvmcontainerv2;rg-app;{name}"
    return f"{home.vault}/backupFabrics/Azure/protectionContainers/iaasvmcontainer;{tail}/protectedItems/vm;{tail}"


def _job(home: _Home, name: str) -> Row:
    properties = {
        "backupInstanceId": _item_id(home, name),
        "backupManagementType": "AzureIaasVM",
        "endTime": "2026-11-20T02:07:09Z",
        "entityFriendlyName": name,
        "jobType": "AzureIaaSVMJob",
        "operation": "Backup",
        "startTime": "2026-11-20T01:07:09Z",
        "status": "Completed",
    }
    kind = "microsoft.recoveryservices/vaults/backupjobs"
    return _row(home.sub, f"{home.vault}/backupJobs/{name}", kind, properties=properties)


def _assessment(home: _Home, name: str, *, system: str) -> Row:
    properties = {
        "availablePatchCountByClassification": {"critical": 0, "security": 0, "other": 2},
        "lastModifiedDateTime": "2026-11-19T22:10:00.000Z",
        "osType": system,
        "rebootPending": False,
        "status": "Succeeded",
    }
    kind = "microsoft.compute/virtualmachines/patchassessmentresults"
    return _row(home.sub, f"{_machine(home, name)}/patchAssessmentResults/latest", kind, properties=properties)


def _status(home: _Home, name: str, *, system: str, defect: str) -> Row:
    good = {"code": "ProvisioningState/succeeded", "displayStatus": "Ready", "level": "Info", "message": "", "time": SEEN}
    dead = {**good, "code": "ProvisioningState/Unavailable", "displayStatus": "Not Ready", "level": "Warning"}
    agent = {
        "extensionHandlers": list[Row](),
        "statuses": [dead if defect == "ABK301" else good],
        "vmAgentVersion": AGENTS[system],
    }
    power = {"code": "PowerState/running", "displayStatus": "VM running", "level": "Info"}
    extensions = [{"name": one, "statuses": [good]} for one in (SNAPSHOT[system], MONITOR[system])]
    view = {"extensions": extensions, "statuses": [power], "vmAgent": agent}
    return {
        "id": _machine(home, name),
        "location": LOCATION,
        "name": name,
        "properties": {"instanceView": view, "provisioningState": "Succeeded"},
        "type": "Microsoft.Compute/virtualMachines",
    }


def _lock(home: _Home) -> Row:
    return {
        "id": f"{home.restore_group}/providers/Microsoft.Authorization/locks/keep",
        "name": "keep",
        "properties": {"level": "CanNotDelete"},
        "type": "Microsoft.Authorization/locks",
    }


def _manifest(homes: list[str], streams: Mapping[str, _Table]) -> bytes:
    tables = {
        name: {
            "file": f"{name}.ndjson",
            "rows": table.rows,
            "sha256": table.sha256.hexdigest(),
            **({} if name.startswith("arm_") else {"types": sorted(table.types) or ["*"]}),
            "answered": homes,
            "gaps": [],
        }
        for name, table in streams.items()
    }
    manifest = {
        "format": "arguard-snapshot/1",
        "tool": "tests/big_estate.py",
        "collected_at": COLLECTED_AT,
        "scope": {"kind": "proven", "subscriptions": homes, "management_groups": []},
        "subscriptions": [{"id": one, "name": f"sub-{one[:8]}", "state": "Enabled"} for one in homes],
        "tables": tables,
        "answers": {},
    }
    return json.dumps(manifest, indent=1).encode()
