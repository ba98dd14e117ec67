"""`arguard scan`: from options to an exit code."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from scanner import __version__, gate, packs
from scanner.cli import logs, outputs
from scanner.cli.failures import say
from scanner.errors import UsageError
from scanner.ids import canonical
from scanner.model import Options, ScanInfo, ScanResult, Severity
from scanner.plan import make_plan
from scanner.policy import Pack
from scanner.scan import Job, scan
from scanner.sources.snapshot import SnapshotSource, open_snapshot
from scanner.store import VerdictStore

_HOURS = {"m": 1 / 60, "h": 1.0, "d": 24.0}
_EPOCH = re.compile(r"[0-9]{1,11}")
_AGE = re.compile(r"([0-9]{1,6})([mhd])")
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the command line asked for, checked."""

    snapshot: Path
    packs: Sequence[Path]
    options: Options
    outputs: Sequence[outputs.Output]
    query_timeout: float
    quiet: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """When and where a scan runs: `now` is judged by, `printed` only shown."""

    now: datetime
    printed: datetime
    commit: str = ""
    ci_run: str = ""


def run(  # noqa: PLR0913 - one parameter for each option of the command line
    *,
    snapshot: Path,
    as_of: str,
    max_age: str,
    subscriptions: Sequence[str],
    packs: Sequence[Path],
    policies: Sequence[str],
    profile: str,
    params: Sequence[str],
    fail_on: str,
    allow_incomplete: bool,
    query_timeout: float,
    outputs: Sequence[str],
    verbose: int,
    quiet: bool,
    log_file: Path | None,
) -> int:
    """Check the options, scan, write the reports; returns the exit code."""
    _check(max_age=max_age, subscriptions=subscriptions, params=params)
    options = Options(
        policies=tuple(policies),
        profile=profile,
        params=dict(text.split("=", 1) for text in params),
        subscriptions=tuple(sorted({canonical(one) for one in subscriptions})),
        fail_on=None if fail_on == "never" else Severity.parse(fail_on),
        as_of=as_of,
        max_age_hours=_hours(max_age),
        allow_incomplete=allow_incomplete,
    )
    request = Request(
        snapshot=snapshot,
        packs=packs,
        options=options,
        outputs=_outputs(outputs),
        query_timeout=query_timeout,
        quiet=quiet,
    )
    with logs.to(sys.stderr, verbose=verbose, quiet=quiet, file=log_file):
        return execute(request, now=datetime.now(UTC))


def execute(request: Request, *, now: datetime) -> int:
    """Scan and write; the strongest of the exit codes that apply."""
    outputs.check(request.outputs, snapshot=request.snapshot, quiet=request.quiet)
    loaded = load_packs(request.packs)
    with TemporaryDirectory(prefix="arguard-") as spool, open_source(request, Path(spool)) as source:
        job = prepare(request.options, loaded, source, _occasion(request.options, now))
        with VerdictStore(Path(spool)) as store:
            with logs.progress(sys.stderr, shown=not request.quiet):
                result = scan(job, source, store)
            return _finish(request, result)


def load_packs(folders: Sequence[Path]) -> tuple[Pack, ...]:
    """The packs of some folders, or the bundled ones."""
    return packs.load(tuple(folders) or packs.bundled())


def open_source(request: Request, spool: Path) -> SnapshotSource:
    """The snapshot, verified."""
    return open_snapshot(
        request.snapshot,
        subscriptions=request.options.subscriptions,
        query_timeout=request.query_timeout,
        spool=spool,
    )


def prepare(options: Options, loaded: Sequence[Pack], source: SnapshotSource, occasion: Occasion) -> Job:
    """The plan, and what the reports say of the run."""
    as_of = source.collected_at if options.as_of == "snapshot" else occasion.now
    info = ScanInfo(
        tool=f"arguard {__version__}",
        libraries=_libraries(),
        run_time=as_of if options.as_of == "snapshot" else occasion.printed,
        as_of=as_of,
        collected_at=source.collected_at,
        source=source.kind,
        scope=source.scope,
        options=options,
        digests={**{f"pack:{pack.id}": pack.digest for pack in loaded}, "snapshot": source.digest},
        commit=occasion.commit,
        ci_run=occasion.ci_run,
    )
    return Job(plan=make_plan(loaded, options, source.offers), info=info)


def _finish(request: Request, result: ScanResult) -> int:
    wanted = [*request.outputs]
    if not request.quiet and all(output.file for output in wanted):
        wanted.append(outputs.Output(format="console", file=None))
    problems = outputs.write(wanted, result)
    for problem in problems:
        say(sys.stderr, f"not written: {problem}")
    files = [str(output.file) for output in wanted if output.file]
    if files and not problems and not request.quiet:
        say(sys.stderr, f"written: {', '.join(files)}")
    return gate.strongest([result.decision.exit_code, *([4] if problems else [])])


def _outputs(texts: Sequence[str]) -> Sequence[outputs.Output]:
    return outputs.parse(texts)


def _check(*, max_age: str, subscriptions: Sequence[str], params: Sequence[str]) -> None:
    """Raise UsageError with everything that is wrong in the form of these options."""
    problems = [f"--param {text}: write NAME=VALUE" for text in params if not text.partition("=")[0] or "=" not in text]
    given = [text.partition("=")[0] for text in params]
    problems.extend(f"--param {name}: given {given.count(name)} times" for name in sorted({*given}) if given.count(name) > 1)
    if not _AGE.fullmatch(max_age):
        problems.append(f"--max-age {max_age}: write a number and m, h or d, such as 90m, 24h or 7d")
    names = [text for text in subscriptions if not _GUID.fullmatch(canonical(text))]
    problems.extend(f"--subscription {text}: write the subscription's id, a GUID" for text in names)
    hint = "`az account list --output table` shows the id of each subscription" if names else ""
    if problems:
        raise UsageError("\n".join(problems), hint=hint)


def _hours(age: str) -> float:
    return int(age[:-1]) * _HOURS[age[-1]]


def _printed(now: datetime) -> datetime:
    """The time that reports print; SOURCE_DATE_EPOCH replaces it, ages are still judged by the clock."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    return datetime.fromtimestamp(int(epoch), UTC) if _EPOCH.fullmatch(epoch) else now


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


def _occasion(options: Options, now: datetime) -> Occasion:
    """The run as the environment tells it. As of the snapshot nothing of it is told, so that reports are reproducible."""
    if options.as_of == "snapshot":
        return Occasion(now=now, printed=now)
    read = os.environ.get
    commit = read("GITHUB_SHA") or read("BUILD_SOURCEVERSION") or read("CI_COMMIT_SHA") or ""
    ci_run = read("BUILD_BUILDURI") or read("CI_PIPELINE_URL") or ""
    if read("GITHUB_RUN_ID"):
        ci_run = f"{read('GITHUB_SERVER_URL')}/{read('GITHUB_REPOSITORY')}/actions/runs/{read('GITHUB_RUN_ID')}"
    return Occasion(now=now, printed=_printed(now), commit=commit, ci_run=ci_run)
