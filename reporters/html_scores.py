"""The score by severity, by subscription and by policy; every policy opens to its why, its fix and its parameters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import groupby

from reporters import wording
from reporters.console_findings import STEP, steps
from reporters.html_bars import bar, both, legend, numbers
from reporters.html_markup import Markup, el, join, link
from reporters.html_parts import facts, filtered, left_out, section, severity, table, two_lines
from reporters.html_tally import Score, State, Tally
from reporters.sanitise import clean
from scanner.model import Outcome, PolicyInfo, PolicyResult, ScanResult

_SUBSCRIPTIONS = 50
_ORDER = (
    Outcome.VIOLATIONS,
    Outcome.INCOMPLETE,
    Outcome.COMPLIANT,
    Outcome.NOT_APPLICABLE,
    Outcome.NONE,
    Outcome.NOT_ASKED,
)
_NONE: Score = Score()


def scores(result: ScanResult, tally: Tally) -> Markup:
    """All three scores."""
    return section(
        "score",
        "Score",
        legend(),
        el("div", _severities(tally), _subscriptions(result, tally), class_="pair"),
        el("h3", "By policy"),
        *_policies(result, tally),
        about="Every number leads to its rows. A policy opens to why it matters, how to mend it and what it was asked with.",
    )


def _severities(tally: Tally) -> Markup:
    found = sorted(tally.severities.items(), key=lambda item: -item[0])
    rows = [(join(severity(level), _open(score, severity=level.word)), both(score)) for level, score in found]
    return el("div", el("h3", "By severity"), table("Rows by severity", ("Severity", "Rows"), rows))


def _subscriptions(result: ScanResult, tally: Tally) -> Markup:
    known = {one.id: one.name for one in result.info.scope.subscriptions}
    ids = {*result.info.scope.expected, *tally.subscriptions}
    ordered = sorted(ids, key=lambda one: (*_worst(tally.subscriptions.get(one, _NONE)), known.get(one, ""), one))
    rows = [_subscription(one, known, tally.subscriptions.get(one, _NONE)) for one in ordered[:_SUBSCRIPTIONS]]
    more = left_out(len(ordered) - _SUBSCRIPTIONS, "subscriptions")
    caption = "Rows by subscription, the worst first"
    return el("div", el("h3", "By subscription"), table(caption, ("Subscription", "Rows"), rows, more=more))


def _subscription(one: str, known: Mapping[str, str], score: Score) -> tuple[str, str]:
    named = two_lines(known.get(one) or one or "(none)", one)
    return join(named, _open(score, subscription=one)), both(score)


def _open(score: Score, **filters: str) -> Markup | None:
    """A link to the rows, if there are any."""
    return el("span", filtered("show rows", **filters), class_="second") if score.total() else None


def _worst(score: Score) -> tuple[int, int, int]:
    return -score[State.BLOCKING], -score[State.FAIL], -score[State.UNKNOWN]


def _policies(result: ScanResult, tally: Tally) -> Iterator[Markup]:
    """Policies by their result, what needs a hand first."""

    def order(one: PolicyResult) -> tuple[int, tuple[int, int, int], str]:
        return _ORDER.index(one.outcome), _worst(tally.policies.get(one.info.id, _NONE)), one.info.id

    for outcome, same in groupby(sorted(result.policies, key=order), key=lambda one: one.outcome):
        group = list(same)
        name = f"{outcome.value.replace('_', ' ').capitalize()} ({len(group)})"
        listed = el("ul", *(el("li", _policy(one, tally)) for one in group), class_="policies")
        if outcome is Outcome.NOT_ASKED:  # nothing is known of them: folded away, and told in the coverage
            yield el("details", el("summary", name), listed, class_="fold")
        else:
            yield join(el("h4", name, class_="outcome"), listed)


def _policy(policy: PolicyResult, tally: Tally) -> Markup:
    info, score = policy.info, tally.policies.get(policy.info.id, _NONE)
    gaps = el("span", f"{len(policy.gaps)} {'gap' if len(policy.gaps) == 1 else 'gaps'}", class_="badge gap")
    summary = el(
        "summary",
        el("span", el("b", info.id), severity(info.severity), gaps if policy.gaps else None, class_="tags"),
        el("span", info.title, class_="title"),
        bar(score) if policy.asked else None,
        _numbers(policy, score),
    )
    shown = el("p", filtered("Show its rows", policy=info.id)) if score.total() else None
    return el("details", summary, el("div", shown, *_gaps(policy), explanation(info), class_="inside"), id=f"policy-{info.id}")


def _numbers(policy: PolicyResult, score: Score) -> Markup:
    """The rows by what they are, or why there are none."""
    if policy.asked and policy.outcome is not Outcome.NONE:
        return numbers(score)
    told = "nothing to judge (proven)" if policy.asked else f"waits for {', '.join(policy.waits_for)}"
    return el("span", told, class_="numbers")


def _gaps(policy: PolicyResult) -> Iterator[Markup]:
    if policy.gaps:
        yield el("h5", "Not seen")
        yield el("ul", *(el("li", wording.gap(one)) for one in policy.gaps[:20]))
        rest = left_out(len(policy.gaps) - 20, "gaps")
        yield el("p", rest, class_="soft") if rest else join()


def explanation(info: PolicyInfo) -> Markup:
    """Why a policy matters, how to mend what it finds, and where that is told; the list of findings shows a copy of it."""
    pages = [el("li", link(page, page)) for page in info.references]
    return el(
        "div",
        el("h5", "Why it matters"),
        *(el("p", paragraph) for paragraph in re.split(r"\n\s*\n", clean(info.why).strip())),
        el("h5", "How to fix it"),
        *_fix(info.fix),
        el("h5", "Read more") if pages else None,
        el("ul", *pages) if pages else None,
        facts([*_parameters(info), ("Policy file", f"{info.file}, line {info.line}"), ("Explains", ", ".join(info.explains))]),
        class_="explain",
    )


def _parameters(info: PolicyInfo) -> Iterator[tuple[str, str]]:
    for name, entry in sorted(info.params.items()):
        yield f"Parameter {name}", f"{wording.value(entry['value'])} ({entry['origin']})"


def _fix(fix: str) -> Iterator[Markup]:
    """A list, if the author wrote one."""
    told = steps(fix)
    found = [STEP.match(one) for one in told]
    texts = [one[step.end() :] if step else one for one, step in zip(told, found, strict=True)]
    if any(found):
        yield el("ol", *(el("li", one) for one in texts))
    else:
        yield from (el("p", one) for one in texts if one)
