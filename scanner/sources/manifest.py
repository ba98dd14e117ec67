"""`manifest.json`, the heart of a snapshot (`arguard-snapshot/1`): its models and its JSON Schema.

The format is open and described in docs/snapshot-format.md. Models are strict: an unknown key or another type is a problem
with its place, because a key that is quietly ignored could hide that something was not collected.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from scanner.model import ColumnType, Subscription

FORMAT = "arguard-snapshot/1"

GapReason = Literal[
    "SCOPE_MISSING",
    "SCOPE_DISABLED",
    "SCOPE_EMPTY",
    "RIGHTS_PARTIAL",
    "DENIED",
    "BAD_ANSWER",
    "TRUNCATED",
    "TENANT_LIMIT",
    "UNSTABLE",
    "THROTTLED",
    "FAILED",
    "TIMEOUT",
    "UNSUPPORTED",
    "NOT_COLLECTED",
    "SHAPE_DRIFT",
    "STALE",
    "POPULATION_SMALL",
]

_MOMENT = r"^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$"
_FILE = r"^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*\.ndjson(\.gz)?$"


def _moment(text: str) -> str:
    try:
        datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise PydanticCustomError("moment", "is no date and time: {why}", {"why": str(error)}) from error
    return text


Moment = Annotated[str, StringConstraints(pattern=_MOMENT), AfterValidator(_moment)]
SubscriptionId = Annotated[str, StringConstraints(pattern=r"^[^/\s]{1,64}$", to_lower=True)]
FileName = Annotated[str, StringConstraints(pattern=_FILE, max_length=255)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0)]
Text = Annotated[str, StringConstraints(max_length=256, pattern=r"^[^\x00-\x1f\x7f]*$")]


class _Model(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class ScopeModel(_Model):
    """What the collector was expected to see."""

    kind: Literal["proven", "discovered"] = Field(
        description="proven: the subscriptions were listed by somebody; discovered: whatever the identity could see."
    )
    subscriptions: tuple[SubscriptionId, ...] = Field(description="Every subscription that was expected to answer.")
    management_groups: tuple[Text, ...] = Field((), description="The management groups that the scope was asked for as.")


class SubscriptionModel(_Model):
    """A subscription as Azure names it."""

    id: SubscriptionId = Field(description="The subscription's id; case does not matter.")
    name: Text = Field("", description="Its display name.")
    state: Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{1,32}$")] = Field(
        description="Its state; rows of one that is not Enabled, Warned or PastDue are never taken as complete."
    )

    def named(self) -> Subscription:
        """The subscription as reports show it."""
        return Subscription(id=self.id, name=self.name, state=self.state)


class GapModel(_Model):
    """A subscription that did not answer in full, and why."""

    subscription: Annotated[str, StringConstraints(pattern=r"^[^/\s]{0,64}$", to_lower=True)] = Field(
        "", description="The subscription; empty or absent when all are meant."
    )
    reason: GapReason = Field(description="The reason code.")
    text: Text = Field("", description="HTTP status and error code, such as '403 AuthorizationFailed'.")


class FileModel(_Model):
    """A data file and what it covers."""

    file: FileName = Field(
        description="Path of the NDJSON file inside the folder, with forward slashes; .ndjson or .ndjson.gz."
    )
    rows: Count = Field(description="How many rows the file holds.")
    sha256: Sha256 = Field(description="SHA-256 of the file's bytes as they lie on the disk, 64 lower-case hex digits.")
    answered: tuple[SubscriptionId, ...] = Field(description="The subscriptions that answered in full, with or without rows.")
    gaps: tuple[GapModel, ...] = Field((), description="The subscriptions that did not, and why.")


class TableModel(FileModel):
    """A raw table of Azure Resource Graph, or a side table of ARM."""

    types: tuple[Annotated[str, StringConstraints(min_length=1, to_lower=True)], ...] | None = Field(
        None, description="ARG tables only: the resource types that were collected, or ['*'] for all of them."
    )


class AnswerModel(FileModel):
    """What Azure Resource Graph itself answered to one query."""

    query: Annotated[str, StringConstraints(min_length=1)] = Field(description="The query's text before arguard's two edits.")
    columns: dict[str, ColumnType] | None = Field(
        None, description="The type of each column, so that booleans can be read where no KQL engine is installed."
    )
    spans: Literal["subscription", "scope"] | None = Field(
        None,
        description="How the query was asked: 'subscription' may have been in batches, which proves nothing across them.",
    )


class Manifest(_Model):
    """The manifest of a snapshot."""

    format: Literal["arguard-snapshot/1"] = Field(description="The format's name and version.")
    tool: Text = Field(description="What wrote the snapshot, with its version.")
    collected_at: Moment = Field(description="RFC 3339 with zone: what now() meant in the queries; the age of every row.")
    scope: ScopeModel = Field(description="What was expected.")
    subscriptions: tuple[SubscriptionModel, ...] = Field((), description="The subscriptions as Azure lists them.")
    tables: dict[Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")], TableModel] = Field(
        default_factory=dict, description="Raw ARG tables and ARM side tables by lower-case name."
    )
    answers: dict[Sha256, AnswerModel] = Field(
        default_factory=dict, description="Stored answers by the digest of their query's normalised text."
    )

    @property
    def moment(self) -> datetime:
        """When the snapshot was collected, in UTC."""
        return datetime.fromisoformat(self.collected_at).astimezone(UTC)


def schema() -> bytes:
    """The JSON Schema of `manifest.json`."""
    tree: dict[str, Any] = Manifest.model_json_schema()
    for name in ("tables", "answers"):
        tree["properties"][name]["additionalProperties"] = False
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://github.com/arguard/arguard/blob/main/policies/snapshot.schema.json",
    }
    text = json.dumps({**head, **tree, "title": "arguard snapshot manifest"}, indent=2, ensure_ascii=False)
    return text.encode() + b"\n"
