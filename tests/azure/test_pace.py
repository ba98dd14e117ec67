"""The quota as plain state in virtual time: the log of sends, what replies correct, and simulated scans."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.pacing import FixedWindows, Outcome, ServerKind, Simulation, SlidingLog, chance, simulate
from scanner.sources.azure.pace import Pace, TokenBucket
from scanner.sources.azure.wire import Reply


def reply(status: int = 200, *, left: int | None = None, resets: int | None = None, retry_after: str = "") -> Reply:
    headers = {"retry-after": retry_after} if retry_after else {}
    if left is not None:
        headers["x-ms-user-quota-remaining"] = str(left)
    if resets is not None:
        headers["x-ms-user-quota-resets-after"] = f"00:00:{resets:02}"
    return Reply(status=status, headers=headers)


def proven(first: Reply, *, maximum: int | None = None) -> Pace:
    """A pace whose first request went out at 0 and came back at 0.5."""
    pace = Pace(maximum=maximum)
    pace.sent(0.0)
    pace.replied(first, sent=0.0, now=0.5)
    return pace


def burst(pace: Pace, now: float, most: int = 500) -> int:
    """How many may be sent at `now`; they are."""
    count = 0
    while count < most and pace.wait(now, 0) == 0:
        pace.sent(now)
        count += 1
    return count


def test_one_request_goes_first_and_the_others_wait_for_its_reply() -> None:
    pace = Pace()
    assert pace.wait(0.0, 0) == 0
    assert pace.wait(0.0, 1) > 0
    pace.sent(0.0)
    assert pace.wait(3.0, 0) > 0
    pace.replied(reply(left=14, resets=4), sent=0.0, now=3.0)
    assert burst(pace, 3.0) == 14


@pytest.mark.parametrize("answer", [None, reply(401)])
def test_a_first_request_that_proves_no_sign_in_is_followed_by_another_one(answer: Reply | None) -> None:
    pace = Pace()
    pace.sent(0.0)
    pace.replied(answer, sent=0.0, now=0.5)
    assert burst(pace, 0.5) == 1
    pace.replied(reply(500), sent=0.5, now=1.0)
    assert burst(pace, 1.0) == 13


def test_at_most_fifteen_in_any_window() -> None:
    pace = proven(reply(left=14))
    assert burst(pace, 1.0) == 14
    assert pace.wait(1.0, 0) == pytest.approx(4.2)
    assert pace.wait(1.0, 1) == pytest.approx(5.2)
    assert pace.wait(1.0, 16) == pytest.approx(10.4)
    assert burst(pace, 5.2) == 1
    assert burst(pace, 6.2) == 14


@pytest.mark.parametrize(("maximum", "limit"), [(None, 60), (40, 40), (15, 15)])
def test_a_larger_quota_is_learnt_from_the_first_reply(maximum: int | None, limit: int) -> None:
    assert burst(proven(reply(left=59, resets=4), maximum=maximum), 1.0) == limit - 1


def test_a_smaller_quota_is_learnt_too_and_never_exceeded() -> None:
    pace = proven(reply(left=9, resets=4))
    assert burst(pace, 0.6) == 9
    pace.replied(reply(left=0, resets=4), sent=0.6, now=1.0)
    assert burst(pace, 5.9) == 10


def test_a_quota_that_was_used_by_others_at_first_is_found_again() -> None:
    pace = proven(reply(left=4, resets=4))
    assert burst(pace, 6.0, 1) == 1
    pace.replied(reply(left=14, resets=4), sent=6.0, now=6.5)
    assert burst(pace, 6.5) == 14


def test_nothing_left_holds_the_next_request_until_the_quota_resets() -> None:
    pace = proven(reply(left=0, resets=30))
    assert pace.wait(0.5, 0) == pytest.approx(31)
    assert burst(pace, 31.5) > 0


def test_without_a_reset_what_is_left_counts_for_a_window() -> None:
    assert proven(reply(left=0)).wait(0.5, 0) == pytest.approx(5.2)


def test_fewer_than_the_own_sends_explain_are_kept_to_until_the_reset() -> None:
    pace = proven(reply(left=14, resets=4))
    assert burst(pace, 1.0, 4) == 4
    pace.replied(reply(left=5, resets=3), sent=1.0, now=1.5)
    assert burst(pace, 1.5) == 5
    assert pace.wait(1.5, 0) == pytest.approx(4)


def test_requests_in_flight_may_not_be_counted_yet_in_what_is_left() -> None:
    pace = proven(reply(left=14, resets=4))
    pace.sent(1.0)
    assert burst(pace, 1.2, 2) == 2
    pace.replied(reply(left=3, resets=3), sent=1.0, now=1.5)
    assert burst(pace, 1.5) == 1


def test_later_replies_of_the_same_period_only_take_away() -> None:
    pace = proven(reply(left=14, resets=4))
    pace.sent(1.0)
    pace.replied(reply(left=2, resets=3), sent=1.0, now=1.5)
    pace.replied(reply(left=9, resets=2), sent=1.0, now=1.6)
    assert burst(pace, 1.6) == 2


def test_what_the_own_sends_explain_corrects_nothing() -> None:
    pace = proven(reply(left=14, resets=4))
    assert burst(pace, 1.0) == 14
    pace.replied(reply(left=0, resets=30), sent=1.0, now=1.5)
    assert burst(pace, 6.2) == 15


def test_a_slow_reply_is_explained_by_what_was_sent_before_its_request() -> None:
    pace = proven(reply(left=14, resets=4))
    assert burst(pace, 10.0, 14) == 14
    pace.sent(15.0)
    pace.replied(reply(left=0, resets=30), sent=15.0, now=15.6)
    assert burst(pace, 15.6) == 14


def test_a_correction_is_not_shortened_by_a_later_reply() -> None:
    pace = proven(reply(left=14, resets=4))
    pace.sent(1.0)
    pace.replied(reply(left=1, resets=30), sent=1.0, now=1.5)
    pace.replied(reply(left=0, resets=0), sent=1.0, now=1.6)
    assert pace.wait(1.6, 0) == pytest.approx(30.9)


def test_a_429_halves_the_limit_for_a_minute() -> None:
    pace = proven(reply(left=14))
    assert burst(pace, 1.0) == 14
    for _ in range(3):
        pace.replied(reply(429), sent=1.0, now=1.5)
    assert burst(pace, 7.0) == 7
    assert burst(pace, 61.4) == 7
    assert burst(pace, 70.0) == 12


def test_a_429_while_slow_halves_again_and_never_stops_altogether() -> None:
    pace = proven(reply(left=14))
    for second in range(10, 100, 10):
        pace.sent(float(second))
        pace.replied(reply(429), sent=float(second), now=second + 0.5)
    assert burst(pace, 110.0) == 1


def test_what_429s_took_is_given_back_when_no_reply_of_two_minutes_did_without() -> None:
    pace = proven(reply(left=14))
    for _ in range(4):
        pace.replied(reply(429), sent=0.0, now=1.0)
    assert pace.limit == 11
    for now, left in ((50.0, 14), (119.0, 3), (120.9, 9)):
        pace.replied(reply(left=left), sent=now, now=now)
        assert pace.limit == 11
    pace.replied(reply(left=9), sent=121.0, now=121.0)
    assert pace.limit == 14
    for now, left in ((130.0, 0), (242.0, 14)):
        pace.replied(reply(left=left), sent=now, now=now)
    assert pace.limit == 14, "the quota was used up in between"
    for now in (250.0, 363.0):
        pace.replied(reply(left=14), sent=now, now=now)
    assert pace.limit == 15


@pytest.mark.parametrize(
    ("answer", "wait"),
    [
        (reply(429, retry_after="7"), 7),
        (reply(429, retry_after="7", left=0, resets=3), 7),
        (reply(429, resets=3), 4),
        (reply(429, retry_after="soon"), 0),
    ],
)
def test_a_429_holds_all_requests_for_as_long_as_it_asks(answer: Reply, wait: float) -> None:
    assert proven(answer).wait(0.5, 0) == pytest.approx(wait)


def test_an_older_hold_is_not_shortened() -> None:
    pace = proven(reply(429, retry_after="30"))
    pace.replied(reply(429, retry_after="1"), sent=0.0, now=1.0)
    assert pace.wait(1.0, 0) == pytest.approx(29.5)


@given(
    st.lists(
        st.tuples(
            st.floats(0, 3),
            st.sampled_from([200, 200, 401, 429, 500]),
            st.none() | st.integers(0, 15),
            st.none() | st.integers(0, 59),
        ),
        max_size=60,
    )
)
def test_no_script_of_replies_makes_it_faster_than_its_log(script: list[tuple[float, int, int | None, int | None]]) -> None:
    pace, now, sends = Pace(maximum=15), 0.0, [float("-inf")] * 15
    for pause, status, left, resets in script:
        now += pause
        if pace.wait(now, 0) == 0:
            pace.sent(now)
            sends.append(now)
            pace.replied(reply(status, left=left, resets=resets), sent=now, now=now + 0.3)
        assert pace.wait(now, 0) <= pace.wait(now, 3) <= 130
    assert all(later - earlier >= 5.2 - 1e-9 for earlier, later in zip(sends, sends[15:], strict=False))


def test_sends_of_long_ago_are_forgotten() -> None:
    pace = proven(reply(left=14))
    for second in range(2000):
        pace.sent(float(second))
    assert len(pace._log) < 400


def test_a_bucket_grants_its_burst_and_then_its_rate() -> None:
    bucket = TokenBucket(burst=3, rate=2.0)
    for _ in range(3):
        assert bucket.wait(10.0, 0) == 0
        bucket.sent(10.0)
    assert bucket.wait(10.0, 0) == pytest.approx(0.5)
    assert bucket.wait(10.0, 3) == pytest.approx(2)
    assert bucket.wait(10.5, 0) == 0
    assert bucket.wait(1000.0, 2) == 0
    assert bucket.wait(1000.0, 3) > 0


def test_a_429_empties_the_bucket_for_all() -> None:
    bucket = TokenBucket(burst=250, rate=25.0)
    bucket.sent(0.0)
    bucket.sent(0.0)
    bucket.replied(reply(429, retry_after="4"), sent=0.0, now=1.0)
    assert bucket.wait(1.0, 0) == pytest.approx(4)
    bucket.replied(reply(429, retry_after="4"), sent=0.0, now=2.0)
    assert bucket.wait(2.0, 0) == pytest.approx(3), "sent before the first 429 was known: it says nothing new"
    bucket.replied(reply(200), sent=5.0, now=5.1)
    bucket.replied(None, sent=5.0, now=5.1)
    assert bucket.wait(5.1, 0) == 0


SEEDS = range(40)


def outcomes(kind: ServerKind, requests: int, *, neighbour: float = 0.0) -> list[Outcome]:
    return [simulate(kind, requests, seed=seed, neighbour=neighbour) for seed in SEEDS]


@pytest.mark.parametrize("kind", ["fixed", "sliding"])
@pytest.mark.parametrize("requests", [60, 300, 3000])
def test_alone_a_scan_is_never_refused_and_takes_little_more_than_the_ideal(kind: ServerKind, requests: int) -> None:
    seeds = SEEDS if requests < 3000 else SEEDS[:5]
    for scan in (simulate(kind, requests, seed=seed) for seed in seeds):
        assert not scan.refused
        assert scan.ratio(requests) <= 1.10


@pytest.mark.parametrize("kind", ["fixed", "sliding"])
def test_beside_a_neighbour_few_requests_are_refused(kind: ServerKind) -> None:
    counts = [len(scan.refused) for scan in outcomes(kind, 300, neighbour=0.5)]
    assert statistics.median(counts) <= 6
    assert max(counts) <= 10
    assert max(len(simulate(kind, 3000, seed=seed, neighbour=0.5).refused) for seed in SEEDS[:5]) <= 20


@pytest.mark.parametrize("quota", [1, 10, 60])
def test_another_quota_is_learnt(quota: int) -> None:
    requests = quota * 8
    for server in (FixedWindows(quota=quota, offset=1.0), SlidingLog(quota=quota)):
        scan = Simulation(server=server, random=chance(3), requests=requests, in_flight=quota).run()
        assert not scan.refused
        assert scan.ratio(requests, quota=quota) <= 1.25


def test_a_scan_recovers_once_the_neighbour_is_gone() -> None:
    pace, server = Pace(), SlidingLog()
    loud = Simulation(server=server, random=chance(5), requests=200, neighbour=1.5, pace=pace).run()
    assert loud.refused
    assert pace.limit < 15
    quiet = Simulation(server=server, random=chance(5), requests=9000, pace=pace, start=loud.wall).run()
    assert not quiet.refused
    assert pace.limit == 15
    assert quiet.ratio(9000) <= 1.4
