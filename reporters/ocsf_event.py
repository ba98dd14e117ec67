"""What every OCSF event of one scan has in common: its identity, its time, its place in the cloud and its encoding.

Requirements and captions are those of the class `compliance_finding` and its objects in the schema 1.5.0 (schema.ocsf.io).
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import orjson

from reporters.sanitise import clean, json_safe, json_value, well_formed
from reporters.wording import HOME
from scanner.model import Json, ScanInfo, Scope, Severity

_CLASS, _CREATE = 2003, 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "arguard/v1/ocsf")
_SEVERITIES: Final = {
    Severity.INFO: (1, "Informational"),
    Severity.LOW: (2, "Low"),
    Severity.MEDIUM: (3, "Medium"),
    Severity.HIGH: (4, "High"),
    Severity.CRITICAL: (5, "Critical"),
}

Status = tuple[int, str]
"""`compliance.status_id` and its caption; the source names what 99 (Other) means."""
UNKNOWN: Final[Status] = (0, "Unknown")
PASS: Final[Status] = (1, "Pass")
FAIL: Final[Status] = (3, "Fail")


def other(caption: str) -> Status:
    """A status that is neither a pass nor a fail nor unknown."""
    return (99, caption)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The scan that the events are of.

    `uid` differs for scans of another time, scope, input or question; `estate` stays the same for one scope. `names` are those
    of the subscriptions.
    """

    uid: uuid.UUID
    time: int
    time_dt: str
    version: str
    tenant: str
    scope: Scope
    estate: str
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What differs from event to event.

    `identity` stays the same in every scan; together with `number` it is unique within one. `kind` is what an event tells:
    verdict, gap, none, not_asked or scan. `finding` and `more` go into `finding_info` and beside it as they are.
    """

    kind: str
    code: str
    identity: str
    number: int = 1
    title: str
    severity: Severity
    message: str
    status: Status
    compliance: dict[str, Json]
    resource: dict[str, Json]
    subscription: str = ""
    region: str = ""
    labels: tuple[str, ...] = ()
    waiver: str = ""
    finding: dict[str, Json] = field(default_factory=dict)
    more: dict[str, Json] = field(default_factory=dict)
    unmapped: dict[str, Json] = field(default_factory=dict)


def run_of(info: ScanInfo) -> Run:
    """The scan as its events name it: equal inputs at an equal time are the same scan, so loading it twice doubles nothing."""
    asked, scope = info.options, info.scope
    told = [
        *(moment(info.run_time), moment(info.as_of), info.source, info.tool),
        *(scope.kind, scope.expected, scope.management_groups, dict(info.digests)),
        *(asked.policies, asked.profile, dict(asked.params), asked.subscriptions, asked.fail_on, asked.as_of),
    ]
    return Run(
        uid=uuid.uuid5(_NAMESPACE, orjson.dumps(json_value(told, well_formed), option=orjson.OPT_SORT_KEYS).decode()),
        time=(info.run_time - _EPOCH) // timedelta(milliseconds=1),
        time_dt=moment(info.run_time),
        version=info.tool.rpartition(" ")[2],
        tenant=info.identity.tenant if info.identity else "",
        scope=scope,
        estate=identity("scope", scope.kind, *(scope.management_groups or scope.expected)),
        names={one.id: one.name for one in scope.subscriptions},
    )


def moment(time: datetime) -> str:
    """A time as RFC 3339 in UTC, as exact as `time` is."""
    return f"{time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def identity(*parts: str) -> str:
    """The identity of an event that is about no row, as 64 hex digits like a finding's fingerprint."""
    return hashlib.sha256("\x1f".join(("arguard/v1/ocsf", *parts)).encode("utf-8", "surrogatepass")).hexdigest()


def event_uid(run: Run, event_identity: str, number: int = 1) -> str:
    """The id of one event of one scan, by which a reader tells a second copy from a second scan."""
    return str(uuid.uuid5(run.uid, f"{event_identity}\x1f{number}"))


def filled(told: dict[str, Json]) -> dict[str, Json]:
    """Only what there is something to say of."""
    return {name: value for name, value in told.items() if value not in (None, "", (), [], {})}


def encoded(run: Run, event: Event) -> bytes:
    """One event as one line."""
    severity_id, severity = _SEVERITIES[event.severity]
    status_id, status = (3, "Suppressed") if event.waiver else (1, "New")
    compliance_id, compliance = event.status
    document = {
        "activity_id": _CREATE,
        "category_uid": 2,
        "class_uid": _CLASS,
        "type_uid": _CLASS * 100 + _CREATE,
        "time": run.time,
        "time_dt": run.time_dt,
        "severity_id": severity_id,
        "severity": severity,
        "status_id": status_id,
        "status": status,
        **filled({"status_detail": event.waiver}),
        "message": event.message,
        "metadata": _metadata(run, event),
        "finding_info": _finding(event),
        "compliance": {"status_id": compliance_id, "status": compliance, **event.compliance},
        "cloud": _cloud(run, event),
        "resources": [event.resource],
        **event.more,
        **filled({"unmapped": filled(event.unmapped)}),
    }
    return json_safe(orjson.dumps(json_value(document, clean))) + b"\n"


def _metadata(run: Run, event: Event) -> dict[str, Json]:
    product = {"name": "arguard", "vendor_name": "arguard", **filled({"version": run.version}), "url_string": HOME}
    return {
        "version": "1.5.0",
        "profiles": ["cloud", "datetime"],
        "product": product,
        "uid": event_uid(run, event.identity, event.number),
        "correlation_uid": str(run.uid),
        "event_code": event.code,
        **filled({"labels": list(event.labels), "tenant_uid": run.tenant}),
    }


def _finding(event: Event) -> dict[str, Json]:
    analytic = {"uid": event.code, "type_id": 1, "type": "Rule"}
    return {"uid": event.identity, "title": event.title, "types": [event.kind], "analytic": analytic, **event.finding}


def _cloud(run: Run, event: Event) -> dict[str, Json]:
    account = {
        "uid": event.subscription,
        **filled({"name": run.names.get(event.subscription)}),
        "type_id": 13,
        "type": "Azure Subscription",
    }
    return {"provider": "Azure", **({"account": account} if event.subscription else {}), **filled({"region": event.region})}
