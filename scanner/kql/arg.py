"""What Azure Resource Graph is, as data: tables, columns, operators, limits, and what it does not carry.

Sources: MicrosoftDocs/azure-docs articles/governance/resource-graph/concepts/query-language.md (tables, operators, joins,
limits) and .../reference/supported-tables-resources.md (resource types by table; where the two pages spell a table in two
ways, both are taken).
"""

from __future__ import annotations

from scanner.model import ColumnType

_TABLES = """
advisorresources aksresources alertsmanagementresources appserviceresources authorizationresources awsresources
azurebusinesscontinuityresources azuredevopsplatformresources batchresources capabilityresources chaosresources
communitygalleryresources computeresources deploymentresources desktopvirtualizationresources dnsresources
edgeorderresources elasticsanresources extendedlocationresources extensibilityresourcechanges featureresources
guestconfigurationresources healthresourcechanges healthresources impactreportresources insightresources insightsresources
iotsecurityresources kubernetesconfigurationresources kustoresources maintenanceresourcechanges maintenanceresources
managedserviceresources managedservicesresources migrateresources networkresourcechanges networkresources orbitalresources
patchassessmentresources patchinstallationresources policyresources recoveryservicesresources resourcechanges
resourcecontainerchanges resourcecontainers resources securityresources servicefabricresources servicehealthresources
spotresources supportresources tagresources tagsresources
"""
TABLES = frozenset(_TABLES.split())
"""Table names in lower case; ARG takes them in any case."""

COLUMNS: dict[str, ColumnType] = {
    "id": "string",
    "name": "string",
    "type": "string",
    "tenantId": "string",
    "kind": "string",
    "location": "string",
    "resourceGroup": "string",
    "subscriptionId": "string",
    "managedBy": "string",
    "sku": "dynamic",
    "plan": "dynamic",
    "properties": "dynamic",
    "tags": "dynamic",
    "identity": "dynamic",
    "zones": "dynamic",
    "extendedLocation": "dynamic",
}
"""The columns of every table, in order; ARG takes them in this case only."""

LOWER_CASE = frozenset({"type", "location", "subscriptionId", "tenantId"})
"""The standard columns that ARG holds in lower case everywhere, whatever the case of an id."""

JOIN_KINDS = ("innerunique", "inner", "leftouter", "fullouter")
UNION_KINDS = ("inner", "outer")
MAX_JOINS = 3
BASIC = frozenset({"resources", "resourcecontainers"})
"""The tables that may be joined beside one other: "1 of which may be a cross-table join", or all between these two."""
MAX_MV_EXPANDS = 3
MAX_UNION_LEGS = 3
MAX_MV_EXPAND_LIMIT = 2000
"""The page says 400 (2023); 2000 is what later queries of Microsoft's rely on. Without a limit ARG keeps 128 elements."""

OPERATORS = (
    """where, extend, project, project-away, project-rename, join, union, mv-expand, parse, summarize, distinct and order by"""
)
"""What a population may use of ARG's list; `count`, `take`, `limit` and `top` are ARG's too, but hide rows."""

SHORTENING = frozenset({"count", "take", "limit", "top"})
"""Operators that ARG takes and a population must not use."""

STARTS = frozenset(
    {"where", "project", "extend", "parse", "join", "mv-expand", "mvexpand", "order", "sort", "summarize", "distinct"}
)
"""A text that begins with one of these reads the default table, `resources`."""

_LOCKS = "ARG does not carry management locks: attach them from ARM with `attach: {locks: {from: arm_locks, covering: id}}`"
_POINTS = "ARG carries restore point collections but not their points: `attach: {points: {from: arm_restore_points, ...}}`"
_STATUS = "ARG does not carry the instance view of a VM: `attach: {status: {from: arm_vm_status, one: {id: id}}}`"
ABSENT = {
    "microsoft.authorization/locks": _LOCKS,
    "microsoft.compute/restorepointcollections/restorepoints": _POINTS,
    "microsoft.compute/virtualmachines/instanceview": _STATUS,
    "microsoft.compute/virtualmachines/instanceviews": _STATUS,
}
"""Resource types that no table has: a query for them gets zero rows for ever."""

_BACKUP = "microsoft.recoveryservices/vaults"
HOMES = {
    f"{_BACKUP}/alerts": "recoveryservicesresources",
    f"{_BACKUP}/backupfabrics/protectioncontainers/protectableitems": "recoveryservicesresources",
    f"{_BACKUP}/backupfabrics/protectioncontainers/protecteditems": "recoveryservicesresources",
    f"{_BACKUP}/backupjobs": "recoveryservicesresources",
    f"{_BACKUP}/backuppolicies": "recoveryservicesresources",
    f"{_BACKUP}/replicationjobs": "recoveryservicesresources",
    "microsoft.dataprotection/backupvaults/backupinstances": "recoveryservicesresources",
    "microsoft.dataprotection/backupvaults/backupjobs": "recoveryservicesresources",
    "microsoft.dataprotection/backupvaults/backuppolicies": "recoveryservicesresources",
    "microsoft.azurebusinesscontinuity/unifiedprotecteditems": "azurebusinesscontinuityresources",
    "microsoft.advisor/recommendations": "advisorresources",
    "microsoft.alertsmanagement/alerts": "alertsmanagementresources",
    "microsoft.authorization/roleassignments": "authorizationresources",
    "microsoft.authorization/roledefinitions": "authorizationresources",
    "microsoft.compute/virtualmachines": "resources",
    "microsoft.compute/virtualmachines/extensions": "resources",
    "microsoft.compute/disks": "resources",
    "microsoft.compute/restorepointcollections": "resources",
    "microsoft.keyvault/vaults": "resources",
    "microsoft.network/networkinterfaces": "resources",
    "microsoft.storage/storageaccounts": "resources",
    "microsoft.compute/virtualmachines/patchassessmentresults": "patchassessmentresources",
    "microsoft.compute/virtualmachines/patchinstallationresults": "patchinstallationresources",
    "microsoft.compute/virtualmachinescalesets/virtualmachines": "computeresources",
    "microsoft.guestconfiguration/guestconfigurationassignments": "guestconfigurationresources",
    "microsoft.policyinsights/policystates": "policyresources",
    "microsoft.resourcehealth/availabilitystatuses": "healthresources",
    "microsoft.resourcehealth/resourceannotations": "healthresources",
    "microsoft.resourcehealth/events": "servicehealthresources",
    "microsoft.resources/subscriptions": "resourcecontainers",
    "microsoft.resources/subscriptions/resourcegroups": "resourcecontainers",
    "microsoft.management/managementgroups": "resourcecontainers",
    "microsoft.security/assessments": "securityresources",
}
"""The one table that holds a resource type, for types that are often asked of another."""
