from __future__ import annotations

import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.errors import OutputError, UsageError
from scanner.model import Gap, Reason, Scope, Subscription
from scanner.sources.azure.wire import Outcome
from scanner.sources.azure.work import RESUMABLE, Ground, Late, Work
from tests.azure.memory_azure import META, NOW

FINE = Outcome(answered=frozenset({"s2", "s1"}), pages=2, rows=3)
TROUBLED = Outcome(answered=frozenset({"s1"}), gaps=(Gap(reason=Reason.DENIED, subscription="s2", text="403 AccessDenied"),))
SCOPE = Scope(
    kind="proven",
    expected=("s1", "s2"),
    management_groups=("root",),
    subscriptions=(Subscription(id="s1", name="näme", state="Enabled"),),
)
GROUND = Ground(collected_at=NOW, scope=SCOPE, whole=True)


def row(identity: str, **more: object) -> tuple[str, bytes]:
    return f'["{identity}"]', orjson.dumps({"id": identity, **more}) + b"\n"


@pytest.fixture
def begun(tmp_path: Path) -> Iterator[Callable[..., Work]]:
    opened: list[Work] = []

    def begin(*, now: datetime = NOW, resume: bool = True, **meta: str) -> Work:
        for one in opened:
            one.close()
        work = Work(tmp_path)
        opened.append(work)
        work.begin({**META, **meta}, now=now, resume=resume)
        return work

    yield begin
    for one in opened:
        one.close()


def filled(work: Work) -> Work:
    """One finished part, one that ended in a gap, one that is not finished."""
    work.keep(GROUND)
    for number in range(3):
        work.open_sink("q", number).add([row(f"id{number}")])
    work.finish("q", 0, FINE)
    work.finish("q", 1, TROUBLED)
    return work


def test_rows_count_once_their_part_is_finished(begun: Callable[..., Work]) -> None:
    work = begun()
    sink = work.open_sink("q", 0)
    assert sink.add([row("b"), row("a")]) == 2
    assert work.finished("q", 0) is None
    assert list(work.lines("q")) == []
    work.finish("q", 0, FINE)
    assert work.finished("q", 0) == FINE
    assert list(work.lines("q")) == [b'{"id":"a"}\n', b'{"id":"b"}\n']
    assert list(work.lines("other")) == []


def test_only_new_keys_of_a_sink_are_counted_and_kept(begun: Callable[..., Work]) -> None:
    work = begun()
    sink, other = work.open_sink("q", 0), work.open_sink("q", 0)
    assert sink.add([row("a"), row("a", again=1), row("b")]) == 2
    assert sink.add([row("b"), row("c")]) == 1
    assert other.add([row("c")]) == 1
    sink.drop()
    assert sink.add([row("b", second=True)]) == 1
    work.finish("q", 0, FINE)
    assert list(work.lines("q")) == [b'{"id":"b","second":true}\n', b'{"id":"c"}\n']


def test_gaps_survive_the_file(begun: Callable[..., Work]) -> None:
    work = begun()
    work.finish("q", 7, TROUBLED)
    assert work.finished("q", 7) == TROUBLED


@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from(["a", "B", "ä", "", "a\x00"]), st.integers(0, 2), st.integers(0, 1)), max_size=6),
        max_size=4,
    )
)
def test_lines_are_all_rows_sorted_and_what_two_batches_return_comes_once(batches: list[list[tuple[str, int, int]]]) -> None:
    kept: set[tuple[str, str, bytes]] = set()
    with TemporaryDirectory() as folder, Work(Path(folder)) as work:
        work.begin(META, now=NOW, resume=True)
        for number, batch in enumerate(batches):
            firsts: dict[str, tuple[str, str, bytes]] = {}
            for identity, second, value in batch:
                key = orjson.dumps([identity, second]).decode()
                line = orjson.dumps({"id": identity, "second": second, "value": value}) + b"\n"
                firsts.setdefault(key, (identity, key, line))
            added = work.open_sink("q", number).add([(one[1], one[2]) for one in firsts.values()])
            assert added == len(firsts)
            work.finish("q", number, FINE)
            kept |= set(firsts.values())
        expected = sorted(kept, key=lambda one: (one[0].encode(), one[1].encode(), one[2]))
        assert list(work.lines("q")) == [line for _, _, line in expected]


def test_a_row_without_a_text_id_comes_first(begun: Callable[..., Work]) -> None:
    work = begun()
    work.open_sink("q", 0).add([row("a"), ("x", b'{"id":5}\n')])
    work.finish("q", 0, FINE)
    assert list(work.lines("q")) == [b'{"id":5}\n', b'{"id":"a"}\n']


def test_a_resumed_collection_keeps_what_was_finished_without_a_gap(begun: Callable[..., Work]) -> None:
    filled(begun())
    work = begun(now=NOW + RESUMABLE - timedelta(seconds=1))
    assert work.resumed
    assert work.ground() == GROUND
    assert [work.finished("q", number) for number in range(3)] == [FINE, None, None]
    for number in (1, 2):
        work.finish("q", number, FINE)
    assert list(work.lines("q")) == [b'{"id":"id0"}\n']


@pytest.mark.parametrize(
    "changes",
    [{"now": NOW + RESUMABLE}, {"now": NOW - RESUMABLE}, {"resume": False}, {"scope": "other"}],
    ids=["too old", "from the future", "not wanted", "another collection"],
)
def test_anything_else_starts_anew(begun: Callable[..., Work], changes: dict[str, object]) -> None:
    filled(begun())
    work = begun(**changes)
    assert not work.resumed
    assert work.ground() is None
    assert work.finished("q", 0) is None
    work.finish("q", 0, FINE)
    assert list(work.lines("q")) == []


def test_a_part_that_is_forgotten_is_read_again(begun: Callable[..., Work]) -> None:
    work = filled(begun())
    before = [work.finished("q", number) for number in (1, 2)]
    work.forget("q", 0)
    assert [work.finished("q", number) for number in range(3)] == [None, *before]
    work.finish("q", 0, FINE)
    assert b'{"id":"id0"}\n' not in list(work.lines("q"))


def test_notes_outlive_the_process_but_not_the_collection(begun: Callable[..., Work]) -> None:
    work = filled(begun())
    assert work.noted("a") is None
    work.note("a", {})
    work.note("b", [1])
    work.note("b", None)
    work = begun()
    assert (work.noted("a"), work.noted("b")) == ({}, None)
    assert begun(resume=False).noted("a") is None


def test_a_collection_that_never_found_its_scope_is_not_resumed(begun: Callable[..., Work]) -> None:
    begun()
    assert not begun().resumed


def test_a_file_of_another_version_starts_anew(begun: Callable[..., Work]) -> None:
    work = filled(begun())
    work._database.execute("PRAGMA user_version = 99")
    assert not begun().resumed


def test_parts_belong_to_the_subscriptions_they_were_read_for(begun: Callable[..., Work]) -> None:
    work = filled(begun())
    work.keep(GROUND)
    assert work.finished("q", 0) == FINE
    work.keep(Ground(collected_at=NOW, scope=Scope(kind="proven", expected=("s1",)), whole=False))
    assert work.finished("q", 0) is None
    ground = work.ground()
    assert ground is not None
    assert ground.scope.expected == ("s1",)


def test_who_comes_late_changes_nothing(begun: Callable[..., Work]) -> None:
    work = filled(begun())
    sink = work.open_sink("q", 0)
    for end in (work.seal, work.close, work.discard):
        end()
        for late in (
            lambda: sink.add([row("z")]),
            sink.drop,
            lambda: work.finish("q", 0, FINE),
            lambda: work.open_sink("q", 1),
        ):
            with pytest.raises(Late):
                late()


def test_a_sealed_work_can_be_read(begun: Callable[..., Work]) -> None:
    work = filled(begun())
    work.seal()
    assert list(work.lines("q")) == [b'{"id":"id0"}\n', b'{"id":"id1"}\n']


def test_the_file_is_private_and_discarded_whole(begun: Callable[..., Work], tmp_path: Path) -> None:
    work = filled(begun())
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}
    work.discard()
    assert list(tmp_path.iterdir()) == []


def test_two_collections_cannot_share_a_file(begun: Callable[..., Work], tmp_path: Path) -> None:
    begun()
    with pytest.raises(UsageError, match="another collection is writing to it"):
        Work(tmp_path)


def test_a_broken_file_starts_anew(begun: Callable[..., Work], tmp_path: Path) -> None:
    (tmp_path / "work.sqlite").write_bytes(b"this is no database, and it is longer than a header would be" * 50)
    work = begun()
    assert not work.resumed
    assert filled(work).finished("q", 0) == FINE


def test_a_full_disk_is_told_and_keeps_what_was_committed(begun: Callable[..., Work]) -> None:
    work = filled(begun())
    sink = work.open_sink("q", 5)
    (pages,) = work._database.execute("PRAGMA page_count").fetchone()
    work._database.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(OutputError, match=r"work\.sqlite: cannot be used \(database or disk is full\)") as caught:
        sink.add([row(f"id{number}", filling="x" * 1000) for number in range(100)])
    assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
    assert work.finished("q", 0) == FINE
    work._database.execute("PRAGMA max_page_count=1000000")
    assert sink.add([row("id0")]) == 1


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be used"):
        Work(tmp_path / "nowhere")


def test_many_threads_write_at_once(begun: Callable[..., Work]) -> None:
    work = begun()

    def read(number: int) -> None:
        sink = work.open_sink("q", number)
        for page in range(10):
            sink.add([row(f"{number}-{page}-{one}") for one in range(10)])
        work.finish("q", number, FINE)

    threads = [threading.Thread(target=read, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(1 for _ in work.lines("q")) == 800
