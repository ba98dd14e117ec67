"""`arguard test`: the cases of packs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from scanner import kql, packs
from scanner.cases import run_cases, untested
from scanner.errors import UsageError


def run(folders: Sequence[Path], policies: Sequence[str]) -> int:
    """Run the cases; 0 when all hold and every policy is tested, else 1."""
    kql.require()
    loaded = packs.load(tuple(folders) or packs.bundled(), cases=True)
    known = {policy.id.lower() for pack in loaded for policy in pack.policies}
    unknown = [name for name in policies if name.lower() not in known]
    if unknown:
        raise UsageError("\n".join(f"--policy {name}: there is no such policy" for name in unknown))
    failed = total = 0
    for result in run_cases(loaded, policies):
        total += 1
        if result.problems:
            failed += 1
            click.echo(f"FAIL  {result.case.policy}  {result.case.name}  ({result.case.file}:{result.case.line})")
            for problem in result.problems:
                click.echo(f"        {problem}")
    lacking = [] if policies else [*untested(loaded)]
    for line in lacking:
        click.echo(f"UNTESTED  {line}")
    judged = sum(len(pack.policies) for pack in loaded)
    click.echo(
        f"{total} cases of {len(policies) or judged} policies: {total - failed} hold, {failed} fail, {len(lacking)} untested"
    )
    return 1 if failed or lacking or not total else 0
