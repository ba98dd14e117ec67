"""Plays a fault on an open connection: other answers, changed answers, and everything below them that can go wrong.

Bytes go straight to the socket, since no HTTP server library can be talked into writing them wrong. Whatever waits ends when
the emulator closes, and whatever is written ends when the client goes.
"""

from __future__ import annotations

import base64
import gzip
import itertools
import re
import socket
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from threading import Event
from typing import BinaryIO, Protocol

import orjson

from scanner.emulator.exchange import Reply
from scanner.emulator.pages import MOST, Place
from scanner.emulator.script import Fault, Headers, Patch, Wire
from scanner.model import Json

_BLANKS = 1 << 20
_BATCH = 64
_FRESH = itertools.count()
_SKIP = re.compile(r"(\$skiptoken=)([0-9]+)")


class Handler(Protocol):
    """What is asked of the server's handler of one request; http.server's has all but `closing` and `write_reply`."""

    close_connection: bool
    closing: Event
    """Set when the emulator closes."""

    @property
    def connection(self) -> socket.socket:
        """The socket, with TLS on it."""
        ...

    @property
    def wfile(self) -> BinaryIO:
        """The stream to the client, unbuffered."""
        ...

    def write_reply(self, reply: Reply) -> None:
        """Write a whole and correct answer."""
        ...


def play(fault: Fault, handler: Handler, make_reply: Callable[[], Reply]) -> None:
    """Answer one request as the fault says. `make_reply` makes the correct answer, and is called where one is needed."""
    action = fault.action
    if not isinstance(action, Wire):
        handler.write_reply(_answer(action, make_reply))
        return
    if action.kind == "delay":
        if not handler.closing.wait(action.seconds):
            handler.write_reply(make_reply())
        return
    handler.close_connection = True
    try:
        _break(action, handler, make_reply)
    except OSError:
        # The client had enough: that is what these faults are about.
        return


def _answer(action: Reply | Patch | Headers, make_reply: Callable[[], Reply]) -> Reply:
    if isinstance(action, Reply):
        return action
    reply = make_reply()
    if isinstance(action, Headers):
        return reply.adding(action.headers)
    return patched(action, reply)


def patched(patch: Patch, reply: Reply) -> Reply:
    """The answer with the changes of a patch; an error stays what it is."""
    body = orjson.loads(reply.content) if reply.status == HTTPStatus.OK else None
    if not isinstance(body, dict):
        return reply
    name = "data" if "data" in body else "value"
    rows = body.get(name)
    if isinstance(rows, list):
        if patch.empty:
            _hold_back(body, name)
        elif patch.repeat_token:
            _lead_back(body, len(rows), fresh=False)
        body[name] = _rows(patch, body[name])
    for member, number in patch.add.items():
        body[member] = body.get(member, 0) + number
    body |= patch.merge
    content = orjson.dumps({member: value for member, value in body.items() if member not in patch.delete})
    for old, new in patch.swap:
        content = content.replace(old, new, 1)
    return Reply(status=reply.status, headers=reply.headers, body=content)


def _hold_back(body: dict[str, Json], name: str) -> None:
    """Make an empty page of one that has a next one."""
    if _lead_back(body, len(body[name]), fresh=True):
        body[name] = []
        if "count" in body:
            body["count"] = 0


def _lead_back(body: dict[str, Json], count: int, *, fresh: bool) -> bool:
    """Make the token or link of a page of `count` rows lead to this page; whether it has one.

    The token is the one that this page was asked for with, or a `fresh` one, told apart by a page size that is not used.
    """
    if token := body.get("$skipToken"):
        result, offset, top, _ = base64.urlsafe_b64decode(token).decode().split(" ")
        size = 1 + next(_FRESH) % MOST if fresh else int(top)
        body["$skipToken"] = Place(offset=int(offset) - count, top=size).token(result)
        return True
    if link := body.get("nextLink"):
        zeros = "0" * (1 + next(_FRESH) % MOST) if fresh else ""
        body["nextLink"] = _SKIP.sub(lambda match: f"{match[1]}{zeros}{int(match[2]) - count}", link)
        return True
    return False


def _rows(patch: Patch, rows: list[Json]) -> Json:
    found = list(rows)
    if patch.repeat_row is not None:
        found += rows[patch.repeat_row : patch.repeat_row + 1]
    if patch.drop_row is not None:
        del found[patch.drop_row : patch.drop_row + 1]
    return _table(found) if patch.table else found


def _table(rows: list[Json]) -> Json:
    """The rows in the form that a client gets that asks for `table`."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = [
        {"name": name, "type": _type(next((row[name] for row in rows if row.get(name) is not None), ""))} for name in names
    ]
    return {"columns": columns, "rows": [[row.get(name) for name in names] for row in rows]}


def _type(value: Json) -> str:
    words = {str: "string", bool: "boolean", int: "integer", float: "number"}
    return words.get(type(value), "object")


def _break(wire: Wire, handler: Handler, make_reply: Callable[[], Reply]) -> None:
    if wire.kind == "gzip_bomb":
        handler.wfile.write(_head(Reply(), {"Content-Encoding": "gzip"}))
        handler.wfile.writelines(bomb(wire.size))
    elif wire.kind == "slow":
        _slowly(wire, handler, make_reply())
    elif wire.kind in ("reset", "stall"):
        handler.wfile.write(_up_to(wire, make_reply()))
        if wire.kind == "reset":
            _reset(handler)
        else:
            handler.closing.wait()
    else:
        handler.wfile.write(_FRAMES[wire.kind](make_reply()))


def _up_to(wire: Wire, reply: Reply) -> bytes:
    """What is sent before the trouble begins."""
    if wire.where == "request":
        return b""
    head = _head(reply, {"Content-Length": str(len(reply.content))})
    return head if wire.where == "headers" else head + reply.content[: len(reply.content) // 2]


def _reset(handler: Handler) -> None:
    """End the connection with RST: no FIN, no goodbye of TLS, which closing it the usual way would send."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    socket.close(handler.connection.detach())


def _slowly(wire: Wire, handler: Handler, reply: Reply) -> None:
    head = _head(reply, {"Content-Length": str(len(reply.content))})
    at_once, slow = (b"", head + reply.content) if wire.where == "headers" else (head, reply.content)
    handler.wfile.write(at_once)
    for number in range(len(slow)):
        handler.wfile.write(slow[number : number + 1])
        if handler.closing.wait(wire.seconds):
            return


def _head(reply: Reply, headers: Mapping[str, str]) -> bytes:
    every = {"Content-Type": "application/json; charset=utf-8", **reply.headers, **headers, "Connection": "close"}
    lines = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}", *(f"{name}: {text}" for name, text in every.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _short_body(reply: Reply) -> bytes:
    return _head(reply, {"Content-Length": str(len(reply.content))}) + reply.content[: len(reply.content) // 2]


def _cut_chunk(reply: Reply) -> bytes:
    chunk = b"%x\r\n%b\r\n" % (len(reply.content), reply.content)
    return _head(reply, {"Transfer-Encoding": "chunked"}) + chunk


def _cut_gzip(reply: Reply) -> bytes:
    packed = gzip.compress(reply.content)
    return _packed(reply, packed[: len(packed) // 2])


def _bad_crc(reply: Reply) -> bytes:
    packed = bytearray(gzip.compress(reply.content))
    packed[-8] ^= 0xFF
    return _packed(reply, bytes(packed))


def _packed(reply: Reply, body: bytes) -> bytes:
    return _head(reply, {"Content-Encoding": "gzip", "Content-Length": str(len(body))}) + body


_FRAMES: Mapping[str, Callable[[Reply], bytes]] = {
    "short_body": _short_body,
    "cut_chunk": _cut_chunk,
    "cut_gzip": _cut_gzip,
    "bad_crc": _bad_crc,
}


def bomb(size: int) -> Iterator[bytes]:
    """A gzip file of `size` blanks in pieces of less than 128 KiB; nobody who reads so far finds its checksum right."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = packer.compress(b" " * _BLANKS) + packer.flush(zlib.Z_FULL_FLUSH)
    yield b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"
    whole, rest = divmod(size, _BLANKS)
    for first in range(0, whole, _BATCH):
        # After a full flush nothing refers back, so that the same bytes mean another mebibyte of blanks.
        yield block * min(_BATCH, whole - first)
    yield packer.compress(b" " * rest) + packer.flush() + struct.pack("<LL", 0, size & 0xFFFFFFFF)
