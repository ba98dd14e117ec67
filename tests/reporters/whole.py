"""Every report of every result: what each format writes in each profile, and a result that holds all that there is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import cast

import reporters
from reporters import Divided
from reporters.sanitise import json_value, well_formed
from reporters.view import View
from scanner.model import Failure, Finding, Gap, Identity, Reason, ScanResult, Severity, Subscription, Trace, Verdict
from tests.reporters import estate
from tests.reporters.conftest import hostile_result

HOSTILE = well_formed(estate.HOSTILE)
"""Text that attacks every format at once, without half a character, which no source can hand over."""


def profiles() -> Iterator[tuple[str, str]]:
    """Each format with each of its profiles."""
    for name in reporters.names():
        yield from ((name, profile) for profile in reporters.load(name).PROFILES)


def written(name: str, profile: str, result: ScanResult) -> bytes:
    """A report; the files of one that is a folder stand one after the other, each below its name."""
    reporter, view = reporters.load(name), View(profile=profile)
    if not reporter.PROFILES[profile].files:
        return b"".join(reporter.render(result, view))
    parts = cast("Divided", reporter).parts(result, view)
    return b"".join(b"".join([f"=== {file}\n".encode(), *chunks]) for file, chunks in parts)


def whole_result() -> ScanResult:
    """The canonical result, and beside it a failed job with what explains it, a policy whose every text attacks, who asked,
    and a request."""
    base, attacks = estate.canonical_result(), hostile_result(HOSTILE)
    rows = {policy.info.id: [_whole(one) for one in base.findings.of(policy.info.id)] for policy in base.policies}
    locked = next(one for one in rows["ABK101"] if one.verdict is Verdict.FAIL)
    rows["ABK101"] = [replace(one, affects=("/x", "/y")) if one is locked else one for one in rows["ABK101"]]
    job = estate.policy("605", Severity.HIGH, title="The newest backup worked")
    failed = estate.finding(job, "web01", Verdict.FAIL, message="It failed.", failure=_failure(locked))
    hostile = list(attacks.findings.of("ABK900"))
    unseen = Gap(reason=Reason.FAILED, table=HOSTILE, subscription=HOSTILE, text=HOSTILE)
    more = estate.result_of([(job, [failed], []), (attacks.policies[0].info, hostile, [unseen])], waiting=attacks.policies[1:])
    scope = base.info.scope
    named = (*scope.subscriptions, Subscription(id=HOSTILE, name=HOSTILE, state=HOSTILE))
    info = replace(
        base.info,
        scope=replace(scope, subscriptions=named),
        identity=Identity(credential="cli", tenant="t", object_id="o"),
        source="azure",
    )
    return replace(
        base,
        info=info,
        policies=sorted([*base.policies, *more.policies], key=lambda one: one.info.id),
        findings=estate.Stored(findings={**rows, job.id: [failed], "ABK900": hostile}),
        trace=(Trace(method="POST", route="/r", attempts=2, status=200, request_id="i", ms=3),),
    )


def _whole(row: Finding) -> Finding:
    """A row of the canonical result without half a character."""
    resource = replace(row.resource, **{name: well_formed(text) for name, text in asdict(row.resource).items()})
    return replace(
        row,
        resource=resource,
        subject=well_formed(row.subject),
        message=well_formed(row.message),
        cause=row.cause and well_formed(row.cause),
        evidence=json_value(row.evidence, well_formed),
    )


def _failure(locked: Finding) -> Failure:
    because = estate.because(locked)
    hostile = replace(because, display_id=HOSTILE, message=HOSTILE)
    return Failure(
        code="UserErrorX", title=HOSTILE, link="https://x.example", told_by="name", numbers=(7,), because=(because, hostile)
    )
