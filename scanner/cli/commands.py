"""The commands and their options, and nothing else: each body is imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from scanner import __version__
from scanner.cli.options import Command, option

_SEVERITIES = ["info", "low", "medium", "high", "critical", "never"]
_FOLDER = click.Path(path_type=Path, file_okay=False)
_FILE = click.Path(path_type=Path, dir_okay=False)
_SCOPE, _JUDGE, _OUTPUT = "What is judged", "What decides", "Output"

_pack = option(
    "--pack",
    "packs",
    type=_FOLDER,
    metavar="FOLDER",
    multiple=True,
    group=_SCOPE,
    help="A folder with a pack.yaml. Repeatable. Default: the bundled packs.",
)
_policy = option(
    "--policy", "policies", metavar="ID", multiple=True, group=_SCOPE, help="Only this policy, by id or name. Repeatable."
)
_snapshot = option("--snapshot", type=_FOLDER, metavar="FOLDER", required=True, group=_SCOPE, help="The snapshot to judge.")
_output = option(
    "-o",
    "--output",
    "outputs",
    metavar="FORMAT[=FILE]",
    multiple=True,
    group=_OUTPUT,
    help="Write console, junit, native or sarif to FILE, or to stdout. Repeatable. Default: console.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="arguard %(version)s")
def arguard() -> None:
    r"""Policy-as-code compliance gate for Azure.

    \b
    Exit codes:
      0        nothing blocks, and nothing that counts is missing
      1        findings block
      2        bad input; nothing was scanned
      3        incomplete: nothing blocks, but something that counts was not seen or not decided
      4        an output could not be written
      70       a bug in arguard
      130/143  interrupted
    """


@arguard.command(
    cls=Command,
    epilog="Each option can also be set as ARGUARD_<OPTION>, such as ARGUARD_FAIL_ON; flags win. Exit codes: arguard --help.",
)
@_snapshot
@option(
    "--subscription", "subscriptions", metavar="ID", multiple=True, group=_SCOPE, help="Only this subscription. Repeatable."
)
@_pack
@_policy
@option("--profile", metavar="NAME", default="", group=_JUDGE, help="A profile of the pack, such as article.")
@option("--param", "params", metavar="NAME=VALUE", multiple=True, group=_JUDGE, help="Set a policy parameter. Repeatable.")
@option(
    "--as-of",
    type=click.Choice(["run", "snapshot"]),
    default="run",
    group=_JUDGE,
    help="Judge ages now, or at the snapshot's own time: reproducible. Default: run.",
)
@option(
    "--max-age",
    metavar="AGE",
    default="24h",
    group=_JUDGE,
    help="An older snapshot is a gap, unless --as-of snapshot: 90m, 24h, 7d. Default: 24h.",
)
@option(
    "--fail-on",
    type=click.Choice(_SEVERITIES),
    metavar="SEVERITY",
    default="high",
    group=_JUDGE,
    help="The lowest severity that blocks: info, low, medium, high, critical or never. Default: high.",
)
@option(
    "--allow-incomplete",
    is_flag=True,
    group=_JUDGE,
    help="Exit 0 instead of 3 where something was not seen or not decided; every report says so.",
)
@option(
    "--query-timeout",
    type=click.FloatRange(min=0.1),
    metavar="SECONDS",
    default=120.0,
    group=_JUDGE,
    help="A query that takes longer is a gap. Default: 120.",
)
@_output
@option("-q", "--quiet", is_flag=True, group=_OUTPUT, help="No console report and no notes.")
@option("-v", "--verbose", count=True, group=_OUTPUT, help="Say what is done; twice for more.")
@option("--log-file", type=_FILE, metavar="FILE", group=_OUTPUT, help="Append the whole log to this file.")
def scan(**options: Any) -> int:
    """Judge an estate and say whether it may pass."""
    from scanner.cli.scanning import run  # noqa: PLC0415 - keeps --help fast

    return run(**options)


@arguard.command(cls=Command)
@_output
def demo(outputs: tuple[str, ...]) -> int:
    """Scan the bundled estate of a fictitious company, without Azure."""
    from scanner.cli.demo import run  # noqa: PLC0415 - keeps --help fast

    return run(outputs)


@arguard.command("test", cls=Command, short_help="Run the cases of a pack's policies.")
@click.argument("packs", type=_FOLDER, metavar="[FOLDER]...", nargs=-1)
@_policy
def test_command(packs: tuple[Path, ...], policies: tuple[str, ...]) -> int:
    """Run the cases of the policies in pack folders. Default: the bundled packs."""
    from scanner.cli.testing import run  # noqa: PLC0415 - keeps --help fast

    return run(packs, policies)


@arguard.command(cls=Command, short_help="Prove that a result follows from a snapshot.")
@click.argument("result", type=_FILE)
@_snapshot
@_pack
def verify(result: Path, snapshot: Path, packs: tuple[Path, ...]) -> int:
    """Evaluate the snapshot again, and compare with RESULT (from -o native=FILE) byte for byte."""
    from scanner.cli.verify import run  # noqa: PLC0415 - keeps --help fast

    return run(result, snapshot, packs)


@arguard.command("list", cls=Command)
@_pack
def list_command(packs: tuple[Path, ...]) -> int:
    """List the policies with their ids and names."""
    from scanner.cli.listing import run  # noqa: PLC0415 - keeps --help fast

    return run(packs)


@arguard.command(short_help="Print the JSON Schema of a file format.")
@click.argument("name", type=click.Choice(["policy", "pack", "cases", "snapshot"]), required=False)
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
