"""What the environment tells of a run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from scanner.cli.occasion import occasion_of
from scanner.model import Options

NOW = datetime(2026, 11, 20, 6, tzinfo=UTC)
PIPELINE = {
    "TF_BUILD": "True",
    "SYSTEM_COLLECTIONURI": "https://dev.azure.com/contoso/",
    "SYSTEM_TEAMPROJECTID": "11111111-1111-1111-1111-111111111111",
    "SYSTEM_DEFINITIONID": "42",
    "BUILD_DEFINITIONNAME": "Nightly",
    "SYSTEM_PHASEID": "22222222-2222-2222-2222-222222222222",
    "SYSTEM_PHASENAME": "Judge",
    "BUILD_SOURCEBRANCH": "refs/heads/main",
    "BUILD_BUILDID": "98765",
    "BUILD_BUILDURI": "vstfs:///Build/Build/98765",
    "BUILD_SOURCEVERSION": "abc",
}
GITHUB = {
    "GITHUB_SHA": "def",
    "GITHUB_RUN_ID": "7",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "contoso/policies",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in {*PIPELINE, *GITHUB, "CI_COMMIT_SHA", "CI_PIPELINE_URL", "SYSTEM_JOBID", "SYSTEM_JOBNAME"}:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def given(environment: pytest.MonkeyPatch, variables: Mapping[str, str]) -> None:
    for name, value in variables.items():
        environment.setenv(name, value)


def test_a_pipeline_of_azure_devops_is_told(environment: pytest.MonkeyPatch) -> None:
    given(environment, PIPELINE)
    occasion = occasion_of(Options(), NOW)
    assert (occasion.commit, occasion.ci_run) == ("abc", "vstfs:///Build/Build/98765")
    assert occasion.pipeline == {
        "organization": "contoso",
        "project": "11111111-1111-1111-1111-111111111111",
        "definition_id": "42",
        "definition_name": "Nightly",
        "phase_id": "22222222-2222-2222-2222-222222222222",
        "phase_name": "Judge",
        "branch": "refs/heads/main",
        "build_id": "98765",
    }


@pytest.mark.parametrize(
    ("address", "organization"),
    [
        ("https://contoso.visualstudio.com/", "contoso"),
        ("https://dev.azure.com/contoso", "contoso"),
        ("https://tfs.contoso.com/DefaultCollection/", None),
        ("https://dev.azure.com/contoso/x/", None),
    ],
)
def test_both_forms_of_an_organisation_are_known(
    address: str, organization: str | None, environment: pytest.MonkeyPatch
) -> None:
    given(environment, {**PIPELINE, "SYSTEM_COLLECTIONURI": address})
    assert occasion_of(Options(), NOW).pipeline.get("organization") == organization


def test_without_an_agent_the_variables_mean_nothing(environment: pytest.MonkeyPatch) -> None:
    given(environment, {**PIPELINE, "TF_BUILD": ""})
    assert occasion_of(Options(), NOW).pipeline == {}


def test_a_run_of_github_actions_is_told(environment: pytest.MonkeyPatch) -> None:
    given(environment, GITHUB)
    occasion = occasion_of(Options(), NOW)
    assert occasion.commit == "def"
    assert occasion.ci_run == "https://github.com/contoso/policies/actions/runs/7"


def test_as_of_the_snapshot_nothing_of_the_run_is_told(environment: pytest.MonkeyPatch) -> None:
    given(environment, {**PIPELINE, **GITHUB})
    occasion = occasion_of(Options(as_of="snapshot"), NOW)
    assert (occasion.commit, occasion.ci_run, occasion.pipeline) == ("", "", {})
