"""One call: how often it asks, how long it waits, and what it says of itself."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import get_args

import pytest

from scanner.model import Reason, Trace
from scanner.sources.azure.wire import Failed, Lost, LostKind, Reply, Request, Unusable
from tests.azure.scripted_calls import GRAPH, OK, Step, World, error, reply


def test_a_usable_answer_is_what_the_reader_makes_of_it() -> None:
    world = World(OK)
    assert world.call(read=lambda got: got.body.upper()) == b"ROWS"
    assert (world.attempts, world.clock.naps) == (1, [])


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_may_pass_is_asked_again_with_growing_waits(status: int) -> None:
    world = World(reply(status), reply(status), reply(status), OK)
    assert world.call() == b"rows"
    assert world.clock.naps == pytest.approx([0.8, 1.6, 3.2])


@pytest.mark.parametrize(
    ("answer", "reason", "text", "attempts"),
    [
        (error(429, "RateLimiting"), Reason.THROTTLED, "429 RateLimiting", 6),
        (error(408, "Slow"), Reason.FAILED, "408 Slow", 6),
        (error(500, "InternalServerError"), Reason.FAILED, "500 InternalServerError", 6),
        (error(503, "ServerBusy"), Reason.FAILED, "503 ServerBusy", 6),
        (error(401, "InvalidAuthenticationToken"), Reason.DENIED, "401 InvalidAuthenticationToken", 2),
        (error(403, "AuthorizationFailed"), Reason.DENIED, "403 AuthorizationFailed", 1),
        (error(404, "SubscriptionNotFound"), Reason.FAILED, "404 SubscriptionNotFound", 1),
        (error(400, "InvalidQuery", retry_after="0"), Reason.FAILED, "400 InvalidQuery", 1),
        (reply(307, location="https://elsewhere"), Reason.FAILED, "307 Redirect", 1),
        (reply(204, b""), Reason.BAD_ANSWER, "204 NotExpected", 3),
    ],
)
def test_what_does_not_pass_ends_with_its_reason(answer: Reply, reason: Reason, text: str, attempts: int) -> None:
    world = World(answer)
    failed = world.fails()
    assert (failed.reason, failed.text, failed.status) == (reason, text, answer.status)
    assert world.attempts == attempts


@pytest.mark.parametrize("kind", get_args(LostKind))
def test_lost_replies_are_asked_for_again_as_far_as_that_can_help(kind: LostKind) -> None:
    world = World(Lost(kind, "ItsText"))
    failed = world.fails()
    tries = {"dns": 3, "tls": 3, "proxy": 3, "size": 1, "host": 1, "credential": 1}.get(kind, 6)
    reason = {"credential": Reason.DENIED, "timeout": Reason.TIMEOUT}.get(kind, Reason.FAILED)
    assert (failed.reason, failed.status, world.attempts) == (reason, 0, tries)
    assert failed.text == ("SignInFailed" if kind == "credential" else "ItsText")


@pytest.mark.parametrize("kind", ["reset", "cut", "timeout", "connect"])
def test_a_lost_reply_is_made_good_by_the_next_one(kind: LostKind) -> None:
    world = World(Lost(kind, "ItsText"), OK)
    assert world.call() == b"rows"
    assert world.attempts == 2


def test_a_transport_that_breaks_is_a_failure_and_no_crash() -> None:
    world = World(RuntimeError("a secret"))
    failed = world.fails()
    assert (failed.reason, failed.text, world.attempts) == (Reason.FAILED, "RuntimeError", 1)


def test_a_refused_token_is_forgotten_once() -> None:
    world = World(error(401, "ExpiredAuthenticationToken"), OK)
    assert world.call() == b"rows"
    assert (world.script.forgotten, world.attempts, world.clock.naps) == (1, 2, [0.0])
    again = World(error(401, "ExpiredAuthenticationToken"))
    again.fails()
    assert again.script.forgotten == 1


def test_a_token_that_expires_between_other_troubles_is_still_replaced() -> None:
    world = World(reply(500), reply(502), reply(500), error(401, "ExpiredAuthenticationToken"), OK)
    assert world.call() == b"rows"
    assert world.attempts == 5


def test_troubles_of_several_kinds_share_six_attempts() -> None:
    world = World(reply(500), Lost("dns", "NameNotResolved"), reply(204), error(401, "X"), Lost("dns", "Y"), reply(503), OK)
    assert world.fails().text == "503"
    assert world.attempts == 6


@pytest.mark.parametrize("tries", [1, 2, 3])
def test_an_unusable_answer_is_asked_for_as_often_as_its_reader_says(tries: int) -> None:
    def read(_: Reply) -> bytes:
        raise Unusable("CountMismatch", tries=tries)

    world = World(OK)
    failed = world.fails(read=read)
    assert (failed.reason, failed.text, failed.status) == (Reason.BAD_ANSWER, "CountMismatch", 200)
    assert world.attempts == tries


def test_an_answer_that_becomes_usable_is_used() -> None:
    def read(got: Reply) -> bytes:
        if got.body != b"rows":
            raise Unusable("NotJson")
        return got.body

    assert World(reply(body=b"<html>"), reply(body=b"{}"), OK).call(read=read) == b"rows"


@pytest.mark.parametrize("raised", [RecursionError(), MemoryError(), TypeError("x")])
def test_a_reader_that_breaks_is_not_asked_twice(raised: Exception) -> None:
    def read(_: Reply) -> bytes:
        raise raised

    world = World(OK)
    assert world.fails(read=read).text == "NotReadable"
    assert world.attempts == 1


def test_a_reader_may_say_itself_what_failed() -> None:
    failure = Failed(Reason.TRUNCATED, "ResultTruncated")

    def read(_: Reply) -> bytes:
        raise failure

    assert World(OK).fails(read=read) is failure


def test_an_interrupt_in_a_reader_is_not_swallowed_and_the_call_is_told_of() -> None:
    def read(_: Reply) -> bytes:
        raise KeyboardInterrupt

    world = World(OK)
    with pytest.raises(KeyboardInterrupt):
        world.call(read=read)
    assert len(world.traces) == 1


@pytest.mark.parametrize(
    ("headers", "naps"),
    [
        ({"retry_after": "7"}, [7]),
        ({"retry_after": "-5"}, [0]),
        ({"retry_after": "1e9"}, [120]),
        ({"retry_after": "soon"}, [0.8]),
        ({"retry_after": "00:00:03"}, [0.8]),
        ({"x_ms_retry_after_ms": "2500"}, [2.5]),
        ({"retry_after": "Fri, 20 Nov 2026 12:00:02 GMT", "date": "Fri, 20 Nov 2026 12:00:00 GMT"}, [2]),
        ({"retry_after": "Fri, 20 Nov 2026 12:00:02 GMT"}, [0.8]),
    ],
)
def test_a_reply_may_say_how_long_to_wait(headers: dict[str, str], naps: list[float]) -> None:
    world = World(reply(503, b"", **headers), OK)
    world.call()
    assert world.clock.naps == pytest.approx(naps)


def test_a_throttled_query_waits_until_the_quota_resets() -> None:
    world = World(error(429, "RateLimiting", x_ms_user_quota_resets_after="00:00:02"), OK)
    assert world.call(GRAPH) == b"rows"
    assert sum(world.clock.naps) == pytest.approx(3)


def test_queries_are_paced_and_reads_of_a_subscription_have_their_bucket() -> None:
    world = World(OK)
    for _ in range(20):
        world.call()
    assert world.clock.naps == []
    for _ in range(16):
        world.call(GRAPH)
    assert len(world.clock.naps) == 1


def test_each_call_leaves_one_trace() -> None:
    world = World(reply(500, x_ms_request_id="a"), reply(200, x_ms_request_id="b"))
    world.call(GRAPH)
    assert world.traces == [Trace(method="POST", route="graph", attempts=2, status=200, request_id="b", ms=1300)]
    lost = World(Lost("reset", "Reset"))
    lost.fails()
    assert (lost.traces[0].attempts, lost.traces[0].status, lost.traces[0].request_id) == (6, 0, "")
    mixed = World(reply(500, x_ms_request_id="a"), Lost("reset", "Reset"))
    mixed.fails()
    assert (mixed.traces[0].status, mixed.traces[0].request_id) == (0, "a")
    never = World(OK, deadline=0.0)
    never.fails()
    assert never.traces[0].attempts == 0


def test_the_log_names_each_attempt_and_nothing_secret(caplog: pytest.LogCaptureFixture) -> None:
    world = World(RuntimeError("secret"))
    steps: Sequence[Step] = (
        reply(503, b"secret"),
        Lost("reset", "ConnectionReset"),
        reply(200, b"secret", x_ms_request_id="b-1"),
    )
    world.script.steps = itertools.chain(steps)
    with caplog.at_level(logging.INFO, logger="arguard.azure"):
        world.call(GRAPH)
    assert [record.getMessage() for record in caplog.records] == [
        "POST graph 1: 503, 250 ms, -",
        "POST graph 2: ConnectionReset, 250 ms, -",
        "POST graph 3: 200, 250 ms, b-1",
    ]


def test_the_servers_clock_is_that_of_the_first_answer() -> None:
    world = World(
        reply(date="garbage"), reply(date="Fri, 20 Nov 2026 12:00:00 GMT"), reply(date="Fri, 20 Nov 2026 13:00:00 GMT")
    )
    assert world.caller.server_time is None
    for _ in range(3):
        world.call()
    assert world.caller.server_time == datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_the_clock_of_whoever_stands_in_the_way_is_not_the_servers() -> None:
    world = World(reply(503, date="Mon, 01 Jan 2001 00:00:00 GMT"), reply(date="Fri, 20 Nov 2026 12:00:00 GMT"))
    world.call()
    assert world.caller.server_time == datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_what_is_left_of_the_quota_is_what_the_latest_reply_said() -> None:
    world = World(reply(x_ms_user_quota_remaining="14"), reply(x_ms_user_quota_remaining="9"), OK)
    assert world.caller.quota_left is None
    for _ in range(3):
        world.call(GRAPH)
    assert world.caller.quota_left == 9


def test_many_threads_each_get_their_own_answer() -> None:
    class Echo:
        def send(self, request: Request, *, seconds: float) -> Reply:
            assert seconds > 0
            return reply(body=request.url.encode())

        def forget_token(self) -> None:
            pass

    world = World()
    caller = world.over(Echo())
    results: dict[str, bytes] = {}

    def work(name: str) -> None:
        for number in range(20):
            url = f"/{name}/{number}"
            results[url] = caller.call(Request(route="locks", url=url), lambda got: got.body)

    threads = [threading.Thread(target=work, args=(str(number),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(results) == len(world.traces) == 160
    assert all(body == url.encode() for url, body in results.items())
