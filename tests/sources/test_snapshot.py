from __future__ import annotations

import hashlib
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from scanner import kql
from scanner.errors import MissingExtraError
from scanner.kql.text import digest
from scanner.model import Reason
from scanner.sources import PAGE
from scanner.sources.snapshot import SnapshotSource
from tests.sources.snapshot_folder import (
    COLUMNS,
    KQL,
    NOW,
    TABLES,
    FakeEngine,
    Folder,
    JsonRow,
    gaps_of,
    lock,
    query,
    rows_of,
    vm,
)

MISSING = "the snapshot neither lists it as answered nor says why not"


def test_what_a_snapshot_is(folder: Folder, opened: Callable[..., SnapshotSource]) -> None:
    folder.table("resources", [])
    folder.table("evidence", [])
    with opened() as source:
        assert (source.kind, source.collected_at, source.offers) == ("snapshot", NOW, frozenset({"resources", "evidence"}))
        assert source.digest == hashlib.sha256((folder.path / "manifest.json").read_bytes()).hexdigest()
        assert (source.scope.kind, source.scope.expected, source.scope.management_groups) == ("proven", ("s1", "s2"), ("root",))
        assert [(one.id, one.name, one.state) for one in source.scope.subscriptions] == [
            ("s1", "one", "Enabled"),
            ("s2", "two", "Warned"),
        ]


def test_the_spool_is_private_and_holds_no_secret(
    folder: Folder, opened: Callable[..., SnapshotSource], tmp_path: Path
) -> None:
    folder.table("resources", [vm("s1", "a", properties={"osProfile": {"adminPassword": "Hunter2"}, "n": None})])
    folder.stored([{"id": "x", "props": {"clientSecret": "Hunter2"}}])
    folder.table("arm_locks", [lock("s1", "l", notes="see https://x/?sig=Hunter2")])
    opened()
    files = [path for path in tmp_path.glob("spool-*/*") if path.is_file()]
    assert len(files) == 3
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert b"Hunter2" not in path.read_bytes()
        assert b"null" not in path.read_bytes()


def test_a_stored_answer_is_replayed_without_an_engine(
    folder: Folder, opened: Callable[..., SnapshotSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kql, "available", lambda: False)
    folder.stored([{"id": "/subscriptions/s1/x", "ok": 1, "note": "", "extra": None}, {"id": "/subscriptions/s2/x", "ok": 2}])
    answer = opened().answer(query(name="other"), NOW)
    assert (answer.table, answer.digest, answer.rows, answer.gaps) == ("other", digest(KQL), 2, ())
    assert answer.answered == {"s1", "s2"}
    assert rows_of(answer) == [{"id": "/subscriptions/s1/x", "ok": True}, {"id": "/subscriptions/s2/x", "ok": 2}]
    assert rows_of(answer) == rows_of(answer)


def test_the_types_of_columns(folder: Folder, opened: Callable[..., SnapshotSource]) -> None:
    entry = folder.stored([{"id": "/subscriptions/s1/x", "ok": 1}])
    untracked = query(columns=None, tables=None)
    assert rows_of(opened().answer(untracked, NOW))[0]["ok"] == 1
    assert rows_of(opened().answer(untracked, NOW))[0]["ok"] is not True
    entry["columns"] = {"ok": "bool"}
    assert rows_of(opened().answer(untracked, NOW))[0]["ok"] is True
    assert rows_of(opened().answer(query(columns={"ok": "long"}), NOW))[0]["ok"] is not True


def test_pages(folder: Folder, opened: Callable[..., SnapshotSource]) -> None:
    folder.stored([{"id": f"/subscriptions/s1/{number}"} for number in range(2 * PAGE + 1)])
    answer = opened().answer(query(), NOW)
    assert [len(page) for page in answer.pages()] == [PAGE, PAGE, 1]
    assert answer.rows == 2 * PAGE + 1


def test_raw_tables_and_a_stored_answer_give_the_same_rows(
    folder: Folder, opened: Callable[..., SnapshotSource], engine: type[FakeEngine]
) -> None:
    folder.table("resources", [vm("s1", "a", properties={"ok": True}), vm("s2", "b", properties={"ok": None, "note": "n"})])
    with opened() as source:
        raw = source.answer(query(), NOW)
        assert rows_of(source.answer(query(name="again"), NOW)) == rows_of(raw)
        assert (engine.runs, engine.open) == (1, 1)
        assert source.answer(query(name="again"), NOW).table == "again"
        assert source.answer(query(digest="f" * 64), NOW).rows == 2
        assert (engine.runs, engine.open) == (2, 1)
    assert engine.open == 0
    folder.stored(
        [{"id": vm("s1", "a")["id"], "name": "a", "ok": 1, "note": ""}, {"id": vm("s2", "b")["id"], "name": "b", "note": "n"}]
    )
    stored = opened().answer(query(), NOW)
    assert rows_of(raw) == rows_of(stored)
    assert (raw.answered, raw.gaps, raw.rows) == (stored.answered, stored.gaps, stored.rows)


def test_results_are_redacted_again(folder: Folder, opened: Callable[..., SnapshotSource], engine: type[FakeEngine]) -> None:
    folder.table("resources", [vm("s1", "a", properties={"note": "plain"})])
    source = opened()
    spooled = source._files.tables["resources"].path
    spooled.write_bytes(spooled.read_bytes().replace(b"plain", b"AccountKey=abc"))
    assert rows_of(source.answer(query(), NOW))[0]["note"] == {"$redacted": "connection string"}
    assert engine.runs == 1


def test_trouble_with_a_query_is_a_gap_and_is_not_tried_again(
    folder: Folder, opened: Callable[..., SnapshotSource], engine: type[FakeEngine]
) -> None:
    folder.table("resources", [vm("s1", "a", properties={})])
    engine.trouble = kql.QueryTrouble(Reason.TIMEOUT, "no answer within 7 seconds")
    source = opened()
    for _ in range(2):
        answer = source.answer(query(), NOW)
        assert gaps_of(answer) == [("TIMEOUT", "", "no answer within 7 seconds")]
        assert (answer.answered, answer.rows, rows_of(answer)) == (frozenset(), 0, [])
    assert engine.runs == 1


@pytest.mark.parametrize("tracked", [True, False])
def test_a_missing_engine_is_said(
    folder: Folder, opened: Callable[..., SnapshotSource], monkeypatch: pytest.MonkeyPatch, *, tracked: bool
) -> None:
    monkeypatch.setattr(kql, "available", lambda: False)
    folder.table("resources", [])
    with pytest.raises(MissingExtraError, match="raw tables"):
        opened().answer(query() if tracked else query(columns=None, tables=None), NOW)


def test_an_untracked_query_is_inspected_or_unsupported(
    folder: Folder, opened: Callable[..., SnapshotSource], engine: type[FakeEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.table("resources", [vm("s1", "a", properties={})])
    untracked = query(columns=None, tables=None)
    monkeypatch.setattr(kql, "inspect", lambda *_: kql.Shape(columns=COLUMNS, tables=TABLES))
    assert opened().answer(untracked, NOW).rows == 1

    def refuse(*_: object) -> kql.Shape:
        raise kql.KqlProblems([])

    monkeypatch.setattr(kql, "inspect", refuse)
    assert gaps_of(opened().answer(untracked, NOW)) == [("UNSUPPORTED", "", "the query breaks the rules for populations")]
    assert engine.runs == 1


def test_a_narrowed_scope(folder: Folder, opened: Callable[..., SnapshotSource], engine: type[FakeEngine]) -> None:
    above: JsonRow = {
        "id": "/providers/Microsoft.Authorization/roleDefinitions/r",
        "name": "r",
        "type": "t",
        "subscriptionId": "",
    }
    folder.table(
        "resources",
        [vm("S1", "a", properties={}), vm("s2", "b", properties={}), {**above, "subscriptionId": "", "properties": {}}],
    )
    folder.table("arm_locks", [lock("S1", "one"), lock("s2", "two")])
    source = opened("S2")
    assert (source.scope.expected, [one.id for one in source.scope.subscriptions]) == (("s2",), ["s2"])
    answer = source.answer(query(), NOW)
    assert ([row["name"] for row in rows_of(answer)], answer.answered, answer.gaps) == (["b", "r"], frozenset({"s2"}), ())
    assert ([row["name"] for row in rows_of(source.side("arm_locks"))], source.side("arm_locks").rows) == (["two"], 1)
    folder.stored([{"id": "/subscriptions/S1/a"}, {"id": "/Subscriptions/S2/b"}, {"id": "nobody"}])
    assert [row["id"] for row in rows_of(opened("s2").answer(query(), NOW))] == ["/Subscriptions/S2/b", "nobody"]
    assert engine.runs == 1


def test_a_selected_subscription_that_the_snapshot_does_not_know(folder: Folder, opened: Callable[..., SnapshotSource]) -> None:
    folder.stored([])
    answer = opened("s1", "s9").answer(query(), NOW)
    assert (answer.answered, gaps_of(answer)) == (frozenset({"s1"}), [("SCOPE_MISSING", "s9", MISSING)])


def test_a_stored_answer_that_spans_the_scope_cannot_be_narrowed(folder: Folder, opened: Callable[..., SnapshotSource]) -> None:
    folder.stored([{"id": "/subscriptions/s1/x"}])
    spanning = query(spans="scope")
    assert gaps_of(opened("s1").answer(spanning, NOW)) == [
        ("UNSUPPORTED", "", "a stored answer that spans the scope cannot be narrowed to some subscriptions")
    ]
    for whole in (opened(), opened("S2", "S1")):
        assert (whole.answer(spanning, NOW).answered, whole.answer(spanning, NOW).gaps) == (frozenset({"s1", "s2"}), ())


@pytest.mark.parametrize("spans", ["subscription", "scope", None])
def test_an_answer_that_was_asked_in_batches_proves_nothing_across_them(
    folder: Folder, opened: Callable[..., SnapshotSource], spans: str | None
) -> None:
    folder.stored([], **({} if spans is None else {"spans": spans}))
    answer = opened().answer(query(spans="scope"), NOW)
    if spans == "subscription":
        assert (answer.answered, [gap.reason for gap in answer.gaps]) == (frozenset(), ["UNSUPPORTED"])
    else:
        assert answer.answered == {"s1", "s2"}


def test_a_query_that_spans_the_scope_counts_as_a_whole(folder: Folder, opened: Callable[..., SnapshotSource]) -> None:
    folder.stored([{"id": "/subscriptions/s1/x"}], answered=["s1"])
    answer = opened().answer(query(spans="scope"), NOW)
    assert answer.answered == frozenset()
    assert gaps_of(answer) == [
        ("SCOPE_MISSING", "", "the query spans all subscriptions and not all of them answered"),
        ("SCOPE_MISSING", "s2", MISSING),
    ]


HIDING: JsonRow = {"ok": True, "osProfile": {"adminPassword": "hunter2"}}


def test_a_query_that_selects_by_what_was_redacted_proves_nothing(
    folder: Folder, opened: Callable[..., SnapshotSource], engine: type[FakeEngine]
) -> None:
    folder.table("resources", [vm("s1", "a", properties=HIDING)])
    text = KQL.replace("| project", "| where tostring(properties.osProfile.adminPassword) == 'hunter2' | project")
    answer = opened().answer(query(kql=text, digest=digest(text)), NOW)
    told = "the query selects by properties.osProfile.adminPassword, which was redacted in this snapshot as a secret"
    assert (gaps_of(answer), answer.answered, engine.runs) == ([("UNSUPPORTED", "", told)], frozenset(), 0)
    assert gaps_of(opened().answer(query(), NOW)) == []


@pytest.mark.usefixtures("engine")
def test_what_was_redacted_in_another_type_or_is_only_shown_is_no_trouble(
    folder: Folder, opened: Callable[..., SnapshotSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.table("resources", [vm("s1", "a", type="microsoft.web/sites", properties=HIDING)])
    monkeypatch.setattr(
        "scanner.sources.snapshot.selecting", lambda _: frozenset({("properties", "osProfile", "adminPassword")})
    )
    assert gaps_of(opened().answer(query(), NOW)) == []
    assert [gap[0] for gap in gaps_of(opened().answer(query(tables={"resources": None}), NOW))] == ["UNSUPPORTED"]
