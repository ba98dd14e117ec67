"""A healthy but untidy estate is green, and with one defect planted exactly that defect blocks."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest

from examples import build_fabrikam
from examples import fabrikam_story as story
from examples.fabrikam_machines import machines, protected
from scanner.cli import main

pytestmark = [pytest.mark.estate, pytest.mark.usefixtures("remembering")]
FOLDER = Path(__file__).resolve().parent.parent / "examples" / "fabrikam"
NAMES = [path.stem for path in sorted(FOLDER.glob("*.ndjson"))]
Row = dict[str, Any]
World = dict[str, list[Row]]


@dataclass(frozen=True)
class Run:
    """What a scan said: its exit code, its native lines, and what it printed."""

    exit_code: int
    lines: list[Row]
    printed: str

    @property
    def blocking(self) -> set[tuple[str, str]]:
        """Policy and the last part of the id, with the subject, of everything that blocks."""
        return {
            (line["policy"], "/".join(filter(None, [line["display"]["name"], line["subject"]])).lower())
            for line in self.lines
            if line["kind"] == "verdict" and line["verdict"] == "fail" and line["severity"] in {"high", "critical"}
        }

    @property
    def noise(self) -> int:
        """Findings and undecided rows that are printed one by one."""
        return len(re.findall(r"(?m)^ +[x?] ", self.printed))


def run(folder: Path, tmp_path: Path, *arguments: str) -> Run:
    result = tmp_path / "result.ndjson"
    out, err = TextIOWrapper(BytesIO(), encoding="utf-8", write_through=True), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(
            ["scan", "--snapshot", str(folder), "--as-of", "snapshot", "-o", "console", "-o", f"native={result}", *arguments]
        )
    out.seek(0)
    lines = [json.loads(line) for line in result.read_bytes().splitlines()] if result.exists() else []
    return Run(exit_code=code, lines=lines, printed=out.read() + err.getvalue())


def test_the_folder_is_what_the_story_says() -> None:
    for name, content in build_fabrikam.files().items():
        assert (FOLDER / name).read_bytes() == content, f"{name} is stale: python -m examples.build_fabrikam"


def test_the_estate_is_untidy() -> None:
    fleet = machines()
    assert len(fleet) > 200
    assert sum(vm.fleet.parked for vm in fleet) > 50
    assert len(protected()) < len(fleet)
    assert set(story.SUBSCRIPTIONS) - {vm.fleet.sub for vm in fleet} == {"legacy", "sandbox", "landing"}
    text = {name: (FOLDER / f"{name}.ndjson").read_text(encoding="utf-8") for name in NAMES}
    assert text["arm_locks"].count("CanNotDelete") > 12
    assert '"ReadOnly"' not in text["arm_locks"]
    assert text["resources"].count('"provisioningState":"Updating"') == 1
    assert "ProtectionStopped" in text["recoveryservicesresources"]
    assert "encryptionSettingsCollection" not in text["resources"]
    assert "evidence" not in NAMES


def test_a_healthy_estate_is_green_and_quiet(tmp_path: Path) -> None:
    found = run(FOLDER, tmp_path)
    assert found.exit_code == 0, found.printed
    assert found.blocking == set()
    assert [line for line in found.lines if line["kind"] == "gap"] == []
    assert found.noise <= len(machines()) // 100, found.printed


@pytest.mark.parametrize("sub", story.SUBSCRIPTIONS)
def test_each_subscription_alone_is_green(sub: str, tmp_path: Path) -> None:
    found = run(FOLDER, tmp_path, "--subscription", story.SUBSCRIPTIONS[sub][0])
    assert found.exit_code == 0, found.printed
    assert found.blocking == set()


def test_an_empty_subscription_says_that_there_was_nothing_to_judge(tmp_path: Path) -> None:
    found = run(FOLDER, tmp_path, "--subscription", story.SUBSCRIPTIONS["landing"][0])
    assert "nothing to judge" in found.printed.splitlines()[0]


# One defect at a time.


def world() -> World:
    return {name: [json.loads(line) for line in (FOLDER / f"{name}.ndjson").read_bytes().splitlines()] for name in NAMES}


def write(tables: Mapping[str, list[Row]], folder: Path) -> Path:
    folder.mkdir()
    manifest = json.loads((FOLDER / "manifest.json").read_bytes())
    for name, rows in tables.items():
        content = "".join(json.dumps(row) + "\n" for row in rows).encode()
        (folder / f"{name}.ndjson").write_bytes(content)
        entry = manifest["tables"].setdefault(name, {**manifest["tables"]["arm_locks"], "file": f"{name}.ndjson"})
        entry.update(rows=len(rows), sha256=hashlib.sha256(content).hexdigest())
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def find(tables: World, table: str, kind: str, tail: str) -> Row:
    """The one row of a type whose id ends so."""
    [row] = [row for row in tables[table] if row["type"].lower().endswith(kind) and row["id"].lower().endswith(tail.lower())]
    return row


def _lock(tables: World, scope: str, level: str = "CanNotDelete") -> None:
    identity = f"{scope}/providers/Microsoft.Authorization/locks/planted"
    tables["arm_locks"].append(
        {"id": identity, "name": "planted", "properties": {"level": level}, "type": "Microsoft.Authorization/locks"}
    )


def _group(sub: str, group: str) -> str:
    return f"/subscriptions/{story.SUBSCRIPTIONS[sub][0]}/resourceGroups/{group}"


def lock_the_restore_points(tables: World) -> None:
    _lock(tables, _group("plants", "AzureBackupRG_northeurope_1"))


def lock_the_subscription(tables: World) -> None:
    _lock(tables, f"/subscriptions/{story.SUBSCRIPTIONS['hub'][0]}", "ReadOnly")


def lock_a_collection(tables: World) -> None:
    [row] = [row for row in tables["resources"] if row["name"].lower().startswith("azurebackup_dc-03_")]
    _lock(tables, row["id"])


def kill_an_agent(tables: World) -> None:
    status = find(
        tables, "arm_vm_status", "virtualmachines", "/rg-app-crm/providers/microsoft.compute/virtualmachines/crm-web-04"
    )
    agent = status["properties"]["instanceView"]["vmAgent"]
    agent["vmAgentVersion"] = "Unknown"
    agent["statuses"] = [{"code": "ProvisioningState/Unavailable", "displayStatus": "Not Ready", "level": "Warning"}]


def fail_an_extension(tables: World) -> None:
    row = find(tables, "resources", "/extensions", "/sap-app-02/extensions/AzureMonitorLinuxAgent")
    row["properties"]["provisioningState"] = "Failed"


def fail_the_backup_extension(tables: World) -> None:
    row = find(tables, "resources", "/extensions", "/hist-05/extensions/VMSnapshot")
    row["properties"]["provisioningState"] = "Failed"


def grow_a_disk(tables: World) -> None:
    find(tables, "resources", "/disks", "/disks/files-01-data0")["properties"]["diskSizeGB"] = 70000


def back_up_the_scratch_disk(tables: World) -> None:
    row = find(tables, "recoveryservicesresources", "protecteditems", ";rg-app-render;render-02")
    row["properties"]["extendedProperties"] = None


def use_a_fast_disk_with_a_standard_policy(tables: World) -> None:
    find(tables, "resources", "/disks", "/disks/plm-app-03-data0")["sku"]["name"] = "PremiumV2_LRS"


def pause_a_backup(tables: World) -> None:
    row = find(tables, "recoveryservicesresources", "protecteditems", ";rg-identity;dc-02")
    row["properties"] |= {"protectionState": "ProtectionPaused", "currentProtectionState": "ProtectionPaused"}


def forget_a_backup(tables: World) -> None:
    row = find(tables, "recoveryservicesresources", "protecteditems", ";rg-app-portal;portal-03")
    row["properties"] |= {"lastBackupTime": "2026-11-16T01:10:00Z", "lastRecoveryPoint": "2026-11-16T01:10:00Z"}
    tables["recoveryservicesresources"] = [
        row for row in tables["recoveryservicesresources"] if row["properties"].get("entityFriendlyName") != "portal-03"
    ]


def fail_two_backups(tables: World) -> None:
    for row in tables["recoveryservicesresources"]:
        if row["properties"].get("backupInstanceId", "").endswith(";rg-mes-porto;mes-po-07"):
            row["properties"] |= {
                "status": "Failed",
                "errorDetails": [{"errorCode": 1, "errorString": "UserErrorCrpReportedUserError", "errorTitle": ""}],
            }


DEFECTS: Mapping[str, tuple[Callable[[World], None], set[tuple[str, str]]]] = {
    "a lock on restore points": (lock_the_restore_points, {("ABK101", "azurebackuprg_northeurope_1")}),
    "a read-only lock on a subscription": (lock_the_subscription, {("ABK101", "azurebackuprg_westeurope_1")}),
    "a lock on a collection": (lock_a_collection, {("ABK102", "azurebackup_dc-03_")}),
    "a dead agent": (kill_an_agent, {("ABK301", "crm-web-04")}),
    "a failed extension": (fail_an_extension, {("ABK401", "sap-app-02/extension:azuremonitorlinuxagent")}),
    "a failed backup extension": (
        fail_the_backup_extension,
        {("ABK401", "hist-05/extension:vmsnapshot"), ("ABK403", "hist-05/extension:vmsnapshot")},
    ),
    "a disk that is too large": (grow_a_disk, {("ABK501", "files-01-data0")}),
    "a large disk that is no longer left out": (back_up_the_scratch_disk, {("ABK501", "render-02-data0")}),
    "a fast disk with a standard policy": (use_a_fast_disk_with_a_standard_policy, {("ABK504", "plm-app-03-data0")}),
    "a paused backup": (pause_a_backup, {("ABK602", "dc-02/vault:rg-backup-hub/rsv-fab-hub")}),
    "a forgotten backup": (forget_a_backup, {("ABK604", "portal-03/vault:rg-backup/rsv-fab-prod")}),
    "two failed backups in a row": (fail_two_backups, {("ABK605", "mes-po-07/vault:rg-backup/rsv-fab-plants")}),
}
"""What is planted, and everything that blocks then; where several findings block they have one cause."""


def _short(found: set[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Collections carry a number at the end of their names."""
    return ((policy, re.sub(r"^(azurebackup_.*_)\d+$", r"\1", name)) for policy, name in found)


@pytest.mark.parametrize("defect", DEFECTS)
def test_exactly_the_planted_defect_blocks(defect: str, tmp_path: Path) -> None:
    plant, expected = DEFECTS[defect]
    tables = copy.deepcopy(world())
    plant(tables)
    found = run(write(tables, tmp_path / "planted"), tmp_path)
    assert found.exit_code == 1, found.printed
    assert set(_short(found.blocking)) == expected
    causes = {
        line["cause"]
        for line in found.lines
        if line["kind"] == "verdict" and line["verdict"] == "fail" and line["severity"] == "high"
    }
    assert len(causes) == 1
    assert [line for line in found.lines if line["kind"] == "gap"] == []


def test_there_are_twelve_defects() -> None:
    assert len(DEFECTS) == 12
