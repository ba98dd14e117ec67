"""Reading the bundled estate back from disk, for the tests about it; plain JSON, nothing of arguard."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "examples" / "contoso"
STORY = (FOLDER / "STORY.md").read_text(encoding="utf-8")
TRUTH = yaml.safe_load((ROOT / "tests" / "truth" / "contoso.yaml").read_text(encoding="utf-8"))
ORACLE = ("ABK101", "ABK301", "ABK401", "ABK501", "ABK502", "ABK602")
"""The policies that the independent oracle judges."""
PROD, SHARED, DR = TRUTH["subscriptions"].values()
VM = "microsoft.compute/virtualmachines"
EXTENSION = f"{VM}/extensions"
DISK = "microsoft.compute/disks"
COLLECTION = "microsoft.compute/restorepointcollections"
ITEM = "microsoft.recoveryservices/vaults/backupfabrics/protectioncontainers/protecteditems"
JOB = "microsoft.recoveryservices/vaults/backupjobs"
POLICY = "microsoft.recoveryservices/vaults/backuppolicies"
GROUP = "microsoft.resources/subscriptions/resourcegroups"
Row = dict[str, Any]


def truth(profile: str, policy: str) -> Row:
    found: Row = TRUTH[profile].get(policy, TRUTH["current"].get(policy))
    return found


def notable() -> set[tuple[str, ...]]:
    """Every verdict but pass and not_applicable that the truth lists by name, under any profile, each behind its policy."""
    profiles = (TRUTH["current"], TRUTH["article"], TRUTH["selected"], TRUTH["evidence"])
    return {(policy, *entry) for told in profiles for policy, one in told.items() for entry in one["is"]}


@cache
def table(name: str) -> tuple[Row, ...]:
    return tuple(json.loads(line) for line in (FOLDER / f"{name}.ndjson").read_bytes().splitlines())


@cache
def manifest() -> Row:
    loaded: Row = json.loads((FOLDER / "manifest.json").read_bytes())
    return loaded


def rows(kind: str, *, sub: str = "", name: str = "") -> list[Row]:
    source = "recoveryservicesresources" if kind.startswith("microsoft.recoveryservices/vaults/") else "resources"
    found = table("resourcecontainers" if kind == GROUP else source)
    return [row for row in found if row["type"] == kind and sub in ("", row["subscriptionId"]) and name in ("", row["name"])]


def machine(sub: str, group: str, name: str) -> Row:
    [row] = [row for row in rows(VM, sub=sub, name=name) if row["resourceGroup"] == group]
    return row


def status(sub: str, group: str, name: str) -> Row | None:
    wanted = machine(sub, group, name)["id"].lower()
    return next((row for row in table("arm_vm_status") if row["id"].lower() == wanted), None)


def view(sub: str, group: str, name: str) -> Row:
    found = status(sub, group, name)
    assert found is not None
    instance: Row = found["properties"]["instanceView"]
    return instance


def extension(sub: str, vm: str, name: str) -> Row:
    tail = f"/{vm}/extensions/{name}".lower()
    [row] = [row for row in rows(EXTENSION, sub=sub, name=name) if row["id"].lower().endswith(tail)]
    return row


def items(sub: str, group: str, name: str) -> list[Row]:
    tail = f"/resourcegroups/{group}/providers/microsoft.compute/virtualmachines/{name}"
    return [row for row in rows(ITEM, sub=sub) if row["properties"]["sourceResourceId"].lower().endswith(tail)]


def item(sub: str, group: str, name: str) -> Row:
    [row] = items(sub, group, name)
    properties: Row = row["properties"]
    return properties


def lock_scopes() -> set[str]:
    return {row["id"].lower().rpartition("/providers/microsoft.authorization/locks/")[0] for row in table("arm_locks")}
