"""Runs queries offline in a child process that can be killed. This is the parent's side, which loads no engine."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Self

from scanner.kql.shape import QueryTrouble, Shape
from scanner.kql.text import as_sent
from scanner.model import Reason

if TYPE_CHECKING:
    from scanner.kql.translate import Translation

MEMORY = 4 * 1024**3
"""Address space of the child, in bytes, where the system can cap it."""
START_SECONDS = 120.0
LOAD_SECONDS = 900.0
_LAST_SECONDS = 10.0
IN_MEMORY_BYTES = 256 * 1024**2
"""Tables larger than this together are kept in a database file in the spool folder."""

# The child gets no secrets by way of its environment, only what an interpreter needs to start.
_ENVIRONMENT = (
    "SYSTEMROOT",
    "SYSTEMDRIVE",
    "WINDIR",
    "TEMP",
    "TMP",
    "TMPDIR",
    "PATH",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "LANG",
)
_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from scanner.kql.worker import main; main(int(sys.argv[2]))"
)


class Engine:
    """Population queries over raw tables, one at a time.

    `tables` maps a lower-case ARG table to a file of rows (one JSON object a line, null members dropped); a table without
    rows is an empty file, and a table that is not there cannot be read. `spool` is a private folder for working files.
    The child starts with the first query; `load` replaces all tables without a new process.
    """

    def __init__(self, tables: Mapping[str, Path], spool: Path, *, memory: int = MEMORY) -> None:
        self._tables = dict(tables)
        self._spool = spool
        self._memory = memory
        self._child: _Child | None = None
        self._loaded = False
        self._databases = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End the child process and remove its working files."""
        self._stop()
        for file in self._spool.glob(f"kql-{os.getpid()}-*"):
            file.unlink(missing_ok=True)

    def load(self, tables: Mapping[str, Path]) -> None:
        """Use these tables from now on, and no others."""
        self._tables = dict(tables)
        self._loaded = False

    def run(  # noqa: PLR0913 - the question, what it means, how long, and where to
        self, kql: str, *, now: datetime, key: Sequence[str], shape: Shape, timeout: float, out: Path
    ) -> int:
        """Run a query that `inspect` gave `shape` for; write its rows to `out` (0600) and return their number.

        A row is one JSON object a line, its columns in projection order, null ones left out. `timeout` is in seconds.
        Raises QueryTrouble: NOT_COLLECTED for a table that is not there, UNSUPPORTED for what the engine cannot translate,
        run or type, TIMEOUT, FAILED where the child died. `out` is removed then.
        """
        if missing := sorted(shape.tables.keys() - self._tables.keys()):
            raise QueryTrouble(Reason.NOT_COLLECTED, f"the snapshot does not hold the table {', '.join(missing)}")
        translation = _translated(as_sent(kql, now=now, key=key), frozenset(self._tables), now)
        child = self._ready()
        request = {
            "do": "run",
            "sql": translation.sql,
            "parameters": dict(translation.parameters),
            "columns": dict(shape.columns),
            "out": str(out),
        }
        try:
            return self._ask(child, request, timeout)
        except QueryTrouble:
            out.unlink(missing_ok=True)
            raise

    def _ready(self) -> _Child:
        """The child with the tables loaded."""
        child = self._child
        if child is None:
            child = self._child = _Child(self._memory)
            self._loaded = False
            try:
                self._ask(child, {"do": "test", "probes": _probes()}, START_SECONDS)
            except QueryTrouble:
                self._stop()
                raise
        if not self._loaded:
            tables = {name: str(path) for name, path in self._tables.items()}
            self._ask(child, {"do": "load", "tables": tables, "database": self._database()}, LOAD_SECONDS)
            self._loaded = True
        return child

    def _database(self) -> str:
        size = sum(path.stat().st_size for path in self._tables.values() if path.exists())
        if size <= IN_MEMORY_BYTES:
            return ":memory:"
        self._databases += 1
        return str(self._spool / f"kql-{os.getpid()}-{id(self)}-{self._databases}.duckdb")

    def _ask(self, child: _Child, request: Mapping[str, Any], timeout: float) -> int:
        child.send(request)
        return self._answer(child, timeout)

    def _answer(self, child: _Child, timeout: float) -> int:
        """The number in the child's next answer. A child that is late or gone is done with."""
        try:
            answer = child.receive(timeout)
        except TimeoutError:
            self._stop()
            raise QueryTrouble(Reason.TIMEOUT, f"the query did not end within {timeout:g} seconds and was stopped") from None
        if answer is None:
            code = child.ending()
            self._stop()
            raise QueryTrouble(Reason.FAILED, f"the offline engine ended ({_ending(code)})")
        if "reason" in answer:
            raise QueryTrouble(Reason(answer["reason"]), answer["text"])
        return int(answer["rows"])

    def _stop(self) -> None:
        """End the child at once."""
        child, self._child = self._child, None
        if child is not None:
            child.stop()


def _translated(text: str, tables: frozenset[str], now: datetime) -> Translation:
    from scanner.kql.translate import translate  # noqa: PLC0415 - only a query that runs pays for the grammar

    return translate(text, tables, now)


def _probes() -> Sequence[object]:
    from scanner.kql.translate import probes  # noqa: PLC0415 - as above

    return probes()


class _Child:
    """A running worker and the two pipes to it."""

    def __init__(self, memory: int) -> None:
        package = str(Path(__file__).resolve().parents[2])
        path = json.dumps([package, *(entry for entry in sys.path if entry and entry != package)])
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter, with a fixed program
            [sys.executable, "-I", "-c", _PROGRAM, path, str(memory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            text=True,
            encoding="utf-8",
        )
        assert self._process.stdout is not None
        self._answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = Thread(target=_read, args=(self._process.stdout, self._answers), daemon=True)
        self._reader.start()

    def send(self, request: Mapping[str, Any]) -> None:
        """Write one request; a child that is gone shows in the next answer."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()

    def receive(self, timeout: float) -> dict[str, Any] | None:
        """The next answer, None where the child is gone; TimeoutError after `timeout` seconds."""
        try:
            line = self._answers.get(timeout=timeout)
        except queue.Empty:
            raise TimeoutError from None
        return json.loads(line) if line is not None else None

    def ending(self) -> int:
        """The exit code of a child that closed its pipe."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_LAST_SECONDS)
        return self._process.poll() or 0

    def stop(self) -> None:
        """Kill the process (no other way ends a running query) and tidy up."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(OSError):
                pipe.close()


def _read(pipe: IO[str], answers: queue.SimpleQueue[str | None]) -> None:
    for line in pipe:
        answers.put(line)
    answers.put(None)


def _ending(code: int) -> str:
    """How a process ended, in words."""
    if code >= 0:
        return f"exit code {code}"
    with suppress(ValueError):
        name = signal.Signals(-code).name
        return f"{name}, most likely out of memory" if name in {"SIGKILL", "SIGABRT", "SIGSEGV"} else name
    return f"signal {-code}"
