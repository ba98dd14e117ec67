"""What authors write: a policy file and pack.yaml, every key described. The descriptions are the editor's hover texts.

These models check one file alone; `scanner.packs.build` checks what needs the whole pack and makes `scanner.policy` of it.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import Field, PlainValidator, ValidationInfo, WithJsonSchema, field_validator, model_validator

from scanner.authoring.types import (
    AtLeast,
    Authored,
    Column,
    Date,
    Given,
    Line,
    LineOrNone,
    Link,
    Name,
    Need,
    ParameterType,
    PolicyId,
    SeverityWord,
    Slug,
    Spans,
    TableOrQuery,
    Text,
    Version,
    Word,
    fits,
    wrong,
)
from scanner.model import Json

_JOINS = ("one", "many", "covering")
_DEFAULTS = {
    "string": {"type": "string"},
    "integer": {"type": "integer"},
    "boolean": {"type": "boolean"},
    "string_list": {"type": "array", "items": {"type": "string"}},
    "string_map": {"type": "object", "additionalProperties": {"type": "string"}},
}
_DEFAULT_FITS: dict[str, Any] = {
    "allOf": [
        {
            "if": {"properties": {"type": {"const": kind}}, "required": ["type"]},
            "then": {"properties": {"default": {"anyOf": [schema, {"type": "null"}]}}},
        }
        for kind, schema in _DEFAULTS.items()
    ]
}


class SeverityEntry(Authored):
    """Another severity for some rows."""

    when: Text
    """JMESPath; where it is true the severity below counts."""
    severity: SeverityWord
    """The severity of those rows."""


class ParameterSpec(Authored):
    """A value that a user may set. It reaches the assertion as `params.<name>`, never the KQL."""

    model_config = Authored.model_config | {"json_schema_extra": _DEFAULT_FITS}

    type: ParameterType
    """What kind of value it is."""
    default: Annotated[Json, WithJsonSchema({})] = None
    """The value where nobody sets one; leave it out where a policy `needs` the parameter."""
    weaker: Given[Literal["higher", "lower"]] = None
    """In which direction a change relaxes the policy."""
    describe: Given[Line] = None
    """What the value means, in one line."""
    source: Given[Link] = None
    """Where the default is documented."""
    dated: Given[Date] = None
    """The date that the source bears, or when it was read."""

    @field_validator("default")
    @classmethod
    def _of_its_type(cls, value: Json, info: ValidationInfo) -> Json:
        kind = info.data.get("type")
        if value is not None and kind is not None and not fits(kind, value):
            raise wrong(f"the default must be of the parameter's type, {kind}")
        return value


def _hours(value: Json) -> int | str:
    if (type(value) is int and value > 0) or (isinstance(value, str) and re.fullmatch(r"params\.[a-z][a-z0-9_]*", value)):
        return value
    raise wrong("must be a number of hours (1 or more) or 'params.' and the name of an integer parameter")


Hours = Annotated[
    int | str,
    PlainValidator(_hours),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": r"^params\.[a-z][a-z0-9_]*$"}]}),
]


class MaxAgeSpec(Authored):
    """How old a side object may be; older, undated or from the future counts as not answered (STALE)."""

    at: Name
    """The column of the side object that holds its time."""
    hours: Hours
    """Hours, or `params.<name>` of an integer parameter."""


Pairs: TypeAlias = Annotated[dict[Column, Column], Field(min_length=1)]
Columns: TypeAlias = Annotated[tuple[Column, ...], Field(min_length=1)]


class AttachSpec(Authored):
    """Data joined to each row, which the query cannot reach. Exactly one of `one`, `many` and `covering`."""

    model_config = Authored.model_config | {"json_schema_extra": {"oneOf": [{"required": [how]} for how in _JOINS]}}

    from_: TableOrQuery = Field(alias="from")
    """A side table (arm_locks, arm_vm_status, arm_restore_points, evidence) or another query of the pack."""
    one: Given[Pairs] = None
    """Side column to row column; at most one object matches, null where there is none."""
    many: Given[Pairs] = None
    """Side column to row column; a list of every object that matches. A column may hold a list of texts: any one matches."""
    covering: Given[Column] = None
    """A row column with an ARM id; a list of every lock at, above or below it."""
    max_age: Given[MaxAgeSpec] = None
    """How old an object may be."""

    @model_validator(mode="after")
    def _joined_one_way(self) -> Self:
        ways = sorted(self.model_fields_set & set(_JOINS), key=_JOINS.index)
        if len(ways) != 1:
            found = " and ".join(ways) or "none of them"
            raise wrong(f"needs exactly one of 'one', 'many' and 'covering', not {found}")
        return self


class ClassifySpec(Authored):
    """What a failed job says of itself, from which its error code is told (the `codes` of the pack)."""

    texts: Text
    """JMESPath to anything that holds texts: searched for the name of a code, then for the service's English message."""
    numbers: Text
    """JMESPath to a list of the numeric error codes, which the parameter `numeric_codes` maps to names."""
    phases: Text
    """JMESPath to a list of the phases of the job that failed."""


class AppliesSpec(Authored):
    """Which rows the policy judges at all."""

    when: Text
    """JMESPath; rows where it is false are not applicable."""
    because: Line
    """Why such a row is not judged, as its reader should see it."""


class PolicyFile(Authored):
    """One arguard policy: a KQL query that names the population, and a JMESPath assertion that every row must meet."""

    id: PolicyId
    """The policy's id for ever, such as ABK301; never reused."""
    name: Slug
    """A slug that names the defect and reads well after 'waive', such as vm-agent-not-ready."""
    title: Line
    """What is true when the policy holds, in one line."""
    severity: SeverityWord
    """How bad a violation is."""
    severity_when: tuple[SeverityEntry, ...] = ()
    """Other severities for some rows; the first match wins."""
    enabled: bool = True
    """false: the policy runs only when it is selected or configured."""
    needs: tuple[Need, ...] = ()
    """What the policy waits for, 'evidence' or 'parameter:<name>'; without it the policy is listed as not asked."""
    explains: tuple[Word, ...] = ()
    """Error codes of failed jobs that a violation is a cause of."""
    affects: Given[Column] = None
    """The column with the ids (one text, or a list) of the resources whose failed jobs a finding explains; else `resource`."""
    classify: Given[ClassifySpec] = None
    """For a policy about failed jobs: what tells the error code behind a finding, so that other findings can explain it."""
    params: dict[Name, ParameterSpec] = Field(default_factory=dict)
    """Values that a user may set."""
    query: Text
    """The name of a query of the pack, or the KQL itself in a | block."""
    key: Given[Columns] = None
    """With KQL in `query`: the columns that tell its rows apart."""
    spans: Given[Spans] = None
    """With KQL in `query`: whether its joins stay inside one subscription (the default) or span the scope."""
    resource: Column = "id"
    """The column that names the ARM resource a finding is about."""
    subject: LineOrNone = ""
    """What inside the resource a finding is about, such as 'extension:{name}'."""
    attach: dict[Name, AttachSpec] = Field(default_factory=dict)
    """Side data that the query cannot reach, joined to each row under the name given here."""
    applies: Given[AppliesSpec] = None
    """Which rows are judged; the others are not applicable."""
    assert_: Text = Field(alias="assert")
    """JMESPath that must be exactly true for a row to pass; every path it reads must be there."""
    optional: tuple[Line, ...] = ()
    """Paths of `assert` that may be missing or null."""
    cause: Text | None = None
    """JMESPath to a text: findings with one cause are grouped."""
    message: Line
    """What a finding says, with {path} where a value belongs."""
    why: Text
    """What breaks, in one paragraph."""
    fix: Text
    """What to do, in numbered steps."""
    references: tuple[Link, ...] = ()
    """Where this is documented."""
    tags: tuple[Slug, ...] = ()
    """Words to select and group policies by."""
    min_population: Annotated[int, Field(ge=0)] = 0
    """Fewer rows than this is a gap."""
    traps: tuple[Line, ...] = ()
    """What looks like this defect and is none, or hides it, and what no data can decide; shown on the policy's page."""
    no_case: dict[Literal["pass", "fail", "unknown"], Line] = Field(default_factory=dict)
    """Why there can be no case that ends so, for each verdict without one."""

    @property
    def is_inline(self) -> bool:
        """Whether `query` is KQL: a name has neither blanks nor pipes."""
        return re.search(r"[\s|]", self.query) is not None


class QuerySpec(Authored):
    """A population that policies of the pack can share."""

    file: Line
    """The .kql file, relative to the pack's folder, with forward slashes."""
    key: Columns
    """The columns that tell its rows apart: every column that a one-to-many join or mv-expand adds, at least `id`."""
    spans: Spans = "subscription"
    """Whether joins and aggregates stay inside one subscription (the default) or span the whole scope."""


class CodeSpec(Authored):
    """An error code of failed jobs: how it is told, and which policies name its causes."""

    title: Line
    """What the service calls it, in English."""
    link: Link
    """Where it is documented."""
    messages: tuple[Line, ...] = ()
    """English messages of the service that belong to this code alone, whole or their beginning."""
    phase: Given[Line] = None
    """For what only the failing phase of a job tells: the phase."""
    causes: tuple[PolicyId, ...] = ()
    """The policies that explain it, the most likely cause first; each of them lists the code in `explains`."""


class PackFile(Authored):
    """pack.yaml: a folder of policies that belong together."""

    format: Literal["arguard-pack/1"]
    """The format of the pack's files."""
    requires_arguard: AtLeast
    """The oldest arguard that the pack works with, such as '>=0.1'."""
    id: Slug
    """The pack's id."""
    version: Version
    """The pack's own version, three numbers."""
    title: Line
    """What the pack is about, in one line."""
    queries: dict[Slug, QuerySpec] = Field(default_factory=dict)
    """The populations, by name."""
    parameters: dict[Name, ParameterSpec] = Field(default_factory=dict)
    """Parameters that any policy of the pack may read."""
    codes: dict[Word, CodeSpec] = Field(default_factory=dict)
    """The error codes of failed jobs that policies explain, by name."""
    profiles: dict[Slug, dict[Name, Annotated[Json, WithJsonSchema({})]]] = Field(default_factory=dict)
    """Named sets of parameter values."""
