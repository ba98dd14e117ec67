"""What was seen, what was not and why: the scope, the rights, every table asked, every gap, and what was not asked at all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

from reporters.advice import ADVICE
from reporters.console_gaps import grouped
from reporters.console_lines import count
from reporters.console_places import some
from reporters.html_markup import Markup, el, join
from reporters.html_parts import LISTED, facts, filtered, left_out, names, section, table, two_lines
from reporters.html_tally import Tally
from scanner.model import Identity, LedgerEntry, ScanResult, Scope

_KINDS: Final = {
    "proven": "Proven: the subscriptions were listed beforehand, and each of them must answer.",
    "discovered": "Discovered: whatever the identity sees. A subscription that it cannot see is not missed.",
}
_OFFLINE = "Not known: the answers come from a snapshot, whose manifest says which subscriptions answered."


def coverage(result: ScanResult, tally: Tally) -> Markup:
    """The whole section."""
    return section(
        "coverage",
        "Coverage",
        facts(_scope(result)),
        *_gaps(result),
        *_undecided(tally),
        _subscriptions(result),
        _ledger(result),
        *_not_asked(result),
        about="A result is worth as much as what it saw.",
    )


def _scope(result: ScanResult) -> Iterator[tuple[str, str]]:
    scope = result.info.scope
    yield "Scope", _KINDS.get(scope.kind, scope.kind)
    yield "Expected", count(len(scope.expected), "subscription")
    yield "Management groups", ", ".join(scope.management_groups)
    yield "Rights", _rights(result.info.identity)
    yield "Source", result.info.source


def _rights(identity: Identity | None) -> str:
    """Whose eyes saw this: another identity may see more, or less."""
    if identity is None:
        return _OFFLINE
    tenant = f" of tenant {identity.tenant}" if identity.tenant else ""
    return f"Those of {identity.object_id or 'an identity without an object id'}{tenant} (credential: {identity.credential})"


def _gaps(result: ScanResult) -> Iterator[Markup]:
    gaps = grouped(result)
    yield el("h3", "Not seen")
    if not gaps:
        asked = any(policy.asked for policy in result.policies)
        seen, unseen = "Nothing: every subscription answered every question.", "No question was asked, so nothing was seen."
        yield el("p", seen if asked else unseen)
        return
    known = _names(result.info.scope)
    rows = [
        (
            two_lines(gap.reason, f"{gap.table}: {gap.text}" if gap.table else gap.text),
            some([known.get(one) or one for one in subscriptions]) or "all",
            names(policies[:LISTED]),
            "could hide a blocking finding" if gap.counts else "cannot change the decision",
            ADVICE[gap.reason],
        )
        for gap, subscriptions, policies in gaps[:LISTED]
    ]
    columns = ("Reason", "Subscriptions", "Missing for", "Effect", "What to do")
    yield table("What was not seen, and why", columns, rows, more=left_out(len(gaps) - LISTED, "gaps"))


def _undecided(tally: Tally) -> Iterator[Markup]:
    yield el("h3", "Not decided")
    if not tally.unknown:
        yield el("p", "Nothing: every row that was seen has a verdict or a waiver.")
        return
    rows = [
        (
            reason or "UNKNOWN",
            filtered(f"{policies.total():,}", verdict="unknown", **({"q": reason.value} if reason else {})),
            names(sorted(policies)),
            ADVICE[reason] if reason else "none",
        )
        for reason, policies in sorted(tally.unknown.items(), key=lambda item: (-item[1].total(), item[0] or ""))
    ]
    yield table("Rows without a verdict, and why", ("Reason", "Rows", "Policies", "What to do"), rows)


def _subscriptions(result: ScanResult) -> Markup:
    """Each expected subscription with what it answered, those that did not answer everything first."""
    known = {one.id: one for one in result.info.scope.subscriptions}
    answered = [(entry.table, frozenset(entry.answered)) for entry in result.ledger]
    missing = {one: [name for name, ids in answered if one not in ids] for one in dict.fromkeys(result.info.scope.expected)}
    ordered = sorted(missing, key=lambda one: (-len(missing[one]), known[one].name if one in known else "", one))
    rows = [
        (
            two_lines(known[one].name or one if one in known else one, one),
            known[one].state if one in known else "not seen",
            f"{len(result.ledger) - len(missing[one])} of {len(result.ledger)}",
            some(missing[one]) or "none",
        )
        for one in ordered[:LISTED]
    ]
    columns = ("Subscription", "State", "Questions answered", "Not answered")
    more = left_out(len(ordered) - LISTED, "subscriptions")
    return join(
        el("h3", "Subscriptions"), table("What each subscription answered, the incomplete ones first", columns, rows, more=more)
    )


def _ledger(result: ScanResult) -> Markup:
    expected = frozenset(result.info.scope.expected)
    rows = [(two_lines(one.table, one.digest[:16]), f"{one.rows:,}", _share(one, expected)) for one in result.ledger[:LISTED]]
    columns = ("Query or side table", "Rows", "Subscriptions that answered")
    caption = "Every query and side table, asked once for all policies"
    more = left_out(len(result.ledger) - LISTED, "questions")
    return join(el("h3", "Questions asked"), table(caption, columns, rows, more=more))


def _share(entry: LedgerEntry, expected: frozenset[str]) -> str:
    return f"{len(expected & set(entry.answered)):,} of {len(expected):,}"


def _not_asked(result: ScanResult) -> Iterator[Markup]:
    """Policies that wait for something, together with those that wait for the same."""
    waiting: defaultdict[str, list[str]] = defaultdict(list)
    for policy in result.policies:
        if not policy.asked:
            what = ", ".join(policy.waits_for).replace(f"(--policy {policy.info.id})", "by --policy")
            waiting[what].append(policy.info.id)
    if waiting:
        yield el("h3", "Not asked")
        rows = [(what, str(len(ids)), ", ".join(ids)) for what, ids in waiting.items()]
        yield table("Policies that say nothing, because they were not asked", ("Waits for", "Policies", "Which"), rows)


def _names(scope: Scope) -> Mapping[str, str]:
    return {one.id: one.name for one in scope.subscriptions}
