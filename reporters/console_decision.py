"""The head of the console report: the decision, whether it is complete, and what was looked at."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime

from reporters.console_lines import BLANK, Line, count, line, threshold
from reporters.console_places import listed, names_in, some
from scanner.model import Identity, Outcome, ScanResult, Scope

_WORDS = {0: ("PASS", "bold green"), 1: ("FAIL", "bold red"), 3: ("INCOMPLETE", "bold yellow"), 70: ("BUG", "bold red")}
_INTERRUPTED = (130, 143)


def decision(result: ScanResult) -> Line:
    """The decision in one line; the first and the last of the report."""
    word, style = _word(result)
    return Line(pieces=((word, style), (f"  exit {result.decision.exit_code}  ", "bold"), (_told(result), "")), hang=2)


def completeness(result: ScanResult) -> Iterator[Line]:
    """Whether anything is missing, and whether that could change the decision."""
    if not result.decision.complete:
        yield line("Not complete: what is missing could hide a blocking finding.", "bold yellow", hang=2)
        return
    spare = sum(len(policy.gaps) for policy in result.policies)
    undecided = sum(policy.counts.unknown for policy in result.policies)
    if spare or undecided:
        parts = [count(spare, "gap")] if spare else []
        parts += [count(undecided, "undecided row")] if undecided else []
        yield line(f"Complete for this decision: {' and '.join(parts)} cannot change it.", hang=2)
    else:
        yield line("Complete: everything expected was seen, every row was decided.", hang=2)


def facts(result: ScanResult) -> Iterator[Line]:
    """Reasons, what was judged, scope, source, time, profile and changed parameters."""
    info = result.info
    if not result.decision.complete:
        yield from _rows("Reasons", list(result.decision.reasons) or ["no reason was recorded"])
    rows = sum(policy.counts.rows for policy in result.policies)
    asked = sum(policy.asked for policy in result.policies)
    yield _fact("Judged", f"{count(rows, 'row')} of {count(asked, 'policy', 'policies')}")
    yield from _rows("Scope", list(_scope(info.scope)))
    collected = f", collected {_time(info.collected_at)}" if info.collected_at else ""
    yield _fact("Source", f"{info.source}{collected}")
    if info.identity:
        yield _fact("Asked by", _who(info.identity))
    if info.options.as_of == "snapshot":
        yield _fact("As of", f"{_time(info.as_of)}, the snapshot's own time: not a statement about today", "yellow")
    yield _fact("Fails on", f"findings {threshold(info.options)}")
    if info.options.profile:
        yield _fact("Profile", info.options.profile)
    changed = list(_changed(result))
    if changed:
        yield _fact("Changed", "; ".join(changed))
    waiting = "; ".join(_waiting(result))
    if waiting:
        yield _fact("Not asked", f"{waiting}; waits for what stands in brackets")
    yield BLANK


def _waiting(result: ScanResult) -> Iterator[str]:
    """The policies that were not asked, together with those that wait for the same thing."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for policy in result.policies:
        if not policy.asked:
            groups[", ".join(policy.waits_for).replace(f"(--policy {policy.info.id})", "by --policy")].append(policy.info.id)
    yield from (f"{some(ids)} ({what})" for what, ids in groups.items())


def _word(result: ScanResult) -> tuple[str, str]:
    code = result.decision.exit_code
    if code in _INTERRUPTED:
        return "INTERRUPTED", "bold yellow"
    if code == 0 and not result.decision.complete:
        return "PASS, NOT COMPLETE", "bold yellow"
    if code == 0 and _nothing(result):
        return "NOTHING TO JUDGE", "bold green"
    return _WORDS.get(code, ("ERROR", "bold red"))


def _nothing(result: ScanResult) -> bool:
    return {policy.outcome for policy in result.policies if policy.asked} == {Outcome.NONE}


def _told(result: ScanResult) -> str:
    code = result.decision.exit_code
    blocking = [policy.counts.blocking for policy in result.policies if policy.counts.blocking]
    where = count(len(blocking), "policy", "policies")
    found = f"{count(sum(blocking), 'finding')} {threshold(result.info.options)} in {where}"
    if code == 1:
        return found if result.decision.complete else f"{found}, not everything seen"
    if code == 0:
        told = "there was nothing to judge: every population is proven empty" if _nothing(result) else _harmless(result)
        return told if result.decision.complete else f"{told}, but what was not seen was accepted with --allow-incomplete"
    if code == 3:
        return "nothing blocks, but something that counts was not seen or not decided"
    told = next(iter(result.decision.reasons), "the scan did not end as it should")
    return f"{told}; this report is partial"


def _harmless(result: ScanResult) -> str:
    counts = [policy.counts for policy in result.policies]
    numbers = {
        "pass": sum(one.passed for one in counts),
        "fail without blocking": sum(one.failed for one in counts),
        "not decided": sum(one.unknown for one in counts),
        "not applicable": sum(one.not_applicable for one in counts),
    }
    told = ", ".join(f"{number:,} {verdict}" for verdict, number in numbers.items() if number)
    return f"nothing blocks; of {count(sum(numbers.values()), 'row')} {told}" if told else "nothing blocks"


def _changed(result: ScanResult) -> Iterator[str]:
    """Parameters that are not the pack's defaults, each once with the policies that read it."""
    readers: dict[str, list[str]] = {}
    for policy in result.policies:
        for name, entry in sorted(policy.info.params.items()):
            if entry["origin"] != "default":
                told = f"{name} = {json.dumps(entry['value'], ensure_ascii=False, sort_keys=True)} ({entry['origin']})"
                readers.setdefault(told, []).append(policy.info.id)
    return (f"{told} in {', '.join(policies)}" for told, policies in readers.items())


def _fact(name: str, text: str, style: str = "") -> Line:
    return Line(pieces=((f"{name:<11}", "dim"), (text, style)), indent=2, hang=11)


def _rows(name: str, texts: list[str]) -> Iterator[Line]:
    """A fact of several lines, named on the first."""
    return (_fact("" if number else name, text) for number, text in enumerate(texts))


def _scope(scope: Scope) -> Iterator[str]:
    told = {"proven": "proven (listed, each one must answer)", "discovered": "discovered (whatever this identity sees)"}
    groups = f", management groups {', '.join(scope.management_groups)}" if scope.management_groups else ""
    yield f"{count(len(scope.expected), 'subscription')}, {told.get(scope.kind, scope.kind)}{groups}"
    if scope.expected:
        yield listed(scope.expected, names_in(scope))


def _who(identity: Identity) -> str:
    """Whose eyes saw this: another identity may see more, or less."""
    tenant = f" of tenant {identity.tenant}" if identity.tenant else ""
    return f"{identity.object_id or 'an identity without an object id'}{tenant} ({identity.credential})"


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
