from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest

from scanner.kql import worker
from scanner.kql.translate import probes, translate
from scanner.kql.worker import Session, answer, serve

NOW = datetime(2026, 11, 20, 6, tzinfo=UTC)


def load(**tables: Path) -> dict[str, Any]:
    return {"do": "load", "database": ":memory:", "tables": {name: str(path) for name, path in tables.items()}}


def query(text: str, out: Path, **columns: str) -> dict[str, Any]:
    found = translate(text, frozenset({"resources", "other", "advisorresources"}), NOW)
    return {"do": "run", "sql": found.sql, "parameters": dict(found.parameters), "columns": columns, "out": str(out)}


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    started = Session()
    rows = [{"id": "/a", "name": "a", "properties": {"n": 1}, "kind": "x"}, {"id": "/b", "tags": {"k": [1]}}]
    table = tmp_path / "resources.ndjson"
    table.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    assert answer(started, load(resources=table)) == {"rows": 1}
    yield started
    started.close()


def test_requests_are_answered_in_order(tmp_path: Path) -> None:
    replies: list[str] = []
    requests = [
        {"do": "test", "probes": probes()},
        load(),
        query("print x = 1", tmp_path / "o", x="long"),
        query("resources", tmp_path / "o", id="string"),
    ]
    serve(iter(map(json.dumps, requests)), replies.append)
    assert [json.loads(reply).get("rows") for reply in replies] == [len(probes()), 0, 1, None]
    assert json.loads(replies[-1])["reason"] == "NOT_COLLECTED"


def test_an_unfit_engine_says_which_query_differs() -> None:
    found = answer(Session(), {"do": "test", "probes": [["SELECT name FROM resources", [["c"]]]]})
    assert found["reason"] == "FAILED"
    assert "not fit: SELECT name FROM resources gave [['b']], not [['c']]" in found["text"]


def test_a_session_without_tables_has_no_answer(tmp_path: Path) -> None:
    assert answer(Session(), query("print x = 1", tmp_path / "o", x="long")) == {
        "reason": "FAILED",
        "text": "no tables are loaded",
    }


def test_rows_are_written_typed_and_without_nulls(session: Session, tmp_path: Path) -> None:
    out = tmp_path / "out"
    text = "Resources | project id, kind, n = tolong(properties.n), tags | order by id asc"
    assert answer(session, query(text, out, id="string", kind="string", n="long", tags="dynamic")) == {"rows": 2}
    assert out.read_text("utf-8").splitlines() == ['{"id":"/a","kind":"x","n":1}', '{"id":"/b","kind":"","tags":{"k":[1]}}']


TROUBLES = [
    ("resources | project id", {"name": "string"}, "UNSUPPORTED", "yields the columns id"),
    ("resources | project id", {"id": "long"}, "UNSUPPORTED", "as VARCHAR, not as a long"),
    ("other | project id", {"id": "string"}, "NOT_COLLECTED", "reads other"),
    ("print x = 0.0 / 0", {"x": "real"}, "UNSUPPORTED", "not a number"),
    ("resources | project id = iff(name == 'z', tags, name)", {"id": "dynamic"}, "UNSUPPORTED", "ConversionException"),
]


@pytest.mark.parametrize("trouble", TROUBLES, ids=[row[0][:40] for row in TROUBLES])
def test_every_trouble_becomes_an_answer(
    session: Session, tmp_path: Path, trouble: tuple[str, dict[str, str], str, str]
) -> None:
    text, columns, reason, words = trouble
    found = answer(session, query(text, tmp_path / "out", **columns))
    assert found["reason"] == reason
    assert words in found["text"]


def test_running_out_of_memory_is_a_trouble_of_the_query(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def burst(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(worker, "write_rows", burst)
    found = answer(session, query("resources | project id", tmp_path / "o", id="string"))
    assert found == {"reason": "FAILED", "text": "the offline engine ran out of memory"}


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM '/etc/hostname'",
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM glob('/etc/*')",
        "COPY (SELECT 1) TO 'x.csv'",
        "ATTACH 'x.duckdb'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET lock_configuration = false",
        "SET threads = 2",
        "SELECT getenv('HOME')",
        "SELECT * FROM session",
        "CREATE SECRET (TYPE http)",
    ],
)
def test_the_connection_is_locked_down(session: Session, statement: str) -> None:
    connection = session._connection
    assert connection is not None
    with pytest.raises(duckdb.Error):
        connection.execute(statement).fetchall()


def test_loading_again_replaces_every_table(session: Session, tmp_path: Path) -> None:
    empty = tmp_path / "empty.ndjson"
    empty.touch()
    assert answer(session, load(advisorresources=empty)) == {"rows": 1}
    out = tmp_path / "o"
    assert answer(session, query("AdvisorResources | project id", out, id="string")) == {"rows": 0}
    assert out.read_bytes() == b""
    assert answer(session, query("resources | project id", out, id="string"))["reason"] == "NOT_COLLECTED"


def test_the_child_caps_its_memory_where_the_system_can(monkeypatch: pytest.MonkeyPatch) -> None:
    caps: list[tuple[str, tuple[int, int]]] = []
    fake = SimpleNamespace(RLIMIT_AS="memory", RLIMIT_CORE="core", setrlimit=lambda what, pair: caps.append((what, pair)))
    monkeypatch.setitem(sys.modules, "resource", fake)
    worker.limit(5)
    assert caps == [("memory", (5, 5)), ("core", (0, 0))]
    monkeypatch.setitem(sys.modules, "resource", None)
    worker.limit(5)
    assert len(caps) == 2


def test_the_channel_is_apart_from_what_libraries_print(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    channel = tmp_path / "channel"
    moved: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "dup", lambda _: os.open(channel, os.O_WRONLY | os.O_CREAT, 0o600))
    monkeypatch.setattr(os, "dup2", lambda source, target: moved.append((source, target)))
    monkeypatch.setattr(worker, "limit", lambda _: None)
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(load()) + "\n"))
    worker.main(0)
    assert moved == [(2, 1)]
    assert channel.read_text("utf-8") == '{"rows": 0}\n'


def test_split_with_and_without_its_third_argument(session: Session, tmp_path: Path) -> None:
    out = tmp_path / "o"
    text = "print a = split('x/y', '/'), b = split('x/y', '/', 1)"
    assert answer(session, query(text, out, a="dynamic", b="dynamic")) == {"rows": 1}
    assert json.loads(out.read_text("utf-8")) == {"a": ["x", "y"], "b": ["y"]}
