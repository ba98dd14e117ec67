from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from examples import arg_rows, build_contoso, contoso_evidence
from scanner.sources.evidence import read_evidence
from tests.contoso_rows import (
    COLLECTION,
    DISK,
    DR,
    EXTENSION,
    FOLDER,
    GROUP,
    ITEM,
    JOB,
    PROD,
    ROOT,
    SHARED,
    VM,
    manifest,
    rows,
    table,
)


def test_the_snapshot_on_disk_is_what_the_generator_writes(tmp_path: Path) -> None:
    arg_rows.write(build_contoso.files(), tmp_path / "new")
    written = {path.name: path.read_bytes() for path in (tmp_path / "new").iterdir()}
    assert written == {path.name: path.read_bytes() for path in FOLDER.iterdir() if path.name != "STORY.md"}


def test_the_evidence_on_disk_is_what_the_generator_writes() -> None:
    written = {path.name: path.read_bytes() for path in build_contoso.EVIDENCE.iterdir()}
    assert written == contoso_evidence.files()
    assert {row["id"].lower() for row in read_evidence(build_contoso.EVIDENCE).rows} <= {row["id"].lower() for row in rows(VM)}


@pytest.mark.parametrize("seed", ["0", "4711"])
def test_the_generator_does_not_depend_on_the_hash_seed(tmp_path: Path, seed: str) -> None:
    environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([sys.executable, "-m", "examples.build_contoso", str(tmp_path)], cwd=tmp_path, env=environment, check=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == build_contoso.files()


def test_the_manifest_describes_the_files() -> None:
    listed = manifest()["tables"]
    assert {entry["file"] for entry in listed.values()} == {path.name for path in FOLDER.glob("*.ndjson")}
    for name, entry in listed.items():
        content = (FOLDER / entry["file"]).read_bytes()
        assert (entry["rows"], entry["sha256"]) == (len(table(name)), hashlib.sha256(content).hexdigest())
        assert content.endswith(b"\n")
        assert set(entry) == {"file", "rows", "sha256", "answered", "gaps"} | (set() if name.startswith("arm_") else {"types"})


def test_the_manifest_is_of_format_one_and_its_scope_is_proven() -> None:
    found = manifest()
    assert list(found) == ["format", "tool", "collected_at", "scope", "subscriptions", "tables", "answers"]
    assert found["format"] == "arguard-snapshot/1"
    assert found["collected_at"] == "2026-11-20T06:00:00Z"
    assert found["scope"] == {"kind": "proven", "subscriptions": [PROD, SHARED, DR], "management_groups": []}
    assert [(entry["id"], entry["state"]) for entry in found["subscriptions"]] == [
        (one, "Enabled") for one in (PROD, SHARED, DR)
    ]
    assert found["answers"] == {}


def test_every_table_is_answered_by_all_but_the_refused_subscription() -> None:
    for name, entry in manifest()["tables"].items():
        assert entry["answered"] == ([PROD, SHARED] if name == "arm_locks" else [PROD, SHARED, DR])


def test_the_manifest_lists_the_types_that_were_collected() -> None:
    for name, entry in manifest()["tables"].items():
        if not name.startswith("arm_"):
            assert entry["types"] == sorted({row["type"] for row in table(name)})


@pytest.mark.parametrize("name", sorted(manifest()["tables"]))
def test_rows_are_sorted_by_id_with_sorted_keys_and_unique_ids(name: str) -> None:
    identities = [row["id"] for row in table(name)]
    assert identities == sorted(identities)
    assert len({identity.lower() for identity in identities}) == len(identities)
    for line in (FOLDER / f"{name}.ndjson").read_bytes().splitlines():
        assert line.decode() == json.dumps(json.loads(line), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


@pytest.mark.parametrize("name", ["resources", "resourcecontainers", "recoveryservicesresources"])
def test_rows_of_arg_tables_have_its_sixteen_columns(name: str) -> None:
    recorded = ("extendedLocation", "id", "identity", "kind", "location", "managedBy", "name", "plan", "properties")
    columns = {*recorded, "resourceGroup", "sku", "subscriptionId", "tags", "tenantId", "type", "zones"}
    for row in table(name):
        assert set(row) == columns
        assert (row["kind"], row["plan"], row["extendedLocation"]) == ("", None, None)
        assert row["type"] == row["type"].lower()
        assert row["resourceGroup"] == row["resourceGroup"].lower()
        assert row["id"].split("/")[2] == row["subscriptionId"]


def test_the_folder_is_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 1_500_000


# The rows make sense together.


def test_every_vm_has_its_disks_and_every_attached_disk_its_vm() -> None:
    machines = {row["id"].lower(): row for row in rows(VM)}
    attached = [row for row in rows(DISK) if row["managedBy"]]
    for disk in attached:
        profile = machines[disk["managedBy"].lower()]["properties"]["storageProfile"]
        used = [profile["osDisk"], *profile["dataDisks"]]
        named = [each["managedDisk"]["id"].lower() for each in used if "managedDisk" in each]
        assert disk["id"].lower() in named or disk["name"] == "web-06-data0"  # the disk that its VM does not name
    blobs = 1
    assert len(attached) == sum(1 + len(row["properties"]["storageProfile"]["dataDisks"]) for row in machines.values()) - blobs


def test_extensions_items_collections_and_statuses_point_at_machines_that_exist() -> None:
    machines = {row["id"].lower() for row in rows(VM)}
    gone = {f"shop-legacy-0{number}" for number in (1, 2)} | {"lab-01"}
    assert len(machines) == 81
    assert {row["id"].lower().rpartition("/extensions/")[0] for row in rows(EXTENSION)} <= machines
    sources = {row["properties"]["source"].get("id", "").lower() for row in rows(COLLECTION)}
    assert {source.rpartition("/")[2] for source in sources - machines} == {"shop-legacy-03", ""}
    assert {row["id"].lower() for row in table("arm_vm_status")} < machines
    sources = {row["properties"]["sourceResourceId"].lower() for row in rows(ITEM)}
    assert {source.rpartition("/")[2] for source in sources - machines} == gone


def test_every_resource_lies_in_a_group_that_exists_and_every_item_in_a_vault_that_exists() -> None:
    groups = {row["id"].lower() for row in rows(GROUP)}
    for row in (*table("resources"), *table("recoveryservicesresources")):
        assert "/".join(row["id"].lower().split("/")[:5]) in groups
    vaults = {row["id"].lower() for row in rows("microsoft.recoveryservices/vaults")}
    assert len(vaults) == 4
    assert {row["id"].lower().partition("/backupfabrics/")[0] for row in rows(ITEM)} == vaults


def test_a_vm_and_its_vault_share_a_subscription() -> None:
    for row in rows(ITEM):
        assert row["properties"]["sourceResourceId"].lower().split("/")[2] == row["subscriptionId"]


def test_a_power_state_is_the_same_in_both_sources() -> None:
    for found in table("arm_vm_status"):
        [row] = [row for row in rows(VM) if row["id"].lower() == found["id"].lower()]
        power = row["properties"]["extended"]["instanceView"].get("powerState", {}).get("code")
        codes = [
            entry["code"]
            for entry in found["properties"]["instanceView"]["statuses"]
            if entry["code"].startswith("PowerState/")
        ]
        assert codes == ([power] if power else [])


def test_jobs_point_at_items_and_are_younger_than_fourteen_days() -> None:
    known = {row["id"].lower() for row in rows(ITEM)}
    for row in rows(JOB):
        assert row["properties"]["backupInstanceId"].lower() in known
        started, ended = row["properties"]["startTime"], row["properties"]["endTime"]
        assert "2026-11-06" < started < (ended or "2026-11-20T05:59:59Z") < "2026-11-20T06"
        assert (ended is None) == (row["properties"]["status"] == "InProgress")
