"""When and where a scan runs, as the clock and the environment tell it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from scanner.model import Identity, Options

_EPOCH = re.compile(r"[0-9]{1,11}")
_HOME = re.compile(r"https://(?:dev\.azure\.com/([^/]+)|([^/.]+)\.visualstudio\.com)/?")
"""The address of an organisation of Azure DevOps, in its two forms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """When and where a scan runs: `now` is judged by, `printed` only shown.

    `source` and `identity` tell of a live scan; `kept` is false where its snapshot is thrown away.
    """

    now: datetime
    printed: datetime
    commit: str = ""
    ci_run: str = ""
    pipeline: Mapping[str, str] = field(default_factory=dict)
    source: str = "snapshot"
    identity: Identity | None = None
    kept: bool = True


def occasion_of(options: Options, now: datetime) -> Occasion:
    """The run as the environment tells it. As of the snapshot nothing of it is told, so that reports are reproducible."""
    if options.as_of == "snapshot":
        return Occasion(now=now, printed=now)
    read = os.environ.get
    commit = read("GITHUB_SHA") or read("BUILD_SOURCEVERSION") or read("CI_COMMIT_SHA") or ""
    ci_run = read("BUILD_BUILDURI") or read("CI_PIPELINE_URL") or ""
    if read("GITHUB_RUN_ID"):
        ci_run = f"{read('GITHUB_SERVER_URL')}/{read('GITHUB_REPOSITORY')}/actions/runs/{read('GITHUB_RUN_ID')}"
    return Occasion(
        now=now, printed=_printed(now), commit=commit, ci_run=ci_run, pipeline=_pipeline() if read("TF_BUILD") else {}
    )


def _pipeline() -> dict[str, str]:
    """The pipeline of Azure DevOps that this is, as far as its agent tells.

    Names: learn.microsoft.com/azure/devops/pipelines/build/variables, microsoft/sarif-sdk `AdoPipelineContext.cs`.
    """
    read = os.environ.get
    home = _HOME.fullmatch(read("SYSTEM_COLLECTIONURI", ""))
    told = {
        "organization": home[1] or home[2] if home else "",
        "project": read("SYSTEM_TEAMPROJECTID"),
        "definition_id": read("SYSTEM_DEFINITIONID"),
        "definition_name": read("BUILD_DEFINITIONNAME"),
        "phase_id": read("SYSTEM_PHASEID") or read("SYSTEM_JOBID"),
        "phase_name": read("SYSTEM_PHASENAME") or read("SYSTEM_JOBNAME"),
        "branch": read("BUILD_SOURCEBRANCH"),
        "build_id": read("BUILD_BUILDID"),
    }
    return {name: text for name, text in told.items() if text}


def _printed(now: datetime) -> datetime:
    """The time that reports print; SOURCE_DATE_EPOCH replaces it, ages are still judged by the clock."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    return datetime.fromtimestamp(int(epoch), UTC) if _EPOCH.fullmatch(epoch) else now
