"""One call: when it gives up, whatever the server does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.model import Reason
from scanner.sources.azure import calls
from scanner.sources.azure.wire import Failed, Lost, LostKind, Reply, Request, Timing, Unusable
from tests.azure.scripted_calls import GRAPH, LOCKS, OK, Step, World, error, reply


def test_backoff_has_a_ceiling_and_full_jitter() -> None:
    world = World(reply(500))
    world.fails()
    assert world.clock.naps == pytest.approx([0.8, 1.6, 3.2, 6.4, 12.8])


def test_a_page_takes_no_longer_than_it_may() -> None:
    world = World(error(503, "Busy", retry_after="100"))
    assert world.fails().text == "503 Busy"
    assert (world.attempts, world.clock.naps) == (2, [100])


@pytest.mark.parametrize("wait", ["30", "19.75"])
def test_a_wait_that_would_reach_the_deadline_ends_the_call_with_its_trouble(wait: str) -> None:
    world = World(error(429, "RateLimiting", retry_after=wait), deadline=120.0)
    assert world.fails().reason is Reason.THROTTLED
    assert (world.attempts, world.clock.naps) == (1, [])


def test_after_the_deadline_nothing_is_asked() -> None:
    world = World(OK, deadline=100.0)
    failed = world.fails()
    assert (failed.reason, failed.text, world.attempts) == (Reason.TIMEOUT, "DeadlineExceeded", 0)


def test_a_deadline_that_passes_during_an_attempt_is_the_reason() -> None:
    world = World(reply(500), seconds=50.0, deadline=140.0)
    assert world.fails().text == "DeadlineExceeded"


def test_a_socket_may_wait_for_a_minute_and_never_past_the_end() -> None:
    world = World(OK)
    world.call()
    near = World(OK, deadline=105.0)
    near.call()
    assert [world.script.sent[0][1], near.script.sent[0][1]] == [60.0, 5.0]


def test_once_stopped_nothing_is_asked() -> None:
    world = World(OK)
    world.stop.set()
    failed = world.fails()
    assert (failed.reason, failed.text, world.attempts) == (Reason.FAILED, "Interrupted", 0)


class Stalling:
    """A transport that stalls for its first `stalls` requests, each until it is released."""

    def __init__(self, stalls: int, *, at_stall: Callable[[], None] = lambda: None) -> None:
        self.stalls = stalls
        self.release = threading.Event()
        self.at_stall = at_stall
        self.sent = 0

    def send(self, request: Request, *, seconds: float) -> Reply:
        assert seconds > 0
        assert request is LOCKS
        self.sent += 1
        if self.sent <= self.stalls:
            self.at_stall()
            self.release.wait()
        return OK

    def forget_token(self) -> None:
        pass


def test_a_stalled_request_is_left_behind_and_asked_again() -> None:
    world, transport = World(), Stalling(1)
    caller = world.over(transport, page_seconds=2.0)
    assert caller.call(LOCKS, lambda got: got.body) == b"rows"
    assert transport.sent == 2
    transport.release.set()


def test_requests_that_stall_for_ever_are_a_time_out() -> None:
    world, transport = World(), Stalling(100)
    world.caller = world.over(transport, page_seconds=0.02)
    failed = world.fails()
    assert (failed.reason, failed.text) == (Reason.TIMEOUT, "SlowAnswer")
    transport.release.set()


def test_a_stop_during_a_request_is_not_waited_out() -> None:
    world = World()
    transport = Stalling(1, at_stall=world.stop.set)
    world.caller = world.over(transport, page_seconds=3600.0)
    assert world.fails().text == "Interrupted"
    transport.release.set()


def test_a_reader_that_hangs_is_left_behind() -> None:
    world, release = World(OK), threading.Event()
    world.caller = world.over(world.script, page_seconds=0.5)

    def read(got: Reply) -> bytes:
        release.wait()
        return got.body

    assert world.fails(read=read).text == "SlowAnswer"
    release.set()


def test_a_quota_that_lasts_longer_than_the_page_ends_the_call() -> None:
    exhausted = reply(x_ms_user_quota_remaining="0", x_ms_user_quota_resets_after="00:01:30")
    world = World(exhausted, page_seconds=60.0)
    assert world.call(GRAPH) == b"rows"
    assert world.caller.quota_left == 0
    failed = world.fails(GRAPH)
    assert (failed.reason, failed.text) == (Reason.THROTTLED, "NoQuota")
    near = World(exhausted, deadline=160.0)
    near.call(GRAPH)
    assert near.fails(GRAPH).text == "DeadlineExceeded"
    assert near.attempts == 1


def test_a_quota_that_runs_out_between_attempts_leaves_the_last_trouble_as_the_reason() -> None:
    empty = {"x_ms_user_quota_remaining": "0", "x_ms_user_quota_resets_after": "00:01:30"}
    world = World(error(500, "Odd", **empty), page_seconds=60.0)
    assert world.fails(GRAPH).text == "500 Odd"
    assert world.attempts == 1


def test_a_stop_while_waiting_for_quota_is_an_interruption() -> None:
    world = World(reply(x_ms_user_quota_remaining="0", x_ms_user_quota_resets_after="00:00:30"))
    world.call(GRAPH)

    def sleep(_: float) -> None:
        world.stop.set()

    world.pacer._timing = Timing(clock=lambda: world.clock.now, sleep=sleep)
    assert world.fails(GRAPH).text == "Interrupted"


TEXTS = st.sampled_from(["0", "3", "-5", "1e9", "soon", "00:00:03", "00:01:00", "Fri, 20 Nov 2026 12:00:02 GMT", "60000"])
NAMES = st.sampled_from(
    ["retry-after", "date", "x-ms-retry-after-ms", "x-ms-user-quota-remaining", "x-ms-user-quota-resets-after"]
)
REPLIES = st.builds(
    Reply,
    status=st.sampled_from([200, 200, 202, 204, 301, 307, 400, 401, 403, 404, 408, 418, 429, 500, 501, 502, 503, 504]),
    headers=st.dictionaries(NAMES, TEXTS, max_size=3),
    body=st.sampled_from([b"", b"rows", b"bad", b"<html>", b'{"error": {"code": "Odd"}}', b'{"error": []}', b"\xff"]),
)
LOST = st.builds(Lost, st.sampled_from(get_args(LostKind)), st.just("Gone"))


def at_once(function: Callable[[], bytes], seconds: float, *, given_up: Callable[[], bool]) -> bytes:
    assert 0 <= seconds <= 90
    assert not given_up()
    return function()


@given(
    st.lists(REPLIES | LOST | st.builds(ValueError), min_size=1, max_size=10),
    st.sampled_from([GRAPH, LOCKS]),
    st.floats(0, 90),
    st.floats(0, 300),
)
def test_any_script_ends_within_its_bounds_and_yields_only_what_was_read(
    steps: list[Step], request: Request, seconds: float, deadline: float
) -> None:
    world = World(*steps, seconds=seconds, deadline=100.0 + deadline)
    read_from: list[Reply] = []

    def read(got: Reply) -> bytes:
        read_from.append(got)
        if got.body == b"bad":
            raise Unusable("NotJson", tries=3)
        return got.body + b"!"

    result: bytes | Failed
    with pytest.MonkeyPatch.context() as patch:
        # Virtual time may leave a real call no time at all.
        patch.setattr(calls, "bounded", at_once)
        try:
            result = world.call(request, read)
        except Failed as failed:
            result = failed
    if isinstance(result, bytes):
        assert read_from[-1] is world.script.step
        assert result == read_from[-1].body + b"!"
    assert world.attempts <= 6
    assert all(got.status == 200 for got in read_from)
    assert all(sent <= 60 for _, sent in world.script.sent)
    end = min(180.0, deadline)
    assert world.clock.now - 100.0 <= end + seconds + 1e-6
    assert sum(world.clock.naps) <= end + 1e-6
    assert [trace.attempts for trace in world.traces] == [world.attempts]
    assert world.pacer.waiting == world.buckets.waiting == 0
