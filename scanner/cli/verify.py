"""`arguard verify`: whether a result is what the policies say of a snapshot."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory

from reporters import native
from scanner.cli.occasion import Occasion
from scanner.cli.scanning import Request, load_packs, open_source, prepare, read_given
from scanner.cli.terminal import tell
from scanner.errors import InputError, Problem, UsageError
from scanner.model import Identity, Json, Options, Severity
from scanner.scan import scan
from scanner.store import VerdictStore

_SHOWN = 160
_LONGEST_HOURS = 24 * 999_999
"""The longest `--max-age`, as the command line takes it."""
_BEFORE = 60
_HINT = "`arguard scan --snapshot FOLDER -o native=FILE` writes a result"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What a result says of how it was made."""

    options: Options
    occasion: Occasion
    evidence: bool
    """Whether documents of machines were given beside the snapshot."""


def run(result: Path, snapshot: Path, folders: Sequence[Path], evidence: Path | None = None) -> int:
    """Evaluate again with the recorded options and compare every line; 0 when they are the same, else 1."""
    lines = _lines(result)
    recorded = _recorded(lines[0], result)
    if recorded.evidence and evidence is None:
        raise UsageError(f"{result} was made with evidence", hint="give the same folder with --evidence FOLDER")
    again = Request(
        snapshot=snapshot,
        packs=folders,
        options=recorded.options,
        outputs=(),
        query_timeout=120.0,
        quiet=True,
        evidence=evidence,
    )
    differences = [*_seal(lines), *_differences(lines, recorded, again)]
    for difference in differences:
        tell(difference)
    if differences:
        tell(f"NOT VERIFIED: {result} is not what these policies say of {snapshot}")
        return 1
    tell(f"verified: {len(lines)} lines of {result} follow from {snapshot} and these policies")
    return 0


def _lines(file: Path) -> list[bytes]:
    """The lines of a result up to its decision; trace lines after it are not part of the evidence."""
    try:
        lines = file.read_bytes().splitlines(keepends=True)
    except OSError as error:
        raise InputError([Problem(file=str(file), text=f"cannot be read ({error.strerror})")], hint=_HINT) from None
    kinds = [_kind(line) for line in lines]
    if "scan" not in kinds[:1] or "decision" not in kinds:
        text = "is not a whole native result: it needs a scan line first and a decision line at the end"
        raise InputError([Problem(file=str(file), text=text)], hint=_HINT)
    end = kinds.index("decision") + 1
    strange = next((number for number, kind in enumerate(kinds[end:], start=end + 1) if kind != "trace"), 0)
    if strange:
        text = "only trace lines may follow the decision line"
        raise InputError([Problem(file=str(file), line=strange, column=1, text=text)], hint=_HINT)
    return lines[:end]


def _kind(line: bytes) -> str:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return ""
    return str(value.get("kind", "")) if isinstance(value, dict) else ""


def _seal(lines: Sequence[bytes]) -> Iterator[str]:
    sealed = json.loads(lines[-1]).get("sha256")
    if hashlib.sha256(b"".join(lines[:-1])).hexdigest() != sealed:
        yield f"line {len(lines)}: the sha256 of the lines before the decision is not the recorded one"


def _differences(lines: Sequence[bytes], recorded: Recorded, request: Request) -> Iterator[str]:
    """The lines that a new evaluation writes differently, the first few of them."""
    shown = 0
    with TemporaryDirectory(prefix="arguard-") as spool:
        for number, (old, new) in enumerate(zip_longest(lines, _again(recorded, request, Path(spool))), start=1):
            if old != new:
                shown += 1
                if shown <= 5:
                    start = max(0, _same(old or b"", new or b"") - _BEFORE)
                    yield f"line {number}: recorded  {_short(old, start)}\n  evaluated {_short(new, start)}"
    if shown > 5:
        yield f"and {shown - 5} more lines"


def _again(recorded: Recorded, request: Request, spool: Path) -> list[bytes]:
    options = recorded.options
    assert request.snapshot is not None
    # What a live scan was asked for decided what was collected, so that its snapshot is not narrowed again.
    narrowed = options if recorded.occasion.source == "snapshot" else replace(options, subscriptions=())
    with (
        open_source(replace(request, options=narrowed), request.snapshot, spool, read_given(request)) as source,
        VerdictStore(spool) as store,
    ):
        job = prepare(options, load_packs(request.packs), source, recorded.occasion)
        return b"".join(native.render(scan(job, source, store))).splitlines(keepends=True)


def _recorded(line: bytes, file: Path) -> Recorded:
    """The options and times of the scan line; raises InputError where they cannot be used."""
    header = json.loads(line)
    try:
        occasion = Occasion(
            now=_moment(header["as_of"]),
            printed=_moment(header["run_time"]),
            commit=str(header.get("commit") or ""),
            ci_run=str(header.get("ci_run") or ""),
            pipeline={str(name): str(text) for name, text in (header.get("pipeline") or {}).items()},
            source=_source(header["source"]),
            identity=_identity(header.get("identity")),
        )
        return Recorded(options=_options(header["options"]), occasion=occasion, evidence="evidence" in header["digests"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        text = f"the scan line is damaged ({type(error).__name__}: {error})"
        raise InputError([Problem(file=str(file), line=1, column=1, text=text)], hint=_HINT) from None


def _options(recorded: Mapping[str, Json]) -> Options:
    fail_on = recorded["fail_on"]
    return Options(
        policies=_texts(recorded["policies"]),
        profile=_texts([recorded["profile"]])[0],
        params=dict(zip(_texts([*recorded["params"]]), _texts([*recorded["params"].values()]), strict=True)),
        subscriptions=_texts(recorded["subscriptions"]),
        fail_on=None if fail_on == "never" else Severity.parse(fail_on),
        as_of=recorded["as_of"],
        max_age_hours=_hours(recorded["max_age_hours"]),
        allow_incomplete=bool(recorded["allow_incomplete"]),
    )


def _source(value: Json) -> str:
    if value not in {"snapshot", "azure"}:
        raise ValueError(f"{json.dumps(value)} is no source")
    return str(value)


def _identity(value: Json) -> Identity | None:
    if value is None:
        return None
    credential, tenant, object_id = _texts([value["credential"], value["tenant"], value["object_id"]])
    return Identity(credential=credential, tenant=tenant, object_id=object_id)


def _moment(text: Json) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return moment


def _hours(value: Json) -> float:
    hours = float(value)
    if not 0 <= hours <= _LONGEST_HOURS:
        raise ValueError(f"{value} hours are no age")
    return hours


def _texts(values: Json) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(one, str) for one in values):
        raise TypeError(f"{json.dumps(values)} is no list of texts")
    return tuple(values)


def _same(old: bytes, new: bytes) -> int:
    """How many bytes two lines begin with in common."""
    pairs = enumerate(zip(old, new, strict=False))
    return next((place for place, (one, other) in pairs if one != other), min(len(old), len(new)))


def _short(line: bytes | None, start: int) -> str:
    """A line from shortly before the first difference on."""
    text = "(nothing)" if line is None else line[start:].decode("utf-8", "replace").rstrip("\n")
    before = "..." if line is not None and start else ""
    return before + (text if len(text) <= _SHOWN else text[:_SHOWN] + "...")
