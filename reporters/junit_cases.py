"""Test cases as data: what each verdict, gap and empty policy becomes in a JUnit file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from reporters import wording
from reporters.rows import rows
from reporters.sanitise import clean, one_line
from reporters.view import UNASKED, View
from scanner.model import Finding, PolicyInfo, PolicyResult, ScanResult, Verdict

_NAME, _SUBJECT = 120, 100
"""Case names stay below 256 characters: beyond that Azure Pipelines has lost whole files (dotnet/arcade#9389)."""
MANY = 10_000
"""More passes of a policy than this are one case, unless they are asked for (GitLab bears 250,000 objects in a file)."""
_DIGITS = 12
"""Hex digits of the fingerprint in a case name: GitLab drops cases whose names repeat, and many resources share a name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One test case; `element` is failure, error, skipped or empty for a pass, and `kind` its type attribute."""

    name: str
    classname: str
    element: str = ""
    kind: str = ""
    message: str = ""
    body: str = ""


def tally_of(result: ScanResult, policy: PolicyResult, view: View = UNASKED) -> Counter[str]:
    """How many cases of each element a policy has; `tests` is their sum. Rows that do not apply are no cases.

    `left_out` counts the rows that are no cases because the view does not show them.
    """
    tally = Counter(_element(finding) or finding.verdict.value for _, finding in rows(result, policy, view))
    left_out = policy.counts.rows - tally.total()
    passes = 1 if _too_many_passes(policy, view) else tally["pass"]
    tally["error"] += len(policy.gaps)
    told = passes + sum(tally[element] for element in ("failure", "error", "skipped"))
    tally["skipped"] += not told and _open(policy)
    tally["tests"] = max(1, told)
    tally["not_applicable"] = policy.counts.not_applicable
    return tally + Counter(left_out=left_out)


def _open(policy: PolicyResult) -> bool:
    """Whether there are rows that are no passes, whatever an output shows of them."""
    return policy.counts.failed + policy.counts.unknown > 0


def _too_many_passes(policy: PolicyResult, view: View) -> bool:
    """Whether the passes of a policy are told in one case: readers hold whole files in memory, and nobody asked for them."""
    return view.include is None and policy.counts.passed > MANY


def _element(finding: Finding) -> str:
    """The element that a verdict becomes. A baseline accepts violations only: what was not decided stays an error."""
    if finding.verdict is Verdict.FAIL:
        return "skipped" if finding.waiver or finding.known else "failure"
    if finding.verdict is Verdict.UNKNOWN:
        return "skipped" if finding.waiver else "error"
    return ""


def scan_case(result: ScanResult) -> Case:
    """The error of a scan that is not complete."""
    reasons = [one_line(reason, wording.LINE) for reason in result.decision.reasons]
    return Case(
        name="the scan is complete",
        classname="arguard.scan",
        element="error",
        kind="INCOMPLETE",
        message=one_line("The scan is not complete: " + ("; ".join(reasons) or "no policy was asked."), wording.LINE),
        body="\n".join([f"Exit code: {result.decision.exit_code}", *reasons]),
    )


def cases_of(result: ScanResult, policy: PolicyResult, view: View = UNASKED) -> Iterator[Case]:
    """The cases of one policy: its rows, its gaps, or one case that says why there is none."""
    folded = _too_many_passes(policy, view)
    some = folded
    if folded:
        yield Case(name=f"{policy.counts.passed} rows pass (told as one case)", classname=_classname(policy.info))
    for number, finding in rows(result, policy, view):
        if finding.verdict is not Verdict.NOT_APPLICABLE and not (folded and finding.verdict is Verdict.PASS):
            some = True
            yield _case(finding, number, policy.info)
    yield from _gap_cases(policy)
    if not some and not policy.gaps:
        yield _empty_case(policy)


def _empty_case(policy: PolicyResult) -> Case:
    """The one case of a suite without any: readers take a file without cases for a broken one."""
    counts = policy.counts
    if judged := counts.rows - counts.not_applicable:
        name = f"no row is shown ({judged} left out)"
        if _open(policy):  # nobody may take for a pass what was not asked for
            told = f"Left out, as asked: {counts.failed} fail, {counts.unknown} unknown, {counts.passed} pass."
            return Case(name=name, classname=_classname(policy.info), element="skipped", message=told)
    elif counts.not_applicable:
        name = f"no row applies ({counts.not_applicable} not applicable)"
    else:
        name = "nothing to judge (proven)"
    return Case(name=name, classname=_classname(policy.info))


def _case(finding: Finding, number: int, policy: PolicyInfo) -> Case:
    resource, element = finding.resource, _element(finding)
    parts = [one_line(resource.name, _NAME), one_line(finding.subject, _SUBJECT), finding.fingerprint[:_DIGITS]]
    name = " · ".join(part for part in parts if part) + (f" #{number}" if number > 1 else "")
    if not element:
        return Case(name=name, classname=_classname(policy))
    said = message = wording.message(finding, policy)
    if element == "skipped":
        said = wording.waived(finding.waiver) if finding.waiver else one_line(f"In the baseline: {message}", wording.LINE)
    kinds = {"failure": finding.severity.word, "error": finding.reason or "UNKNOWN"}
    return Case(
        name=name,
        classname=_classname(policy),
        element=element,
        kind=kinds.get(element, ""),
        message=said,
        body=_body(finding, policy, message),
    )


def _body(finding: Finding, policy: PolicyInfo, message: str) -> str:
    lines = [f"Resource: {one_line(finding.resource.display_id, wording.LINE)}"]
    if finding.subject:
        lines.append(f"Subject: {one_line(finding.subject, wording.LINE)}")
    lines += [f"Message: {message}", *wording.failure(finding), *(f"Evidence: {line}" for line in wording.evidence(finding))]
    return "\n".join([*lines, f"Why: {clean(policy.why).strip()}", f"Fix: {clean(policy.fix).strip()}"])


def _gap_cases(policy: PolicyResult) -> Iterator[Case]:
    names: Counter[str] = Counter()
    for gap in policy.gaps:
        told = wording.gap(gap)
        name = one_line(" · ".join(part for part in ("not seen", gap.reason, gap.table, gap.subscription) if part), 240)
        names[name] += 1
        yield Case(
            name=f"{name} #{names[name]}" if names[name] > 1 else name,
            classname=_classname(policy.info),
            element="error",
            kind=gap.reason,
            message=told,
            body=f"{told}\nThis gap {'could hide a blocking finding' if gap.counts else 'cannot change the decision'}.",
        )


def _classname(policy: PolicyInfo) -> str:
    return one_line(f"arguard.{policy.pack}.{policy.id}", 250)
