"""Fabrikam's rows about machines: VMs, disks, extensions, patch assessments, and their status and locks from ARM."""

from __future__ import annotations

from collections.abc import Iterator

from examples import fabrikam_story as story
from examples.arg_rows import Row
from examples.fabrikam_machines import Machine, arg_row, group_id, guid, machines, pick, resource_id, vm_id

SEEN = "2026-11-20T05:57:12.310+00:00"
AGENTS = {"Windows": "2.7.41491.1176", "Linux": "2.14.0.1"}
EXTENSIONS = {
    "Windows": ("VMSnapshot", "AzureMonitorWindowsAgent"),
    "Linux": ("VMSnapshotLinux", "AzureMonitorLinuxAgent"),
}
PUBLISHERS = {
    "VMSnapshot": ("Microsoft.Azure.RecoveryServices", "1.9"),
    "VMSnapshotLinux": ("Microsoft.Azure.RecoveryServices", "1.0"),
    "AzureMonitorWindowsAgent": ("Microsoft.Azure.Monitor", "1.30"),
    "AzureMonitorLinuxAgent": ("Microsoft.Azure.Monitor", "1.33"),
}
GIB = 1 << 30


def resource_rows() -> Iterator[Row]:
    """Every compute row of the table `resources`, in no particular order."""
    seen: set[str] = set()
    for vm in machines():
        yield _vm_row(vm)
        yield from (_extension_row(vm, name) for name in _extensions(vm))
        for index, (name, gib) in enumerate(vm.disks):
            if name not in seen or not vm.fleet.shared:
                yield _disk_row(vm, name, gib, is_data=index > 0)
            seen.add(name)


def assessment_rows() -> Iterator[Row]:
    """Patch assessments, where they are made: running machines, about half of them."""
    for vm in machines():
        sub, group, _ = vm.place
        if vm.fleet.parked or not vm.fleet.agent or sub in story.NEVER_ASSESSED or pick(f"assessed/{vm.place}", 2):
            continue
        yield arg_row(
            sub,
            group,
            id=f"{vm_id(vm)}/patchAssessmentResults/latest",
            name="latest",
            type="microsoft.compute/virtualmachines/patchassessmentresults",
            properties={
                "status": "Succeeded",
                "osType": vm.system.os,
                "rebootPending": False,
                "lastModifiedDateTime": f"2026-11-{17 + pick(f'day/{vm.name}', 3)}T22:10:00.000Z",
                "availablePatchCountByClassification": {"critical": 0, "security": pick(f"updates/{vm.name}", 4), "other": 2},
            },
        )


def statuses() -> Iterator[Row]:
    """The VM list of each subscription, asked with statusOnly=true."""
    for vm in machines():
        yield {
            "id": vm_id(vm).lower() if pick(f"status/{vm.place}", 3) == 0 else vm_id(vm),
            "location": story.SUBSCRIPTIONS[vm.fleet.sub][2],
            "name": vm.name,
            "properties": {
                "instanceView": _instance_view(vm),
                "provisioningState": "Succeeded",
                "vmId": guid(f"vm/{vm.place}"),
            },
            "type": "Microsoft.Compute/virtualMachines",
        }


def locks() -> Iterator[Row]:
    """The landing zone's locks on application groups, and one on a vault."""
    for sub, groups in story.LOCKED_GROUPS.items():
        for group in groups:
            yield _lock(group_id(sub, group), "landing-zone")
    yield _lock(resource_id("prod", "rg-backup", "Microsoft.RecoveryServices/vaults", "rsv-fab-prod"), "keep-vault")


def _lock(scope: str, name: str) -> Row:
    return {
        "id": f"{scope}/providers/Microsoft.Authorization/locks/{name}",
        "name": name,
        "properties": {"level": "CanNotDelete", "notes": "Set by the platform team"},
        "type": "Microsoft.Authorization/locks",
    }


def _power(vm: Machine) -> Row:
    word, shown = ("deallocated", "VM deallocated") if vm.fleet.parked else ("running", "VM running")
    return {"code": f"PowerState/{word}", "displayStatus": shown, "level": "Info"}


def _vm_row(vm: Machine) -> Row:
    sub, group, _ = vm.place
    view: Row = {"hyperVGeneration": "V2", "powerState": _power(vm)}
    if not vm.fleet.parked and vm.system.name:
        view |= {"computerName": vm.name, "osName": vm.system.name, "osVersion": vm.system.version}
    properties: Row = {
        "extended": {"instanceView": view},
        "hardwareProfile": {"vmSize": "Standard_D4s_v5"},
        "provisioningState": "Succeeded",
        "storageProfile": _storage(vm),
        "timeCreated": f"2025-{1 + pick(f'month/{vm.name}', 12):02}-04T09:30:00.100Z",
        "vmId": guid(f"vm/{vm.place}"),
    }
    if vm.system.image[0]:
        properties["osProfile"] = _os_profile(vm)
    publisher, offer, sku = vm.system.image
    plan = {"name": sku, "product": offer, "publisher": publisher} if vm.fleet.system == "firewall" else None
    tags = (None, {}, {"owner": group.removeprefix("rg-")}, {"costcenter": "7100", "backup": "yes"})[pick(f"tags/{vm.name}", 4)]
    return arg_row(
        sub,
        group,
        id=vm_id(vm),
        name=vm.name,
        type="microsoft.compute/virtualmachines",
        tags=tags,
        plan=plan,
        properties=properties,
    )


def _os_profile(vm: Machine) -> Row:
    setting = {"provisionVMAgent": True, "patchSettings": {"patchMode": "ImageDefault"}}
    return {
        "adminUsername": "fabrikam",
        "allowExtensionOperations": True,
        "computerName": vm.name,
        f"{vm.system.os.lower()}Configuration": setting,
        "secrets": [],
    }


def _storage(vm: Machine) -> Row:
    (system, _), *data = vm.disks
    profile: Row = {
        "dataDisks": [
            {"lun": lun, "createOption": "Attach", "name": name, "managedDisk": {"id": _disk_id(vm, name)}}
            for lun, (name, _) in enumerate(data)
        ],
        "osDisk": {
            "createOption": "FromImage",
            "osType": vm.system.os,
            "name": system,
            "managedDisk": {"id": _disk_id(vm, system)},
        },
    }
    if vm.system.image[0]:
        profile["imageReference"] = dict(zip(("publisher", "offer", "sku"), vm.system.image, strict=True)) | {
            "version": "latest"
        }
    return profile


def _disk_id(vm: Machine, name: str) -> str:
    sub, group, _ = vm.place
    return resource_id(sub, group, "Microsoft.Compute/disks", name)


def _disk_row(vm: Machine, name: str, gib: int, *, is_data: bool) -> Row:
    sub, group, _ = vm.place
    shared = is_data and vm.fleet.shared
    owners = [vm_id(other) for other in machines() if other.fleet is vm.fleet]
    properties: Row = {
        "creationData": {"createOption": "Empty" if is_data else "FromImage"},
        "diskSizeBytes": gib * GIB,
        "diskSizeGB": gib,
        "diskState": "Reserved" if vm.fleet.parked else "Attached",
        "encryption": {"type": "EncryptionAtRestWithPlatformKey"},
        "provisioningState": "Succeeded",
    }
    properties |= {} if is_data else {"osType": vm.system.os}
    properties |= {"maxShares": 2, "managedByExtended": owners} if shared else {}
    return arg_row(
        sub,
        group,
        id=_disk_id(vm, name),
        name=name,
        type="microsoft.compute/disks",
        managedBy=owners[0] if shared else vm_id(vm),
        sku={"name": vm.fleet.sku if is_data else "Premium_LRS", "tier": "Premium"},
        properties=properties,
    )


def _extensions(vm: Machine) -> tuple[str, ...]:
    """The monitoring agent, and the backup extension once a first backup has run with an agent."""
    if not vm.fleet.agent or not vm.system.image[0]:
        return ()
    snapshot, monitor = EXTENSIONS[vm.system.os]
    return (snapshot, monitor) if vm.fleet.policy and not vm.is_new else (monitor,)


def _state(vm: Machine, name: str) -> str:
    return "Updating" if (*vm.place, name) == story.UPDATING else "Succeeded"


def _extension_row(vm: Machine, name: str) -> Row:
    publisher, version = PUBLISHERS[name]
    return arg_row(
        vm.fleet.sub,
        vm.fleet.group,
        id=f"{vm_id(vm)}/extensions/{name}",
        name=name,
        type="microsoft.compute/virtualmachines/extensions",
        properties={
            "autoUpgradeMinorVersion": True,
            "enableAutomaticUpgrade": True,
            "provisioningState": _state(vm, name),
            "publisher": publisher,
            "type": name,
            "typeHandlerVersion": version,
        },
    )


def _instance_view(vm: Machine) -> Row:
    provisioned = {
        "code": "ProvisioningState/succeeded",
        "displayStatus": "Provisioning succeeded",
        "level": "Info",
        "time": SEEN,
    }
    view: Row = {"statuses": [provisioned, _power(vm)]}
    if vm.fleet.parked or not vm.fleet.agent:
        return view
    ready = {"code": "ProvisioningState/succeeded", "displayStatus": "Ready", "level": "Info", "time": SEEN}
    view["vmAgent"] = {
        "vmAgentVersion": AGENTS[vm.system.os],
        "statuses": [ready | {"message": "GuestAgent is running and processing the extensions."}],
        "extensionHandlers": [],
    }
    view["extensions"] = [_extension_view(vm, name) for name in _extensions(vm)]
    return view


def _extension_view(vm: Machine, name: str) -> Row:
    moving = _state(vm, name) == "Updating"
    code, shown = ("transitioning", "Transitioning") if moving else ("succeeded", "Provisioning succeeded")
    status = {"code": f"ProvisioningState/{code}", "displayStatus": shown, "level": "Info", "message": ""}
    return {
        "name": name,
        "type": f"{PUBLISHERS[name][0]}.{name}",
        "typeHandlerVersion": PUBLISHERS[name][1],
        "statuses": [status],
    }
