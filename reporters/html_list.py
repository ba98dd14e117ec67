"""The list of findings without its rows: the filters, the empty table, and what stands there where scripts do not run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from reporters.console_lines import count
from reporters.html_markup import Markup, el, join
from reporters.html_parts import section
from reporters.html_rows import QUIET, seen
from reporters.html_tally import Tally
from reporters.view import EVERYTHING, Shown, View
from scanner.model import ScanResult, Severity

_VERDICTS: Final = {
    "": "all",
    "blocking": "blocking",
    "failing": "blocking or failing",
    "fail": "failing, not blocking",
    "unknown": "not decided",
    "waived": "waived",
    "known": "known",
    "not_applicable": "not applicable",
    "pass": "passing",
}
"""The values of the filter; the script knows which states each of them means."""
_WORDS: Final = {
    Shown.PASS: "passing",
    Shown.FAIL: "failing",
    Shown.WAIVED: "waived",
    Shown.UNKNOWN: "undecided",
    Shown.NOT_APPLICABLE: "not applicable",
}


def findings(result: ScanResult, view: View, tally: Tally) -> Markup:
    """The section that the script fills."""
    return section(
        "findings",
        "Findings",
        el("noscript", _without_script(tally)),
        *_left_out(result, view),
        el(
            "div",
            _filters(result),
            el(
                "div",
                el("p", id="count", role="status", class_="count"),
                el(
                    "div",
                    el("button", "Clear filters", type="reset", id="clear", form="filters"),
                    el("button", "Export CSV", type="button", id="export"),
                    class_="buttons",
                ),
                class_="bar-line",
            ),
            el("div", id="rows"),
            el("nav", id="pages", aria_label="Pages of findings", class_="pages"),
            id="explorer",
            hidden=True,
        ),
        about="Every row with its evidence, the worst first.",
    )


def _left_out(result: ScanResult, view: View) -> Iterator[Markup]:
    """What the list does not hold; a short list must not look like a clean estate."""
    missing = EVERYTHING - (seen(result, view).include or EVERYTHING)
    if not missing:
        return
    words = " and ".join(_WORDS[one] for one in Shown if one in missing)
    why = "were not asked for" if view.include is not None else f"are listed only up to {QUIET:,} of them"
    told = f"The numbers of this page count every row. The list leaves out {words} rows: they {why} (--include)."
    yield el("p", told, class_="note")


def _without_script(tally: Tally) -> Markup:
    total = count(tally.total.total(), "row")
    return el(
        "p",
        f"The list of {total} needs JavaScript, which is off or forbidden here. Everything else on this page does not: "
        "the decision, causes, scores with every policy's why and fix, coverage and exceptions.",
        class_="note",
    )


def _filters(result: ScanResult) -> Markup:
    severities = {"": "all", **{one.word: one.word for one in sorted(Severity, reverse=True)}}
    policies = {"": "all", **{one.info.id: f"{one.info.id} {one.info.title}" for one in result.policies}}
    return el(
        "form",
        _field("Text", "q", el("input", type="search", id="f-q", name="q", autocomplete="off", spellcheck="false")),
        _select("Verdict", "verdict", _VERDICTS),
        _select("Severity", "severity", severities),
        _select("Policy", "policy", policies),
        _select("Subscription", "subscription", {"": "all"}),
        _field(
            "Resource group",
            "group",
            join(
                el("input", type="search", id="f-group", name="group", list="groups", autocomplete="off", spellcheck="false"),
                el("datalist", id="groups"),
            ),
        ),
        el("input", type="hidden", id="f-cause", name="cause"),
        id="filters",
        role="search",
        aria_label="Filter the findings",
    )


def _field(label: str, name: str, control: Markup) -> Markup:
    return el("div", el("label", label, for_=f"f-{name}"), control, class_=f"field field-{name}")


def _select(label: str, name: str, options: dict[str, str]) -> Markup:
    listed = (el("option", told, value=value) for value, told in options.items())
    return _field(label, name, el("select", *listed, id=f"f-{name}", name=name))
