"""Takes a snapshot's files in: every byte verified first, then normalised, redacted and narrowed into a private spool.

What is judged later is the spool, so nobody can change a row between its verification and its verdict.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeAlias

import orjson

from scanner.errors import InputError, Problem
from scanner.ids import lock_scope, subscription_of
from scanner.model import Json, Scope
from scanner.policy import SIDE_TABLES
from scanner.redact import MARK, redact, redacted_paths
from scanner.sources.manifest import FileModel
from scanner.sources.manifest_file import Parsed
from scanner.sources.rows import Declared, Problems, read_rows

JsonObject: TypeAlias = dict[str, Json]
_MARK = MARK.encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One file in the spool. `bad` names the subscriptions of objects that cannot be used, "" where it cannot be told.

    `hidden` holds where a secret was taken out: the resource type of the row (lower case) and the path of the member.
    """

    path: Path
    rows: int
    bad: frozenset[str] = frozenset()
    hidden: frozenset[tuple[str, tuple[str, ...]]] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """Every file of a snapshot: tables by name, answers by digest."""

    tables: Mapping[str, Stored]
    answers: Mapping[str, Stored]


class Refused(ValueError):
    """A row that makes the snapshot unusable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorted:
    """Where a row belongs: its subscription ("" for none), and whether it can be used."""

    row: JsonObject
    subscription: str
    usable: bool = True


Sorter: TypeAlias = Callable[[JsonObject], Sorted]


def take_in(folder: Path, parsed: Parsed, scope: Scope, *, spool: Path) -> Intake:
    """Verify every file and write what lies in the scope to the spool; InputError with every problem of every file."""
    problems: list[Problem] = []
    tables, answers = {}, {}
    for name, table in parsed.manifest.tables.items():
        place = _place(folder, parsed, ("tables", name, "file"), table, problems)
        if place:
            out = spool / f"table-{name}.ndjson"
            tables[name] = _take(place, out, sorter_of(name), scope, problems)
    for name, answer in parsed.manifest.answers.items():
        place = _place(folder, parsed, ("answers", name, "file"), answer, problems)
        if place:
            answers[name] = _take(place, spool / f"answer-{name}.ndjson", _answer_row, scope, problems)
    if problems:
        raise InputError(problems, hint="The snapshot cannot be trusted: copy it again, or collect a new one.")
    return Intake(tables=tables, answers=answers)


def new_file(path: Path) -> IO[bytes]:
    """A new file in the spool that nobody else may read."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def write_row(out: IO[bytes], row: JsonObject) -> bytes:
    """One row as one line, which is handed back."""
    line = orjson.dumps(row) + b"\n"
    out.write(line)
    return line


def _place(
    folder: Path, parsed: Parsed, path: tuple[str, ...], file: FileModel, problems: list[Problem]
) -> tuple[Declared, str] | None:
    """The file on the disk; one outside the folder, by a link for instance, or that is no plain file is not opened."""
    root = folder.resolve()
    found = (folder / file.file).resolve()
    if not found.is_relative_to(root):
        problems.append(parsed.problem(path, f"{file.file} leads out of the snapshot's folder"))
    elif not found.is_file():
        problems.append(parsed.problem(path, f"there is no file {file.file}"))
    else:
        return Declared(path=found, rows=file.rows, sha256=file.sha256), str(folder / file.file)
    return None


def _take(place: tuple[Declared, str], out: Path, sort: Sorter, scope: Scope, problems: list[Problem]) -> Stored:
    declared, name = place
    found = Problems(name)
    expected = {*scope.expected, ""}
    bad: set[str] = set()
    hidden: set[tuple[str, tuple[str, ...]]] = set()
    count = 0
    with new_file(out) as stream:
        for one in _sorted(declared, sort, found):
            if one.subscription not in expected:
                continue
            if one.usable:
                if _MARK in write_row(stream, one.row):
                    hidden.update((str(one.row.get("type", "")).lower(), path) for path in redacted_paths(one.row))
                count += 1
            else:
                bad.add(one.subscription)
    problems += found.found
    return Stored(path=out, rows=count, bad=frozenset(bad), hidden=frozenset(hidden))


def _sorted(declared: Declared, sort: Sorter, problems: Problems) -> Iterator[Sorted]:
    for line, row in read_rows(declared, problems):
        try:
            yield sort(redact(row))
        except Refused as error:
            problems.add(str(error), line, 1)


def sorter_of(table: str) -> Sorter:
    """How the rows of a table are checked and told apart."""
    if table == "arm_locks":
        return _lock
    if table == "evidence":
        return _evidence
    return _side_object if table in SIDE_TABLES else _table_row


def _table_row(row: JsonObject) -> Sorted:
    """A row of an ARG table, filed as answers are: by its id, since that is whom its verdict is about.

    Rows above subscriptions (role definitions, say) have an empty `subscriptionId`: they stay.
    """
    wrong = [name for name in ("id", "type") if not _is_text(row.get(name))]
    wrong += [] if isinstance(row.get("subscriptionId"), str) else ["subscriptionId"]
    if wrong:
        raise Refused(f"a row of an ARG table needs the texts id, type and subscriptionId; it lacks {', '.join(wrong)}")
    return Sorted(row=row, subscription=subscription_of(row["id"]) or row["subscriptionId"].strip().lower())


def _answer_row(row: JsonObject) -> Sorted:
    if not _is_text(row.get("id")):
        raise Refused("a row of an answer needs the text id")
    return Sorted(row=row, subscription=subscription_of(row["id"]))


def _side_object(row: JsonObject) -> Sorted:
    """An object of ARM; without an id in a subscription nobody can tell whose it is, so nobody's answer is complete."""
    identity = row.get("id")
    subscription = subscription_of(identity) if isinstance(identity, str) else ""
    return Sorted(row=row, subscription=subscription, usable=subscription != "")


def _lock(row: JsonObject) -> Sorted:
    """A lock that does not say what it is on, or what it forbids, could be the one that matters."""
    one = _side_object(row)
    properties = row.get("properties")
    level = properties.get("level") if isinstance(properties, dict) else None
    usable = one.usable and _is_text(level) and lock_scope(row["id"]) != ""
    return Sorted(row=row, subscription=one.subscription, usable=usable)


def _evidence(row: JsonObject) -> Sorted:
    """An evidence document; probes may call the machine's id `vm`."""
    return _side_object(row if "id" in row or "vm" not in row else {"id": row["vm"], **row})


def _is_text(value: Json) -> bool:
    return isinstance(value, str) and value != ""
