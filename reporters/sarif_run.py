"""What a SARIF file says of the run: the tool, the estate, and all that was not seen."""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from reporters import wording
from reporters.sanitise import json_sorted
from reporters.sarif_results import ROOT, plain
from reporters.sarif_rules import rule
from reporters.view import Shown, View
from scanner.model import Gap, Json, PolicyResult, ScanResult, Severity

_BUILD = "azuredevops/pipeline/build/"
_NAMES: Final = {
    "buildDefinitionId": "definition_id",
    "buildDefinitionName": "definition_name",
    "phaseId": "phase_id",
    "phaseName": "phase_name",
}
_PATH: Final = ("organization", "project", "definition_id", "phase_id", "branch", "build_id")
"""What Azure DevOps reads of a pipeline, by name and from the id (microsoft/sarif-sdk, GHAzDO1019 and GHAzDO1020)."""
_ESTATE = uuid.uuid5(uuid.NAMESPACE_URL, "arguard/estate/v1")


def run_of(result: ScanResult, view: View, *, left_out: Counter[Severity]) -> dict[str, Json]:
    """A run without its results; `left_out` counts those that the file has no room for."""
    info = result.info
    return {
        "tool": {"driver": _driver(result)},
        "automationDetails": _automation(result, view),
        "originalUriBaseIds": {ROOT: {"description": {"text": "The folder that holds the policy packs."}}},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(result, left_out)],
        "properties": {
            "profile": view.profile,
            "shown": sorted(view.include or Shown),
            "exitCode": result.decision.exit_code,
            "complete": result.decision.complete,
            "reasons": result.decision.reasons,
            "asOf": f"{_utc(info.as_of).isoformat(timespec='seconds')}Z",
            "asOfKind": info.options.as_of,
            "source": info.source,
            "scope": {"kind": info.scope.kind, "expected": info.scope.expected},
            "failOn": info.options.fail_on.word if info.options.fail_on else "never",
            "digests": json_sorted(info.digests),
            "commit": info.commit,
            "ciRun": info.ci_run,
        },
    }


def _driver(result: ScanResult) -> dict[str, Json]:
    return {
        "name": "arguard",
        "fullName": result.info.tool,
        "version": result.info.tool.rpartition(" ")[2],
        "informationUri": wording.HOME,
        "rules": [rule(policy) for policy in result.policies],
    }


def _automation(result: ScanResult, view: View) -> dict[str, Json]:
    """What a later upload replaces: GitHub reads the category in front of the last slash, Azure DevOps the pipeline.

    Azure DevOps refuses ids of any other form, so that outside a pipeline there is none; the correlation guid stays.
    """
    estate = _estate(result)
    same = {"correlationGuid": str(uuid.uuid5(_ESTATE, estate))}
    if view.profile != "azdo":
        return {"id": f"arguard/{estate[:16]}/", **same}
    told = result.info.pipeline
    if not all(told.get(name) for name in (*_PATH, *_NAMES.values())):
        return same
    properties = {f"{_BUILD}{name}": told[key] for name, key in _NAMES.items()}
    return {"id": _BUILD + "/".join(told[name] for name in _PATH), **same, "properties": properties}


def _estate(result: ScanResult) -> str:
    """What keeps two scans of different things apart: the scope and the policies that were asked, in hex digits."""
    scope = result.info.scope
    where = scope.management_groups or scope.expected
    asked = (policy.info.id for policy in result.policies if policy.asked)
    told = "\x1f".join(["arguard/v1", scope.kind, *where, "", *asked])
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()


def _invocation(result: ScanResult, left_out: Counter[Severity]) -> dict[str, Json]:
    time = f"{_utc(result.info.run_time).isoformat(timespec='milliseconds')}Z"
    return {
        "executionSuccessful": result.decision.complete and not left_out,
        "exitCode": result.decision.exit_code,
        "startTimeUtc": time,
        "endTimeUtc": time,
        "toolExecutionNotifications": list(_notifications(result, left_out)),
    }


def _notifications(result: ScanResult, left_out: Counter[Severity]) -> Iterator[dict[str, Json]]:
    """Why the run is incomplete, what the file does not hold, then by policy what was not seen and not decided.

    What cannot change the decision is a note: a consumer that closes alerts still has to know of it.
    """
    if not result.decision.complete:
        reasons = "; ".join(result.decision.reasons) or "no reason was recorded"
        yield _notification("INCOMPLETE", f"Not complete: {reasons}")
    if left_out:
        told = ", ".join(f"{left_out[severity]:,} {severity.word}" for severity in sorted(left_out, reverse=True))
        yield _notification("LEFT_OUT", f"More failures than this file may hold; left out, the mildest first: {told}")
    for index, policy in enumerate(result.policies):
        about = {"associatedRule": {"id": policy.info.id, "index": index}}
        for gap in policy.gaps:
            yield {**_missing(policy, gap), **about}
        if policy.counts.unknown:
            yield {**_undecided(policy), **about}


def _missing(policy: PolicyResult, gap: Gap) -> dict[str, Json]:
    return _notification(gap.reason, f"{policy.info.id}: {wording.gap(gap)}", counts=gap.counts)


def _undecided(policy: PolicyResult) -> dict[str, Json]:
    counts = policy.counts
    told = f"rows not decided: {counts.unknown:,}, of which could hide a blocking finding: {counts.hiding:,}"
    return _notification("UNDECIDED", f"{policy.info.id}: {told}", counts=counts.hiding > 0)


def _notification(name: str, text: str, *, counts: bool = True) -> dict[str, Json]:
    return {"descriptor": {"id": name}, "level": "error" if counts else "note", "message": {"text": plain(text)}}


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
