"""Every profile of the SARIF reporter before Microsoft's validator with GitHub's rules, which must be able to see mistakes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from reporters import sarif
from reporters.view import View
from scanner.cli import main
from scanner.model import ScanResult
from tests import multitool
from tests.multitool import UNREAD, Multitool
from tests.reporters.sarif_checks import problems, schema_errors
from tests.reporters.test_sarif_checks import MISTAKES, Mistake, altered, good

pytestmark = pytest.mark.full
CONTOSO = Path(__file__).resolve().parents[2] / "examples" / "contoso"
SILENT = ["level-critical", "guid-xyz", "only-logical"]
"""Mistakes that keep the validator from reading the file."""
SCANS = ["canonical", "demo", "empty", "not-asked", "interrupted", "bug", "nothing", "inapplicable", "healthy", "allowed"]
NOTICED = [one for one in MISTAKES if "multitool" in one.noticed]
FILES = [f"{scan}.{profile}" for profile in sarif.PROFILES for scan in SCANS]
Found = Mapping[str, list[str]]


@pytest.fixture(scope="module")
def validator(tmp_path_factory: pytest.TempPathFactory) -> Multitool:
    return multitool.installed(tmp_path_factory.mktemp("validator"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, canonical_scan: ScanResult, odd: Mapping[str, ScanResult]) -> Path:
    """Each scan in each profile."""
    home = tmp_path_factory.mktemp("reports")
    for profile in sarif.PROFILES:
        for name, scan in {"canonical": canonical_scan, **odd}.items():
            if name in SCANS:
                (home / f"{name}.{profile}.sarif").write_bytes(b"".join(sarif.render(scan, View(profile=profile))))
    outputs = [f"-o sarif:{profile}={home}/demo.{profile}.sarif" for profile in sarif.PROFILES]
    assert main(["scan", "--snapshot", str(CONTOSO), "--as-of", "snapshot", "-q", *" ".join(outputs).split()]) == 1
    return home


@pytest.fixture(scope="module")
def told(validator: Multitool, folder: Path) -> Found:
    files = sorted(folder.glob("*.sarif"))
    return {file.stem: found for file, found in validator.problems(files).items()}


@pytest.fixture(scope="module")
def seen(validator: Multitool, tmp_path_factory: pytest.TempPathFactory, canonical_scan: ScanResult) -> Found:
    """What the validator says of a good document and of each mistake in it that it can notice."""
    home = tmp_path_factory.mktemp("mistakes")
    document = good(canonical_scan)
    documents = {"good": document} | {one.name: altered(document, one) for one in NOTICED}
    for name, one in documents.items():
        (home / f"{name}.sarif").write_text(json.dumps(one))
    (home / "broken.sarif").write_text('{"version": "2.1.0"')
    unread = {home / f"{name}.sarif" for name in SILENT}
    found = validator.problems(sorted({*home.glob("*.sarif")} - unread))
    for file in sorted(unread):
        found |= validator.problems([file])
    return {file.stem: told for file, told in found.items()}


@pytest.mark.parametrize("file", FILES)
def test_the_validator_reads_each_file_and_finds_nothing(file: str, told: Found) -> None:
    assert told[file] == []


@pytest.mark.parametrize("file", FILES)
def test_the_schema_and_our_own_checks_find_nothing(file: str, folder: Path) -> None:
    document = json.loads((folder / f"{file}.sarif").read_bytes())
    assert schema_errors(document) == []
    assert [found for run in document["runs"] for found in problems(run, file.rpartition(".")[2])] == []


def test_the_demo_is_worth_looking_at(folder: Path) -> None:
    for profile, able in sarif.PROFILES.items():
        (run,) = json.loads((folder / f"demo.{profile}.sarif").read_bytes())["runs"]
        assert len(run["results"]) > (1000 if len(able.choices) > 1 else 30)


def test_the_validator_finds_nothing_in_the_good_document(seen: Found) -> None:
    assert seen["good"] == []


@pytest.mark.parametrize("mistake", NOTICED, ids=lambda one: one.name)
def test_the_validator_notices_what_it_is_said_to_notice(mistake: Mistake, seen: Found) -> None:
    assert seen[mistake.name]


@pytest.mark.parametrize(
    ("mistake", "rules"),
    [
        ("no-locations", {"GH1001", "GH1015"}),
        ("arm-id", {"GH1003", "SARIF1004"}),
        ("portal", {"GH1005"}),
        ("message-id", {"GH1007"}),
        ("rule-index-beyond", {"SARIF1009"}),
        ("blank-in-uri", {"SARIF1002"}),
        ("broken", {"JSON0001"}),
    ],
)
def test_the_rules_that_are_off_by_default_are_on(mistake: str, rules: set[str], seen: Found) -> None:
    assert rules <= {one.partition(":")[0] for one in seen[mistake]}


@pytest.mark.parametrize("mistake", SILENT)
def test_where_the_validator_is_silent_the_file_counts_as_unread(mistake: str, seen: Found) -> None:
    assert seen[mistake] == [UNREAD]


def test_advanced_security_lacks_nothing_inside_a_pipeline(validator: Multitool, folder: Path) -> None:
    """Outside of one there is no build to name."""
    files = [folder / "canonical.azdo.sarif", folder / "demo.azdo.sarif"]
    inside, outside = validator.problems(files, kinds="Sarif;Ghas;GHAzDO").values()
    assert inside == []
    assert {one.partition(":")[0] for one in outside} == {"GHAzDO1014", "GHAzDO1019"}


def test_a_file_above_the_limit_counts_as_unread(validator: Multitool, folder: Path) -> None:
    files = [folder / "canonical.full.sarif", folder / "empty.full.sarif"]
    large, small = validator.problems(files, most_kib=8).values()
    assert (large, small) == ([UNREAD], [])
