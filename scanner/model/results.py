"""Results: what a scan was, what became of each policy, and what the gate says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from scanner.model.findings import Finding, Gap, Json, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """What was asked once for all policies: a query (with its digest) or a side table."""

    table: str
    digest: str = ""
    answered: tuple[str, ...]
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A subscription as the source names it."""

    id: str
    name: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What was expected to be seen. `kind` is "proven" (listed) or "discovered" (whatever the identity sees)."""

    kind: str
    expected: tuple[str, ...]
    management_groups: tuple[str, ...] = ()
    subscriptions: tuple[Subscription, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options that decide a scan; never paths or outputs. `fail_on` None means `never`."""

    policies: tuple[str, ...] = ()
    profile: str = ""
    params: Mapping[str, Json] = field(default_factory=dict)
    subscriptions: tuple[str, ...] = ()
    fail_on: Severity | None = Severity.HIGH
    as_of: str = "run"
    max_age_hours: float = 24.0
    allow_incomplete: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who asked Azure: the kind of credential, the tenant and the object id, never a token."""

    credential: str
    tenant: str = ""
    object_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """One request of a live scan: its route, its attempts, Azure's id of the last of them, and how long it took in all."""

    method: str
    route: str
    attempts: int
    status: int
    request_id: str
    ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanInfo:
    """Everything a report says of the run itself.

    `as_of` is the time that ages are judged at: the run's own, or the snapshot's with `--as-of snapshot`. `digests` holds
    sha256 values of "packs" and "snapshot". `commit` and `ci_run` are empty where unknown; `identity` is None offline.
    `pipeline` says which pipeline of Azure DevOps this is (organization, project, definition_id, definition_name, phase_id,
    phase_name, branch, build_id); it is empty elsewhere.
    """

    tool: str
    libraries: Mapping[str, str]
    run_time: datetime
    as_of: datetime
    collected_at: datetime | None
    source: str
    scope: Scope
    options: Options
    digests: Mapping[str, str]
    identity: Identity | None = None
    commit: str = ""
    ci_run: str = ""
    pipeline: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyInfo:
    """A policy as reports show it. `file` is relative to the folder that holds the pack; `line` is the one of `assert`.

    `params` maps each parameter the policy reads to `{"value": ..., "origin": default|profile|configuration|command line}`.
    """

    id: str
    name: str
    title: str
    severity: Severity
    highest: Severity
    pack: str
    file: str
    line: int
    why: str
    fix: str
    references: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    explains: tuple[str, ...] = ()
    params: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many rows of a policy ended how. `waived` and `known` are marks: those rows are counted in their verdict too.

    `blocking` counts fails that block; `hiding` counts unknowns that could hide a blocking finding.
    """

    passed: int = 0
    failed: int = 0
    unknown: int = 0
    not_applicable: int = 0
    waived: int = 0
    known: int = 0
    blocking: int = 0
    hiding: int = 0

    @property
    def rows(self) -> int:
        """Rows of the population."""
        return self.passed + self.failed + self.unknown + self.not_applicable


class Outcome(StrEnum):
    """The result of a policy in one word."""

    COMPLIANT = "compliant"
    VIOLATIONS = "violations"
    INCOMPLETE = "incomplete"
    NOT_APPLICABLE = "not_applicable"
    NONE = "none"
    NOT_ASKED = "not_asked"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyResult:
    """What became of one policy. `waits_for` says why a policy was not asked; it is empty for a policy that was."""

    info: PolicyInfo
    waits_for: tuple[str, ...] = ()
    counts: Counts = Counts()
    gaps: tuple[Gap, ...] = ()

    @property
    def asked(self) -> bool:
        """Whether the policy ran."""
        return not self.waits_for

    @property
    def complete(self) -> bool:
        """Whether everything was seen and decided."""
        return not self.gaps and self.counts.unknown == 0

    @property
    def outcome(self) -> Outcome:
        """Violations first, then what is missing, then what was proven."""
        if not self.asked:
            return Outcome.NOT_ASKED
        if self.counts.failed:
            return Outcome.VIOLATIONS
        if not self.complete:
            return Outcome.INCOMPLETE
        if self.counts.rows == 0:
            return Outcome.NONE
        return Outcome.COMPLIANT if self.counts.passed else Outcome.NOT_APPLICABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the gate says. `complete` is false when something that counts was not seen or not decided."""

    exit_code: int
    complete: bool
    reasons: tuple[str, ...]


class Findings(Protocol):
    """The stored verdicts, read back as often as a reporter likes, never as one list."""

    def of(self, policy: str) -> Iterator[Finding]:
        """The verdicts of one policy, sorted by canonical id, then subject."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanResult:
    """The one object that everything after the scan sees: policies in order of id, findings on demand."""

    info: ScanInfo
    ledger: Sequence[LedgerEntry]
    policies: Sequence[PolicyResult]
    findings: Findings
    decision: Decision
    trace: Sequence[Trace] = ()
