from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.emulator.quota import REMAINING, RESETS, Meter, Quota
from scanner.errors import UsageError


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(("text", "quota"), [("15/5s", (15, 5.0)), (" 1/0.25s ", (1, 0.25)), ("0/3600s", (0, 3600.0))])
def test_a_quota_is_written_as_queries_and_seconds(text: str, quota: tuple[int, float]) -> None:
    found = Quota.parse(text)
    assert (found.limit, found.window) == quota


@pytest.mark.parametrize("text", ["", "15", "15/5", "15/5m", "-1/5s", "15/0s", "15/-1s", "a/bs", "1.5/5s"])
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match="is no quota") as caught:
        Quota.parse(text)
    assert "15/5s" in caught.value.hint


def test_the_window_slides() -> None:
    clock = Clock()
    meter = Meter(Quota(limit=2, window=5.0), clock)
    assert meter.take("t") == (True, {REMAINING: "1", RESETS: "00:00:05"})
    clock.now += 2.5
    assert meter.take("t") == (True, {REMAINING: "0", RESETS: "00:00:03"})
    assert meter.take("t") == (False, {REMAINING: "0", RESETS: "00:00:03"})
    clock.now += 2.5
    assert meter.take("t") == (True, {REMAINING: "0", RESETS: "00:00:03"})
    clock.now += 2.4
    assert meter.take("t")[0] is False


def test_each_token_has_its_own_quota() -> None:
    meter = Meter(Quota(limit=1, window=5.0), Clock())
    assert [meter.take(token)[0] for token in ("a", "b", "a")] == [True, True, False]


def test_a_quota_of_nothing_refuses_everything_and_long_windows_are_told_in_hours() -> None:
    meter = Meter(Quota(limit=0, window=3725.0), Clock())
    assert meter.take("t") == (False, {REMAINING: "0", RESETS: "01:02:05"})


def test_without_a_quota_nothing_is_counted_or_told() -> None:
    assert Meter(None, Clock()).take("t") == (True, {})


@given(st.lists(st.floats(0, 3), min_size=1, max_size=60), st.integers(1, 5), st.floats(0.5, 6))
def test_no_window_ever_holds_more_than_the_limit(waits: list[float], limit: int, window: float) -> None:
    clock = Clock()
    meter = Meter(Quota(limit=limit, window=window), clock)
    sent = []
    for wait in waits:
        clock.now += wait
        allowed, headers = meter.take("t")
        assert 0 <= int(headers[REMAINING]) < max(limit, 1)
        if allowed:
            sent.append(clock.now)
    for last in sent:
        assert sum(last - window < each <= last for each in sent) <= limit
