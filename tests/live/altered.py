"""Estates that differ from another one in some rows."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Row = dict[str, Any]
Change = Callable[[Row], Row | None]
"""What becomes of a row; None where it goes."""


def altered(estate: Path, folder: Path, changes: Mapping[str, Change]) -> Path:
    """A copy of an estate in `folder`, in which the rows of some tables were changed, by name of the table."""
    shutil.copytree(estate, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    for name, change in changes.items():
        entry = manifest["tables"][name]
        file = folder / entry["file"]
        found = [change(json.loads(line)) for line in file.read_text().splitlines()]
        rows = sorted((row for row in found if row is not None), key=lambda row: str(row["id"]))
        data = "".join(f"{json.dumps(row, sort_keys=True)}\n" for row in rows).encode()
        file.write_bytes(data)
        entry |= {"rows": len(rows), "sha256": hashlib.sha256(data).hexdigest()}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def restated(estate: Path, folder: Path, states: Mapping[str, str]) -> Path:
    """A copy of an estate in which some subscriptions are in another state."""

    def change(row: Row) -> Row:
        state = states.get(row["subscriptionId"]) if row["type"] == "microsoft.resources/subscriptions" else None
        return {**row, "properties": {**row["properties"], "state": state}} if state else row

    altered(estate, folder, {"resourcecontainers": change})
    manifest = json.loads((folder / "manifest.json").read_text())
    for one in manifest["subscriptions"]:
        one["state"] = states.get(one["id"], one["state"])
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def subscriptions(estate: Path) -> list[str]:
    """The subscriptions of an estate, in order."""
    found: list[str] = json.loads((estate / "manifest.json").read_text())["scope"]["subscriptions"]
    return found
