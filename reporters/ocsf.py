"""OCSF 1.5.0 Compliance Findings (class 2003, profiles cloud and datetime) as JSON Lines, for SIEMs and data lakes.

The first event is about the scan itself and is always there: Unknown (0) if the scan is not complete, else Other (99), so
it is counted neither as a pass nor as a fail. By it a reader tells a clean scan from one that was not run or not loaded.
Then each policy: an Unknown for all that it did not see, and one event for each row that is shown. A policy with nothing to
judge, proven, and one that was not asked are Other as well: no resource passed there, and nothing is missing.

`severity_id` is the one of the row whatever its verdict: what is to be acted on, `compliance.status_id` says. An Unknown has
the severity of the worst that it could hide.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from reporters import wording
from reporters.ocsf_event import (
    FAIL,
    PASS,
    UNKNOWN,
    Event,
    Run,
    Status,
    encoded,
    event_uid,
    filled,
    identity,
    moment,
    other,
    run_of,
)
from reporters.rows import rows
from reporters.sanitise import json_sorted, one_line
from reporters.view import FILTERED, UNASKED, View
from scanner.model import Finding, Gap, Json, Outcome, PolicyInfo, PolicyResult, ScanResult, Scope, Severity, Verdict

PROFILES = FILTERED
_STATUS: Final[dict[Verdict, Status]] = {
    Verdict.PASS: PASS,
    Verdict.FAIL: FAIL,
    Verdict.UNKNOWN: UNKNOWN,
    Verdict.NOT_APPLICABLE: other("Not applicable"),
}
_PAGE = re.compile(r"https://[!-~]+")
_RELATED = 20
"""A failed job names the most likely of the findings that explain it; readers limit the size of a field."""


def render(result: ScanResult, view: View = UNASKED) -> Iterator[bytes]:
    """Write the events one by one, an event a line."""
    run = run_of(result.info)
    yield encoded(run, _scan(run, result))
    policies = {policy.info.id: policy.info for policy in result.policies}
    for policy in result.policies:
        for event in _unseen(run, policy):
            yield encoded(run, event)
        for number, finding in rows(result, policy, view):
            yield encoded(run, _verdict(run, finding, number, policies[finding.policy]))


def _scan(run: Run, result: ScanResult) -> Event:
    info, decision = result.info, result.decision
    reasons = [one_line(reason, wording.LINE) for reason in decision.reasons] or ["no reason was recorded"]
    told = "; ".join(reasons)
    worst = max((policy.info.highest for policy in result.policies), default=info.options.fail_on or Severity.HIGH)
    packs = sorted({policy.info.pack for policy in result.policies} - {""})
    return Event(
        kind="scan",
        code="SCAN",
        identity=identity("scan", run.estate),
        title="Whether the scan saw and decided everything",
        severity=Severity.INFO if decision.complete else worst,
        message=one_line(f"The scan is {'complete' if decision.complete else 'NOT complete'}: {told}", wording.LINE),
        status=other("Complete") if decision.complete else UNKNOWN,
        compliance={
            "status_code": "COMPLETE" if decision.complete else "INCOMPLETE",
            "status_details": reasons,
            "control": "SCAN",
            "standards": packs or ["arguard"],
        },
        resource=_place(run, ""),
        subscription=_only(run.scope),
        unmapped={
            "exit_code": decision.exit_code,
            "complete": decision.complete,
            "source": info.source,
            "as_of": moment(info.as_of),
            "fail_on": info.options.fail_on.word if info.options.fail_on else "never",
            "rows": _counts(result),
            "digests": json_sorted(info.digests),
            "commit": info.commit,
            "ci_run": info.ci_run,
        },
    )


def _counts(result: ScanResult) -> dict[str, int]:
    """How many rows there are in all, shown or not, and how much else; a reader sees by it whether events got lost."""
    counts = [policy.counts for policy in result.policies]
    return {
        "pass": sum(one.passed for one in counts),
        "fail": sum(one.failed for one in counts),
        "unknown": sum(one.unknown for one in counts),
        "not_applicable": sum(one.not_applicable for one in counts),
        "waived": sum(one.waived for one in counts),
        "gap": sum(len(policy.gaps) for policy in result.policies),
        "none": sum(policy.outcome is Outcome.NONE for policy in result.policies),
        "not_asked": sum(policy.outcome is Outcome.NOT_ASKED for policy in result.policies),
    }


def _unseen(run: Run, policy: PolicyResult) -> Iterator[Event]:
    """What a policy tells beside its rows: that it was not asked, that it had nothing to judge, and each of its gaps."""
    if policy.outcome is Outcome.NOT_ASKED:
        told = f"{policy.info.id} was not asked: it waits for {', '.join(policy.waits_for)}."
        yield _idle(run, policy.info, kind="not_asked", caption="Not asked", message=told)
    if policy.outcome is Outcome.NONE:
        told = f"{policy.info.id} had nothing to judge: no resource is there, proven."
        yield _idle(run, policy.info, kind="none", caption="None", message=told)
    for number, gap in enumerate(policy.gaps, 1):
        yield _gap(run, policy.info, gap, number)


def _idle(run: Run, info: PolicyInfo, *, kind: str, caption: str, message: str) -> Event:
    return Event(
        kind=kind,
        code=info.id,
        identity=identity(kind, info.id, run.estate),
        title=_title(info),
        severity=Severity.INFO,
        message=one_line(message, wording.LINE),
        status=other(caption),
        compliance={"status_code": kind.upper(), **_control(info)},
        resource=_place(run, ""),
        subscription=_only(run.scope),
        labels=info.tags,
    )


def _gap(run: Run, info: PolicyInfo, gap: Gap, number: int) -> Event:
    weight = "could hide a blocking finding" if gap.counts else "cannot change the decision"
    told = wording.gap(gap)
    return Event(
        kind="gap",
        code=info.id,
        identity=identity("gap", info.id, gap.reason, gap.table, gap.subscription or run.estate),
        number=number,
        title=_title(info),
        severity=info.highest,
        message=one_line(f"{info.id} did not see everything: {told} (this gap {weight})", wording.LINE),
        status=UNKNOWN,
        compliance={"status_code": gap.reason, "status_details": [told], **_control(info)},
        resource=_place(run, gap.subscription),
        subscription=gap.subscription or _only(run.scope),
        labels=info.tags,
        unmapped={"table": gap.table, "could_hide": gap.counts},
    )


def _verdict(run: Run, finding: Finding, number: int, info: PolicyInfo) -> Event:
    failed = finding.verdict is Verdict.FAIL
    details = [one_line(finding.message, wording.LINE), *wording.failure(finding)]
    control = _control(info)
    return Event(
        kind="verdict",
        code=info.id,
        identity=finding.fingerprint,
        number=number,
        title=_title(info),
        severity=finding.severity,
        message=wording.sentence(finding, info),
        status=_STATUS[finding.verdict],
        compliance={
            **filled({"status_code": finding.reason, "status_details": [one for one in details if one]}),
            **control,
            **filled({"desc": info.why.strip() if failed else "", "control_parameters": _parameters(info)}),
        },
        resource=_resource(finding),
        subscription=finding.resource.subscription,
        region=finding.resource.location,
        labels=info.tags,
        waiver=wording.waived(finding.waiver) if finding.waiver else "",
        finding=filled({"src_url": _page(info), "related_events": list(_related(run, finding))}),
        more=_advice(finding, info),
        unmapped=_rest(finding),
    )


def _title(info: PolicyInfo) -> str:
    return one_line(info.title, wording.LINE) or info.id


def _control(info: PolicyInfo) -> dict[str, Json]:
    return {"control": info.id, "requirements": [_title(info)], "standards": [info.pack or "arguard"]}


def _parameters(info: PolicyInfo) -> list[Json]:
    """The limits that were judged by; OCSF has room for their values as text, the evidence says where they came from."""
    values = ((name, told["value"] if isinstance(told, dict) else told) for name, told in sorted(info.params.items()))
    return [{"name": name, "value": value if isinstance(value, str) else wording.value(value)} for name, value in values]


def _advice(finding: Finding, info: PolicyInfo) -> dict[str, Json]:
    """How to mend a fail, and what was said of a waived row; the fix of a policy mends nothing that was not decided."""
    advice: dict[str, Json] = filled({"comment": one_line(finding.waiver.reason, wording.LINE)}) if finding.waiver else {}
    if finding.verdict is Verdict.FAIL and (info.fix.strip() or info.references):
        steps = info.fix.strip() or "See the references."
        advice["remediation"] = {"desc": steps, **filled({"references": list(info.references)})}
    return advice


def _page(info: PolicyInfo) -> str:
    return next((page for page in info.references if _PAGE.fullmatch(page)), "")


def _related(run: Run, finding: Finding) -> Iterator[dict[str, Json]]:
    """The findings that explain a failed job; `uid` must be `metadata.uid` of the other event."""
    for one in finding.failure.because[:_RELATED] if finding.failure else ():
        told = one_line(f"{one.policy}: {one.message}", wording.LINE)
        yield {"uid": event_uid(run, one.fingerprint), "type": "verdict", "title": told}


def _resource(finding: Finding) -> dict[str, Json]:
    resource = finding.resource
    return {
        "uid": resource.id,
        **filled(
            {
                "uid_alt": resource.display_id if resource.display_id != resource.id else "",
                "name": resource.name,
                "type": resource.type,
                "region": resource.location,
                "group": filled({"name": resource.resource_group}),
                "data": json_sorted(finding.evidence),
            }
        ),
    }


def _rest(finding: Finding) -> dict[str, Json]:
    failure = finding.failure
    told = {"code": failure.code, "link": failure.link, "numbers": list(failure.numbers)} if failure else {}
    return {
        "verdict": finding.verdict,
        "subject": finding.subject,
        "cause": finding.cause,
        "known": finding.known,
        "failure": filled(told),
    }


def _only(scope: Scope) -> str:
    """The one subscription of a scope; empty if there are more, or none."""
    return scope.expected[0] if len(scope.expected) == 1 else ""


def _place(run: Run, subscription: str) -> dict[str, Json]:
    """The subscription that is meant, or the scope of the scan."""
    scope, one = run.scope, subscription or _only(run.scope)
    if one:
        named = filled({"name": run.names.get(one)})
        return {"uid": f"/subscriptions/{one}", **named, "type": "microsoft.resources/subscriptions"}
    told = {"kind": scope.kind, "management_groups": list(scope.management_groups), "subscriptions": len(scope.expected)}
    return {
        "uid": run.estate,
        "name": f"the scan's scope: {len(scope.expected)} subscriptions",
        "type": "arguard/scope",
        "data": told,
    }
