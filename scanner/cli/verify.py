"""`arguard verify`: whether a result is what the policies say of a snapshot."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from reporters import native
from scanner.cli.scanning import Occasion, Request, load_packs, open_source, prepare
from scanner.errors import InputError, Problem
from scanner.model import Json, Options, Severity
from scanner.scan import scan
from scanner.store import VerdictStore

_SHOWN = 160


def run(result: Path, snapshot: Path, folders: Sequence[Path]) -> int:
    """Evaluate again with the recorded options and compare every line; 0 when they are the same, else 1."""
    lines = _lines(result)
    differences = [*_seal(lines), *_differences(lines, snapshot, folders)]
    for difference in differences:
        click.echo(difference)
    if differences:
        click.echo(f"NOT VERIFIED: {result} is not what these policies say of {snapshot}")
        return 1
    click.echo(f"verified: {len(lines)} lines of {result} follow from {snapshot} and these policies")
    return 0


def _lines(file: Path) -> list[bytes]:
    """The lines of a result up to its decision; trace lines after it are not part of the evidence."""
    try:
        lines = file.read_bytes().splitlines(keepends=True)
    except OSError as error:
        raise InputError([Problem(file=str(file), text=f"cannot be read ({error.strerror})")]) from None
    kinds = [_kind(line) for line in lines]
    if "scan" not in kinds[:1] or "decision" not in kinds:
        raise InputError(
            [Problem(file=str(file), text="is not a native result: it needs a scan line first and a decision line")]
        )
    return lines[: kinds.index("decision") + 1]


def _kind(line: bytes) -> str:
    try:
        value = json.loads(line)
    except ValueError:
        return ""
    return str(value.get("kind", "")) if isinstance(value, dict) else ""


def _seal(lines: Sequence[bytes]) -> Iterator[str]:
    sealed = json.loads(lines[-1]).get("sha256")
    if hashlib.sha256(b"".join(lines[:-1])).hexdigest() != sealed:
        yield f"line {len(lines)}: the sha256 of the lines before the decision is not the recorded one"


def _differences(lines: Sequence[bytes], snapshot: Path, folders: Sequence[Path]) -> Iterator[str]:
    """The lines that a new evaluation writes differently, the first few of them."""
    header = json.loads(lines[0])
    shown = 0
    with TemporaryDirectory(prefix="arguard-") as spool:
        for number, (old, new) in enumerate(zip_longest(lines, _again(header, snapshot, folders, Path(spool))), start=1):
            if old != new:
                shown += 1
                if shown <= 5:
                    yield f"line {number}: recorded {_short(old)}\n          evaluated {_short(new)}"
    if shown > 5:
        yield f"and {shown - 5} more lines"


def _again(header: Mapping[str, Json], snapshot: Path, folders: Sequence[Path], spool: Path) -> list[bytes]:
    try:
        options = _options(header["options"])
        occasion = Occasion(
            now=datetime.fromisoformat(header["as_of"]),
            printed=datetime.fromisoformat(header["run_time"]),
            commit=str(header.get("commit") or ""),
            ci_run=str(header.get("ci_run") or ""),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError([Problem(file="result", line=1, column=1, text=f"the scan line is damaged ({error})")]) from None
    request = Request(snapshot=snapshot, packs=folders, options=options, outputs=(), query_timeout=120.0, quiet=True)
    with open_source(request, spool) as source, VerdictStore(spool) as store:
        job = prepare(options, load_packs(folders), source, occasion)
        return b"".join(native.render(scan(job, source, store))).splitlines(keepends=True)


def _options(recorded: Mapping[str, Json]) -> Options:
    fail_on = recorded["fail_on"]
    return Options(
        policies=tuple(recorded["policies"]),
        profile=recorded["profile"],
        params=dict(recorded["params"]),
        subscriptions=tuple(recorded["subscriptions"]),
        fail_on=None if fail_on == "never" else Severity.parse(fail_on),
        as_of=recorded["as_of"],
        max_age_hours=float(recorded["max_age_hours"]),
        allow_incomplete=bool(recorded["allow_incomplete"]),
    )


def _short(line: bytes | None) -> str:
    text = "(nothing)" if line is None else line.decode("utf-8", "replace").rstrip("\n")
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
