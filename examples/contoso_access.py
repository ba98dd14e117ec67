"""Contoso's rows for who may read what: key vaults, role definitions and role assignments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from examples import contoso_spelling as spelling
from examples import contoso_story as story
from examples.contoso_fleets import TENANT

Row = dict[str, Any]
GROUP = "rg-security"


def vault_id(sub: str, vault: str) -> str:
    """The id of a key vault."""
    return f"{spelling.group_id(sub, GROUP)}/providers/Microsoft.KeyVault/vaults/{vault}"


def assignment_rows() -> Iterator[Row]:
    """The table `guestconfigurationresources`: which services Azure Machine Configuration found running."""
    for sub, group, machine, services, status in story.AUDITED_SERVICES:
        target = spelling.machine_id(sub, group, name=machine)
        yield spelling.arg_row(
            sub,
            group,
            id=f"{target}/providers/Microsoft.GuestConfiguration/guestConfigurationAssignments/WindowsServiceStatus",
            name="WindowsServiceStatus",
            type="microsoft.guestconfiguration/guestconfigurationassignments",
            properties={
                "complianceStatus": status,
                "guestConfiguration": {
                    "configurationParameter": [
                        {"name": "[WindowsServiceStatus]WindowsServiceStatus1;ServiceName", "value": ";".join(services)}
                    ],
                    "name": "WindowsServiceStatus",
                },
                "lastComplianceStatusChecked": "2026-11-20T03:12:00Z",
                "targetResourceId": target,
            },
        )


def vault_rows() -> Iterator[Row]:
    """The key vaults, as the table `resources` lists them."""
    for sub, vault, secrets in story.KEY_VAULTS:
        yield spelling.arg_row(
            sub,
            GROUP,
            id=vault_id(sub, vault),
            name=vault,
            type="microsoft.keyvault/vaults",
            properties={
                "accessPolicies": []
                if secrets is None
                else [_access(story.BACKUP_SERVICE, secrets), _access(story.OPERATORS, ("all",))],
                "enableRbacAuthorization": secrets is None,
                "enabledForDiskEncryption": True,
                "sku": {"family": "A", "name": "standard"},
            },
        )


def _access(who: str, secrets: tuple[str, ...]) -> Row:
    return {"objectId": who, "permissions": {"keys": [], "secrets": [*secrets]}, "tenantId": TENANT}


def role_rows() -> Iterator[Row]:
    """The table `authorizationresources`: built-in roles, which lie above subscriptions, and who has them where."""
    prefix = "/providers/Microsoft.Authorization/roleDefinitions"
    for role, (name, actions) in story.ROLES.items():
        yield {
            "id": f"{prefix}/{role}",
            "name": role,
            "properties": {
                "permissions": [{"actions": [], "dataActions": [*actions], "notActions": [], "notDataActions": []}],
                "roleName": name,
                "type": "BuiltInRole",
            },
            "subscriptionId": "",
            "type": "microsoft.authorization/roledefinitions",
        }
    for sub, vault, role in story.ASSIGNMENTS:
        scope = vault_id(sub, vault)
        name = spelling.guid(f"assignment/{scope}/{role}")
        yield {
            "id": f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}",
            "name": name,
            "properties": {
                "principalId": story.BACKUP_SERVICE,
                "principalType": "ServicePrincipal",
                "roleDefinitionId": f"{prefix}/{role}",
                "scope": scope,
            },
            "subscriptionId": spelling.subscription_id(sub),
            "type": "microsoft.authorization/roleassignments",
        }
