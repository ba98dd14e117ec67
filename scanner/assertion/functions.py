"""The functions that policies may use: those of JMESPath, made strict where they guess, and a closed list of our own.

To add one: a method `_func_<name>` with a signature and a docstring; there are at most ten of our own.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from jmespath.functions import Functions, signature

from scanner.model import Json
from scanner.wildcards import matches

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_VERSION = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,18})*")


class NotComparable(TypeError):
    """Two values that cannot be ordered or equated, or a condition that is not true or false."""


def kind(value: Json) -> str:
    """What a JSON value is, in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, list) else "an object"


def same(left: Json, right: Json) -> bool:
    """Whether two values of one kind are equal; raises NotComparable where kinds differ, at every depth.

    Objects have no equality here: one that lost a member would differ from everything, and `!=` would pass.
    """
    if kind(left) != kind(right):
        raise NotComparable(f"{kind(left)} is compared with {kind(right)}")
    if isinstance(left, dict):
        raise NotComparable("objects are compared; compare their members")
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


class PolicyFunctions(Functions):
    """JMESPath's functions and ours."""

    @signature({"types": ["string", "null"]})
    def _func_lower(self, text: str | None) -> str | None:
        """The text in lower case; null stays null."""
        return None if text is None else text.lower()

    @signature({"types": ["string", "null"]}, {"types": ["string"]})
    def _func_version_at_least(self, version: str | None, minimum: str) -> bool | None:
        """Whether a dotted version is at or above a minimum, number by number; null when either is not dotted numbers."""
        have, want = _parts(version), _parts(minimum)
        if have is None or want is None:
            return None
        width = max(len(have), len(want))
        return have + [0] * (width - len(have)) >= want + [0] * (width - len(want))

    @signature({"types": []}, {"types": ["boolean"]})
    def _func_only_if(self, value: Json, condition: bool) -> Json:  # noqa: FBT001 - JMESPath passes by position
        """The value where the condition holds, else null, so that the row is undecided instead of passed or failed."""
        return value if condition else None

    @signature({"types": ["string"]}, {"types": ["array-string"]})
    def _func_contains_any(self, text: str, words: list[str]) -> bool:
        """Whether a text holds one of some words, in any case; a list in a parameter decides, which no filter could read.

        An empty word stands in every text, so it raises: a list that ends in one would decide all rows alike.
        """
        if "" in words:
            raise NotComparable("contains_any() looks for an empty word")
        return any(word.lower() in text.lower() for word in words)

    @signature({"types": ["array-string"]}, {"types": ["array-string"]})
    def _func_contains_all(self, texts: list[str], wanted: list[str]) -> bool:
        """Whether a list holds every wanted text, in any case; they may be a parameter, which no filter could read."""
        return {text.lower() for text in wanted} <= {text.lower() for text in texts}

    @signature({"types": ["array"]}, {"types": ["expref"]}, {"types": ["string"]})
    def _func_matching(self, elements: list[Json], key: Any, wanted: str) -> list[Json]:
        """The elements whose key is the wanted text, in any case; `wanted` may be a parameter, which no filter could read.

        An element whose key is no text could be one of them, so it raises.
        """
        found = []
        for element in elements:
            value = key.visit(key.expression, element)
            if not isinstance(value, str):
                raise NotComparable(f"matching() compares {kind(value)} with a text")
            if value.lower() == wanted.lower():
                found.append(element)
        return found

    @signature({"types": ["string"]}, {"types": ["array-string"]})
    def _func_like_any(self, text: str, patterns: list[str]) -> bool:
        """Whether a text matches one of some patterns, in any case; `*` stands for any characters, `/` included."""
        return any(matches(pattern.lower(), text.lower()) for pattern in patterns)

    @signature({"types": ["array", "string"]}, {"types": []})
    def _func_contains(self, subject: list[Json] | str, search: Json) -> bool:
        """As in JMESPath, but a text can only contain a text, and a list is only searched for what its elements can equal."""
        if isinstance(subject, str):
            if not isinstance(search, str):
                raise NotComparable(f"contains() looks for {kind(search)} in a text")
            return search in subject
        if any(kind(item) == kind(search) and same(item, search) for item in subject):
            return True
        for item in subject:
            same(item, search)
        return False

    @signature({"types": ["string", "number", "boolean"]})
    def _func_to_string(self, value: Json) -> str:
        """As in JMESPath, but not of null, lists and objects: their text would hide what is missing or redacted inside."""
        return value if isinstance(value, str) else json.dumps(value)

    @signature({"types": []})
    def _func_to_number(self, value: Json) -> Json:
        """As in JMESPath, but only for texts that are JSON numbers: no `1_000`, `nan` or `Infinity`."""
        if isinstance(value, str):
            if not _NUMBER.fullmatch(value):
                return None
            number = float(value) if any(mark in value for mark in ".eE") else int(value)
            return number if math.isfinite(number) else None
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _parts(version: str | None) -> list[int] | None:
    if version is None or not _VERSION.fullmatch(version):
        return None
    return [int(part) for part in version.split(".")]
