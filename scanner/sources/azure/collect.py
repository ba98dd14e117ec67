"""The collection: everything a scan asks, read at once, and what was proven about each answer.

First the scope, one call after the other; the clock of its first reply is the time that `now()` means everywhere. Then all
the rest in parts that do not wait for each other: who is visible, what the identity may read, each query to each batch of
subscriptions, each side table of each subscription. What could not be read, or could not be proven, is a gap.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Protocol

import orjson

from scanner.model import Gap, Reason, Scope, Subscription
from scanner.sources.azure import rights, scope
from scanner.sources.azure.asked import (
    CANARY,
    PERMISSIONS,
    Ask,
    Asked,
    Order,
    everything,
    parts_of,
    permission_of,
    proofs,
    unaskable,
)
from scanner.sources.azure.ledger import Proofs, covered, gaps_of, rights_gaps
from scanner.sources.azure.progress import Progress
from scanner.sources.azure.run import Part, run
from scanner.sources.azure.wire import Calls
from scanner.sources.azure.work import Ground, Work

__all__ = ["Collected", "Order", "Piece", "Progress", "collect"]

SKEW = timedelta(seconds=120)
"""How far this machine's clock may be off before it is said: above it, tokens and certificates begin to fail."""

_STANDING = "rights of the parts that are kept"

logger = logging.getLogger("arguard.azure")


class Clocked(Calls, Protocol):
    """Calls that know the service's clock."""

    @property
    def server_time(self) -> datetime | None:
        """The `Date` of the first reply; None before it, or without one."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One file of the snapshot: what was asked, the subscriptions that answered in full, and why the others did not."""

    asked: Asked
    answered: tuple[str, ...]
    gaps: tuple[Gap, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """Everything but the rows, which lie in the work. `stopped` is what ended the collection early."""

    scope: Scope
    collected_at: datetime
    pieces: tuple[Piece, ...]
    stopped: BaseException | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """A file of the snapshot with the parts that it is read in, and why it cannot be read at all."""

    asked: Asked
    parts: tuple[Part, ...] = ()
    gaps: tuple[Gap, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """Everything that is asked; `gaps` are those of the scope."""

    files: tuple[_File, ...]
    proofs: tuple[Part, ...] = ()
    gaps: tuple[Gap, ...] = ()

    @property
    def parts(self) -> tuple[Part, ...]:
        return (*self.proofs, *(part for file in self.files for part in file.parts))


def collect(  # noqa: PLR0913 - the order, the way out, the way in, and three things that come from outside
    order: Order, calls: Clocked, work: Work, *, now: datetime, stop: Event, progress: Progress
) -> Collected:
    """Ask everything; trouble becomes gaps. The work is sealed afterwards and holds the rows.

    `now` is this machine's clock, used where the service tells no time. A KeyboardInterrupt sets `stop` and ends the
    collection with what is finished. Raises OutputError where the work cannot be written; any other exception is a bug.
    """
    stopped: BaseException | None = None
    ground, plan = _unknown(order, work, now)
    try:
        ground, plan = _planned(order, calls, work, now=now, progress=progress)
        progress.stage(f"scope: {len(ground.scope.expected)} subscriptions, {ground.scope.kind}")
        if work.resumed:
            _renew(plan, work, stop=stop, progress=progress)
        run(plan.parts, work, stop=stop, progress=progress)
        numbers = progress.now()
        progress.stage(f"asked: {numbers.done} of {numbers.total} parts, {numbers.pages} pages, {numbers.rows} rows")
    except KeyboardInterrupt as interruption:
        stop.set()
        stopped = interruption
    work.seal()
    if stop.is_set() and stopped is None:
        stopped = KeyboardInterrupt()
    return replace(_concluded(ground, plan, work), stopped=stopped)


def _unknown(order: Order, work: Work, now: datetime) -> tuple[Ground, _Plan]:
    """What can be said when the collection ends before its scope is known: nobody answered anything."""
    known = work.ground()
    wanted = order.wanted
    expected = tuple(sorted({name.lower() for name in wanted.subscriptions}))
    kind = "discovered" if wanted.everything else "proven"
    unknown = Scope(kind=kind, expected=expected, management_groups=wanted.management_groups)
    moment = known.collected_at if known else _whole_seconds(now)
    interrupted = (Gap(reason=Reason.FAILED, text="Interrupted"),)
    plan = _Plan(files=tuple(_File(asked=asked) for asked in everything(order)), gaps=interrupted)
    return Ground(collected_at=moment, scope=unknown, whole=False), plan


def _planned(order: Order, calls: Clocked, work: Work, *, now: datetime, progress: Progress) -> tuple[Ground, _Plan]:
    """The ground, and every part that is to be read on it."""
    ground, gaps = _found(order, calls, work, now=now)
    groups = () if order.wanted.subscriptions else ground.scope.management_groups
    ask = Ask(calls=calls, scope=ground.scope, groups=groups, collected_at=ground.collected_at, progress=progress)
    asked = everything(order)
    files = tuple(_File(asked=one, parts=parts_of(one, ask), gaps=unaskable(one, ask)) for one in asked)
    return ground, _Plan(files=files, proofs=proofs(ask), gaps=gaps)


def _found(order: Order, calls: Clocked, work: Work, *, now: datetime) -> tuple[Ground, tuple[Gap, ...]]:
    """The scope and the time, kept for a resumed collection; a scope that was found without trouble is not asked again."""
    known = work.ground()
    if known is not None and known.whole:
        # A resumed collection judges as of its first run, and expects whom that expected.
        return known, ()
    found = scope.find(order.wanted, calls)
    moment = known.collected_at if known else _moment(calls, now)
    ground = Ground(collected_at=moment, scope=found.scope, whole=not found.gaps)
    work.keep(ground)
    return ground, found.gaps


def _moment(calls: Clocked, now: datetime) -> datetime:
    """The service's clock, which its rows are judged by; said aloud where this machine's is far from it."""
    told = calls.server_time
    if told is None:
        return _whole_seconds(now)
    skew = now - told
    if abs(skew) > SKEW:
        way = "ahead of" if skew > timedelta(0) else "behind"
        text = "this machine's clock is %s %s Azure's; ages are judged by Azure's clock, but sign-in may fail: set the clock"
        logger.warning(text, _long(abs(skew)), way)
    return _whole_seconds(told)


def _whole_seconds(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)


def _long(span: timedelta) -> str:
    hours = span.total_seconds() / 3600
    return f"{hours:.1f} hours" if hours >= 1 else f"{hours * 60:.0f} minutes"


def _renew(plan: _Plan, work: Work, *, stop: Event, progress: Progress) -> None:
    """Prove again what an earlier run had proven, and drop what it read where that is no longer the same.

    Roles are granted and expire between two runs, and Azure Resource Graph leaves out without a word what may not be read:
    an answer is proven by the rights under which it was read. These are noted until the comparison is done, whatever ends
    this run before.
    """
    noted = work.noted(_STANDING)
    before = _standing(plan.proofs, work) if noted is None else noted
    work.note(_STANDING, before)
    for part in plan.proofs:
        work.forget(part.question, part.number)
    run(plan.proofs, work, stop=stop, progress=progress)
    after = _standing(plan.proofs, work)
    for part in (part for file in plan.files for part in file.parts):
        if any(one not in before or before[one] != after.get(one) for one in part.subscriptions):
            work.forget(part.question, part.number)
    work.note(_STANDING, None)


def _standing(proofs: Sequence[Part], work: Work) -> dict[str, str]:
    """In which state each subscription was visible and what it granted, as one text, where both could be asked."""
    seen = _seen(work)
    outcomes = (work.finished(part.question, part.number) for part in proofs if part.question == CANARY)
    looked_for = {one for outcome in outcomes if outcome for one in outcome.answered}
    found = {}
    for one, entries in _permissions(proofs, work).items():
        if one in looked_for:
            state = seen[one].state if one in seen else None
            found[one] = orjson.dumps([state, sorted({(entry.actions, entry.not_actions) for entry in entries})]).decode()
    return found


def _seen(work: Work) -> Mapping[str, Subscription]:
    return scope.seen([orjson.loads(line) for line in work.lines(CANARY)])


def _concluded(ground: Ground, plan: _Plan, work: Work) -> Collected:
    """Every file with who answered and why the others did not."""
    seen = _seen(work)
    gaps = (*plan.gaps, *_proof_gaps(plan.proofs, work, seen))
    proven = Proofs(gaps=gaps, permissions=_permissions(plan.proofs, work))
    return Collected(
        scope=scope.completed(ground.scope, seen),
        collected_at=ground.collected_at,
        pieces=tuple(_piece(file, proven, ground.scope.expected, work) for file in plan.files),
    )


def _piece(file: _File, proven: Proofs, expected: Sequence[str], work: Work) -> Piece:
    answered: set[str] = set()
    gaps = [*file.gaps, *proven.gaps, *rights_gaps(file.asked.needs, proven)]
    for part in file.parts:
        outcome = work.finished(part.question, part.number)
        answered |= outcome.answered if outcome else set()
        gaps += gaps_of(part, outcome)
    whole, told = covered(expected, answered, gaps)
    return Piece(asked=file.asked, answered=whole, gaps=told)


def _proof_gaps(parts: Sequence[Part], work: Work, seen: Mapping[str, Subscription]) -> Iterator[Gap]:
    """Who is not visible, and whose visibility or permissions could not be asked."""
    for part in parts:
        outcome = work.finished(part.question, part.number)
        yield from gaps_of(part, outcome)
        if part.question == CANARY and outcome is not None:
            yield from scope.missing(outcome.answered, seen)


def _permissions(parts: Sequence[Part], work: Work) -> dict[str, list[rights.Permission]]:
    """The entries of each subscription whose permissions were read; none at all is an answer too."""
    found: dict[str, list[rights.Permission]] = {}
    for part in parts:
        outcome = work.finished(part.question, part.number) if part.question == PERMISSIONS else None
        found.update({one: [] for one in (outcome.answered if outcome else ())})
    for line in work.lines(PERMISSIONS):
        subscription, entry = permission_of(line)
        if subscription in found:
            found[subscription].append(entry)
    return found
