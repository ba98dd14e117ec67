"""Write the bundled estate `examples/fabrikam` from its story: `python -m examples.build_fabrikam [FOLDER]`.

A healthy estate with everything that is untidy and normal; the same story gives the same bytes on every machine.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from examples import arg_rows, fabrikam_backup, fabrikam_compute
from examples import fabrikam_story as story
from examples.arg_rows import Row
from examples.fabrikam_machines import arg_row, group_id, machines

HERE = Path(__file__).parent / "fabrikam"


def files() -> dict[str, bytes]:
    """Every generated file of the snapshot by name."""
    tables = arg_rows.sorted_rows(_tables())
    contents = {f"{name}.ndjson": arg_rows.ndjson(rows) for name, rows in tables.items()}
    entries = {name: _entry(name, rows, contents[f"{name}.ndjson"]) for name, rows in tables.items()}
    return contents | {
        "manifest.json": arg_rows.manifest(
            "examples/build_fabrikam.py", story.COLLECTED_AT, [*story.SUBSCRIPTIONS.values()], entries
        )
    }


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


def _entry(name: str, rows: list[Row], content: bytes) -> Row:
    return {
        "file": f"{name}.ndjson",
        "rows": len(rows),
        "sha256": hashlib.sha256(content).hexdigest(),
        **({} if name.startswith("arm_") else {"types": ["*"]}),
        "answered": [identity for identity, _, _ in story.SUBSCRIPTIONS.values()],
        "gaps": [],
    }


if __name__ == "__main__":
    arg_rows.write(files(), Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
