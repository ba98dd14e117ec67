"""`arguard list`: which policies there are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from scanner import packs


def run(folders: Sequence[Path]) -> int:
    """One line a policy: id, severity, whether it runs by default, title."""
    for pack in packs.load(tuple(folders) or packs.bundled()):
        click.echo(f"{pack.id} {pack.version}  {pack.title}")
        for policy in sorted(pack.policies, key=lambda one: one.id):
            waits = "" if policy.enabled and not policy.needs else f"  [off until {', '.join(policy.needs) or 'selected'}]"
            click.echo(f"  {policy.id}  {policy.info.severity.word:<8}  {policy.info.title}{waits}")
    return 0
