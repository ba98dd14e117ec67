"""Verdicts, findings and gaps: what is said of one row, and of what was not seen."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any, Literal, TypeAlias

Json: TypeAlias = Any
"""A decoded JSON value: None, bool, int, float, str, list or dict."""
Row: TypeAlias = Mapping[str, Json]
"""One row of a population: column name to value; null columns are left out."""
ColumnType = Literal["string", "bool", "long", "real", "dynamic"]
"""What a projected column can hold; anything else is refused."""


class Severity(IntEnum):
    """How bad a violation is; ordered."""

    INFO = 1
    LOW = 2
    MEDIUM = 3
    HIGH = 4
    CRITICAL = 5

    @property
    def word(self) -> str:
        """The lower-case word that policies and reports use."""
        return self.name.lower()

    @classmethod
    def parse(cls, word: str) -> Severity:
        """Read the word that policies and the command line use; KeyError if there is no such severity."""
        return cls[word.upper()]


class Verdict(StrEnum):
    """What one policy says of one row."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not_applicable"


class Reason(StrEnum):
    """Why something was not seen (a gap) or not decided (an unknown row)."""

    SCOPE_MISSING = "SCOPE_MISSING"
    SCOPE_DISABLED = "SCOPE_DISABLED"
    SCOPE_EMPTY = "SCOPE_EMPTY"
    RIGHTS_PARTIAL = "RIGHTS_PARTIAL"
    DENIED = "DENIED"
    BAD_ANSWER = "BAD_ANSWER"
    TRUNCATED = "TRUNCATED"
    TENANT_LIMIT = "TENANT_LIMIT"
    UNSTABLE = "UNSTABLE"
    THROTTLED = "THROTTLED"
    FAILED = "FAILED"
    TIMEOUT = "TIMEOUT"
    UNSUPPORTED = "UNSUPPORTED"
    NOT_COLLECTED = "NOT_COLLECTED"
    SHAPE_DRIFT = "SHAPE_DRIFT"
    STALE = "STALE"
    POPULATION_SMALL = "POPULATION_SMALL"
    EVAL_ERROR = "EVAL_ERROR"
    MISSING = "MISSING"
    AMBIGUOUS = "AMBIGUOUS"
    DUPLICATE = "DUPLICATE"
    REDACTED = "REDACTED"
    SIDE_DENIED = "SIDE_DENIED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """The ARM resource a verdict is about. `id` is canonical (see `scanner.ids`); `display_id` is as Azure wrote it."""

    id: str
    display_id: str
    name: str
    type: str
    subscription: str
    resource_group: str
    location: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WaiverMark:
    """The waiver that covers a verdict."""

    id: str
    owner: str
    reason: str
    expires: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Because:
    """Another finding that explains a failed job."""

    policy: str
    id: str
    subject: str
    display_id: str
    severity: Severity
    message: str
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The error behind a failed job, as far as it can be told, and the findings that explain it, most likely cause first.

    `told_by` says what told it: `name` (the code stood in a text), `number` (the parameter numeric_codes), `message` (the
    service's English message), `phase` (which phase of the job failed) or `nothing`, and then `code`, `title` and `link` are
    empty. `numbers` are the numeric error codes that the job gave; `causes` the policies that explain the code.
    """

    code: str = ""
    title: str = ""
    link: str = ""
    told_by: str = "nothing"
    numbers: tuple[int, ...] = ()
    causes: tuple[str, ...] = ()
    because: tuple[Because, ...] = ()


_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "arguard/v1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The verdict of one policy on one row, whatever the verdict: passes are evidence too.

    `reason` is set for unknown verdicts only. `message` is one line: the policy's message for a fail, why the row was not
    decided for an unknown, why it does not apply for a not_applicable, empty for a pass. `evidence` maps each path that
    was read to its value; a parameter's value is `{"value": ..., "origin": ...}`. `known` is None without a baseline.
    `affects` holds the canonical ids of the resources whose failed jobs a failing row explains; `failure` is there for a
    failing row about a failed job.
    """

    policy: str
    resource: Resource
    subject: str = ""
    verdict: Verdict
    reason: Reason | None = None
    severity: Severity
    message: str = ""
    evidence: Mapping[str, Json] = field(default_factory=dict)
    cause: str | None = None
    waiver: WaiverMark | None = None
    known: bool | None = None
    affects: tuple[str, ...] = ()
    failure: Failure | None = None

    @property
    def fingerprint(self) -> str:
        """Identity across runs (64 hex digits): policy, resource and subject, never message, severity or time."""
        identity = f"arguard/v1\x1f{self.policy}\x1f{self.resource.id}\x1f{self.subject}"
        return hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def guid(self) -> str:
        """The fingerprint as a UUID version 5, for formats that want one."""
        return str(uuid.uuid5(_NAMESPACE, self.fingerprint))


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Gap:
    """One way in which a policy did not see everything.

    `table` is a query's name or a side table, empty for the scope itself; `subscription` is empty when all of them are
    meant; `text` is canonical, never the service's prose; `counts` tells whether it could hide a blocking finding.
    """

    reason: Reason
    table: str = ""
    subscription: str = ""
    text: str
    counts: bool = True
