"""Evidence from inside the machines: documents that the user's own probes wrote, read from a folder.

They are self-attested: whoever controls a machine, or the folder, can write anything into them. So each row says so and bears
the sha256 of its file, and what a document does not say is never a pass.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from scanner import yamlsafe
from scanner.authoring.evidence import EvidenceFile
from scanner.authoring.read import read
from scanner.errors import InputError, Problem
from scanner.ids import subscription_of
from scanner.model import Json, Scope
from scanner.redact import redact
from scanner.sources import jsonsafe
from scanner.sources.intake import Stored, new_file, write_row
from scanner.sources.manifest import TableModel

TABLE = "evidence"
ENDINGS = (".json", ".yaml", ".yml")
SELF_ATTESTED = "self-attested"
MAX_BYTES = 256 * 1024
"""Bytes of one document; those of the bundled probes have about 2,000."""

_HINT = "policies/azure-backup/probes writes such documents; `arguard schema evidence` prints their JSON Schema"
_MARK = b"\xef\xbb\xbf"
"""The byte order mark, with which Windows begins a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Documents of machines as rows of the table `evidence`, in order of their files; `digest` is one sha256 for them all."""

    rows: tuple[Json, ...]
    digest: str


def read_evidence(folder: Path) -> Evidence:
    """Every document of a folder: its files that end in .json, .yaml or .yml, not those of folders in it.

    Raises InputError with every problem of every file, or where there is no document.
    """
    if not folder.is_dir():
        text = "is no folder" if folder.exists() else "there is no such folder"
        raise InputError([Problem(file=str(folder), text=text)], hint=_HINT)
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS)
    if not files:
        text = f"holds no evidence: no file in it ends in {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}"
        raise InputError([Problem(file=str(folder), text=text)], hint=_HINT)
    rows: list[Json] = []
    problems: list[Problem] = []
    for path in files:
        try:
            rows.append(_document(path))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems, hint=_HINT)
    # In order of the digests: what the files are called says nothing of what was collected.
    seal = hashlib.sha256("".join(sorted(row["digest"] for row in rows)).encode())
    return Evidence(rows=tuple(rows), digest=seal.hexdigest())


def spooled(evidence: Evidence, scope: Scope, out: Path) -> tuple[TableModel, Stored]:
    """The rows of the scope's subscriptions, redacted, as a table that all of them answered: no document is an answer too."""
    rows = [row for row in evidence.rows if subscription_of(row["id"]) in scope.expected]
    with new_file(out) as stream:
        for row in rows:
            write_row(stream, redact(row))
    table = TableModel(
        file="evidence.ndjson", rows=len(rows), sha256=evidence.digest, answered=tuple(scope.expected), gaps=(), types=None
    )
    return table, Stored(path=out, rows=len(rows))


def _document(path: Path) -> Json:
    """One document as a row, with where it comes from."""
    data, file = _bytes(path), str(path)
    tree = jsonsafe.load(data.removeprefix(_MARK), file) if path.suffix.lower() == ".json" else yamlsafe.load(data, file)
    document = read(EvidenceFile, tree, file)
    digest = hashlib.sha256(data).hexdigest()
    return {**document.model_dump(mode="json"), "origin": SELF_ATTESTED, "digest": digest}


def _bytes(path: Path) -> bytes:
    """The file; a link is not followed, since what it leads to was not written by a probe."""
    try:
        if path.is_symlink() or not path.is_file():
            raise InputError([Problem(file=str(path), text="is no plain file")])
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError([Problem(file=str(path), text=f"cannot be read: {error.strerror or error}")]) from None
    if len(data) > MAX_BYTES:
        raise InputError([Problem(file=str(path), text=f"is larger than {MAX_BYTES // 1024} KiB, the most that is read")])
    return data
