"""The commands and their options, and nothing else: each body is imported when it runs."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from scanner import __version__
from scanner.cli.options import ASKING, JUDGE, OUTPUT, SCOPE, Azure, Command, Option, asking_options, option, scope_options

_SEVERITIES = ["info", "low", "medium", "high", "critical", "never"]
_FOLDER = click.Path(path_type=Path, file_okay=False)
_FILE = click.Path(path_type=Path, dir_okay=False)

_pack = option(
    "--pack",
    "packs",
    type=_FOLDER,
    metavar="FOLDER",
    multiple=True,
    group=SCOPE,
    help="A folder with a pack.yaml. Repeatable. Default: the bundled packs.",
)
_policy = option(
    "--policy", "policies", metavar="ID", multiple=True, group=SCOPE, help="Only this policy, by id or name. Repeatable."
)
_snapshot = option("--snapshot", type=_FOLDER, metavar="FOLDER", required=True, group=SCOPE, help="The snapshot to judge.")
_evidence = option(
    "--evidence",
    type=_FOLDER,
    metavar="FOLDER",
    group=JUDGE,
    help="Documents that probes wrote inside the machines; the policies that need them are asked then.",
)
_quiet = option("-q", "--quiet", is_flag=True, group=OUTPUT, help="No console report and no notes.")
_verbose = option("-v", "--verbose", count=True, group=OUTPUT, help="Say what is done; twice for more.")
_log_file = option("--log-file", type=_FILE, metavar="FILE", group=OUTPUT, help="Append the whole log to this file.")
_output = option(
    "-o",
    "--output",
    "outputs",
    metavar="FORMAT[:PROFILE][=FILE]",
    multiple=True,
    group=OUTPUT,
    help=(
        "A report into FILE, or to stdout: console, azure-pipelines, csv, github, html, junit[:policies], markdown, native,"
        " ocsf, sarif[:github|:azdo]. Repeatable. Default: console."
    ),
)
_include = option(
    "--include",
    "includes",
    metavar="[FORMAT=]VERDICT,...",
    multiple=True,
    group=OUTPUT,
    help="Only these rows in that output: pass, fail, waived, unknown, not_applicable. Repeatable. Default: what it is for.",
)
# No environment variables: ARGUARD_QUOTA, for one, is the scanner's.
_served = partial(click.option, cls=Option, group="What is served")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="arguard %(version)s")
def arguard() -> None:
    """Policy-as-code compliance gate for Azure.

    \b
    Exit codes:
      0        nothing blocks, and nothing that counts is missing
      1        findings block
      2        bad input; nothing was scanned
      3        incomplete: nothing blocks, but something that counts was not seen or not decided
      4        an output could not be written
      70       a bug in arguard
      130/143  interrupted
    """  # noqa: D301 - click's mark for text that is not wrapped, and no backslash


@arguard.command(
    cls=Command,
    epilog="Each option can also be set as ARGUARD_<OPTION>, such as ARGUARD_FAIL_ON; flags win. Exit codes: arguard --help.",
)
@option("--snapshot", type=_FOLDER, metavar="FOLDER", group=SCOPE, help="Judge this snapshot instead of asking Azure.")
@scope_options
@_pack
@_policy
@asking_options
@option("--save", type=_FOLDER, metavar="FOLDER", group=ASKING, help="Keep what Azure answered as a snapshot in this folder.")
@option("--profile", metavar="NAME", default="", group=JUDGE, help="A profile of the pack, such as article.")
@option("--param", "params", metavar="NAME=VALUE", multiple=True, group=JUDGE, help="Set a policy parameter. Repeatable.")
@option(
    "--as-of",
    type=click.Choice(["run", "snapshot"]),
    default="run",
    group=JUDGE,
    help="Judge ages now, or at the snapshot's own time: reproducible. Default: run.",
)
@option(
    "--max-age",
    metavar="AGE",
    default="24h",
    group=JUDGE,
    help="An older snapshot is a gap, unless --as-of snapshot: 90m, 24h, 7d. Default: 24h.",
)
@option(
    "--fail-on",
    type=click.Choice(_SEVERITIES),
    metavar="SEVERITY",
    default="high",
    group=JUDGE,
    help="The lowest severity that blocks: info, low, medium, high, critical or never. Default: high.",
)
@option(
    "--allow-incomplete",
    is_flag=True,
    group=JUDGE,
    help="Exit 0 instead of 3 where something was not seen or not decided; every report says so.",
)
@option(
    "--query-timeout",
    type=click.FloatRange(min=0.1),
    metavar="SECONDS",
    default=120.0,
    group=JUDGE,
    help="A query that takes longer is a gap. Default: 120.",
)
@_evidence
@_output
@_include
@_quiet
@_verbose
@_log_file
def scan(**options: Any) -> int:
    """Judge an estate, live or from a snapshot, and say whether it may pass.

    One of --snapshot, --subscription, --management-group and --all says which; --subscription also narrows a snapshot.
    """
    from scanner.cli.scanning import run  # noqa: PLC0415 - keeps --help fast

    return run(azure=Azure.take(options), **options)


@arguard.command(cls=Command, short_help="Ask Azure and keep the answers as a snapshot.")
@click.argument("folder", type=_FOLDER)
@scope_options
@_pack
@_policy
@asking_options
@option("--raw", is_flag=True, group=ASKING, help="Whole tables of the resource types besides the answers, for new policies.")
@option("--fresh", is_flag=True, group=ASKING, help="Do not go on with an interrupted collection; begin again.")
@_quiet
@_verbose
@_log_file
def collect(**options: Any) -> int:
    """Ask Azure what the policies need and keep it in FOLDER, a snapshot; an interrupted collection goes on next time."""
    from scanner.cli.collecting import run  # noqa: PLC0415 - keeps --help fast

    return run(azure=Azure.take(options), **options)


@arguard.command(cls=Command, short_help="Check sign-in, scope, rights and quota, with a cure for each.")
@scope_options
@_pack
@_policy
@asking_options
@option(
    "--facts",
    type=_FOLDER,
    metavar="FOLDER",
    group=OUTPUT,
    help="Also write what arguard does not know of Azure yet, without names and ids, for you to read and send.",
)
@_verbose
def doctor(**options: Any) -> int:
    """Check what a live scan needs, and say how to mend what is missing. Without a scope: everything that is visible."""
    from scanner.cli.doctor import run  # noqa: PLC0415 - keeps --help fast

    return run(azure=Azure.take(options), **options)


@arguard.command(cls=Command, short_help="Serve a snapshot as an Azure of your own on this machine.")
@_served("--snapshot", type=_FOLDER, metavar="FOLDER", required=True, help="A snapshot with raw tables.")
@_served("--port", type=click.IntRange(0, 65535), metavar="N", default=0, help="Default: a free one.")
@_served("--faults", type=_FILE, metavar="FILE", help="Which requests are answered wrongly, and how.")
@_served("--quota", metavar="N/SECONDS", default="", help="Queries in a window, such as 15/5s. Default: any.")
@_served("--latency", type=click.IntRange(min=0), metavar="MS", default=0, help="Added to each answer.")
@_served("--roles", type=_FILE, metavar="FILE", help="What the identity may read. Default: everything.")
@_verbose
def emulate(**options: Any) -> int:
    """Answer Azure Resource Graph and Resource Manager from a snapshot, over TLS on loopback, until Ctrl-C.

    It prints the environment that makes arguard and other clients use it.
    """
    from scanner.cli.emulate import run  # noqa: PLC0415 - keeps --help fast

    return run(**options)


@arguard.command(cls=Command)
@_output
@_include
def demo(outputs: tuple[str, ...], includes: tuple[str, ...]) -> int:
    """Scan the bundled estate of a fictitious company, without Azure."""
    from scanner.cli.demo import run  # noqa: PLC0415 - keeps --help fast

    return run(outputs, includes)


@arguard.command("test", cls=Command, short_help="Run the cases of a pack's policies.")
@click.argument("packs", type=_FOLDER, metavar="[FOLDER]...", nargs=-1)
@_policy
def test_command(packs: tuple[Path, ...], policies: tuple[str, ...]) -> int:
    """Run the cases of the policies in pack folders. Default: the bundled packs."""
    from scanner.cli.testing import run  # noqa: PLC0415 - keeps --help fast

    return run(packs, policies)


@arguard.command(cls=Command, short_help="Tell a stored result again in other formats.")
@click.argument("result", type=_FILE)
@_output
@_include
def report(result: Path, outputs: tuple[str, ...], includes: tuple[str, ...]) -> int:
    """Write reports of RESULT (from -o native=FILE), without a scan. Exit code 0: whether it blocks, the scan has said."""
    from scanner.cli.report import run  # noqa: PLC0415 - keeps --help fast

    return run(result, outputs, includes)


@arguard.command(cls=Command, short_help="Prove that a result follows from a snapshot.")
@click.argument("result", type=_FILE)
@_snapshot
@_evidence
@_pack
def verify(result: Path, snapshot: Path, evidence: Path | None, packs: tuple[Path, ...]) -> int:
    """Evaluate the snapshot again, and compare with RESULT (from -o native=FILE) byte for byte."""
    from scanner.cli.verify import run  # noqa: PLC0415 - keeps --help fast

    return run(result, snapshot, packs, evidence)


@arguard.command("list", cls=Command)
@_pack
def list_command(packs: tuple[Path, ...]) -> int:
    """List the policies with their ids and names."""
    from scanner.cli.listing import run  # noqa: PLC0415 - keeps --help fast

    return run(packs)


@arguard.command(short_help="Print the JSON Schema of a file format.")
@click.argument("name", type=click.Choice(["policy", "pack", "cases", "coverage", "evidence", "snapshot"]), required=False)
def schema(name: str | None) -> int:
    """Print the JSON Schema of a file format, or all of them in one object."""
    from scanner.cli.schema import run  # noqa: PLC0415 - keeps --help fast

    return run(name)


@arguard.command()
def version() -> int:
    """Print the version."""
    from scanner.cli.terminal import tell  # noqa: PLC0415 - keeps --help fast

    tell(f"arguard {__version__}")
    return 0
