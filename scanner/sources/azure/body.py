"""The body of an answer: decompressed within bounds, and proven to be whole.

The SDK's own decompression is not used: where a gzip stream ends early it hands over what there is, without a word.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from scanner.sources.azure.wire import Lost

STEP = 1 << 20
"""Bytes that are inflated at a time, so that a bomb is noticed long before it has filled the memory."""
_GZIP = 16 + zlib.MAX_WBITS
"""The window bits that make zlib read a gzip header and check the CRC at the end (zlib manual, inflateInit2)."""


def whole(chunks: Iterable[bytes], *, encoding: str, cap: int) -> bytes:
    """All bytes of a body. Raises Lost: "size" for more than `cap` bytes, compressed or not; "cut" for fewer than were sent."""
    pieces: list[bytes] = []
    size = 0
    for piece in _decoded(_capped(chunks, cap), encoding):
        size += len(piece)
        if size > cap:
            raise Lost("size", "AnswerTooLarge")
        pieces.append(piece)
    return b"".join(pieces)


def beginning(chunks: Iterable[bytes], *, encoding: str, cap: int) -> bytes:
    """The first `cap` bytes of a body, or as many as arrive: for replies whose status already says enough."""
    held = bytearray()
    try:
        for piece in _decoded(_capped(chunks, cap + STEP), encoding):
            held += piece
            if len(held) >= cap:
                break
    except Exception:  # noqa: BLE001 - whatever ended the body, the status of the reply stands
        return bytes(held[:cap])
    return bytes(held[:cap])


def _capped(chunks: Iterable[bytes], cap: int) -> Iterator[bytes]:
    """The chunks, as long as they are at most `cap` bytes: also what inflates to nothing may not go on for ever."""
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > cap:
            raise Lost("size", "AnswerTooLarge")
        yield chunk


def _decoded(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    if encoding in {"", "identity"}:
        yield from chunks
    elif encoding in {"gzip", "x-gzip"}:
        yield from _inflated(chunks)
    else:
        raise Lost("cut", "EncodingUnknown")


def _inflated(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Inflate one gzip member after the other; the last one must have ended, with the right CRC."""
    inflater = zlib.decompressobj(_GZIP)
    try:
        for chunk in chunks:
            rest = chunk
            while rest:
                if inflater.eof:
                    inflater = zlib.decompressobj(_GZIP)
                yield inflater.decompress(rest, STEP)
                rest = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
        yield inflater.flush()
    except zlib.error as error:
        raise Lost("cut", "AnswerCut") from error
    if not inflater.eof:
        raise Lost("cut", "AnswerCut")
