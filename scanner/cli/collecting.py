"""`arguard collect`: ask Azure what the policies need and keep the answers as a snapshot."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from threading import Event

from scanner import kql
from scanner.cli import logs
from scanner.cli.failures import say
from scanner.cli.live import announce, ask, connected, order_of
from scanner.cli.options import GUID_HINT, NO_SCOPE, Azure
from scanner.cli.progress import Display
from scanner.cli.scanning import load_packs
from scanner.cli.terminal import tell
from scanner.errors import UsageError
from scanner.model import Options
from scanner.policy import Query
from scanner.sources.azure.collect import Collected, Order
from scanner.sources.azure.writing import open_work, write_snapshot
from scanner.sources.coverage import file_gaps, scope_of
from scanner.sources.manifest import FileModel, Manifest
from scanner.sources.manifest_file import read_manifest


def run(  # noqa: PLR0913 - one parameter for each option of the command line
    *,
    folder: Path,
    azure: Azure,
    packs: Sequence[Path],
    policies: Sequence[str],
    raw: bool,
    fresh: bool,
    quiet: bool,
    verbose: int,
    log_file: Path | None,
) -> int:
    """Collect into a folder; 0 when everything answered, 3 with gaps, 130 or 143 when interrupted."""
    check_scope(azure)
    # What is kept may be judged with evidence later, for which some policies ask Azure more.
    order = order_of(load_packs(packs), Options(policies=tuple(policies)), azure, frozenset({"evidence"}))
    if raw:
        order = replace(order, raw=raw_tables(order.questions.queries))
    display = Display(sys.stderr, quiet=quiet, verbose=verbose)
    with logs.to(sys.stderr, verbose=verbose, quiet=quiet, file=log_file):
        collected = _collect(order, azure, folder, fresh=fresh, display=display)
    if collected.stopped is not None:
        say(sys.stderr, f"interrupted; {folder} was not changed", "the same command goes on where this one stopped")
        return int(getattr(collected.stopped, "exit_code", 130))
    manifest = read_manifest(folder).manifest
    names = {query.digest: query.name for query in order.questions.queries}
    if not quiet:
        for line in summary(manifest, folder, names):
            tell(line)
    return 3 if any(gaps_by_reason(manifest, names)) else 0


def check_scope(azure: Azure) -> None:
    """Raise UsageError with everything that is wrong with the options, or where they name no scope."""
    problems = [*azure.problems(), *([] if azure.names_scope else ["nothing to collect: no part of Azure is named"])]
    if problems:
        raise UsageError("\n".join(problems), hint=GUID_HINT if "--subscription " in problems[0] else NO_SCOPE)


def raw_tables(queries: Sequence[Query]) -> Mapping[str, frozenset[str] | None]:
    """The tables of Azure Resource Graph that queries read, each with the types that they ask for (None: all of them).

    Raises MissingExtraError where the queries could not be read for want of the `[offline]` extra.
    """
    found: dict[str, frozenset[str] | None] = {}
    for query in queries:
        if query.tables is None:
            kql.require("Finding the tables for --raw")
        for table, types in (query.tables or {}).items():
            known = found.get(table, frozenset())
            found[table] = None if known is None or types is None else known | types
    return found


def summary(manifest: Manifest, folder: Path, names: Mapping[str, str]) -> Iterator[str]:
    """What was written, what is missing, and what to do with it; `names` are those of queries by their digest."""
    files = _files(manifest, names)
    rows = sum(file.rows for _, file in files)
    scope = manifest.scope
    held = f"{_count(len(files), 'table')}, {_count(rows, 'row')}, {_count(len(scope.subscriptions), 'subscription')}"
    yield f"{folder}: {held} ({scope.kind}), collected {manifest.collected_at}"
    yield from gaps_by_reason(manifest, names)
    yield f"judge it with: arguard scan --snapshot {quote(str(folder))}"


def gaps_by_reason(manifest: Manifest, names: Mapping[str, str]) -> Iterator[str]:
    """What the snapshot lacks: one line for each reason and text, with the tables and the subscriptions it concerns."""
    scope = scope_of(manifest, ())
    if not scope.expected:
        yield "gap SCOPE_EMPTY: the scope holds no subscription"
    found: dict[tuple[str, str], tuple[set[str], set[str]]] = {}
    for name, file in _files(manifest, names):
        for gap in file_gaps(scope, name, [file]):
            tables, subscriptions = found.setdefault((gap.reason, gap.text), (set(), set()))
            tables.add(name)
            subscriptions |= {gap.subscription} if gap.subscription else {*scope.expected}
    for (reason, text), (tables, subscriptions) in sorted(found.items()):
        where = f"{_count(len(subscriptions), 'subscription')} ({_some(subscriptions)})"
        yield f"gap {reason}: {text}: {where}, in {_some(tables)}"


def _collect(order: Order, azure: Azure, folder: Path, *, fresh: bool, display: Display) -> Collected:
    now = datetime.now(UTC)
    stop = Event()
    with connected(azure, stop=stop, tell=_ignore) as line:
        announce(line, display)
        with open_work(folder, line.meta(order), now=now, resume=not fresh) as work:
            if work.resumed:
                display.stage("going on with the collection that was interrupted; --fresh begins again")
            collected = ask(order, line, work, now=now, stop=stop, display=display)
            if collected.stopped is None:
                write_snapshot(folder, collected, work)
            return collected


def _ignore(_trace: object) -> None:
    """A snapshot holds no traces; the log does."""


def _files(manifest: Manifest, names: Mapping[str, str]) -> Sequence[tuple[str, FileModel]]:
    """Every data file with the name people know it by: its query or its table."""
    answers = [(names.get(digest, digest[:12]), answer) for digest, answer in manifest.answers.items()]
    return [*sorted(answers, key=lambda item: item[0]), *sorted(manifest.tables.items())]


def _some(names: set[str]) -> str:
    shown = sorted(names)[:3]
    return ", ".join(shown) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
