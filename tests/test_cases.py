"""Cases: what holds, what fails and how that is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from scanner.cli import main

PACK = """\
format: arguard-pack/1
requires_arguard: ">=0.1"
id: tiny
version: 1.0.0
title: A tiny pack
queries:
  vms: {file: vms.kql, key: [id], spans: subscription}
"""
KQL = """\
resources
| where type == 'microsoft.compute/virtualmachines'
| project id, name, size = tostring(properties.size)
"""
POLICY = """\
id: TNY101
name: vm-too-large
title: No VM is large
severity: high
query: vms
attach:
  locks: {from: arm_locks, covering: id}
assert: size != 'large' && length(locks) == `0`
message: "{name} has the size {size}."
why: One paragraph.
fix: Choose another size.
references: [https://example.com/]
"""
VM = "/subscriptions/s1/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines/{name}"
TYPE = "microsoft.compute/virtualmachines"


def vm(name: str, size: str, group: str = "rg") -> str:
    return f"      - {{id: {VM.format(group=group, name=name)}, type: {TYPE}, properties: {{size: {size}}}}}\n"


def case(rows: str, expect: str, more: str = "") -> str:
    return f"- case: a case\n  given:\n    collected_at: 2026-11-20T06:00:00Z\n{more}    resources:\n{rows}  expect: {expect}\n"


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    (tmp_path / "cases").mkdir()
    (tmp_path / "pack.yaml").write_text(PACK)
    (tmp_path / "vms.kql").write_text(KQL)
    (tmp_path / "TNY101-vm-too-large.yaml").write_text(POLICY)
    return tmp_path


def check(pack: Path, text: str, capfd: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """The exit code and output of `arguard test`, after the cases were written."""
    (pack / "cases" / "TNY101.yaml").write_text(text)
    code = main(["test", str(pack), "--policy", "TNY101"])
    printed = capfd.readouterr()
    assert "Traceback" not in printed.err
    return code, printed.out + printed.err


GOOD = case(vm("a", "small") + vm("b", "large") + vm("c", "null"), "{pass: [a], fail: [rg/b], unknown: [virtualMachines/C]}")


def test_a_case_that_holds(pack: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert check(pack, GOOD, capfd) == (0, "1 case of 1 policy: 1 hold, 0 fail, 0 untested\n")


def test_a_policy_whose_cases_never_pass_fail_or_stay_unknown_is_untested(
    pack: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (pack / "cases" / "TNY101.yaml").write_text(case(vm("a", "small"), "{pass: [a]}"))
    assert main(["test", str(pack)]) == 1
    assert "UNTESTED  TNY101: no case expects fail, unknown" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (case(vm("a", "large"), "{pass: [a]}"), "expected pass: a, but it is fail for /subscriptions/s1/"),
        (case(vm("a", "small"), "{fail: [a]}"), "expected fail: a, but it is pass for"),
        (case(vm("a", "null"), "{pass: [a]}"), "but it is unknown MISSING for"),
        (case(vm("a", "small") + vm("b", "small"), "{pass: [a]}"), "not expected: pass for /subscriptions/s1/"),
        (case(vm("a", "small"), "{pass: [a, b]}"), "expected pass: b, but the population holds no such row"),
        (case(vm("a", "small") + vm("a", "small", "rg2"), "{pass: [a]}"), "expected pass: a, but 2 rows have that name"),
        (case(vm("a", "small"), '{pass: [[a, "disk:0"]]}'), "expected pass: [a, disk:0], but the population holds no"),
        (
            case(vm("a", "small"), "{unknown: [a]}", '    arm_locks:\n      - {id: "", name: x}\n'),
            "gap BAD_ANSWER in arm_locks",
        ),
    ],
)
def test_a_case_that_fails_says_how(text: str, words: str, pack: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, printed = check(pack, text, capfd)
    assert code == 1
    assert "FAIL  TNY101  a case  (" in printed
    assert words in printed, printed


def test_a_silent_side_table_is_a_gap_that_the_case_asked_for(pack: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = case(vm("a", "small"), "{unknown: [a]}", "    unanswered: {arm_locks: [S1]}\n")
    assert check(pack, text, capfd)[0] == 0


def test_a_silent_table_is_a_gap_that_the_case_asked_for(pack: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = case(vm("a", "small"), "{unknown: [a]}", "    unanswered: {resources: [s1]}\n")
    assert check(pack, text, capfd)[0] == 0


def test_a_policy_that_waits_for_something_cannot_be_tested_so(pack: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (pack / "TNY101-vm-too-large.yaml").write_text(POLICY + "needs: [evidence]\n")
    code, printed = check(pack, GOOD, capfd)
    assert code == 1
    assert "the policy was not asked: it waits for evidence" in printed


def test_a_query_that_cannot_run_fails_its_case(pack: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (pack / "vms.kql").write_text(KQL.replace("size = tostring(properties.size)", "size = tostring(row_number())"))
    code, printed = check(pack, GOOD, capfd)
    assert code == 1
    assert "gap UNSUPPORTED in vms" in printed, printed


def test_a_bug_is_not_an_unmet_expectation(
    pack: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def bug(*_arguments: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("scanner.scan.evaluate", bug)
    code, printed = check(pack, GOOD, capfd)
    assert code == 1
    assert "arguard itself failed" in printed


def test_an_unknown_policy_is_named(pack: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (pack / "cases" / "TNY101.yaml").write_text(GOOD)
    assert main(["test", str(pack), "--policy", "TNY999"]) == 2
    assert "--policy TNY999" in capfd.readouterr().err


def test_a_policy_may_say_why_a_verdict_cannot_be(pack: Path, capfd: pytest.CaptureFixture[str]) -> None:
    policy = next(pack.glob("TNY101-*.yaml"))
    policy.write_text(policy.read_text() + "no_case: {fail: it is always so, unknown: nothing is missing}\n")
    (pack / "cases" / "TNY101.yaml").write_text(case(vm("a", "small"), "{pass: [a]}"))
    assert main(["test", str(pack), "--policy", "TNY101"]) == 0
    assert "0 untested" in capfd.readouterr().out
