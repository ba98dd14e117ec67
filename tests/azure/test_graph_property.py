"""For every estate and every trouble: a subscription is answered with exactly its rows, or it is a gap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from hypothesis import event, given, settings
from hypothesis import strategies as st

from scanner.model import Reason
from scanner.sources.azure.graph import Question, read
from scanner.sources.azure.wire import Failed, Outcome
from scanner.sources.coverage import _CANONICAL
from tests.azure.simulated_graph import (
    Answer,
    Fault,
    SimulatedGraph,
    Sinks,
    data_of,
    drop_row,
    lines_of,
    member,
    refusal,
    repeat_row,
    rows_of,
    swap_row,
    without,
)

NAMES = [f"s{number:02}" for number in range(12)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estate:
    rows: dict[str, list[Answer]]

    def expected(self, names: Sequence[str]) -> list[bytes]:
        return lines_of([row for name in names for row in self.rows[name]])


@st.composite
def estates(draw: st.DrawFn) -> Estate:
    names = NAMES[: draw(st.integers(1, len(NAMES)))]
    sizes = st.integers(0, 5) | st.integers(0, 40)
    return Estate(rows={name: rows_of(name, draw(sizes), note="y" * draw(st.sampled_from([0, 0, 200]))) for name in names})


faults: st.SearchStrategy[Fault] = st.sampled_from(
    [
        drop_row,
        repeat_row,
        swap_row,
        data_of(lambda rows: rows[:-1]),
        data_of(lambda rows: rows + rows),
        data_of(lambda _rows: []),
        data_of(lambda rows: [{**row, "id": rows[0]["id"]} for row in rows]),
        lambda page: {**page, "totalRecords": page["totalRecords"] + 1},
        lambda page: {**page, "totalRecords": max(0, page["totalRecords"] - 1)},
        lambda page: {**page, "count": page["count"] + 1},
        member("$skipToken", "3.x"),
        member("$skipToken", "0.y"),
        member("$skipToken", "999.z"),
        without("$skipToken"),
        member("resultTruncated", "true"),
        member("error", {"code": "BadRequest"}),
        member("data", None),
        member("data", {"columns": [], "rows": []}),
        lambda _page: {},
    ]
)
refusals = st.sampled_from(
    [
        refusal(400, "BadRequest", "ResponsePayloadTooLarge"),
        refusal(403, "AccessDenied"),
        refusal(500, "InternalServerError"),
        Failed(Reason.TIMEOUT, "DeadlineExceeded"),
    ]
)
numbers = st.integers(1, 6)


def check(estate: Estate, outcome: Outcome, sinks: Sinks) -> None:
    """Answered or a gap, never both, never neither; what is kept is exactly what answered."""
    missing = {gap.subscription for gap in outcome.gaps}
    assert len(missing) == len(outcome.gaps)
    assert outcome.answered | missing == set(estate.rows)
    assert not outcome.answered & missing
    assert sinks.kept == estate.expected(sorted(outcome.answered))
    assert outcome.rows == len(sinks.kept)
    assert all(_CANONICAL.fullmatch(gap.text) and not gap.table for gap in outcome.gaps)


def ask(sim: SimulatedGraph, *, splittable: bool = True) -> tuple[Outcome, Sinks, int]:
    sinks, told = Sinks(), list[int]()
    question = Question(kql="q", key=("id",), splittable=splittable)
    outcome = read(question, list(sim.estate), sim, sinks.open, told.append)
    assert outcome.pages == len(told)
    return outcome, sinks, sum(told)


@given(estates(), st.integers(1, 50))
def test_a_healthy_estate_is_answered_in_full_by_pages_of_any_size(estate: Estate, page_size: int) -> None:
    sim = SimulatedGraph(estate=estate.rows, page_size=page_size)
    outcome, sinks, told = ask(sim)
    check(estate, outcome, sinks)
    rows = sum(map(len, estate.rows.values()))
    assert (outcome.gaps, told, outcome.rows) == ((), rows, rows)
    assert len(sim.asked) == outcome.pages == max(1, -(-rows // page_size))


@st.composite
def troubled(draw: st.DrawFn) -> tuple[Estate, SimulatedGraph]:
    estate = draw(estates())
    sim = SimulatedGraph(
        estate=estate.rows,
        page_size=draw(st.integers(1, 9)),
        faults=draw(st.dictionaries(numbers, faults, max_size=4)),
        refusals=draw(st.dictionaries(numbers, refusals, max_size=1)),
        denied=frozenset(draw(st.just(set[str]()) | st.sets(st.sampled_from(NAMES), max_size=4))),
        limit=draw(st.none() | st.integers(100, 5000)),
    )
    return estate, sim


@settings(max_examples=400)
@given(troubled(), st.booleans())
def test_no_row_is_ever_missing_from_an_answer(drawn: tuple[Estate, SimulatedGraph], splittable: bool) -> None:  # noqa: FBT001 - drawn
    estate, sim = drawn
    outcome, sinks, _ = ask(sim, splittable=splittable)
    check(estate, outcome, sinks)
    event("all answered" if not outcome.gaps else "some answered" if outcome.answered else "none answered")
    for gap in outcome.gaps:
        event(f"{gap.reason} {gap.text}")


@given(estates(), st.integers(1, 50), faults)
def test_a_fault_in_every_page_is_never_believed(estate: Estate, page_size: int, fault: Fault) -> None:
    outcome, sinks, _ = ask(SimulatedGraph(estate=estate.rows, page_size=page_size, faults={-1: fault}))
    if outcome.answered:
        # A fault that does nothing on this estate, such as dropping a row where there is none.
        check(estate, outcome, sinks)
    else:
        assert sinks.kept == []


@given(estates(), st.sets(st.sampled_from(NAMES), max_size=7))
def test_fewer_refusals_than_the_patience_are_all_found(estate: Estate, denied: set[str]) -> None:
    outcome, sinks, _ = ask(SimulatedGraph(estate=estate.rows, denied=frozenset(denied)))
    check(estate, outcome, sinks)
    assert outcome.answered == set(estate.rows) - denied


@given(estates(), st.integers(150, 3000))
def test_only_a_row_above_the_limit_makes_its_subscription_a_gap(estate: Estate, limit: int) -> None:
    sim = SimulatedGraph(estate=estate.rows, limit=limit)
    outcome, sinks, _ = ask(sim)
    check(estate, outcome, sinks)
    large = {name for name, rows in estate.rows.items() if any(len(orjson.dumps([row])) > limit for row in rows)}
    if len(large) < 8:
        assert {gap.subscription for gap in outcome.gaps} == large
    assert len(sim.asked) <= 2000
