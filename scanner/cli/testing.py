"""`arguard test`: the cases of packs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scanner import kql, packs
from scanner.cases import run_cases, untested
from scanner.cli.terminal import tell
from scanner.errors import UsageError
from scanner.policy import Pack


def run(folders: Sequence[Path], policies: Sequence[str]) -> int:
    """Run the cases; 0 when all hold and every policy is tested, else 1."""
    kql.require()
    loaded = packs.load(tuple(folders) or packs.bundled(), cases=True)
    wanted = _ids(loaded, policies)
    failed = total = 0
    for result in run_cases(loaded, wanted):
        total += 1
        if result.problems:
            failed += 1
            tell(f"FAIL  {result.case.policy}  {result.case.name}  ({result.case.file}:{result.case.line})")
            for problem in result.problems:
                tell(f"        {problem}")
    lacking = [] if policies else [*untested(loaded)]
    for line in lacking:
        tell(f"UNTESTED  {line}")
    judged = len(wanted) or sum(len(pack.policies) for pack in loaded)
    told = f"{total} {'case' if total == 1 else 'cases'} of {judged} {'policy' if judged == 1 else 'policies'}"
    tell(f"{told}: {total - failed} hold, {failed} fail, {len(lacking)} untested")
    return 1 if failed or lacking or not total else 0


def _ids(loaded: Sequence[Pack], names: Sequence[str]) -> list[str]:
    """The ids of the policies that were named by id or name; raises UsageError for those that are not there."""
    known = {name.lower(): policy.id for pack in loaded for policy in pack.policies for name in (policy.id, policy.info.name)}
    unknown = [name for name in names if name.lower() not in known]
    if unknown:
        shown = ", ".join(sorted(set(known.values())))
        raise UsageError("\n".join(f"--policy {name}: there is no such policy; there are: {shown}" for name in unknown))
    return sorted({known[name.lower()] for name in names})
