"""The native result: everything a scan found, one JSON object a line (`docs/native-format.md` describes every key).

It is what arguard itself reads again, so nothing is left out or altered: unsafe characters are written as JSON escapes.
Only a lone surrogate, which UTF-8 cannot hold, is replaced by visible text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime

import orjson

from reporters.rows import rows
from reporters.sanitise import json_safe, json_value, well_formed
from reporters.view import UNASKED, WHOLE, View
from scanner.model import Failure, Finding, Gap, Json, PolicyInfo, ScanInfo, ScanResult, Scope

FORMAT = "arguard-result/1"
PROFILES = WHOLE


def render(result: ScanResult, _view: View = UNASKED) -> Iterator[bytes]:
    """Write the result line by line; the decision holds the sha256 of all bytes before it, and only traces follow it."""
    digest = hashlib.sha256()
    for document in _documents(result):
        line = _line(document)
        digest.update(line)
        yield line
    decision = result.decision
    yield _line(
        {
            "kind": "decision",
            "exit_code": decision.exit_code,
            "complete": decision.complete,
            "reasons": decision.reasons,
            "sha256": digest.hexdigest(),
        }
    )
    for trace in result.trace:
        yield _line({"kind": "trace", **asdict(trace)})


def _documents(result: ScanResult) -> Iterator[dict[str, Json]]:
    yield _scan(result.info)
    for entry in result.ledger:
        yield {"kind": "ledger", "table": entry.table, "digest": entry.digest, "answered": entry.answered, "rows": entry.rows}
    for policy in result.policies:
        yield _policy(policy.info, policy.waits_for)
        for _, finding in rows(result, policy):
            yield _verdict(finding)
        for gap in policy.gaps:
            yield _gap(policy.info.id, gap)
        counts = asdict(policy.counts)
        yield {"kind": "summary", "policy": policy.info.id, "counts": counts, "result": policy.outcome}


def _scan(info: ScanInfo) -> dict[str, Json]:
    options = info.options
    return {
        "kind": "scan",
        "format": FORMAT,
        "tool": info.tool,
        "libraries": _sorted(info.libraries),
        "run_time": _time(info.run_time),
        "as_of": _time(info.as_of),
        "collected_at": _time(info.collected_at) if info.collected_at else None,
        "source": info.source,
        "scope": _scope(info.scope),
        "options": {
            "policies": options.policies,
            "profile": options.profile,
            "params": _sorted(options.params),
            "subscriptions": options.subscriptions,
            "fail_on": options.fail_on.word if options.fail_on else "never",
            "as_of": options.as_of,
            "max_age_hours": options.max_age_hours,
            "allow_incomplete": options.allow_incomplete,
        },
        "digests": _sorted(info.digests),
        "identity": asdict(info.identity) if info.identity else None,
        "commit": info.commit,
        "ci_run": info.ci_run,
        "pipeline": _sorted(info.pipeline),
    }


def _scope(scope: Scope) -> dict[str, Json]:
    return {
        "kind": scope.kind,
        "expected": scope.expected,
        "management_groups": scope.management_groups,
        "subscriptions": [{"id": one.id, "name": one.name, "state": one.state} for one in scope.subscriptions],
    }


def _policy(info: PolicyInfo, waits_for: tuple[str, ...]) -> dict[str, Json]:
    return {
        "kind": "policy",
        "id": info.id,
        "name": info.name,
        "title": info.title,
        "severity": info.severity.word,
        "highest": info.highest.word,
        "pack": info.pack,
        "file": info.file,
        "line": info.line,
        "why": info.why,
        "fix": info.fix,
        "references": info.references,
        "tags": info.tags,
        "explains": info.explains,
        "params": _sorted(info.params),
        "waits_for": waits_for,
    }


def _verdict(finding: Finding) -> dict[str, Json]:
    resource = finding.resource
    return {
        "kind": "verdict",
        "policy": finding.policy,
        "id": resource.id,
        "subject": finding.subject,
        "verdict": finding.verdict,
        "reason": finding.reason,
        "severity": finding.severity.word,
        "message": finding.message,
        "evidence": _sorted(finding.evidence),
        "cause": finding.cause,
        "affects": finding.affects,
        "fingerprint": finding.fingerprint,
        "guid": finding.guid,
        "waiver": asdict(finding.waiver) if finding.waiver else None,
        "known": finding.known,
        "failure": _failure(finding.failure) if finding.failure else None,
        "display": {
            "id": resource.display_id,
            "name": resource.name,
            "type": resource.type,
            "subscription": resource.subscription,
            "resource_group": resource.resource_group,
            "location": resource.location,
        },
    }


def _failure(failure: Failure) -> dict[str, Json]:
    return {
        "code": failure.code,
        "title": failure.title,
        "link": failure.link,
        "told_by": failure.told_by,
        "numbers": failure.numbers,
        "because": [
            {
                "policy": one.policy,
                "id": one.id,
                "display_id": one.display_id,
                "subject": one.subject,
                "severity": one.severity.word,
                "message": one.message,
                "fingerprint": one.fingerprint,
            }
            for one in failure.because
        ],
    }


def _gap(policy: str, gap: Gap) -> dict[str, Json]:
    return {
        "kind": "gap",
        "policy": policy,
        "reason": gap.reason,
        "table": gap.table,
        "subscription": gap.subscription,
        "text": gap.text,
        "counts": gap.counts,
    }


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def _sorted(mapping: Mapping[str, Json]) -> orjson.Fragment:
    """An open mapping, sorted by key at every depth: only its author's order would be left to chance otherwise."""
    return orjson.Fragment(_encoded(dict(mapping), orjson.OPT_SORT_KEYS))


def _line(document: dict[str, Json]) -> bytes:
    return json_safe(_encoded(document, orjson.OPT_APPEND_NEWLINE))


def _encoded(document: dict[str, Json], option: int) -> bytes:
    try:
        return orjson.dumps(document, option=option)
    except orjson.JSONEncodeError:  # lone surrogates, numbers beyond 64 bits, extreme depth
        return orjson.dumps(json_value(document, well_formed), option=option)
