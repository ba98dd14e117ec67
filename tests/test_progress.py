"""What people see while Azure is asked."""

from __future__ import annotations

import io
from threading import Event

import pytest

from scanner.cli.progress import Display, Far, line


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("far", "text"),
    [
        (Far(requests=1), "asking Azure what there is (1 requests)"),
        (Far(done=5, total=12, pages=31, rows=28104), "asking Azure: 5 of 12 parts, 31 pages, 28,104 rows"),
        (Far(total=12, seconds=0.9), "asking Azure: 0 of 12 parts, 0 pages, 0 rows"),
        (Far(total=12, seconds=3.4), "asking Azure: 0 of 12 parts, 0 pages, 0 rows, waiting 3 s for quota"),
    ],
)
def test_the_line_says_how_far_it_is(far: Far, text: str) -> None:
    assert line(far) == text


def test_the_line_moves_on_a_terminal_and_leaves_no_trace() -> None:
    stream, looked, enough = Terminal(), [0], Event()

    def look() -> Far:
        looked[0] += 1
        if looked[0] > 2:
            enough.set()
        return Far(done=looked[0], total=9)

    display = Display(stream, quiet=False, verbose=0)
    with display.following(look):
        display.stage("scope: 1 subscription")
        assert enough.wait(30)
    shown = stream.getvalue().split("\r")
    assert [text.split()[2] for text in shown if text.strip()][:2] == ["1", "2"]
    assert "scope" not in stream.getvalue()
    assert not shown[-1]
    assert not shown[-2].strip()


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_elsewhere_and_with_a_log_each_stage_is_a_line(stream: io.StringIO) -> None:
    display = Display(stream, quiet=False, verbose=1)
    with display.following(Far):
        display.stage("asked: 3 of 3 parts")
    assert stream.getvalue() == "arguard: asked: 3 of 3 parts\n"


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_quiet_shows_nothing(stream: io.StringIO) -> None:
    display = Display(stream, quiet=True, verbose=0)
    with display.following(Far):
        display.stage("asked")
    assert stream.getvalue() == ""
