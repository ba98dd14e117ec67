from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest

from scanner.model import Gap, Json, Reason
from scanner.sources.azure import graph, pages
from scanner.sources.azure.graph import Question, read
from scanner.sources.azure.wire import Failed, Outcome, Request
from scanner.sources.coverage import _CANONICAL
from tests.azure.simulated_graph import (
    Fault,
    SimulatedGraph,
    Sinks,
    drop_row,
    lines_of,
    member,
    refusal,
    repeat_row,
    rows_of,
    swap_row,
    without,
)

DISKS = Question(kql="resources | order by id asc", key=("id",))
SPANNING = Question(kql="q", key=("id",), splittable=False)
DENIED = refusal(403, "AccessDenied")
TOO_LARGE = refusal(400, "BadRequest", "ResponsePayloadTooLarge")


def ask(sim: SimulatedGraph, question: Question = DISKS) -> tuple[Outcome, Sinks]:
    sinks = Sinks()
    return read(question, sorted(sim.estate), sim, sinks.open), sinks


def gaps_of(outcome: Outcome) -> dict[str, tuple[Reason, str]]:
    assert all(not gap.table for gap in outcome.gaps)
    return {gap.subscription: (gap.reason, gap.text) for gap in outcome.gaps}


def test_all_pages_are_read_once_and_their_rows_are_told() -> None:
    estate = {"s1": rows_of("s1", 8), "s2": rows_of("s2", 9)}
    sim, sinks, told = SimulatedGraph(estate=estate, page_size=7), Sinks(), list[int]()
    outcome = read(DISKS, ["S1", "s2", "s1"], sim, sinks.open, told.append)
    assert outcome == Outcome(answered=frozenset({"s1", "s2"}), pages=3, rows=17)
    assert told == [7, 7, 3]
    assert sim.scopes == [["s1", "s2"]] * 3
    assert sinks.kept == lines_of([*estate["s1"], *estate["s2"]])


def test_no_row_is_an_answer_too() -> None:
    outcome, sinks = ask(SimulatedGraph(estate={"s1": []}))
    assert (outcome, sinks.kept) == (Outcome(answered=frozenset({"s1"}), pages=1), [])


def test_without_subscriptions_nothing_is_asked_because_azure_would_take_it_for_everything() -> None:
    sim = SimulatedGraph(estate={"s1": rows_of("s1", 1)})
    assert read(DISKS, [], sim, Sinks().open) == Outcome(answered=frozenset())
    assert not sim.asked


def test_an_empty_page_with_a_token_goes_on() -> None:
    class Hesitant(SimulatedGraph):
        def _page(self, rows: list[dict[str, Json]], options: dict[str, Json]) -> dict[str, Json]:
            page = super()._page(rows, options)
            return page if "$skipToken" in options else {**page, "data": [], "count": 0, "$skipToken": "0.again"}

    outcome, sinks = ask(Hesitant(estate={"s1": rows_of("s1", 3)}))
    assert (set(outcome.answered), len(sinks.kept), outcome.pages) == ({"s1"}, 3, 2)


@pytest.mark.parametrize(
    ("fault", "gap", "tries"),
    [
        (member("resultTruncated", "true"), (Reason.TRUNCATED, "ResultTruncated"), 1),
        (member("count", 3), (Reason.BAD_ANSWER, "CountMismatch"), 3),
        (without("data"), (Reason.BAD_ANSWER, "NoData"), 3),
    ],
)
def test_a_bad_page_leaves_nothing_behind(fault: Fault, gap: tuple[Reason, str], tries: int) -> None:
    sim = SimulatedGraph(estate={"s1": rows_of("s1", 7), "s2": rows_of("s2", 7)}, page_size=7, faults={2: fault})
    outcome, sinks = ask(sim)
    assert (gaps_of(outcome), sim.tries) == ({"s1": gap, "s2": gap}, tries)
    assert (outcome.answered, outcome.rows, sinks.kept, len(sim.asked)) == (frozenset(), 0, [], 2)


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (member("totalRecords", 15), "TotalChanged"),
        (repeat_row, "RowsRepeated"),
        (swap_row, "RowsRepeated"),
        (drop_row, "RowsLost"),
        (without("$skipToken"), "RowsLost"),
    ],
)
def test_pages_that_do_not_add_up_are_read_once_more(fault: Fault, text: str) -> None:
    estate = {"s1": rows_of("s1", 14)}
    once = SimulatedGraph(estate=estate, page_size=5, faults={2: fault})
    outcome, sinks = ask(once)
    assert (set(outcome.answered), outcome.rows, sinks.kept) == ({"s1"}, 14, lines_of(estate["s1"]))
    assert [sink.dropped for sink in sinks.opened] == [True, False]

    starts = [number for number, body in enumerate(once.asked, start=1) if "$skipToken" not in body["options"]]
    twice = SimulatedGraph(estate=estate, page_size=5, faults={2: fault, starts[1] + 1: fault})
    outcome, sinks = ask(twice)
    assert gaps_of(outcome) == {"s1": (Reason.UNSTABLE, text)}
    assert (outcome.rows, sinks.kept, len(sinks.opened)) == (0, [], 2)


def test_more_rows_than_the_total_are_not_believed() -> None:
    outcome, sinks = ask(SimulatedGraph(estate={"s1": rows_of("s1", 3)}, faults={-1: member("totalRecords", 2)}))
    assert (gaps_of(outcome), sinks.kept) == ({"s1": (Reason.UNSTABLE, "RowsBeyondTotal")}, [])


def test_a_key_that_is_too_coarse_is_no_answer() -> None:
    outcome, _ = ask(SimulatedGraph(estate={"s1": rows_of("s1", 2, kind="k")}), Question(kql="q", key=("kind",)))
    assert gaps_of(outcome) == {"s1": (Reason.UNSTABLE, "RowsRepeated")}


def test_a_token_that_comes_back_is_not_followed() -> None:
    sim = SimulatedGraph(estate={"s1": rows_of("s1", 9)}, page_size=2, faults={2: member("$skipToken", "2.x")})
    outcome, sinks = ask(sim)
    assert (gaps_of(outcome), sinks.kept) == ({"s1": (Reason.BAD_ANSWER, "TokenRepeated")}, [])
    assert len(sim.asked) == 2


@pytest.mark.parametrize("rows", [1, 1000, 1001])
def test_pages_that_start_again_for_ever_end_when_the_rows_exceed_the_total(rows: int) -> None:
    class Endless(SimulatedGraph):
        def _page(self, rows: list[dict[str, Json]], options: dict[str, Json]) -> dict[str, Json]:
            page = super()._page(rows, {**options, "$skipToken": "0"})
            return {**page, "$skipToken": f"0.{len(self.asked)}"}

    sim = Endless(estate={"s1": rows_of("s1", rows)})
    outcome, sinks = ask(sim)
    assert (gaps_of(outcome), sinks.kept) == ({"s1": (Reason.UNSTABLE, "RowsRepeated")}, [])
    assert len(sim.asked) == 2 * (rows // 1000 + (2 if rows == 1 else 1))


@pytest.mark.parametrize("rows", [0, 1, 1000, 1001])
def test_empty_pages_for_ever_end(rows: int) -> None:
    class Endless(SimulatedGraph):
        def _page(self, rows: list[dict[str, Json]], options: dict[str, Json]) -> dict[str, Json]:
            page = super()._page(rows, options)
            return page if "$skipToken" in page else {**page, "$skipToken": f"5000.{len(self.asked)}"}

    sim = Endless(estate={"s1": rows_of("s1", rows)})
    outcome, sinks = ask(sim)
    assert (gaps_of(outcome), sinks.kept) == ({"s1": (Reason.BAD_ANSWER, "EndlessPages")}, [])
    assert len(sim.asked) == (rows + 999) // 1000 + 3


def test_pages_may_be_shorter_than_asked_for() -> None:
    estate = {"s1": rows_of("s1", 100)}
    outcome, sinks = ask(SimulatedGraph(estate=estate, page_size=1))
    assert (outcome.gaps, outcome.pages, sinks.kept) == ((), 100, lines_of(estate["s1"]))


def test_a_call_that_fails_is_not_repeated_here() -> None:
    sim = SimulatedGraph(estate={"s1": rows_of("s1", 9)}, page_size=2, refusals={3: Failed(Reason.TIMEOUT, "DeadlineExceeded")})
    outcome, sinks = ask(sim)
    assert gaps_of(outcome) == {"s1": (Reason.TIMEOUT, "DeadlineExceeded")}
    assert (len(sim.asked), outcome.pages, sinks.kept) == (3, 2, [])


# Answers that are too large


def test_the_page_is_halved_until_it_fits() -> None:
    sim = SimulatedGraph(estate={"s1": rows_of("s1", 300)}, limit=len(orjson.dumps(rows_of("s1", 300)[-125:])))
    outcome, sinks = ask(sim)
    assert (set(outcome.answered), outcome.rows, len(sinks.kept)) == ({"s1"}, 300, 300)
    assert sim.sizes == [1000, 500, 250, 125, 125, 125]


def test_a_page_that_is_too_large_later_on_starts_the_answer_again() -> None:
    sim = SimulatedGraph(estate={"s1": rows_of("s1", 1500)}, refusals={2: TOO_LARGE})
    outcome, sinks = ask(sim)
    assert (set(outcome.answered), outcome.rows, outcome.pages, len(sinks.kept)) == ({"s1"}, 1500, 4, 1500)
    assert sim.sizes == [1000, 1000, 500, 500, 500]


def test_one_re_read_remains_after_the_page_was_halved() -> None:
    sim = SimulatedGraph(estate={"s1": rows_of("s1", 3)}, refusals={1: TOO_LARGE, 3: TOO_LARGE}, faults={2: drop_row})
    outcome, sinks = ask(sim)
    assert (set(outcome.answered), sim.sizes, len(sinks.kept)) == ({"s1"}, [1000, 500, 500, 250], 3)


def test_the_subscription_with_the_large_rows_is_found_and_read_row_by_row() -> None:
    estate = {f"s{number}": rows_of(f"s{number}", 2) for number in range(4)}
    estate["s2"] = rows_of("s2", 2, note="y" * 2000)
    sim = SimulatedGraph(estate=estate, limit=3000)
    outcome, sinks = ask(sim)
    assert (set(outcome.answered), outcome.gaps) == (set(estate), ())
    assert sinks.kept == lines_of([row for rows in estate.values() for row in rows])
    assert sim.sizes[:5] == [1000, 500, 250, 125, 1000]
    assert sim.sizes.count(1) == 2


def test_a_single_row_that_is_too_large_is_a_gap_of_its_subscription_alone() -> None:
    estate = {"s1": rows_of("s1", 2), "s2": rows_of("s2", 1, note="y" * 2000), "s3": rows_of("s3", 2)}
    sim = SimulatedGraph(estate=estate, limit=1000)
    outcome, sinks = ask(sim)
    assert gaps_of(outcome) == {"s2": (Reason.FAILED, "400 ResponsePayloadTooLarge")}
    assert (set(outcome.answered), set(sinks.by_subscription)) == ({"s1", "s3"}, {"s1", "s3"})
    assert 1 in sim.sizes


@pytest.mark.parametrize("question", [SPANNING, Question(kql="q", key=("id",), management_groups=("g",))])
def test_what_cannot_be_split_is_asked_down_to_one_row(question: Question) -> None:
    sim = SimulatedGraph(estate={"s1": [], "s2": []}, refusals={-1: TOO_LARGE})
    outcome, _ = ask(sim, question)
    assert sim.sizes == [1000, 500, 250, 125, 62, 31, 15, 7, 3, 1]
    gap = (Reason.FAILED, "400 ResponsePayloadTooLarge")
    assert (gaps_of(outcome), outcome.answered) == ({"s1": gap, "s2": gap}, frozenset())


def test_the_gap_names_the_code_that_matters() -> None:
    sim = SimulatedGraph(estate={"s1": []}, refusals={-1: refusal(400, "BadRequest", "ResponsePayloadTooLarge", "Other")})
    assert gaps_of(ask(sim)[0]) == {"s1": (Reason.FAILED, "400 ResponsePayloadTooLarge")}


# Refusals


def test_only_the_subscription_that_refuses_is_denied() -> None:
    estate = {f"s{number:03}": rows_of(f"s{number:03}", 2) for number in range(300)}
    sim = SimulatedGraph(estate=estate, denied=frozenset({"s123"}))
    outcome, sinks = ask(sim)
    assert gaps_of(outcome) == {"s123": (Reason.DENIED, "403 AccessDenied")}
    assert outcome.answered == set(estate) - {"s123"}
    assert sinks.by_subscription.keys() == outcome.answered
    assert len(sim.asked) <= 1 + 2 * 9


def test_a_half_that_refuses_does_not_hide_the_half_that_answers() -> None:
    estate = {f"s{number:03}": rows_of(f"s{number:03}", 1) for number in range(300)}
    denied = frozenset(sorted(estate)[:150])
    outcome, _ = ask(SimulatedGraph(estate=estate, denied=denied))
    assert (set(outcome.answered), set(gaps_of(outcome))) == (set(estate) - denied, set(denied))


def test_many_refusals_are_all_named_where_others_answer() -> None:
    estate = {f"s{number:03}": rows_of(f"s{number:03}", 1) for number in range(300)}
    denied = frozenset(sorted(estate)[100:140])
    outcome, sinks = ask(SimulatedGraph(estate=estate, denied=denied))
    assert (set(outcome.answered), set(gaps_of(outcome))) == (set(estate) - denied, set(denied))
    assert set(sinks.by_subscription) == outcome.answered


@pytest.mark.parametrize(
    ("trouble", "most"), [(DENIED, 40), (refusal(403, "AuthorizationFailed"), 40), (refusal(400, "AccessDenied"), 40)]
)
def test_three_hundred_refusals_cost_few_requests(trouble: Failed, most: int) -> None:
    names = [f"s{number:03}" for number in range(300)]
    sim = SimulatedGraph(estate={name: [] for name in names}, refusals={-1: trouble})
    outcome, _ = ask(sim)
    assert (outcome.answered, sorted(gaps_of(outcome))) == (frozenset(), names)
    assert set(gaps_of(outcome).values()) == {(trouble.reason, trouble.text)}
    assert len([scope for scope in sim.scopes if len(scope) == 1]) >= graph.PATIENCE
    assert len(sim.asked) <= most


@pytest.mark.parametrize(
    ("trouble", "question"),
    [
        (DENIED, SPANNING),
        (DENIED, Question(kql="q", key=("id",), management_groups=("g",))),
        (Failed(Reason.DENIED, "401 InvalidAuthenticationToken", status=401), DISKS),
        (Failed(Reason.FAILED, "500 InternalServerError", status=500), DISKS),
    ],
)
def test_other_refusals_are_those_of_everybody_at_once(trouble: Failed, question: Question) -> None:
    sim = SimulatedGraph(estate={"s1": [], "s2": []}, refusals={-1: trouble})
    outcome, sinks = ask(sim, question)
    assert gaps_of(outcome) == dict.fromkeys(("s1", "s2"), (trouble.reason, trouble.text))
    assert (len(sim.asked), sinks.kept, outcome.pages) == (1, [], 0)


def test_a_half_that_fails_for_another_reason_is_not_split() -> None:
    trouble = Failed(Reason.THROTTLED, "429 RateLimiting", status=429)
    sim = SimulatedGraph(estate={name: [] for name in "abcd"}, refusals={1: DENIED, 2: trouble})
    outcome, _ = ask(sim)
    assert (gaps_of(outcome), set(outcome.answered)) == (dict.fromkeys("ab", (trouble.reason, trouble.text)), set("cd"))


def test_gaps_are_sorted_whatever_came_first() -> None:
    trouble = Failed(Reason.THROTTLED, "429 RateLimiting", status=429)
    sim = SimulatedGraph(estate={"s1": [], "s2": []}, refusals={1: DENIED, 2: trouble, 3: DENIED})
    outcome, _ = ask(sim)
    assert [(gap.reason, gap.subscription) for gap in outcome.gaps] == [(Reason.DENIED, "s2"), (Reason.THROTTLED, "s1")]


def test_gaps_come_in_order_and_sinks_hold_only_what_answered() -> None:
    sim = SimulatedGraph(estate={name: rows_of(name, 1) for name in "dcba"}, denied=frozenset("cb"))
    outcome, sinks = ask(sim)
    assert outcome.gaps == tuple(Gap(reason=Reason.DENIED, subscription=name, text="403 AccessDenied") for name in "bc")
    assert [len(sink.rows) for sink in sinks.opened if not sink.dropped] == [1, 1]
    assert sorted(sinks.by_subscription) == ["a", "d"]


def test_trouble_of_a_sink_is_no_answer_of_azure() -> None:
    class Full:
        def add(self, rows: Sequence[tuple[str, bytes]]) -> int:
            raise OSError(f"no space left for {len(rows)} rows")

        def drop(self) -> None:
            """Nothing to forget."""

    with pytest.raises(OSError, match="no space left for 1 rows"):
        read(DISKS, ["s1"], SimulatedGraph(estate={"s1": rows_of("s1", 1)}), Full)


def test_every_text_is_one_that_a_snapshot_carries_on() -> None:
    texts = set()
    for module in (graph, pages):
        for node in ast.walk(ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"Failed", "Unusable"}:
                said = node.args[0 if node.func.id == "Unusable" else 1]
                texts |= {one.value for one in ast.walk(said) if isinstance(one, ast.Constant)}
    assert len(texts) >= 20
    assert [text for text in sorted(texts, key=str) if not _CANONICAL.fullmatch(str(text))] == []


def test_the_request_is_one_that_the_source_may_send() -> None:
    asked: list[Request] = []

    class Recorder(SimulatedGraph):
        def call(self, request: Request, read: Json) -> Json:
            asked.append(request)
            return super().call(request, read)

    ask(Recorder(estate={"s1": rows_of("s1", 3)}, page_size=1))
    assert {(one.route, one.method, one.url) for one in asked} == {("graph", "POST", pages.URL)}
