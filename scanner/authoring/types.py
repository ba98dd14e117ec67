"""The small types that policy files are made of, each with its rule and the words for breaking it."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from scanner.model import Json

WRONG = "arguard"
"""The type of errors that our own validators raise; their text is ready to be shown."""


def wrong(text: str) -> PydanticCustomError:
    """An error of ours; the text goes through a placeholder so that braces in it stay what they are."""
    return PydanticCustomError(WRONG, "{text}", {"text": text})


class Authored(BaseModel):
    """What an author writes: strict types, no unknown keys, frozen once read."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, use_attribute_docstrings=True)


_RULES: dict[str, str] = {}


def rule(pattern: str) -> str:
    """What one of the patterns below asks for, in words."""
    return _RULES.get(pattern, f"must match {pattern}")


def _text(pattern: str, words: str, longest: int = 256) -> Any:
    _RULES[pattern] = words
    return Field(pattern=pattern, max_length=longest)


PolicyId: TypeAlias = Annotated[
    str, _text(r"^[A-Z][A-Z0-9]*[0-9]{3}$", "must be capitals and digits that end in three digits, such as ABK301", 32)
]
Slug: TypeAlias = Annotated[
    str, _text(r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", "must be lower-case words joined by '-', such as vm-agent-not-ready", 80)
]
Name: TypeAlias = Annotated[str, _text(r"^[a-z][a-z0-9_]*$", "must be a lower-case name such as max_disk_gib", 80)]
Column: TypeAlias = Annotated[str, _text(r"^[A-Za-z_][A-Za-z0-9_]*$", "must be the name of a column", 128)]
TableOrQuery: TypeAlias = Annotated[str, _text(r"^[a-z][a-z0-9_-]*$", "must be a side table or a query of the pack", 80)]
Need: TypeAlias = Annotated[
    str, _text(r"^(evidence|parameter:[a-z][a-z0-9_]*)$", "must be 'evidence' or 'parameter:' and the name of a parameter")
]
Link: TypeAlias = Annotated[str, _text(r"^https://[^\s]+$", "must be an https:// address", 2048)]
Word: TypeAlias = Annotated[str, _text(r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", "must be one word")]
Date: TypeAlias = Annotated[
    str, _text(r"^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$", "must be a date such as 2025-10-27", 10)
]
Version: TypeAlias = Annotated[str, _text(r"^[0-9]+\.[0-9]+\.[0-9]+$", "must be three numbers such as 1.0.0", 32)]
AtLeast: TypeAlias = Annotated[str, _text(r"^>=[0-9]+(\.[0-9]+){0,2}$", "must be '>=' and a version, such as >=0.1", 32)]
Line: TypeAlias = Annotated[str, _text(r"^\S(.*\S)?$", "must be one line of text, without blanks around it", 1000)]
LineOrNone: TypeAlias = Annotated[str, _text(r"^(\S(.*\S)?)?$", "must be one line of text, or empty", 1000)]
Text: TypeAlias = Annotated[str, _text(r"\S", "must not be empty", 65536)]
VmId: TypeAlias = Annotated[
    str,
    _text(
        r"^/[Ss]ubscriptions/[^/]+/[Rr]esource[Gg]roups/[^/]+/providers/[^/]+/[^/]+(/[^/]+/[^/]+)?/[^/]+$",
        "must be the resource id of a VM: /subscriptions/.../virtualMachines/NAME",
        1024,
    ),
]
Moment: TypeAlias = Annotated[
    str,
    _text(
        r"^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$",
        "must be an RFC 3339 time with a zone, such as 2026-11-20T05:40:12Z",
        40,
    ),
]
SeverityWord: TypeAlias = Literal["info", "low", "medium", "high", "critical"]
Spans: TypeAlias = Literal["subscription", "scope"]
ParameterType: TypeAlias = Literal["string", "integer", "boolean", "string_list", "string_map"]


def _refuse_null(value: Json) -> Json:
    # After the type's own check: what runs before it would leave JSON, where lists are taken for tuples.
    if value is None:
        raise wrong("is empty; leave the key out, or check the indentation of what should stand under it")
    return value


class _NoNull:
    """Leaves null out of the JSON Schema; `SkipJsonSchema` would make a union of it, with longer paths in its errors."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        found: JsonSchemaValue = handler(schema)["anyOf"][0]
        return found


T = TypeVar("T")
Given: TypeAlias = Annotated[T | None, AfterValidator(_refuse_null), _NoNull()]
"""A key that may be left out. Written without a value it is a mistake: what stands under it slipped out by indentation."""


def fits(kind: ParameterType, value: Json) -> bool:
    """Whether a value is of a parameter's type; true and false are no integers."""
    if kind == "string_list":
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    if kind == "string_map":
        return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())
    wanted: dict[str, type] = {"string": str, "integer": int, "boolean": bool}
    return type(value) is wanted[kind]
