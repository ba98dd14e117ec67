"""A pack with what the bundled one lacks, an age and restore points, and estates in which these matter."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from textwrap import dedent
from typing import Any

import orjson

from scanner import packs
from tests import big_estate

BUNDLED = packs.bundled()[0]
CONTOSO = Path(__file__).resolve().parents[2] / "examples" / "contoso"
_PACK = """\
    format: arguard-pack/1
    requires_arguard: ">=0.1"
    id: probes
    version: 1.0.0
    title: An age and restore points
    queries:
      items: {file: items.kql, key: [id]}
      machines: {file: machines.kql, key: [id]}
    """
_ITEMS = """\
    recoveryservicesresources
    | where type =~ 'microsoft.recoveryservices/vaults/backupfabrics/protectioncontainers/protecteditems'
    | extend at = todatetime(properties.lastBackupTime)
    | where isnull(at) or at > ago(365d)
    | project id, name, hours = datetime_diff('hour', now(), at)
    """
_MACHINES = """\
    resources
    | where type =~ 'microsoft.compute/virtualmachines'
    | project id, name
    """
_POLICY = """\
    id: {id}
    name: {name}
    title: A probe
    severity: high
    query: {query}
    {attach}
    assert: "{condition}"
    message: "{{name}} is not as it should be."
    why: It is a probe.
    fix: Mend it.
    """


def pack(folder: Path) -> Path:
    """AGE101 wants a backup of the last 24 hours; RPC101, with low severity, a restore point for each virtual machine."""
    folder.mkdir(parents=True)
    points = "attach: {points: {from: arm_restore_points, many: {source_id: id}}}"
    files = {
        "pack.yaml": _PACK,
        "items.kql": _ITEMS,
        "machines.kql": _MACHINES,
        "AGE101-old-backup.yaml": _POLICY.format(
            id="AGE101", name="old-backup", query="items", attach="tags: [age]", condition="hours <= `24`"
        ),
        "RPC101-no-points.yaml": _POLICY.format(
            id="RPC101", name="no-points", query="machines", attach=points, condition="sum(points[*].count) > `0`"
        ),
    }
    for name, text in files.items():
        (folder / name).write_text(dedent(text))
    return folder


def estate(folder: Path, *, subscriptions: int, vms: int, defects: float, mute: bool = True) -> tuple[str, ...]:
    """A generated estate with restore points; where `mute`, the second machine of each subscription shows no agent.

    Returns the subscriptions.
    """
    written = big_estate.write(folder, subscriptions=subscriptions, vms_per_subscription=vms, defects=defects, seed="probes")
    statuses = _rows(folder / "arm_vm_status.ndjson")
    for row in statuses:
        if mute and row["name"] == "vm-00001":
            del row["properties"]["instanceView"]["vmAgent"]
    collections = [
        row for row in _rows(folder / "resources.ndjson") if row["type"] == "microsoft.compute/restorepointcollections"
    ]
    points = [
        {
            "id": row["id"],
            "name": row["name"],
            "properties": {**row["properties"], "restorePoints": [{"id": f"{row['id']}/restorePoints/p1", "name": "p1"}]},
        }
        for row in collections
    ]
    manifest = json.loads((folder / "manifest.json").read_bytes())
    for name, rows in (("arm_vm_status", statuses), ("arm_restore_points", points)):
        data = b"".join(orjson.dumps(row) + b"\n" for row in rows)
        (folder / f"{name}.ndjson").write_bytes(data)
        manifest["tables"][name] = {
            "file": f"{name}.ndjson",
            "rows": len(rows),
            "sha256": hashlib.sha256(data).hexdigest(),
            "answered": list(written.subscriptions),
            "gaps": [],
        }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return written.subscriptions


def _rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_bytes().splitlines()]
