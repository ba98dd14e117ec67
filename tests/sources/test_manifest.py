from __future__ import annotations

import re
from pathlib import Path

import jsonschema_rs
import orjson

from scanner.model import Gap, Reason
from scanner.sources import manifest
from scanner.sources.snapshot import open_snapshot
from tests.sources.snapshot_folder import (
    Folder,
)

ROOT = Path(__file__).resolve().parents[2]


def test_the_schema_is_fresh_and_agrees_with_the_models(folder: Folder) -> None:
    shipped = (ROOT / "policies" / "snapshot.schema.json").read_bytes()
    assert shipped == manifest.schema()
    validator = jsonschema_rs.Draft202012Validator(orjson.loads(shipped))
    folder.table("resources", [])
    folder.stored([], columns={"ok": "bool"})
    assert validator.is_valid(folder.manifest)
    folder.manifest["extra"] = 1
    assert not validator.is_valid(folder.manifest)


def test_the_example_of_the_page_is_a_snapshot(folder: Folder, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "snapshot-format.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    for name, block in zip(["manifest.json", "resourcecontainers.ndjson", "arm_locks.ndjson"], blocks, strict=True):
        (folder.path / name).write_bytes(block.encode())
    spool = tmp_path / "spool"
    spool.mkdir()
    source = open_snapshot(folder.path, spool=spool)
    answer = source.side("arm_locks")
    assert (answer.rows, answer.gaps, answer.answered) == (1, (), frozenset(source.scope.expected))


def test_the_page_names_every_key_and_reason() -> None:
    page = (ROOT / "docs" / "snapshot-format.md").read_text(encoding="utf-8")
    models = (
        manifest.Manifest,
        manifest.ScopeModel,
        manifest.SubscriptionModel,
        manifest.GapModel,
        manifest.TableModel,
        manifest.AnswerModel,
    )
    for model in models:
        for name in model.model_fields:
            assert f"`{name}`" in page
    for reason in orjson.loads(manifest.schema())["$defs"]["GapModel"]["properties"]["reason"]["enum"]:
        assert reason in page
        assert Gap(reason=Reason(reason), text="").reason == reason
