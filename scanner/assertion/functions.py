"""The functions that policies may use: those of JMESPath, made strict where they guess, and a closed list of our own.

To add one: a method `_func_<name>` with a signature and a docstring; there are at most ten of our own.
"""

from __future__ import annotations

import re

from jmespath.functions import Functions, signature

from scanner.model import Json

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_VERSION = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,18})*")


def same(left: Json, right: Json) -> bool:
    """JSON equality: unlike Python's, it keeps true and 1 apart at every depth."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(value, right[key]) for key, value in left.items())
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

    @signature({"types": ["array", "string"]}, {"types": []})
    def _func_contains(self, subject: list[Json] | str, search: Json) -> bool:
        """As in JMESPath, but a text can only contain a text, and a list never takes 1 for true."""
        if isinstance(subject, str):
            if not isinstance(search, str):
                raise TypeError("contains() looks for a text in a text")
            return search in subject
        return any(same(item, search) for item in subject)

    @signature({"types": []})
    def _func_to_number(self, value: Json) -> Json:
        """As in JMESPath, but only for texts that are JSON numbers: no `1_000`, `nan` or `Infinity`."""
        if isinstance(value, str):
            if not _NUMBER.fullmatch(value):
                return None
            return float(value) if any(mark in value for mark in ".eE") else int(value)
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _parts(version: str | None) -> list[int] | None:
    if version is None or not _VERSION.fullmatch(version):
        return None
    return [int(part) for part in version.split(".")]
