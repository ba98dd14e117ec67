"""Bodies: whole or not at all, within bounds."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.sources.azure.body import STEP, beginning, whole
from scanner.sources.azure.wire import Lost

CAP = 1 << 16


def in_chunks(data: bytes, size: int) -> Iterator[bytes]:
    yield from (data[at : at + size] for at in range(0, len(data), size))


def failure(data: bytes, *, encoding: str = "gzip", cap: int = CAP) -> tuple[str, str]:
    with pytest.raises(Lost) as told:
        whole(in_chunks(data, 999), encoding=encoding, cap=cap)
    return told.value.kind, told.value.text


@given(st.lists(st.binary(max_size=500), min_size=1, max_size=4), st.integers(1, 700))
def test_any_body_in_any_chunks_comes_back_as_it_was(members: list[bytes], size: int) -> None:
    data = b"".join(members)
    zipped = b"".join(gzip.compress(one) for one in members)
    assert whole(in_chunks(data, size), encoding="", cap=CAP) == data
    assert whole(in_chunks(data, size), encoding="identity", cap=CAP) == data
    assert whole(in_chunks(zipped, size), encoding="gzip", cap=CAP) == data
    assert whole(in_chunks(zipped, size), encoding="x-gzip", cap=CAP) == data


@given(st.binary(min_size=1, max_size=300), st.data())
def test_a_gzip_body_that_ends_early_is_never_taken_for_whole(body: bytes, data: st.DataObject) -> None:
    zipped = gzip.compress(body)
    kept = data.draw(st.integers(0, len(zipped) - 1))
    assert failure(zipped[:kept]) == ("cut", "AnswerCut")


@given(st.binary(min_size=1, max_size=300), st.integers(1, 8))
def test_a_wrong_crc_or_length_is_noticed(body: bytes, from_end: int) -> None:
    zipped = bytearray(gzip.compress(body))
    zipped[-from_end] ^= 0x55
    assert failure(bytes(zipped)) == ("cut", "AnswerCut")


def test_what_follows_the_last_member_is_not_ignored() -> None:
    assert failure(gzip.compress(b"{}") + b"<html>") == ("cut", "AnswerCut")


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip"])
def test_an_encoding_that_was_not_asked_for_is_no_answer(encoding: str) -> None:
    assert failure(b"anything", encoding=encoding) == ("cut", "EncodingUnknown")


@pytest.mark.parametrize("over", [0, 1])
def test_the_cap_is_exact(over: int) -> None:
    body = b"x" * (CAP + over)
    for data, encoding in ((body, ""), (gzip.compress(body), "gzip")):
        if over:
            assert failure(data, encoding=encoding) == ("size", "AnswerTooLarge")
        else:
            assert whole(in_chunks(data, 999), encoding=encoding, cap=CAP) == body


def test_what_inflates_to_nothing_may_not_go_on_for_ever() -> None:
    def for_ever() -> Iterator[bytes]:
        while True:
            yield gzip.compress(b"")

    with pytest.raises(Lost, match="AnswerTooLarge"):
        whole(for_ever(), encoding="gzip", cap=CAP)


def test_a_bomb_is_noticed_before_it_fills_the_memory() -> None:
    bomb = zlib.compressobj(1, zlib.DEFLATED, 31)
    zipped = b"".join([*(bomb.compress(bytes(STEP)) for _ in range(256)), bomb.flush()])
    assert len(zipped) < 2 * STEP
    tracemalloc.start()
    try:
        with pytest.raises(Lost, match="AnswerTooLarge"):
            whole(iter([zipped]), encoding="gzip", cap=4 * STEP)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10 * STEP


def test_the_beginning_stops_at_the_cap_and_survives_any_end() -> None:
    body = b"".join(b"%d," % number for number in range(5000))
    zipped = gzip.compress(body)

    def broken() -> Iterator[bytes]:
        yield b"abc"
        raise OSError("gone")

    assert beginning(in_chunks(body, 100), encoding="", cap=250) == body[:250]
    assert beginning(in_chunks(body, 100), encoding="", cap=CAP) == body
    assert beginning(in_chunks(zipped, 100), encoding="gzip", cap=CAP) == body
    assert body.startswith(beginning(in_chunks(zipped[:2000], 100), encoding="gzip", cap=CAP))
    assert beginning(broken(), encoding="", cap=CAP) == b"abc"
    assert beginning(iter([b"abc"]), encoding="br", cap=CAP) == b""
