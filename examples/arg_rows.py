"""What the bundled estates share: rows of ARG tables, choices that are always the same, and the files of a snapshot."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def pick(seed: str, what: str, count: int) -> int:
    """A number below `count`, always the same one for `what`."""
    return int(hashlib.sha256(f"{seed}/{what}".encode()).hexdigest()[:12], 16) % count


def guid(seed: str, what: str) -> str:
    """A GUID, always the same one for `what`."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{seed}/{what}"))


def standard(tenant: str, subscription: str, location: str, group: str) -> Row:
    """The standard columns of a row but for id, name, type and properties; nothing is null or "" as recorded rows have it."""
    return {
        "extendedLocation": None,
        "identity": None,
        "kind": "",
        "location": location,
        "managedBy": "",
        "plan": None,
        "resourceGroup": group.lower(),
        "sku": None,
        "subscriptionId": subscription,
        "tags": None,
        "tenantId": tenant,
        "zones": None,
    }


def sorted_rows(tables: Mapping[str, Iterable[Row]]) -> dict[str, list[Row]]:
    """The rows of each table in the order of their ids."""
    return {name: sorted(rows, key=lambda row: str(row["id"])) for name, rows in tables.items()}


def ndjson(rows: Iterable[Row]) -> bytes:
    """One object a line, keys sorted."""
    lines = (json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False) for row in rows)
    return "".join(f"{line}\n" for line in lines).encode()


def manifest(tool: str, collected_at: str, subscriptions: Sequence[tuple[str, str, str]], tables: Mapping[str, Row]) -> bytes:
    """A manifest whose scope are these subscriptions: id, name and region of each."""
    content = {
        "format": "arguard-snapshot/1",
        "tool": tool,
        "collected_at": collected_at,
        "scope": {
            "kind": "proven",
            "subscriptions": [identity for identity, _, _ in subscriptions],
            "management_groups": [],
        },
        "subscriptions": [{"id": identity, "name": name, "state": "Enabled"} for identity, name, _ in subscriptions],
        "tables": tables,
        "answers": {},
    }
    return f"{json.dumps(content, indent=2)}\n".encode()


def write(files: Mapping[str, bytes], folder: Path) -> None:
    """Write the files of a snapshot into `folder`, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
