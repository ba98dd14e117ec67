"""Rights are proven, not assumed: Azure Resource Graph silently leaves out what the identity may not read.

The effective permissions of a subscription must grant the read action of every resource type and side table that is asked
for; each action that they do not grant is a gap. An entry of the answer is one role assignment at or above the subscription:
its actions less its notActions, and the entries add up. `*` stands for any characters, slashes included; case does not
matter (https://learn.microsoft.com/azure/role-based-access-control/role-definitions).

What this cannot see: deny assignments, which take away what a role grants, and roles assigned below the subscription, which
never suffice here however many there are. An entry with a condition is taken to grant nothing. Types whose rows hang on
another action than their own `.../read` (patch assessments, for one) are safe with Reader, which grants `*/read`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from scanner.model import Gap, Json, Reason
from scanner.policy import Query
from scanner.sources.azure import arm
from scanner.sources.azure.wire import Calls, Failed, Request
from scanner.wildcards import matches

EVERY_READ = "*/read"
"""What a query of no known types needs: the right to read whatever there is."""
READ_PERMISSIONS = "Microsoft.Authorization/permissions/read"

_SPELLINGS = (
    "Microsoft.Authorization/policyAssignments",
    "Microsoft.Authorization/roleAssignments",
    "Microsoft.Authorization/roleDefinitions",
    "Microsoft.ClassicCompute/virtualMachines",
    "Microsoft.Compute/diskEncryptionSets",
    "Microsoft.Compute/disks",
    "Microsoft.Compute/restorePointCollections",
    "Microsoft.Compute/snapshots",
    "Microsoft.Compute/virtualMachines",
    "Microsoft.Compute/virtualMachines/extensions",
    "Microsoft.Compute/virtualMachineScaleSets",
    "Microsoft.GuestConfiguration/guestConfigurationAssignments",
    "Microsoft.KeyVault/vaults",
    "Microsoft.Management/managementGroups",
    "Microsoft.Network/networkInterfaces",
    "Microsoft.Network/networkSecurityGroups",
    "Microsoft.Network/publicIPAddresses",
    "Microsoft.Network/virtualNetworks",
    "Microsoft.RecoveryServices/vaults",
    "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems",
    "Microsoft.RecoveryServices/vaults/backupJobs",
    "Microsoft.RecoveryServices/vaults/backupPolicies",
    "Microsoft.ResourceHealth/availabilityStatuses",
    "Microsoft.Resources/subscriptions",
    "Microsoft.Resources/subscriptions/resourceGroups",
    "Microsoft.Storage/storageAccounts",
)
_SPELT = {name.lower(): name for name in _SPELLINGS}
"""Queries hold types in lower case; a person reads them better as Azure's role editor shows them."""

_VAULT = "Microsoft.RecoveryServices/vaults"
"""What lies in a Recovery Services vault also takes the right to read the vault
(MicrosoftDocs/azure-docs: articles/backup/query-backups-using-azure-resource-graph.md)."""

_SIDES = {
    "arm_locks": frozenset({"Microsoft.Authorization/locks/read"}),
    "arm_vm_status": frozenset(
        {"Microsoft.Compute/virtualMachines/read", "Microsoft.Compute/virtualMachines/instanceView/read"},
    ),
    "arm_restore_points": frozenset(
        {
            "Microsoft.Compute/restorePointCollections/read",
            "Microsoft.Compute/restorePointCollections/restorePoints/read",
        }
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """One role assignment as it takes effect: patterns of actions, lower case."""

    actions: tuple[str, ...]
    not_actions: tuple[str, ...] = ()


def needed(query: Query) -> frozenset[str]:
    """The actions that every row of a query takes; `EVERY_READ` alone where its types are not all known."""
    if query.tables is None or not all(query.tables.values()):
        return frozenset({EVERY_READ})
    types = {one.lower() for types in query.tables.values() for one in types or ()}
    return frozenset(action for one in types for action in _reads(one))


def needed_for_side(table: str) -> frozenset[str]:
    """The actions that reading a side table of Azure Resource Manager takes (all but "evidence")."""
    return _SIDES[table]


def read_permissions(subscription: str, calls: Calls) -> tuple[Permission, ...]:
    """What the identity may do in a subscription; raises Failed."""
    request = Request(
        route="permissions",
        url=arm.url(f"/subscriptions/{subscription}/providers/Microsoft.Authorization/permissions", arm.PERMISSIONS),
        subscription=subscription.lower(),
        provider="microsoft.authorization",
    )
    entries = (entry for page in arm.items(request, calls) for entry in page)
    return tuple(_permission(entry) for entry in entries if not entry.get("condition"))


def grants(permissions: Iterable[Permission], action: str) -> bool:
    """Whether some entry grants an action; for `EVERY_READ`, every read there is."""
    if action == EVERY_READ:
        return covers_all_reads(permissions)
    wanted = action.lower()
    return any(_any_matches(one.actions, wanted) and not _any_matches(one.not_actions, wanted) for one in permissions)


def covers_all_reads(permissions: Iterable[Permission]) -> bool:
    """Whether one entry alone grants every read and takes none away."""
    return any(
        not {"*", EVERY_READ}.isdisjoint(one.actions) and not any(map(_may_match_a_read, one.not_actions))
        for one in permissions
    )


def rights_gaps(needed: Iterable[str], permissions: Sequence[Permission], subscription: str) -> tuple[Gap, ...]:
    """One gap for each action that a subscription does not grant, in order of the action."""
    missing = sorted({action for action in needed if not grants(permissions, action)})
    return tuple(Gap(reason=Reason.RIGHTS_PARTIAL, subscription=subscription.lower(), text=action) for action in missing)


def unproven(failure: Failed, subscription: str) -> Gap:
    """The gap of a subscription whose permissions could not be read."""
    if failure.status == 403:
        return Gap(reason=Reason.RIGHTS_PARTIAL, subscription=subscription.lower(), text=READ_PERMISSIONS)
    return Gap(reason=failure.reason, subscription=subscription.lower(), text=failure.text)


def _reads(kind: str) -> list[str]:
    kinds = [kind, _VAULT.lower()] if kind.startswith(f"{_VAULT.lower()}/") else [kind]
    return [f"{_SPELT.get(one, one)}/read" for one in kinds]


def _permission(entry: Mapping[str, Json]) -> Permission:
    return Permission(actions=_patterns(entry, "actions"), not_actions=_patterns(entry, "notActions"))


def _patterns(entry: Mapping[str, Json], name: str) -> tuple[str, ...]:
    """Raises Failed for anything but texts: a notAction that is not understood could take away the very right."""
    found = entry.get(name) or []
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise Failed(Reason.BAD_ANSWER, "PermissionUnreadable")
    return tuple(one.lower() for one in found)


def _any_matches(patterns: Iterable[str], action: str) -> bool:
    return any(matches(pattern, action) for pattern in patterns)


def _may_match_a_read(pattern: str) -> bool:
    """Whether some action that ends in /read matches a pattern: a star can stand for whatever its tail lacks."""
    _, star, tail = pattern.rpartition("*")
    return tail.endswith("/read") or (star != "" and "/read".endswith(tail))
