from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event, current_thread, main_thread

import orjson
import pytest

from scanner.kql.text import as_sent
from scanner.model import Gap, Reason
from scanner.sources.azure import sides
from scanner.sources.azure.collect import Collected, Order, Progress, collect
from scanner.sources.azure.scope import Wanted
from scanner.sources.azure.wire import Failed, Outcome
from scanner.sources.azure.work import Work
from tests.azure.memory_azure import DISK, DISKS, GROUPS, META, NOW, MemoryAzure, denied, disk, lock, order, query

MANY = tuple(f"s{number:04}" for number in range(650))
SPANNING = query(spans="scope")


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Work]:
    with Work(tmp_path) as work:
        work.begin(META, now=NOW, resume=True)
        yield work


def again(work: Work) -> Work:
    """The same work, opened by a later run."""
    work.close()
    later = Work(work.path.parent)
    later.begin(META, now=NOW, resume=True)
    assert later.resumed
    return later


def ask(azure: MemoryAzure, work: Work, what: Order | None = None, *, now: datetime = NOW) -> Collected:
    return collect(what or order(), azure, work, now=now, stop=Event(), progress=Progress())


def gaps(collected: Collected, piece: int = 0) -> list[tuple[str, str, str]]:
    return [(gap.subscription, gap.reason.value, gap.text) for gap in collected.pieces[piece].gaps]


def estate(*names: str) -> MemoryAzure:
    return MemoryAzure(rows={one: [disk(one, "d1")] for one in names}, visible=dict.fromkeys(names, "Enabled"))


def test_everything_that_answers_is_collected(work: Work) -> None:
    azure = MemoryAzure()
    collected = ask(azure, work)
    assert collected.scope.expected == ("s1", "s2", "s3")
    assert [one.name for one in collected.scope.subscriptions] == ["n-s1", "n-s2", "n-s3"]
    assert collected.stopped is None
    answer, locks = collected.pieces
    assert answer.answered == locks.answered == ("s1", "s2", "s3")
    assert answer.gaps == locks.gaps == ()
    assert [orjson.loads(line) for line in work.lines(answer.asked.question)] == [disk(one, "d1") for one in ("s1", "s2", "s3")]
    assert [orjson.loads(line) for line in work.lines(locks.asked.question)] == [lock(one) for one in ("s1", "s2", "s3")]
    assert azure.asked == {"subscriptions": 1, "graph": 2, "permissions": 3, "locks": 3}
    assert [body["query"] for body in azure.bodies if body["query"].startswith("resources ")] == [
        as_sent(DISKS, now=NOW, key=("id",))
    ]


def test_the_query_means_the_services_time_in_whole_seconds(work: Work, caplog: pytest.LogCaptureFixture) -> None:
    azure = MemoryAzure(server_time=NOW.replace(microsecond=7))
    collected = ask(azure, work, order(query(DISKS + " | where created > ago(1d)")), now=NOW + timedelta(seconds=120))
    assert collected.collected_at == NOW
    assert any("datetime(2026-11-20T06:00:00.000000Z) - 1d" in body["query"] for body in azure.bodies)
    assert caplog.records == []


@pytest.mark.parametrize(
    ("skew", "text"),
    [
        (timedelta(days=1), "this machine's clock is 24.0 hours ahead of Azure's"),
        (timedelta(minutes=-5), "this machine's clock is 5 minutes behind Azure's"),
    ],
)
def test_a_clock_that_is_off_is_told_and_not_used(
    work: Work, caplog: pytest.LogCaptureFixture, skew: timedelta, text: str
) -> None:
    assert ask(MemoryAzure(), work, now=NOW + skew).collected_at == NOW
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("arguard.azure", logging.WARNING)
    assert text in record.getMessage()


def test_without_a_clock_of_the_service_this_machines_is_used(work: Work) -> None:
    azure = MemoryAzure(server_time=None)
    assert ask(azure, work, now=NOW.replace(microsecond=999_999)).collected_at == NOW


def test_subscriptions_are_asked_in_batches(work: Work) -> None:
    azure = estate(*MANY)
    collected = ask(azure, work, order(wanted=Wanted(everything=True), sides=()))
    assert collected.scope.kind == "discovered"
    assert collected.pieces[0].answered == MANY
    assert sorted(len(body["subscriptions"]) for body in azure.bodies) == [50, 50, 300, 300, 300, 300]
    assert {name for body in azure.bodies for name in body["subscriptions"]} == set(MANY)
    assert azure.asked == {"subscriptions": 1, "graph": 6, "permissions": 650}


def test_a_query_that_spans_the_scope_is_one_batch(work: Work) -> None:
    azure = estate(*MANY[:300])
    collected = ask(azure, work, order(SPANNING, wanted=Wanted(everything=True), sides=()))
    assert collected.pieces[0].answered == MANY[:300]
    assert [len(body["subscriptions"]) for body in azure.bodies] == [300, 300]


def test_a_query_that_spans_a_large_scope_is_asked_of_its_management_groups(work: Work) -> None:
    azure = MemoryAzure(
        rows={one: [disk(one, "d1")] for one in MANY}, visible=dict.fromkeys(MANY, "Enabled"), groups={"root": list(MANY)}
    )
    collected = ask(azure, work, order(SPANNING, wanted=Wanted(management_groups=("root",)), sides=()))
    assert collected.pieces[0].answered == MANY
    assert [body["managementGroups"] for body in azure.bodies if "managementGroups" in body] == [["root"]]


@pytest.mark.parametrize(
    "wanted", [Wanted(everything=True), Wanted(management_groups=("root",), subscriptions=("extra",))], ids=["all", "mixed"]
)
def test_a_query_that_spans_what_no_request_can_name_is_not_asked(work: Work, wanted: Wanted) -> None:
    names = (*MANY, "extra")
    azure = MemoryAzure(visible=dict.fromkeys(names, "Enabled"), groups={"root": list(MANY)})
    collected = ask(azure, work, order(SPANNING, wanted=wanted, sides=()))
    assert gaps(collected) == [("", "UNSUPPORTED", "TooManySubscriptions")]
    assert collected.pieces[0].answered == ()


def test_a_subscription_that_nobody_shows_is_missing_everywhere(work: Work) -> None:
    azure = MemoryAzure(visible={"s1": "Enabled", "s3": "Enabled"})
    collected = ask(azure, work)
    for piece in (0, 1):
        assert gaps(collected, piece) == [("s2", "SCOPE_MISSING", "NotVisible")]
        assert collected.pieces[piece].answered == ("s1", "s3")


def test_names_and_states_come_from_the_canary_where_the_list_fails(work: Work) -> None:
    azure = MemoryAzure(refused={("subscriptions", ""): denied()}, visible={"s1": "Enabled", "s2": "Disabled", "s3": "Warned"})
    collected = ask(azure, work)
    assert [one.state for one in collected.scope.subscriptions] == ["Enabled", "Disabled", "Warned"]


def test_a_canary_that_fails_gives_its_own_reason(work: Work) -> None:
    azure = MemoryAzure(refused={("canary", "s2"): denied()})
    collected = ask(azure, work)
    assert gaps(collected, 1) == [("s2", "DENIED", "403 AuthorizationFailed")]


def test_rights_are_proven_for_each_question(work: Work) -> None:
    azure = MemoryAzure(
        permissions={
            "s1": [{"actions": ["Microsoft.Compute/disks/read"], "notActions": []}],
            "s2": [{"actions": ["*"], "notActions": ["Microsoft.Compute/disks/*"]}],
            "s3": [],
        }
    )
    collected = ask(azure, work)
    assert gaps(collected) == [(one, "RIGHTS_PARTIAL", "Microsoft.Compute/disks/read") for one in ("s2", "s3")]
    assert gaps(collected, 1) == [(one, "RIGHTS_PARTIAL", "Microsoft.Authorization/locks/read") for one in ("s1", "s3")]
    assert [piece.answered for piece in collected.pieces] == [("s1",), ("s2",)]


def test_permissions_that_cannot_be_read_prove_nothing(work: Work) -> None:
    azure = MemoryAzure(
        refused={("permissions", "s1"): denied(), ("permissions", "s2"): Failed(Reason.TIMEOUT, "DeadlineExceeded")}
    )
    collected = ask(azure, work)
    for piece in (0, 1):
        assert gaps(collected, piece) == [
            ("s1", "RIGHTS_PARTIAL", "Microsoft.Authorization/permissions/read"),
            ("s2", "TIMEOUT", "DeadlineExceeded"),
        ]


def test_trouble_with_one_question_is_its_own(work: Work) -> None:
    azure = MemoryAzure(refused={("graph", "s2"): denied("403 AccessDenied"), ("locks", "s3"): denied()})
    collected = ask(azure, work)
    assert gaps(collected) == [("s2", "DENIED", "403 AccessDenied")]
    assert gaps(collected, 1) == [("s3", "DENIED", "403 AuthorizationFailed")]
    assert [orjson.loads(line)["name"] for line in work.lines(collected.pieces[0].asked.question)] == ["d1", "d1"]


def test_what_all_subscriptions_share_is_told_once(work: Work) -> None:
    azure = MemoryAzure(refused={("locks", one): denied() for one in ("s1", "s2", "s3")})
    collected = ask(azure, work)
    assert gaps(collected, 1) == [("", "DENIED", "403 AuthorizationFailed")]
    assert collected.pieces[1].answered == ()


def test_a_scope_that_was_not_found_leaves_nobody_proven(work: Work) -> None:
    azure = MemoryAzure(groups={"root": ["s1"]}, refused={("descendants", ""): denied()})
    collected = ask(azure, work, order(wanted=Wanted(subscriptions=("s1",), management_groups=("root",))))
    assert gaps(collected) == [("", "DENIED", "403 AuthorizationFailed")]
    assert collected.pieces[0].answered == ()
    assert collected.scope.expected == ("s1",)


def test_an_empty_scope_asks_nothing(work: Work) -> None:
    azure = MemoryAzure(visible={})
    collected = ask(azure, work, order(query(), query(GROUPS, spans="scope"), wanted=Wanted(everything=True)))
    assert collected.scope.expected == ()
    assert [(piece.answered, piece.gaps) for piece in collected.pieces] == [((), ())] * 3
    assert azure.asked == {"subscriptions": 1}


def test_evidence_is_not_azures_to_give(work: Work) -> None:
    collected = ask(MemoryAzure(), work, order(sides=("arm_locks", "evidence")))
    assert [piece.asked.table for piece in collected.pieces] == ["", "arm_locks"]


def test_raw_tables_are_read_whole(work: Work) -> None:
    azure = MemoryAzure()
    raw = {"Resources": frozenset({DISK, "o'type"}), "alertsmanagementresources": None}
    collected = ask(azure, work, order(sides=(), raw=raw))
    pieces = {piece.asked.table: piece for piece in collected.pieces}
    assert pieces["resources"].asked.types == (DISK, "o'type")
    assert pieces["alertsmanagementresources"].asked.types == ("*",)
    assert {body["query"] for body in azure.bodies if "project" not in body["query"]} == {
        f"resources\n| where type in~ ('{DISK}', 'o\\'type')\n| order by id asc",
        "alertsmanagementresources\n| order by id asc",
    }
    assert {piece.answered for piece in collected.pieces} == {("s1", "s2", "s3")}


def test_a_raw_row_that_no_snapshot_can_hold_is_a_gap(work: Work) -> None:
    azure = MemoryAzure(rows={"s1": [{"id": "/subscriptions/s1", "subscriptionId": "s1"}]})
    collected = ask(azure, work, order(sides=(), raw={"resources": None}))
    assert gaps(collected, 1) == [("", "BAD_ANSWER", "RowWithoutType")]
    assert gaps(collected, 0) == []


def test_a_resumed_collection_asks_what_is_missing_and_proves_the_rest_anew(work: Work) -> None:
    first = MemoryAzure(refused={("locks", "s2"): denied(), ("permissions", "s3"): Failed(Reason.FAILED, "500 ServerError")})
    ask(first, work)
    second = MemoryAzure(server_time=NOW + timedelta(hours=1))
    with again(work) as later:
        progress = Progress()
        collected = collect(order(), second, later, now=NOW, stop=Event(), progress=progress)
        # What every answer rests on is proven anew, and what was not proven then is read again: the disks, and the locks of s3.
        assert second.asked == {"graph": 2, "locks": 2, "permissions": 3}
        assert collected.collected_at == NOW
        assert [piece.gaps for piece in collected.pieces] == [(), ()]
        assert [piece.answered for piece in collected.pieces] == [("s1", "s2", "s3")] * 2
        assert (progress.now().total, progress.now().done) == (8, 8)


def test_a_resumed_collection_looks_again_for_a_scope_it_had_not_found(work: Work) -> None:
    wanted = Wanted(management_groups=("root",), subscriptions=("s1",))
    ask(MemoryAzure(refused={("descendants", ""): denied()}), work, order(wanted=wanted))
    azure = MemoryAzure(groups={"root": ["s2", "s3"]}, server_time=NOW + timedelta(hours=1))
    with again(work) as later:
        collected = ask(azure, later, order(wanted=wanted))
    assert collected.scope.expected == ("s1", "s2", "s3")
    assert collected.collected_at == NOW
    assert [piece.answered for piece in collected.pieces] == [("s1", "s2", "s3")] * 2


def test_progress_is_numbers(work: Work) -> None:
    stages: list[str] = []
    progress = Progress(stages.append)
    azure = MemoryAzure(page_size=2)
    collect(order(), azure, work, now=NOW, stop=Event(), progress=progress)
    progress.request()
    numbers = progress.now()
    # Two pages of disks and of the canary, one of locks for each subscription.
    assert (numbers.total, numbers.done, numbers.pages, numbers.rows, numbers.requests) == (8, 8, 7, 9, 1)
    assert stages == ["scope: 3 subscriptions, proven", "asked: 8 of 8 parts, 7 pages, 9 rows"]


class Interrupting(Progress):
    """Progress in whose display somebody presses Ctrl-C, once a number of parts is finished."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def finished(self) -> None:
        super().finished()
        if self.now().done >= self.after:
            raise KeyboardInterrupt


def test_an_interruption_keeps_what_is_finished_and_waits_for_nobody(work: Work) -> None:
    stop, never = Event(), Event()
    azure = MemoryAzure()

    def stuck(_: str, subscription: str, *__: object) -> Outcome:
        assert current_thread().daemon
        never.wait()
        return Outcome(answered=frozenset({subscription}))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sides, "read_side", stuck)
        collected = collect(order(), azure, work, now=NOW, stop=stop, progress=Interrupting(after=5))
    assert stop.is_set()
    assert isinstance(collected.stopped, KeyboardInterrupt)
    assert collected.pieces[0].answered == ("s1", "s2", "s3")
    assert gaps(collected, 1) == [("", "FAILED", "Interrupted")]
    never.set()
    with again(work) as later:
        second = MemoryAzure()
        assert [piece.answered for piece in ask(second, later).pieces] == [("s1", "s2", "s3")] * 2
        assert second.asked == {"graph": 1, "permissions": 3, "locks": 3}


def test_an_interruption_before_the_scope_is_known_proves_nothing(work: Work) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    collected = ask(MemoryAzure(before=interrupt), work, now=NOW.replace(microsecond=5))
    assert isinstance(collected.stopped, KeyboardInterrupt)
    assert collected.collected_at == NOW
    assert collected.scope.expected == ("s1", "s2", "s3")
    for piece in collected.pieces:
        assert (piece.answered, piece.gaps) == ((), (Gap(reason=Reason.FAILED, text="Interrupted"),))


def test_an_interruption_of_a_resumed_collection_keeps_its_time(work: Work) -> None:
    wanted = Wanted(subscriptions=("s1",), everything=True)
    ask(MemoryAzure(refused={("subscriptions", ""): denied()}), work, order(wanted=wanted))

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with again(work) as later:
        azure = MemoryAzure(before=interrupt)
        collected = ask(azure, later, order(wanted=wanted), now=NOW + timedelta(hours=1))
    assert collected.collected_at == NOW
    assert collected.scope.kind == "discovered"
    assert gaps(collected) == [("", "FAILED", "Interrupted")]


class Watched(Event):
    """An event that tells when the main thread has looked at it."""

    def __init__(self) -> None:
        super().__init__()
        self.looked = Event()

    def is_set(self) -> bool:
        if current_thread() is main_thread():
            self.looked.set()
        return super().is_set()


def test_whoever_waits_for_a_slow_answer_looks_up_now_and_then(work: Work) -> None:
    stop = Watched()

    def before(number: int) -> None:
        if number > 1:
            stop.looked.wait()

    collected = collect(order(), MemoryAzure(before=before), work, now=NOW, stop=stop, progress=Progress())
    assert [piece.gaps for piece in collected.pieces] == [(), ()]


def test_a_stop_from_elsewhere_is_an_interruption_too(work: Work) -> None:
    stop, never = Event(), Event()

    def before(number: int) -> None:
        if number > 1:
            stop.set()
            never.wait()

    collected = collect(order(), MemoryAzure(before=before), work, now=NOW, stop=stop, progress=Progress())
    never.set()
    assert isinstance(collected.stopped, KeyboardInterrupt)
    assert [gaps(collected, piece) for piece in (0, 1)] == [[("", "FAILED", "Interrupted")]] * 2


def test_a_bug_is_not_swallowed(work: Work) -> None:
    stop = Event()

    def break_down(number: int) -> None:
        if number > 3:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        collect(order(), MemoryAzure(before=break_down), work, now=NOW, stop=stop, progress=Progress())
    assert stop.is_set()
