"""Contoso's rows of Azure Resource Graph for compute: VMs, extensions, disks, patch assessments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from examples import contoso_access
from examples import contoso_spelling as spelling
from examples import contoso_story as story
from examples.contoso_fleets import KINDS
from examples.contoso_shapes import MISSING, Assessment, Disk, Machine

Row = dict[str, Any]

SKUS = ({"name": "Premium_LRS", "tier": "Premium"}, {"name": "StandardSSD_LRS", "tier": "Standard"})
IMAGES = {
    "Windows": {
        "offer": "WindowsServer",
        "publisher": "MicrosoftWindowsServer",
        "sku": "2022-datacenter-g2",
        "version": "latest",
    },
    "Linux": {"offer": "0001-com-ubuntu-server-jammy", "publisher": "canonical", "sku": "22_04-lts-gen2", "version": "latest"},
}
SYSTEMS = {"Windows": ("Windows Server 2022 Datacenter", "10.0.20348.2849"), "Linux": ("ubuntu", "22.04")}
POWER = {
    "running": "VM running",
    "starting": "VM starting",
    "stopped": "VM stopped",
    "deallocated": "VM deallocated",
}
GIB = 1 << 30
ASSESSED = "2026-11-19T21:00:00.0000000Z"


def rows() -> Iterator[Row]:
    """Every compute row, in no particular order."""
    for vm in story.machines():
        yield _vm_row(vm)
        yield from (_extension_row(vm, name, state=state) for name, state in vm.extensions.items())
        yield from (_disk_row(vm.sub, vm.group, name=name, disk=disk, vm=vm) for name, disk in _disks(vm) if not disk.blob)
    for sub, group, name, disk in story.LOOSE_DISKS:
        yield _disk_row(sub, group, name=name, disk=disk, vm=None)


def assessments() -> Iterator[Row]:
    """The patch assessment of each VM that has one, as the table `patchassessmentresources` lists it."""
    for vm in story.machines():
        if vm.assessment is not None:
            yield _assessment_row(vm, vm.assessment)


def power_status(vm: Machine) -> Row | None:
    """The power state as instance views write it; None where Azure does not know it."""
    if vm.power is None:
        return None
    return {"code": f"PowerState/{vm.power}", "displayStatus": POWER[vm.power], "level": "Info"}


def _disks(vm: Machine) -> Iterator[tuple[str, Disk]]:
    for index, disk in enumerate(vm.disks):
        yield f"{vm.name}-{f'data{index - 1}' if index else 'os'}", disk


def _vm_row(vm: Machine) -> Row:
    choice = spelling.pick(f"tags/{vm.sub}/{vm.name}", 3)
    properties: Row = {
        "extended": {"instanceView": _extended_view(vm)},
        "hardwareProfile": {"vmSize": vm.size},
        "networkProfile": {"networkInterfaces": [_interface(vm)]},
        "osProfile": _os_profile(vm),
        "provisioningState": "Succeeded",
        "storageProfile": _storage_profile(vm),
        "timeCreated": f"2024-{1 + spelling.pick(f'month/{vm.name}', 12):02}-11T08:15:00.316Z",
        "vmId": spelling.guid(f"vm/{vm.sub}/{vm.group}/{vm.name}"),
    }
    for path, value in vm.facts.items():
        _replace(properties, path.split("."), value)
    return spelling.arg_row(
        vm.sub,
        vm.group,
        id=spelling.vm_id(vm),
        name=vm.name,
        type="microsoft.compute/virtualmachines",
        tags=vm.tags or (None, {}, {"owner": vm.group.removeprefix("rg-")})[choice],
        zones=[str(1 + choice)] if vm.sub == "prod" else None,
        properties=properties,
    )


def _replace(properties: Row, path: list[str], value: Any) -> None:
    """Put `value` at `path`, or take away what stands there."""
    *parents, last = path
    for name in parents:
        properties = properties.setdefault(name, {})
    if value == MISSING:
        del properties[last]
    else:
        properties[last] = value


def _assessment_row(vm: Machine, found: Assessment) -> Row:
    """Linux has other classifications than Windows, and no critical one."""
    urgent = {"critical": found.critical} if vm.os == "Windows" else {}
    return spelling.arg_row(
        vm.sub,
        vm.group,
        id=f"{spelling.vm_id(vm)}/patchAssessmentResults/latest",
        name="latest",
        type="microsoft.compute/virtualmachines/patchassessmentresults",
        properties={
            "availablePatchCountByClassification": urgent | {"security": found.security, "other": 3},
            "lastModifiedDateTime": ASSESSED,
            "osType": vm.os,
            "rebootPending": found.reboot,
            "status": found.status,
        },
    )


def _extended_view(vm: Machine) -> Row:
    if vm.power == "deallocated":
        view: Row = {"hyperVGeneration": "V2"}
    else:
        name, version = SYSTEMS[vm.os]
        view = {"computerName": vm.name, "hyperVGeneration": "V2", "osName": name, "osVersion": version}
    power = power_status(vm)
    return view | ({"powerState": power} if power else {})


def _interface(vm: Machine) -> Row:
    identity = f"{spelling.group_id(vm.sub, vm.group)}/providers/Microsoft.Network/networkInterfaces/{vm.name}-nic"
    return {"id": identity, "resourceGroup": vm.group}


def _os_profile(vm: Machine) -> Row:
    agent = {"enableVMAgentPlatformUpdates": False, "patchSettings": {"patchMode": "ImageDefault"}, "provisionVMAgent": True}
    profile: Row = {
        "adminUsername": "contoso",
        "allowExtensionOperations": True,
        "computerName": vm.name,
        f"{vm.os.lower()}Configuration": agent,
        "secrets": [],
    }
    return profile | ({"customData": vm.custom_data} if vm.custom_data else {})


def _storage_profile(vm: Machine) -> Row:
    (system_name, system), *data = _disks(vm)
    running = vm.power != "deallocated"
    return {
        "dataDisks": [
            {"lun": lun, "createOption": "Empty"} | _attachment(vm, name, disk=disk, sized=running)
            for lun, (name, disk) in enumerate(data)
        ],
        "diskControllerType": "SCSI",
        "imageReference": IMAGES[vm.os],
        "osDisk": {"createOption": "FromImage", "osType": vm.os} | _attachment(vm, system_name, disk=system, sized=running),
    }


def _attachment(vm: Machine, name: str, *, disk: Disk, sized: bool) -> Row:
    """A deallocated VM's model has no sizes: only the disk's own row can be judged."""
    managed = {"id": _disk_id(vm.sub, vm.group, name=name), "resourceGroup": vm.group, "storageAccountType": "Premium_LRS"}
    blob = {"vhd": {"uri": f"https://contosovhds.blob.core.windows.net/vhds/{name}.vhd"}}
    place: Row = {} if disk.unnamed else blob if disk.blob else {"managedDisk": managed}
    size = {"diskSizeGB": disk.gib} if sized and disk.gib != MISSING else {}
    return {"caching": "ReadWrite", "deleteOption": "Detach", "name": name} | place | size


def _disk_id(sub: str, group: str, *, name: str) -> str:
    return f"{spelling.group_id(sub, group)}/providers/Microsoft.Compute/disks/{name}"


def _disk_row(sub: str, group: str, *, name: str, disk: Disk, vm: Machine | None) -> Row:
    choice = spelling.pick(f"disk/{sub}/{group}/{name}", 3)
    size = disk.gib * GIB if isinstance(disk.gib, int) else disk.gib
    properties = {
        "creationData": {"createOption": "Empty"},
        "diskSizeBytes": size,
        "diskSizeGB": disk.gib,
        "diskState": _disk_state(vm),
        "encryption": {"type": disk.encryption},
        "encryptionSettingsCollection": _ade(sub, name, disk.key_vault or f"kv-contoso-{sub}")
        if disk.ade
        else ({"enabled": False}, None, MISSING)[choice],
        "provisioningState": "Succeeded",
        "timeCreated": "2024-03-11T08:15:00.316Z",
    }
    return spelling.arg_row(
        sub,
        group,
        id=_disk_id(sub, group.upper() if choice == 0 else group, name=name),
        name=name,
        type="microsoft.compute/disks",
        managedBy=spelling.vm_reference(vm, f"disk/{name}") if vm else "",
        sku={"name": disk.sku} if disk.sku else SKUS[choice % 2],
        properties=spelling.present(properties),
    )


def _disk_state(vm: Machine | None) -> str:
    if vm is None:
        return "Unattached"
    return "Reserved" if vm.power == "deallocated" else "Attached"


def _ade(sub: str, name: str, vault: str) -> Row:
    secret = f"https://{vault}.vault.azure.net/secrets/{spelling.guid(f'bek/{name}')}/1"
    settings = [{"diskEncryptionKey": {"secretUrl": secret, "sourceVault": {"id": contoso_access.vault_id(sub, vault)}}}]
    return {"enabled": True, "encryptionSettings": settings, "encryptionSettingsVersion": "1.1"}


def _extension_row(vm: Machine, name: str, *, state: str | None) -> Row:
    publisher, version = KINDS[name]
    properties = {
        "autoUpgradeMinorVersion": True,
        "enableAutomaticUpgrade": False,
        "provisioningState": state,
        "publisher": publisher,
        "settings": vm.settings.get(name, (MISSING, {}, None)[spelling.pick(f"settings/{vm.name}/{name}", 3)]),
        "type": name,
        "typeHandlerVersion": version,
    }
    return spelling.arg_row(
        vm.sub,
        vm.group,
        id=f"{spelling.vm_reference(vm, f'extension/{name}')}/extensions/{name}",
        name=name,
        type="microsoft.compute/virtualmachines/extensions",
        properties=spelling.present(properties),
    )
