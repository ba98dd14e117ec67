"""Attacks on the live part: whatever was not seen must not count as seen, however it is hidden."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event

import orjson
import pytest

from scanner.model import Json, Reason
from scanner.sources.azure.collect import Collected, Progress, collect
from scanner.sources.azure.wire import Failed
from scanner.sources.azure.work import Work
from tests.azure.memory_azure import META, NOW, READER, MemoryAzure, disk, order

ROWS = {one: [disk(one, "d1")] for one in ("s1", "s2", "s3")}
VISIBLE = dict.fromkeys(("s1", "s2", "s3"), "Enabled")
NO_DISKS = {"actions": ["Microsoft.Authorization/*"], "notActions": []}
BROKEN = Failed(Reason.FAILED, "500 ServerError", status=500)


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Work]:
    with Work(tmp_path) as work:
        work.begin(META, now=NOW, resume=True)
        yield work


def ask(azure: MemoryAzure, work: Work) -> Collected:
    return collect(order(), azure, work, now=NOW, stop=Event(), progress=Progress())


def resumed(azure: MemoryAzure, work: Work, progress: Progress | None = None) -> tuple[Collected, list[str]]:
    """The same collection in a later run, and the subscriptions of the disks' rows it holds."""
    work.close()
    with Work(work.path.parent) as later:
        later.begin(META, now=NOW, resume=True)
        assert later.resumed
        collected = collect(order(), azure, later, now=NOW, stop=Event(), progress=progress or Progress())
        rows = map(orjson.loads, later.lines(collected.pieces[0].asked.question))
        return collected, [row["subscriptionId"] for row in rows]


@pytest.mark.parametrize(
    "first",
    [
        MemoryAzure(rows={**ROWS, "s2": []}, refused={("permissions", "s2"): BROKEN}),
        MemoryAzure(rows={**ROWS, "s2": []}, permissions={"s2": [NO_DISKS]}),
        MemoryAzure(rows={**ROWS, "s2": []}, visible={"s1": "Enabled", "s3": "Enabled"}),
        MemoryAzure(rows={**ROWS, "s2": []}, refused={("canary", "s2"): BROKEN}),
    ],
    ids=["rights not known", "rights not there", "not visible", "visibility not known"],
)
def test_what_was_read_before_rights_were_granted_is_read_again(work: Work, first: MemoryAzure) -> None:
    assert "s2" not in ask(first, work).pieces[0].answered
    collected, rows = resumed(MemoryAzure(), work)
    assert collected.pieces[0].answered == ("s1", "s2", "s3")
    assert rows == ["s1", "s2", "s3"]


class Interrupting(Progress):
    """Somebody presses Ctrl-C once a number of parts is finished."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def finished(self) -> None:
        super().finished()
        if self.now().done >= self.after:
            raise KeyboardInterrupt


@pytest.mark.parametrize(
    "trouble",
    [{"permissions": {"s2": [NO_DISKS]}}, {"refused": {("canary", "s2"): BROKEN}}],
    ids=["no rights", "nothing proven"],
)
@pytest.mark.parametrize("after", [1, 2, 3, 4])
def test_an_interruption_while_rights_are_proven_anew_hides_nothing(work: Work, after: int, trouble: dict[str, Json]) -> None:
    ask(MemoryAzure(rows={**ROWS, "s2": []}, **trouble), work)
    stopped, _ = resumed(MemoryAzure(), work, Interrupting(after))
    assert stopped.stopped is not None
    collected, rows = resumed(MemoryAzure(), work)
    assert collected.pieces[0].answered == ("s1", "s2", "s3")
    assert rows == ["s1", "s2", "s3"]


def test_rights_that_were_taken_away_prove_nothing_of_what_is_read_later(work: Work) -> None:
    ask(MemoryAzure(refused={("graph", "s2"): BROKEN}), work)
    collected, _ = resumed(MemoryAzure(rows={**ROWS, "s2": []}, permissions={"s2": [NO_DISKS]}), work)
    assert collected.pieces[0].answered == ("s1", "s3")
    assert ("s2", "RIGHTS_PARTIAL") in [(gap.subscription, gap.reason.value) for gap in collected.pieces[0].gaps]


def test_a_subscription_that_vanished_meanwhile_is_missed(work: Work) -> None:
    ask(MemoryAzure(refused={("graph", "s2"): BROKEN}), work)
    collected, _ = resumed(MemoryAzure(visible={"s1": "Enabled", "s3": "Enabled"}, rows={**ROWS, "s2": []}), work)
    assert collected.pieces[0].answered == ("s1", "s3")


def test_what_was_read_under_the_same_rights_is_not_read_again(work: Work) -> None:
    ask(MemoryAzure(refused={("locks", "s2"): BROKEN}), work)
    azure = MemoryAzure(permissions={"s1": [READER, READER]})
    collected, _ = resumed(azure, work)
    assert azure.asked == {"graph": 1, "permissions": 3, "locks": 1}
    assert collected.pieces[1].answered == ("s1", "s2", "s3")


def test_a_subscription_that_was_disabled_meanwhile_is_not_taken_for_empty(work: Work) -> None:
    ask(MemoryAzure(refused={("graph", "s2"): BROKEN}), work)
    collected, _ = resumed(MemoryAzure(rows={**ROWS, "s2": []}, visible={**VISIBLE, "s2": "Disabled"}), work)
    assert [one.state for one in collected.scope.subscriptions] == ["Enabled", "Disabled", "Enabled"]


def test_what_was_read_while_a_subscription_was_disabled_is_read_again(work: Work) -> None:
    ask(MemoryAzure(rows={**ROWS, "s2": []}, visible={**VISIBLE, "s2": "Disabled"}), work)
    _, rows = resumed(MemoryAzure(), work)
    assert rows == ["s1", "s2", "s3"]
