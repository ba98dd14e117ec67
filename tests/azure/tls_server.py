"""A TLS server on loopback that says exactly the bytes it is told to, and remembers what it was asked."""

from __future__ import annotations

import gzip
import socket
import socketserver
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

import trustme


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request: its number from 1, and what it held; header names in lower case."""

    number: int
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """Bytes to say, and what becomes of the connection then; `stall` keeps it open and silent until the server ends."""

    data: bytes = b""
    then: Literal["keep", "close", "reset", "stall"] = "keep"


Script = Callable[[Received], Wire]


@dataclass(kw_only=True)
class Served:
    """A running server: its address, and what it received, in order."""

    endpoint: str
    port: int
    received: list[Received] = field(default_factory=list)
    connections: list[int] = field(default_factory=list)


@cache
def authority() -> trustme.CA:
    """The one certificate authority of a test run: making keys takes time."""
    return trustme.CA()


def write_ca(folder: Path) -> str:
    """The file that REQUESTS_CA_BUNDLE names so that the server is trusted."""
    file = folder / "ca.pem"
    authority().cert_pem.write_to_path(str(file))
    return str(file)


def reply(status: int = 200, body: bytes = b"{}", *, zipped: bool = False, headers: Mapping[str, str] | None = None) -> Wire:
    """An ordinary reply with its length."""
    sent = gzip.compress(body) if zipped else body
    extra = {"Content-Encoding": "gzip"} if zipped else {}
    return Wire(data=head(status, {"Content-Length": str(len(sent)), **extra, **(headers or {})}) + sent)


def head(status: int, headers: Mapping[str, str]) -> bytes:
    """A status line and headers, ready for a body."""
    lines = [f"HTTP/1.1 {status} Said", "Content-Type: application/json", *(f"{name}: {headers[name]}" for name in headers)]
    return "\r\n".join([*lines, "", ""]).encode()


@contextmanager
def serving(script: Script, *, host: str = "localhost", trusted: trustme.CA | None = None) -> Iterator[Served]:
    """Serve while the block runs; `host` is the name on the certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (trusted or authority()).issue_cert(host).configure_cert(context)
    ended, lock = threading.Event(), threading.Lock()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with lock:
                served.connections.append(self.client_address[1])
            try:
                with context.wrap_socket(self.request, server_side=True) as peer:
                    _converse(peer, script, served, lock=lock, ended=ended)
            except OSError:  # the client went away, as it may
                return

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        port = server.server_address[1]
        served = Served(endpoint=f"https://localhost:{port}", port=port)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield served
        finally:
            ended.set()
            server.shutdown()
            thread.join()


def _converse(peer: ssl.SSLSocket, script: Script, served: Served, *, lock: threading.Lock, ended: threading.Event) -> None:
    held = b""
    while True:
        while b"\r\n\r\n" not in held:
            more = peer.recv(65536)
            if not more:
                return
            held += more
        top, _, held = held.partition(b"\r\n\r\n")
        first, *lines = top.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", "0"))
        while len(held) < length:
            held += peer.recv(65536)
        body, held = held[:length], held[length:]
        method, path, _ = first.split(" ")
        with lock:
            one = Received(number=len(served.received) + 1, method=method, path=path, headers=headers, body=body)
            served.received.append(one)
        said = script(one)
        peer.sendall(said.data)
        if said.then == "stall":
            ended.wait(30)
        if said.then == "reset":
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if said.then != "keep":
            return
