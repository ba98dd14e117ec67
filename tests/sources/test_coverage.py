from __future__ import annotations

from collections.abc import Callable

import pytest

from scanner.model import Reason, Scope, Subscription
from scanner.sources.coverage import file_gaps
from scanner.sources.snapshot import SnapshotSource
from tests.sources.snapshot_folder import (
    NOW,
    TABLES,
    FakeEngine,
    Folder,
    gaps_of,
    query,
    rows_of,
    vm,
)

MISSING = "the snapshot neither lists it as answered nor says why not"


def test_a_table_that_the_snapshot_lacks(opened: Callable[..., SnapshotSource]) -> None:
    source = opened()
    assert gaps_of(source.answer(query(), NOW)) == [("SCOPE_MISSING", "", "the snapshot holds no table resources")]
    assert gaps_of(source.side("arm_locks")) == [("SCOPE_MISSING", "", "the snapshot holds no table arm_locks")]
    assert source.side("arm_locks").answered == frozenset()


def test_a_raw_table_is_no_side_table(folder: Folder, opened: Callable[..., SnapshotSource]) -> None:
    folder.table("resources", [])
    assert gaps_of(opened().side("resources")) == [("SCOPE_MISSING", "", "the snapshot holds no table resources")]


@pytest.mark.parametrize(
    ("held", "asked", "texts"),
    [
        (["*"], None, []),
        (["*"], {"a/b"}, []),
        (["A/b", "c/d"], {"a/b"}, []),
        (["a/b"], {"a/b", "x/y", "c/d"}, ["the snapshot holds no c/d of resources", "the snapshot holds no x/y of resources"]),
        (["a/b"], None, ["the query reads every type of resources, the snapshot holds only some"]),
        ([], {"a/b"}, ["the snapshot holds no a/b of resources"]),
    ],
)
@pytest.mark.usefixtures("engine")
def test_types_that_were_not_collected(
    opened: Callable[..., SnapshotSource], folder: Folder, held: list[str], asked: set[str] | None, texts: list[str]
) -> None:
    folder.table("resources", [vm("s1", "a", properties={})], types=held)
    answer = opened().answer(query(tables={"resources": frozenset(asked) if asked else None}), NOW)
    assert gaps_of(answer) == [("NOT_COLLECTED", "", text) for text in texts]
    assert answer.answered == (frozenset() if texts else {"s1", "s2"})
    assert answer.rows == (0 if texts else 1)


def test_silence_is_a_gap(folder: Folder, opened: Callable[..., SnapshotSource]) -> None:
    folder.stored([], answered=["s1", "elsewhere"])
    answer = opened().answer(query(), NOW)
    assert answer.answered == {"s1"}
    assert gaps_of(answer) == [("SCOPE_MISSING", "s2", MISSING)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("403 AuthorizationFailed", "403 AuthorizationFailed"),
        ("500", "500"),
        ("Timeout", "Timeout"),
        ("", "recorded when the snapshot was made"),
        ("403 The client 'joe' has no right", "recorded when the snapshot was made"),
    ],
)
def test_recorded_gaps_are_carried_without_prose(
    folder: Folder, opened: Callable[..., SnapshotSource], text: str, told: str
) -> None:
    gaps = [{"subscription": "S2", "reason": "DENIED", "text": text}, {"subscription": "elsewhere", "reason": "DENIED"}]
    folder.stored([], gaps=gaps)
    folder.table("arm_locks", [], gaps=gaps, answered=["s1"])
    source = opened()
    for answer in (source.answer(query(), NOW), source.side("arm_locks")):
        assert answer.answered == {"s1"}
        assert gaps_of(answer) == [("DENIED", "s2", told)]


def test_a_gap_without_a_subscription_means_all(folder: Folder, opened: Callable[..., SnapshotSource]) -> None:
    folder.stored([], answered=["s1"], gaps=[{"reason": "TRUNCATED", "text": "200"}])
    answer = opened().answer(query(), NOW)
    assert (answer.answered, gaps_of(answer)) == (frozenset(), [("TRUNCATED", "", "200")])


@pytest.mark.parametrize("state", ["Disabled", "deleted", "Expired"])
def test_a_subscription_that_is_not_alive(folder: Folder, opened: Callable[..., SnapshotSource], state: str) -> None:
    folder.manifest["subscriptions"][1]["state"] = state
    folder.stored([], gaps=[{"subscription": "s2", "reason": "DENIED"}])
    answer = opened().answer(query(), NOW)
    assert (answer.answered, gaps_of(answer)) == (frozenset({"s1"}), [("SCOPE_DISABLED", "s2", f"the subscription is {state}")])


@pytest.mark.parametrize("state", ["Enabled", "WARNED", "PastDue"])
def test_a_subscription_that_is_alive(folder: Folder, opened: Callable[..., SnapshotSource], state: str) -> None:
    folder.manifest["subscriptions"][1]["state"] = state
    folder.stored([])
    assert opened().answer(query(), NOW).answered == {"s1", "s2"}


def test_every_table_of_a_query_must_have_answered(
    folder: Folder, opened: Callable[..., SnapshotSource], engine: type[FakeEngine]
) -> None:
    both = {**TABLES, "resourcecontainers": None}
    folder.table("resources", [vm("s1", "a", properties={})], answered=["s1"])
    folder.table(
        "resourcecontainers", [], answered=["s1", "s2"], gaps=[{"subscription": "s2", "reason": "DENIED", "text": "403"}]
    )
    answer = opened().answer(query(tables=both), NOW)
    assert (answer.answered, gaps_of(answer)) == (frozenset({"s1"}), [("DENIED", "s2", "403")])
    folder.table("resourcecontainers", [], answered=["s2"])
    answer = opened().answer(query(tables=both), NOW)
    assert gaps_of(answer) == [("SCOPE_MISSING", "s1", MISSING), ("SCOPE_MISSING", "s2", MISSING)]
    assert (answer.rows, rows_of(answer), engine.runs) == (0, [], 1)


def test_a_query_that_reads_no_table_proves_nothing(opened: Callable[..., SnapshotSource], engine: type[FakeEngine]) -> None:
    assert opened().answer(query(tables={}), NOW).answered == frozenset()
    assert engine.runs == 0


def test_rows_of_subscriptions_that_are_not_expected_are_ignored(
    folder: Folder, opened: Callable[..., SnapshotSource], engine: type[FakeEngine]
) -> None:
    folder.table("resources", [vm("s1", "a", properties={}), vm("S9", "z", properties={})], answered=["s1", "s2", "s9"])
    answer = opened().answer(query(), NOW)
    assert ([row["name"] for row in rows_of(answer)], answer.answered) == (["a"], frozenset({"s1", "s2"}))
    assert engine.runs == 1


@pytest.mark.parametrize("states", [("Enabled", "Disabled"), ("Disabled", "Enabled")])
def test_a_subscription_that_is_listed_twice_is_as_dead_as_one_entry_says(states: tuple[str, str]) -> None:
    listed = tuple(Subscription(id="s1", name="", state=state) for state in states)
    scope = Scope(kind="proven", expected=("s1",), subscriptions=listed)
    assert [gap.reason for gap in file_gaps(scope, "q", [])] == [Reason.SCOPE_DISABLED]
