"""Fabrikam Engineering, a fictitious company whose backups work: plain data, from which `build_fabrikam` writes the snapshot.

The estate is healthy but untidy. Whatever looks odd here is normal in Azure, and none of it needs anybody to act.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SEED = "fabrikam-engineering"
COLLECTED_AT = "2026-11-20T06:00:00Z"
TENANT = "0fab0000-4a1c-4d7e-9b55-7c2d1e9f0000"
SUBSCRIPTIONS = {
    "prod": ("1fab0000-4a1c-4d7e-9b55-7c2d1e9f0001", "fabrikam-prod", "westeurope"),
    "plants": ("2fab0000-4a1c-4d7e-9b55-7c2d1e9f0002", "fabrikam-plants", "northeurope"),
    "hub": ("3fab0000-4a1c-4d7e-9b55-7c2d1e9f0003", "fabrikam-hub", "westeurope"),
    "test": ("4fab0000-4a1c-4d7e-9b55-7c2d1e9f0004", "fabrikam-test", "westeurope"),
    "legacy": ("5fab0000-4a1c-4d7e-9b55-7c2d1e9f0005", "fabrikam-legacy", "westeurope"),
    "sandbox": ("6fab0000-4a1c-4d7e-9b55-7c2d1e9f0006", "fabrikam-sandbox", "westeurope"),
    "landing": ("7fab0000-4a1c-4d7e-9b55-7c2d1e9f0007", "fabrikam-landing-new", "northeurope"),
}
"""Short name to id, name and region. sandbox and landing are empty; legacy has no VM left, only what its vault keeps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """An operating system: how Azure types it, names it while it runs, and what image it came from (empty: none)."""

    os: str
    name: str
    version: str
    image: tuple[str, str, str] = ("", "", "")


SYSTEMS = {
    "ws2012": System(
        os="Windows",
        name="Windows Server 2012 R2 Datacenter",
        version="6.3.9600",
        image=("MicrosoftWindowsServer", "WindowsServer", "2012-R2-Datacenter"),
    ),
    "ws2016": System(
        os="Windows",
        name="Windows Server 2016 Datacenter",
        version="10.0.14393.7428",
        image=("MicrosoftWindowsServer", "WindowsServer", "2016-Datacenter"),
    ),
    "ws2019": System(
        os="Windows",
        name="Windows Server 2019 Datacenter",
        version="10.0.17763.6414",
        image=("MicrosoftWindowsServer", "WindowsServer", "2019-Datacenter"),
    ),
    "ws2022": System(
        os="Windows",
        name="Windows Server 2022 Datacenter",
        version="10.0.20348.2849",
        image=("MicrosoftWindowsServer", "WindowsServer", "2022-datacenter-g2"),
    ),
    "ws2025": System(
        os="Windows",
        name="Windows Server 2025 Datacenter Azure Edition",
        version="10.0.26100.2314",
        image=("MicrosoftWindowsServer", "WindowsServer", "2025-datacenter-azure-edition"),
    ),
    "win11": System(
        os="Windows",
        name="Windows 11 Enterprise",
        version="10.0.26100.2314",
        image=("MicrosoftWindowsDesktop", "windows-11", "win11-24h2-ent"),
    ),
    "ubuntu": System(
        os="Linux", name="ubuntu", version="22.04", image=("canonical", "0001-com-ubuntu-server-jammy", "22_04-lts-gen2")
    ),
    "noble": System(os="Linux", name="ubuntu", version="24.04", image=("canonical", "ubuntu-24_04-lts", "server")),
    "rhel": System(os="Linux", name="redhat", version="8.10", image=("RedHat", "RHEL", "8-lvm-gen2")),
    "sles": System(os="Linux", name="sles", version="15.6", image=("SUSE", "sles-15-sp6", "gen2")),
    "debian": System(os="Linux", name="debian", version="12.7", image=("Debian", "debian-12", "12-gen2")),
    "oracle": System(os="Linux", name="oracle", version="8.10", image=("Oracle", "Oracle-Linux", "ol810-lvm-gen2")),
    "alma": System(os="Linux", name="almalinux", version="9.4", image=("almalinux", "almalinux-x86_64", "9-gen2")),
    "firewall": System(os="Linux", name="", version="", image=("paloaltonetworks", "vmseries-flex", "byol")),
    "migrated": System(os="Linux", name="centos", version="7.9"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Machines that differ in their number only. `policy` names the backup policy, empty for machines without backup.

    `gib` are the sizes of the disks, the one of the system first; `sku` is the kind of the data disks; `out` are the LUNs
    that selective backup leaves out. `parked` machines are deallocated. `agent` is false for appliances without one.
    """

    sub: str
    group: str
    stem: str
    count: int
    system: str
    policy: str = ""
    gib: tuple[int, ...] = (127,)
    sku: str = "Premium_LRS"
    out: tuple[int, ...] = ()
    parked: bool = False
    agent: bool = True
    shared: bool = False


BACKUP_POLICIES: Mapping[str, tuple[str, str]] = {
    "daily": ("rsv-fab-prod", "V1"),
    "weekly": ("rsv-fab-prod", "V1"),
    "every-4h": ("rsv-fab-prod", "V2"),
    "plants-daily": ("rsv-fab-plants", "V1"),
    "plants-enhanced": ("rsv-fab-plants", "V2"),
    "appliances": ("rsv-fab-hub", "V2"),
    "hub-daily": ("rsv-fab-hub", "V1"),
    "test-weekly": ("rsv-fab-test", "V1"),
    "retired": ("rsv-fab-legacy", "V1"),
}
"""Backup policy to its vault and type. `appliances` asks for crash-consistent snapshots, which take no agent."""
VAULTS = {
    "rsv-fab-prod": ("prod", "rg-backup"),
    "rsv-fab-plants": ("plants", "rg-backup"),
    "rsv-fab-hub": ("hub", "rg-backup-hub"),
    "rsv-fab-test": ("test", "rg-backup-test"),
    "rsv-fab-legacy": ("legacy", "rg-backup-legacy"),
}

FLEETS = (
    Fleet(sub="prod", group="rg-app-crm", stem="crm-web-", count=12, system="ws2022", policy="daily"),
    Fleet(sub="prod", group="rg-app-crm", stem="crm-sql-", count=4, system="ws2019", policy="every-4h", gib=(127, 1024, 1024)),
    Fleet(sub="prod", group="rg-app-plm", stem="plm-app-", count=16, system="ws2019", policy="daily", gib=(127, 512)),
    Fleet(sub="prod", group="rg-app-plm", stem="plm-db-", count=4, system="oracle", policy="every-4h", gib=(64, 4096, 4096)),
    Fleet(sub="prod", group="rg-app-portal", stem="portal-", count=18, system="ubuntu", policy="daily", gib=(30, 64)),
    Fleet(sub="prod", group="rg-app-sap", stem="sap-app-", count=10, system="sles", policy="daily", gib=(64, 256)),
    Fleet(
        sub="prod",
        group="rg-app-sap",
        stem="sap-hana-",
        count=2,
        system="sles",
        policy="every-4h",
        gib=(64, 8192, 8192),
        sku="PremiumV2_LRS",
    ),
    Fleet(sub="prod", group="rg-app-files", stem="files-", count=4, system="ws2016", policy="weekly", gib=(127, 16384)),
    # The scratch disk is larger than Azure Backup takes, and left out of the backup for that reason.
    Fleet(
        sub="prod", group="rg-app-render", stem="render-", count=6, system="noble", policy="daily", gib=(64, 69632), out=(0,)
    ),
    Fleet(sub="prod", group="rg-app-batch", stem="batch-", count=14, system="alma", gib=(30,)),
    # The shared disk of a cluster is left out of the backup, as the service demands.
    Fleet(
        sub="prod",
        group="rg-app-cluster",
        stem="fci-",
        count=2,
        system="ws2022",
        policy="every-4h",
        gib=(127, 1024),
        out=(0,),
        shared=True,
    ),
    Fleet(sub="prod", group="rg-desktops", stem="avd-", count=20, system="win11", parked=True),
    Fleet(
        sub="plants", group="rg-mes-gdansk", stem="mes-gd-", count=14, system="ws2016", policy="plants-daily", gib=(127, 256)
    ),
    Fleet(sub="plants", group="rg-mes-porto", stem="mes-po-", count=14, system="ws2012", policy="plants-daily", gib=(127, 256)),
    Fleet(sub="plants", group="rg-mes-turku", stem="mes-tu-", count=14, system="rhel", policy="plants-enhanced", gib=(64, 256)),
    Fleet(
        sub="plants", group="rg-historian", stem="hist-", count=6, system="ws2025", policy="plants-enhanced", gib=(127, 2048)
    ),
    Fleet(sub="plants", group="rg-spares", stem="spare-", count=12, system="ws2019", policy="plants-daily", parked=True),
    Fleet(sub="hub", group="rg-firewall", stem="fw-", count=4, system="firewall", agent=False, gib=(60,)),
    Fleet(
        sub="hub", group="rg-firewall", stem="fwmgmt-", count=1, system="firewall", policy="appliances", agent=False, gib=(81,)
    ),
    Fleet(sub="hub", group="rg-identity", stem="dc-", count=4, system="ws2022", policy="hub-daily"),
    Fleet(sub="hub", group="rg-jump", stem="jump-", count=2, system="debian", policy="hub-daily", gib=(30,)),
    Fleet(sub="test", group="rg-test-plm", stem="plm-app-", count=16, system="ws2019", policy="test-weekly", parked=True),
    Fleet(sub="test", group="rg-test-portal", stem="portal-", count=18, system="ubuntu", parked=True, gib=(30,)),
    Fleet(sub="test", group="rg-test-migrated", stem="lab-", count=2, system="migrated", gib=(40,)),
)

UPDATING = ("plants", "rg-historian", "hist-03", "AzureMonitorWindowsAgent")
"""The extension that is being updated just now."""
NEW = (("prod", "rg-app-portal", "portal-18"), ("plants", "rg-mes-turku", "mes-tu-14"))
"""VMs that were protected yesterday: their first backup is still to come."""
RETIRED = (
    ("rg-oldcrm", "oldcrm-01", True),
    ("rg-oldcrm", "oldcrm-02", True),
    ("rg-oldplm", "oldplm-01", True),
    ("rg-oldplm", "oldplm-02", False),
)
"""VMs of legacy that were deleted while their vault keeps their data, and whether restore points are left in the group."""
LOCKED_GROUPS = {
    "prod": ("rg-app-crm", "rg-app-plm", "rg-app-portal", "rg-app-sap", "rg-app-files", "rg-app-cluster", "rg-backup"),
    "plants": ("rg-mes-gdansk", "rg-mes-porto", "rg-mes-turku", "rg-historian"),
    "hub": ("rg-firewall", "rg-identity", "rg-network"),
    "legacy": ("rg-backup-legacy",),
}
"""Groups with the landing zone's CanNotDelete lock; none of them holds restore points."""
EXTRA_GROUPS = (("hub", "rg-network"), ("sandbox", "rg-playground"), ("landing", "rg-placeholder"))
WARNINGS = ("prod", "rg-app-files", "files-02")
"""Its last backup completed with warnings."""
RECOVERED = ("prod", "rg-app-crm", "crm-web-07")
"""Its backup failed the night before last, and worked last night."""
CANCELLED = ("plants", "rg-mes-gdansk", "mes-gd-05")
"""Somebody cancelled an extra backup this morning."""
BUSY = ("prod", "rg-app-plm", "plm-db-02")
"""Its backup has been running for two hours."""
NEVER_ASSESSED = ("test", "hub")
"""Subscriptions in which nobody assesses updates."""
