"""A snapshot's folder to describe, the source over it, and an engine that stands in for the real one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from scanner import kql
from scanner.sources.evidence import Evidence
from scanner.sources.snapshot import SnapshotSource, open_snapshot
from tests.sources.snapshot_folder import FakeEngine, Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "snap")


@pytest.fixture
def opened(tmp_path: Path, folder: Folder) -> Callable[..., SnapshotSource]:
    def opener(*subscriptions: str, evidence: Evidence | None = None) -> SnapshotSource:
        spool = tmp_path / f"spool-{len(list(tmp_path.iterdir()))}"
        spool.mkdir(mode=0o700)
        return open_snapshot(folder.write(), subscriptions=subscriptions, query_timeout=7.0, spool=spool, evidence=evidence)

    return opener


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> type[FakeEngine]:
    class Fresh(FakeEngine):
        pass

    monkeypatch.setattr(kql, "Engine", Fresh)
    monkeypatch.setattr(kql, "available", lambda: True)
    return Fresh
