"""The commands and their options, and nothing else: each body is imported when it runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

_SEVERITIES = ["info", "low", "medium", "high", "critical", "never"]
_FOLDER = click.Path(path_type=Path, file_okay=False)
_FILE = click.Path(path_type=Path, dir_okay=False)


def _option(*names: str, **settings: Any) -> Callable[[Any], Any]:
    """An option that can also be set as ARGUARD_<NAME>; flags win."""
    long = next(name for name in names if name.startswith("--"))
    variable = "ARGUARD_" + long.split("/")[0].strip("-").replace("-", "_").upper()
    return click.option(*names, envvar=variable, **settings)


_pack = _option("--pack", "packs", type=_FOLDER, multiple=True, help="A pack folder; repeatable. Default: the bundled packs.")
_policy = _option("--policy", "policies", metavar="ID", multiple=True, help="Only this policy, by id or name; repeatable.")
_snapshot = _option("--snapshot", type=_FOLDER, required=True, help="The snapshot folder to judge.")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def arguard() -> None:
    """Policy-as-code compliance gate for Azure.

    Exit codes: 0 nothing blocks, 1 blocking findings, 2 bad input, 3 incomplete, 4 an output could not be written,
    70 a bug, 130/143 interrupted.
    """


@arguard.command()
@_snapshot
@_option("--as-of", type=click.Choice(["run", "snapshot"]), default="run", help="Judge ages now, or at the snapshot's time.")
@_option("--max-age", metavar="AGE", default="24h", help="Older snapshots are a gap (90m, 24h, 7d). Default: 24h.")
@_option("--subscription", "subscriptions", metavar="ID", multiple=True, help="Only this subscription; repeatable.")
@_pack
@_policy
@_option("--profile", metavar="NAME", default="", help="A profile of the pack, such as article.")
@_option("--param", "params", metavar="NAME=VALUE", multiple=True, help="Set a policy parameter; repeatable.")
@_option("--fail-on", type=click.Choice(_SEVERITIES), default="high", help="The lowest severity that blocks. Default: high.")
@_option("--allow-incomplete", is_flag=True, help="Exit 0 where something was not seen or decided; said in every report.")
@_option("--query-timeout", type=click.FloatRange(min=0.1), default=120.0, help="Seconds per query. Default: 120.")
@_option("-o", "--output", "outputs", metavar="FORMAT[=FILE]", multiple=True, help="console, native, junit, sarif; repeatable.")
@_option("-v", "--verbose", count=True, help="Say what is done; twice for more.")
@_option("-q", "--quiet", is_flag=True, help="No console report and no notes.")
@_option("--log-file", type=_FILE, help="Write the whole log here.")
def scan(**options: Any) -> int:
    """Judge an estate and say whether it may pass."""
    from scanner.cli.scanning import run  # noqa: PLC0415 - keeps --help fast

    return run(**options)


@arguard.command()
@_option("-o", "--output", "outputs", metavar="FORMAT[=FILE]", multiple=True, help="Also write these reports.")
def demo(outputs: tuple[str, ...]) -> int:
    """Scan the bundled estate of a fictitious company, without Azure."""
    from scanner.cli.demo import run  # noqa: PLC0415 - keeps --help fast

    return run(outputs)


@arguard.command("test")
@click.argument("packs", type=_FOLDER, nargs=-1)
@_policy
def test_command(packs: tuple[Path, ...], policies: tuple[str, ...]) -> int:
    """Run the cases of a pack's policies. Default: the bundled packs."""
    from scanner.cli.testing import run  # noqa: PLC0415 - keeps --help fast

    return run(packs, policies)


@arguard.command()
@click.argument("result", type=_FILE)
@_snapshot
@_pack
def verify(result: Path, snapshot: Path, packs: tuple[Path, ...]) -> int:
    """Evaluate the snapshot again and compare with a native RESULT, byte for byte."""
    from scanner.cli.verify import run  # noqa: PLC0415 - keeps --help fast

    return run(result, snapshot, packs)


@arguard.command("list")
@_pack
def list_command(packs: tuple[Path, ...]) -> int:
    """List the policies."""
    from scanner.cli.listing import run  # noqa: PLC0415 - keeps --help fast

    return run(packs)


@arguard.command()
@click.argument("name", type=click.Choice(["policy", "pack", "cases", "snapshot"]), required=False)
def schema(name: str | None) -> int:
    """Print the JSON Schema of a file format, or all of them in one object."""
    from scanner.cli.schema import run  # noqa: PLC0415 - keeps --help fast

    return run(name)


@arguard.command()
def version() -> int:
    """Print the version."""
    from scanner import __version__  # noqa: PLC0415 - keeps --help fast

    click.echo(f"arguard {__version__}")
    return 0
