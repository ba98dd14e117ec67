"""HTTP/1.1 over TLS on loopback: reads whole requests, writes whole answers, and leaves what they say to others."""

from __future__ import annotations

import gzip
import socket
import ssl
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

from scanner.emulator.exchange import Reply, Seen, error, route_of

_LAST_SECONDS = 10.0


class Handler(BaseHTTPRequestHandler):
    """The requests of one connection, one after the other."""

    protocol_version = "HTTP/1.1"
    server: Listener

    def setup(self) -> None:
        """Find what the connection shares with the others."""
        super().setup()
        self.closing = self.server.closing
        self.written: Callable[[int], None] = lambda _: None
        self.support = self._correlation = ""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is http.server's
        """Nothing goes to standard error; what came is in `Emulator.seen`."""

    def serve(self) -> None:
        """Read the body and hand the request over."""
        self._correlation = self.headers.get("x-ms-correlation-request-id", "") or str(uuid.uuid4())
        moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        self.support = f"timestamp = {moment}, correlationId = {self._correlation}"
        self.written = lambda _: None
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not (length.isascii() and length.isdigit()):
            self.close_connection = True
            self.write_reply(error(HTTPStatus.LENGTH_REQUIRED, "LengthRequired", "The request must state its length."))
            return
        body = self.rfile.read(int(length))
        self.server.respond(
            self,
            Seen(
                route=route_of(self.path.partition("?")[0]),
                number=0,
                method=self.command,
                path=self.path,
                query=_query(body),
                body=body,
            ),
        )

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = serve  # noqa: N815 - http.server looks for these

    def write_reply(self, reply: Reply) -> None:
        """Write a whole answer, packed where the client takes that; a header whose text is empty is left out."""
        content = reply.content
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Date": self.date_time_string(),
            "x-ms-request-id": str(uuid.uuid4()),
            "x-ms-correlation-request-id": self._correlation,
        }
        if content and "gzip" in self.headers.get("Accept-Encoding", "").lower():
            content = gzip.compress(content, compresslevel=1, mtime=0)
            headers["Content-Encoding"] = "gzip"
        headers |= {"Content-Length": str(len(content))} | ({"Connection": "close"} if self.close_connection else {})
        headers |= reply.headers
        lines = [
            f"HTTP/1.1 {reply.status} {_phrase(reply.status)}",
            *(f"{name}: {text}" for name, text in headers.items() if text),
        ]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        self.written(reply.status)
        # One write: two would wait for each other (Nagle's algorithm and delayed acknowledgements).
        self.wfile.write(head if self.command == "HEAD" else head + content)


def _query(body: bytes) -> str:
    """The KQL of a body, if it has any."""
    with suppress(orjson.JSONDecodeError):
        found = orjson.loads(body)
        if isinstance(found, dict) and isinstance(found.get("query"), str):
            return str(found["query"])
    return ""


def _phrase(status: int) -> str:
    with suppress(ValueError):
        return HTTPStatus(status).phrase
    return "Unknown"


class Listener(ThreadingHTTPServer):
    """A thread for each connection, which also shakes hands, so that a client that dawdles there holds up nobody."""

    daemon_threads = True
    request_queue_size = 128
    respond: Callable[[Handler, Seen], None]

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.closing = threading.Event()
        self._context = context
        self._open: dict[threading.Thread, ssl.SSLSocket] = {}
        self._lock = threading.Lock()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Shake hands and serve the requests of one connection; a client that goes away is no error."""
        try:
            with suppress(OSError), self._wrapped(request) as connection:
                connection.do_handshake()
                self.finish_request(connection, client_address)
        finally:
            self.shutdown_request(request)
            with self._lock:
                self._open.pop(threading.current_thread(), None)

    def _wrapped(self, request: socket.socket) -> ssl.SSLSocket:
        """The connection with TLS on it, where `close` finds it; the handshake is still to come."""
        connection = self._context.wrap_socket(request, server_side=True, do_handshake_on_connect=False)
        with self._lock:
            self._open[threading.current_thread()] = connection
        return connection

    @contextmanager
    def serving(self, respond: Callable[[Handler, Seen], None]) -> Iterator[None]:
        """Let `respond` answer requests until the block ends."""
        self.respond = respond
        acceptor = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        acceptor.start()
        try:
            yield
        finally:
            self._close()
            acceptor.join()

    def _close(self) -> None:
        """Stop listening, end what waits, hang up on every client and wait for the threads."""
        self.closing.set()
        self.shutdown()
        self.server_close()
        with self._lock:
            left = dict(self._open)
        for connection in left.values():
            with suppress(OSError):
                # Below TLS, whose own goodbye would wait for whoever writes.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
        for worker in left:
            worker.join(_LAST_SECONDS)
