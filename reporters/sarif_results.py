"""Rows as SARIF's results: where they are, what makes them the same in the next run, and what explains them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import quote

from reporters import wording
from reporters.sanitise import clean, json_sorted, one_line
from reporters.sarif_rules import LEVELS
from scanner.model import Failure, Finding, Json, PolicyInfo, Verdict

ROOT = "%SRCROOT%"
_KINDS: Final = {
    Verdict.PASS: "pass",
    Verdict.FAIL: "fail",
    Verdict.UNKNOWN: "open",
    Verdict.NOT_APPLICABLE: "notApplicable",
}
_LINK = re.compile(r"\](?=\()|\{(?=\d+\})")
"""What SARIF reads in plain messages: embedded links and placeholders. A resource's name must be neither."""


def result_of(finding: Finding, number: int, policies: Mapping[str, PolicyInfo], *, index: int, whole: bool) -> dict[str, Json]:
    """One row, the `number`-th of its identity, of the rule at `index`; with its evidence where the `whole` is asked for."""
    policy = policies[finding.policy]
    failed = finding.verdict is Verdict.FAIL
    document: dict[str, Json] = {
        "ruleId": policy.id,
        "ruleIndex": index,
        "kind": _KINDS[finding.verdict],
        "level": LEVELS[finding.severity] if failed else "none",
        "message": {"text": plain(wording.sentence(finding, policy))},
        "locations": [_location(finding, policy)],
        "partialFingerprints": {
            "primaryLocationLineHash": f"{finding.fingerprint[:16]}:{number}",
            "arguardFinding/v1": finding.fingerprint,
        },
        "properties": _properties(finding, whole=whole),
    }
    if finding.failure and finding.failure.because:
        document["relatedLocations"] = list(_explanations(finding.failure, policies))
    if number == 1:  # a second row of one identity has no identity of its own to give
        document["guid"] = finding.guid
    if finding.waiver:
        told = {"status": "accepted", "justification": wording.waived(finding.waiver)}
        document["suppressions"] = [{"kind": "external", **told}]
    return document


def _explanations(failure: Failure, policies: Mapping[str, PolicyInfo]) -> Iterator[dict[str, Json]]:
    """Where the findings are that explain a failed job, the most likely cause first."""
    for number, one in enumerate(failure.because, 1):
        name = one.display_id.rpartition("/")[2]
        place = _place(policies[one.policy], {"name": name, "fullyQualifiedName": one.display_id, "kind": "resource"})
        yield {"id": number, **place, "message": {"text": plain(f"Because {one.policy}: {one.message}")}}


def plain(text: str) -> str:
    """One line that holds no link and no placeholder in SARIF's plain messages."""
    return _LINK.sub(r"\g<0> ", one_line(text, wording.LINE))


def _location(finding: Finding, policy: PolicyInfo) -> dict[str, Json]:
    resource = finding.resource
    return _place(policy, {"name": resource.name, "fullyQualifiedName": resource.display_id, "kind": "resource"})


def _place(policy: PolicyInfo, resource: dict[str, Json]) -> dict[str, Json]:
    """A place in SARIF: the assertion in the policy's file, which viewers can open, and the resource, which they cannot."""
    line = max(policy.line, 1)
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": quote(clean(policy.file).lstrip("/")), "uriBaseId": ROOT},
            "region": {"startLine": line, "startColumn": 1, "endLine": line, "endColumn": len("assert") + 1},
        },
        "logicalLocations": [resource],
    }


def _properties(finding: Finding, *, whole: bool) -> dict[str, Json]:
    resource = finding.resource
    told = {
        "severity": finding.severity.word,
        "verdict": finding.verdict,
        "reason": finding.reason,
        "resourceType": resource.type,
        "subscriptionId": resource.subscription,
        "resourceGroup": resource.resource_group,
        "location": resource.location,
        "subject": finding.subject,
        "cause": finding.cause,
        "known": finding.known,
        "failure": _failure(finding.failure) if finding.failure else None,
        "evidence": json_sorted(finding.evidence) if whole else None,
    }
    return {name: value for name, value in told.items() if value not in (None, "", {})}


def _failure(failed: Failure) -> dict[str, Json]:
    told = {
        "code": failed.code,
        "title": failed.title,
        "link": failed.link,
        "toldBy": failed.told_by,
        "numbers": failed.numbers,
    }
    return {name: value for name, value in told.items() if value}
