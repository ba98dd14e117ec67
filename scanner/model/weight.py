"""What a row weighs: whether it ends the run, or could hide one that does. The gate counts by it, and reporters tell it."""

from __future__ import annotations

from scanner.model.findings import Finding, Reason, Verdict
from scanner.model.results import Options, PolicyInfo


def blocks(finding: Finding, options: Options) -> bool:
    """Whether a finding ends the run with 1: a fail at or above `--fail-on` that is neither waived nor known."""
    if finding.verdict is not Verdict.FAIL or options.fail_on is None:
        return False
    return finding.severity >= options.fail_on and finding.waiver is None and not finding.known


def hides(finding: Finding, info: PolicyInfo, options: Options) -> bool:
    """Whether an undecided row could be a blocking finding.

    A row's severity is the one that a fail would have, the highest possible where that is undecided: a VM that is backed up
    without its agent may keep its agent's state to itself. Rows that contradict each other have no severity of their own.
    """
    if finding.verdict is not Verdict.UNKNOWN or finding.waiver is not None or not could_block(info, options):
        return False
    return finding.reason is Reason.DUPLICATE or (options.fail_on is not None and finding.severity >= options.fail_on)


def could_block(info: PolicyInfo, options: Options) -> bool:
    """Whether something unseen by this policy could hide a blocking finding."""
    return options.fail_on is not None and info.highest >= options.fail_on
