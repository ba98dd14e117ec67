"""Emulators over estates that tests describe, and a plain HTTP client for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import urllib3

from scanner.emulator.estate import Estate
from scanner.emulator.server import Emulator, serve
from scanner.model import Json

ROOT = Path(__file__).resolve().parents[2]
CONTOSO = ROOT / "examples" / "contoso"
PROD = "1c0507aa-6f2e-4d0b-8a11-3e5b9d7c0001"
DEV = "2c0507aa-6f2e-4d0b-8a11-3e5b9d7c0002"
DR = "3c0507aa-6f2e-4d0b-8a11-3e5b9d7c0003"
GRAPH = "/providers/Microsoft.ResourceGraph/resources?api-version=2024-04-01"


class Client:
    """One user of an emulator, with its token unless told otherwise; nothing is retried or followed."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.pool = urllib3.PoolManager(ca_certs=str(emulator.ca), maxsize=4)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.pool.clear()

    def send(self, method: str, path: str, headers: Mapping[str, str] | None = None, **more: Any) -> urllib3.BaseHTTPResponse:
        given = {"Authorization": f"Bearer {self.emulator.token}"} if headers is None else headers
        return self.pool.request(method, self.emulator.url + path, headers=given, retries=False, **more)

    def ask(self, query: str, options: Mapping[str, Json] | None = None, **members: Json) -> urllib3.BaseHTTPResponse:
        """One request to Resource Graph; `options` and `members` are those of its body."""
        return self.send("POST", GRAPH, json={"query": query, "options": dict(options or {}), **members})

    def page(self, query: str, options: Mapping[str, Json] | None = None, **members: Json) -> dict[str, Any]:
        """The body of an answer that is right."""
        reply = self.ask(query, options, **members)
        assert reply.status == 200, reply.data
        body: dict[str, Any] = reply.json()
        return body

    def refusal(self, query: str, options: Mapping[str, Json] | None = None, **members: Json) -> tuple[int, list[Any]]:
        """The status and the details of an answer that is not."""
        reply = self.ask(query, options, **members)
        return reply.status, reply.json()["error"]["details"]


@contextmanager
def emulated(folder: Path, spool: Path, **told: Any) -> Iterator[Client]:
    """A client of an emulator over a snapshot; `told` goes to `serve`."""
    spool.mkdir(mode=0o700, exist_ok=True)
    with serve(Estate.open(folder, spool), **told) as emulator, Client(emulator) as client:
        yield client
