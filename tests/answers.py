"""A snapshot of stored answers, made from one of raw tables: what a live collection would have kept."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson

from scanner import packs
from scanner.model import Json, Row
from scanner.policy import SIDE_TABLES, Query
from scanner.sources.snapshot import open_snapshot


def store_answers(raw: Path, folder: Path) -> Path:
    """Write into `folder` what `raw` answers to every query of the bundled packs, and its side tables."""
    manifest: Json = json.loads((raw / "manifest.json").read_bytes())
    (folder / "answers").mkdir(parents=True)
    answers = {}
    with TemporaryDirectory() as spool, open_snapshot(raw, spool=Path(spool)) as source:
        for pack in packs.load(packs.bundled()):
            for query in pack.queries.values():
                answer = source.answer(query, source.collected_at)
                rows = [row for page in answer.pages() for row in page]
                answers[query.digest] = _write(folder, query, rows, sorted(answer.answered))
    tables = {name: table for name, table in manifest["tables"].items() if name in SIDE_TABLES}
    for table in tables.values():
        shutil.copy(raw / table["file"], folder / table["file"])
    (folder / "manifest.json").write_text(json.dumps({**manifest, "tables": tables, "answers": answers}))
    return folder


def _write(folder: Path, query: Query, rows: Sequence[Row], answered: Sequence[str]) -> Json:
    text = b"".join(orjson.dumps(row) + b"\n" for row in rows)
    file = f"answers/{query.digest}.ndjson"
    (folder / file).write_bytes(text)
    return {
        "file": file,
        "query": query.kql,
        "rows": len(rows),
        "sha256": hashlib.sha256(text).hexdigest(),
        "answered": list(answered),
        "gaps": [],
    }
