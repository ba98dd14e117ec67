"""What the CI channels annotate: at most ten of a level, the most important first, and the last says what is not shown.

GitHub and Azure Pipelines both keep ten errors and ten warnings of a step and drop the others without a word
(github.com/actions/runner, `ExecutionContext.cs`; github.com/microsoft/azure-pipelines-agent, `ExecutionContext.cs`).

An error is what ends the run: a finding that blocks, and what was not seen or not decided and could hide one. With
`--allow-incomplete` the latter is a warning, since the run goes on. Of the findings that do not block, those of medium
severity and above are warnings and the others notices. What cannot change the decision is a notice. Waived and known rows
and passes are no annotation. Findings stand one by one while they fit; else those of one policy and severity stand together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from reporters import wording
from reporters.advice import ADVICE
from reporters.console_decision import decision
from reporters.console_digest import Sample
from reporters.console_gaps import grouped
from reporters.console_lines import count
from reporters.console_places import listed, names_in, place, some
from reporters.rows import rows
from reporters.sanitise import console_safe, one_line
from reporters.view import Profile, Shown, View
from scanner.model import Finding, PolicyInfo, PolicyResult, ScanResult, Severity, Verdict, blocks, hides

CHANNEL: Final[Mapping[str, Profile]] = {"": Profile(choices=frozenset({Shown.FAIL, Shown.UNKNOWN}))}
"""The profiles of a channel. What the scan itself did not see is told whatever was asked for."""
MOST: Final = 10
"""Annotations of one level that a runner keeps."""
_TITLE = 200
_NAMED = 5


class Level(IntEnum):
    """How loud an annotation is, the loudest first."""

    ERROR = 1
    WARNING = 2
    NOTICE = 3

    @property
    def word(self) -> str:
        """The lower-case word that the runners use."""
        return self.name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """One line for a runner, clean but not escaped. `code` is a policy's id or a reason; `line` is one of `file`."""

    level: Level
    title: str
    text: str
    code: str = ""
    file: str = ""
    line: int = 0


_Key = tuple[Level, int, str, str]
"""What orders and groups rows: level, fails by falling severity before unknowns, policy, reason."""


def told(result: ScanResult) -> Iterator[str]:
    """The lines that are meant for people alone: the decision, and what was not asked."""
    word, _, why = (piece for piece, _ in decision(result).pieces)
    yield _plain(f"arguard: {word} (exit {result.decision.exit_code}): {why}", wording.LINE)
    waiting = [f"{policy.info.id} (waits for {', '.join(policy.waits_for)})" for policy in result.policies if not policy.asked]
    if waiting:
        yield _plain(f"arguard: not asked: {some(waiting)}", wording.LINE)


def selected(result: ScanResult, view: View) -> Iterator[Annotation]:
    """Every annotation, the errors first; RuntimeError if the verdicts do not add up."""
    groups = _groups(result, view)
    for level in Level:
        yield from _cut(level, list(_of(level, result, groups)))


def _groups(result: ScanResult, view: View) -> dict[_Key, Sample]:
    groups: dict[_Key, Sample] = {}
    for policy in result.policies:
        for _, finding in rows(result, policy, view):
            key = _key(finding, policy.info, result)
            if key:
                groups.setdefault(key, Sample()).add(finding)
    return dict(sorted(groups.items()))


def _key(finding: Finding, info: PolicyInfo, result: ScanResult) -> _Key | None:
    """Where a row belongs; None for what is no annotation."""
    options = result.info.options
    if finding.waiver or finding.verdict not in {Verdict.FAIL, Verdict.UNKNOWN}:
        return None
    if finding.verdict is Verdict.UNKNOWN:
        return (_missing(result) if hides(finding, info, options) else Level.NOTICE), 0, info.id, finding.reason or ""
    if finding.known:
        return None
    mild = Level.WARNING if finding.severity >= Severity.MEDIUM else Level.NOTICE
    return (Level.ERROR if blocks(finding, options) else mild), -finding.severity, info.id, ""


def _missing(result: ScanResult) -> Level:
    """How loud that is what counts and was not seen."""
    return Level.ERROR if result.decision.exit_code else Level.WARNING


def _of(level: Level, result: ScanResult, groups: Mapping[_Key, Sample]) -> Iterator[tuple[int, Annotation]]:
    """The annotations of one level before the cut, each with how many findings, rows or gaps it stands for."""
    yield from _incomplete(level, result)
    policies = {policy.info.id: policy for policy in result.policies}
    mine = [(key, policies[key[2]], group) for key, group in groups.items() if key[0] is level]
    undecided = [(group.total, _undecided(level, policy, group)) for key, policy, group in mine if not key[1]]
    others = [*_gaps(level, result), *undecided]
    fails = [(policy.info, group) for key, policy, group in mine if key[1]]
    names = names_in(result.info.scope)
    alone = sum(group.total for _, group in fails) + len(others) < MOST
    for info, group in fails:
        if alone or group.total == 1:
            yield from ((1, _finding(level, info, one, names)) for one in group.rows)
        else:
            yield group.total, _findings(level, info, group)
    yield from others


def _incomplete(level: Level, result: ScanResult) -> Iterator[tuple[int, Annotation]]:
    if not result.decision.complete and level is _missing(result):
        reasons = "; ".join(result.decision.reasons) or "no reason was recorded"
        text = f"What is missing could hide a blocking finding: {reasons}"
        yield 1, _annotation(level, "Not complete", text, code="INCOMPLETE")


def _cut(level: Level, found: Sequence[tuple[int, Annotation]]) -> Iterator[Annotation]:
    """What fits; where something does not, the last place says how much."""
    shown = found if len(found) <= MOST else found[: MOST - 1]
    yield from (one for _, one in shown)
    if len(found) > len(shown):
        rest = sum(number for number, _ in found[len(shown) :])
        text = f"{rest:,} more findings, undecided rows and gaps of this level are not shown here; other formats hold them all."
        yield _annotation(level, f"{rest:,} more", text, code="MORE")


def _finding(level: Level, info: PolicyInfo, finding: Finding, names: Mapping[str, str]) -> Annotation:
    because = " ".join(wording.failure(finding))
    text = f"{wording.sentence(finding, info)} {because} [{place(finding.resource.display_id, names)}]"
    return _annotation(level, _title(info, finding.severity), text, policy=info)


def _findings(level: Level, info: PolicyInfo, group: Sample) -> Annotation:
    first = group.rows[0]
    text = f"{count(group.total, 'finding')}: {_some(group)}. The first: {wording.sentence(first, info)}"
    return _annotation(level, _title(info, first.severity), text, policy=info)


def _undecided(level: Level, policy: PolicyResult, group: Sample) -> Annotation:
    info, reason = policy.info, group.rows[0].reason
    effect = "could hide a blocking finding" if level is not Level.NOTICE else "cannot change the decision"
    advice = ADVICE[reason] if reason else ""
    text = f"{count(group.total, 'row')} not decided ({reason or 'UNKNOWN'}), which {effect}: {_some(group)}. {advice}"
    return _annotation(level, f"{info.id} not decided: {info.title}", text, policy=info)


def _some(group: Sample) -> str:
    shown = [one_line(wording.subject(one), 100) for one in group.rows[:_NAMED]]
    rest = group.total - len(shown)
    return ", ".join(shown) + (f" and {rest:,} more" if rest else "")


def _gaps(level: Level, result: ScanResult) -> Iterator[tuple[int, Annotation]]:
    """What was not seen: equal gaps of several subscriptions and policies once."""
    names = names_in(result.info.scope)
    for gap, subscriptions, policies in grouped(result):
        if level is (_missing(result) if gap.counts else Level.NOTICE):
            where = f" in {listed(subscriptions, names)}" if subscriptions else ""
            effect = "" if gap.counts else " This cannot change the decision."
            text = f"{wording.gap(gap)}{where}; missing for {some(policies)}. {ADVICE[gap.reason]}{effect}"
            yield 1, _annotation(level, "Not seen", text, code=gap.reason)


def _title(info: PolicyInfo, severity: Severity) -> str:
    return f"{info.id} {severity.word}: {info.title}"


def _annotation(level: Level, title: str, text: str, *, policy: PolicyInfo | None = None, code: str = "") -> Annotation:
    return Annotation(
        level=level,
        title=_plain(title, _TITLE),
        text=_plain(text, 2 * wording.LINE),
        code=_plain(policy.id if policy else code, _TITLE),
        file=_plain(policy.file, wording.LINE) if policy else "",
        line=max(policy.line, 1) if policy else 0,
    )


def _plain(text: str, limit: int) -> str:
    return console_safe(one_line(text, limit))
