from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from scanner.errors import OutputError, UsageError
from scanner.sources.azure import writing
from scanner.sources.azure.collect import Collected, Order, Progress, collect
from scanner.sources.azure.scope import Wanted
from scanner.sources.azure.work import Work
from scanner.sources.azure.writing import open_work, write_snapshot
from scanner.sources.manifest import Manifest
from scanner.sources.snapshot import SnapshotSource, open_snapshot
from tests.azure.doomed import LATER, fresh, gather
from tests.azure.memory_azure import DISK, META, NOW, MemoryAzure, denied, disk, lock, order, query
from tests.sources.snapshot_folder import gaps_of, rows_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "snap"


@pytest.fixture
def opened(tmp_path: Path) -> Callable[[Path], SnapshotSource]:
    def opener(folder: Path) -> SnapshotSource:
        spool = tmp_path / f"spool-{len(list(tmp_path.iterdir()))}"
        spool.mkdir()
        return open_snapshot(folder, spool=spool)

    return opener


def written(folder: Path, azure: MemoryAzure | None = None, what: Order | None = None) -> Collected:
    with open_work(folder, META, now=NOW, resume=True) as work:
        collected = collect(what or order(), azure or MemoryAzure(), work, now=NOW, stop=Event(), progress=Progress())
        write_snapshot(folder, collected, work)
        return collected


def held(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def manifest_of(folder: Path) -> Any:
    return json.loads((folder / "manifest.json").read_bytes())


def test_what_was_collected_is_read_back(folder: Path, opened: Callable[[Path], SnapshotSource]) -> None:
    columns: dict[str, str] = {"id": "string", "name": "string"}
    azure = MemoryAzure(refused={("locks", "s2"): denied()})
    asked = query(columns=columns)
    written(folder, azure, order(asked, raw={"resources": frozenset({DISK})}))
    with opened(folder) as source:
        assert source.collected_at == NOW
        assert source.scope.expected == ("s1", "s2", "s3")
        assert [one.name for one in source.scope.subscriptions] == ["n-s1", "n-s2", "n-s3"]
        answer = source.answer(asked, NOW)
        assert (answer.rows, answer.answered, answer.gaps) == (3, frozenset({"s1", "s2", "s3"}), ())
        assert rows_of(answer) == [disk(one, "d1") for one in ("s1", "s2", "s3")]
        side = source.side("arm_locks")
        assert rows_of(side) == [lock("s1"), lock("s3")]
        assert gaps_of(side) == [("DENIED", "s2", "403 AuthorizationFailed")]
        assert source.offers == {"arm_locks", "resources"}
    manifest = manifest_of(folder)
    assert manifest["tables"]["resources"]["types"] == [DISK]
    assert "types" not in manifest["tables"]["arm_locks"]
    assert manifest["answers"][asked.digest]["columns"] == columns
    Manifest.model_validate_json((folder / "manifest.json").read_bytes())


def test_every_gap_is_read_back_as_it_was_told(folder: Path, opened: Callable[[Path], SnapshotSource]) -> None:
    azure = MemoryAzure(
        visible={"s1": "Enabled", "s2": "Disabled"},
        permissions={"s1": [{"actions": ["Microsoft.Authorization/*"], "notActions": []}]},
    )
    collected = written(folder, azure)
    told = [(gap.reason.value, gap.subscription, gap.text) for gap in collected.pieces[0].gaps]
    assert told == [
        ("RIGHTS_PARTIAL", "s1", "Microsoft.Compute/disks/read"),
        ("SCOPE_MISSING", "s3", "NotVisible"),
    ]
    with opened(folder) as source:
        answer = source.answer(query(), NOW)
    assert gaps_of(answer) == sorted([*told, ("SCOPE_DISABLED", "s2", "the subscription is Disabled")])
    assert answer.answered == frozenset()


def test_files_are_named_after_their_content_and_private(folder: Path) -> None:
    written(folder)
    files = held(folder)
    manifest = manifest_of(folder)
    entries = [*manifest["tables"].values(), *manifest["answers"].values()]
    assert {entry["file"] for entry in entries} == files.keys() - {"manifest.json"}
    for entry in entries:
        data = files[entry["file"]]
        assert entry["sha256"] == hashlib.sha256(data).hexdigest()
        assert entry["file"].endswith(f".{entry['sha256'][:12]}.ndjson")
        assert data.splitlines() == sorted(data.splitlines())
    assert f"answers/{query().digest}." in "".join(files)
    if os.name == "posix":
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*") if path.is_file()} == {0o600}
        assert {stat.S_IMODE(path.stat().st_mode) for path in [folder, *folder.rglob("*")] if path.is_dir()} == {0o700}


def test_an_open_folder_is_closed(folder: Path) -> None:
    folder.mkdir(parents=True, mode=0o755)
    written(folder)
    assert os.name != "posix" or stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_of_somebody_else_is_written_to_all_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, mode: int) -> None:
        raise PermissionError(mode, "not yours", str(self))

    monkeypatch.setattr(Path, "chmod", refuse)
    written(folder)
    assert manifest_of(folder)["format"] == "arguard-snapshot/1"


def test_systems_that_cannot_open_folders_do_without(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "O_DIRECTORY", raising=False)
    written(folder)
    assert manifest_of(folder)["format"] == "arguard-snapshot/1"


def test_equal_answers_make_equal_folders(tmp_path: Path) -> None:
    written(tmp_path / "one")
    written(tmp_path / "two", MemoryAzure(page_size=1))
    assert held(tmp_path / "one") == held(tmp_path / "two")


def test_a_new_snapshot_takes_the_place_of_the_old(folder: Path) -> None:
    written(folder)
    before = held(folder)
    written(folder, fresh(), order(sides=()))
    after = held(folder)
    assert len(after) == 2
    assert before.keys() & after.keys() == {"manifest.json"}
    assert not (folder / ".partial").exists()


def test_a_snapshot_of_another_tool_is_replaced_and_only_it(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "sub").mkdir()
    outside = folder.parent / "outside.ndjson"
    names = ["resources.ndjson", "sub/locks.ndjson.gz", "notes.txt", "mine.ndjson", f"answers/{'a' * 64}.0123456789ab.ndjson"]
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("{}\n")
    outside.write_text("{}\n")
    (folder / "link").symlink_to(folder.parent)
    tables = {
        "a": {"file": "resources.ndjson"},
        "b": {"file": "sub/locks.ndjson.gz"},
        "c": {"file": "../outside.ndjson"},
        "d": {"file": "link/outside.ndjson"},
        "e": {"file": "gone.ndjson"},
        "f": {"file": 5},
        "g": None,
    }
    (folder / "manifest.json").write_text(json.dumps({"format": "arguard-snapshot/1", "tables": tables, "answers": []}))
    written(folder, what=order(sides=()))
    assert {name for name in held(folder) if not name.startswith("answers/")} == {"manifest.json", "mine.ndjson", "notes.txt"}
    assert outside.exists()
    assert len(list((folder / "answers").iterdir())) == 1


def test_a_folder_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d"):
        (tmp_path / name).write_text("precious")
    with pytest.raises(UsageError, match=r"holds files \(a, b, c, \.\.\.\) but no arguard snapshot") as caught:
        open_work(tmp_path, META, now=NOW, resume=True)
    assert "empty" in caught.value.hint
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize("manifest", ['{"format": "other/1"}', "[]", "{"])
def test_a_manifest_of_something_else_protects_its_folder(tmp_path: Path, manifest: str) -> None:
    (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(UsageError, match="no arguard snapshot"):
        open_work(tmp_path, META, now=NOW, resume=True)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "snap").write_text("")
    with pytest.raises(UsageError, match="is no folder"):
        open_work(tmp_path / "snap", META, now=NOW, resume=True)


@pytest.mark.parametrize("name", [".partial", "answers"])
def test_nothing_is_written_through_a_link(tmp_path: Path, name: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "snap").mkdir()
    (tmp_path / "snap" / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="is a symbolic link"):
        open_work(tmp_path / "snap", META, now=NOW, resume=True)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_two_collections_cannot_share_a_folder(folder: Path) -> None:
    with open_work(folder, META, now=NOW, resume=True), pytest.raises(UsageError, match=f"{folder}: another collection"):
        open_work(folder, META, now=NOW, resume=True)


def test_work_that_cannot_begin_lets_go_of_the_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(Work, "begin", broken)
        with pytest.raises(ZeroDivisionError):
            open_work(folder, META, now=NOW, resume=True)
    open_work(folder, META, now=NOW, resume=True).close()


def test_a_disk_that_refuses_leaves_the_old_snapshot_and_the_work(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(folder)
    before = held(folder)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OutputError, match=r"the snapshot cannot be written \(No space left on device\)") as caught:
            written(folder, fresh())
    assert "run the same command again" in caught.value.hint
    assert {name: data for name, data in held(folder).items() if not name.startswith(".partial/")} == before
    azure = MemoryAzure()
    assert gather(folder, azure)
    assert azure.asked == {"graph": 1, "permissions": 3}
    assert (folder / "manifest.json").read_bytes() != before["manifest.json"]


def test_a_manifest_that_could_not_be_read_again_is_not_written(folder: Path) -> None:
    written(folder)
    before = held(folder)
    with open_work(folder, META, now=NOW, resume=True) as work:
        collected = collect(order(), fresh(), work, now=NOW, stop=Event(), progress=Progress())
        broken = replace(collected, scope=replace(collected.scope, kind="guessed"))
        with pytest.raises(ValueError, match="proven"):
            write_snapshot(folder, broken, work)
    assert (folder / "manifest.json").read_bytes() == before["manifest.json"]
    assert all(held(folder)[name] == data for name, data in before.items())


def test_an_interrupted_collection_can_be_written_and_goes_on(folder: Path, opened: Callable[[Path], SnapshotSource]) -> None:
    with open_work(folder, META, now=NOW, resume=True) as work:
        collected = collect(order(), MemoryAzure(), work, now=NOW, stop=Event(), progress=Progress())
        write_snapshot(folder, replace(collected, stopped=KeyboardInterrupt()), work)
    with opened(folder) as source:
        assert source.answer(query(), NOW).rows == 3
    azure = MemoryAzure()
    assert gather(folder, azure)
    assert azure.asked == {"graph": 1, "permissions": 3}
    assert not (folder / ".partial").exists()


def test_a_snapshot_can_be_written_elsewhere_than_the_work_lies(tmp_path: Path) -> None:
    with open_work(tmp_path / "here", META, now=NOW, resume=True) as work:
        collected = collect(order(), MemoryAzure(), work, now=NOW, stop=Event(), progress=Progress())
        write_snapshot(tmp_path / "there", replace(collected, stopped=KeyboardInterrupt()), work)
    assert list(held(tmp_path / "here")) == [".partial/work.sqlite"]
    assert "manifest.json" in held(tmp_path / "there")


def test_an_empty_scope_makes_an_empty_snapshot(folder: Path, opened: Callable[[Path], SnapshotSource]) -> None:
    written(folder, MemoryAzure(visible={}), order(wanted=Wanted(everything=True)))
    with opened(folder) as source:
        assert source.scope.expected == ()
        assert source.answer(query(), NOW).answered == frozenset()


def test_nothing_asked_leaves_no_folder_of_answers(folder: Path) -> None:
    written(folder, what=Order(questions=replace(order().questions, queries=(), sides=()), wanted=order().wanted))
    assert [path.name for path in folder.iterdir()] == ["manifest.json"]


def test_the_pattern_of_our_files_is_the_one_they_are_written_with(folder: Path) -> None:
    written(folder, what=order(raw={"resources": None}))
    names = held(folder).keys() - {"manifest.json"}
    assert len(names) == 3
    assert all(writing._OURS.fullmatch(name) for name in names)


def test_an_old_collection_is_not_resumed(folder: Path) -> None:
    with open_work(folder, META, now=NOW, resume=True) as work:
        collect(order(), MemoryAzure(), work, now=NOW, stop=Event(), progress=Progress())
    with open_work(folder, META, now=LATER, resume=False) as work:
        assert not work.resumed
    with open_work(folder, META, now=NOW + timedelta(hours=7), resume=True) as work:
        assert not work.resumed
