"""HTML: one closed file that says what was found, what was not seen, and runs nothing but its own script."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from reporters import html, html_rows
from reporters.html_markup import el, link, safe
from reporters.html_tally import State
from reporters.view import EVERYTHING, Shown, View
from scanner.model import Identity, Options, Outcome, ScanResult, Severity, Verdict
from scanner.model.weight import blocks
from tests.reporters import estate
from tests.reporters.page import Page, page
from tests.reporters.test_failed_jobs import RESULT as FAILED_JOB
from tests.reporters.test_formats import ANY_TEXT

FOLDER = Path(html.__file__).parent / "html_page"
ATTACKS = [
    estate.HOSTILE,
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "</style></title><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "javascript:alert(1)",
    "&lt;b&gt;",
]


@pytest.fixture(scope="module")
def read(canonical_scan: ScanResult) -> Page:
    return page(canonical_scan)


def test_the_page_allows_its_own_script_and_style_and_nothing_else(read: Page) -> None:
    def digest(tag: str) -> str:
        found = re.findall(rf"<{tag}>(.*?)</{tag}>".encode(), read.source, re.DOTALL)
        assert len(found) == 1
        return base64.b64encode(hashlib.sha256(found[0]).digest()).decode()

    [policy] = read.all("meta", **{"http-equiv": "Content-Security-Policy"})
    rules = dict(rule.strip().split(" ", 1) for rule in policy["content"].split(";"))
    assert rules == {
        "default-src": "'none'",
        "script-src": f"'sha256-{digest('script')}'",
        "style-src": f"'sha256-{digest('style')}'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_nothing_on_the_page_needs_what_its_policy_forbids(read: Page) -> None:
    names = {name for _, attributes in read.elements for name in attributes}
    assert not {name for name in names if name.startswith("on")} | names & {"style", "src", "srcset", "action", "data", "ping"}
    assert not {tag for tag, _ in read.elements} & {"iframe", "object", "embed", "link", "base", "img"}


def test_links_out_are_https_and_tell_nothing_of_where_they_came_from(read: Page) -> None:
    links = read.all("a")
    outward = [one for one in links if not one["href"].startswith("#")]
    assert len(outward) > 5
    assert {one["href"][:8] for one in outward} == {"https://"}
    assert {(one["rel"], one["target"]) for one in outward} == {("noopener noreferrer", "_blank")}


def test_links_inside_lead_somewhere(read: Page) -> None:
    ids = [attributes["id"] for _, attributes in read.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)
    sections = {one["href"][1:] for one in read.all("a") if one["href"].startswith("#") and "=" not in one["href"]}
    assert sections == {"causes", "score", "findings", "coverage", "exceptions", "run"}
    assert sections <= set(ids)
    named = {attributes["aria-labelledby"] for _, attributes in read.elements if "aria-labelledby" in attributes}
    assert named <= set(ids)
    assert {one["for"] for one in read.all("label")} <= set(ids)


def test_every_table_has_a_caption_and_its_heads_a_scope(read: Page) -> None:
    tags = Counter(tag for tag, _ in read.elements)
    assert tags["table"] == tags["caption"] > 5
    assert {one.get("scope") for one in read.all("th")} == {"col", "row"}


def test_every_row_is_listed_with_what_it_is(read: Page, canonical_scan: ScanResult) -> None:
    rows = list(read.rows())
    states = Counter(State(row["state"]) for row in rows)
    found = [one for policy in canonical_scan.policies if policy.asked for one in canonical_scan.findings.of(policy.info.id)]
    assert len(rows) == len(found) == sum(policy.counts.rows for policy in canonical_scan.policies)
    assert states[State.BLOCKING] == sum(blocks(one, canonical_scan.info.options) for one in found) == 5
    assert states[State.WAIVED] == sum(policy.counts.waived for policy in canonical_scan.policies) == 2
    assert states[State.KNOWN] == 1
    assert states[State.UNKNOWN] == sum(one.verdict is Verdict.UNKNOWN and not one.waiver for one in found)
    assert set(states) == set(State)
    assert sorted(row["folder"] + row["leaf"] for row in rows if row["policy"] == "ABK101") == sorted(
        one.resource.display_id for one in canonical_scan.findings.of("ABK101")
    )


def test_a_row_holds_its_evidence_and_cause(read: Page) -> None:
    [row] = [one for one in read.rows() if one["name"] == "web01" and one["policy"] == "ABK301"]
    assert row["message"] == "The agent of web01 reports Not Ready (ProvisioningState/failed/1)."
    evidence = dict(zip(row["evidence"][::2], row["evidence"][1::2], strict=True))
    assert evidence["status.agent_code"] == '"ProvisioningState/failed/1"'
    assert evidence["params.min_version"] == '"2.7.41491.1010" (default)'
    assert evidence["big"] == f'"{2**70}"'
    assert {one["cause"] for one in read.rows() if one["policy"] == "ABK101"} == {estate.LOCK, ""}


def test_a_cause_is_told_once_with_all_that_it_explains(read: Page) -> None:
    told = read.told("causes")
    assert "lock do-not-delete on subscription sub-1" in told
    assert "1 lock 2 VMs" in told
    assert "2 findings" in told  # the waived one of the same lock is nobody's work


def test_a_failed_job_is_told_with_what_explains_it() -> None:
    read = page(FAILED_JOB)
    assert "ErrorA VM agent unable to communicate 1 ABK301 (1) 0" in read.told("causes")
    [row] = read.rows()
    assert row["failure"] == {
        "code": "ErrorA",
        "numbers": [400],
        "title": "VM agent unable to communicate",
        "link": "https://example.com/#a",
        "because": [{"policy": "ABK301", "severity": 4, "message": "The agent of web01 is silent.", "name": "web01"}],
    }


def test_scores_add_up(read: Page, canonical_scan: ScanResult) -> None:
    told = read.told("score")
    assert "2 blocking 1 waived 1 known 1 passing" in told  # ABK101
    assert "waits for evidence, parameter:proxy" in told
    assert "nothing to judge (proven)" in told
    headings = [f"{one.value.replace('_', ' ').capitalize()} (" for one in Outcome]
    present = {one.outcome.value.replace("_", " ").capitalize() for one in canonical_scan.policies}
    assert {one[:-2] for one in headings if one in told} == present
    bars = read.all("svg")
    asked = sum(one.asked for one in canonical_scan.policies)
    assert len(bars) == asked + len({row["severity"] for row in read.rows()}) + 2


def test_a_bar_is_as_wide_as_its_track_and_hides_nobody() -> None:
    info = estate.policy("101", Severity.HIGH, title="x")
    fails = [estate.finding(info, "bad", Verdict.FAIL)]
    passes = [estate.finding(info, f"good{number}", Verdict.PASS) for number in range(2000)]
    read = page(estate.result_of([(info, fails + passes, [])]))
    parts = [one for one in read.all("rect") if one["class"] != "track"]
    widths = {one["class"]: float(one["width"]) for one in parts[:2]}
    assert widths["s-blocking"] > 2.5
    assert sum(widths.values()) == pytest.approx(200)


def test_coverage_names_the_gap_the_rights_and_the_scope(read: Page, canonical_scan: ScanResult) -> None:
    told = read.told("coverage")
    assert "Proven: the subscriptions were listed beforehand" in told
    assert "DENIED arm_locks: 403 AuthorizationFailed sub-2 ABK101 could hide a blocking finding Give the identity" in told
    assert "STALE" in told
    assert "cannot change the decision" in told
    assert f"sub-2 {estate.TEST} Enabled 1 of 2 arm_locks" in told
    assert f"sub-1 {estate.PROD} Enabled 2 of 2 none" in told
    assert "arm_locks 1 1 of 2" in told
    assert "evidence, parameter:proxy 1 ABK701" in told
    assert "answers come from a snapshot" in told
    identity = Identity(credential="cli", tenant="t-1", object_id="o-1")
    live = replace(canonical_scan.info, identity=identity, scope=replace(canonical_scan.info.scope, kind="discovered"))
    again = page(replace(canonical_scan, info=live))
    assert "Those of o-1 of tenant t-1 (credential: cli)" in again.told("coverage")
    assert "Discovered: whatever the identity sees" in again.told("coverage")
    assert again.data["tenant"] == "t-1"


def test_exceptions_are_listed(read: Page) -> None:
    told = read.told("exceptions")
    assert "W-7 backup-team 2026-12-31 migration in progress 2 ABK101, ABK301" in told
    assert "1 finding known: in the baseline" in told
    assert "max_disk_gib 32768 profile ABK501" in told
    assert "--profile article" in told
    assert "--as-of snapshot" in told


def test_without_exceptions_that_is_said(odd: Mapping[str, ScanResult]) -> None:
    result = odd["healthy"]
    plain = replace(result, info=replace(result.info, options=Options()))
    assert "None: no waiver, no known finding" in page(plain).told("exceptions")
    milder = replace(result, info=replace(result.info, options=Options(fail_on=None, max_age_hours=2.5, allow_incomplete=True)))
    told = page(milder).told("exceptions")
    assert "None" not in told
    assert "--fail-on never --max-age 2.5 hours --allow-incomplete yes" in told


def test_the_run_can_be_made_again(read: Page) -> None:
    told = read.told("run")
    for fact in ("arguard 0.1.0", "0123456789abcdef", "duckdb 2.0.0, jmespath 1.1.0", "cd" * 32, "findings at or above high"):
        assert fact in told
    assert read.all("a", href="https://ci.example.com/runs/7")


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("empty", "Incomplete"),
        ("not-asked", "Incomplete"),
        ("interrupted", "Interrupted"),
        ("bug", "Not finished"),
        ("nothing", "Nothing to judge"),
        ("inapplicable", "Compliant"),
        ("healthy", "Compliant"),
        ("incomplete", "Incomplete"),
        ("allowed", "Incomplete, accepted"),
    ],
)
def test_the_headline_and_the_red_band_say_what_is_missing(name: str, word: str, odd: Mapping[str, ScanResult]) -> None:
    result = odd[name]
    read = page(result)
    assert read.told("headline") == word
    assert read.told("title").startswith(f"{word}: ")
    alarms = read.all("section", **{"class": "band alarm"})
    assert len(alarms) == (not result.decision.complete)
    assert len(read.all("p", **{"class": "band calm"})) == result.decision.complete
    told = read.told("main")
    assert all(reason in told for reason in result.decision.reasons)
    if not result.decision.complete:
        assert (result.decision.reasons or ("no reason was recorded",))[0] in told


def test_violations_of_an_incomplete_scan_are_both(canonical_scan: ScanResult, read: Page) -> None:
    assert read.told("headline") == "Violations, and incomplete"
    whole = replace(canonical_scan, decision=replace(canonical_scan.decision, complete=True))
    assert page(whole).told("headline") == "Violations"


def test_without_script_the_page_says_what_is_missing(read: Page) -> None:
    assert "The list of 23 rows needs JavaScript" in read.told("noscript")
    assert read.all("div", id="explorer", hidden="")


def test_a_view_lists_what_was_asked_for_and_says_so(canonical_scan: ScanResult) -> None:
    read = page(canonical_scan, View(include=frozenset({Shown.FAIL})))
    assert {State(row["state"]) for row in read.rows()} == {State.BLOCKING, State.FAIL, State.KNOWN}
    assert "The list leaves out passing and waived and undecided and not applicable rows: they were not asked for" in read.told(
        "findings"
    )
    whole = page(canonical_scan)
    assert read.told("score") == whole.told("score")
    assert "leaves out" not in whole.told("findings")


def test_many_quiet_rows_are_counted_and_not_listed(monkeypatch: pytest.MonkeyPatch, canonical_scan: ScanResult) -> None:
    monkeypatch.setattr(html_rows, "QUIET", 2)
    read = page(canonical_scan)
    states = {State(row["state"]) for row in read.rows()}
    assert states == set(State) - {State.PASS, State.NOT_APPLICABLE}
    assert "leaves out passing and not applicable rows" in read.told("findings")
    everything = page(canonical_scan, View(include=EVERYTHING))
    assert {State(row["state"]) for row in everything.rows()} == set(State)


def test_a_policy_of_many_rows_has_several_blocks(monkeypatch: pytest.MonkeyPatch, canonical_scan: ScanResult) -> None:
    whole = sorted(map(str, page(canonical_scan).rows()))
    monkeypatch.setattr(html_rows, "_BLOCK", 3)
    read = page(canonical_scan)
    assert len(read.data["blocks"]) > len(canonical_scan.policies)
    assert sorted(map(str, read.rows())) == whole


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_text_becomes_markup(attack: str, hostile_scan: Callable[[str], ScanResult]) -> None:
    plain, attacked = page(hostile_scan(f"harmless{' ' * 9}text")), page(hostile_scan(f"{attack} and more text"))
    assert Counter(tag for tag, _ in plain.elements) == Counter(tag for tag, _ in attacked.elements)
    names = [{name for _, attributes in one.elements for name in attributes} for one in (plain, attacked)]
    assert names[0] == names[1]
    assert all(one["href"].startswith(("#", "https://")) for one in attacked.all("a"))


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=30)
@given(text=ANY_TEXT)
def test_any_text_leaves_the_page_whole(hostile_scan: Callable[[str], ScanResult], text: str) -> None:
    read = page(hostile_scan(text))
    assert len(read.all("script")) == 2
    assert len(list(read.rows())) == 8


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("*.js")))
def test_the_script_writes_text_and_asks_nobody(name: str) -> None:
    code = (FOLDER / name).read_text(encoding="utf-8")
    assert code.count("\n") <= 300
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "fetch(", ".style"):
        assert word not in code
    assert "</script" not in code
    assert code.isascii()


def test_the_script_and_the_style_are_every_file_of_the_page() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {*html._STYLES, *html._SCRIPTS}


def test_the_script_knows_the_states() -> None:
    code = (FOLDER / "rows.js").read_text(encoding="utf-8")
    found = re.search(r"const VERDICTS = \{(.*?)\};", code)
    assert found
    numbers = {name: numbers for name, numbers in re.findall(r"(\w+): \[([^\]]*)\]", found[1]) if name != "failing"}
    assert numbers == {one.name.lower(): str(one.value) for one in State}
    classes = re.search(r"STATE_CLASSES = \[(.*?)\]", code)
    assert classes
    assert re.findall(r'"s-([a-z-]+)"', classes[1]) == [one.name.lower().replace("_", "-") for one in State]


@pytest.mark.parametrize(
    "address",
    [
        "http://learn.microsoft.com",
        "javascript:alert(1)",
        "https://example.com/a b",
        'https://example.com/"onclick',
        "https://example.com/\u202e",
        "https://example.com\\@evil",
        "",
    ],
)
def test_an_address_that_is_not_safe_is_no_link(address: str) -> None:
    assert not safe(address)
    assert "<a " not in link("x", address)


def test_an_address_of_a_page_is_a_link() -> None:
    address = "https://learn.microsoft.com/azure/backup/?a=b&c=d#agent"
    assert safe(address)
    assert link("x", address).startswith('<a href="https://learn.microsoft.com/azure/backup/?a=b&amp;c=d#agent" rel="noopener')


def test_elements_escape_what_they_are_given() -> None:
    assert el("p", "<b>", title='"') == '<p title="&quot;">&lt;b&gt;</p>\n'
    assert el("p", el("b", "x"), None, hidden=True, id=None) == "<p hidden><b>x</b></p>\n"
    assert el("rect", x="1") == '<rect x="1"/>'


@pytest.mark.parametrize("name", ["empty", "not-asked"])
def test_where_nothing_was_asked_nothing_is_said_to_have_answered(name: str, odd: Mapping[str, ScanResult]) -> None:
    page = b"".join(html.render(odd[name])).decode()
    assert "No question was asked, so nothing was seen." in page
    assert "every subscription answered" not in page
    assert "every subscription answered every question" in b"".join(html.render(odd["healthy"])).decode()
