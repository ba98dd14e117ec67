"""JSON Schemas of what authors write, made from the models themselves: an editor knows every key and what it means."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from scanner.authoring import PackFile, PolicyFile
from scanner.authoring.cases import CasesFile
from scanner.authoring.coverage import CoverageFile
from scanner.authoring.evidence import EvidenceFile

_MODELS: dict[str, tuple[type[BaseModel], str]] = {
    "cases": (CasesFile, "arguard cases"),
    "coverage": (CoverageFile, "arguard coverage map"),
    "evidence": (EvidenceFile, "arguard evidence"),
    "pack": (PackFile, "arguard pack"),
    "policy": (PolicyFile, "arguard policy"),
}
_HOME = "https://raw.githubusercontent.com/arguard/arguard/main/policies"


def schemas() -> dict[str, bytes]:
    """The schemas by file name, such as `policy.schema.json`; the same bytes in every run."""
    return {f"{name}.schema.json": _schema(name, model, title) for name, (model, title) in _MODELS.items()}


def _schema(name: str, model: type[BaseModel], title: str) -> bytes:
    body = model.model_json_schema(schema_generator=_Generator)
    head = {"$schema": GenerateJsonSchema.schema_dialect, "$id": f"{_HOME}/{name}.schema.json", "title": title}
    return json.dumps(_tidy({**head, **body, "title": title}), indent=2, ensure_ascii=False).encode() + b"\n"


class _Generator(GenerateJsonSchema):
    """Without a title for every field: an editor would show it above the description, which says more."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - the signature is pydantic's
        """Never."""
        return False


def _tidy(value: Any) -> Any:
    """Say what the models say and pydantic's schemas leave out."""
    if isinstance(value, list):
        return [_tidy(item) for item in value]
    if not isinstance(value, dict):
        return value
    found = {key: _tidy(item) for key, item in value.items() if not (key == "default" and item is None)}
    if "patternProperties" in found:
        # A key that breaks the pattern is refused.
        found["additionalProperties"] = False
    return found
