from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from examples import contoso_arm, contoso_backup, contoso_compute, contoso_containers
from examples import contoso_story as story
from tests import oracle_contoso
from tests.contoso_rows import (
    DR,
    FOLDER,
    ORACLE,
    PROD,
    ROOT,
    SHARED,
    STORY,
    TRUTH,
    VM,
    extension,
    machine,
    manifest,
    notable,
    truth,
    view,
)


@pytest.mark.parametrize("policy", ORACLE)
@pytest.mark.parametrize("profile", ["current", "article"])
def test_the_oracle_agrees_with_the_hand_written_truth(profile: str, policy: str) -> None:
    judged = [row for row in oracle_contoso.judge(profile) if row.policy == policy]
    wanted = truth(profile, policy)
    counts = Counter(row.verdict for row in judged)
    assert {word: counts[word] for word in ("pass", "not_applicable")} == {
        word: wanted[word] for word in ("pass", "not_applicable")
    }
    notable = [
        (row.sub, row.resource, row.verdict, row.severity, row.detail) for row in judged if row.verdict in {"fail", "unknown"}
    ]
    assert sorted(notable) == sorted(tuple(entry) for entry in wanted["is"])


def test_the_truth_names_every_policy_and_the_article_changes_disk_sizes_only() -> None:
    shipped = {file.name.partition("-")[0] for file in (ROOT / "policies" / "azure-backup").glob("ABK*.yaml")}
    assert {*TRUTH["current"], *TRUTH["selected"], *TRUTH["evidence"]} == shipped
    assert list(TRUTH["article"]) == ["ABK501"]


def test_no_row_is_judged_twice() -> None:
    identities = Counter(
        (row.policy, row.sub, row.resource, "" if row.policy == "ABK101" else row.detail)
        for row in oracle_contoso.judge("current")
    )
    assert max(identities.values()) == 1


def test_most_of_the_estate_is_healthy() -> None:
    counts = Counter(row.verdict for row in oracle_contoso.judge("current"))
    assert 15 <= counts["fail"] <= 25
    assert counts["unknown"] < 15
    assert counts["pass"] > 10 * (counts["fail"] + counts["unknown"])


@pytest.mark.parametrize("profile", ["current", "article"])
def test_the_dr_site_is_healthy_for_disk_sizes(profile: str) -> None:
    verdicts = {row.verdict for row in oracle_contoso.judge(profile) if (row.policy, row.sub) == ("ABK501", "dr")}
    assert verdicts == {"pass"}


def test_the_refused_lock_call_is_the_only_gap_and_hides_restore_point_groups() -> None:
    gaps = {
        (name, gap["subscription"], gap["reason"], gap["text"])
        for name, entry in manifest()["tables"].items()
        for gap in entry["gaps"]
    }
    assert gaps == {("arm_locks", DR, "DENIED", "403 AuthorizationFailed")}
    assert {policy: wanted["gaps"] for policy, wanted in TRUTH["current"].items() if wanted["gaps"]} == {
        "ABK101": {"dr": "DENIED"},
        "ABK102": {"dr": "DENIED"},
        "ABK103": {"dr": "DENIED"},
    }
    assert [entry[1] for entry in truth("current", "ABK101")["is"] if entry[0] == "dr"] == [
        "azurebackuprg_northeurope_1",
        "rg-dr-restore",
    ]


def test_every_exception_is_about_a_machine_that_exists() -> None:
    assert set(story.EXCEPTIONS) <= {(vm.sub, vm.group, vm.name) for vm in story.machines()}


@pytest.mark.parametrize(
    "path", sorted([*(ROOT / "examples").glob("*contoso*.py"), ROOT / "tests" / "oracle_contoso.py"]), ids=str
)
def test_neither_story_nor_oracle_reads_the_program_it_judges(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    modules = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    modules += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    outside = {name.partition(".")[0] for name in modules} - sys.stdlib_module_names
    assert outside == ({"examples"} if "examples" in outside else set())


def test_the_oracle_does_not_read_the_generator() -> None:
    text = (ROOT / "tests" / "oracle_contoso.py").read_text(encoding="utf-8")
    assert not re.search(r"build_contoso|contoso_(arm|backup|compute|containers|spelling)|ndjson", text)


# The planted secrets and the story.


@pytest.mark.parametrize(
    ("number", "place"),
    [
        (1, lambda: machine(PROD, "rg-tills", "till-gw-05")["properties"]["osProfile"]["customData"]),
        (2, lambda: extension(SHARED, "build-02", "CustomScript")["properties"]["settings"]["commandToExecute"]),
        (3, lambda: extension(SHARED, "build-02", "CustomScript")["properties"]["settings"]["fileUris"][0]),
        (4, lambda: extension(PROD, "sql-01", "SqlIaasExtension")["properties"]["settings"]["connectionString"]),
        (
            5,
            lambda: next(e for e in view(SHARED, "rg-devops", "build-02")["extensions"] if e["name"] == "CustomScript")[
                "statuses"
            ][0]["message"],
        ),
        (6, lambda: machine(PROD, "rg-warehouse", "wms-db-01")["tags"]["adminPassword"]),
    ],
)
def test_each_fake_secret_is_planted_once(number: int, place: Any) -> None:
    secret = f"CONTOSO-PLANTED-SECRET-{number}"
    assert secret in place()
    assert sum((FOLDER / f"{name}.ndjson").read_text(encoding="utf-8").count(secret) for name in manifest()["tables"]) == 1
    assert f"`{secret}`" in STORY


@pytest.mark.parametrize("entry", sorted(notable()))
def test_the_story_tells_every_finding(entry: tuple[str, ...]) -> None:
    policy, sub, resource, verdict, severity, _ = entry
    said = f"{verdict}, {severity}" if verdict == "fail" else verdict
    [line] = [line for line in STORY.splitlines() if line.startswith(f"| {policy} | {sub} | `{resource}` |")]
    assert f"| {said}" in line


def test_the_story_tells_no_finding_that_is_not_there() -> None:
    told = re.findall(r"^\| (ABK\d+) \| (\w+) \| `([^`]+)` \|", STORY, re.MULTILINE)
    real = {entry[:3] for entry in notable()}
    assert len(told) == len(set(told))
    assert set(told) == real


def test_the_story_names_every_exception_orphan_lock_and_loose_disk() -> None:
    quiet = {"wms-db-02", "dc-03"}  # odd spellings of healthy states
    names = (
        {name for _, _, name in story.EXCEPTIONS}
        | {name for _, _, name, _ in story.ORPHANS}
        | {lock[2] for lock in story.LOCKS}
    )
    names |= {name for _, _, name, _ in story.LOOSE_DISKS}
    assert [name for name in sorted(names - quiet) if name not in STORY] == []


def test_the_story_says_that_it_is_one() -> None:
    assert "does not exist" in STORY
    assert "constructed" in STORY


def test_the_generated_tables_come_from_the_story_alone() -> None:
    counts = {name: entry["rows"] for name, entry in manifest()["tables"].items()}
    assert counts["arm_locks"] == len(list(contoso_arm.locks())) == len(story.LOCKS)
    assert counts["arm_vm_status"] == len([vm for vm in story.machines() if vm.listed])
    assert counts["resourcecontainers"] == len(list(contoso_containers.rows()))
    assert counts["recoveryservicesresources"] == len(list(contoso_backup.recovery_rows()))
    vms = [row for row in contoso_compute.rows() if row["type"] == VM]
    assert len(vms) == len(story.machines())
