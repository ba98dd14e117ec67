"""The small types that policy files are made of: each with its rule and, in plain words, what a mistake is told."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from scanner.model import Json

WRONG = "arguard"
"""The type of the errors that our own validators raise; their message is ready to be shown."""


def wrong(text: str) -> PydanticCustomError:
    """An error with a message of our own, braces and all."""
    return PydanticCustomError(WRONG, "{text}", {"text": text})


class Authored(BaseModel):
    """What an author writes: strict types, no unknown keys, frozen once read."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, validate_by_name=False, validate_by_alias=True)


_RULES: dict[str, str] = {}
"""What each pattern below asks for, in words."""


def rule(pattern: str) -> str:
    """What a pattern asks for, in words; the pattern itself where it is not one of this module's."""
    return _RULES.get(pattern, f"must match {pattern}")


def _matching(pattern: str, words: str) -> object:
    _RULES[pattern] = words
    return Field(pattern=pattern, max_length=256)


_SLUG = r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$"

PolicyId = Annotated[
    str, _matching(r"^[A-Z][A-Z0-9]{0,15}[0-9]{3}$", "must be capital letters and digits that end in three digits, such as ABK301")
]
Slug = Annotated[str, _matching(_SLUG, "must be lower-case words joined by '-', such as vm-agent-not-ready")]
Name = Annotated[str, _matching(r"^[a-z][a-z0-9_]*$", "must be a lower-case name, such as max_disk_gib")]
Column = Annotated[str, _matching(r"^[A-Za-z_][A-Za-z0-9_]*$", "must be the name of a column")]
Need = Annotated[
    str, _matching(r"^(evidence|parameter:[a-z][a-z0-9_]*)$", "must be 'evidence' or 'parameter:<name>'")
]
Link = Annotated[str, _matching(r"^https://[^\s]+$", "must be an https:// address")]
Word = Annotated[str, _matching(r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", "must be one word")]
Version = Annotated[str, _matching(r"^[0-9]+\.[0-9]+\.[0-9]+$", "must be three numbers, such as 1.0.0")]
