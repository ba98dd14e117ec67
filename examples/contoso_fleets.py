"""The healthy Contoso Retail: subscriptions, vaults, backup policies and fleets of VMs, before anything went wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from examples.contoso_shapes import Fleet

SEED = "contoso-retail"
COLLECTED_AT = "2026-11-20T06:00:00Z"
TENANT = "0c0507aa-6f2e-4d0b-8a11-3e5b9d7c0000"
SUBSCRIPTIONS = {
    "prod": ("1c0507aa-6f2e-4d0b-8a11-3e5b9d7c0001", "contoso-prod", "westeurope"),
    "shared": ("2c0507aa-6f2e-4d0b-8a11-3e5b9d7c0002", "contoso-shared-dev", "westeurope"),
    "dr": ("3c0507aa-6f2e-4d0b-8a11-3e5b9d7c0003", "contoso-dr", "northeurope"),
}
LOCKS_REFUSED = ("dr",)
"""Subscriptions whose lock call was answered with 403 AuthorizationFailed."""

AGENTS = {"Windows": "2.7.41491.1176", "Linux": "2.14.0.1"}
SNAPSHOT = {"Windows": "VMSnapshot", "Linux": "VMSnapshotLinux"}
MONITOR = {"Windows": "AzureMonitorWindowsAgent", "Linux": "AzureMonitorLinuxAgent"}
KINDS = {
    "VMSnapshot": ("Microsoft.Azure.RecoveryServices", "1.9"),
    "VMSnapshotLinux": ("Microsoft.Azure.RecoveryServices", "1.0"),
    "AzureMonitorWindowsAgent": ("Microsoft.Azure.Monitor", "1.30"),
    "AzureMonitorLinuxAgent": ("Microsoft.Azure.Monitor", "1.33"),
    "AzureDiskEncryption": ("Microsoft.Azure.Security", "2.2"),
    "SqlIaasExtension": ("Microsoft.SqlServer.Management", "2.0"),
    "CustomScript": ("Microsoft.Azure.Extensions", "2.1"),
}

VAULTS = {
    "rsv-prod-weu": ("prod", "rg-backup-prod"),
    "rsv-legacy-weu": ("prod", "rg-backup-legacy"),
    "rsv-shared-weu": ("shared", "rg-backup-shared"),
    "rsv-dr-neu": ("dr", "rg-backup-dr"),
}
POLICIES: tuple[tuple[str, str, str, Mapping[str, str | None] | None], ...] = (
    ("rsv-prod-weu", "daily-30d", "V1", {"azureBackupRGNamePrefix": "", "azureBackupRGNameSuffix": ""}),
    ("rsv-prod-weu", "tills-daily", "V1", {"azureBackupRGNamePrefix": "rg-rp-tills-"}),
    (
        "rsv-prod-weu",
        "erp-daily",
        "V1",
        {"azureBackupRGNamePrefix": "rg-snap-erp-", "azureBackupRGNameSuffix": "-weu"},
    ),
    (
        "rsv-prod-weu",
        "erp-every-4h",
        "V2",
        {"azureBackupRGNamePrefix": "rg-snap-erp-", "azureBackupRGNameSuffix": "-weu"},
    ),
    ("rsv-legacy-weu", "DefaultPolicy", "V1", None),
    ("rsv-shared-weu", "daily-14d", "V1", {"azureBackupRGNamePrefix": None, "azureBackupRGNameSuffix": None}),
    ("rsv-dr-neu", "daily-7d", "V2", {}),
)
"""Vault, name, policyType, instantRPDetails (None: the row has no such key)."""

SCHEDULES: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("rsv-prod-weu", "tills-daily"): {"days": 7},
    ("rsv-prod-weu", "erp-every-4h"): {"frequency": "Hourly", "hourlySchedule": {"interval": 4, "scheduleWindowDuration": 24}},
    ("rsv-shared-weu", "daily-14d"): {"days": None},
}
"""Per vault and policy what differs from one backup a day whose instant restore points are kept for two days."""
PLANS = {("prod", "rg-tills"): "tills-daily", ("prod", "rg-erp"): "erp-daily"}
"""The policy of a group's machines where it is not the first of their vault."""

FLEETS = (
    Fleet(
        sub="prod",
        group="rg-tills",
        stem="till-gw-",
        count=12,
        os="Linux",
        loud=True,
        gib=(30, 64),
        vault="rsv-prod-weu",
        restore_group="rg-rp-tills-1",
    ),
    Fleet(sub="prod", group="rg-web", stem="web-", count=8, gib=(127, 256), vault="rsv-prod-weu"),
    Fleet(sub="prod", group="rg-web-staging", stem="web-", count=2, gib=(127, 256)),
    Fleet(
        sub="prod",
        group="rg-erp",
        stem="erp-app-",
        count=4,
        gib=(127, 512),
        vault="rsv-prod-weu",
        restore_group="rg-snap-erp-1-weu",
    ),
    Fleet(
        sub="prod",
        group="rg-erp",
        stem="erp-db-",
        count=2,
        gib=(127, 4096, 4096),
        vault="rsv-prod-weu",
        restore_group="rg-snap-erp-1-weu",
    ),
    Fleet(sub="prod", group="rg-warehouse", stem="wms-app-", count=3, gib=(127, 256), vault="rsv-prod-weu"),
    Fleet(sub="prod", group="rg-warehouse", stem="wms-db-", count=2, gib=(127, 1024, 2048), vault="rsv-prod-weu"),
    Fleet(sub="prod", group="rg-data", stem="lake-", count=3, os="Linux", gib=(30,), vault="rsv-prod-weu"),
    Fleet(sub="prod", group="rg-hr", stem="hr-app-", loud=True, extra=("AzureDiskEncryption",), vault="rsv-prod-weu"),
    Fleet(sub="prod", group="rg-hr", stem="hr-db-", loud=True, extra=("AzureDiskEncryption",), vault="rsv-prod-weu"),
    Fleet(sub="prod", group="rg-print", stem="prn-", count=4, vault="rsv-prod-weu"),
    Fleet(
        sub="prod",
        group="rg-sql",
        stem="sql-",
        count=4,
        gib=(127, 1024, 512),
        extra=("SqlIaasExtension",),
        vault="rsv-prod-weu",
    ),
    Fleet(sub="prod", group="rg-edge", stem="proxy-", count=2, os="Linux", gib=(30,)),
    Fleet(sub="prod", group="rg-edge", stem="sqledge-", gib=(127, 512)),
    Fleet(
        sub="shared",
        group="rg-devops",
        stem="build-",
        count=6,
        os="Linux",
        gib=(30, 256),
        extra=("CustomScript",),
        vault="rsv-shared-weu",
    ),
    Fleet(sub="shared", group="rg-core", stem="dc-", count=2, loud=True, gib=(127, 64), vault="rsv-shared-weu"),
    Fleet(sub="shared", group="rg-core", stem="jump-", loud=True, vault="rsv-shared-weu"),
    Fleet(sub="shared", group="rg-core", stem="file-", loud=True, vault="rsv-shared-weu"),
    Fleet(sub="shared", group="rg-core", stem="wsus-", loud=True, gib=(127, 1024), vault="rsv-shared-weu"),
    Fleet(sub="shared", group="rg-test", stem="web-", count=2, vault="rsv-shared-weu"),
    Fleet(sub="shared", group="rg-test", stem="erp-app-", gib=(127, 256), vault="rsv-shared-weu"),
    Fleet(sub="shared", group="rg-sandbox", stem="sbx-", count=3, os="Linux", gib=(30,)),
    Fleet(sub="dr", group="rg-dr-erp", stem="erp-app-", count=2, gib=(127, 512), vault="rsv-dr-neu"),
    Fleet(sub="dr", group="rg-dr-erp", stem="erp-db-", gib=(127, 4096, 4096), vault="rsv-dr-neu"),
    Fleet(sub="dr", group="rg-dr-web", stem="web-", count=4, vault="rsv-dr-neu"),
    Fleet(sub="dr", group="rg-dr-sql", stem="sql-", count=2, gib=(127, 1024), extra=("SqlIaasExtension",), vault="rsv-dr-neu"),
    Fleet(sub="dr", group="rg-dr-core", stem="dc-", first=3, gib=(127, 64), vault="rsv-dr-neu"),
    Fleet(sub="dr", group="rg-dr-core", stem="jump-", first=2, vault="rsv-dr-neu"),
    Fleet(sub="dr", group="rg-dr-tills", stem="till-gw-", count=4, os="Linux", gib=(30,), vault="rsv-dr-neu"),
)
"""81 VMs; a fleet without a vault is not backed up."""

DEFAULT_RESTORE_GROUP = {
    "prod": "AzureBackupRG_westeurope_1",
    "shared": "AzureBackupRG_westeurope_1",
    "dr": "AzureBackupRG_northeurope_1",
}
