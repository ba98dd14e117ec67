from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from scanner.kql.text import digest
from scanner.sources.snapshot import SnapshotSource
from tests.sources.snapshot_folder import (
    KQL,
    NOW,
    Folder,
    JsonRow,
    gaps_of,
    lock,
    problems,
    query,
    rows_of,
    vm,
)

BAD = "an object lacks what identifies it"


@pytest.mark.parametrize(
    ("bad", "subscription"),
    [
        (lock("S2", "l", properties={}), "s2"),
        (lock("s2", "l", properties={"level": ""}), "s2"),
        (lock("s2", "l", properties=[]), "s2"),
        (lock("s2", "l", properties={"level": 3}), "s2"),
        ({"id": "/subscriptions/s2/resourceGroups/g", "properties": {"level": "ReadOnly"}}, "s2"),
        ({"id": 7, "properties": {"level": "ReadOnly"}}, ""),
        ({"id": "", "properties": {"level": "ReadOnly"}}, ""),
        ({"id": "/providers/Microsoft.Authorization/locks/l", "properties": {"level": "ReadOnly"}}, ""),
        ({"$redacted": "key", **lock("s1", "l")}, ""),
        ({}, ""),
    ],
)
def test_a_lock_that_cannot_be_used(
    folder: Folder, opened: Callable[..., SnapshotSource], bad: JsonRow, subscription: str
) -> None:
    folder.table("arm_locks", [lock("s1", "good"), bad])
    answer = opened().side("arm_locks")
    assert gaps_of(answer) == [("BAD_ANSWER", subscription, BAD)]
    assert answer.answered == ({"s1"} if subscription else frozenset())
    assert [row["name"] for row in rows_of(answer)] == ["good"]


def test_a_bad_object_of_another_subscription_is_nobodys_trouble(folder: Folder, opened: Callable[..., SnapshotSource]) -> None:
    folder.table("arm_locks", [lock("s2", "l", properties={})])
    assert (opened("s1").side("arm_locks").answered, opened("s1").side("arm_locks").gaps) == (frozenset({"s1"}), ())


def test_side_objects_are_as_arm_returned_them(folder: Folder, opened: Callable[..., SnapshotSource]) -> None:
    machine = {"id": vm("s1", "a")["id"], "name": "", "properties": {"instanceView": {"x": None, "y": ""}}}
    folder.table("arm_vm_status", [machine])
    assert rows_of(opened().side("arm_vm_status")) == [{**machine, "properties": {"instanceView": {"y": ""}}}]


def test_evidence_may_call_the_machine_vm(folder: Folder, opened: Callable[..., SnapshotSource]) -> None:
    one, two = vm("s1", "a")["id"], vm("s1", "b")["id"]
    folder.table("evidence", [{"vm": one, "checks": {}}, {"id": two, "vm": "other"}])
    assert [row["id"] for row in rows_of(opened().side("evidence"))] == [one, two]
    folder.table("evidence", [{"vm": 3}])
    assert gaps_of(opened().side("evidence")) == [("BAD_ANSWER", "", BAD)]


@pytest.mark.parametrize(
    ("row", "lacking"),
    [
        ({}, "id, type, subscriptionId"),
        (vm("s1", "a", id=""), "id"),
        (vm("s1", "a", type=None), "type"),
        (vm("s1", "a", subscriptionId=4), "subscriptionId"),
        (vm("s1", "a", **{"$redacted": "x"}), "id, type, subscriptionId"),
    ],
)
def test_rows_of_tables_need_their_identity(folder: Folder, tmp_path: Path, row: JsonRow, lacking: str) -> None:
    folder.table("resources", [vm("s1", "a"), row])
    folder.write()
    text = f"a row of an ARG table needs the texts id, type and subscriptionId; it lacks {lacking}"
    assert problems(folder, tmp_path) == [f"resources.ndjson:2:1: {text}"]


def test_every_problem_of_every_file_is_listed(folder: Folder, tmp_path: Path) -> None:
    folder.table("resources", [{}])["rows"] = 2
    folder.table("arm_locks", b"\xef\xbb\xbf{}\n")
    folder.stored(b'{"id":3}\n{"id":"x"}')["sha256"] = "0" * 64
    folder.table("evidence", [])["file"] = "gone.ndjson"
    folder.write()
    assert (folder.path / "manifest.json").read_text().splitlines()[51].index('"gone.ndjson"') == 11
    found = problems(folder, tmp_path)
    answer = f"answers/{digest(KQL)}.ndjson"
    assert [re.match(r"[^ ]+: ", problem).group() for problem in found] == [  # type: ignore[union-attr]
        f"{answer}: ",
        f"{answer}: ",
        f"{answer}:1:1: ",
        f"{answer}:2:10: ",
        "arm_locks.ndjson:1:1: ",
        "manifest.json:52:12: ",
        "resources.ndjson: ",
        "resources.ndjson:1:1: ",
    ]
    assert found[5] == "manifest.json:52:12: tables.evidence.file: there is no file gone.ndjson"


def test_a_changed_file_is_refused(folder: Folder, tmp_path: Path) -> None:
    folder.table("resources", [vm("s1", "a")])
    folder.write()
    path = folder.path / "resources.ndjson"
    path.write_bytes(path.read_bytes().replace(b'"a"', b'"b"'))
    assert problems(folder, tmp_path) == [
        "resources.ndjson: its sha256 is not the one in the manifest: it was changed, or cut, after the snapshot was made"
    ]


def test_compressed_files(folder: Folder, opened: Callable[..., SnapshotSource], tmp_path: Path) -> None:
    data = gzip.compress(orjson.dumps(lock("s1", "l")) + b"\n")
    folder.manifest["tables"]["arm_locks"] = {**folder.file("locks.ndjson.gz", data), "rows": 1}
    assert opened().side("arm_locks").rows == 1
    bomb = gzip.compress(b'{"a":"' + b"0" * 5_000_000 + b'"}\n')
    folder.manifest["tables"]["arm_locks"] = {**folder.file("locks.ndjson.gz", bomb), "rows": 1}
    folder.write()
    assert "unpacks to more than 100 times its size" in problems(folder, tmp_path)[0]


def test_a_link_out_of_the_folder_is_not_followed(folder: Folder, tmp_path: Path) -> None:
    outside = tmp_path / "outside.ndjson"
    outside.write_text("")
    entry = folder.table("resources", [])
    (folder.path / "resources.ndjson").unlink()
    (folder.path / "resources.ndjson").symlink_to(outside)
    (folder.path / "away").symlink_to(tmp_path)
    folder.manifest["answers"][digest(KQL)] = {**entry, "file": "away/outside.ndjson", "query": KQL}
    del folder.manifest["answers"][digest(KQL)]["types"]
    folder.write()
    found = problems(folder, tmp_path)
    assert len(found) == 2
    assert all(problem.endswith("leads out of the snapshot's folder") for problem in found)


def test_a_link_inside_the_folder_is_fine(folder: Folder, opened: Callable[..., SnapshotSource]) -> None:
    folder.table("arm_locks", [lock("s1", "l")])
    (folder.path / "arm_locks.ndjson").rename(folder.path / "real.ndjson")
    (folder.path / "arm_locks.ndjson").symlink_to("real.ndjson")
    assert opened().side("arm_locks").rows == 1


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("column", ["s9", " S1 ", ""])
def test_a_row_belongs_to_the_subscription_of_its_id(
    folder: Folder, opened: Callable[..., SnapshotSource], column: str
) -> None:
    folder.table("resources", [vm("s1", "a", subscriptionId=column, properties={"ok": True})])
    assert [row["name"] for row in rows_of(opened().answer(query(), NOW))] == ["a"]
    assert opened("s2").answer(query(), NOW).rows == 0
