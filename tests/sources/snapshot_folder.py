"""Snapshots that tests describe and write, the source over them, and an engine that stands in for the real one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson
import pytest

from scanner import kql
from scanner.errors import InputError
from scanner.kql.text import digest
from scanner.model import ColumnType, Json, Row
from scanner.policy import Query
from scanner.sources import Answer
from scanner.sources.snapshot import open_snapshot

NOW = datetime(2026, 11, 20, 6, tzinfo=UTC)
VM = "microsoft.compute/virtualmachines"
KQL = (
    "resources | where type =~ 'microsoft.compute/virtualmachines' | project id, name, ok = properties.ok == true, note = name"
)
JsonRow = dict[str, Json]


def vm(subscription: str, name: str, **more: Json) -> JsonRow:
    identity = f"/subscriptions/{subscription}/resourceGroups/RG/providers/Microsoft.Compute/virtualMachines/{name}"
    return {"id": identity, "name": name, "type": VM, "subscriptionId": subscription, **more}


def lock(subscription: str, name: str, **more: Json) -> JsonRow:
    identity = f"/subscriptions/{subscription}/providers/Microsoft.Authorization/locks/{name}"
    return {"id": identity, "name": name, "properties": {"level": "ReadOnly"}, **more}


class Folder:
    """A snapshot that a test describes and then writes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(exist_ok=True)
        self.manifest: dict[str, Any] = {
            "format": "arguard-snapshot/1",
            "tool": "test",
            "collected_at": "2026-11-20T07:00:00+01:00",
            "scope": {"kind": "proven", "subscriptions": ["S1", "s2"], "management_groups": ["root"]},
            "subscriptions": [{"id": "s1", "name": "one", "state": "Enabled"}, {"id": "S2", "name": "two", "state": "Warned"}],
            "tables": {},
            "answers": {},
        }

    def file(self, name: str, rows: Sequence[JsonRow] | bytes, **more: Json) -> dict[str, Any]:
        data = rows if isinstance(rows, bytes) else b"".join(orjson.dumps(row) + b"\n" for row in rows)
        path = self.path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        entry = {"file": name, "rows": data.count(b"\n"), "sha256": hashlib.sha256(data).hexdigest()}
        return {**entry, "answered": ["s1", "S2"], "gaps": [], **more}

    def table(self, name: str, rows: Sequence[JsonRow] | bytes, **more: Json) -> dict[str, Any]:
        side = {} if name in ("arm_locks", "arm_vm_status", "arm_restore_points", "evidence") else {"types": ["*"]}
        entry = self.file(f"{name}.ndjson", rows, **{**side, **more})
        self.manifest["tables"][name] = entry
        return entry

    def stored(self, rows: Sequence[JsonRow] | bytes, text: str = KQL, **more: Json) -> dict[str, Any]:
        entry = self.file(f"answers/{digest(text)}.ndjson", rows, query=text, **more)
        self.manifest["answers"][digest(text)] = entry
        return entry

    def write(self) -> Path:
        (self.path / "manifest.json").write_text(json.dumps(self.manifest, indent=1))
        return self.path


class FakeEngine:
    """Stands in for the engine: yields the virtual machines of `resources`, or the trouble it was told of."""

    trouble: kql.QueryTrouble | None = None
    runs = 0
    open = 0

    def __init__(self, tables: Mapping[str, Path], spool: Path) -> None:
        self.tables = tables
        self.spool = spool

    def __enter__(self) -> Self:
        type(self).open += 1
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        type(self).open -= 1

    def run(self, text: str, *, out: Path, **asked: Any) -> int:
        assert text == KQL
        assert asked == {
            "now": NOW,
            "key": ("id",),
            "shape": kql.Shape(columns=COLUMNS, tables=asked["shape"].tables),
            "timeout": 7.0,
        }
        type(self).runs += 1
        if self.trouble:
            raise self.trouble
        rows = [orjson.loads(line) for line in self.tables["resources"].read_bytes().splitlines()]
        rows = [
            {"id": row["id"], "name": row["name"], "ok": row["properties"].get("ok"), "note": row["properties"].get("note", "")}
            for row in rows
        ]
        out.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
        return len(rows)


COLUMNS: Mapping[str, ColumnType] = {"id": "string", "name": "string", "ok": "bool", "note": "string"}
TABLES: Mapping[str, frozenset[str] | None] = {"resources": frozenset({VM})}


def query(**more: Any) -> Query:
    fixed: dict[str, Any] = {
        "name": "q",
        "kql": KQL,
        "file": "q.kql",
        "line": 1,
        "column": 1,
        "digest": digest(KQL),
        "key": ("id",),
    }
    return Query(**{**fixed, "columns": COLUMNS, "tables": TABLES, **more})


def rows_of(answer: Answer) -> list[Row]:
    return [row for page in answer.pages() for row in page]


def gaps_of(answer: Answer) -> list[tuple[str, str, str]]:
    assert {gap.table for gap in answer.gaps} <= {answer.table}
    return [(gap.reason.value, gap.subscription, gap.text) for gap in answer.gaps]


def problems(folder: Folder, tmp_path: Path) -> list[str]:
    spool = tmp_path / "refused"
    spool.mkdir()
    with pytest.raises(InputError) as caught:
        open_snapshot(folder.path, spool=spool)
    assert caught.value.exit_code == 2
    return [str(problem).removeprefix(f"{folder.path}/") for problem in caught.value.problems]
