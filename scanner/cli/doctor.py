"""`arguard doctor`: what a live scan needs, checked one by one, each failure with its cure."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

from reporters.sanitise import console_safe
from scanner.cli import logs
from scanner.cli.checks import SIDE_NAMES, Check, Patient, check_graph, check_quota, check_rights, check_scope, check_side
from scanner.cli.facts import check_folder, write_facts
from scanner.cli.live import CURES, Connection, connected, named, wanted
from scanner.cli.options import GUID_HINT, Azure
from scanner.cli.scanning import load_packs
from scanner.cli.terminal import tell
from scanner.errors import UsageError
from scanner.model import Options, Trace
from scanner.plan import Plan, make_plan
from scanner.sources.azure.scope import Found, find


def run(*, azure: Azure, packs: Sequence[Path], policies: Sequence[str], facts: Path | None, verbose: int) -> int:
    """Check everything and say so; 0 when all is well, else 1."""
    problems = [*azure.problems()]
    if problems:
        raise UsageError("\n".join(problems), hint=GUID_HINT if "--subscription " in problems[0] else "")
    azure = azure if azure.names_scope else replace(azure, everything=True)
    if facts is not None:
        check_folder(facts)
    plan = make_plan(load_packs(packs), Options(policies=tuple(policies)))
    failed = False
    with logs.to(sys.stderr, verbose=verbose, quiet=False, file=None), connected(azure, stop=Event(), tell=_ignore) as line:
        found = None if line.sign_in.trouble else find(wanted(azure), line.calls)
        for check in examine(line, found, plan):
            failed = failed or check.good is False
            tell(console_safe(check.line))
        if facts is not None:
            words = frozenset(word for one in plan.asked for word in one.info.explains)
            tell(write_facts(facts, line.calls, found.scope.expected if found else (), words))
    return 1 if failed else 0


def examine(line: Connection, found: Found | None, plan: Plan) -> Iterator[Check]:
    """Every check in order, also after one that failed; those that cannot be tried say why."""
    yield _sign_in(line)
    sides = [table for table in plan.sides if table in SIDE_NAMES]
    names = ["resource graph", "rights", *(SIDE_NAMES[table] for table in sides), "quota"]
    if found is None:
        yield from (Check(name=name, good=None, text="nobody is signed in") for name in ("subscriptions", *names))
        return
    patient = Patient(calls=line.calls, scope=found.scope, object_id=line.sign_in.identity.object_id)
    yield check_scope(found, patient)
    if not found.scope.expected:
        yield from (Check(name=name, good=None, text="there is no subscription to try it in") for name in names)
        return
    yield check_graph(patient, datetime.now(UTC))
    yield from check_rights(plan, patient)
    yield from (check_side(table, patient) for table in sides)
    yield check_quota(line.calls.quota_left)


def _sign_in(line: Connection) -> Check:
    who = line.sign_in
    if who.trouble:
        return Check(name="sign-in", good=False, text=f"{who.kind}: {who.trouble}", cure=CURES[who.kind])
    return Check(name="sign-in", good=True, text=f"{named(who.identity)} at {line.cloud.endpoint}")


def _ignore(_trace: Trace) -> None:
    """The log tells of each request; nothing is kept."""
