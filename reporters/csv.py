"""CSV (RFC 4180, UTF-8) for spreadsheets and scripts: one line for each verdict, and for all that was not seen or not asked.

The first column says what a line is: a verdict, or `incomplete` (the scan, once, on the first line), `gap` (what a policy did
not see), `none` (a policy with nothing to judge, proven) or `not_asked`. No line is missing because nothing was found.

Resources are named by other people, and spreadsheets run what begins like a formula: such a cell begins with `'` here, every
cell is quoted, and no cell holds a line break. So the cells are for reading; the native result keeps every value as it was.
(owasp.org/www-community/attacks/CSV_Injection.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import partial

from reporters import wording
from reporters.rows import rows
from reporters.sanitise import console_safe, one_line
from reporters.view import FILTERED, UNASKED, View
from scanner.model import Finding, Outcome, PolicyResult, ScanResult

PROFILES = FILTERED
_FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
"""What a formula begins with, in full width too, which spreadsheets read as the plain characters; blanks in front are gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """One line; the names of the columns are those of the fields."""

    kind: str
    policy: str = ""
    title: str = ""
    severity: str = ""
    name: str = ""
    subject: str = ""
    type: str = ""
    subscription: str = ""
    subscription_name: str = ""
    resource_group: str = ""
    location: str = ""
    message: str = ""
    reason: str = ""
    waiver: str = ""
    known: str = ""
    cause: str = ""
    code: str = ""
    because: str = ""
    evidence: str = ""
    reference: str = ""
    id: str = ""
    fingerprint: str = ""


_COLUMNS = tuple(field.name for field in fields(_Line))


def render(result: ScanResult, view: View = UNASKED) -> Iterator[bytes]:
    """Write the names of the columns, then line by line."""
    yield _encoded(_COLUMNS)
    for line in _lines(result, view):
        yield _encoded(tuple(getattr(line, name) for name in _COLUMNS))


def _lines(result: ScanResult, view: View) -> Iterator[_Line]:
    if not result.decision.complete:
        yield _Line(kind="incomplete", message="; ".join(result.decision.reasons) or "no reason was recorded")
    names = {one.id: one.name for one in result.info.scope.subscriptions}
    for policy in result.policies:
        info = policy.info
        about = partial(
            _Line, policy=info.id, title=info.title, severity=info.severity.word, reference=next(iter(info.references), "")
        )
        if policy.outcome is Outcome.NOT_ASKED:
            yield about(kind="not_asked", message=f"waits for {', '.join(policy.waits_for)}")
        if policy.outcome is Outcome.NONE:
            yield about(kind="none", message="nothing to judge (proven)")
        yield from _gaps(policy, about, names)
        for _, finding in rows(result, policy, view):
            yield _verdict(finding, policy, about, names)


def _gaps(policy: PolicyResult, about: partial[_Line], names: Mapping[str, str]) -> Iterator[_Line]:
    for gap in policy.gaps:
        weight = "could hide a blocking finding" if gap.counts else "cannot change the decision"
        yield about(
            kind="gap",
            subscription=gap.subscription,
            subscription_name=names.get(gap.subscription, ""),
            reason=gap.reason,
            message=f"{wording.gap(gap)} (this gap {weight})",
        )


def _verdict(finding: Finding, policy: PolicyResult, about: partial[_Line], names: Mapping[str, str]) -> _Line:
    resource, failed = finding.resource, finding.failure
    return about(
        kind=finding.verdict.value,
        severity=finding.severity.word,
        name=resource.name,
        subject=finding.subject,
        type=resource.type,
        subscription=resource.subscription,
        subscription_name=names.get(resource.subscription, ""),
        resource_group=resource.resource_group,
        location=resource.location,
        message=wording.message(finding, policy.info) if finding.message or finding.reason else "",
        reason=finding.reason or "",
        waiver=wording.waived(finding.waiver) if finding.waiver else "",
        known={None: "", True: "yes", False: "no"}[finding.known],
        cause=finding.cause or "",
        code=failed.code if failed else "",
        because="; ".join(f"{one.policy} {one.display_id}" for one in failed.because) if failed else "",
        evidence="; ".join(wording.evidence(finding)),
        id=resource.display_id,
        fingerprint=finding.fingerprint,
    )


def _encoded(cells: tuple[str, ...]) -> bytes:
    return (",".join(map(_cell, cells)) + "\r\n").encode()


def _cell(text: str) -> str:
    told = console_safe(one_line(text, wording.LINE))
    safe = f"'{told}" if told.startswith(_FORMULA) else told
    return '"' + safe.replace('"', '""') + '"'
