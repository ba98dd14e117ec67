"""The snapshot of a collection, whole or not at all, and the folder that it is written to (docs/snapshot-format.md).

Data files are named after their content and written beside what is there; then the manifest is replaced in one step; then
the files that only the old manifest named are removed. Whoever kills this at any moment leaves the old snapshot or the new.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

import orjson

from scanner import __version__
from scanner.errors import OutputError, UsageError
from scanner.model import Json
from scanner.sources.azure.collect import Collected, Piece
from scanner.sources.azure.work import Work
from scanner.sources.manifest import FORMAT, Manifest
from scanner.sources.manifest_file import NAME

PARTIAL = ".partial"
"""The folder, inside the snapshot's, of what is not finished: the work, and files that are being written."""

_ANSWERS = "answers"
_OURS = re.compile(r"(?:answers/[0-9a-f]{64}|[a-z][a-z0-9_]*)\.[0-9a-f]{12}\.ndjson")
_NAMED = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*\.ndjson(?:\.gz)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    """A data file on the disk, relative to the snapshot's folder."""

    file: str
    rows: int
    sha256: str


def open_work(folder: Path, meta: Mapping[str, Json], *, now: datetime, resume: bool) -> Work:
    """The work of a collection that will be written to `folder`, which is made (0700) where it is missing.

    `Work.resumed` tells whether an earlier, unfinished one with the same `meta` goes on. Raises UsageError where the folder
    holds something else than a snapshot, or another collection writes to it; OutputError where it cannot be written.
    """
    _check(folder)
    partial = folder / PARTIAL
    with _told(folder):
        for one in (folder, partial):
            _private_folder(one)
    work = Work(partial)
    try:
        work.begin(meta, now=now, resume=resume)
    except BaseException:
        work.close()
        raise
    return work


def write_snapshot(folder: Path, collected: Collected, work: Work) -> None:
    """Write what was collected as a snapshot in place of the one in `folder`, then discard the work.

    The work of a collection that was stopped is kept, so that it can go on. Raises UsageError where the folder holds
    something else, and OutputError where it cannot be written: then the old snapshot is untouched and the work kept.
    """
    _check(folder)
    with _told(folder):
        for one in (folder, folder / PARTIAL, folder / _ANSWERS):
            _private_folder(one)
        files = [_write(folder, _stem(piece), work.lines(piece.asked.question)) for piece in collected.pieces]
        manifest = _manifest(collected, files)
        for one in (folder / _ANSWERS, folder):
            _sync_folder(one)
        before = _named_before(folder)
        _replace(folder, NAME, manifest)
        _sync_folder(folder)
        _remove(folder, before - {file.file for file in files})
        if collected.stopped is None:
            work.discard()
        for one in (folder / PARTIAL, folder / _ANSWERS):
            with suppress(OSError):  # they stay where something is in them
                one.rmdir()


def _check(folder: Path) -> None:
    """Refuse a folder that is not ours to write to: nothing in it was made to be replaced by a snapshot."""
    hint = "name a folder that is new, empty, or holds a snapshot"
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is no folder", hint=hint)
    for path in (folder / PARTIAL, folder / _ANSWERS):
        if path.is_symlink():
            raise UsageError(f"{path}: is a symbolic link; snapshots are never written through one", hint=hint)
    with _told(folder):
        held = sorted({one.name for one in folder.iterdir()} - {PARTIAL}) if folder.is_dir() else []
    if held and _old_manifest(folder) is None:
        text = f"{folder}: holds files ({', '.join(held[:3])}{', ...' if held[3:] else ''}) but no arguard snapshot"
        raise UsageError(text, hint=hint)


def _old_manifest(folder: Path) -> dict[str, Json] | None:
    """The manifest that lies in a folder, of any version; None where there is none."""
    try:
        found = orjson.loads((folder / NAME).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    is_ours = isinstance(found, dict) and str(found.get("format")).startswith("arguard-snapshot/")
    return found if is_ours else None


def _named_before(folder: Path) -> set[str]:
    """The data files of earlier snapshots: those that the manifest names, and those that were written for none."""
    manifest = _old_manifest(folder) or {}
    sections = [section for name in ("tables", "answers") if isinstance(section := manifest.get(name), dict)]
    entries = [entry for section in sections for entry in section.values() if isinstance(entry, dict)]
    named = {entry["file"] for entry in entries if isinstance(entry.get("file"), str) and _NAMED.fullmatch(entry["file"])}
    lying = {path.relative_to(folder).as_posix() for one in (folder, folder / _ANSWERS) for path in one.glob("*.ndjson")}
    return named | {name for name in lying if _OURS.fullmatch(name)}


def _remove(folder: Path, names: Iterable[str]) -> None:
    root = folder.resolve()
    for name in sorted(names):
        if (folder / name).parent.resolve().is_relative_to(root):
            (folder / name).unlink(missing_ok=True)


def _stem(piece: Piece) -> str:
    return piece.asked.table or f"{_ANSWERS}/{piece.asked.digest}"


def _write(folder: Path, stem: str, lines: Iterator[bytes]) -> _Written:
    """Rows into a file that is named after them."""
    seal, rows = hashlib.sha256(), 0
    temporary = folder / PARTIAL / "rows.new"
    with _new_file(temporary) as stream:
        for rows, line in enumerate(lines, start=1):  # noqa: B007 - the last count is what is wanted
            seal.update(line)
            stream.write(line)
    file = f"{stem}.{seal.hexdigest()[:12]}.ndjson"
    temporary.replace(folder / file)
    return _Written(file=file, rows=rows, sha256=seal.hexdigest())


def _replace(folder: Path, name: str, data: bytes) -> None:
    temporary = folder / PARTIAL / "manifest.new"
    with _new_file(temporary) as stream:
        stream.write(data)
    temporary.replace(folder / name)


def _manifest(collected: Collected, files: Sequence[_Written]) -> bytes:
    """The manifest, checked: one that could not be read again must not replace one that can."""
    scope = collected.scope
    entries = list(zip(collected.pieces, files, strict=True))
    manifest = {
        "format": FORMAT,
        "tool": f"arguard {__version__}",
        "collected_at": collected.collected_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "scope": {"kind": scope.kind, "subscriptions": scope.expected, "management_groups": scope.management_groups},
        "subscriptions": [{"id": one.id, "name": one.name, "state": one.state} for one in scope.subscriptions],
        "tables": {piece.asked.table: _entry(piece, file) for piece, file in entries if piece.asked.table},
        "answers": {piece.asked.digest: _entry(piece, file) for piece, file in entries if not piece.asked.table},
    }
    data = orjson.dumps(manifest, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"
    Manifest.model_validate_json(data)
    return data


def _entry(piece: Piece, file: _Written) -> Json:
    asked = piece.asked
    gaps = [{"subscription": gap.subscription, "reason": gap.reason, "text": gap.text} for gap in piece.gaps]
    entry = {"file": file.file, "rows": file.rows, "sha256": file.sha256, "answered": piece.answered, "gaps": gaps}
    if asked.table:
        return entry if asked.types is None else {**entry, "types": asked.types}
    assert asked.query is not None
    columns = asked.query.columns
    entry |= {"query": asked.query.kql, "spans": asked.query.spans}
    return entry if columns is None else {**entry, "columns": dict(columns)}


def _private_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(PermissionError):  # somebody else's folder, in which we may write: its files are private all the same
        folder.chmod(0o700)


@contextmanager
def _new_file(path: Path) -> Iterator[IO[bytes]]:
    """A file that nobody else may read, on the disk for good when the block ends."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        yield stream
        stream.flush()
        os.fsync(stream.fileno())


def _sync_folder(folder: Path) -> None:
    """Make renames in a folder outlive a loss of power, where the system lets folders be opened (Windows does not)."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        hint = "what was collected is kept; make room, or allow writing, and run the same command again"
        raise OutputError(f"{folder}: the snapshot cannot be written ({error.strerror or error})", hint=hint) from error
