from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from reporters import console
from scanner.model import Finding, Gap, Identity, PolicyInfo, PolicyResult, Reason, ScanResult, Severity, Verdict, WaiverMark

Check = Callable[[str, bytes], None]
Build = Callable[..., ScanResult]


def text(result: ScanResult, *, width: int = 100, color: bool = False) -> str:
    return b"".join(console.render(result, color=color, width=width)).decode()


@pytest.fixture
def info(odd: Mapping[str, ScanResult]) -> PolicyInfo:
    return odd["healthy"].policies[0].info


@pytest.fixture
def row(odd: Mapping[str, ScanResult]) -> Finding:
    return next(odd["healthy"].findings.of("ABK101"))


@pytest.mark.parametrize("width", [80, 120])
def test_golden(width: int, canonical_scan: ScanResult, check_golden: Check) -> None:
    check_golden(f"canonical-{width}.txt", text(canonical_scan, width=width).encode())


def test_golden_in_colour(canonical_scan: ScanResult, check_golden: Check) -> None:
    check_golden("canonical-colour.txt", text(canonical_scan, color=True).encode())


def test_colour_adds_escapes_and_nothing_else(canonical_scan: ScanResult) -> None:
    coloured = text(canonical_scan, color=True)
    assert "\x1b[1;31mFAIL\x1b[0m" in coloured
    bare = "\n".join(line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", coloured).split("\n"))
    assert bare == text(canonical_scan)


def test_plain_has_no_escape_at_all(canonical_scan: ScanResult) -> None:
    assert "\x1b" not in text(canonical_scan)


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("empty", "INCOMPLETE  exit 3  nothing blocks, but something that counts was not seen or not decided"),
        ("not-asked", "INCOMPLETE  exit 3  nothing blocks, but something that counts was not seen or not decided"),
        ("incomplete", "INCOMPLETE  exit 3  nothing blocks, but something that counts was not seen or not decided"),
        ("interrupted", "INTERRUPTED  exit 130  the scan was interrupted; this report is partial"),
        ("bug", "BUG  exit 70  the scan did not end as it should; this report is partial"),
        ("nothing", "NOTHING TO JUDGE  exit 0  there was nothing to judge: every population is proven empty"),
        ("inapplicable", "PASS  exit 0  nothing blocks; of 1 row 1 not applicable"),
        ("healthy", "PASS  exit 0  nothing blocks; of 1 row 1 pass"),
    ],
)
def test_the_decision_is_the_first_and_the_last_line(name: str, first: str, odd: Mapping[str, ScanResult]) -> None:
    lines = text(odd[name]).split("\n")
    assert lines[0] == first
    assert lines[-2:] == [first, ""]
    assert lines[1].startswith("Complete: " if odd[name].decision.complete else "Not complete: ")


def test_an_incompleteness_that_was_allowed_is_loud(odd: Mapping[str, ScanResult]) -> None:
    told = text(odd["allowed"], width=120)
    assert told.startswith(
        "PASS, NOT COMPLETE  exit 0  nothing blocks; of 1 row 1 pass, but what was not seen was accepted with"
    )
    assert "Not complete: what is missing could hide a blocking finding." in told


def test_an_exit_code_from_elsewhere_is_an_error(odd: Mapping[str, ScanResult]) -> None:
    odd_code = replace(odd["healthy"], decision=replace(odd["healthy"].decision, exit_code=4, reasons=("the disk is full",)))
    assert text(odd_code).startswith("ERROR  exit 4  the disk is full; this report is partial")


def test_what_is_missing_without_consequence_is_still_said(build: Build, info: PolicyInfo, row: Finding) -> None:
    low = replace(info, severity=Severity.LOW, highest=Severity.LOW)
    unknown = replace(row, verdict=Verdict.UNKNOWN, reason=Reason.MISSING, severity=Severity.LOW)
    told = text(build([(low, [unknown], [Gap(reason=Reason.STALE, text="old", counts=False)])]))
    assert "Complete for this decision: 1 gap and 1 undecided row cannot change it." in told
    assert "PASS" in told.split("\n", 1)[0]
    only_rows = text(build([(low, [unknown, replace(unknown, subject="b")], [])]))
    assert "Complete for this decision: 2 undecided rows cannot change it." in only_rows
    only_gaps = text(build([(low, [], [Gap(reason=Reason.STALE, text="old", counts=False)])]))
    assert "Complete for this decision: 1 gap cannot change it." in only_gaps


def test_the_parts_come_in_the_order_of_use(canonical_scan: ScanResult) -> None:
    told = text(canonical_scan)
    parts = ["FAIL", "Scope", "One cause", "CRITICAL", "HIGH", "MEDIUM", "LOW", "INFO", "Not seen", "Accepted", "Policies"]
    places = [re.search(rf"^ *{part}", told, re.MULTILINE) for part in parts]
    starts = [place.start() for place in places if place]
    assert len(starts) == len(parts)
    assert starts == sorted(starts)


def test_why_and_fix_stand_once_for_each_policy(canonical_scan: ScanResult) -> None:
    told = text(canonical_scan)
    failing = {policy.info.id for policy in canonical_scan.policies if policy.counts.failed}
    assert told.count("    Why  ") == told.count("    Fix  ") == len(failing)


def test_one_cause_with_many_findings_is_said_first(canonical_scan: ScanResult) -> None:
    told = text(canonical_scan)
    assert "  lock do-not-delete on subscription sub-1  ->  2 findings of ABK101\n" in told


def test_one_cause_behind_several_policies_is_one_line(build: Build, info: PolicyInfo, row: Finding) -> None:
    other = replace(info, id="ABK900")
    lock = replace(row, verdict=Verdict.FAIL, cause="lock")
    told = text(build([(info, [lock, replace(lock, subject="b")], []), (other, [replace(lock, policy="ABK900")], [])]))
    assert "  lock  ->  3 findings of ABK101, ABK900\n" in told


def test_policies_that_wait_for_the_same_stand_together(build: Build, info: PolicyInfo) -> None:
    selected = [replace(info, id=name) for name in ("ABK202", "ABK205")]
    proven = [replace(info, id=f"ABK7{number:02}") for number in range(1, 9)]
    result = build([(info, [], [])])
    waiting = [PolicyResult(info=one, waits_for=(f"selection (--policy {one.id})",)) for one in selected]
    waiting += [PolicyResult(info=one, waits_for=("evidence",)) for one in proven]
    told = " ".join(text(replace(result, policies=(*result.policies, *waiting))).split())
    assert (
        "Not asked ABK202, ABK205 (selection by --policy); ABK701, ABK702, ABK703, ABK704, ABK705 and 3 more (evidence); waits"
        in told
    )


def test_many_causes_are_counted(build: Build, info: PolicyInfo, row: Finding) -> None:
    rows = [
        replace(row, verdict=Verdict.FAIL, subject=f"{cause}-{number}", cause=f"lock-{cause:02}")
        for cause in range(12)
        for number in "ab"
    ]
    told = text(build([(info, rows, [])]))
    assert told.count("  ->  2 findings of ABK101") == 10
    assert "and 2 more causes" in told


def test_causes_beyond_the_limit_are_not_kept(
    build: Build, info: PolicyInfo, row: Finding, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reporters.console_digest._CAUSES", 1)
    rows = [replace(row, verdict=Verdict.FAIL, subject=f"{cause}{number}", cause=cause) for cause in "xy" for number in "123"]
    told = text(build([(info, rows, [])]))
    assert told.count("  ->  3 findings of ABK101") == 1


def test_fifty_findings_are_listed_and_the_rest_is_counted(build: Build, info: PolicyInfo, row: Finding) -> None:
    rows = [replace(row, verdict=Verdict.FAIL, subject=f"s{number:04}") for number in range(130)]
    told = text(build([(info, rows, [])]))
    assert told.count("    x web01 s") == 50
    assert "and 80 more; -o native=FILE holds every row" in told
    assert "  (130)\n" in told


def test_the_list_is_shared_among_the_policies(build: Build, info: PolicyInfo, row: Finding) -> None:
    parts: list[tuple[PolicyInfo, list[Finding], list[Gap]]] = []
    for number in range(15):
        this = replace(info, id=f"ABK{number + 101}")
        parts.append((this, [replace(row, policy=this.id, verdict=Verdict.FAIL, subject=f"s{one}") for one in range(9)], []))
    told = text(build(parts))
    assert told.count("    x web01 s") == 50
    assert "ABK115  Restore point groups carry no lock  (9)" in told
    assert "and 9 more; -o native" in told


def test_undecided_rows_and_gaps_are_counted_too(build: Build, info: PolicyInfo, row: Finding) -> None:
    rows = [replace(row, verdict=Verdict.UNKNOWN, reason=Reason.MISSING, subject=f"s{number}") for number in range(9)]
    gaps = [Gap(reason=Reason.FAILED, table=f"t{number:02}", subscription=f"sub{number}", text="x") for number in range(22)]
    many = [Gap(reason=Reason.DENIED, table="locks", subscription=f"sub{number}", text="403") for number in range(8)]
    told = text(build([(info, rows, sorted([*gaps, *many]))]))
    assert "MISSING  9 rows not decided" in told
    assert "      and 4 more\n" in told
    assert "and 3 more gaps; -o native=FILE holds all" in told
    assert "subscriptions sub0, sub1, sub2, sub3, sub4 and 3 more" in told
    assert "Do   Azure returned no value here" in told
    assert told.count("Do   Run again; --log-file") == 1


def test_an_undecided_row_without_a_reason_gets_no_advice(build: Build, info: PolicyInfo, row: Finding) -> None:
    told = text(build([(info, [replace(row, verdict=Verdict.UNKNOWN)], [])]))
    assert "  UNKNOWN  1 row not decided" in told
    assert "? web01: the row could not be decided." in told
    assert "Do   " not in told


def test_waivers_beyond_ten_are_counted(build: Build, info: PolicyInfo, row: Finding) -> None:
    rows = [
        replace(
            row,
            verdict=Verdict.FAIL,
            subject=str(number),
            waiver=WaiverMark(id=f"W-{number:02}", owner="o", reason="r", expires="e"),
        )
        for number in range(13)
    ]
    told = text(build([(info, rows, [])]))
    assert told.count("Waived by W-") == 10
    assert "3 rows  by 3 more waivers" in told
    assert "x web01" not in told


def test_scope_source_time_and_changes_are_said(canonical_scan: ScanResult) -> None:
    told = text(canonical_scan, width=120)
    assert (
        "2 subscriptions, proven (listed, each one must answer), management groups contoso\n             sub-1, sub-2\n" in told
    )
    assert "the snapshot's own time: not a statement about today" in told
    assert "max_disk_gib = 32768 (profile) in ABK501" in told
    assert "ABK701 (evidence, parameter:proxy)" in told


def test_a_discovered_scope_and_a_run_of_today_say_so(canonical_scan: ScanResult) -> None:
    info = canonical_scan.info
    options = replace(info.options, as_of="run", profile="", fail_on=None)
    scope = replace(info.scope, kind="discovered", management_groups=(), expected=("one",))
    told = text(
        replace(canonical_scan, info=replace(info, options=options, scope=scope, collected_at=None, source="azure")), width=120
    )
    assert "1 subscription, discovered (whatever this identity sees)\n" in told
    assert "As of" not in told
    assert "Source     azure\n" in told
    assert "Profile" not in told
    assert "findings at no severity (--fail-on never)" in told
    assert "reported only: --fail-on is never" in told


@pytest.mark.parametrize("width", [20, 60, 72, 80, 100, 120, 200])
def test_the_table_fits_and_keeps_its_numbers(width: int, canonical_scan: ScanResult) -> None:
    table = text(canonical_scan, width=width).split("\nPolicies\n")[1].split("\n\n")[0].split("\n")
    assert [line.split(" ")[0] for line in table[1:]] == [policy.info.id for policy in canonical_scan.policies]
    if width >= 80:
        assert max(map(cell_len, table)) <= width
    assert ("title" in table[0]) == (width >= 100)


@settings(deadline=None, max_examples=40)
@given(words=st.lists(st.text(alphabet=st.characters(categories=["L", "N"]), min_size=1, max_size=12), min_size=1, max_size=60))
def test_folded_text_loses_no_word(words: list[str], canonical_scan: ScanResult) -> None:
    reason = " ".join(words)
    result = replace(canonical_scan, decision=replace(canonical_scan.decision, reasons=(reason,)))
    lines = text(result, width=80).split("\n")
    start = next(number for number, line in enumerate(lines) if line.startswith("  Reasons"))
    end = next(number for number, line in enumerate(lines) if line.startswith("  Judged"))
    told = lines[start:end]
    assert " ".join(told).split() == ["Reasons", *reason.split()]
    assert all(cell_len(line) <= 80 for line in told)


def test_a_wide_script_is_measured_in_columns(canonical_scan: ScanResult) -> None:
    result = replace(canonical_scan, decision=replace(canonical_scan.decision, reasons=("日本語の名前 " * 20,)))
    assert all(cell_len(line) <= 80 for line in text(result, width=80).split("\n") if "日本" in line)


@pytest.mark.parametrize(
    ("identity", "told"),
    [
        (Identity(credential="AzureCliCredential", tenant="t-1", object_id="o-1"), "o-1 of tenant t-1 (AzureCliCredential)"),
        (Identity(credential="StaticToken"), "an identity without an object id (StaticToken)"),
    ],
)
def test_who_asked_is_said(identity: Identity, told: str, canonical_scan: ScanResult) -> None:
    shown = text(replace(canonical_scan, info=replace(canonical_scan.info, identity=identity)), width=120)
    assert f"Asked by   {told}\n" in shown
    assert "Asked by" not in text(canonical_scan, width=120)


def test_an_empty_scope_lists_no_subscription(canonical_scan: ScanResult) -> None:
    info = canonical_scan.info
    empty = replace(canonical_scan, info=replace(info, scope=replace(info.scope, expected=(), management_groups=())))
    assert "  Scope      0 subscriptions, proven (listed, each one must answer)\n  Source" in text(empty)


def test_a_finding_says_where_its_resource_is(canonical_scan: ScanResult) -> None:
    assert "\n      sub-1 / RG-App / virtualMachines/group1\n" in text(canonical_scan, width=80)


def test_nothing_is_wider_than_the_terminal_but_links_and_hostile_words(canonical_scan: ScanResult) -> None:
    wide = [line for line in text(canonical_scan, width=80).split("\n") if cell_len(line) > 80]
    assert all("https://" in line or "u202e" in line for line in wide)


@pytest.mark.parametrize(
    ("fix", "lines"),
    [
        ("1. Look at it\n   closely.\n2. Mend it.\n", ["    Fix  1. Look at it closely.", "         2. Mend it."]),
        ("Just\nmend it.", ["    Fix  Just mend it."]),
        ("- one\n- two\n  more", ["    Fix  - one", "         - two more"]),
        ("1. Mend it.\n\n", ["    Fix  1. Mend it.", "    See  "]),
        ("10. " + "word " * 20, ["    Fix  10. " + "word " * 12 + "word", "             word"]),
    ],
)
def test_a_fix_is_folded_anew_step_by_step(fix: str, lines: list[str], build: Build, info: PolicyInfo, row: Finding) -> None:
    told = text(build([(replace(info, fix=fix), [replace(row, verdict=Verdict.FAIL)], [])]), width=80)
    assert "\n".join(lines) in told


def test_what_is_missing_names_subscription_and_consequence(build: Build, info: PolicyInfo, row: Finding) -> None:
    unknown = replace(row, verdict=Verdict.UNKNOWN, reason=Reason.MISSING)
    known = row.resource.subscription
    gaps = [
        Gap(reason=Reason.DENIED, table="t", subscription=known, text="403", counts=False),
        Gap(reason=Reason.FAILED, table="t", subscription="other", text="500"),
    ]
    result = build([(info, [unknown], gaps)])
    harmless = replace(result.policies[0], counts=replace(result.policies[0].counts, hiding=0))
    told = text(replace(result, policies=[harmless]))
    assert f"subscription sub-1 ({known})\n    missing for ABK101; cannot change the decision\n" in told
    assert "subscription other\n    missing for ABK101\n" in told
    assert "(1)\n      cannot change the decision\n      ? web01" in told
