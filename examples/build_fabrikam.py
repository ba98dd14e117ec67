"""Write the bundled estate `examples/fabrikam` from its story: `python -m examples.build_fabrikam [FOLDER]`.

A healthy estate with everything that is untidy and normal; the same story gives the same bytes on every machine.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from examples import fabrikam_backup, fabrikam_compute
from examples import fabrikam_story as story
from examples.fabrikam_machines import Row, arg_row, group_id, machines

HERE = Path(__file__).parent / "fabrikam"


def files() -> dict[str, bytes]:
    """Every generated file of the snapshot by name."""
    tables = {name: sorted(rows, key=lambda row: str(row["id"])) for name, rows in _tables().items()}
    contents = {f"{name}.ndjson": _ndjson(rows) for name, rows in tables.items()}
    entries = {name: _entry(name, rows, contents[f"{name}.ndjson"]) for name, rows in tables.items()}
    return contents | {"manifest.json": _manifest(entries)}


def write(folder: Path) -> None:
    """Write the snapshot into `folder`, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files().items():
        (folder / name).write_bytes(content)


def _tables() -> dict[str, Iterable[Row]]:
    return {
        "arm_locks": fabrikam_compute.locks(),
        "arm_vm_status": fabrikam_compute.statuses(),
        "patchassessmentresources": fabrikam_compute.assessment_rows(),
        "recoveryservicesresources": fabrikam_backup.recovery_rows(),
        "resourcecontainers": _container_rows(),
        "resources": [*fabrikam_compute.resource_rows(), *fabrikam_backup.resource_rows()],
    }


def _container_rows() -> Iterator[Row]:
    for sub, (identity, name, _) in story.SUBSCRIPTIONS.items():
        kind = "microsoft.resources/subscriptions"
        yield arg_row(sub, "", id=f"/subscriptions/{identity}", name=name, type=kind, properties={"state": "Enabled"})
    homes = {(vm.fleet.sub, vm.fleet.group) for vm in machines()} | set(story.VAULTS.values()) | set(story.EXTRA_GROUPS)
    homes |= {("legacy", group) for group, _, _ in story.RETIRED}
    homes |= {(sub, fabrikam_backup.restore_group(sub)) for sub, _ in story.VAULTS.values()}
    for sub, group in homes:
        kind = "microsoft.resources/subscriptions/resourcegroups"
        yield arg_row(sub, group, id=group_id(sub, group), name=group, type=kind, properties={"provisioningState": "Succeeded"})


def _ndjson(rows: Iterable[Row]) -> bytes:
    lines = (json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False) for row in rows)
    return "".join(f"{line}\n" for line in lines).encode()


def _entry(name: str, rows: list[Row], content: bytes) -> Row:
    return {
        "file": f"{name}.ndjson",
        "rows": len(rows),
        "sha256": hashlib.sha256(content).hexdigest(),
        **({} if name.startswith("arm_") else {"types": ["*"]}),
        "answered": [identity for identity, _, _ in story.SUBSCRIPTIONS.values()],
        "gaps": [],
    }


def _manifest(tables: Mapping[str, Row]) -> bytes:
    manifest = {
        "format": "arguard-snapshot/1",
        "tool": "examples/build_fabrikam.py",
        "collected_at": story.COLLECTED_AT,
        "scope": {
            "kind": "proven",
            "subscriptions": [identity for identity, _, _ in story.SUBSCRIPTIONS.values()],
            "management_groups": [],
        },
        "subscriptions": [
            {"id": identity, "name": name, "state": "Enabled"} for identity, name, _ in story.SUBSCRIPTIONS.values()
        ],
        "tables": tables,
        "answers": {},
    }
    return f"{json.dumps(manifest, indent=2)}\n".encode()


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
