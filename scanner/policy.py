"""Policies as the engine uses them: frozen, checked and compiled. What authors write stands in `scanner.authoring`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from scanner.assertion import Expression, Template
from scanner.model import ColumnType, Json, PolicyInfo, Severity

NUMERIC_CODES = "numeric_codes"
"""The parameter that maps the numeric error codes of failed jobs to their names; a policy with `classify` has it."""
ORIGIN = "origin"
"""The name under which a message reads where a parameter's value came from; a column of that name wins."""
SIDE_TABLES = ("arm_locks", "arm_vm_status", "arm_restore_points", "evidence")
"""Side tables that a policy may attach; each holds what ARG does not carry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A population: KQL whose rows are judged, each exactly once.

    `name` is the query's key in the pack, or the policy's id for an inline query. `digest` is the sha256 of the normalised
    text. `columns` are the projected columns with their types and `tables` the ARG tables named, each with the resource
    types asked for (None: all of them); both are None where the `[offline]` extra is absent and nothing could be tracked.
    """

    name: str
    kql: str
    file: str
    line: int
    column: int
    digest: str
    key: tuple[str, ...]
    spans: Literal["subscription", "scope"] = "subscription"
    columns: Mapping[str, ColumnType] | None = None
    tables: Mapping[str, frozenset[str] | None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MaxAge:
    """How old a side object may be: `at` names its time in the view; `hours` is a number or the name of a parameter."""

    at: str
    hours: int | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attach:
    """Data joined to each row under `name`. `on` pairs side columns with row columns; `covering` has one row column only."""

    name: str
    source: str
    how: Literal["one", "many", "covering"]
    on: tuple[tuple[str, str], ...] = ()
    covering: str = ""
    max_age: MaxAge | None = None
    query: Query | None = None
    """The joined population, when `source` is a query of the pack instead of a side table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A value that a user may set. `weaker` tells in which direction a change relaxes the policy."""

    name: str
    type: Literal["string", "integer", "boolean", "string_list", "string_map"]
    default: Json
    weaker: Literal["higher", "lower"] | None = None
    describe: str = ""
    source: str = ""
    dated: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeverityWhen:
    """Another severity for rows where `when` is exactly true."""

    when: Expression
    severity: Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Applies:
    """Rows where `when` is exactly false are not applicable, for the reason `because`."""

    when: Expression
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """An error code of failed jobs, with the policies that explain it, the most likely cause first."""

    name: str
    title: str
    link: str
    messages: tuple[str, ...] = ()
    phase: str = ""
    causes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Classify:
    """What a failed job says of itself, and the codes that it may have failed with."""

    texts: Expression
    numbers: Expression
    phases: Expression
    codes: tuple[Code, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One policy, ready to run: every name checked against the projection, every expression compiled."""

    info: PolicyInfo
    enabled: bool
    needs: tuple[str, ...]
    query: Query
    assertion: Expression
    message: Template
    resource: str = "id"
    subject: Template | None = None
    attach: tuple[Attach, ...] = ()
    applies: Applies | None = None
    optional: tuple[str, ...] = ()
    cause: Expression | None = None
    severity_when: tuple[SeverityWhen, ...] = ()
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    min_population: int = 0
    affects: str = ""
    classify: Classify | None = None
    traps: tuple[str, ...] = ()
    no_case: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The policy's id."""
        return self.info.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What a case expects: rows named by a tail of their id, with a subject where the policy has one, per verdict word."""

    rows: Mapping[str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One unit test of a policy: raw table rows in, verdicts out.

    `tables` maps a table or side table to its rows; `unanswered` maps a table to the subscriptions that did not answer.
    """

    policy: str
    name: str
    file: str
    line: int
    collected_at: str
    tables: Mapping[str, tuple[Json, ...]]
    expect: Expectation
    unanswered: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    profile: str = ""
    params: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """One piece of advice of the article that a pack covers: the policies that judge it, or why none does."""

    anchor: str
    section: str
    says: str
    policies: tuple[str, ...] = ()
    not_a_check: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """A folder of policies that belong together. `digest` covers every file of it that decides.

    `coverage` is everything that the article at the address `article` says, in its order; both are empty without a map.
    """

    id: str
    title: str
    version: str
    digest: str
    folder: str
    policies: tuple[Policy, ...]
    queries: Mapping[str, Query]
    profiles: Mapping[str, Mapping[str, Json]]
    codes: tuple[Code, ...] = ()
    cases: tuple[Case, ...] = ()
    article: str = ""
    coverage: tuple[Advice, ...] = ()
