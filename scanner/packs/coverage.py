"""The coverage map of a pack: every policy stands in it, and it names no other."""

from __future__ import annotations

from scanner.authoring.coverage import CoverageFile
from scanner.authoring.read import did_you_mean
from scanner.errors import Problem
from scanner.packs.source import PackSource, Written
from scanner.policy import Advice


def pack_coverage(source: PackSource, *, problems: list[Problem]) -> tuple[Advice, ...]:
    """What the article says, in its order; nothing where the pack has no map."""
    if source.coverage is None:
        return ()
    if len(source.policies) == len(source.names):
        problems.extend(_problems(source.coverage, {written.spec.id for written in source.policies}))
    return tuple(
        Advice(
            anchor=anchor,
            section=section.title,
            says=advice.says,
            policies=advice.policies or (),
            not_a_check=advice.not_a_check or "",
        )
        for anchor, section in source.coverage.spec.sections.items()
        for advice in section.advice
    )


def _problems(written: Written[CoverageFile], known: set[str]) -> list[Problem]:
    found: list[Problem] = []
    named: set[str] = set()
    for anchor, section in written.spec.sections.items():
        for number, advice in enumerate(section.advice):
            for index, policy in enumerate(advice.policies or ()):
                named.add(policy)
                if policy not in known:
                    path = ("sections", anchor, "advice", number, "policies", index)
                    found.append(written.problem(path, f"the pack has no policy {policy}{did_you_mean(policy, known)}"))
    words = "the map does not name {}; say which advice of the article it judges"
    found.extend(written.problem(("sections",), words.format(policy), at_key=True) for policy in sorted(known - named))
    return found
