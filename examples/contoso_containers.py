"""Contoso's rows of the ARG table `resourcecontainers`: subscriptions and resource groups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from examples import contoso_spelling as spelling
from examples import contoso_story as story
from examples.contoso_fleets import SUBSCRIPTIONS, TENANT, VAULTS

Row = dict[str, Any]


def rows() -> Iterator[Row]:
    """Every subscription, and every group that the story names or that something of the story lives in."""
    yield from map(_subscription_row, SUBSCRIPTIONS)
    homes = {(vm.sub, vm.group) for vm in story.machines()} | set(VAULTS.values()) | set(story.GROUPS)
    yield from (_group_row(sub, group) for sub, group in homes)


def _subscription_row(sub: str) -> Row:
    identity, name, _ = SUBSCRIPTIONS[sub]
    chain = [{"displayName": "Contoso Retail", "name": "mg-contoso"}, {"displayName": "Tenant Root Group", "name": TENANT}]
    row = spelling.arg_row(sub, "", id=f"/subscriptions/{identity}", name=name, type="microsoft.resources/subscriptions")
    return row | {"location": "", "properties": {"managementGroupAncestorsChain": chain, "state": "Enabled"}, "tags": {}}


def _group_row(sub: str, group: str) -> Row:
    return spelling.arg_row(
        sub,
        group,
        id=spelling.group_id(sub, group),
        name=group,
        type="microsoft.resources/subscriptions/resourcegroups",
        location="northeurope" if "northeurope" in group else spelling.location(sub),
        tags=(None, {}, {"costcenter": "4100"})[spelling.pick(f"group/{sub}/{group}", 3)],
        properties={"provisioningState": "Succeeded"},
    )
