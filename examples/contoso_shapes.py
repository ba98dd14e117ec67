"""The words in which the story of Contoso Retail is told: VMs, disks, agents, protected items.

Sizes are GiB. Where ARG knows three ways to say nothing, so does the story: `MISSING` (no such key), None (JSON null) and ""
(an empty string).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MISSING = "(missing)"
GOOD = "Succeeded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """A managed disk. `ade` is Azure Disk Encryption; `encryption` is the kind of server-side encryption.

    `sku` is its kind where that is not one of the usual, and `key_vault` the vault of its secret where that is not its
    subscription's. `blob` makes it an unmanaged disk instead, which has no row; `unnamed` leaves its id out of the VM's model.
    """

    gib: int | str | None
    ade: bool = False
    encryption: str = "EncryptionAtRestWithPlatformKey"
    blob: bool = False
    unnamed: bool = False
    sku: str = ""
    key_vault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """What the VM agent last reported; times are left to the generator."""

    code: str
    display: str
    message: str
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What Azure Update Manager found missing on a VM on the evening before."""

    critical: int = 0
    security: int = 0
    reboot: bool = False
    status: str = "Succeeded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A protected item of kind AzureIaasVM in the vault `vault` (a key of `VAULTS`).

    `facts` replace values in its properties. `jobs` are its backup jobs, each by the values in which its properties differ from
    those of last night's job.
    """

    vault: str
    state: str | None = "Protected"
    current: str | None = "ProtectionConfigured"
    deferred_delete: bool | str | None = MISSING
    facts: Mapping[str, Any] = field(default_factory=dict)
    jobs: tuple[Mapping[str, Any], ...] = ({},)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A VM and everything that hangs on it.

    `id_name` is the name as the id spells it; `loud` writes the group in capitals inside ids, as ARG often does.
    `power` None means that ARG knows no power state; `agent` None that the status object has no vmAgent; `listed` False
    that the status answer does not hold the VM at all. `settings` are extension settings by extension name; `facts` replace
    values in the VM's properties, by dotted path. A VM without `assessment` was never assessed.
    """

    sub: str
    group: str
    name: str
    os: str = "Windows"
    id_name: str = ""
    loud: bool = False
    size: str = "Standard_D4s_v5"
    disks: tuple[Disk, ...]
    extensions: Mapping[str, str | None]
    power: str | None = "running"
    agent: Agent | None
    listed: bool = True
    items: tuple[Item, ...] = ()
    restore_group: str = ""
    tags: Mapping[str, str] | None = None
    custom_data: str = ""
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    assessment: Assessment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Machines that differ in their number only: `stem` plus two digits, from `first` on."""

    sub: str
    group: str
    stem: str
    count: int = 1
    first: int = 1
    os: str = "Windows"
    loud: bool = False
    gib: tuple[int, ...] = (127,)
    extra: tuple[str, ...] = ()
    vault: str = ""
    restore_group: str = ""
