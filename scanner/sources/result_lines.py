"""The lines of a native result as they are read back: strict types, and keys that nobody knows are ignored.

`docs/native-format.md` says what each key means; `reporters.native` writes them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from scanner.model import (
    Because,
    Counts,
    Decision,
    Failure,
    Finding,
    Gap,
    Identity,
    Json,
    LedgerEntry,
    Options,
    PolicyInfo,
    Reason,
    Resource,
    ScanInfo,
    Scope,
    Severity,
    Subscription,
    Trace,
    Verdict,
    WaiverMark,
)

FORMAT = "arguard-result/1"


def _severity(word: object) -> Severity:
    words = {one.word: one for one in Severity}
    if not isinstance(word, str) or word not in words:
        raise ValueError(f"must be one of {', '.join(words)}")
    return words[word]


_Severity = Annotated[Severity, BeforeValidator(_severity)]
_FailOn = Annotated[Severity | None, BeforeValidator(lambda word: None if word == "never" else _severity(word))]
_Texts = tuple[str, ...]


class Line(BaseModel):
    """One object of a result."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class _Scope(Line):
    kind: str
    expected: _Texts
    management_groups: _Texts
    subscriptions: tuple[Subscription, ...]


class _Options(Line):
    policies: _Texts
    profile: str
    params: dict[str, Json]
    subscriptions: _Texts
    fail_on: _FailOn
    as_of: Literal["run", "snapshot"]
    max_age_hours: float
    allow_incomplete: bool


class ScanLine(Line):
    """What a result says of the run."""

    format: Literal["arguard-result/1"]
    tool: str
    libraries: dict[str, str]
    run_time: AwareDatetime
    as_of: AwareDatetime
    collected_at: AwareDatetime | None
    source: str
    scope: _Scope
    options: _Options
    digests: dict[str, str]
    identity: Identity | None = None
    commit: str = ""
    ci_run: str = ""
    pipeline: dict[str, str] = Field(default_factory=dict)

    def info(self) -> ScanInfo:
        """The same as the model."""
        told = {name: getattr(self, name) for name in type(self).model_fields if name not in {"format", "scope", "options"}}
        return ScanInfo(scope=Scope(**dict(self.scope)), options=Options(**dict(self.options)), **told)


class LedgerLine(Line):
    """What was asked once for all policies."""

    table: str
    digest: str
    answered: _Texts
    rows: int

    def entry(self) -> LedgerEntry:
        """The same as the model."""
        return LedgerEntry(**dict(self))


class PolicyLine(Line):
    """A policy."""

    id: str
    name: str
    title: str
    severity: _Severity
    highest: _Severity
    pack: str
    file: str
    line: int
    why: str
    fix: str
    references: _Texts
    tags: _Texts
    explains: _Texts
    params: dict[str, Json]
    waits_for: _Texts

    def info(self) -> PolicyInfo:
        """The same as the model."""
        return PolicyInfo(**{name: value for name, value in self if name != "waits_for"})


class _Display(Line):
    id: str
    name: str
    type: str
    subscription: str
    resource_group: str
    location: str


class _Because(Line):
    policy: str
    id: str
    display_id: str
    subject: str
    severity: _Severity
    message: str
    fingerprint: str


class _Failure(Line):
    code: str
    title: str
    link: str
    told_by: str
    numbers: tuple[int, ...]
    because: tuple[_Because, ...]

    def failure(self) -> Failure:
        told = {name: value for name, value in self if name != "because"}
        return Failure(because=tuple(Because(**dict(one)) for one in self.because), **told)


class VerdictLine(Line):
    """The verdict on one row."""

    policy: str
    id: str
    subject: str
    verdict: Verdict
    reason: Reason | None
    severity: _Severity
    message: str
    evidence: dict[str, Json]
    cause: str | None
    affects: _Texts
    waiver: WaiverMark | None
    known: bool | None
    failure: _Failure | None
    display: _Display

    def finding(self) -> Finding:
        """The same as the model."""
        shown = {name: value for name, value in self.display if name != "id"}
        return Finding(
            policy=self.policy,
            resource=Resource(id=self.id, display_id=self.display.id, **shown),
            subject=self.subject,
            verdict=self.verdict,
            reason=self.reason,
            severity=self.severity,
            message=self.message,
            evidence=self.evidence,
            cause=self.cause,
            affects=self.affects,
            waiver=self.waiver,
            known=self.known,
            failure=self.failure.failure() if self.failure else None,
        )


class GapLine(Line):
    """What a policy did not see."""

    policy: str
    reason: Reason
    table: str
    subscription: str
    text: str
    counts: bool

    def gap(self) -> Gap:
        """The same as the model."""
        return Gap(**{name: value for name, value in self if name != "policy"})


class SummaryLine(Line):
    """The counts of a policy."""

    policy: str
    counts: Counts


class DecisionLine(Line):
    """What the gate said, and the sha256 of all lines before it."""

    exit_code: int
    complete: bool
    reasons: _Texts
    sha256: str

    def decision(self) -> Decision:
        """The same as the model."""
        return Decision(exit_code=self.exit_code, complete=self.complete, reasons=self.reasons)


class TraceLine(Line):
    """One request of a live scan."""

    method: str
    route: str
    attempts: int
    status: int
    request_id: str
    ms: int

    def trace(self) -> Trace:
        """The same as the model."""
        return Trace(**dict(self))


KINDS: dict[str, type[Line]] = {
    "scan": ScanLine,
    "ledger": LedgerLine,
    "policy": PolicyLine,
    "verdict": VerdictLine,
    "gap": GapLine,
    "summary": SummaryLine,
    "decision": DecisionLine,
    "trace": TraceLine,
}
