"""What was found: causes, then findings by severity and policy, then what was accepted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from reporters import console_places, wording
from reporters.console_digest import SHOWN, Digest
from reporters.console_lines import BLANK, SEVERITY_STYLES, Line, count, heading, line
from reporters.console_places import names_in, place
from reporters.sanitise import clean, one_line
from scanner.model import Finding, Options, PolicyInfo, ScanResult, Severity

_CAUSES = 10
_FEWEST = 5
_WAIVERS = 10
STEP = re.compile(r"\s*(?:[0-9]{1,2}[.)]|[-*]) +")


def causes(result: ScanResult, digest: Digest) -> Iterator[Line]:
    """Causes that several findings share, the largest first: mending one mends them all."""
    names = names_in(result.info.scope)
    several = {cause: found for cause, found in digest.causes.items() if sum(found.values()) > 1}
    shared = sorted(several.items(), key=lambda item: (-sum(item[1].values()), item[0]))
    if not shared:
        return
    yield heading("One cause, several findings")
    for cause, found in shared[:_CAUSES]:
        told = one_line(console_places.cause(cause, names), wording.LINE)
        effect = f"  ->  {count(sum(found.values()), 'finding')} of {', '.join(sorted(found))}"
        yield Line(pieces=((told, "bold"), (effect, "")), indent=2, hang=2)
    if len(shared) > _CAUSES:
        yield line(f"and {count(len(shared) - _CAUSES, 'more cause')}", "dim", indent=2)
    yield BLANK


def findings(result: ScanResult, digest: Digest) -> Iterator[Line]:
    """Open findings, the worst first; why and fix stand once for each policy."""
    policies = {policy.info.id: policy.info for policy in result.policies}
    groups = sorted(digest.fails.items(), key=lambda item: (-item[0][0], item[0][1]))
    names = names_in(result.info.scope)
    share, left = max(_FEWEST, SHOWN // max(1, len(groups))), SHOWN
    explained: set[str] = set()
    for severity, same in groupby(groups, key=lambda item: item[0][0]):
        listed = list(same)
        yield _severity(severity, sum(sample.total for _, sample in listed), result.info.options)
        for (_, policy), sample in listed:
            shown = min(share, left)
            left -= min(shown, sample.total)
            yield from _group(policies[policy], sample.total, sample.rows[:shown], names)
            yield from _explanation(policies[policy]) if policy not in explained else ()
            explained.add(policy)
            yield BLANK


def accepted(digest: Digest) -> Iterator[Line]:
    """What does not block because somebody accepted it."""
    if not digest.waivers and not digest.known:
        return
    yield heading("Accepted: in the result, but they do not block")
    waivers = sorted(digest.waivers.items(), key=lambda item: (item[0].id, item[0].owner, item[0].expires, item[0].reason))
    for mark, number in waivers[:_WAIVERS]:
        yield line(f"{count(number, 'row')}  {wording.waived(mark)}", indent=2, hang=2)
    if len(waivers) > _WAIVERS:
        rest = waivers[_WAIVERS:]
        yield line(f"{count(sum(number for _, number in rest), 'row')}  by {count(len(rest), 'more waiver')}", indent=2)
    if digest.known:
        yield line(f"{count(digest.known, 'row')}  known: in the baseline", indent=2)
    yield BLANK


def _severity(severity: Severity, total: int, options: Options) -> Line:
    blocks = options.fail_on is not None and severity >= options.fail_on
    limit = options.fail_on.word if options.fail_on else "never"
    effect = "" if blocks else f"  reported only: --fail-on is {limit}"
    return Line(
        pieces=((severity.word.upper(), SEVERITY_STYLES[severity]), (f"  {count(total, 'finding')}", "bold"), (effect, "dim"))
    )


def _group(policy: PolicyInfo, total: int, rows: Sequence[Finding], names: Mapping[str, str]) -> Iterator[Line]:
    pieces = ((policy.id, "bold"), (f"  {policy.title}", ""), (f"  ({total:,})", "dim"))
    yield Line(pieces=pieces, indent=2, hang=len(policy.id) + 2)
    for finding in rows:
        yield Line(pieces=(("x ", "bold red"), (wording.sentence(finding, policy), "")), indent=4, hang=2)
        yield line(place(finding.resource.display_id, names), "dim", indent=6, fold=False)
        yield from (line(told, indent=6, hang=2) for told in wording.failure(finding))
    if total > len(rows):
        yield line(f"and {total - len(rows):,} more; -o native=FILE holds every row", "dim", indent=4)


def _explanation(policy: PolicyInfo) -> Iterator[Line]:
    yield Line(pieces=(("Why  ", "bold"), (" ".join(clean(policy.why).split()), "")), indent=4, hang=5)
    for number, text in enumerate(steps(policy.fix)):
        step = STEP.match(text)
        hang = 5 + (len(step[0]) if step else 0)
        yield Line(pieces=(("     " if number else "Fix  ", "bold"), (text, "")), indent=4, hang=hang)
    for page in policy.references[:1]:
        yield Line(pieces=(("See  ", "bold"), (page, "dim")), indent=4, fold=False)


def steps(fix: str) -> list[str]:
    """A fix as one text for each step: the author's line breaks are undone, because every terminal has its own width."""
    steps: list[str] = []
    for text in clean(fix).strip().split("\n"):
        if not steps or STEP.match(text):
            steps.append(text.rstrip())
        else:
            steps[-1] = f"{steps[-1]} {text.strip()}".rstrip()
    return steps
