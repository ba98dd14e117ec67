"""The engine of the slow tests asks again wherever the real one might say something else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scanner import kql
from scanner.model import Reason
from tests.remembering import Remembering

NOW = datetime(2026, 11, 20, 6, tzinfo=UTC)
QUERY = "resources | where type == 'a/b' | extend at = now() | project id, name, at = tostring(at)"
VM = '{"id": "/subscriptions/s1/x", "name": "%s", "type": "a/b"}\n'


class Asked:
    """An engine over files that can be changed."""

    def __init__(self, folder: Path, engine: Remembering) -> None:
        self.folder, self.engine = folder, engine
        self.tables = {name: folder / name for name in ("resources", "resourcecontainers")}
        for file in self.tables.values():
            file.write_text("")

    def __call__(self, text: str = QUERY, now: datetime = NOW) -> bytes:
        self.engine.load(self.tables)
        out = self.folder / "out"
        out.unlink(missing_ok=True)
        count = self.engine.run(text, now=now, key=("id",), shape=kql.inspect(text, ("id",)), timeout=60, out=out)
        assert out.stat().st_mode & 0o777 == 0o600
        assert count == len(out.read_bytes().splitlines())
        return out.read_bytes()


def test_only_equal_questions_are_answered_from_memory(tmp_path: Path) -> None:
    with Remembering({}, tmp_path) as engine:
        ask = Asked(tmp_path, engine)
        ask.tables["resources"].write_text(VM % "one")
        first = ask()
        assert b"one" in first
        assert (ask(), engine.runs) == (first, 1)
        ask.tables["resourcecontainers"].write_text(VM % "no matter")
        assert (ask(), engine.runs) == (first, 1)
        ask.tables["resources"].write_text(VM % "two" + VM % "three")
        assert ask().count(b"\n") == 2
        assert b"2026-11-21" in ask(now=NOW + timedelta(days=1))
        assert b"at" not in ask("resources | project id, name")
        assert engine.runs == 4
        del ask.tables["resourcecontainers"]
        ask()
        assert engine.runs == 5
        engine.forget()
        ask()
        assert engine.runs == 6


def test_what_cannot_be_answered_is_asked_again(tmp_path: Path) -> None:
    with Remembering({}, tmp_path) as engine:
        ask = Asked(tmp_path, engine)
        del ask.tables["resources"]
        for _ in range(2):
            with pytest.raises(kql.QueryTrouble) as trouble:
                ask()
            assert trouble.value.reason is Reason.NOT_COLLECTED
        assert engine.answers == {}
