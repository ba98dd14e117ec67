"""Markdown: rendered by GitHub's own cmark, and no text is more than text; the whole fits whatever was found."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from typing import Final

import cmarkgfm
import pytest
from cmarkgfm.cmark import Options
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from reporters import markdown, wording
from reporters.console_places import names_in, place
from reporters.markdown import MOST
from reporters.markdown_text import link, text
from reporters.sanitise import one_line
from reporters.view import UNASKED, Shown, View
from scanner.model import Finding, Gap, PolicyInfo, PolicyResult, Reason, ScanResult, Severity, Verdict, WaiverMark
from tests.reporters.estate import finding, policy
from tests.reporters.test_formats import ANY_TEXT

Build = Callable[..., ScanResult]
VOID: Final = {"br", "img", "hr", "input"}
OURS: Final = {
    *("h2", "h3", "h4", "p", "strong", "ul", "ol", "li", "br", "a", "span", "details", "summary"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}
LINKED: Final = re.compile(r"@[a-z0-9]|#[0-9]|\bGH-[0-9]|(https?|ftp)://|www\.|mailto:|xmpp:|:[a-z0-9_+-]+:|\$", re.IGNORECASE)
"""What GitHub links or draws in the finished text, inside one element."""
MARKS = (
    *("@user", "user@example.com", "#1", "GH-1", "https://evil.example", "www.evil.example", "ftp://x.y", "mailto:a@b.c"),
    *(
        "[a](b)",
        "![a](b)",
        "[a]: b",
        "[^1]",
        "<b>",
        "<details ",
        "<?",
        "<!--",
        "-->",
        "</details>",
        "<https://x.y>",
        "&lt;",
        "&#124;",
        "&",
        ";",
    ),
    *("`", "``", "```", "~~~", "~~", "*", "**", "_", "__", "|", "||", "\\", "\\|", "\\\\|", "$x$", "$$", ":tada:", "::"),
    *(
        "#",
        "# ",
        "- ",
        "-",
        "+ ",
        "1. ",
        "1) ",
        "---",
        "===",
        "> ",
        "    ",
        "\n",
        "\n\n",
        "\t",
        "a",
        "ü",
        "[x]",
        "- [ ] ",
        "{",
        "^",
    ),
)
MARKUP = st.one_of(ANY_TEXT, st.lists(st.sampled_from(MARKS), min_size=1, max_size=8).map("".join))


@dataclass(slots=True)
class Node:
    """An element of the page: its tag, its attributes, and its text and elements in order."""

    tag: str
    attributes: dict[str, str | None] = field(default_factory=dict)
    content: list[str | Node] = field(default_factory=list)

    @property
    def pieces(self) -> list[str]:
        """Its own text, whole between two elements."""
        return [one for one in self.content if isinstance(one, str)]

    @property
    def text(self) -> str:
        return "".join(one if isinstance(one, str) else one.text for one in self.content)

    def walk(self) -> Iterator[Node]:
        for one in self.content:
            if isinstance(one, Node):
                yield one
                yield from one.walk()

    def all(self, *tags: str) -> list[Node]:
        return [one for one in self.walk() if one.tag in tags]


class Page(HTMLParser):
    """The tree of a page, closed as it was opened."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.root = Node("page")
        self.open = [self.root]
        self.comments: list[str] = []
        self.feed(source)
        self.close()
        assert self.open == [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, dict(attrs))
        self.open[-1].content.append(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        content = self.open[-1].content
        if content and isinstance(content[-1], str):
            content[-1] += data
        else:
            content.append(data)

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


def page(source: str) -> Page:
    return Page(cmarkgfm.github_flavored_markdown_to_html(source, Options.CMARK_OPT_UNSAFE | Options.CMARK_OPT_FOOTNOTES))


def written(result: ScanResult, view: View = UNASKED) -> str:
    data = b"".join(markdown.render(result, view))
    assert len(data) <= MOST
    return data.decode()


def tables(root: Node, first: str) -> list[list[list[str]]]:
    """The cells of each table whose first column has this heading."""
    found = [one for one in root.all("table") if one.all("th")[0].text == first]
    return [[[cell.text for cell in row.all("td")] for row in one.all("tr")[1:]] for one in found]


def shape(root: Node) -> list[str]:
    """The elements in order, but for the links of references and the signs that stand alone."""
    return [one.tag for one in root.all(*OURS, "em", "del", "code", "pre") if one.tag not in {"span", "a"}]


def cells(result: ScanResult) -> list[list[str]]:
    """What the tables of findings must say."""
    names = names_in(result.info.scope)
    told = []
    for one in result.policies:
        for row in result.findings.of(one.info.id) if one.asked else ():
            if row.verdict is Verdict.FAIL and not row.waiver and not row.known:
                where = one_line(place(row.resource.display_id, names), 300)
                told.append([one_line(wording.subject(row), 200), where, one_line(wording.message(row, one.info), 600)])
    return told


def fails(info: PolicyInfo, number: int, message: str = "") -> list[Finding]:
    return [finding(info, f"vm{at:05}", Verdict.FAIL, message=message or f"vm{at:05} is bad.") for at in range(number)]


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=150)
@given(value=MARKUP)
def test_no_text_is_more_than_text(hostile_scan: Callable[[str], ScanResult], value: str) -> None:
    result = hostile_scan(value)
    found = page(written(result))
    elements = found.root.all(*OURS)
    assert found.comments == []
    assert {one.tag for one in found.root.walk()} <= OURS
    for one in elements:
        assert one.attributes.keys() <= {"a": {"href"}, "td": {"align"}, "th": {"align"}}.get(one.tag, set())
        if one.tag == "a":
            assert one.attributes["href"] == result.policies[0].info.references[0]
    nodes = [piece for one in (found.root, *elements) if one.tag not in {"a", "span"} for piece in one.pieces]
    assert [piece for piece in nodes if LINKED.search(piece)] == []
    assert [row for table in tables(found.root, "Resource") for row in table] == cells(result)
    (policies,) = tables(found.root, "policy")
    assert len(policies) == len(result.policies)
    assert [row[:2] for row in policies] == [[one.info.id, one_line(one.info.title, 120)] for one in result.policies]


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much], deadline=None, max_examples=100)
@given(value=MARKUP)
def test_no_text_changes_the_structure(hostile_scan: Callable[[str], ScanResult], value: str) -> None:
    assume(one_line(value, 9))

    def structure(name: str) -> list[str]:
        made = hostile_scan(name)
        policies = [replace(one, info=replace(one.info, fix="1. Do it.", references=())) for one in made.policies]
        return shape(page(written(replace(made, policies=tuple(policies)))).root)

    assert structure(value) == structure("plain")


@settings(deadline=None, max_examples=300)
@given(value=MARKUP)
def test_text_reads_as_it_was(value: str) -> None:
    for source in (text(value, 80), f"- {text(value, 80)}", f"| a |\n| --- |\n| {text(value, 80)} |\n"):
        (node,) = page(source).root.all("p", "li", "td")[:1] or [Node("none")]
        assert " ".join(node.text.split()) == one_line(value, 80)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("![a](b)", r"\!\[a\](b)"),
        ("<b>&lt;|", "&lt;b&gt;&amp;lt;&#124;"),
        ("@u #1 $x$", "<span>@</span>u <span>#</span>1 <span>$</span>x<span>$</span>"),
        ("see https://x www.y", "see https<span>:</span>//x www<span>.</span>y"),
        (":a: mailto:x GH-1", "<span>:</span>a: mailto<span>:</span>x GH<span>-</span>1"),
        ("- a - b", r"\- a - b"),
        ("12. a 1. b", r"12\. a 1. b"),
        ("2026-11-20 web-01.x", "2026-11-20 web-01.x"),
        ("a  b\nc", "a b c"),
    ],
)
def test_each_sign_is_escaped_and_nothing_else(value: str, told: str) -> None:
    assert text(value, 80) == told


@pytest.mark.parametrize(
    "value",
    ["[a](b)", "<b>x</b>", "`x`", "*x*", "~~x~~", "https://x.example", "a@b.example", "![a](b)", "# x", "- x", "1. x", "> x"],
)
def test_the_renderer_sees_what_is_not_escaped(value: str) -> None:
    assert {one.tag for one in page(value).root.walk()} - {"p"}


@pytest.mark.parametrize("value", ["a @user b", "see #1", "www.x.y", "https://x", ":tada:", "GH-1", "$x$"])
def test_the_detector_of_late_links_sees_what_is_not_escaped(value: str) -> None:
    assert LINKED.search(value)


@pytest.mark.parametrize(
    ("value", "linked"),
    [
        ("https://learn.microsoft.com/azure/backup/x_y-z?a=b#c", True),
        ("http://learn.microsoft.com/", False),
        ("https://x.example/a)b", False),
        ("https://x.example/<b>", False),
        ("https://x.example/a b", False),
        ("javascript:alert(1)", False),
        (f"https://x.example/{'a' * 500}", False),
    ],
)
def test_a_reference_is_a_link_only_where_it_is_plain(value: str, linked: bool) -> None:  # noqa: FBT001
    assert [one.attributes["href"] for one in page(link(value, 300)).root.all("a")] == [value] * linked


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("empty", "## ⚠️ arguard: INCOMPLETE (exit 3): "),
        ("not-asked", "## ⚠️ arguard: INCOMPLETE (exit 3): "),
        ("interrupted", "## ⚠️ arguard: INTERRUPTED, NOT COMPLETE (exit 130): "),
        ("bug", "## ⚠️ arguard: BUG, NOT COMPLETE (exit 70): "),
        ("nothing", "## ✅ arguard: NOTHING TO JUDGE (exit 0): "),
        ("inapplicable", "## ✅ arguard: PASS (exit 0): "),
        ("healthy", "## ✅ arguard: PASS (exit 0): nothing blocks; of 1 row 1 pass"),
        ("incomplete", "## ⚠️ arguard: INCOMPLETE (exit 3): "),
        ("allowed", "## ⚠️ arguard: PASS, NOT COMPLETE (exit 0): "),
    ],
)
def test_the_first_line_is_the_decision_and_whether_it_is_complete(
    name: str, first: str, odd: Mapping[str, ScanResult]
) -> None:
    said = written(odd[name])
    assert said.startswith(first)
    assert ("Not complete" in said) is not odd[name].decision.complete
    assert "Left out" not in said
    assert len(tables(page(said).root, "policy")) == bool(odd[name].policies)


def test_every_open_finding_and_everything_unseen_is_told(canonical_scan: ScanResult) -> None:
    root = page(written(canonical_scan)).root
    told = [row for table in tables(root, "Resource") for row in table]
    assert sorted(told) == sorted(cells(canonical_scan))
    parts = [one.text for one in root.all("h3")]
    assert parts == [
        "One cause, several findings",
        "Critical: 2 findings",
        "High: 3 findings",
        "Medium: 1 finding (reported only: --fail-on is high)",
        "Low: 2 findings (reported only: --fail-on is high)",
        "Info: 1 finding (reported only: --fail-on is high)",
        "Not seen, not decided",
        "Policies",
        "Accepted: in the result, but they do not block",
    ]
    for word in (
        "403 AuthorizationFailed",
        "ABK701 (evidence, parameter:proxy)",
        "Waived by W-7",
        "arm_vm_status did not answer",
    ):
        assert word in root.text


@pytest.mark.parametrize(
    ("include", "shown", "absent"),
    [
        (Shown.FAIL, "web01 reports Not Ready", "arm_vm_status did not answer"),
        (Shown.UNKNOWN, "arm_vm_status did not answer", "web01 reports Not Ready"),
        (Shown.WAIVED, "Waived by W-7", "web01 reports Not Ready"),
        (Shown.PASS, "Passes: Every extension", "web01 reports Not Ready"),
        (Shown.NOT_APPLICABLE, "the VM is not running", "Waived by W-7"),
    ],
)
def test_what_was_asked_for_is_shown_and_said(include: Shown, shown: str, absent: str, canonical_scan: ScanResult) -> None:
    told = page(written(canonical_scan, View(include=frozenset({include})))).root.text
    assert shown in told
    assert absent not in told
    assert f"Shown as asked for, of the rows only: {include.value.replace('_', ' ')}" in told
    assert "403 AuthorizationFailed" in told
    assert "NOT COMPLETE" in told.split("\n")[0]


def left(root: Node) -> dict[tuple[str, str], int]:
    return {(row[0], row[1]): int(row[2].replace(",", "")) for table in tables(root, "Policy") for row in table}


def test_a_hundred_thousand_findings_are_cut_by_rows_and_counted(build: Build) -> None:
    many, worse = policy("101", Severity.HIGH, title="many"), policy("901", Severity.CRITICAL, title="worse")
    root = page(written(build([(many, fails(many, 100_000), []), (worse, fails(worse, 500), [])]))).root
    shown = [len(table) for table in tables(root, "Resource")]
    assert shown[0] + shown[1] == 500
    assert left(root) == {("ABK101", "high"): 100_500 - sum(shown)}
    assert f"{sum(shown):,} of 100,500 rows are shown" in root.text
    assert sum(shown) > 4000


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (300, "x is bad."),
        (300, "€" * 3000),
        (300, "#" * 3000),
        (300, "|" * 3000),
        (300, "\x00" * 3000),
        (800, "\U0001f600" * 2000),
        (5000, "x is bad."),
    ],
)
def test_any_size_fits_and_what_is_left_out_is_exact(number: int, message: str, build: Build) -> None:
    mark = WaiverMark(id=message, owner=message, reason=message, expires=message)
    parts = []
    for at in range(number):
        info = policy(f"{at:04}", Severity(1 + at % 5), title=message, why=message, fix=f"1. {message}\n2. {message}")
        rows = fails(info, 2, message)
        rows += [finding(info, "un", Verdict.UNKNOWN, reason=Reason.MISSING, message=message)]
        rows += [finding(info, "waived", Verdict.FAIL, message=message, waiver=replace(mark, id=f"{at}{message}"))]
        rows = [replace(one, cause=message) for one in rows]
        parts.append((info, rows, [Gap(reason=Reason.FAILED, table=f"{at}{message}", subscription=message, text=message)]))
    waiting = [PolicyResult(info=policy("X", Severity.LOW, title=message), waits_for=(message,))]
    result = build(parts, waiting=waiting)
    said = written(result)
    root = page(said).root
    shown = sum(len(table) for table in tables(root, "Resource"))
    rest = re.search(r"and ([0-9,]+) rows? of ([0-9,]+) more lines? like these", root.text)
    counted = sum(left(root).values()) + (int(rest[1].replace(",", "")) if rest else 0)
    assert shown + counted == 2 * number
    assert shown > 0
    if counted:
        assert f"{shown:,} of {2 * number:,} rows are shown" in root.text
    words = [one.word.capitalize() for one in sorted(Severity, reverse=True)]
    order = [words.index(part) for one in root.all("h3") if (part := one.text.partition(":")[0]) in words]
    assert order == sorted(order)
    assert said.startswith("## ")
    assert len(tables(root, "policy")[0]) + more(root) == number + 1


def more(root: Node) -> int:
    found = re.search(r"([0-9,]+) more (policy|policies) did not fit", root.text)
    return int(found[1].replace(",", "")) if found else 0


def test_small_rows_of_many_policies_still_show_the_worst(build: Build) -> None:
    infos = [policy(f"{at:04}", Severity.CRITICAL if at == 4999 else Severity.HIGH, title="t") for at in range(5000)]
    root = page(written(build([(info, fails(info, 3), []) for info in infos]))).root
    first = tables(root, "Resource")[0]
    assert [row[0] for row in first] == ["vm00000", "vm00001", "vm00002"]
    assert root.all("h4")[0].text == "ABK4999 t (3)"


def test_rows_beyond_ten_are_folded(build: Build) -> None:
    info = policy("101", Severity.HIGH, title="t")
    root = page(written(build([(info, fails(info, 12), [])]))).root
    assert [len(table) for table in tables(root, "Resource")] == [10, 2]
    assert [one.text for one in root.all("summary")] == ["2 more", "Why, and how to fix it"]
