"""The seed table of Contoso Retail, a fictitious company: plain data, from which `build_contoso` writes the snapshot.

The healthy estate stands in `contoso_fleets`; everything that is wrong, odd or misleading stands here, and what a reader should
learn from it in `contoso/STORY.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from examples.contoso_fleets import DEFAULT_RESTORE_GROUP, FLEETS, MONITOR, SNAPSHOT
from examples.contoso_shapes import GOOD, MISSING, Agent, Assessment, Disk, Fleet, Item, Machine

READY = Agent(
    code="ProvisioningState/succeeded", display="Ready", message="GuestAgent is running and processing the extensions."
)
SHOUTING = replace(READY, code="PROVISIONINGSTATE/SUCCEEDED")
DEAD = Agent(code="ProvisioningState/Unavailable", display="Not Ready", message="VM Agent is unresponsive.", version="Unknown")
OLD = replace(READY, version="2.7.41491.949")
BROKEN = Agent(code="ProvisioningState/failed/1", display="Not Ready", message="VM Agent failed to process the goal state.")


def _windows(**states: str | None) -> Mapping[str, str | None]:
    return {"VMSnapshot": GOOD, "AzureMonitorWindowsAgent": GOOD, **states}


def _linux(**states: str | None) -> Mapping[str, str | None]:
    return {"VMSnapshotLinux": GOOD, "AzureMonitorLinuxAgent": GOOD, **states}


_PROD = Item(vault="rsv-prod-weu")
_SHARED = Item(vault="rsv-shared-weu")
_DR = Item(vault="rsv-dr-neu")
_SCRIPTS = "https://contosobuild.blob.core.windows.net/scripts/setup.sh?sv=2024-11-04&sp=r"

COREOS = {"offer": "CoreOS", "publisher": "CoreOS", "sku": "Stable", "version": "latest"}
CONFIDENTIAL = {
    "hardwareProfile.vmSize": "Standard_DC4as_v5",
    "securityProfile.securityType": "ConfidentialVM",
    "storageProfile.osDisk.managedDisk.securityProfile": {"securityEncryptionType": "VMGuestStateOnly"},
}

FRAIL = {"code": 400004, "title": "IaasVmHealthYellowAgent", "message": "constructed", "recommendations": []}
NIGHT_BEFORE = {"startTime": "2026-11-19T01:07:09Z", "endTime": "2026-11-19T03:07:09Z"}
RUNNING = {"status": "InProgress", "endTime": None}
TAGGED = {"backup": "required"}

EXCEPTIONS: Mapping[tuple[str, str, str], Mapping[str, Any]] = {
    # Tills: the gateways in the shops.
    ("prod", "rg-tills", "till-gw-03"): {"extensions": _linux(AzureMonitorLinuxAgent="Creating")},
    ("prod", "rg-tills", "till-gw-05"): {"custom_data": "#cloud-config\npassword: CONTOSO-PLANTED-SECRET-1\n"},
    ("prod", "rg-tills", "till-gw-07"): {"agent": DEAD, "items": (replace(_PROD, jobs=({}, NIGHT_BEFORE)),)},
    ("prod", "rg-tills", "till-gw-09"): {"agent": SHOUTING},
    ("prod", "rg-tills", "till-gw-12"): {"items": (replace(_PROD, state="Invalid", current=MISSING),)},
    # The web shop.
    ("prod", "rg-web", "web-01"): {"tags": TAGGED},
    ("prod", "rg-web", "web-02"): {"id_name": "WEB-02"},
    ("prod", "rg-web", "web-03"): {"agent": DEAD},
    ("prod", "rg-web", "web-05"): {"extensions": _windows(VMSnapshot="Failed")},
    ("prod", "rg-web", "web-06"): {"disks": (Disk(gib=127), Disk(gib=256, unnamed=True))},
    ("prod", "rg-web", "web-07"): {
        "assessment": Assessment(security=4, critical=1),
        "items": (replace(_PROD, facts={"healthStatus": "ActionSuggested", "healthDetails": [FRAIL]}),),
    },
    ("prod", "rg-web", "web-08"): {"power": "starting", "agent": None},
    ("prod", "rg-web-staging", "web-01"): {
        "agent": DEAD,
        "extensions": _windows(VMSnapshot="Failed"),
        "disks": (Disk(gib=127), Disk(gib=71680, ade=True)),
        "tags": TAGGED,
    },
    ("prod", "rg-web-staging", "web-02"): {"tags": TAGGED, "facts": {"timeCreated": MISSING}},
    # The ERP system and its two vaults.
    ("prod", "rg-erp", "erp-app-02"): {
        "extensions": _windows(AzureMonitorWindowsAgent="Failed"),
        "facts": {"provisioningState": "Failed"},
    },
    ("prod", "rg-erp", "erp-app-03"): {"assessment": Assessment(reboot=True)},
    ("prod", "rg-erp", "erp-app-04"): {"assessment": Assessment(status="Failed")},
    ("prod", "rg-erp", "erp-db-01"): {
        "items": (_PROD, Item(vault="rsv-legacy-weu", state="protectionstopped", current="ProtectionStopped"))
    },
    ("prod", "rg-erp", "erp-db-02"): {"items": (replace(_PROD, state="ProtectionStopped", current="ProtectionStopped"),)},
    # The warehouse.
    ("prod", "rg-warehouse", "wms-app-02"): {"power": "deallocated", "agent": None},
    ("prod", "rg-warehouse", "wms-app-03"): {"power": None},
    ("prod", "rg-warehouse", "wms-db-01"): {
        "items": (replace(_PROD, state="ProtectionPaused"),),
        "tags": {"app": "wms", "adminPassword": "CONTOSO-PLANTED-SECRET-6"},
    },
    ("prod", "rg-warehouse", "wms-db-02"): {
        "items": (replace(_PROD, current=None),),
        "disks": (Disk(gib=127), *(Disk(gib=64) for _ in range(33))),
    },
    # Video archive.
    ("prod", "rg-data", "lake-01"): {
        "disks": (Disk(gib=30), Disk(gib=32768)),
        "items": (_PROD, Item(vault="rsv-legacy-weu", state="Invalid", current=MISSING)),
    },
    ("prod", "rg-data", "lake-02"): {
        "disks": (Disk(gib=30), Disk(gib=40960), Disk(gib=65536)),
        "facts": {"extended.instanceView.osName": "coreos", "storageProfile.imageReference": COREOS},
    },
    ("prod", "rg-data", "lake-03"): {"disks": (Disk(gib=30), Disk(gib=16384), Disk(gib=71680))},
    # Payroll, encrypted with Azure Disk Encryption.
    ("prod", "rg-hr", "hr-app-01"): {
        "disks": (Disk(gib=127, ade=True), Disk(gib=3072, ade=True)),
        "items": (replace(_PROD, facts={"lastBackupTime": "2026-11-16T01:07:09Z"}, jobs=({"status": "Cancelled"},)),),
    },
    ("prod", "rg-hr", "hr-db-01"): {
        "disks": tuple(Disk(gib=gib, ade=True, key_vault="kv-payroll-db") for gib in (127, 4096, 6144)),
    },
    # Print servers.
    ("prod", "rg-print", "prn-01"): {"power": "stopped", "agent": None},
    ("prod", "rg-print", "prn-02"): {"agent": None, "items": (replace(_PROD, jobs=({"status": "Queued"},)),)},
    ("prod", "rg-print", "prn-03"): {
        "items": (replace(_PROD, state="BackupsSuspended"),),
        "disks": (Disk(gib=127, blob=True),),
    },
    ("prod", "rg-print", "prn-04"): {
        "extensions": _windows(AzureMonitorWindowsAgent=MISSING),
        "items": (replace(_PROD, facts={"healthStatus": "Invalid"}),),
    },
    # Databases.
    ("prod", "rg-sql", "sql-01"): {
        "settings": {
            "SqlIaasExtension": {
                "connectionString": "DefaultEndpointsProtocol=https;AccountName=contososql;"
                "AccountKey=CONTOSO-PLANTED-SECRET-4;EndpointSuffix=core.windows.net"
            }
        },
        "items": (_PROD, Item(vault="rsv-legacy-weu")),
    },
    ("prod", "rg-sql", "sql-02"): {"agent": OLD, "disks": (Disk(gib=127), Disk(gib=1024, sku="PremiumV2_LRS"))},
    ("prod", "rg-sql", "sql-03"): {"agent": BROKEN},
    ("prod", "rg-sql", "sql-04"): {"items": (replace(_PROD, state="ProtectionError"),)},
    # Build machines, domain controllers, tests.
    ("shared", "rg-devops", "build-01"): {"items": (replace(_SHARED, facts={"lastBackupTime": "2001-01-01T00:00:00Z"}),)},
    ("shared", "rg-devops", "build-02"): {
        "extensions": _linux(CustomScript="Failed"),
        "settings": {
            "CustomScript": {
                "commandToExecute": "bash setup.sh --password CONTOSO-PLANTED-SECRET-2",
                "fileUris": [f"{_SCRIPTS}&sig=CONTOSO-PLANTED-SECRET-3"],
            }
        },
    },
    ("shared", "rg-devops", "build-03"): {"facts": {"provisioningState": MISSING}},
    ("shared", "rg-devops", "build-04"): {"agent": DEAD},
    ("shared", "rg-devops", "build-05"): {"power": "deallocated", "agent": None},
    ("shared", "rg-devops", "build-06"): {"power": "deallocated", "agent": None},
    ("shared", "rg-core", "dc-01"): {"disks": (Disk(gib=127), Disk(gib=None, ade=True))},
    ("shared", "rg-core", "dc-02"): {
        "extensions": _windows(AzureMonitorWindowsAgent=None),
        "facts": {"osProfile.allowExtensionOperations": MISSING},
    },
    ("shared", "rg-core", "jump-01"): {
        "extensions": {},
        "items": (replace(_SHARED, state=None, current=""),),
        "facts": {"osProfile.allowExtensionOperations": False},
    },
    ("shared", "rg-core", "file-01"): {
        "disks": (Disk(gib=127), Disk(gib=MISSING), Disk(gib=8192, encryption="EncryptionAtRestWithCustomerKey")),
        "items": (replace(_SHARED, jobs=({}, {**RUNNING, "startTime": "2026-11-18T20:00:00Z"})),),
    },
    ("shared", "rg-core", "wsus-01"): {
        "extensions": {"AzureMonitorWindowsAgent": GOOD},
        "items": (replace(_SHARED, state="IRPending", current="ConfiguringProtection"),),
    },
    ("shared", "rg-test", "erp-app-01"): {"facts": {"securityProfile.securityType": "ConfidentialVM"}},
    ("shared", "rg-test", "web-02"): {"items": (replace(_SHARED, current="ProtectionError"),)},
    ("shared", "rg-sandbox", "sbx-02"): {
        "agent": DEAD,
        "items": (replace(_SHARED, state="ProtectionStopped", current="ProtectionStopped", deferred_delete=True),),
    },
    # The disaster recovery site.
    ("dr", "rg-dr-erp", "erp-app-01"): {
        "power": "deallocated",
        "agent": None,
        "disks": (Disk(gib=127), Disk(gib=512, sku="UltraSSD_LRS")),
    },
    ("dr", "rg-dr-erp", "erp-app-02"): {"power": "deallocated", "agent": None},
    ("dr", "rg-dr-web", "web-02"): {"items": (replace(_DR, state=None, current="ConfiguringProtectionFailed"),)},
    ("dr", "rg-dr-web", "web-04"): {"listed": False},
    ("dr", "rg-dr-sql", "sql-01"): {
        "extensions": _windows(SqlIaasExtension="Updating"),
        "facts": {"provisioningState": "Updating"},
    },
    ("dr", "rg-dr-sql", "sql-02"): {"facts": CONFIDENTIAL},
    ("dr", "rg-dr-core", "dc-03"): {
        "disks": (Disk(gib=127), Disk(gib=64, sku="PremiumV3_LRS")),
        "items": (
            replace(
                _DR,
                state=None,
                deferred_delete=False,
                jobs=({}, {**RUNNING, "startTime": "2026-11-20T04:10:00Z"}, {**RUNNING, "startTime": "2026-11-20T05:30:00Z"}),
            ),
        ),
    },
    ("dr", "rg-dr-tills", "till-gw-04"): {
        "extensions": {"AzureMonitorLinuxAgent": GOOD},
        "items": (replace(_DR, state="IRPending", current=None, deferred_delete=None),),
    },
}

INSIDE: Mapping[tuple[str, str, str], Mapping[str, tuple[str, Any, str]]] = {
    ("prod", "rg-web", "web-03"): {"win_agent_service": ("fail", "Stopped", "WindowsAzureGuestAgent is Stopped")},
    ("prod", "rg-print", "prn-01"): {"win_dotnet_release": ("fail", 0, ".NET Framework is older than 4.5")},
    ("prod", "rg-print", "prn-02"): {"win_complus": ("fail", "Stopped Disabled", "COMSysApp is disabled")},
    ("prod", "rg-sql", "sql-02"): {"win_msdtc_account": ("fail", "Running Auto LocalSystem", "MSDTC runs as LocalSystem")},
    ("prod", "rg-sql", "sql-03"): {"win_vss_writers": ("fail", ["SqlServerWriter: 8"], "failed: SqlServerWriter")},
    ("prod", "rg-web", "web-05"): {"win_av_exclusions": ("fail", "3 crashes", "IaaSBcdrExtension.exe crashed 3 times")},
    ("prod", "rg-hr", "hr-app-01"): {"win_applocker": ("fail", "denied", "AppLocker denies IaaSBcdrExtension.exe")},
    ("prod", "rg-tills", "till-gw-07"): {
        "net_wireserver": ("fail", ["80 open", "443 closed", "32526 closed"], "168.63.129.16 does not answer on 32526")
    },
    ("shared", "rg-devops", "build-03"): {"net_dhcp": ("fail", "eth0 static", "the address of eth0 is permanent")},
    ("shared", "rg-devops", "build-04"): {"lin_agent_autorestart": ("fail", "no", "systemd does not restart walinuxagent")},
    ("prod", "rg-tills", "till-gw-05"): {"lin_waagent_conf": ("fail", "Extensions.Enabled=n", "extensions are disabled")},
    ("prod", "rg-data", "lake-02"): {"lin_python": ("fail", "2.4.3", "the agent needs Python 2.6 or newer")},
    ("prod", "rg-erp", "erp-app-01"): {"win_vcredist": ("fail", "MSVCP140.dll", "MSVCP140.dll is missing")},
    ("prod", "rg-erp", "erp-app-03"): {"win_vss_writers": ("unknown", "unknown", "a writer waits: a backup may be running")},
}
"""What the probes saw inside machines that are not as they should be: per check status, value and detail."""
OLD_EVIDENCE = {("dr", "rg-dr-web", "web-04"), ("dr", "rg-dr-tills", "till-gw-02")}
"""Machines whose document is from three days before."""
WITHOUT_EVIDENCE = {("prod", "rg-print", "prn-04")}
"""Machines on which nobody ran a probe."""
AUDITED_SERVICES = (("prod", "rg-print", "prn-04", ("WindowsAzureGuestAgent", "COMSysApp"), "Compliant"),)
"""What Azure Machine Configuration found of services: subscription, group, VM, services, status."""

ORPHANS = (
    ("prod", "rg-oldshop", "shop-legacy-01", Item(vault="rsv-legacy-weu", state="ProtectionStopped", current=None)),
    (
        "prod",
        "rg-oldshop",
        "shop-legacy-02",
        Item(vault="rsv-legacy-weu", state=None, current="SoftDeleted", deferred_delete=True),
    ),
    ("shared", "rg-oldlab", "lab-01", replace(_SHARED, state="ProtectionError", current="ProtectionError")),
)
"""Protected items whose VM is gone: subscription, group and name of the former VM."""
DATABASES = (
    ("prod", "rg-edge", "sqledge-01", "rsv-prod-weu", "stockdb"),
    ("prod", "rg-sql", "sql-02", "rsv-prod-weu", "sales"),
)
"""SQL databases inside VMs, protected as AzureWorkload: that does not make the VM a protected VM."""

GROUPS = (
    ("prod", "AzureBackupRG_westeurope_1"),
    ("prod", "AzureBackupRG_westeurope_2"),
    ("prod", "AzureBackupRG_archive"),
    ("prod", "rg-snap-erp-1-weu"),
    ("prod", "rg-snap-erp-2-weu"),
    ("prod", "rg-snap-erp-archive-weu"),
    ("prod", "rg-rp-tills-1"),
    ("prod", "rg-rp-tills-2"),
    ("prod", "rg-tills-restore"),
    ("prod", "rg-data-snapshots"),
    ("shared", "AzureBackupRG_westeurope_1"),
    ("shared", "AzureBackupRG_westeurope_2"),
    ("shared", "AzureBackupRG_northeurope_1"),
    ("shared", "rg-snap-erp-9-weu"),
    ("dr", "AzureBackupRG_northeurope_1"),
    ("dr", "rg-dr-restore"),
    ("prod", "rg-security"),
    ("shared", "rg-security"),
)
"""Resource groups beside those of the VMs and vaults; some hold restore points, some only look like it."""
EXTRA_COLLECTIONS = (
    ("prod", "rg-tills-restore", "azurebackup_till-gw-01_35184372099001", ("rg-tills", "till-gw-01")),
    ("prod", "rg-data-snapshots", "nightly-lake-01", ("rg-data", "lake-01")),
    ("dr", "rg-dr-restore", "AzureBackup_dc-03_35184372099003", ("rg-dr-core", "dc-03")),
)
"""Restore point collections beside the one that each backed-up VM has in its restore group."""

LOST_COLLECTIONS = (
    ("prod", "AzureBackupRG_westeurope_1", "AzureBackup_shop-legacy-03_35184372099005", ("rg-oldshop", "shop-legacy-03")),
    ("shared", "AzureBackupRG_westeurope_2", "AzureBackup_unnamed_35184372099007", ()),
)
"""Restore point collections whose VM is gone, or that name none."""
BACKUP_SERVICE = "b0507aa1-6f2e-4d0b-8a11-3e5b9d7c0b01"
"""The object id that Backup Management Service has in Contoso's tenant."""
OPERATORS = "b0507aa1-6f2e-4d0b-8a11-3e5b9d7c0b02"
KEY_VAULTS: tuple[tuple[str, str, tuple[str, ...] | None], ...] = (
    ("prod", "kv-contoso-prod", ("Get", "List")),
    ("prod", "kv-payroll-db", ("Get",)),
    ("shared", "kv-contoso-shared", None),
)
"""Key vaults, and what their access policy lets the backup service do with secrets; None where they work by roles."""
ROLES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "00482a5a-887f-4fb3-b363-3b7fe8e74483": ("Key Vault Administrator", ("Microsoft.KeyVault/vaults/*",)),
    "21090545-7ca7-4776-b22c-e363652d74d2": (
        "Key Vault Reader",
        ("Microsoft.KeyVault/vaults/*/read", "Microsoft.KeyVault/vaults/secrets/readMetadata/action"),
    ),
}
"""Roles by id: name and data actions."""
ASSIGNMENTS = (("shared", "kv-contoso-shared", "21090545-7ca7-4776-b22c-e363652d74d2"),)
"""Role assignments of the backup service: subscription, key vault, role."""
RESTORE_POINTS: Mapping[tuple[str, str], int | None] = {
    ("prod", "web-01"): 18,
    ("prod", "wms-app-01"): 16,
    ("prod", "web-04"): None,
}
"""Restore points by subscription and the VM that a collection is named after; None where Azure lists none, 2 for all others."""

LOCKS = (
    ("shared", "", "keep-shared", "CanNotDelete", "Requested by audit, ticket 4711"),
    ("prod", "/resourceGroups/RG-SNAP-ERP-1-WEU", "audit-freeze", "ReadOnly", MISSING),
    ("prod", "/resourceGroups/rg-tills-restore", "do-not-touch", "CanNotDelete", "Restore test of March, ask Ines"),
    ("prod", "/resourceGroups/rg-data-snapshots", "keep-snapshots", "CanNotDelete", MISSING),
    ("prod", "/resourceGroups/rg-snap-erp-archive-weu", "keep-archive", "CanNotDelete", None),
    ("prod", "/resourceGroups/AzureBackupRG_archive", "keep-notes", "CanNotDelete", ""),
    ("prod", "/resourceGroups/rg-erp", "erp-production", "CanNotDelete", "Production"),
    (
        "prod",
        "/resourceGroups/AZUREBACKUPRG_WESTEUROPE_1/providers/Microsoft.Compute/restorePointCollections/{web-01}",
        "keep-web-01",
        "CanNotDelete",
        MISSING,
    ),
    (
        "prod",
        "/resourceGroups/rg-backup-prod/providers/Microsoft.RecoveryServices/vaults/rsv-prod-weu",
        "vault",
        "CanNotDelete",
        MISSING,
    ),
    (
        "shared",
        "/resourceGroups/RG-CORE/providers/Microsoft.Compute/virtualMachines/dc-01",
        "dc",
        "ReadOnly",
        MISSING,
    ),
)
"""Subscription, scope below it ({web-01} stands for the name of that VM's collection), name, level, notes."""
LOOSE_DISKS = (
    ("prod", "rg-data", "lake-old-archive", Disk(gib=73728)),
    ("prod", "rg-hr", "hr-db-01-before-resize", Disk(gib=6144, ade=True)),
    ("shared", "rg-core", "file-01-copy", Disk(gib=MISSING)),
)
"""Disks that no VM uses."""


def machines() -> tuple[Machine, ...]:
    """Every VM of the estate: its fleet's shape, and what the story says of it alone."""
    return tuple(_machine(fleet, number) for fleet in FLEETS for number in range(fleet.first, fleet.first + fleet.count))


def _machine(fleet: Fleet, number: int) -> Machine:
    names = (*((SNAPSHOT[fleet.os],) if fleet.vault else ()), MONITOR[fleet.os], *fleet.extra)
    plain = Machine(
        sub=fleet.sub,
        group=fleet.group,
        name=f"{fleet.stem}{number:02}",
        os=fleet.os,
        loud=fleet.loud,
        disks=tuple(Disk(gib=gib) for gib in fleet.gib),
        extensions=dict.fromkeys(names, GOOD),
        agent=READY,
        items=(Item(vault=fleet.vault),) if fleet.vault else (),
        restore_group=(fleet.restore_group or DEFAULT_RESTORE_GROUP[fleet.sub]) if fleet.vault else "",
    )
    unlike = EXCEPTIONS.get((plain.sub, plain.group, plain.name), {})
    vm = replace(plain, **unlike)
    assessed = fleet.vault and vm.sub != "dr" and vm.power == "running" and "assessment" not in unlike
    return replace(vm, assessment=Assessment()) if assessed else vm
