"""Evidence documents from a folder: read strictly, marked as self-attested, narrowed to the scope."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scanner.errors import InputError, UsageError
from scanner.sources.evidence import MAX_BYTES, read_evidence
from scanner.sources.snapshot import SnapshotSource
from tests.sources.snapshot_folder import Folder

VM = "/subscriptions/s1/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/web01"
CHECK = {"status": "pass", "value": "3.10.12", "detail": "the agent's interpreter is /usr/bin/python3"}


def document(**changes: Any) -> dict[str, Any]:
    return {
        "id": VM,
        "collected_at": "2026-11-20T05:40:12Z",
        "tool": "arguard-probe/1 sh",
        "checks": {"lin_python": CHECK},
    } | changes


def problems(folder: Path) -> list[str]:
    with pytest.raises(InputError) as caught:
        read_evidence(folder)
    return [str(one).removeprefix(str(folder)).lstrip("/") for one in caught.value.problems]


def test_a_document_is_a_row_with_its_digest_that_says_what_it_is_worth(tmp_path: Path) -> None:
    data = json.dumps(document()).encode()
    (tmp_path / "a.json").write_bytes(data)
    found = read_evidence(tmp_path)
    digest = hashlib.sha256(data).hexdigest()
    assert found.rows == ({**document(), "origin": "self-attested", "digest": digest},)
    assert found.digest == hashlib.sha256(digest.encode()).hexdigest()


def test_every_document_of_the_folder_is_read_in_order_and_nothing_else(tmp_path: Path) -> None:
    for name in ("b.JSON", "a.yml"):
        (tmp_path / name).write_text(json.dumps(document(tool=name)))
    (tmp_path / "README.md").write_text("not evidence")
    (tmp_path / "old.json.bak").write_text("{")
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "c.json").write_text("{")
    assert [row["tool"] for row in read_evidence(tmp_path).rows] == ["a.yml", "b.JSON"]


def test_yaml_will_do(tmp_path: Path) -> None:
    text = f"id: {VM}\ncollected_at: 2026-11-20T05:40:12Z\nchecks:\n  net_dhcp: {{status: fail, value: eth0 static}}\n"
    (tmp_path / "a.yaml").write_text(text)
    (row,) = read_evidence(tmp_path).rows
    assert row["checks"] == {"net_dhcp": {"status": "fail", "value": "eth0 static", "detail": ""}}
    assert (row["tool"], row["origin"]) == ("", "self-attested")


@pytest.mark.parametrize("indent", [None, "\t", 1])
def test_json_of_any_shape_is_json(tmp_path: Path, indent: str | int | None) -> None:
    checks = {"win_vss_writers": {"status": "fail", "value": ["a: 8", "b"], "detail": 'Übel \U0001f600 \\ud83d " x'}}
    (tmp_path / "a.json").write_text(json.dumps(document(checks=checks), indent=indent))
    assert read_evidence(tmp_path).rows[0]["checks"] == checks


def test_json_may_hold_what_yaml_may_not(tmp_path: Path) -> None:
    checks = {"win_vss_writers": {"status": "fail", "value": 4.5, "detail": "two\nlines,\ta tab"}}
    (tmp_path / "a.json").write_text(json.dumps(document(checks=checks)))
    (row,) = read_evidence(tmp_path).rows
    assert row["checks"]["win_vss_writers"] == {"status": "fail", "value": "4.5", "detail": "two\nlines,\ta tab"}


def test_a_problem_has_its_place_whatever_the_json_looks_like(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(document(tool="\U0001f600", collected_at="soon"), indent="\t"))
    (found,) = problems(tmp_path)
    assert found.startswith("a.json:3:18: collected_at: must be an RFC 3339 time")


@pytest.mark.parametrize(
    "text",
    [
        '{"id": NaN}',
        '{"id": "\\ud83d"}',
        '{"id": 1',
        "",
        "[" * 100_000,
        '{"id": ' + "[" * 70 + "]" * 70 + "}",
        f'{{"id": {"9" * 5000}}}',
        "[]",
        "null",
    ],
    ids=["NaN", "half a character", "cut", "empty", "endless", "deep", "huge", "a list", "nothing"],
)
def test_what_is_no_document_is_refused_and_never_a_bug(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    assert problems(tmp_path)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text(json.dumps(document()))
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "a.json").symlink_to(tmp_path / "elsewhere")
    assert problems(folder) == ["a.json: is no plain file"]


def test_what_the_files_are_called_changes_nothing(tmp_path: Path) -> None:
    first, second = json.dumps(document()), json.dumps(document(id=VM.replace("web01", "web02")))
    digests = set()
    for name, texts in (("one", (first, second)), ("two", (second, first))):
        (tmp_path / name).mkdir()
        for file, text in zip("ab", texts, strict=True):
            (tmp_path / name / f"{file}.json").write_text(text)
        digests.add(read_evidence(tmp_path / name).digest)
    assert len(digests) == 1


def test_a_byte_order_mark_is_no_trouble(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(document()).encode())
    assert len(read_evidence(tmp_path).rows) == 1


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"id": "web01"}, "id: must be the resource id of a VM"),
        ({"id": 5}, "id: must be a text"),
        ({"collected_at": "yesterday"}, "collected_at: must be an RFC 3339 time with a zone"),
        ({"collected_at": "2026-11-20T05:40:12"}, "collected_at: must be an RFC 3339 time with a zone"),
        ({"checks": {"lin_pyton": CHECK}}, "checks.lin_pyton: must be one of"),
        ({"checks": {"lin_python": {**CHECK, "status": "passed"}}}, "checks.lin_python.status: "),
        ({"checks": {"lin_python": {"value": 1}}}, "checks.lin_python.status: this key is missing"),
        ({"checks": []}, "checks: must be a mapping"),
        ({"host": "x"}, "host: "),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    (tmp_path / "a.json").write_text(json.dumps(document(**changes), indent=1))
    (found,) = problems(tmp_path)
    assert problem in found
    assert found.startswith("a.json:")


def test_all_problems_of_all_files_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(document(id="x", collected_at="y")))
    (tmp_path / "b.json").write_text('{"id": ')
    (tmp_path / "c.json").write_text('{"id": "x", "id": "y"}')
    (tmp_path / "d.json").write_bytes(b"\xff")
    (tmp_path / "e.json").write_bytes(b" " * (MAX_BYTES + 1))
    (tmp_path / "f.json").mkdir()
    (tmp_path / "g.yaml").write_text("id: [")
    (tmp_path / "h.json").write_text("[" * 100_000)
    assert {one.partition(":")[0].partition(".")[0] for one in problems(tmp_path)} == set("abcdefgh")


def test_a_folder_without_documents_is_a_mistake(tmp_path: Path) -> None:
    assert problems(tmp_path) == [": holds no evidence: no file in it ends in .json, .yaml or .yml"]
    with pytest.raises(InputError, match="there is no such folder"):
        read_evidence(tmp_path / "missing")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is no folder"):
        read_evidence(tmp_path / "file")


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """A folder with one document."""
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "a.json").write_text(json.dumps(document()))
    return folder


def test_beside_a_snapshot_every_subscription_has_answered_and_others_are_left_out(
    folder: Folder, opened: Callable[..., SnapshotSource], docs: Path
) -> None:
    folder.table("resources", [])
    (docs / "b.json").write_text(json.dumps(document(id=VM.replace("/s1/", "/elsewhere/"))))
    secret = document(id=VM.replace("web01", "web02"), checks={"lin_python": {**CHECK, "value": "https://x/?sig=Hunter2"}})
    (docs / "c.json").write_text(json.dumps(secret))
    with opened(evidence=read_evidence(docs)) as source:
        assert source.offers == {"resources", "evidence"}
        assert len(source.evidence) == 64
        answer = source.side("evidence")
        rows = [row for page in answer.pages() for row in page]
    assert (answer.answered, answer.gaps, answer.rows) == (frozenset({"s1", "s2"}), (), 2)
    assert [row["id"].rpartition("/")[2] for row in rows] == ["web01", "web02"]
    assert "Hunter2" not in json.dumps(rows)


def test_a_snapshot_with_evidence_of_its_own_takes_no_other(
    folder: Folder, opened: Callable[..., SnapshotSource], docs: Path
) -> None:
    folder.table("evidence", [])
    with pytest.raises(UsageError, match="holds evidence of its own"):
        opened(evidence=read_evidence(docs))
