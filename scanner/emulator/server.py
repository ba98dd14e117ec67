"""Starts the emulator and keeps the record of what it was asked."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from secrets import token_urlsafe
from typing import cast

from scanner.emulator import misbehave
from scanner.emulator.answers import Answers
from scanner.emulator.arm import Arm
from scanner.emulator.certificates import issue
from scanner.emulator.estate import Estate
from scanner.emulator.exchange import Reply, Seen
from scanner.emulator.graph import Graph
from scanner.emulator.listener import Handler, Listener
from scanner.emulator.quota import Meter, Quota
from scanner.emulator.roles import Roles
from scanner.emulator.script import Fault, Script
from scanner.emulator.service import Service


class Emulator:
    """A running emulator: where it is, whom clients must trust, the one token it takes, and everything it was asked."""

    def __init__(self, *, url: str, ca: Path, watch: Callable[[Seen], object], faults: Iterable[Fault] = ()) -> None:
        self.url = url
        self.ca = ca
        self.token = f"emulator-{token_urlsafe(24)}"
        self.script = Script(faults)
        self._watch = watch
        self._seen: dict[tuple[str, int], Seen] = {}
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    @property
    def seen(self) -> list[Seen]:
        """Every request so far, in the order in which they came."""
        with self._lock:
            return list(self._seen.values())

    def restart(self, faults: Iterable[Fault] = ()) -> None:
        """Play other faults from now on, counted from 1, and forget what was asked before; the estate stays loaded.

        What is still being answered then is forgotten too.
        """
        with self._lock:
            self.script = Script(faults)
            self._seen.clear()
            self._counts.clear()

    def note(self, seen: Seen) -> Seen:
        """Take note of a request; handed back with its number."""
        with self._lock:
            self._counts[seen.route] += 1
            numbered = replace(seen, number=self._counts[seen.route])
            self._seen[numbered.route, numbered.number] = numbered
        return numbered

    def answered(self, seen: Seen, status: int) -> None:
        """Take note of the status that a request was answered with, and tell whoever watches; not of what is forgotten."""
        done = replace(seen, status=status)
        with self._lock:
            known = self._seen.get((seen.route, seen.number))
            if known is None or replace(known, status=seen.status) != seen:
                return
            self._seen[seen.route, seen.number] = done
        self._watch(done)


def _silent(seen: Seen) -> None:
    """Nobody watches."""


@contextmanager
def serve(  # noqa: PLR0913 - what an emulator can be told, all of it optional
    estate: Estate,
    *,
    port: int = 0,
    quota: Quota | None = None,
    latency: float = 0.0,
    faults: Iterable[Fault] = (),
    roles: Roles | None = None,
    clock: Callable[[], float] = time.monotonic,
    expired: bool = False,
    page: int = 100,
    watch: Callable[[Seen], object] = _silent,
) -> Iterator[Emulator]:
    """Serve an estate on https://localhost until the block ends; port 0 takes a free one.

    `latency` is added to each answer, in seconds; `clock` times the quota and `Seen.at`; `expired` serves with a certificate
    that ran out; `page` is the size of ARM's pages; `watch` is told of each answered request, in the thread that answers it.
    Without `roles` the identity reads everything. Raises OSError where the port is taken.
    """
    certificates = issue(estate.spool, expired=expired)
    held = roles or Roles()
    with Answers(estate, held) as answers, Listener(port, certificates.context) as listener:
        url = f"https://localhost:{listener.server_address[1]}"
        emulator = Emulator(url=url, ca=certificates.ca, watch=watch, faults=faults)
        service = Service(
            graph=Graph(estate=estate, roles=held, answers=answers),
            arm=Arm(estate=estate, roles=held, endpoint=emulator.url, page=page),
            meter=Meter(quota, clock),
            token=emulator.token,
        )

        def respond(handler: Handler, seen: Seen) -> None:
            noted = emulator.note(replace(seen, at=clock()))
            if latency:
                handler.closing.wait(latency)
            _respond(handler, noted, emulator=emulator, service=service)

        with listener.serving(respond):
            yield emulator


def _respond(handler: Handler, seen: Seen, *, emulator: Emulator, service: Service) -> None:
    """Answer one request, or let a fault have it."""
    handler.written = lambda status: emulator.answered(seen, status)
    authorization = handler.headers.get("Authorization", "")

    def correct() -> Reply:
        return service.reply(seen, authorization, support=handler.support)

    fault = emulator.script.pick(seen)
    if fault is None:
        handler.write_reply(correct())
    else:
        # http.server gives its stream a narrower type than the one it has.
        misbehave.play(fault, cast("misbehave.Handler", handler), correct)
