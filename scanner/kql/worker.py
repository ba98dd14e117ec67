"""The child process of the engine: loads tables, locks DuckDB down, runs one query at a time. Speaks JSON lines.

Requests, each a JSON object a line, by their member `do`:
    test   probes: [[SQL, rows], ...]
    load   tables: {name: file}, database: file or ":memory:"
    run    sql, parameters: {name: value}, columns: {name: type}, out: file
Answers: `{"rows": n}` or `{"reason": ..., "text": ...}`. Texts hold no values of rows.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scanner.kql.arg import COLUMNS, LOWER_CASE
from scanner.kql.functions import PROBE_ROW
from scanner.model import Reason

if TYPE_CHECKING:
    import duckdb

# The order matters: nothing can be loaded once the door is shut, and the lock comes last.
_LOCKS = (
    "SET TimeZone = 'UTC'",
    "SET threads = 1",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET allow_community_extensions = false",
    "SET python_enable_replacements = false",
    "SET temp_directory = ''",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)
_TYPES: dict[str, tuple[str, ...]] = {
    "string": ("VARCHAR",),
    "bool": ("BOOLEAN",),
    "long": ("BIGINT", "INTEGER", "HUGEINT", "SMALLINT", "TINYINT", "UBIGINT", "UINTEGER"),
    "real": ("DOUBLE", "FLOAT"),
    "dynamic": ("JSON",),
}
_LARGEST_ROW = 64 * 1024 * 1024
_BATCH = 1000


class Refusal(Exception):
    """A query that gives no answer, and why."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason = reason
        self.text = text


class Session:
    """One set of loaded tables."""

    def __init__(self) -> None:
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._tables: frozenset[str] = frozenset()
        self._checked: set[tuple[Any, ...]] = set()

    def load(self, tables: Mapping[str, str], database: str) -> int:
        """Replace all tables by these files, one JSON object a line; the number of tables."""
        import duckdb  # noqa: PLC0415 - only the child pays for the engine

        self.close()
        self._connection = duckdb.connect(database)
        for name, file in tables.items():
            self._connection.execute(_load_statement(name), [file])
        self._tables = frozenset(tables)
        for lock in _LOCKS:
            self._connection.execute(lock)
        return len(tables)

    def close(self) -> None:
        """Let go of the tables."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def run(self, sql: str, parameters: Mapping[str, Any], *, columns: Mapping[str, str], out: Path) -> int:
        """Run a translated query and write its rows, one JSON object a line; their number. Raises Refusal."""
        connection = self._connection
        if connection is None:
            raise Refusal(Reason.FAILED, "no tables are loaded")
        bound = dict(parameters) or None
        checked = (sql, self._tables, tuple(columns.items()))
        if checked not in self._checked:
            self._check(connection, sql, bound, columns)
            self._checked.add(checked)
        dynamic = [index for index, kind in enumerate(columns.values()) if kind == "dynamic"]
        fields = ", ".join(
            f"CAST(to_json({_quoted(name)}) AS VARCHAR)" if kind == "dynamic" else _quoted(name)
            for name, kind in columns.items()
        )
        connection.execute(f"SELECT {fields} FROM ({sql})", bound)  # noqa: S608 - names are quoted, the rest is translated
        rows = _fetched(connection)
        return write_rows((dict(zip(columns, _decoded(row, dynamic), strict=True)) for row in rows), out)

    def _check(self, connection: duckdb.DuckDBPyConnection, sql: str, bound: Any, columns: Mapping[str, str]) -> None:
        """Refuse a query that reads or yields what it should not. Once is enough: tables differ in their rows alone."""
        found = connection.get_table_names(sql)
        if strangers := sorted(name for name in found if name.lower() not in self._tables):
            raise Refusal(Reason.NOT_COLLECTED, f"the query reads {', '.join(strangers)}, which was not loaded")
        _check_types(connection.sql(sql, params=bound), columns)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _load_statement(name: str) -> str:
    """Text columns hold the text of whatever JSON stands there (Kusto strings have no null), dynamic ones the JSON itself.

    What ARG holds in lower case is made so: a writer of snapshots may have kept ARM's spelling, and `type == '...'` would miss.
    """
    fields = ", ".join(f"{_loaded(column, kind)} AS {_quoted(column)}" for column, kind in COLUMNS.items())
    source = f"read_ndjson_objects(?, maximum_object_size = {_LARGEST_ROW})"
    return f"CREATE TABLE {_quoted(name)} AS SELECT {fields} FROM {source}"  # noqa: S608 - names of ARG's own tables and columns


def _loaded(column: str, kind: str) -> str:
    if kind != "string":
        return f"json -> '$.{column}'"
    text = f"coalesce(json ->> '$.{column}', '')"
    return f"lower({text})" if column in LOWER_CASE else text


def _check_types(relation: duckdb.DuckDBPyRelation, columns: Mapping[str, str]) -> None:
    """The engine must agree on the columns and their types: a value of another type would be judged as something else."""
    if relation.columns != list(columns):
        raise Refusal(Reason.UNSUPPORTED, f"the offline engine yields the columns {', '.join(relation.columns)}")
    for (name, kind), found in zip(columns.items(), map(str, relation.types), strict=True):
        nested = kind == "dynamic" and (found.endswith("[]") or found.startswith(("STRUCT", "MAP")))
        if found not in (*_TYPES[kind], '"NULL"', "NULL") and not nested:
            raise Refusal(Reason.UNSUPPORTED, f"the offline engine yields '{name}' as {found}, not as a {kind}")


def _fetched(connection: duckdb.DuckDBPyConnection) -> Iterator[Sequence[Any]]:
    while rows := connection.fetchmany(_BATCH):
        yield from rows


def _decoded(row: Sequence[Any], dynamic: Sequence[int]) -> list[Any]:
    values = list(row)
    for index in dynamic:
        values[index] = None if values[index] is None else json.loads(values[index])
    return values


def write_rows(rows: Iterator[Mapping[str, Any]], out: Path) -> int:
    """Write rows without their null columns to a file that only the user can read; their number."""
    count = 0
    descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8", newline="\n") as file:  # noqa: PTH123 - the mode must be right from the start
        for row in rows:
            kept = {name: value for name, value in row.items() if value is not None}
            try:
                line = json.dumps(kept, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            except ValueError as error:
                raise Refusal(
                    Reason.UNSUPPORTED, "a result is not a number (NaN or infinite), which JSON does not hold"
                ) from error
            file.write(line + "\n")
            count += 1
    return count


def answer(session: Session, request: Mapping[str, Any]) -> dict[str, Any]:
    """Do what a request asks; every trouble becomes an answer."""
    import duckdb  # noqa: PLC0415 - as above

    try:
        if request["do"] == "load":
            return {"rows": session.load(request["tables"], request["database"])}
        if request["do"] == "test":
            return {"rows": self_test(request["probes"])}
        out = Path(request["out"])
        return {"rows": session.run(request["sql"], request["parameters"], columns=request["columns"], out=out)}
    except Refusal as refusal:
        return {"reason": refusal.reason, "text": refusal.text}
    except (MemoryError, duckdb.OutOfMemoryException):
        return {"reason": Reason.FAILED, "text": "the offline engine ran out of memory"}
    except duckdb.Error as error:
        return {"reason": Reason.UNSUPPORTED, "text": f"the offline engine cannot run this query ({type(error).__name__})"}


def limit(memory: int) -> None:
    """Cap this process's address space (bytes) where the system can."""
    with suppress(ImportError):
        import resource  # noqa: PLC0415 - not on Windows

        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def self_test(probes: Sequence[tuple[str, list[Any]]]) -> int:
    """Run queries whose answers are known; Refusal where one differs, since nothing could then be trusted."""
    import duckdb  # noqa: PLC0415 - as above

    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE resources (id VARCHAR, name VARCHAR, properties JSON)")
        connection.execute("INSERT INTO resources VALUES ($id, $name, $properties)", PROBE_ROW)
        for sql, expected in probes:
            found = [list(row) for row in connection.execute(sql).fetchall()]
            if found != expected:
                raise Refusal(Reason.FAILED, f"the installed duckdb-kql is not fit: {sql} gave {found}, not {expected}")
    return len(probes)


def serve(requests: Iterator[str], reply: Callable[[str], object]) -> None:
    """Answer requests until there are no more."""
    session = Session()
    for line in requests:
        reply(json.dumps(answer(session, json.loads(line))))
    session.close()


def main(memory: int) -> None:
    """Serve standard input. What libraries print goes to standard error, never between the answers."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as channel:
        os.dup2(2, 1)
        limit(memory)
        serve(iter(sys.stdin.readline, ""), lambda text: print(text, file=channel, flush=True))
