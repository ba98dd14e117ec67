"""The engine says of Contoso what was written by hand from its story, and what an independent oracle computes."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from lxml import etree

from scanner.cli import main
from tests.contoso_rows import ORACLE
from tests.oracle_contoso import judge

pytestmark = pytest.mark.usefixtures("remembering")
ROOT = Path(__file__).resolve().parent.parent
CONTOSO = ROOT / "examples" / "contoso"
TRUTH: dict[str, Any] = yaml.safe_load((ROOT / "tests" / "truth" / "contoso.yaml").read_text(encoding="utf-8"))
SUBSCRIPTIONS = {guid: name for name, guid in TRUTH["subscriptions"].items()}
PROFILES = ["current", "article"]
Row = tuple[str, str, str, str, str, str]


@pytest.fixture(scope="module", params=PROFILES)
def profile(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def reports(profile: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(profile)
    outputs = [f"native={folder / 'r'}", f"junit={folder / 'j'}", f"sarif={folder / 's'}"]
    arguments = [part for output in outputs for part in ("-o", output)]
    assert main(["scan", "--snapshot", str(CONTOSO), "--as-of", "snapshot", "--profile", profile, "-q", *arguments]) == 1
    return folder


@pytest.fixture(scope="module")
def lines(reports: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (reports / "r").read_bytes().splitlines()]


def truth(profile: str) -> dict[str, Any]:
    return {**TRUTH["current"], **(TRUTH["article"] if profile == "article" else {})}


def row(verdict: dict[str, Any]) -> Row:
    """A verdict line as the truth writes it."""
    display = verdict["display"]
    group, name = display["resource_group"].lower(), display["name"].lower()
    place = name if verdict["policy"] in {"ABK101", "ABK107"} else f"{group}/{name}"
    detail = (verdict["cause"] or "").lower() if verdict["policy"] == "ABK101" else verdict["subject"]
    return verdict["policy"], SUBSCRIPTIONS[display["subscription"]], place, detail, verdict["verdict"], verdict["severity"]


def check(lines: list[dict[str, Any]], told: dict[str, Any]) -> None:
    """The result holds what the truth tells of its policies: each verdict but pass, the counts of the others, the gaps."""
    verdicts = [line for line in lines if line["kind"] == "verdict"]
    unseen = [
        line
        for line in verdicts
        if line["reason"] == "SIDE_DENIED"
        and SUBSCRIPTIONS[line["display"]["subscription"]] in told[line["policy"]].get("unseen", {})
    ]
    found = {row(line) for line in verdicts if line["verdict"] in {"fail", "unknown"} and line not in unseen}
    assert found == {
        (policy, sub, place, detail, verdict, severity)
        for policy, one in told.items()
        for sub, place, verdict, severity, detail in one["is"]
    }
    assert Counter((line["policy"], SUBSCRIPTIONS[line["display"]["subscription"]]) for line in unseen) == {
        (policy, sub): count for policy, one in told.items() for sub, count in one.get("unseen", {}).items()
    }
    counts = Counter((line["policy"], line["verdict"]) for line in verdicts)
    for policy, one in told.items():
        assert (policy, counts[policy, "pass"], counts[policy, "not_applicable"]) == (
            policy,
            one["pass"],
            one["not_applicable"],
        )
    gaps = {(line["policy"], SUBSCRIPTIONS[line["subscription"]], line["reason"]) for line in lines if line["kind"] == "gap"}
    assert gaps == {(policy, sub, why) for policy, one in told.items() for sub, why in one["gaps"].items()}


def test_the_result_is_the_hand_written_one(profile: str, lines: list[dict[str, Any]]) -> None:
    check(lines, truth(profile))


def test_the_policies_that_are_off_say_the_hand_written_things_when_selected(tmp_path: Path) -> None:
    selected = [part for policy in TRUTH["selected"] for part in ("--policy", policy)]
    selected += [part for name, value in TRUTH["parameters"].items() for part in ("--param", f"{name}={value}")]
    main(["scan", "--snapshot", str(CONTOSO), "--as-of", "snapshot", "-q", "-o", f"native={tmp_path / 'r'}", *selected])
    check([json.loads(line) for line in (tmp_path / "r").read_bytes().splitlines()], TRUTH["selected"])


def test_evidence_from_inside_the_machines_says_the_hand_written_things(tmp_path: Path) -> None:
    selected = [part for policy in TRUTH["evidence"] for part in ("--policy", policy)]
    selected += ["--evidence", str(CONTOSO.parent / "contoso-evidence"), "-o", f"native={tmp_path / 'r'}"]
    main(["scan", "--snapshot", str(CONTOSO), "--as-of", "snapshot", "-q", *selected])
    check([json.loads(line) for line in (tmp_path / "r").read_bytes().splitlines()], TRUTH["evidence"])


def test_the_oracle_agrees_row_for_row(profile: str, lines: list[dict[str, Any]]) -> None:
    def bare(found: Row) -> Row:
        """Without what only some verdicts carry: a cause, and the severity of what is no violation."""
        policy, sub, place, detail, verdict, severity = found
        loud = verdict == "fail"
        return policy, sub, place, detail if loud or policy != "ABK101" else "", verdict, severity if loud else ""

    engine = Counter(bare(row(line)) for line in lines if line["kind"] == "verdict" and line["policy"] in ORACLE)
    oracle = Counter(
        bare((one.policy, one.sub, one.resource, one.detail, str(one.verdict), str(one.severity))) for one in judge(profile)
    )
    assert engine == oracle


def test_junit_and_sarif_say_the_same_as_native(reports: Path, lines: list[dict[str, Any]]) -> None:
    verdicts = Counter(line["verdict"] for line in lines if line["kind"] == "verdict")
    gaps = sum(line["kind"] == "gap" for line in lines)
    junit = etree.parse(str(reports / "j")).getroot()
    assert len(junit.findall(".//failure")) == verdicts["fail"]
    assert len(junit.findall(".//error")) == verdicts["unknown"] + gaps
    results = json.loads((reports / "s").read_bytes())["runs"][0]["results"]
    kinds = Counter(result["kind"] for result in results)
    expected = {
        "pass": verdicts["pass"],
        "fail": verdicts["fail"],
        "open": verdicts["unknown"],
        "notApplicable": verdicts["not_applicable"],
    }
    assert {kind: kinds[kind] for kind in expected} == expected
    fingerprints = {line["fingerprint"] for line in lines if line["kind"] == "verdict" and line["verdict"] == "fail"}
    assert fingerprints == {
        result["partialFingerprints"]["arguardFinding/v1"] for result in results if result["kind"] == "fail"
    }


def test_real_validators_accept_the_real_reports(reports: Path) -> None:
    schemas = ROOT / "tests" / "reporters" / "schemas"
    junit = etree.XMLSchema(etree.parse(str(schemas / "junit-10.xsd")))
    junit.assertValid(etree.parse(str(reports / "j")))
    sarif = jsonschema_rs.validator_for(json.loads((schemas / "sarif-2.1.0.json").read_bytes()))
    sarif.validate(json.loads((reports / "s").read_bytes()))


def test_no_planted_secret_reaches_a_report(reports: Path) -> None:
    planted = [b"CONTOSO-PLANTED-SECRET", b"sig="]
    assert any(planted[0] in file.read_bytes() for file in CONTOSO.glob("*.ndjson"))
    for file in reports.iterdir():
        assert not [secret for secret in planted if secret in file.read_bytes()]
