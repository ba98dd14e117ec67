"""The gate: from what was found and what was missing to one decision. Pure.

0    nothing blocks and nothing that counts is missing
1    at least one blocking finding
2    bad input; nothing was scanned
3    nothing blocks, but something that counts was not seen or not decided
4    a requested output could not be written
70   a bug in arguard
130  interrupted (143: terminated)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from scanner.model import (
    Counts,
    Decision,
    Finding,
    Gap,
    Options,
    Outcome,
    PolicyInfo,
    PolicyResult,
    Scope,
    Verdict,
    blocks,
    could_block,
    hides,
)

PRECEDENCE = (130, 143, 2, 70, 4, 1, 3, 0)
"""When several exit codes apply, the first of these wins."""


def strongest(codes: Iterable[int]) -> int:
    """The exit code that wins."""
    return min(codes, key=PRECEDENCE.index)


def count(findings: Iterable[Finding], info: PolicyInfo, options: Options) -> Counts:
    """Count the verdicts of one policy."""
    verdicts = dict.fromkeys(Verdict, 0)
    waived = known = blocking = hiding = 0
    for finding in findings:
        verdicts[finding.verdict] += 1
        waived += finding.waiver is not None
        known += finding.known is True
        blocking += blocks(finding, options)
        hiding += hides(finding, info, options)
    return Counts(
        passed=verdicts[Verdict.PASS],
        failed=verdicts[Verdict.FAIL],
        unknown=verdicts[Verdict.UNKNOWN],
        not_applicable=verdicts[Verdict.NOT_APPLICABLE],
        waived=waived,
        known=known,
        blocking=blocking,
        hiding=hiding,
    )


def weigh(gaps: Iterable[Gap], info: PolicyInfo, options: Options) -> tuple[Gap, ...]:
    """The gaps of a policy, each marked with whether it counts."""
    return tuple(replace(gap, counts=could_block(info, options)) for gap in gaps)


def decide(results: Sequence[PolicyResult], scope: Scope, options: Options, stopped: BaseException | None = None) -> Decision:
    """The decision over all policies. `stopped` is what ended the scan early, if anything did."""
    blocking = sum(result.counts.blocking for result in results)
    empty = [*_empty(results, scope)]
    missing = [*_missing(results)]
    reasons = [*_stopped(stopped), *_blocking(blocking, options), *empty, *missing]
    codes = [0]
    if stopped is not None:
        codes.append(_stop_code(stopped))
    if blocking:
        codes.append(1)
    if empty or (missing and not options.allow_incomplete):
        codes.append(3)
    elif missing:
        reasons.append("--allow-incomplete: what is missing was accepted on the command line")
    if not reasons:
        reasons.append(_nothing_wrong(results))
    complete = not (empty or missing or stopped is not None)
    return Decision(exit_code=strongest(codes), complete=complete, reasons=tuple(reasons))


def _stopped(stopped: BaseException | None) -> Iterator[str]:
    if stopped is not None:
        yield "an error inside arguard ended the scan" if isinstance(stopped, Exception) else "the scan was interrupted"


def _stop_code(stopped: BaseException) -> int:
    return 70 if isinstance(stopped, Exception) else getattr(stopped, "exit_code", 130)


def _blocking(blocking: int, options: Options) -> Iterator[str]:
    if blocking and options.fail_on is not None:
        plural = "findings" if blocking > 1 else "finding"
        yield f"{blocking} blocking {plural} at or above {options.fail_on.word}"


def _empty(results: Sequence[PolicyResult], scope: Scope) -> Iterator[str]:
    if not any(result.asked for result in results):
        yield "no policy was asked"
    if not scope.expected:
        yield "the scope holds no subscription"


def _missing(results: Sequence[PolicyResult]) -> Iterator[str]:
    unknown = sum(result.counts.hiding for result in results)
    gaps = [gap for result in results for gap in result.gaps if gap.counts]
    if unknown:
        yield f"{unknown} {'rows were' if unknown > 1 else 'row was'} not decided and could hide a blocking finding"
    if gaps:
        policies = sum(any(gap.counts for gap in result.gaps) for result in results)
        reasons = ", ".join(sorted({str(gap.reason) for gap in gaps}))
        yield f"{policies} {'policies' if policies > 1 else 'policy'} did not see everything ({reasons})"


def _nothing_wrong(results: Sequence[PolicyResult]) -> str:
    outcomes = {result.outcome for result in results if result.asked}
    if outcomes == {Outcome.NONE}:
        return "there was nothing to judge: every population is proven empty"
    return "nothing blocks and nothing that counts is missing"
