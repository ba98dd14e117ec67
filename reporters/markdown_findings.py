"""The findings of the Markdown summary: cut by rows to the room that is left, the most severe kept, the rest counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby

from reporters import wording
from reporters.console_digest import Digest
from reporters.console_findings import STEP, steps
from reporters.console_lines import count
from reporters.console_places import names_in, place
from reporters.markdown_text import folded, link, row, size, text
from reporters.rows import rows
from reporters.view import Shown, View, shown
from scanner.model import Finding, PolicyInfo, PolicyResult, ScanResult, Severity

_OPEN = 10
"""Rows of one policy that are not folded away."""
_HEADER = row(("Resource", "Where", "Finding")) + row(("---", "---", "---"))
_FOLD = 300
"""Bytes that folding rows away and a part's headings take at most."""
_SHARE = 4_000
"""Bytes that a policy gets at least while there are any: a few whole rows say more than headings alone."""
_WORDS = {Shown.PASS: "Pass", Shown.NOT_APPLICABLE: "Not applicable"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The rows of one policy that are shown as one thing: open fails of one severity, or what was asked for besides."""

    kind: Shown
    severity: Severity
    policy: PolicyResult
    total: int

    def holds(self, finding: Finding) -> bool:
        """Whether a row belongs here."""
        mine = shown(finding) is self.kind
        return mine and (self.kind is not Shown.FAIL or (finding.severity is self.severity and not finding.known))


@dataclass(slots=True)
class Shelf:
    """What was written, in how much room it had to fit, how many rows there are and what was left out of which group."""

    room: int
    written: list[str] = field(default_factory=list)
    total: int = 0
    left: dict[tuple[Shown, Severity, str], int] = field(default_factory=dict)

    def put(self, piece: str) -> None:
        """Write what is known to fit."""
        self.written.append(piece)
        self.room -= size(piece)


def findings(result: ScanResult, read: Digest, view: View, shelf: Shelf) -> None:
    """Write each group into its share of the room; groups of one severity share alike, and what one leaves goes to the next."""
    writer = _Writer(result=result, shelf=shelf, names=names_in(result.info.scope))
    for (kind, severity), same in groupby(_groups(result, read, view), key=lambda group: (group.kind, group.severity)):
        groups = list(same)
        total = sum(group.total for group in groups)
        shelf.total += total
        heading = _heading(result, kind, severity, total)
        if size(heading) + _FOLD < shelf.room:
            shelf.put(heading)
        for at, group in enumerate(groups):
            writer.write(group, min(shelf.room, max(shelf.room // (len(groups) - at), _SHARE)))


def _groups(result: ScanResult, read: Digest, view: View) -> Iterator[Group]:
    policies = {policy.info.id: policy for policy in result.policies}
    fails = sorted(read.fails.items(), key=lambda item: (-item[0][0], item[0][1]))
    for (severity, code), sample in fails:
        yield Group(kind=Shown.FAIL, severity=severity, policy=policies[code], total=sample.total)
    for kind in _WORDS:
        for policy in result.policies if kind in (view.include or ()) else ():
            total = sum(shown(finding) is kind for _, finding in rows(result, policy))
            if total:
                yield Group(kind=kind, severity=Severity.INFO, policy=policy, total=total)


def _heading(result: ScanResult, kind: Shown, severity: Severity, total: int) -> str:
    if kind is not Shown.FAIL:
        return f"### {_WORDS[kind]}: {count(total, 'row')}\n\n"
    limit = result.info.options.fail_on
    effect = (
        "" if limit is not None and severity >= limit else f" (reported only: --fail-on is {limit.word if limit else 'never'})"
    )
    return f"### {severity.word.capitalize()}: {count(total, 'finding')}{effect}\n\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Writer:
    """Writes groups of one result; why and fix stand once for each policy."""

    result: ScanResult
    shelf: Shelf
    names: Mapping[str, str]
    explained: set[str] = field(default_factory=set)

    def write(self, group: Group, share: int) -> None:
        """Write what fits of a group into its share, and count the rest."""
        info, shelf = group.policy.info, self.shelf
        heading = f"#### {text(info.id, 60)} {text(info.title, 200)} ({group.total:,})\n\n{_HEADER}"
        fixed = size(heading) + 2 * _FOLD
        why = self._why(group, (share - fixed) // 2)
        fixed += size(why)
        kept = self._kept(group, share - fixed, shelf.room - fixed)
        left = group.total - len(kept)
        if left:
            shelf.left[group.kind, group.severity, info.id] = left
        if not kept:
            return
        shelf.put(f"{heading}{''.join(kept[:_OPEN])}\n")
        if kept[_OPEN:]:
            shelf.put("".join(folded(f"{len(kept) - _OPEN:,} more", (_HEADER, *kept[_OPEN:]))))
        if left:
            shelf.put(f"{left:,} more did not fit.\n\n")
        shelf.put(why)
        self.explained.add(info.id)

    def _why(self, group: Group, room: int) -> str:
        if group.kind is not Shown.FAIL or group.policy.info.id in self.explained or room < _FOLD:
            return ""
        written = "".join(_explanation(group.policy.info))
        return written if size(written) <= room else ""

    def _kept(self, group: Group, share: int, room: int) -> list[str]:
        """The first rows of a group that fit its share together, or the one that fits the room; read again rather than kept."""
        kept: list[str] = []
        used = 0
        if room < _FOLD:
            return kept
        for finding in filter(group.holds, self.result.findings.of(group.policy.info.id)):
            written = _row(finding, group.policy.info, self.names)
            used += size(written)
            if used > (share if kept else room):
                break
            kept.append(written)
        return kept


def _row(finding: Finding, info: PolicyInfo, names: Mapping[str, str]) -> str:
    told = [wording.message(finding, info), *wording.failure(finding)]
    where = place(finding.resource.display_id, names)
    return row((text(wording.subject(finding), 200), text(where, 300), "<br>".join(text(one, 600) for one in told)))


def _explanation(info: PolicyInfo) -> Iterator[str]:
    lines = [f"**Why.** {text(info.why, 3000)}\n\n", *_fix(info)]
    lines += [f"\nSee {link(page, 300)}\n" for page in info.references[:1]]
    return folded("Why, and how to fix it", lines)


def _fix(info: PolicyInfo) -> Iterator[str]:
    """The steps as a numbered list; what stands before the first number is a sentence."""
    number = 0
    for told in steps(info.fix):
        step = STEP.match(told)
        number += bool(step)
        written = text(told[step.end() :] if step else told, 1500)
        yield f"{number}. {written}\n" if step else f"{written}\n\n" if written else ""


def left_out(shelf: Shelf, room: int) -> Iterator[str]:
    """How many rows of which policy did not fit, the most severe first; the rest of the list is counted."""
    if not shelf.left:
        return
    several = f"{count(sum(shelf.left.values()), 'row')} did not fit into this summary; the other formats hold them all."
    header = row(("Policy", "Rows", "Left out")) + row(("---", "---", "---:"))
    heading = f"### Left out\n\n{several}\n\n{header}"
    room -= size(heading) + _FOLD
    rest, policies = dict(shelf.left), len(shelf.left)
    yield heading
    for key, number in shelf.left.items():
        kind, severity, code = key
        written = row((text(code, 60), severity.word if kind is Shown.FAIL else kind.value.replace("_", " "), f"{number:,}"))
        room -= size(written)
        if room < 0:
            break
        del rest[key]
        yield written
    if rest:
        yield f"\nand {count(sum(rest.values()), 'row')} of {count(len(rest), 'more line')} like these, {policies:,} in all.\n"
    yield "\n"
