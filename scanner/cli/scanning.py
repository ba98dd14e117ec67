"""`arguard scan`: from options to an exit code."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from scanner import __version__, gate, packs
from scanner.cli import logs, outputs, writing
from scanner.cli.failures import say
from scanner.cli.occasion import Occasion, occasion_of
from scanner.cli.options import GUID_HINT, NO_SCOPE, Azure
from scanner.cli.progress import Display
from scanner.errors import UsageError
from scanner.model import Options, ScanInfo, ScanResult, Severity
from scanner.plan import make_plan
from scanner.policy import Pack
from scanner.scan import Job, scan
from scanner.sources.evidence import Evidence, read_evidence
from scanner.sources.snapshot import SnapshotSource, open_snapshot
from scanner.store import VerdictStore

_HOURS = {"m": 1 / 60, "h": 1.0, "d": 24.0}
_AGE = re.compile(r"([0-9]{1,6})([mhd])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the command line asked for, checked. Without a snapshot Azure is asked, and `save` keeps its answers.

    `evidence` is a folder of documents from inside the machines, which belong to neither.
    """

    snapshot: Path | None
    packs: Sequence[Path]
    options: Options
    outputs: Sequence[outputs.Output]
    query_timeout: float
    quiet: bool
    azure: Azure | None = None
    save: Path | None = None
    evidence: Path | None = None
    verbose: int = 0


def run(*, snapshot: Path | None, azure: Azure, save: Path | None, verbose: int, log_file: Path | None, **judge: Any) -> int:
    """Check the options, scan, write the reports; returns the exit code."""
    wrong = _wrong_source(azure, snapshot, save=save, as_of=judge["as_of"])
    _check([*_wrong_values(judge["max_age"], judge["params"]), *azure.problems(), *wrong])
    request = Request(
        snapshot=snapshot,
        packs=judge["packs"],
        options=_options(azure, **judge),
        outputs=outputs.parse(judge["outputs"], judge["includes"]),
        query_timeout=judge["query_timeout"],
        quiet=judge["quiet"],
        azure=None if snapshot else azure,
        save=save,
        evidence=judge["evidence"],
        verbose=verbose,
    )
    with logs.to(sys.stderr, verbose=verbose, quiet=request.quiet, file=log_file):
        return execute(request, now=datetime.now(UTC))


def _options(azure: Azure, **judge: Any) -> Options:
    """The options that decide."""
    return Options(
        policies=tuple(judge["policies"]),
        profile=judge["profile"],
        params=dict(text.split("=", 1) for text in judge["params"]),
        subscriptions=azure.ids,
        fail_on=None if judge["fail_on"] == "never" else Severity.parse(judge["fail_on"]),
        as_of=judge["as_of"],
        max_age_hours=_hours(judge["max_age"]),
        allow_incomplete=judge["allow_incomplete"],
    )


def execute(request: Request, *, now: datetime) -> int:
    """Scan and write; the strongest of the exit codes that apply."""
    with TemporaryDirectory(prefix="arguard-") as folder:
        spool = Path(folder)
        inputs = {"snapshot": request.snapshot or request.save or spool, "evidence": request.evidence or spool}
        outputs.check(request.outputs, inputs=inputs, quiet=request.quiet)
        loaded = load_packs(request.packs)
        evidence = read_given(request)
        occasion = occasion_of(request.options, now)
        if request.azure is None:
            assert request.snapshot is not None
            with open_source(request, request.snapshot, spool, evidence) as source:
                return _judge(request, prepare(request.options, loaded, source, occasion), source, spool)
        from scanner.cli.live import gather  # noqa: PLC0415 - the Azure SDK, which a snapshot does not need

        gathered = gather(request, loaded, spool, now=now)
        with open_source(request, gathered.snapshot, spool, evidence) as source:
            told = replace(occasion, now=source.collected_at, source="azure", identity=gathered.identity, kept=gathered.kept)
            job = prepare(request.options, loaded, source, told)
            return _judge(request, replace(job, stopped=gathered.stopped, trace=gathered.trace), source, spool)


def load_packs(folders: Sequence[Path]) -> tuple[Pack, ...]:
    """The packs of some folders, or the bundled ones."""
    return packs.load(tuple(folders) or packs.bundled())


def read_given(request: Request) -> Evidence | None:
    """The evidence of a request: read before Azure is asked, so that a damaged document does not cost what Azure said."""
    return read_evidence(request.evidence) if request.evidence else None


def open_source(request: Request, folder: Path, spool: Path, evidence: Evidence | None) -> SnapshotSource:
    """A snapshot, verified, with evidence beside it; narrowed to what was asked for, unless that decided what was collected."""
    return open_snapshot(
        folder,
        subscriptions=() if request.azure else request.options.subscriptions,
        query_timeout=request.query_timeout,
        spool=spool,
        evidence=evidence,
    )


def prepare(options: Options, loaded: Sequence[Pack], source: SnapshotSource, occasion: Occasion) -> Job:
    """The plan, and what the reports say of the run."""
    as_of = source.collected_at if options.as_of == "snapshot" else occasion.now
    digests = {f"pack:{pack.id}": pack.digest for pack in loaded}
    kept = {"snapshot": source.digest} if occasion.kept else {}
    info = ScanInfo(
        tool=f"arguard {__version__}",
        libraries=_libraries(),
        run_time=as_of if options.as_of == "snapshot" else occasion.printed,
        as_of=as_of,
        collected_at=source.collected_at,
        source=occasion.source,
        scope=source.scope,
        options=options,
        digests={**digests, **kept, **({"evidence": source.evidence} if source.evidence else {})},
        identity=occasion.identity,
        commit=occasion.commit,
        ci_run=occasion.ci_run,
        pipeline=occasion.pipeline,
    )
    return Job(plan=make_plan(loaded, options, source.offers), info=info)


def _judge(request: Request, job: Job, source: SnapshotSource, spool: Path) -> int:
    """Judge what is there and write the reports."""
    with VerdictStore(spool) as store:
        with logs.progress(sys.stderr, shown=not request.quiet):
            result = scan(job, source, store)
        if request.azure:
            rows = sum(policy.counts.rows for policy in result.policies)
            asked = sum(policy.asked for policy in result.policies)
            Display(sys.stderr, quiet=request.quiet, verbose=request.verbose).stage(f"judged {rows:,} rows of {asked} policies")
        return _finish(request, result)


def _finish(request: Request, result: ScanResult) -> int:
    wanted = [*request.outputs]
    if not request.quiet and all(output.file for output in wanted):
        wanted.append(outputs.Output(format="console"))
    problems = writing.write(wanted, result)
    for problem in problems:
        say(sys.stderr, f"not written: {problem}")
    files = [str(output.file) for output in wanted if output.file]
    if files and not problems and not request.quiet:
        say(sys.stderr, f"written: {', '.join(files)}")
    return gate.strongest([result.decision.exit_code, *([4] if problems else [])])


def _check(problems: Sequence[str]) -> None:
    """Raise UsageError with everything that is wrong in the form of the options."""
    if problems:
        hints = {"--subscription ": GUID_HINT, "nothing to judge": NO_SCOPE}
        hint = next((hint for start, hint in hints.items() if any(one.startswith(start) for one in problems)), "")
        raise UsageError("\n".join(problems), hint=hint)


def _wrong_values(max_age: str, params: Sequence[str]) -> Iterator[str]:
    yield from (f"--param {text}: write NAME=VALUE" for text in params if not text.partition("=")[0] or "=" not in text)
    given = [text.partition("=")[0] for text in params]
    yield from (f"--param {name}: given {given.count(name)} times" for name in sorted({*given}) if given.count(name) > 1)
    if not _AGE.fullmatch(max_age):
        yield f"--max-age {max_age}: write a number and m, h or d, such as 90m, 24h or 7d"


def _wrong_source(azure: Azure, snapshot: Path | None, *, save: Path | None, as_of: str) -> Iterator[str]:
    """A scan looks at a snapshot or at Azure, never at a mixture."""
    if snapshot is None:
        if not azure.names_scope:
            yield "nothing to judge: a scan needs a snapshot (--snapshot FOLDER) or a part of Azure"
        if as_of == "snapshot":
            yield "--as-of snapshot: goes with --snapshot; a live scan judges as of the time that Azure was asked"
        return
    if azure.everything or azure.management_groups:
        given = "--all" if azure.everything else "--management-group"
        yield f"{given}: asks Azure, and --snapshot does not; leave out one of them"
    if save is not None:
        yield "--save: keeps what Azure answers, and --snapshot asks nothing; leave out one of them"


def _hours(age: str) -> float:
    return int(age[:-1]) * _HOURS[age[-1]]


def _libraries() -> dict[str, str]:
    """The versions of the libraries that decide."""
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - slow, and not needed for --help

    found: dict[str, str] = {}
    for name in ("duckdb", "duckdb-kql", "jmespath"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
