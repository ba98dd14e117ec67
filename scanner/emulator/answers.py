"""Runs queries for the emulator: on the rows that are in scope and may be read, and on no others, joins included."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from scanner import kql
from scanner.emulator.estate import Entry, Estate, Table
from scanner.emulator.pages import Result
from scanner.emulator.roles import Roles
from scanner.kql.arg import ABSENT, HOMES
from scanner.model import Reason
from scanner.sources.intake import new_file

TIMEOUT = 120.0
"""Seconds for one query."""


class Answers:
    """One engine for one query at a time; what was asked before is answered from a file. Safe to use from several threads.

    Use it as a context manager: it holds a child process.
    """

    def __init__(self, estate: Estate, roles: Roles) -> None:
        self._estate = estate
        self._roles = roles
        self._engine = kql.Engine({}, estate.spool)
        self._lock = threading.Lock()
        self._loaded: frozenset[str] | None = None
        self._tables: dict[frozenset[str], dict[str, Path]] = {}
        self._results: dict[str, Result] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._engine.__exit__(kind, error, trace)

    def ask(self, query: str, subscriptions: frozenset[str]) -> Result:
        """The answer to a query over some subscriptions (lower case).

        Raises kql.KqlProblems for what ARG would refuse, kql.QueryTrouble for what cannot be run here.
        """
        asked = "\0".join([query, *sorted(subscriptions)])
        identity = hashlib.sha256(asked.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        with self._lock:
            known = self._results.get(identity)
        if known is not None:
            return known
        # To read a query takes longer than everything else about a page: once is enough, and others may be served meanwhile.
        accepted = kql.accept(query)
        self._check_collected(accepted)
        with self._lock:
            if identity not in self._results:
                self._results[identity] = self._run(query, accepted, identity, subscriptions)
            return self._results[identity]

    def _check_collected(self, accepted: kql.Accepted) -> None:
        """Refuse types that the snapshot was made without: an empty answer would be a lie. ARG's own is, for types it lacks."""
        for name, asked in accepted.shape.tables.items():
            table = self._estate.tables.get(name)
            held = table.types if table else None
            unseen = asked - held if asked is not None and held is not None else set()
            if missing := sorted(kind for kind in unseen if kind not in ABSENT and HOMES.get(kind, name) == name):
                raise kql.QueryTrouble(Reason.NOT_COLLECTED, f"the snapshot holds no {', '.join(missing)} of {name}")

    def _run(self, query: str, accepted: kql.Accepted, identity: str, subscriptions: frozenset[str]) -> Result:
        if self._loaded != subscriptions:
            self._engine.load(self._filtered(subscriptions))
            self._loaded = subscriptions
        out = self._estate.spool / f"answer-{identity}.ndjson"
        now = self._estate.collected_at
        self._engine.run(query, now=now, key=(), shape=accepted.shape, timeout=TIMEOUT, out=out)
        return Result.over(out, identity=identity, accepted=accepted)

    def _filtered(self, subscriptions: frozenset[str]) -> dict[str, Path]:
        """The tables with the rows of these subscriptions that may be read, and those above all subscriptions."""
        if subscriptions not in self._tables:
            folder = self._estate.spool / f"scope-{len(self._tables)}"
            folder.mkdir(mode=0o700)
            self._tables[subscriptions] = {
                name: self._copied(table, folder / f"{name}.ndjson", subscriptions)
                for name, table in self._estate.tables.items()
            }
        return self._tables[subscriptions]

    def _copied(self, table: Table, path: Path, subscriptions: frozenset[str]) -> Path:
        with new_file(path) as out:
            out.writelines(table.lines(list(self._readable(table, subscriptions))))
        return path

    def _readable(self, table: Table, subscriptions: frozenset[str]) -> Iterator[Entry]:
        """In the order of the file."""
        entries = [entry for home in ("", *subscriptions) for entry in table.entries.get(home, ())]
        for entry in sorted(entries, key=lambda entry: entry.offset):
            if self._roles.may_read(entry.id, entry.type):
                yield entry
