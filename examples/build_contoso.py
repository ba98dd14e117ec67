"""Write the bundled estate `examples/contoso` from its story: `python -m examples.build_contoso [FOLDER]`.

The same story gives the same bytes on every machine. Raw tables only, so that the snapshot shows what a population query sees.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from examples import contoso_arm, contoso_backup, contoso_compute, contoso_containers
from examples.contoso_fleets import COLLECTED_AT, LOCKS_REFUSED, SUBSCRIPTIONS

HERE = Path(__file__).parent / "contoso"
Row = dict[str, Any]


def files() -> dict[str, bytes]:
    """Every generated file of the snapshot by name; STORY.md is written by hand and not among them."""
    tables = _tables()
    contents = {f"{name}.ndjson": _ndjson(rows) for name, rows in tables.items()}
    entries = {name: _entry(name, rows, content=contents[f"{name}.ndjson"]) for name, rows in tables.items()}
    return contents | {"manifest.json": _manifest(entries)}


def write(folder: Path) -> None:
    """Write the snapshot into `folder`, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files().items():
        (folder / name).write_bytes(content)


def _tables() -> dict[str, list[Row]]:
    resources = [*contoso_compute.rows(), *contoso_backup.vault_rows(), *contoso_backup.collection_rows()]
    tables: dict[str, Iterable[Row]] = {
        "arm_locks": contoso_arm.locks(),
        "arm_vm_status": contoso_arm.statuses(),
        "recoveryservicesresources": contoso_backup.recovery_rows(),
        "resourcecontainers": contoso_containers.rows(),
        "resources": resources,
    }
    return {name: sorted(rows, key=_by_id) for name, rows in tables.items()}


def _by_id(row: Row) -> str:
    return str(row["id"])


def _ndjson(rows: Iterable[Row]) -> bytes:
    lines = (json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False) for row in rows)
    return "".join(f"{line}\n" for line in lines).encode()


def _entry(name: str, rows: list[Row], *, content: bytes) -> Row:
    refused = LOCKS_REFUSED if name == "arm_locks" else ()
    types = {} if name.startswith("arm_") else {"types": sorted({row["type"] for row in rows})}
    return {
        "file": f"{name}.ndjson",
        "rows": len(rows),
        "sha256": hashlib.sha256(content).hexdigest(),
        **types,
        "answered": [identity for sub, (identity, _, _) in SUBSCRIPTIONS.items() if sub not in refused],
        "gaps": [
            {"subscription": SUBSCRIPTIONS[sub][0], "reason": "DENIED", "text": "403 AuthorizationFailed"} for sub in refused
        ],
    }


def _manifest(tables: Mapping[str, Row]) -> bytes:
    manifest = {
        "format": "arguard-snapshot/1",
        "tool": "examples/build_contoso.py",
        "collected_at": COLLECTED_AT,
        "scope": {
            "kind": "proven",
            "subscriptions": [identity for identity, _, _ in SUBSCRIPTIONS.values()],
            "management_groups": [],
        },
        "subscriptions": [{"id": identity, "name": name, "state": "Enabled"} for identity, name, _ in SUBSCRIPTIONS.values()],
        "tables": tables,
        "answers": {},
    }
    return f"{json.dumps(manifest, indent=2)}\n".encode()


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
