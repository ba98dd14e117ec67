"""A stored native result, read back: what was scanned can be told again without asking anybody.

The file is read twice: once to prove that every line can be used and stands in its place, then line by line for each report,
so that memory stays flat.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NoReturn, TypeVar

import orjson
from pydantic import ValidationError

from scanner.errors import InputError, Problem
from scanner.model import Finding, PolicyResult, ScanResult, Verdict
from scanner.sources.result_lines import (
    KINDS,
    DecisionLine,
    GapLine,
    LedgerLine,
    Line,
    PolicyLine,
    ScanLine,
    SummaryLine,
    TraceLine,
    VerdictLine,
)

_HINT = "`arguard scan ... -o native=FILE` writes a result"
_LONGEST = 16 * 1024 * 1024
"""Bytes of a line: evidence is at most 4 KB, so that only a policy's own texts could be long."""
_Kind = TypeVar("_Kind", bound=Line)


def read_result(file: Path) -> ScanResult:
    """The result in a file, its verdicts left there; raises InputError where a line is damaged, missing or in a wrong place."""
    try:
        with file.open("rb") as stream:
            return _result(_Lines(stream, str(file)), file, _stamp(stream))
    except OSError as error:
        raise InputError([Problem(file=str(file), text=f"cannot be read ({error.strerror})")], hint=_HINT) from None


def _result(lines: _Lines, file: Path, stamp: Sequence[int]) -> ScanResult:
    info = lines.take(ScanLine).info()
    ledger = tuple(line.entry() for line in lines.all(LedgerLine))
    policies: list[PolicyResult] = []
    places: dict[str, _Place] = {}
    while isinstance(lines.next, PolicyLine):
        if policies and policies[-1].info.id >= lines.next.id:
            lines.refuse("policies stand in the order of their ids, each once")
        policy, place = _policy(lines)
        policies.append(policy)
        places[policy.info.id] = place
    digest = lines.digest.hexdigest()
    if isinstance(lines.next, DecisionLine) and lines.next.sha256 != digest:
        lines.refuse("the sha256 of the lines before this one is not the recorded one: they were changed")
    decision = lines.take(DecisionLine).decision()
    trace = tuple(line.trace() for line in lines.all(TraceLine))
    if lines.next:
        lines.refuse("only trace lines may follow the decision line")
    findings = _Stored(file=file, stamp=tuple(stamp), places=places)
    return ScanResult(info=info, ledger=ledger, policies=policies, findings=findings, decision=decision, trace=trace)


def _policy(lines: _Lines) -> tuple[PolicyResult, _Place]:
    head = lines.take(PolicyLine)
    place = _Place(offset=lines.offset, number=lines.number)
    seen: Counter[Verdict] = Counter()
    last = ("", "")
    while isinstance(lines.next, VerdictLine):
        key = (lines.next.id, lines.next.subject)
        if lines.next.policy != head.id or key < last:
            lines.refuse(f"verdicts stand below their policy, in the order of id and subject; this one does not ({head.id})")
        last = key
        seen[lines.take(VerdictLine).verdict] += 1
    gaps = tuple(line.gap() for line in lines.all(GapLine))
    if isinstance(lines.next, SummaryLine):
        counts = lines.next.counts
        told = (counts.passed, counts.failed, counts.unknown, counts.not_applicable)
        if lines.next.policy != head.id or told != tuple(seen[verdict] for verdict in Verdict):
            lines.refuse(f"the counts are not those of the verdicts above ({head.id})")
    counts = lines.take(SummaryLine).counts
    return PolicyResult(info=head.info(), waits_for=head.waits_for, counts=counts, gaps=gaps), place


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where the verdicts of a policy begin."""

    offset: int
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stored:
    """The verdicts in a file that was read whole before."""

    file: Path
    stamp: tuple[int, ...]
    places: dict[str, _Place]

    def of(self, policy: str) -> Iterator[Finding]:
        """The verdicts of one policy as they stand there; raises InputError if the file is no longer the one that was read."""
        place = self.places[policy]
        with self.file.open("rb") as stream:
            if tuple(_stamp(stream)) != self.stamp:
                raise InputError([Problem(file=str(self.file), text="was changed while it was read")], hint="run again")
            stream.seek(place.offset)
            for line in _Lines(stream, str(self.file), before=place.number - 1).all(VerdictLine):
                yield line.finding()


class _Lines:
    """The lines of a result, one ahead: `next` is what follows (None at the end), `digest` that of all lines before it."""

    def __init__(self, stream: BinaryIO, file: str, before: int = 0) -> None:
        self._stream, self._file = stream, file
        self._raw = b""
        self.number, self.offset = before, stream.tell()
        self.digest = hashlib.sha256()
        self.next: Line | None = None
        self._step()

    def take(self, kind: type[_Kind]) -> _Kind:
        """The next line, which must be of this kind; raises InputError if it is not."""
        line = self.next
        if not isinstance(line, kind):
            found = "the file ends here" if line is None else f"this is a {_NAMES[type(line)]} line"
            self.refuse(f"a {_NAMES[kind]} line is missing: {found}; the result is not whole")
        self._step()
        return line

    def all(self, kind: type[_Kind]) -> Iterator[_Kind]:
        """The lines of this kind that follow."""
        while isinstance(self.next, kind):
            yield self.take(kind)

    def refuse(self, text: str) -> NoReturn:
        """Raise InputError about the next line."""
        raise InputError([Problem(file=self._file, line=self.number, column=1, text=text)], hint=_HINT)

    def _step(self) -> None:
        """Go to the next line of a known kind."""
        self.next = None
        while self.next is None:
            self.digest.update(self._raw)
            self.offset += len(self._raw)
            self.number += 1
            self._raw = self._stream.readline(_LONGEST)
            if not self._raw:
                return
            if not self._raw.endswith(b"\n"):
                self.refuse(f"is cut off, or longer than {_LONGEST:,} bytes")
            self.next = self._parsed()

    def _parsed(self) -> Line | None:
        try:
            value = orjson.loads(self._raw)
        except orjson.JSONDecodeError as error:
            self.refuse(f"is no JSON: {error.msg}")
        kind = value.get("kind") if isinstance(value, dict) else None
        if not isinstance(kind, str):
            self.refuse("is no object with a `kind`")
        if kind not in KINDS:
            return None
        try:
            return KINDS[kind].model_validate_json(self._raw)
        except ValidationError as error:
            told = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in islice(error.errors(), 3))
            self.refuse(f"this {kind} line cannot be used: {'; '.join(told)}")


_NAMES = {kind: name for name, kind in KINDS.items()}


def _stamp(stream: BinaryIO) -> Sequence[int]:
    """What tells a file from another or a later one."""
    told = os.fstat(stream.fileno())
    return told.st_ino, told.st_size, told.st_mtime_ns
