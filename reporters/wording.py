"""Sentences that several formats share, so that one finding reads the same everywhere."""

from __future__ import annotations

import json
from collections.abc import Iterator

from reporters.sanitise import json_value, one_line, well_formed
from scanner.model import Finding, Gap, Json, PolicyInfo, Verdict, WaiverMark

_CAUSES = 3
HOME = "https://github.com/arguard/arguard"
LINE = 1000
"""The longest one-line message; Azure Pipelines cuts at 4,000, people much earlier."""


def message(finding: Finding, policy: PolicyInfo) -> str:
    """What to say of a row in one line that is never empty and names the reason of an unknown."""
    said = one_line(finding.message, LINE)
    if finding.verdict is Verdict.UNKNOWN:
        reason = finding.reason or "UNKNOWN"
        return one_line(f"{reason}: {said}" if said else f"{reason}: the row could not be decided", LINE)
    if said:
        return said
    return one_line(f"{_VERB[finding.verdict]}: {policy.title or policy.id}", LINE)


_VERB = {Verdict.PASS: "Passes", Verdict.FAIL: "Fails", Verdict.NOT_APPLICABLE: "Not applicable"}


def sentence(finding: Finding, policy: PolicyInfo) -> str:
    """The message as a sentence that names the resource, because readers group by it and see it without its row."""
    return _named(message(finding, policy), finding)


def undecided(finding: Finding) -> str:
    """Why a row was not decided, as a sentence that names the resource; its reason code stands above it."""
    return _named(one_line(finding.message, LINE) or "the row could not be decided", finding)


def _named(said: str, finding: Finding) -> str:
    name, shown = one_line(subject(finding), 200), one_line(finding.resource.name, LINE)
    named = said if not name or (shown and shown in said) else f"{name}: {said}"
    return named if named.endswith((".", "!", "?", "…")) else f"{named}."


def waived(mark: WaiverMark) -> str:
    """Who accepted a finding, until when and why."""
    return one_line(f"Waived by {mark.id} ({mark.owner}) until {mark.expires}: {mark.reason}", LINE)


def gap(missing: Gap) -> str:
    """What was not seen: the reason's code, where, and the canonical text."""
    where = ", ".join(part for part in (missing.table, missing.subscription and f"subscription {missing.subscription}") if part)
    return one_line(f"{missing.reason}{f' ({where})' if where else ''}: {missing.text}", LINE)


def failure(finding: Finding) -> Iterator[str]:
    """What a failed job failed with and why, as far as it can be told; a few lines, none for other findings."""
    failed = finding.failure
    if failed is None:
        return
    numbers = f" ({', '.join(map(str, failed.numbers))})" if failed.numbers else ""
    if failed.code:
        yield one_line(f"Failed with {failed.code}{numbers}: {failed.title}. See {failed.link}", LINE)
    else:
        yield one_line(f"Failed with an error{numbers} that is not known here", LINE)
    for one in failed.because[:_CAUSES]:
        yield one_line(f"Because {one.policy}: {one.message}", LINE)
    if len(failed.because) > _CAUSES:
        yield f"and {len(failed.because) - _CAUSES} more findings explain it"


def value(data: Json) -> str:
    """A JSON value as one line of text."""
    return one_line(json.dumps(json_value(data, well_formed), ensure_ascii=False, sort_keys=True), LINE)


def evidence(finding: Finding) -> Iterator[str]:
    """One line for each value that the verdict rests on, sorted; a parameter also says where its value came from."""
    for path, data in sorted(finding.evidence.items()):
        name = one_line(path, LINE)
        if path.startswith("params.") and isinstance(data, dict) and data.keys() == {"value", "origin"}:
            yield f"{name} = {value(data['value'])} ({one_line(str(data['origin']), LINE)})"
        else:
            yield f"{name} = {value(data)}"


def subject(finding: Finding) -> str:
    """The resource's name and what inside it is meant: `web01 extension:aad`."""
    return one_line(f"{finding.resource.name} {finding.subject}", LINE)
