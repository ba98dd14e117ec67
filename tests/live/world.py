"""Whole live scans in one process: the real command line and the real Azure SDK, over TLS, against the emulator.

Time is invented unless a test is about real waits: a wait moves the clock and returns, so that six attempts take no time.
While a request is under way the clock stands, or whoever looks for its reply would wear out everybody's patience meanwhile.
"""

from __future__ import annotations

import hashlib
import io
import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from scanner.cli import live, main
from scanner.emulator.estate import Estate
from scanner.emulator.exchange import Seen
from scanner.emulator.quota import Quota
from scanner.emulator.roles import Roles
from scanner.emulator.script import Fault, Headers
from scanner.emulator.server import Emulator, serve
from scanner.sources.azure.calls import Caller
from scanner.sources.azure.wire import Timing

POPULATIONS = 10
"""Queries of the bundled pack that its policies need when none is selected."""
KEPT = POPULATIONS + 1
"""Those that are collected: what policies with evidence ask besides is kept for them."""
DATE = {"Date": "Fri, 20 Nov 2026 06:00:00 GMT"}
"""The moment of the estates that the tests share."""
MOMENT = Fault(route="subscriptions", action=Headers(headers=DATE))
"""Lets the first answer say that it is that time: live ages are then as old as the estate's own."""


class InventedTime:
    """A clock that moves only while every call waits, to the first moment for which one of them waits: real work takes no time.

    `waits` are all waits in seconds, the looks of the pacer among them.
    """

    def __init__(self) -> None:
        self.now = 1000.0
        self.waits: list[float] = []
        self._random = random.Random(7)  # noqa: S311 - jitter, not a secret
        self._changed = threading.Condition()
        self._calling: set[int] = set()
        self._until: dict[int, float] = {}

    def sleep(self, seconds: float) -> None:
        me = threading.get_ident()
        with self._changed:
            self.waits.append(seconds)
            self._until[me] = end = self.now + seconds
            self._changed.notify_all()
            while self.now < end:
                if self._calling <= self._until.keys() and end == min(self._until.values()):
                    self.now = end
                else:
                    self._changed.wait()
            del self._until[me]
            self._changed.notify_all()

    def during(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, known as a call while it runs."""

        def known(*arguments: Any) -> Any:
            me = threading.get_ident()
            with self._changed:
                self._calling.add(me)
            try:
                return call(*arguments)
            finally:
                with self._changed:
                    self._calling.discard(me)
                    self._changed.notify_all()

        return known

    def timing(self) -> Timing:
        return Timing(clock=lambda: self.now, sleep=self.sleep, random=self._random.random)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a live scan left: exit code, native result, both streams, what the emulator was asked, how long was waited."""

    exit_code: int
    lines: Sequence[Mapping[str, Any]]
    stdout: str
    stderr: str
    seen: Sequence[Seen]
    waits: Sequence[float]

    def of(self, kind: str, policy: str = "") -> list[Mapping[str, Any]]:
        return [line for line in self.lines if line["kind"] == kind and policy in ("", line.get("policy", line.get("id")))]

    def results(self) -> dict[str, str]:
        """The outcome of each policy that was asked."""
        return {line["policy"]: line["result"] for line in self.of("summary") if line["result"] != "not_asked"}

    def counts(self, policy: str) -> dict[str, int]:
        return dict(Counter(line["verdict"] for line in self.of("verdict", policy)))

    def gaps(self, policy: str = "") -> set[tuple[str, str, str]]:
        """Reason, subscription and text of every gap."""
        return {(line["reason"], line["subscription"], line["text"]) for line in self.of("gap", policy)}

    def passes(self) -> set[tuple[str, str, str]]:
        """Every verdict that says compliant: policy, id, subject."""
        return {(one["policy"], one["id"], one["subject"]) for one in self.of("verdict") if one["verdict"] == "pass"}

    def asked(self, route: str, contains: str = "") -> list[Seen]:
        """The requests of a route whose path or query text holds a text."""
        text = contains.lower()
        return [one for one in self.seen if one.route == route and (text in one.path.lower() or text in one.query.lower())]


@contextmanager
def emulating(estate: Path, **told: Any) -> Iterator[Emulator]:
    """An emulator over an estate; `told` goes to `serve`."""
    with TemporaryDirectory() as spool, serve(Estate.open(estate, Path(spool)), **told) as emulator:
        yield emulator


@dataclass(frozen=True, slots=True)
class Stage:
    """A running emulator that many scans ask, one after the other; its estate is loaded once, and queries are run once."""

    emulator: Emulator

    def scan(
        self,
        *arguments: str,
        faults: Iterable[Fault] = (),
        environment: Mapping[str, str] | None = None,
        real_time: bool = False,
        invented: InventedTime | None = None,
    ) -> Run:
        """`arguard scan <arguments>`; see `scan_live`. `invented` is for tests that look at its clock."""
        self.emulator.restart([*faults, MOMENT])
        known = {
            "ARGUARD_ENDPOINT": self.emulator.url,
            "ARGUARD_TOKEN": self.emulator.token,
            "REQUESTS_CA_BUNDLE": str(self.emulator.ca),
        }
        told = {**known, **(environment or {})}
        run = command(*_scoped(arguments), environment=told, real_time=real_time, invented=invented)
        return replace(run, seen=self.emulator.seen)


def scan_live(  # noqa: PLR0913 - everything that a test may want to be otherwise
    estate: Path,
    *arguments: str,
    faults: Iterable[Fault] = (),
    roles: Roles | None = None,
    quota: Quota | None = None,
    page: int = 100,
    environment: Mapping[str, str] | None = None,
    real_time: bool = False,
    expired: bool = False,
) -> Run:
    """`arguard scan <arguments>` against an emulator; without a scope among the arguments, `--all`.

    `environment` is set last, so that it can point elsewhere than to the emulator.
    """
    with emulating(estate, roles=roles, quota=quota, page=page, expired=expired) as emulator:
        return Stage(emulator).scan(*arguments, faults=faults, environment=environment, real_time=real_time)


def command(
    *arguments: str, environment: Mapping[str, str], real_time: bool = False, invented: InventedTime | None = None
) -> Run:
    """Any scan, with an environment; its native result goes to a file."""
    invented = invented or InventedTime()
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        result = Path(folder) / "result.ndjson"
        for name, value in environment.items():
            patch.setenv(name, value)
        if not real_time:
            patch.setattr(live, "real_timing", lambda _stop: invented.timing())
            patch.setattr(Caller, "call", invented.during(Caller.call))
        with redirect_stdout(out), redirect_stderr(err):
            code = main(["scan", *arguments, "-o", f"native={result}"])
        native = result.read_bytes() if result.exists() else b""
    lines = expect_sound(native, _text(out) + _text(err), environment.get("ARGUARD_TOKEN", "no token"))
    return Run(exit_code=code, lines=lines, stdout=_text(out), stderr=_text(err), seen=(), waits=invented.waits)


def expect_sound(native: bytes, printed: str, token: str) -> list[dict[str, Any]]:
    """What holds of every scan, whatever went wrong: no secret, no traceback, a native result that is whole. Its lines."""
    everything = printed + native.decode()
    assert token not in everything
    assert "Bearer" not in everything
    assert "Traceback" not in everything
    raw = native.splitlines(keepends=True)
    lines = [json.loads(line) for line in raw]
    if lines:
        at = [line["kind"] for line in lines].index("decision")
        assert lines[at]["sha256"] == hashlib.sha256(b"".join(raw[:at])).hexdigest()
        assert {line["kind"] for line in lines[at + 1 :]} <= {"trace"}
        assert native.endswith(b"\n")
    return lines


def _text(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()


def _scoped(arguments: Sequence[str]) -> Sequence[str]:
    given = any(one.split("=")[0] in {"--all", "--subscription", "--management-group"} for one in arguments)
    return arguments if given else [*arguments, "--all"]
