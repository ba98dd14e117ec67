"""Everything that a collection has read so far, in one private file, so that a killed collection can go on.

A part (one question to one batch of subscriptions) counts only once it is finished: whatever unfinished parts left behind
is dropped when the file is opened again, and so are parts that ended in a gap, because asking again may close it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self

import orjson

from scanner.errors import OutputError, UsageError
from scanner.model import Gap, Json, Reason, Scope, Subscription
from scanner.sources.azure.wire import Outcome, Sink

NAME = "work.sqlite"
RESUMABLE = timedelta(hours=6)
"""How old a collection may be to go on with: its rows are all judged as of the time it began."""

_VERSION = 1
_TABLES = {
    "meta": "name TEXT PRIMARY KEY, value BLOB",
    "part": "question TEXT, number INTEGER, outcome BLOB, PRIMARY KEY (question, number)",
    "sink": "id INTEGER PRIMARY KEY, question TEXT, number INTEGER",
    "row": "sink INTEGER, key TEXT, line BLOB, PRIMARY KEY (sink, key)",
}
_DROP_UNFINISHED = (
    "DELETE FROM part WHERE json_array_length(CAST(outcome AS TEXT), '$.gaps') > 0",
    "DELETE FROM sink WHERE NOT EXISTS (SELECT 1 FROM part WHERE part.question = sink.question AND part.number = sink.number)",
    "DELETE FROM row WHERE sink NOT IN (SELECT id FROM sink)",
)
_FORGET = (
    "DELETE FROM row WHERE sink IN (SELECT id FROM sink WHERE question = ? AND number = ?)",
    "DELETE FROM sink WHERE question = ? AND number = ?",
    "DELETE FROM part WHERE question = ? AND number = ?",
)
_LINES = (
    "SELECT row.key, row.line FROM row JOIN sink ON sink.id = row.sink"
    " JOIN part ON part.question = sink.question AND part.number = sink.number"
    " WHERE sink.question = ? ORDER BY id_of(row.line), row.key, row.line"
)


class Late(Exception):
    """The collection is over; whoever still reads has nobody to read for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What every part of a collection stands on: the time that `now()` means, and the expected subscriptions.

    `whole` is false where a list of the scope failed, so that a resumed collection looks for the scope again.
    """

    collected_at: datetime
    scope: Scope
    whole: bool


class Work:
    """The file of one collection (mode 0600). Safe to use from several threads; one process at a time can have it open.

    Raises UsageError where another process has it, and OutputError, from every method, where the disk refuses.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self.resumed = False
        self._lock = Lock()
        self._sealed = False
        with self._told():
            self.path.touch(mode=0o600)
            self._database = _connect(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def begin(self, meta: Mapping[str, Json], *, now: datetime, resume: bool) -> None:
        """Go on with what lies here if it is the same collection, less than `RESUMABLE` old, and `resume`; else start anew.

        `meta` is the identity of the collection: whatever makes stored parts answers to the same questions.
        """
        identity = orjson.dumps(meta, option=orjson.OPT_SORT_KEYS)
        with self._change() as database:
            (version,) = database.execute("PRAGMA user_version").fetchone()
            ground = self._ground() if version == _VERSION and self._meta("identity") == identity else None
            self.resumed = resume and ground is not None and abs(now - ground.collected_at) < RESUMABLE
            if self.resumed:
                _execute(database, _DROP_UNFINISHED)
                return
            for name, columns in _TABLES.items():
                _execute(database, (f"DROP TABLE IF EXISTS {name}", f"CREATE TABLE {name} ({columns})"))
            database.execute("INSERT INTO meta VALUES ('identity', ?)", (identity,))
            database.execute(f"PRAGMA user_version = {_VERSION}")

    def ground(self) -> Ground | None:
        """What the parts stand on; None before `keep`."""
        with self._lock, self._told():
            return self._ground()

    def keep(self, ground: Ground) -> None:
        """Set what the parts stand on. Parts that were read for other subscriptions are dropped."""
        with self._change() as database:
            before = self._ground()
            if before is not None and before.scope.expected != ground.scope.expected:
                _execute(database, ("DELETE FROM part", "DELETE FROM sink", "DELETE FROM row"))
            value = orjson.dumps({**asdict(ground), "collected_at": ground.collected_at.isoformat()})
            database.execute("INSERT OR REPLACE INTO meta VALUES ('ground', ?)", (value,))

    def noted(self, name: str) -> Json:
        """What was noted under a name; None for nothing."""
        with self._lock, self._told():
            value = self._meta(f"note {name}")
        return orjson.loads(value) if value else None

    def note(self, name: str, value: Json) -> None:
        """Note something that outlives a kill, in place of what was noted before."""
        with self._change() as database:
            database.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (f"note {name}", orjson.dumps(value)))

    def open_sink(self, question: str, number: int) -> Sink:
        """A new place for rows of a part; several sinks of one part count together once it is finished."""
        with self._change() as database:
            row = database.execute("INSERT INTO sink (question, number) VALUES (?, ?)", (question, number)).lastrowid
        assert row is not None
        return _WorkSink(self, row)

    def finish(self, question: str, number: int, outcome: Outcome) -> None:
        """Declare a part finished: from now on its rows and its outcome count."""
        gaps = [[gap.reason, gap.subscription, gap.text] for gap in sorted(outcome.gaps)]
        value = {"answered": sorted(outcome.answered), "gaps": gaps, "pages": outcome.pages, "rows": outcome.rows}
        with self._change() as database:
            database.execute("INSERT OR REPLACE INTO part VALUES (?, ?, ?)", (question, number, orjson.dumps(value)))

    def forget(self, question: str, number: int) -> None:
        """Drop a part with its rows, finished or not: it is to be read again."""
        with self._change() as database:
            for statement in _FORGET:
                database.execute(statement, (question, number))

    def finished(self, question: str, number: int) -> Outcome | None:
        """The outcome of a part; None while it is not finished."""
        with self._lock, self._told():
            found = self._database.execute(
                "SELECT outcome FROM part WHERE question = ? AND number = ?", (question, number)
            ).fetchone()
        return _outcome(found[0]) if found else None

    def lines(self, question: str) -> Iterator[bytes]:
        """The rows of the finished parts of a question, by id, then key; what two batches both returned comes once."""
        with self._told():
            before = None
            for row in self._database.execute(_LINES, (question,)):
                if row != before:
                    yield row[1]
                before = row

    def seal(self) -> None:
        """Take nothing more: from now on whoever still reads gets Late. What is here can be read."""
        with self._lock:
            self._sealed = True

    def close(self) -> None:
        """Let go of the file; a later collection may go on with it."""
        self.seal()
        self._database.close()

    def discard(self) -> None:
        """Close, and remove the file: the collection was written."""
        self.close()
        for ending in ("-wal", "-shm", "-journal", ""):
            self.path.with_name(NAME + ending).unlink(missing_ok=True)

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        """One transaction, from whatever thread."""
        with self._lock, self._told():
            if self._sealed:
                raise Late
            with self._database:
                self._database.execute("BEGIN IMMEDIATE")
                yield self._database

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Trouble with the disk is nobody's bug: it is said in our words."""
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
                hint = "wait until it has ended, or name another folder"
                raise UsageError(f"{self.path.parent.parent}: another collection is writing to it", hint=hint) from error
            hint = "make room, or remove the file, and run again; or name another folder"
            raise OutputError(f"{self.path}: cannot be used ({error})", hint=hint) from error

    def _meta(self, name: str) -> bytes | None:
        found = self._database.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return found[0] if found else None

    def _ground(self) -> Ground | None:
        value = self._meta("ground")
        return _decoded(orjson.loads(value)) if value else None


class _WorkSink:
    """Rows of one reading inside the file."""

    def __init__(self, work: Work, number: int) -> None:
        self._work = work
        self._number = number

    def add(self, rows: Sequence[tuple[str, bytes]]) -> int:
        with self._work._change() as database:  # noqa: SLF001 - a sink is a part of the file
            before = database.total_changes
            database.executemany("INSERT OR IGNORE INTO row VALUES (?, ?, ?)", ((self._number, *row) for row in rows))
            return database.total_changes - before

    def drop(self) -> None:
        with self._work._change() as database:  # noqa: SLF001 - a sink is a part of the file
            database.execute("DELETE FROM row WHERE sink = ?", (self._number,))


def _connect(path: Path) -> sqlite3.Connection:
    """The file, locked for this process. One that is broken holds nothing worth keeping: it is emptied."""
    try:
        return _opened(path)
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode not in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}:
            raise
    for ending in ("-wal", "-shm", "-journal"):
        path.with_name(NAME + ending).unlink(missing_ok=True)
    path.write_bytes(b"")
    return _opened(path)


def _opened(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        database.create_function("id_of", 1, _id_of, deterministic=True)
        # One process, one file: the lock is kept from here on, and no shared memory is needed beside the log.
        database.execute("PRAGMA locking_mode=EXCLUSIVE")
        database.execute("PRAGMA journal_mode=WAL")
        # A killed process loses nothing that was committed; a machine that loses its power may lose the last pages.
        database.execute("PRAGMA synchronous=NORMAL")
    except BaseException:
        database.close()
        raise
    return database


def _execute(database: sqlite3.Connection, statements: Sequence[str]) -> None:
    for statement in statements:
        database.execute(statement)


def _id_of(line: bytes) -> str:
    found = orjson.loads(line).get("id")
    return found if isinstance(found, str) else ""


def _outcome(value: bytes) -> Outcome:
    found = orjson.loads(value)
    gaps = tuple(Gap(reason=Reason(reason), subscription=one, text=text) for reason, one, text in found["gaps"])
    return Outcome(answered=frozenset(found["answered"]), gaps=gaps, pages=found["pages"], rows=found["rows"])


def _decoded(found: Json) -> Ground:
    scope = found["scope"]
    return Ground(
        collected_at=datetime.fromisoformat(found["collected_at"]).astimezone(UTC),
        whole=found["whole"],
        scope=Scope(
            kind=scope["kind"],
            expected=tuple(scope["expected"]),
            management_groups=tuple(scope["management_groups"]),
            subscriptions=tuple(Subscription(**one) for one in scope["subscriptions"]),
        ),
    )
