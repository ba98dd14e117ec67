from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson
import pytest

from scanner.kql.text import digest
from scanner.model import Json
from scanner.sources import manifest, manifest_file
from tests.sources.snapshot_folder import (
    KQL,
    Folder,
    problems,
)

PATH_TEXT = "must be a relative path inside the folder, of letters, digits, '.', '_' and '-', ending in .ndjson or .ndjson.gz"
SCOPE = ("scope",)
TABLE = ("tables", "resources")
CHANGES: list[tuple[tuple[str | int, ...], Json, str]] = [
    (("formt",), 1, "formt: unknown key (did you mean 'format'?)"),
    (("zzz",), 1, "zzz: unknown key"),
    ((*SCOPE, "kinds"), 1, "scope.kinds: unknown key (did you mean 'kind'?)"),
    ((*TABLE, "anwsered"), [], "tables.resources.anwsered: unknown key (did you mean 'answered'?)"),
    (
        (*TABLE, "gaps"),
        [{"reson": "DENIED", "reason": "DENIED"}],
        "tables.resources.gaps.0.reson: unknown key (did you mean 'reason'?)",
    ),
    ((*TABLE, "gaps"), [{"reason": "denied"}], "(did you mean 'DENIED'?)"),
    ((*TABLE, "gaps"), [{"reason": "EVAL_ERROR"}], "tables.resources.gaps.0.reason: must be 'SCOPE_MISSING', "),
    ((*TABLE, "gaps"), [{"reason": "DENIED", "text": "a\nb"}], "tables.resources.gaps.0.text: holds control characters"),
    (
        (*TABLE, "gaps"),
        [{"reason": "DENIED", "text": "a" * 257}],
        "tables.resources.gaps.0.text: string should have at most 256 characters",
    ),
    ((*SCOPE, "kind"), "Proven", "scope.kind: must be 'proven' or 'discovered' (did you mean 'proven'?)"),
    ((*SCOPE, "kind"), "x", "scope.kind: must be 'proven' or 'discovered'"),
    ((*SCOPE, "subscriptions"), ["a/b"], "scope.subscriptions.0: must be subscription ids, without slashes and blanks"),
    ((*SCOPE, "subscriptions"), "s1", "scope.subscriptions: must be a list"),
    ((*SCOPE, "subscriptions"), [1], "scope.subscriptions.0: must be a text"),
    (SCOPE, None, "scope: must be an object"),
    (("tables",), [], "tables: must be an object"),
    (("tool",), 3, "tool: must be a text"),
    (
        ("collected_at",),
        "2026-11-20T06:00:00",
        "collected_at: must be an RFC 3339 time with a zone, such as 2026-11-20T06:00:00Z",
    ),
    (("collected_at",), "2026-11-20", "collected_at: must be an RFC 3339 time with a zone"),
    (("collected_at",), "2026-13-20T06:00:00Z", "collected_at: is no date and time: month must be in 1..12"),
    (("collected_at",), 1790000000, "collected_at: must be a text"),
    (("subscriptions",), [{"id": "s1", "state": "x y"}], "subscriptions.0.state: must be one word, such as Enabled"),
    (("subscriptions",), [{"id": "s1"}], "subscriptions.0.state: is missing"),
    ((*TABLE, "file"), "/etc/passwd.ndjson", f"tables.resources.file: {PATH_TEXT}"),
    ((*TABLE, "file"), "../x.ndjson", f"tables.resources.file: {PATH_TEXT}"),
    ((*TABLE, "file"), "a/../../x.ndjson", f"tables.resources.file: {PATH_TEXT}"),
    ((*TABLE, "file"), "C:\\x.ndjson", f"tables.resources.file: {PATH_TEXT}"),
    ((*TABLE, "file"), "a\u0000.ndjson", f"tables.resources.file: {PATH_TEXT}"),
    ((*TABLE, "file"), "resources.json", f"tables.resources.file: {PATH_TEXT}"),
    ((*TABLE, "file"), "resources.ndjson\n", f"tables.resources.file: {PATH_TEXT}"),
    ((*TABLE, "sha256"), "A" * 64, "tables.resources.sha256: must be 64 lower-case hex digits"),
    ((*TABLE, "rows"), -1, "tables.resources.rows: must not be negative"),
    ((*TABLE, "rows"), "1", "tables.resources.rows: must be a whole number"),
    ((*TABLE, "rows"), 1.5, "tables.resources.rows: must be a whole number"),
    ((*TABLE, "rows"), True, "tables.resources.rows: must be a whole number"),
    ((*TABLE, "types"), None, "tables.resources: 'types' is missing: list the resource types"),
    ((*TABLE, "types"), [""], "tables.resources.types.0: string should have at least 1 character"),
    (("tables", "Resources"), {}, "tables.Resources: the name of a table is one lower-case word"),
    (("answers", "abc"), {}, "answers.abc: the name of an answer is the digest of its query: 64 lower-case hex digits"),
]


@pytest.mark.parametrize(("path", "value", "text"), CHANGES)
def test_a_wrong_manifest(folder: Folder, tmp_path: Path, path: tuple[str | int, ...], value: Json, text: str) -> None:
    folder.table("resources", [])
    place: Any = folder.manifest
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    folder.write()
    lines = (folder.path / "manifest.json").read_text().splitlines()
    found = [problem for problem in problems(folder, tmp_path) if text in problem]
    assert len(found) == 1
    line, column = map(int, found[0].split(":")[1:3])
    here = lines[line - 1][column - 1 :]
    name = found[0].split(": ")[1].rpartition(".")[2]
    assert (
        here.startswith(f'"{name}"')
        or f'"{name}": {here}' in lines[line - 1]
        or name.isdigit()
        or (text.endswith("is missing") and here == "{")
    )


def test_positions_are_exact(folder: Folder, tmp_path: Path) -> None:
    (folder.path / "manifest.json").write_text(
        '{"format": "arguard-snapshot/1",\n "tol": 1, "scope": {"kind": "x",\n\t"subscriptions": ["s1", "a b"]}}'
    )
    assert problems(folder, tmp_path) == [
        "manifest.json:1:1: collected_at: is missing",
        "manifest.json:1:1: tool: is missing",
        "manifest.json:2:2: tol: unknown key (did you mean 'tool'?)",
        "manifest.json:2:30: scope.kind: must be 'proven' or 'discovered'",
        "manifest.json:3:26: scope.subscriptions.1: must be subscription ids, without slashes and blanks",
    ]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (
            b'{"format": "arguard-snapshot/2", "new": 1}',
            "manifest.json:1:12: format: is arguard-snapshot/2, this arguard reads",
        ),
        (b'{"format": "other/1"}', "manifest.json:1:12: format: is not an arguard snapshot"),
        (b'{"format": 1}', "manifest.json:1:12: format: is not an arguard snapshot"),
        (b"{}", "manifest.json:1:1: is not an arguard snapshot"),
        (b"[]", "manifest.json:1:1: is not an arguard snapshot"),
        (b'"x"', "manifest.json:1:1: is not an arguard snapshot"),
        (b'{\n "a": nan}', "manifest.json:2:7: not JSON: "),
        (b"", "manifest.json:1:1: not JSON: "),
        (b"\xef\xbb\xbf{}", "manifest.json:1:1: not JSON: UTF-8 byte order mark"),
        (b'{\n"a": "\xff"}', "manifest.json:2:7: not UTF-8: invalid start byte"),
        (b"[" * 100_000, "manifest.json:1:1026: not JSON: depth limit exceeded"),
        (
            b'{"format": "arguard-snapshot/1",\n"format": "arguard-snapshot/1"}',
            "manifest.json:2:1: format: stands here a second time",
        ),
    ],
)
def test_what_is_no_manifest(folder: Folder, tmp_path: Path, data: bytes, text: str) -> None:
    (folder.path / "manifest.json").write_bytes(data)
    found = problems(folder, tmp_path)
    assert len(found) == 1
    assert found[0].startswith(text)


def test_a_missing_manifest_or_folder(folder: Folder, tmp_path: Path) -> None:
    assert problems(folder, tmp_path) == ["manifest.json: is missing: a snapshot is a folder that holds it"]
    (tmp_path / "refused").rmdir()
    folder.path.rmdir()
    assert problems(folder, tmp_path) == ["manifest.json: is missing: there is no such folder"]


def test_a_manifest_that_is_too_large(folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest_file, "MAX_BYTES", 10)
    folder.write()
    assert problems(folder, tmp_path) == ["manifest.json: is larger than 10 bytes"]


def test_a_manifest_that_cannot_be_read(folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.write()

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert problems(folder, tmp_path) == ["manifest.json: cannot be read: Permission denied"]


def test_names_of_tables_and_answers(folder: Folder, tmp_path: Path) -> None:
    folder.table("arm_lock", [])
    folder.table("arm_zzzzzzzz", [])
    folder.table("arm_locks", [])["types"] = ["*"]
    folder.manifest["answers"]["0" * 64] = folder.stored([])
    folder.write()
    found = problems(folder, tmp_path)
    assert [problem.split(": ", 1)[1] for problem in found] == [
        "tables.arm_lock: unknown side table (did you mean 'arm_locks'?)",
        "tables.arm_zzzzzzzz: unknown side table",
        "tables.arm_locks.types: side tables have no resource types: leave this key out",
        f"answers.{'0' * 64}.query: its digest is {digest(KQL)}, not the one that it is stored under",
    ]


@pytest.mark.parametrize(
    ("path", "value", "text"), [change for change in CHANGES if change[1] not in (None, "2026-13-20T06:00:00Z")]
)
def test_the_schema_refuses_what_the_models_refuse(folder: Folder, path: tuple[str | int, ...], value: Json, text: str) -> None:
    folder.table("resources", [])
    validator = jsonschema_rs.Draft202012Validator(orjson.loads(manifest.schema()))
    place: Any = folder.manifest
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    assert not validator.is_valid(folder.manifest), text


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_that_utc_cannot_hold_is_refused(folder: Folder, tmp_path: Path, moment: str) -> None:
    folder.manifest["collected_at"] = moment
    folder.write()
    (problem,) = problems(folder, tmp_path)
    assert "collected_at: is no date and time: " in problem
