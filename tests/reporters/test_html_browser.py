"""The HTML report in a real Chromium: it opens, filters, restores, obeys the keyboard, and runs nothing that is not its own.

Screenshots are kept in `build/screenshots`.
"""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from reporters import html
from reporters.html_tally import State
from scanner.cli import main
from scanner.model import Finding, Gap, PolicyInfo, ScanResult, Severity, Verdict
from scanner.model.weight import blocks
from tests import debian
from tests.node_programs import install
from tests.reporters import estate

pytestmark = pytest.mark.full
ROOT = Path(__file__).parents[2]
SCREENSHOTS = ROOT / "build" / "screenshots"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
ROWS = 100_000
VIEWS = [(width, scheme) for width in (1440, 390) for scheme in ("light", "dark")]
ACCESSIBLE = [("canonical", *view) for view in VIEWS] + [("demo", 1440, "light"), ("healthy", 390, "dark")]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, headless, with a profile of its own."""
    if not shutil.which("chromium"):
        debian.install(["chromium", "fonts-liberation"])
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=shutil.which("chromium"), args=list(FLAGS))
        yield opened
        opened.close()


@dataclass(slots=True)
class Opened:
    """A page, and all that the browser had to say of it."""

    page: Page
    said: list[str] = field(default_factory=list)

    def read(self, expression: str) -> Any:
        return self.page.evaluate(expression)

    @property
    def count(self) -> str:
        return self.page.inner_text("#count")


@contextmanager
def opened(browser: Browser, address: str, *, width: int = 1440, scheme: Any = "light") -> Iterator[Opened]:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, accept_downloads=True)
    found = Opened(page=context.new_page())
    found.page.on("console", lambda message: found.said.append(message.text))
    found.page.on("pageerror", lambda error: found.said.append(str(error)))
    found.page.on("request", lambda request: None if request.url.startswith("file:") else found.said.append(request.url))
    found.page.goto(address)
    yield found
    context.close()


def written(result: ScanResult, file: Path) -> str:
    file.write_bytes(b"".join(html.render(result)))
    return file.as_uri()


@pytest.fixture(scope="module")
def canonical(canonical_scan: ScanResult, tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(canonical_scan, tmp_path_factory.mktemp("page") / "canonical.html")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("page") / "demo.html"
    assert main(["demo", "-o", f"html={file}"]) == 0
    return file.as_uri()


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("page") / "healthy.html"
    snapshot = str(ROOT / "examples" / "fabrikam")
    assert main(["scan", "--snapshot", snapshot, "--as-of", "snapshot", "-o", f"html={file}"]) == 0
    return file.as_uri()


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
@pytest.mark.parametrize("name", ["demo", "healthy", "canonical"])
def test_the_page_opens_without_a_word_and_fits(
    browser: Browser, request: pytest.FixtureRequest, name: str, width: int, scheme: str
) -> None:
    with opened(browser, request.getfixturevalue(name), width=width, scheme=scheme) as found:
        rows = found.page.locator("#rows .row")
        assert 0 < rows.count() <= 50
        found.page.locator("#rows .open").first.click()
        found.page.locator(".policies summary").first.click()
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        found.page.screenshot(path=SCREENSHOTS / f"{name}-{width}-{scheme}.png", full_page=True)
        assert found.read("document.documentElement.scrollWidth") == width
        assert found.said == []


def test_it_prints_without_controls(browser: Browser, demo: str) -> None:
    with opened(browser, demo) as found:
        found.page.emulate_media(media="print")
        for control in ("#filters", "#export", "#clear", ".top"):
            assert not found.page.locator(control).is_visible()
        assert found.page.locator("h1").is_visible()
        assert found.page.locator("#rows .row").first.is_visible()
        found.page.screenshot(path=SCREENSHOTS / "demo-print.png", full_page=True)


def test_filters_find_what_a_person_would(browser: Browser, canonical: str, canonical_scan: ScanResult) -> None:
    found_rows = [one for policy in canonical_scan.policies for one in canonical_scan.findings.of(policy.info.id)]
    total = len(found_rows)

    def lists(address: str, keep: Callable[[Finding], bool]) -> None:
        number = sum(map(keep, found_rows))
        with opened(browser, f"{canonical}#{address}") as found:
            assert found.count.split(" rows")[0] == f"{number} of {total}", address
            assert found.page.locator("#rows .row").count() == number
            assert found.said == []

    lists("policy=ABK301", lambda one: one.policy == "ABK301")
    lists("severity=low", lambda one: one.severity is Severity.LOW)
    lists("verdict=unknown", lambda one: one.verdict is Verdict.UNKNOWN and not one.waiver)
    lists("verdict=waived", lambda one: one.waiver is not None)
    lists("verdict=pass&policy=ABK501", lambda one: one.verdict is Verdict.PASS and one.policy == "ABK501")
    lists("q=EXTENSION+aad", lambda one: one.subject == "extension:aad")
    lists("q=Failed%2F1", lambda one: "failed/1" in one.message)  # stands in the evidence too
    lists("q=zzz", lambda _: False)
    lists(f"subscription={estate.TEST}", lambda _: False)
    options = canonical_scan.info.options
    lists("group=rg-APP&verdict=blocking", lambda one: blocks(one, options) and one.resource.resource_group == "RG-App")
    lists("verdict=blocking", lambda one: blocks(one, options))
    lists(f"cause={estate.LOCK}", lambda one: one.cause == estate.LOCK)


def test_rows_come_worst_first(browser: Browser, canonical: str) -> None:
    with opened(browser, canonical) as found:
        keys = found.read("list.rows.map(rowOf).map((row) => [row.state, -row.severity])")
    assert keys == sorted(keys)
    assert len({state for state, _ in keys}) == len(State)


def test_the_address_keeps_the_view(browser: Browser, canonical: str) -> None:
    with opened(browser, canonical) as found:
        found.page.fill("#f-q", "web0 agent")
        found.page.select_option("#f-verdict", "failing")
        expect(found.page).to_have_url(re.compile(r"#q=web0\+agent&verdict=failing$"))
        told, address = found.count, found.page.url
        names = found.page.locator("#rows .name").all_inner_texts()
    with opened(browser, address) as again:
        assert (again.count, again.page.locator("#rows .name").all_inner_texts()) == (told, names)
        assert (again.page.input_value("#f-q"), again.page.input_value("#f-verdict")) == ("web0 agent", "failing")
        again.page.click("#clear")
        assert "of" not in again.count.split(",")[0]
        assert "#" not in again.page.url


def test_links_of_the_page_set_the_filters(browser: Browser, canonical: str) -> None:
    with opened(browser, canonical) as found:
        found.page.click(".tiles .s-blocking a")
        assert found.count.startswith("5 of 23 rows")
        found.page.click("#causes .stack a >> text=2 findings")
        found.page.wait_for_selector("#chip")
        assert found.count.startswith("3 of 23 rows")
        address = found.page.url
        found.page.click("nav >> text=Coverage")
        assert found.page.url == address
        assert found.read("document.activeElement.id") == "coverage"
        found.page.click("#chip")
        assert found.count.startswith("23 rows")


def test_a_row_opens_to_why_evidence_fix_and_links(browser: Browser, demo: str) -> None:
    with opened(browser, f"{demo}#policy=ABK605&verdict=blocking") as found:
        found.page.click("#rows .open")
        detail = found.page.locator("#rows .detail").first
        told = detail.inner_text()
        for part in ("Backup failed because", "UserErrorGuestAgentStatusUnavailable", "because", "ABK301", "Why it matters"):
            assert part in told
        for part in ("How to fix it", "Evidence", "jobs[*]", "Open in the Azure portal"):
            assert part in told
        links = detail.locator("a[target]").evaluate_all("all => all.map((one) => [one.href, one.rel])")
        portal = [address for address, _ in links if address.startswith("https://portal.azure.com/#resource/")]
        assert len(portal) == 1
        assert portal[0].lower().endswith("/providers/microsoft.compute/virtualmachines/till-gw-07")
        assert {rel for _, rel in links} == {"noopener noreferrer"}
        assert any("learn.microsoft.com" in address for address, _ in links)
        detail.locator(".because a.filter").first.click()
        expect(found.page.locator("#f-policy")).to_have_value("ABK301")
        assert found.page.locator("#rows .name").first.inner_text() == "till-gw-07"


def test_hostile_names_stay_text(browser: Browser, hostile_scan: Callable[[str], ScanResult], tmp_path: Path) -> None:
    attack = '</script><img src=x onerror="document.title=1"><b>::error::'
    with opened(browser, written(hostile_scan(attack), tmp_path / "hostile.html")) as found:
        for button in found.page.locator("#rows .open").all():
            button.click()
        assert found.page.locator("#rows img, #rows b, main img").count() == 0
        assert attack in found.page.locator("#rows .name").first.inner_text()
        assert found.said == []
        assert found.read("document.title") != "1"


def test_the_filtered_rows_are_exported(browser: Browser, canonical: str, canonical_scan: ScanResult, tmp_path: Path) -> None:
    with opened(browser, f"{canonical}#policy=ABK301") as found:
        with found.page.expect_download() as waiting:
            found.page.click("#export")
        file = tmp_path / "rows.csv"
        waiting.value.save_as(file)
        assert waiting.value.suggested_filename == "arguard-findings.csv"
    with file.open(encoding="utf-8", newline="") as stream:
        lines = list(csv.DictReader(stream, strict=True))
    assert len(lines) == sum(1 for _ in canonical_scan.findings.of("ABK301"))
    assert {line["policy"] for line in lines} == {"ABK301"}
    assert "The agent of web02 reports Not Ready" in {line["message"] for line in lines}
    assert 'status.agent_code = "ProvisioningState/failed/1"' in lines[0]["evidence"] + lines[1]["evidence"]


def test_no_exported_cell_is_a_formula(browser: Browser, canonical: str) -> None:
    with opened(browser, canonical) as found:
        for text in ("=1+1", "+1", "-1", "@SUM(A1)", "\uff1d1"):
            assert found.page.evaluate("cell", text) == f'"\'{text}"'
        assert found.page.evaluate("cell", 'a"b') == '"a""b"'


def test_one_byte_more_in_the_script_and_it_does_not_run(browser: Browser, canonical_scan: ScanResult, tmp_path: Path) -> None:
    page = b"".join(html.render(canonical_scan))
    for name, part in (("script", b"\nstart();\n</script>"), ("style", b"</style>")):
        assert page.count(part) == 1
        file = tmp_path / f"{name}.html"
        file.write_bytes(page.replace(part, b" " + part))
        with opened(browser, file.as_uri()) as found:
            assert any("Content Security Policy" in one for one in found.said)
            assert found.page.locator("#explorer").is_visible() is (name == "style")
            assert found.page.locator("h1").inner_text() == "Violations, and incomplete"


def test_the_page_can_neither_ask_the_network_nor_run_foreign_code(browser: Browser, canonical: str) -> None:
    with opened(browser, canonical) as found:
        blocked = found.read(
            """async () => {
              const seen = [];
              document.addEventListener("securitypolicyviolation", (event) => seen.push(event.effectiveDirective));
              await fetch("https://192.0.2.1/").catch(() => null);
              const image = new Image();
              const failed = new Promise((done) => image.addEventListener("error", done));
              image.src = "https://192.0.2.1/x.png";
              await failed;
              const script = document.createElement("script");
              script.textContent = "document.title = 'foreign'";
              document.body.append(script);
              await new Promise((done) => setTimeout(done, 50));
              return [seen.sort(), document.title];
            }"""
        )
        assert blocked[0] == ["connect-src", "img-src", "script-src-elem"]
        assert blocked[1] != "foreign"


def test_without_script_everything_but_the_list_is_there(browser: Browser, canonical: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(canonical)
    assert "needs JavaScript" in page.inner_text("noscript")
    assert not page.locator("#explorer").is_visible()
    for part in ("#causes", "#score", "#coverage", "#exceptions", "#run", ".band.alarm"):
        assert page.locator(part).is_visible()
    context.close()


CONTROLS = 'a[href], button:enabled, input:not([type="hidden"]), select, summary'


def reachable(found: Opened) -> int:
    """How many visible controls Tab alone reaches, each with an outline that shows where one is."""
    total = found.page.locator(CONTROLS).locator("visible=true").count()
    seen = set()
    for _ in range(total + 5):
        found.page.keyboard.press("Tab")
        at = found.read(
            f"""() => {{
              const one = document.activeElement;
              const style = getComputedStyle(one);
              const place = [...document.querySelectorAll('{CONTROLS}')].indexOf(one);
              return [place, style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2];
            }}"""
        )
        if at[0] >= 0 and at[1]:
            seen.add(at[0])
    return total - len(seen)


def test_the_keyboard_reaches_every_control(browser: Browser, canonical: str) -> None:
    with opened(browser, canonical) as found:
        found.page.keyboard.press("Tab")
        assert found.read("document.activeElement.className") == "skip"
        found.page.keyboard.press("Enter")
        assert found.read("document.activeElement.id") == "findings"
        found.page.reload()
        assert reachable(found) == 0
        found.read("document.getElementById('f-q').tabIndex = -1")
        found.page.reload()
        found.read("document.getElementById('f-q').tabIndex = -1")
        assert reachable(found) == 1


def test_rows_and_policies_open_by_the_keyboard(browser: Browser, canonical: str) -> None:
    with opened(browser, canonical) as found:
        button = found.page.locator("#rows .open").first
        button.focus()
        for key, state in (("Enter", "true"), ("Space", "false"), ("Enter", "true")):
            found.page.keyboard.press(key)
            assert button.get_attribute("aria-expanded") == state
            assert found.page.locator(f"#{button.get_attribute('aria-controls')}").is_visible() is (state == "true")
        found.page.locator(".policies summary").first.focus()
        found.page.keyboard.press("Enter")
        assert found.page.locator(".policies .explain").first.is_visible()


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = install("axe", tmp_path_factory.mktemp("axe"))
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


def violations(found: Opened, axe: str) -> list[str]:
    """What axe-core calls serious or critical, with a few rows and policies opened."""
    for control in ("#rows .open", ".policies summary"):
        for one in found.page.locator(control).all()[:3]:
            one.click()
    found.read(axe)
    told = found.read("axe.run()")
    assert len(told["passes"]) > 20
    return [
        f"{one['id']}: {[node['html'][:150] for node in one['nodes'][:3]]}"
        for one in told["violations"]
        if one["impact"] in {"serious", "critical"}
    ]


@pytest.mark.parametrize("view", ACCESSIBLE, ids=str)
def test_axe_finds_nothing_serious(
    browser: Browser, request: pytest.FixtureRequest, axe: str, view: tuple[str, int, str]
) -> None:
    name, width, scheme = view
    with opened(browser, request.getfixturevalue(name), width=width, scheme=scheme) as found:
        assert violations(found, axe) == []


def test_axe_notices_a_lost_label_and_a_pale_text(browser: Browser, canonical: str, axe: str) -> None:
    with opened(browser, canonical) as found:
        found.read("document.querySelector('label[for=f-severity]').remove()")
        found.read("document.querySelector('h1').style.color = '#ddd'")
        assert [one.split(":")[0] for one in violations(found, axe)] == ["color-contrast", "select-name"]


def large() -> ScanResult:
    """100,000 rows that fail, of ten policies, each with evidence and a message of its own."""
    parts: list[tuple[PolicyInfo, list[Finding], list[Gap]]] = []
    for number in range(10):
        info = estate.policy(f"{number}01", Severity(number % 5 + 1), title=f"Nothing is wrong with part {number}")
        found = []
        for row in range(ROWS // 10):
            home = [estate.PROD, estate.TEST][row % 2]
            what = estate.resource(f"vm-{number}-{row:05}", group=f"rg-{row % 400:03}", subscription=home)
            message = f"The agent of {what.name} reports Not Ready (ProvisioningState/failed/{row % 7})."
            evidence = {"status.agent_code": f"ProvisioningState/failed/{row % 7}", "hours": row, "name": what.name}
            one = estate.finding(info, "x", Verdict.FAIL, message=message, evidence=evidence, cause=f"/locks/{row % 900}")
            found.append(replace(one, resource=what))
        parts.append((info, found, []))
    return estate.result_of(parts)


def test_a_hundred_thousand_findings_open_and_filter(
    browser: Browser, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    address = written(large(), tmp_path / "large.html")
    size = (tmp_path / "large.html").stat().st_size
    with opened(browser, address) as found:
        ready = found.read("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
        assert found.count == f"{ROWS:,} rows, showing 1 to 50"
        times = {}
        for name, value, rows in (("q", "vm-3-04242", 1), ("q", "failed/3 vm-5", 1429), ("severity", "high", 20_000)):
            found.page.click("#clear")
            took = found.page.evaluate(
                """([name, value]) => {
                  FORM.elements[name].value = value;
                  const start = performance.now();
                  update();
                  document.body.offsetHeight;
                  return performance.now() - start;
                }""",
                [name, value],
            )
            assert found.count.split(" rows")[0].split(" row")[0] == f"{rows:,} of {ROWS:,}"
            times[f"{name}={value}"] = took
        found.page.click("#clear")
        found.page.click("#next")
        assert found.count.endswith("showing 51 to 100")
        assert found.page.url.endswith("#page=2")
        assert found.said == []
    told = ", ".join(f"{name} {took:.0f} ms" for name, took in times.items())
    record_property("count", f"HTML report: {ROWS:,} findings, {size / 2**20:.1f} MiB, ready in {ready:.0f} ms; {told}")
