"""The top of the page: the decision in a word and in numbers, what makes it incomplete, and what to mend first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from reporters import console_places
from reporters.console_decision import completeness, decision
from reporters.console_lines import count
from reporters.html_bars import css
from reporters.html_markup import Markup, el, join, link
from reporters.html_parts import filtered, left_out, moment, names, section, severity, table, two_lines
from reporters.html_tally import Cause, FailedJobs, State, Tally, causes
from reporters.sanitise import one_line
from reporters.wording import LINE
from scanner.model import Outcome, ScanResult

_CAUSES = 25
_ERRORS = 25
_VERDICTS: Final = {0: ("Compliant", "good"), 1: ("Violations", "bad"), 3: ("Incomplete", "warn"), 70: ("Not finished", "bad")}
_TYPES: Final = {
    "microsoft.compute/virtualmachines": "VM",
    "microsoft.resources/subscriptions/resourcegroups": "resource group",
    "microsoft.compute/disks": "disk",
    "microsoft.recoveryservices/vaults": "vault",
    "microsoft.compute/restorepointcollections": "restore point collection",
}


def verdict(result: ScanResult) -> tuple[str, str]:
    """The decision as a word, and how it looks."""
    code, complete = result.decision.exit_code, result.decision.complete
    if code in (130, 143):
        return "Interrupted", "bad"
    if code == 0 and not complete:
        return "Incomplete, accepted", "warn"
    if code == 0 and {one.outcome for one in result.policies if one.asked} == {Outcome.NONE}:
        return "Nothing to judge", "good"
    if code == 1 and not complete:
        return "Violations, and incomplete", "bad"
    return _VERDICTS.get(code, ("Error", "bad"))


def told(result: ScanResult) -> str:
    """The decision in a sentence, as on the console."""
    sentence = decision(result).pieces[2][0]
    return sentence[:1].upper() + sentence[1:]


def headline(result: ScanResult, tally: Tally) -> Markup:
    """The decision, of what it was made, and the rows by what they are."""
    word, look = verdict(result)
    info = result.info
    packs = ", ".join(dict.fromkeys(one.info.pack for one in result.policies))
    asked = sum(one.asked for one in result.policies)
    judged = (
        f"{count(tally.total.total(), 'row')} of {count(asked, 'policy', 'policies')}"
        f" in {count(len(info.scope.expected), 'subscription')} ({info.scope.kind} scope), as of {moment(info.as_of)}"
    )
    past = ", the snapshot's own time: not a statement about today" if info.options.as_of == "snapshot" else ""
    return el(
        "section",
        el("p", packs or "no policies", class_="kicker"),
        el("h1", word, id="headline"),
        el("p", told(result), class_="told"),
        el("p", judged, past, class_="soft"),
        _tiles(tally),
        class_=f"headline {look}",
        aria_labelledby="headline",
    )


def _tiles(tally: Tally) -> Markup:
    """Numbers that lead to their rows; what blocks, fails, is not decided or passes always shows, the rest if there is any."""
    words = {
        State.BLOCKING: "blocking",
        State.FAIL: "failing, not blocking",
        State.UNKNOWN: "not decided",
        State.WAIVED: "waived",
        State.KNOWN: "known",
        State.PASS: "passing",
        State.NOT_APPLICABLE: "not applicable",
    }
    always = {State.BLOCKING, State.FAIL, State.UNKNOWN, State.PASS}
    shown = [(one, word) for one, word in words.items() if one in always or tally.total[one]]
    tiles = (_tile(one, word, tally.total[one]) for one, word in shown)
    return el("ul", *tiles, class_="tiles")


def _tile(what: State, word: str, number: int) -> Markup:
    inside = join(el("b", f"{number:,}"), " ", el("span", word))
    linked = el("a", inside, href=f"#verdict={what.name.lower()}", class_="filter") if number else el("p", inside)
    return el("li", linked, class_=css(what) if number else "zero")


def incomplete(result: ScanResult) -> Markup:
    """The band that nobody can overlook: what was not seen, and what that means."""
    if result.decision.complete:
        spare = next(completeness(result)).pieces[0][0]
        return el("p", spare, class_="band calm")
    accepted = result.decision.exit_code == 0
    words = "accepted with --allow-incomplete" if accepted else "do not read this report as compliance"
    found = f"{sum(one.counts.blocking for one in result.policies)} blocking finding"  # stands above, and is no reason to doubt
    reasons = [one for one in result.decision.reasons if not one.startswith(found)] or ["no reason was recorded"]
    return el(
        "section",
        el("h2", f"Incomplete: {words}", id="incomplete-title"),
        el("p", "What was not seen or not decided could hide a blocking finding."),
        el("ul", *(el("li", one) for one in reasons)),
        el("p", el("a", "What was seen, what was not, and why", href="#coverage")),
        class_="band alarm",
        aria_labelledby="incomplete-title",
    )


def fix_first(result: ScanResult, tally: Tally) -> Markup | None:
    """Causes that explain several findings, then the failed jobs by error."""
    places = console_places.names_in(result.info.scope)
    shared = [(text, one) for text, one in causes(tally) if one.policies.total() > 1 or len(one.affects) > 1]
    if not shared and not tally.errors:
        return None
    rows = [_cause(text, console_places.cause(text, places), one) for text, one in shared[:_CAUSES]]
    one_by_one = len(tally.causes) - len(shared)
    rest = f"{count(one_by_one, 'more cause')} with one finding each" if one_by_one else ""
    more = left_out(len(shared) - _CAUSES, "causes") or rest
    found = table("Causes that several findings share, the largest first", _CAUSE_COLUMNS, rows, more=more) if rows else None
    return section("causes", "Fix first", found, *_failed(tally), about="One cause can explain many findings: mend it once.")


_CAUSE_COLUMNS = ("Cause", "Worst", "Explains", "Policies")


def _cause(text: str, label: str, cause: Cause) -> tuple[str, ...]:
    chain = el("ol", *(el("li", one) for one in _steps(text, label, cause)), class_="chain")
    told_of = filtered(count(cause.policies.total(), "finding"), cause=text)
    return (
        two_lines(one_line(label, LINE), one_line(text, LINE)),
        severity(cause.worst),
        join(chain, told_of),
        names(sorted(cause.policies)),
    )


def _steps(text: str, label: str, cause: Cause) -> Iterator[str]:
    """From the cause to what it breaks: `1 lock`, `37 resource groups`, `412 VMs with failed backups`."""
    yield "1 lock" if label.startswith("lock ") else "1 extension" if "/extensions/" in text.lower() else "1 cause"
    if cause.affects != cause.resources.keys():
        yield _resources(cause)
    if cause.affects:
        yield count(len(cause.affects), "VM with a failed backup", "VMs with failed backups")


def _resources(cause: Cause) -> str:
    """How many resources fail, named by what they are where they are all of one kind."""
    kinds = set(cause.resources.values())
    kind = next(iter(kinds)) if len(kinds) == 1 else ""
    return count(len(cause.resources), _TYPES.get(kind, "resource"))


def _failed(tally: Tally) -> Iterator[Markup]:
    """The failed jobs by error, and the policies whose findings explain them."""
    if not tally.errors:
        return
    ordered = sorted(tally.errors.items(), key=lambda item: (-item[1].jobs, item[0]))
    yield el("h3", "Backups failed because")
    yield table(
        "Errors of failed jobs, and the findings that explain them",
        ("Error", "Failed jobs", "Because of", "Not explained"),
        [_error(error, jobs) for error, jobs in ordered[:_ERRORS]],
        more=left_out(len(ordered) - _ERRORS, "errors"),
    )


def _error(error: tuple[str, str, str], jobs: FailedJobs) -> tuple[str, ...]:
    code, title, page = error
    query = {"q": code} if code else {}
    because = [join(names([one]), f" ({number:,})") for one, number in sorted(jobs.because.items())]
    return (
        two_lines(link(code, page) if code else "an error that is not known here", title),
        filtered(f"{jobs.jobs:,}", **query, policy=min(jobs.policies)),
        join(*(part for index, one in enumerate(because) for part in (", " if index else "", one))) if because else "none",
        f"{jobs.unexplained:,}",
    )
