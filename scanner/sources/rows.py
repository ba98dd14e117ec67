"""Rows of a snapshot: read strictly from NDJSON, verified against what the manifest declares, normalised.

A file is UTF-8 text, one JSON object a line, each line ended by a newline; `.gz` files are unpacked while they are read.
Nothing is guessed: a row that cannot be read exactly is a `Problem` with its line, never a row that is left out quietly.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import orjson

from scanner.errors import Problem
from scanner.model import ColumnType, Json, Row

MAX_DEPTH = 64
"""Containers inside containers in one row; rows that Azure returns stay below 20."""
MAX_LINE = 16 * 1024 * 1024
"""Bytes of one row: Azure Resource Graph refuses answers above 16,777,216 bytes (`ResponsePayloadTooLarge`)."""
MAX_UNPACKED = 64 * 1024**3
"""Bytes that one compressed file may unpack to."""
MAX_RATIO = 100
"""How many times its own size a compressed file may unpack to, once past `RATIO_FREE` bytes."""
RATIO_FREE = 1024 * 1024
MAX_PROBLEMS = 50
"""Problems listed per file; a last one says that there are more."""


class RowError(ValueError):
    """A row that cannot be used, with the column it was noticed at (from 1)."""

    def __init__(self, text: str, column: int = 1) -> None:
        super().__init__(text)
        self.column = column


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A data file as the manifest declares it; `rows` and `sha256` are proven by reading."""

    path: Path
    rows: int
    sha256: str


class Problems:
    """The problems of one file, at most `MAX_PROBLEMS` of them."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.found: list[Problem] = []

    def add(self, text: str, line: int = 0, column: int = 0) -> None:
        """Note one problem; the first one too many is replaced by a sentence that says so."""
        if len(self.found) < MAX_PROBLEMS:
            self.found.append(Problem(file=self.file, line=line, column=column, text=text))
        elif len(self.found) == MAX_PROBLEMS:
            self.found.append(Problem(file=self.file, line=line, column=column, text="more problems follow and are not listed"))


class _Unreadable(Exception):
    """What makes it impossible, or unwise, to read a file to its end."""

    def __init__(self, text: str, line: int = 0) -> None:
        super().__init__(text)
        self.line = line


class _Seal:
    """The sha256 and the count of the bytes that were read."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.sha256 = hashlib.sha256()
        self.count = 0

    def read(self, size: int = -1) -> bytes:
        return self._sealed(self._stream.read(size))

    def readline(self, size: int) -> bytes:
        return self._sealed(self._stream.readline(size))

    def _sealed(self, data: bytes) -> bytes:
        self.sha256.update(data)
        self.count += len(data)
        return data


def read_rows(declared: Declared, problems: Problems) -> Iterator[tuple[int, dict[str, Json]]]:
    """The line number and the object of every good row, null members dropped; what is wrong goes to `problems`.

    Count and sha256 are checked at the end: a file must be read to its end before anything of it is used.
    """
    try:
        with declared.path.open("rb") as stream:
            seal = _Seal(stream)
            count = 0
            for line in _lines(seal, packed=declared.path.suffix == ".gz"):
                count += 1
                try:
                    yield count, parse_row(line)
                except RowError as error:
                    problems.add(str(error), count, error.column)
            if count != declared.rows:
                problems.add(f"holds {count} lines, but the manifest declares {declared.rows} rows")
            if seal.sha256.hexdigest() != declared.sha256:
                problems.add("its sha256 is not the one in the manifest: it was changed, or cut, after the snapshot was made")
    except _Unreadable as error:
        problems.add(str(error), error.line, 1 if error.line else 0)
    except OSError as error:
        problems.add(f"cannot be read: {error.strerror or error}")


def _lines(seal: _Seal, *, packed: bool) -> Iterator[bytes]:
    """The lines of a file, none above `MAX_LINE` bytes."""
    stream: gzip.GzipFile | _Seal = gzip.GzipFile(fileobj=cast("IO[bytes]", seal), mode="rb") if packed else seal
    unpacked = number = 0
    while line := _line(stream):
        number += 1
        unpacked += len(line)
        if len(line) > MAX_LINE:
            raise _Unreadable(f"the row is longer than {MAX_LINE} bytes; nothing after it was read", number)
        if packed and unpacked > min(MAX_UNPACKED, max(RATIO_FREE, MAX_RATIO * seal.count)):
            raise _Unreadable(
                f"unpacks to more than {MAX_RATIO} times its size or {MAX_UNPACKED} bytes; the rest was not read", number
            )
        yield line


def _line(stream: gzip.GzipFile | _Seal) -> bytes:
    try:
        return stream.readline(MAX_LINE + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise _Unreadable(f"cannot be unpacked: {error}") from error


def parse_row(line: bytes) -> dict[str, Json]:
    """One line of NDJSON as an object without null members; RowError says what is wrong and at which column."""
    text = line.rstrip(b" \t\r\n")
    if not text:
        raise RowError("the line is blank")
    if not line.endswith(b"\n"):
        raise RowError("the last line has no newline: the file was cut", len(line))
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise _not_json(line, error) from error
    if not isinstance(value, dict):
        raise RowError(f"a row must be a JSON object, this is {kind_of(value)}")
    row: dict[str, Json] = drop_nulls(value)
    return row


def _not_json(line: bytes, error: orjson.JSONDecodeError) -> RowError:
    try:
        line.decode()
    except UnicodeDecodeError as bad:
        return RowError(f"not UTF-8: {bad.reason} at byte {bad.start + 1} of the line", bad.start + 1)
    return RowError(f"not JSON: {error.msg}", error.colno)


def kind_of(value: Json) -> str:
    """What a JSON value is called in messages."""
    words = {dict: "an object", list: "a list", str: "a text", bool: "a boolean", type(None): "null"}
    return words.get(type(value), "a number")


def drop_nulls(value: Json, depth: int = 0) -> Json:
    """The value without object members that are null, at every depth; elements of lists stay, null or not.

    RowError where containers are nested deeper than `MAX_DEPTH`.
    """
    if not isinstance(value, dict | list):
        return value
    if depth >= MAX_DEPTH:
        raise RowError(f"nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, list):
        return [drop_nulls(item, depth + 1) for item in value]
    return {name: drop_nulls(member, depth + 1) for name, member in value.items() if member is not None}


def decode(row: Row, columns: Mapping[str, ColumnType]) -> Row:
    """A row of an answer as policies see it: null and "" columns left out, bool columns made true or false.

    Kusto strings have no null, so an empty string counts as missing. Only true, false, 1 and 0 are booleans; anything else
    in a bool column stays as it is, and so does every value of a column that `columns` does not name.
    """
    return {
        name: _boolean(value) if columns.get(name) == "bool" else value
        for name, value in row.items()
        if value is not None and value != ""
    }


def _boolean(value: Json) -> Json:
    return bool(value) if type(value) is int and value in (0, 1) else value
