"""Calls that are left behind when they are late."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from scanner.sources.azure.bounded import Late, bounded

ROOT = Path(__file__).resolve().parents[2]


def test_the_result_is_returned_from_another_thread() -> None:
    assert bounded(threading.get_ident, 60) != threading.get_ident()


@pytest.mark.parametrize("error", [ValueError("odd"), KeyboardInterrupt(), SystemExit(3), RecursionError()])
def test_whatever_is_raised_is_raised_here(error: BaseException) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(type(error)) as raised:
        bounded(fail, 60)
    assert raised.value is error


def test_a_late_call_is_left_behind_and_its_end_is_not_heard() -> None:
    release, ended = threading.Event(), threading.Event()

    def stall() -> None:
        release.wait()
        ended.set()

    with pytest.raises(TimeoutError):
        bounded(stall, 0.01)
    assert not ended.is_set()
    release.set()
    assert ended.wait(60)
    assert bounded(lambda: "next", 60) == "next"


def test_a_call_that_nobody_wants_any_more_ends_before_its_time() -> None:
    release, given_up = threading.Event(), threading.Event()
    given_up.set()
    with pytest.raises(Late):
        bounded(release.wait, 3600, given_up=given_up.is_set)
    release.set()


def test_a_time_out_of_the_function_itself_is_not_lateness() -> None:
    def fail() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError) as raised:
        bounded(fail, 60)
    assert not isinstance(raised.value, Late)


def test_many_at_once_do_not_wait_for_each_other() -> None:
    meeting = threading.Barrier(20)
    results: list[int] = []

    def enter() -> None:
        results.append(bounded(lambda: meeting.wait(60), 60))

    threads = [threading.Thread(target=enter) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == list(range(20))


def test_calls_in_a_row_share_threads() -> None:
    idents = {bounded(threading.get_ident, 60) for _ in range(200)}
    assert len(idents) < 100


def test_a_thread_that_was_left_behind_does_not_keep_the_process_alive() -> None:
    program = """
import threading
from scanner.sources.azure.bounded import bounded
try:
    bounded(threading.Event().wait, 0.01)
except TimeoutError:
    print("late")
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "late\n"
