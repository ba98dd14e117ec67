"""Policies as SARIF's rules, within the limits of the readers that limit them."""

from __future__ import annotations

import re
from typing import Final

from reporters.sanitise import clean, json_sorted, one_line
from scanner.model import Json, PolicyResult, Severity

_TEXT = 1024
"""The longest rule text that GitHub takes (docs.github.com, "SARIF support for code scanning")."""
_TAGS = 10
LEVELS: Final = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.INFO: "note",
}
_SCORES: Final = {Severity.CRITICAL: "9.5", Severity.HIGH: "8.0", Severity.MEDIUM: "5.5", Severity.LOW: "2.0"}
"""`security-severity`: strings inside GitHub's bands; info has none, since zero is no score there."""
_PAGE = re.compile(r"https://[A-Za-z0-9.-]+(/([A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?(#[A-Za-z0-9._~-]*)?")
"""References that every reader takes for a URI; one that is none would have the whole file refused."""


def rule(policy: PolicyResult) -> dict[str, Json]:
    """One policy; those that were not asked are rules too."""
    info = policy.info
    tags = [one_line(tag, 100) for tag in ("security", "azure", info.pack, *info.tags)]
    properties: dict[str, Json] = {
        "tags": list(dict.fromkeys(tags))[:_TAGS],
        "precision": "very-high",
        "problem.severity": {"note": "recommendation"}.get(LEVELS[info.severity], LEVELS[info.severity]),
        "severity": info.severity.word,
        "outcome": policy.outcome,
        "explains": info.explains,
        "params": json_sorted(info.params),
    }
    if info.severity in _SCORES:
        properties["security-severity"] = _SCORES[info.severity]
    if policy.waits_for:
        properties["waitsFor"] = policy.waits_for
    told: dict[str, Json] = {
        "id": info.id,
        "name": one_line("".join(word.capitalize() for word in re.findall(r"\w+", clean(info.name))) or info.id, 255),
        "shortDescription": {"text": one_line(info.title, _TEXT) or info.id},
        "fullDescription": {"text": one_line(info.why, _TEXT) or info.id},
        "help": {"text": "\n".join(filter(None, (info.fix.strip(), *info.references))) or info.id},
        "defaultConfiguration": {"level": LEVELS[info.severity]},
        "properties": properties,
    }
    pages = [page for page in info.references if _PAGE.fullmatch(page)]
    return {**told, "helpUri": pages[0]} if pages else told
