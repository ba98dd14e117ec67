"""`arguard list`: which policies there are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scanner import packs
from scanner.cli.terminal import tell


def run(folders: Sequence[Path]) -> int:
    """One line a policy: id, severity, name, title, and what it waits for where it does not run by default."""
    for pack in packs.load(tuple(folders) or packs.bundled()):
        tell(f"{pack.id} {pack.version}  {pack.title}")
        longest = max((len(policy.info.name) for policy in pack.policies), default=0)
        for policy in sorted(pack.policies, key=lambda one: one.id):
            waits = "" if policy.enabled and not policy.needs else f"  [off until {', '.join(policy.needs) or 'selected'}]"
            info = policy.info
            tell(f"  {policy.id}  {info.severity.word:<8}  {info.name:<{longest}}  {info.title}{waits}")
        if pack.profiles:
            tell(f"  profiles: {', '.join(sorted(pack.profiles))}")
    return 0
