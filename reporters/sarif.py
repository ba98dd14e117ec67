"""SARIF 2.1.0 (OASIS errata 01) with every verdict: the profile `full`, for archives and viewers.

The primary location is the policy file and the line of its `assert`, because readers refuse results without a physical file
(github/codeql-action#2459); the ARM resource is the logical location. Results are written one by one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import Final
from urllib.parse import quote

import orjson

from reporters import wording
from reporters.rows import rows
from reporters.sanitise import clean, json_safe, json_value, one_line
from reporters.view import UNASKED, Profile, Shown, View
from scanner.model import Failure, Finding, Gap, Json, PolicyInfo, PolicyResult, ScanResult, Severity, Verdict

_FAILS = Profile(choices=frozenset({Shown.FAIL}))
PROFILES: Final = {"full": Profile(), "github": _FAILS, "azdo": _FAILS}
_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_HOME = "https://github.com/arguard/arguard"
_ROOT = "%SRCROOT%"
_TEXT = 1024
"""The longest rule text that GitHub takes (docs.github.com, "SARIF support for code scanning")."""
_TAGS = 10
_KINDS: Final = {
    Verdict.PASS: "pass",
    Verdict.FAIL: "fail",
    Verdict.UNKNOWN: "open",
    Verdict.NOT_APPLICABLE: "notApplicable",
}
_LEVELS: Final = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.INFO: "note",
}
_SCORES: Final = {Severity.CRITICAL: "9.5", Severity.HIGH: "8.0", Severity.MEDIUM: "5.5", Severity.LOW: "2.0"}
"""`security-severity`: strings inside GitHub's bands; info has none, since zero is no score there."""
_LINK = re.compile(r"\](?=\()|\{(?=\d+\})")
"""What SARIF reads in plain messages: embedded links and placeholders. A resource's name must be neither."""

_PAGE = re.compile(r"https://[A-Za-z0-9.-]+(/([A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?(#[A-Za-z0-9._~-]*)?")
"""References that every reader takes for a URI; one that is none would have the whole file refused."""


def render(result: ScanResult, view: View = UNASKED) -> Iterator[bytes]:
    """Write one JSON document, a result a line."""
    yield b'{"$schema":"' + _SCHEMA.encode() + b'","version":"2.1.0","runs":[' + _encoded(_run(result))[:-1] + b',"results":['
    separator = b"\n"
    policies = {policy.info.id: policy.info for policy in result.policies}
    for index, policy in enumerate(result.policies):
        for number, finding in rows(result, policy, view):
            yield separator + _encoded(_result(finding, number, policies, index=index))
            separator = b",\n"
    yield b"\n]}]}\n"


def _run(result: ScanResult) -> dict[str, Json]:
    info = result.info
    return {
        "tool": {"driver": _driver(result)},
        "automationDetails": {"id": f"arguard/{_estate(result)}/"},
        "originalUriBaseIds": {_ROOT: {"description": {"text": "The folder that holds the policy packs."}}},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(result)],
        "properties": {
            "exitCode": result.decision.exit_code,
            "complete": result.decision.complete,
            "reasons": result.decision.reasons,
            "asOf": f"{info.as_of.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}Z",
            "asOfKind": info.options.as_of,
            "source": info.source,
            "scope": {"kind": info.scope.kind, "expected": info.scope.expected},
            "failOn": info.options.fail_on.word if info.options.fail_on else "never",
            "digests": dict(sorted(info.digests.items())),
            "commit": info.commit,
            "ciRun": info.ci_run,
        },
    }


def _estate(result: ScanResult) -> str:
    """What keeps two scans of different things apart: the scope and the policies. The same pair replaces its last upload."""
    scope = result.info.scope
    where = scope.management_groups or scope.expected
    told = "\x1f".join(["arguard/v1", scope.kind, *where, "", *(policy.info.id for policy in result.policies)])
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _driver(result: ScanResult) -> dict[str, Json]:
    return {
        "name": "arguard",
        "fullName": result.info.tool,
        "version": result.info.tool.rpartition(" ")[2],
        "informationUri": _HOME,
        "rules": [_rule(policy) for policy in result.policies],
    }


def _rule(policy: PolicyResult) -> dict[str, Json]:
    info = policy.info
    tags = [one_line(tag, 100) for tag in ("security", "azure", info.pack, *info.tags)]
    properties: dict[str, Json] = {
        "tags": list(dict.fromkeys(tags))[:_TAGS],
        "precision": "very-high",
        "problem.severity": {"note": "recommendation"}.get(_LEVELS[info.severity], _LEVELS[info.severity]),
        "severity": info.severity.word,
        "outcome": policy.outcome,
        "explains": info.explains,
        "params": info.params,
    }
    if info.severity in _SCORES:
        properties["security-severity"] = _SCORES[info.severity]
    if policy.waits_for:
        properties["waitsFor"] = policy.waits_for
    rule: dict[str, Json] = {
        "id": info.id,
        "name": one_line("".join(word.capitalize() for word in re.findall(r"\w+", clean(info.name))) or info.id, 255),
        "shortDescription": {"text": one_line(info.title, _TEXT) or info.id},
        "fullDescription": {"text": one_line(info.why, _TEXT) or info.id},
        "help": {"text": "\n".join(filter(None, (info.fix.strip(), *info.references))) or info.id},
        "defaultConfiguration": {"level": _LEVELS[info.severity]},
        "properties": properties,
    }
    pages = [page for page in info.references if _PAGE.fullmatch(page)]
    return {**rule, "helpUri": pages[0]} if pages else rule


def _invocation(result: ScanResult) -> dict[str, Json]:
    time = f"{result.info.run_time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
    return {
        "executionSuccessful": result.decision.complete,
        "exitCode": result.decision.exit_code,
        "startTimeUtc": time,
        "endTimeUtc": time,
        "toolExecutionNotifications": list(_notifications(result)),
    }


def _notifications(result: ScanResult) -> Iterator[dict[str, Json]]:
    """Why the run is incomplete, then each gap (a note where it cannot change the decision), then the undecided rows."""
    if not result.decision.complete:
        reasons = "; ".join(result.decision.reasons) or "no reason was recorded"
        yield {"descriptor": {"id": "INCOMPLETE"}, "level": "error", "message": {"text": _plain(f"Not complete: {reasons}")}}
    for index, policy in enumerate(result.policies):
        for gap in policy.gaps:
            yield _missing(gap, policy.info, index)
    undecided = [(policy.info.id, policy.counts.hiding) for policy in result.policies if policy.counts.hiding]
    if undecided:
        told = ", ".join(f"{policy} {count}" for policy, count in undecided)
        text = f"Rows that could not be decided and could hide a blocking finding: {told}"
        yield {"descriptor": {"id": "UNDECIDED"}, "level": "error", "message": {"text": _plain(text)}}


def _missing(gap: Gap, policy: PolicyInfo, index: int) -> dict[str, Json]:
    return {
        "descriptor": {"id": gap.reason},
        "associatedRule": {"id": policy.id, "index": index},
        "level": "error" if gap.counts else "note",
        "message": {"text": _plain(f"{policy.id}: {wording.gap(gap)}")},
    }


def _result(finding: Finding, number: int, policies: Mapping[str, PolicyInfo], *, index: int) -> dict[str, Json]:
    policy = policies[finding.policy]
    failed = finding.verdict is Verdict.FAIL
    document: dict[str, Json] = {
        "ruleId": policy.id,
        "ruleIndex": index,
        "kind": _KINDS[finding.verdict],
        "level": _LEVELS[finding.severity] if failed else "none",
        "message": {"text": _plain(wording.sentence(finding, policy))},
        "locations": [_location(finding, policy)],
        "partialFingerprints": {
            "primaryLocationLineHash": f"{finding.fingerprint[:16]}:{number}",
            "arguardFinding/v1": finding.fingerprint,
        },
        "properties": _properties(finding),
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
        yield {"id": number, **place, "message": {"text": _plain(f"Because {one.policy}: {one.message}")}}


def _plain(text: str) -> str:
    return _LINK.sub(r"\g<0> ", one_line(text, wording.LINE))


def _location(finding: Finding, policy: PolicyInfo) -> dict[str, Json]:
    resource = finding.resource
    return _place(policy, {"name": resource.name, "fullyQualifiedName": resource.display_id, "kind": "resource"})


def _place(policy: PolicyInfo, resource: dict[str, Json]) -> dict[str, Json]:
    """A place in SARIF: the assertion in the policy's file, which viewers can open, and the resource, which they cannot."""
    line = max(policy.line, 1)
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": quote(clean(policy.file).lstrip("/")), "uriBaseId": _ROOT},
            "region": {"startLine": line, "startColumn": 1, "endLine": line, "endColumn": len("assert") + 1},
        },
        "logicalLocations": [resource],
    }


def _properties(finding: Finding) -> dict[str, Json]:
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
        "evidence": dict(sorted(finding.evidence.items())),
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


def _encoded(document: dict[str, Json]) -> bytes:
    return json_safe(orjson.dumps(json_value(document, clean)))
