"""Fault matrix, rows 21 to 32: answers with status 200 that are not what they should be, and answers that come in pages.

Twelve disks in two subscriptions; where pages matter, five of them to a page.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson
import pytest

from scanner.emulator.exchange import Seen, error
from scanner.emulator.script import Fault, Headers, Patch
from scanner.sources.azure import graph
from tests.live.matrix import DISKS, ITEMS, TWO, answer, disks, expect_blind, expect_green
from tests.live.world import Stage, emulating

pytestmark = pytest.mark.estate

PAGES_OF_FIVE = 3
FROM_2 = range(2, sys.maxsize)


@pytest.fixture(scope="module")
def stage(healthy: Path) -> Iterator[Stage]:
    with emulating(healthy) as emulator:
        yield Stage(emulator)


@pytest.fixture
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "TOP", 5)


def tops(requests: Sequence[Seen]) -> list[int]:
    return [orjson.loads(one.body)["options"]["$top"] for one in requests]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "NoData"),
        ("null", "NotAnObject"),
        ([], "NotAnObject"),
        ("", "NotJson"),
        ({"error": {"code": "BadRequest", "message": "no"}}, "ErrorInAnswer"),
        ({"error": None, "count": 0, "totalRecords": 0, "data": [], "resultTruncated": "false"}, "ErrorInAnswer"),
    ],
    ids=["object", "null", "list", "nothing", "error", "error and rows"],
)
def test_row_21_an_empty_answer_is_not_an_empty_estate(body: object, text: str, stage: Stage) -> None:
    run = stage.scan(*TWO, faults=disks(answer(body)))
    expect_blind(run, ("BAD_ANSWER", "", text))
    assert len(run.asked("graph", DISKS)) == 3
    assert len(run.asked("graph", ITEMS)) == 1


@pytest.mark.parametrize(
    ("patch", "text"),
    [
        (Patch(delete=["data"]), "NoData"),
        (Patch(merge={"data": None}), "NoData"),
        (Patch(table=True), "TableForm"),
        (Patch(merge={"data": "[]"}), "DataNotAList"),
        (Patch(merge={"data": [None] * 12}), "RowNotAnObject"),
        (Patch(merge={"data": [{"name": "no id"}] * 12}), "RowWithoutId"),
    ],
    ids=["missing", "null", "table", "text", "no objects", "no ids"],
)
def test_row_22_rows_must_be_a_list_of_objects(patch: Patch, text: str, stage: Stage) -> None:
    run = stage.scan(*TWO, faults=disks(patch))
    expect_blind(run, ("BAD_ANSWER", "", text))
    assert len(run.asked("graph", DISKS)) == 3


@pytest.mark.parametrize("patch", [Patch(drop_row=0), Patch(repeat_row=0), Patch(add={"count": 1}), Patch(delete=["count"])])
def test_row_23_the_count_must_be_that_of_the_rows(patch: Patch, stage: Stage) -> None:
    run = stage.scan(*TWO, faults=disks(patch))
    expect_blind(run, ("BAD_ANSWER", "", "CountMismatch"))
    assert len(run.asked("graph", DISKS)) == 3


def test_a_bad_answer_that_is_mended_when_asked_again_costs_nothing(stage: Stage) -> None:
    run = stage.scan(*TWO, faults=disks(answer({}), numbers=(1, 2)))
    expect_green(run)
    assert len(run.asked("graph", DISKS)) == 3


@pytest.mark.usefixtures("_small_pages")
@pytest.mark.parametrize(
    ("patch", "text", "pages"),
    [
        pytest.param(Patch(add={"totalRecords": 1}), "TotalChanged", 2, id="row 24, the total changes"),
        pytest.param(Patch(repeat_row=0, add={"count": 1}), "RowsRepeated", 3, id="row 25, a row twice"),
        pytest.param(Patch(drop_row=0, add={"count": -1}), "RowsLost", 3, id="row 26, a row lost"),
        pytest.param(Patch(drop_row=0, repeat_row=1), "RowsRepeated", 3, id="rows 25 and 26, one lost for one twice"),
    ],
)
def test_rows_24_to_26_pages_that_do_not_add_up_are_read_once_more(patch: Patch, text: str, pages: int, stage: Stage) -> None:
    """Once and again: proven by the second reading. In both readings: unknown."""
    once = stage.scan(*TWO, faults=disks(patch, numbers=(2,)))
    expect_green(once)
    assert len(once.asked("graph", DISKS)) == pages + PAGES_OF_FIVE
    again = stage.scan(*TWO, faults=disks(patch, numbers=(2, pages + 2)))
    expect_blind(again, ("UNSTABLE", "", text))
    assert len(again.asked("graph", DISKS)) == 2 * pages


@pytest.mark.usefixtures("_small_pages")
def test_row_25_a_page_that_comes_twice_is_noticed_and_read_once_more(stage: Stage) -> None:
    """The link behind the first page leads to it once more, under another token."""
    once = stage.scan(*TWO, faults=disks(Patch(repeat_token=True), numbers=(1,)))
    expect_green(once)
    assert len(once.asked("graph", DISKS)) == 3 + PAGES_OF_FIVE
    again = stage.scan(*TWO, faults=disks(Patch(repeat_token=True), numbers=(1, 4)))
    expect_blind(again, ("UNSTABLE", "", "RowsRepeated"))
    assert len(again.asked("graph", DISKS)) == 6


@pytest.mark.usefixtures("_small_pages")
@pytest.mark.parametrize(
    ("patch", "numbers", "text", "requests"),
    [
        pytest.param(Patch(repeat_token=True), FROM_2, "TokenRepeated", 2, id="the token of the second page again"),
        pytest.param(Patch(repeat_token=True), None, "TokenRepeated", 2, id="the token of the first page again"),
        pytest.param(Patch(empty=True), None, "EndlessPages", 3, id="empty pages, each with a new token"),
    ],
)
def test_row_27_a_reading_that_leads_nowhere_ends(
    patch: Patch, numbers: range | None, text: str, requests: int, stage: Stage
) -> None:
    run = stage.scan(*TWO, faults=disks(patch, numbers=numbers))
    expect_blind(run, ("BAD_ANSWER", "", text))
    assert len(run.asked("graph", DISKS)) == requests


@pytest.mark.parametrize("word", ["true", True, "True"])
def test_row_28_an_answer_that_was_cut_is_no_answer(word: object, stage: Stage) -> None:
    run = stage.scan(*TWO, faults=disks(Patch(merge={"resultTruncated": word})))
    expect_blind(run, ("TRUNCATED", "", "ResultTruncated"))
    assert len(run.asked("graph", DISKS)) == 1


@pytest.mark.usefixtures("_small_pages")
def test_row_29_an_empty_page_with_a_token_leads_on(stage: Stage) -> None:
    run = stage.scan(*TWO, faults=disks(Patch(empty=True), numbers=(2,)))
    expect_green(run)
    assert len(run.asked("graph", DISKS)) == PAGES_OF_FIVE + 1
    assert run.counts("ABK501") == {"pass": 12}


TOO_LARGE = error(
    400, "BadRequest", "Too much.", [{"code": "ResponsePayloadTooLarge", "message": "Response payload size is 17."}]
)


def test_row_30_an_answer_that_is_too_large_is_asked_for_in_smaller_pages(stage: Stage) -> None:
    faults = [Fault(route="graph", contains=f'"$top":{top}', action=TOO_LARGE) for top in (1000, 500, 250)]
    run = stage.scan(*TWO, faults=faults)
    expect_green(run)
    for query in (DISKS, ITEMS):
        assert tops(run.asked("graph", query)) == [1000, 500, 250, 125]


def test_row_30_a_row_that_never_fits_is_a_gap(stage: Stage) -> None:
    """Four sizes for both subscriptions together, then ten for each of them, down to a single row."""
    run = stage.scan(*TWO, faults=disks(TOO_LARGE))
    expect_blind(run, ("FAILED", "", "400 ResponsePayloadTooLarge"))
    assert tops(run.asked("graph", DISKS))[:4] == [1000, 500, 250, 125]
    assert len(run.asked("graph", DISKS)) == 4 + 2 * 10
    assert tops(run.asked("graph", DISKS))[-1] == 1


def test_row_32_an_answer_for_the_first_ten_thousand_subscriptions_only_is_no_answer(stage: Stage) -> None:
    run = stage.scan(*TWO, faults=disks(Headers(headers={"x-ms-tenant-subscription-limit-hit": "true"})))
    expect_blind(run, ("TENANT_LIMIT", "", "TenantSubscriptionLimit"))
    assert len(run.asked("graph", DISKS)) == 1
