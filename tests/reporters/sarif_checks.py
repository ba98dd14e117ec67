"""Checks of a SARIF document: the OASIS schema, and what no validator looks at although readers rely on it.

Where each limit comes from: docs.github.com, "SARIF support for code scanning"; SARIF 2.1.0, 3.27.9 and 3.27.10 (kind and
level); DefectDojo/django-DefectDojo, dojo/tools/sarif/parser.py (names of fingerprints).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import jsonschema_rs

Run = Mapping[str, Any]

SCHEMA = jsonschema_rs.validator_for(json.loads((Path(__file__).parent / "schemas" / "sarif-2.1.0.json").read_text()))
OPEN_ONLY = {"github", "azdo"}
"""Profiles whose reader takes every result for an open alert: nothing but open failures may be in them."""
MOST_RESULTS = 25_000
"""More results in a run, and GitHub refuses the file."""
_SIGN = r"[A-Za-z0-9._~!$&'()*+,;=@-]|%[0-9A-F]{2}"
_URI = re.compile(rf"({_SIGN})*(/({_SIGN}|:)*)*")
"""A relative reference that is a path without a scheme and without a root (RFC 3986, path-noscheme)."""
_FINGERPRINT = re.compile(r"[^/]+(/v\d+)?")


def schema_errors(document: object) -> list[str]:
    """What the OASIS schema says against a document."""
    return [error.message for error in SCHEMA.iter_errors(document)]


def problems(run: Run, profile: str = "full") -> list[str]:
    """What is wrong with one run of a profile, though the schema takes it."""
    rules, results = run["tool"]["driver"]["rules"], run["results"]
    return list(
        chain(
            *(_rule(rule) for rule in rules),
            *(_result(result, rules) for result in results),
            _repeated("rule ids", [rule["id"] for rule in rules]),
            _repeated("guids", [result["guid"] for result in results if "guid" in result]),
            _repeated("hashes", [_hash(result) for result in results]),
            _open_only(results) if profile in OPEN_ONLY else (),
        )
    )


def _repeated(what: str, values: Sequence[str]) -> Iterator[str]:
    if max(Counter(values).values(), default=1) > 1:
        yield what


def _hash(result: Run) -> str:
    return str(result.get("partialFingerprints", {}).get("primaryLocationLineHash", ""))


def _rule(rule: Run) -> Iterator[str]:
    properties = rule["properties"]
    score = properties.get("security-severity", "1.0")
    if not isinstance(score, str) or not 0 < float(score) <= 10:
        yield "security-severity"
    texts = [rule[key]["text"] for key in ("shortDescription", "fullDescription")]
    if not all(0 < len(text) <= 1024 for text in texts) or not 0 < len(rule["name"]) <= 255 or len(properties["tags"]) > 20:
        yield "lengths"
    if not rule["help"]["text"]:
        yield "no help"


def _result(result: Run, rules: Sequence[Run]) -> Iterator[str]:
    kind, level = result.get("kind", "fail"), result.get("level", "warning")
    if (kind == "fail") == (level == "none"):
        yield f"kind {kind} with level {level}"
    index = result.get("ruleIndex", -1)
    if not 0 <= index < len(rules) or rules[index]["id"] != result.get("ruleId"):
        yield "ruleIndex"
    if not result["message"].get("text"):
        yield "no text"
    if not _hash(result) or not all(map(_FINGERPRINT.fullmatch, result.get("partialFingerprints", {}))):
        yield "fingerprints"
    yield from _place(result)


def _place(result: Run) -> Iterator[str]:
    """Readers look at the first location only."""
    locations = result.get("locations")
    if not locations or "physicalLocation" not in locations[0]:
        yield "no physical location"
        return
    first = locations[0]["physicalLocation"]
    if not _URI.fullmatch(uri := first["artifactLocation"]["uri"]) or uri.startswith("/"):
        yield "uri is not relative"
    if first.get("region", {}).keys() < {"startLine", "startColumn", "endLine", "endColumn"}:
        yield "no region"


def _open_only(results: Sequence[Run]) -> Iterator[str]:
    if any(result.get("kind", "fail") != "fail" for result in results):
        yield "a result that is no failure"
    if any("suppressions" in result for result in results):
        yield "a waived result"
    if len(results) > MOST_RESULTS:
        yield "too many results"
