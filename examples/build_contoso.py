"""Write the bundled estate `examples/contoso` from its story: `python -m examples.build_contoso [FOLDER]`.

The same story gives the same bytes on every machine. Raw tables only, so that the snapshot shows what a population query sees.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable
from pathlib import Path

from examples import (
    arg_rows,
    contoso_access,
    contoso_arm,
    contoso_backup,
    contoso_compute,
    contoso_containers,
    contoso_evidence,
)
from examples.arg_rows import Row
from examples.contoso_fleets import COLLECTED_AT, LOCKS_REFUSED, SUBSCRIPTIONS

HERE = Path(__file__).parent / "contoso"
EVIDENCE = HERE.parent / "contoso-evidence"


def files() -> dict[str, bytes]:
    """Every generated file of the snapshot by name; STORY.md is written by hand and not among them."""
    tables = _tables()
    contents = {f"{name}.ndjson": arg_rows.ndjson(rows) for name, rows in tables.items()}
    entries = {name: _entry(name, rows, content=contents[f"{name}.ndjson"]) for name, rows in tables.items()}
    return contents | {
        "manifest.json": arg_rows.manifest("examples/build_contoso.py", COLLECTED_AT, [*SUBSCRIPTIONS.values()], entries)
    }


def _tables() -> dict[str, list[Row]]:
    resources = [
        *contoso_compute.rows(),
        *contoso_backup.vault_rows(),
        *contoso_backup.collection_rows(),
        *contoso_access.vault_rows(),
    ]
    tables: dict[str, Iterable[Row]] = {
        "arm_locks": contoso_arm.locks(),
        "arm_restore_points": contoso_backup.restore_points(),
        "arm_vm_status": contoso_arm.statuses(),
        "authorizationresources": contoso_access.role_rows(),
        "guestconfigurationresources": contoso_access.assignment_rows(),
        "patchassessmentresources": contoso_compute.assessments(),
        "recoveryservicesresources": contoso_backup.recovery_rows(),
        "resourcecontainers": contoso_containers.rows(),
        "resources": resources,
    }
    return arg_rows.sorted_rows(tables)


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


if __name__ == "__main__":
    arg_rows.write(files(), Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
    if len(sys.argv) == 1:
        arg_rows.write(contoso_evidence.files(), EVIDENCE)
