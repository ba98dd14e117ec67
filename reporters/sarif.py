"""SARIF 2.1.0 (OASIS errata 01), in a profile for each kind of reader.

`full` has every verdict, for archives and viewers. `github` (code scanning) and `azdo` (Advanced Security for Azure DevOps)
have the failures that no waiver covers and nothing else, because those readers show every result as an open alert, passes
and suppressed ones too (microsoft/PSRule#955, github/codeql-action#1230), and at most as many as GitHub takes. A run that did
not see everything, or a file that does not hold all, says `executionSuccessful: false` in every profile: who closes alerts
that are missing from a file can tell.

The primary location is the policy file and the line of its `assert`, because readers refuse results without a physical file
(github/codeql-action#2459); the ARM resource is the logical location. Results are written one by one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

import orjson

from reporters.rows import rows
from reporters.sanitise import clean, json_safe, json_value
from reporters.sarif_results import result_of
from reporters.sarif_run import run_of
from reporters.view import UNASKED, Profile, Shown, View
from scanner.model import Finding, Json, ScanResult, Severity

_FAILS: Final = frozenset({Shown.FAIL})
_ALERTS = Profile(choices=_FAILS)
PROFILES: Final = {"full": Profile(), "github": _ALERTS, "azdo": _ALERTS}
LIMIT = 25_000
"""GitHub refuses a file with more results in a run (docs.github.com, "SARIF results exceed one or more limits")."""
_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def render(result: ScanResult, view: View = UNASKED) -> Iterator[bytes]:
    """Write one JSON document, a result a line."""
    profile = view.profile or next(iter(PROFILES))
    alerts = PROFILES[profile] is _ALERTS
    view = View(profile=profile, include=_FAILS if alerts else view.include)
    found = _found(result, view) if alerts else Counter[Severity]()
    room = _room(found)
    head = _encoded(run_of(result, view, left_out=found - room))[:-1]
    yield b'{"$schema":"' + _SCHEMA.encode() + b'","version":"2.1.0","runs":[' + head + b',"results":['
    separator = b"\n"
    policies = {policy.info.id: policy.info for policy in result.policies}
    for index, policy in enumerate(result.policies):
        for number, finding in rows(result, policy, view):
            if not alerts or _taken(finding, room):
                yield separator + _encoded(result_of(finding, number, policies, index=index, whole=not alerts))
                separator = b",\n"
    yield b"\n]}]}\n"


def _found(result: ScanResult, view: View) -> Counter[Severity]:
    """How many rows of each severity there are to write."""
    return Counter(finding.severity for policy in result.policies for _, finding in rows(result, policy, view))


def _room(found: Counter[Severity]) -> Counter[Severity]:
    """How many of them are written: the worst first, up to the limit."""
    room, left = Counter[Severity](), LIMIT
    for severity in sorted(found, reverse=True):
        room[severity] = min(left, found[severity])
        left -= room[severity]
    return room


def _taken(finding: Finding, room: Counter[Severity]) -> bool:
    room[finding.severity] -= 1
    return room[finding.severity] >= 0


def _encoded(document: dict[str, Json]) -> bytes:
    return json_safe(orjson.dumps(json_value(document, clean)))
