"""Threads in line: first come first served, woken by the clock, and never waiting past their time."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from scanner.sources.azure.pacer import Buckets, Line, Pacer
from scanner.sources.azure.wire import Reply, Timing

FOREVER = float("inf")


class Clock:
    """Virtual time: a nap moves it on."""

    def __init__(self) -> None:
        self.now = 0.0
        self.naps: list[float] = []
        self.on_nap: Callable[[], None] = lambda: None

    def timing(self) -> Timing:
        return Timing(clock=lambda: self.now, sleep=self.sleep, random=lambda: 0.5)

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds
        self.on_nap()


def never() -> bool:
    return False


def ready(clock: Clock) -> Pacer:
    pacer = Pacer(timing=clock.timing())
    sent = pacer.acquire(until=FOREVER, stopped=never)
    assert sent == 0.0
    pacer.settle(sent, Reply(status=200, headers={}))
    return pacer


def test_the_sixteenth_waits_for_the_window() -> None:
    clock = Clock()
    pacer = ready(clock)
    sends = [pacer.acquire(until=FOREVER, stopped=never) for _ in range(15)]
    assert sends[:14] == [0.0] * 14
    assert sends[14] == pytest.approx(5.2, abs=0.01)
    assert max(clock.naps) <= 5


def test_a_turn_that_comes_too_late_is_refused_without_a_wait() -> None:
    clock = Clock()
    pacer = ready(clock)
    for _ in range(14):
        pacer.acquire(until=FOREVER, stopped=never)
    assert pacer.acquire(until=5.0, stopped=never) is None
    assert clock.naps == []
    assert pacer.waiting == 0
    assert pacer.next_send == pytest.approx(5.2)


def test_who_is_told_to_stop_leaves_the_line() -> None:
    clock = Clock()
    pacer = ready(clock)
    for _ in range(14):
        pacer.acquire(until=FOREVER, stopped=never)
    assert pacer.acquire(until=FOREVER, stopped=lambda: bool(clock.naps)) is None
    assert pacer.waiting == 0
    assert pacer.acquire(until=FOREVER, stopped=lambda: True) is None


def test_the_line_is_left_when_a_nap_is_interrupted() -> None:
    clock = Clock()
    pacer = ready(clock)
    for _ in range(14):
        pacer.acquire(until=FOREVER, stopped=never)

    def interrupt() -> None:
        raise KeyboardInterrupt

    clock.on_nap = interrupt
    with pytest.raises(KeyboardInterrupt):
        pacer.acquire(until=FOREVER, stopped=never)
    assert pacer.waiting == 0


def test_who_came_first_goes_first() -> None:
    """Two wait for the one free place; the second one wakes up first and must leave it to the first."""
    places: dict[int, threading.Event] = {1: threading.Event(), 2: threading.Event()}
    asleep: dict[int, threading.Event] = {1: threading.Event(), 2: threading.Event()}
    clock = Clock()
    order: list[int] = []

    def sleep(_: float) -> None:
        number = int(threading.current_thread().name)
        asleep[number].set()
        assert places[number].wait(60)
        places[number].clear()

    pacer = ready(clock)
    for _ in range(13):
        pacer.acquire(until=FOREVER, stopped=never)
    clock.now = 1.0
    pacer.acquire(until=FOREVER, stopped=never)
    pacer._timing = Timing(clock=lambda: clock.now, sleep=sleep)

    def wait() -> None:
        pacer.acquire(until=FOREVER, stopped=never)
        order.append(int(threading.current_thread().name))

    # Fourteen places open at 5.2, so thirteen are taken again: one is free when both wake up.
    threads = {number: threading.Thread(target=wait, name=str(number), daemon=True) for number in (1, 2)}
    for number, thread in threads.items():
        thread.start()
        assert asleep[number].wait(60)
        asleep[number].clear()
    assert pacer.waiting == 2
    clock.now = 5.2
    for _ in range(13):
        pacer._state.sent(5.2)
    places[2].set()
    assert asleep[2].wait(60)
    assert order == []
    places[1].set()
    threads[1].join(60)
    assert order == [1]
    clock.now = 20.0
    places[2].set()
    threads[2].join(60)
    assert order == [1, 2]


def test_many_threads_never_exceed_the_window() -> None:
    lock = threading.Lock()
    clock = Clock()

    def sleep(seconds: float) -> None:
        with lock:
            clock.now += seconds

    pacer = Pacer(timing=Timing(clock=lambda: clock.now, sleep=sleep))
    sends: list[float] = []

    def work() -> None:
        for _ in range(10):
            sent = pacer.acquire(until=FOREVER, stopped=never)
            assert sent is not None
            sends.append(sent)
            pacer.settle(sent, Reply(status=200, headers={}))

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    sends.sort()
    assert len(sends) == 120
    assert all(later - earlier >= 5.2 - 1e-9 for earlier, later in zip(sends, sends[15:], strict=False))


def test_each_subscription_and_provider_has_a_bucket_of_its_own() -> None:
    clock = Clock()
    buckets = Buckets(burst=1, rate=2.0, timing=clock.timing())
    compute: Line = buckets.line("S1", "Microsoft.Compute")
    assert buckets.line("s1", "microsoft.compute") is compute
    assert compute.acquire(until=FOREVER, stopped=never) == 0
    assert buckets.line("s1", "microsoft.authorization").acquire(until=FOREVER, stopped=never) == 0
    assert buckets.line("s2", "microsoft.compute").acquire(until=FOREVER, stopped=never) == 0
    assert compute.acquire(until=FOREVER, stopped=never) == pytest.approx(0.5)


def test_buckets_tell_who_waits_and_for_how_long() -> None:
    clock = Clock()
    buckets = Buckets(burst=1, rate=2.0, timing=clock.timing())
    buckets.line("s2", "p")
    line = buckets.line("s1", "p")
    seen: list[tuple[int, float]] = []
    clock.on_nap = lambda: seen.append((buckets.waiting, buckets.next_send))
    line.acquire(until=FOREVER, stopped=never)
    assert (buckets.waiting, buckets.next_send) == (0, 0.0)
    line.settle(0.0, Reply(status=429, headers={"retry-after": "9"}))
    assert line.acquire(until=FOREVER, stopped=never) == pytest.approx(9)
    assert seen[0] == (1, 4.0)


def test_the_real_clock_is_the_default() -> None:
    assert Pacer().acquire(until=FOREVER, stopped=never) is not None
    assert Buckets().line("", "").acquire(until=FOREVER, stopped=never) is not None
