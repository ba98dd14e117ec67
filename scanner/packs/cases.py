"""The cases of a pack: each belongs to a policy, and what it sets and names must exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from scanner.authoring.cases import CasesFile, CaseSpec, ExpectedRow
from scanner.authoring.read import did_you_mean
from scanner.authoring.types import fits
from scanner.errors import Problem
from scanner.model import Json
from scanner.packs.source import PackSource, Written
from scanner.policy import SIDE_TABLES, Case, Expectation, Parameter, Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What the cases of a pack may refer to. `declared` holds the ids of all its policies, the unusable ones included."""

    declared: Sequence[str]
    policies: Mapping[str, Policy]
    profiles: Mapping[str, Mapping[str, Json]]
    shared: Mapping[str, Parameter]


def pack_cases(source: PackSource, judged: Judged, *, problems: list[Problem]) -> tuple[Case, ...]:
    """Every case of a pack, in the order of its files."""
    cases: list[Case] = []
    for written in source.cases:
        problems.extend(_file_problems(written, judged))
        policy = judged.policies.get(_policy_id(written))
        for number, spec in enumerate(written.spec.root):
            problems.extend(_case_problems(written, number, judged=judged, policy=policy))
            cases.append(_case(written, number, spec=spec, file=source.shown(written.name)))
    return tuple(cases)


def _policy_id(written: Written[CasesFile]) -> str:
    return written.name.removeprefix("cases/").removesuffix(".yaml")


def _file_problems(written: Written[CasesFile], judged: Judged) -> Iterator[Problem]:
    policy = _policy_id(written)
    if policy not in judged.declared:
        words = f"the pack has no policy {policy}, which the file's name says it tests{did_you_mean(policy, judged.declared)}"
        yield Problem(file=written.file, text=words)
    names = [spec.case for spec in written.spec.root]
    for number, name in enumerate(names):
        if name in names[:number]:
            yield written.problem((number, "case"), "another case of this file has the same name")


def _case_problems(written: Written[CasesFile], number: int, *, judged: Judged, policy: Policy | None) -> Iterator[Problem]:
    spec = written.spec.root[number]
    profile = spec.given.profile
    if profile is not None and profile not in judged.profiles:
        words = f"the pack has no profile '{profile}'{did_you_mean(profile, judged.profiles)}"
        yield written.problem((number, "given", "profile"), words)
    seen: set[tuple[str, str]] = set()
    for verdict, rows in _expected(spec).items():
        for index, row in enumerate(rows):
            key = (row.tail.strip("/").lower(), row.subject.lower())
            if key in seen:
                yield written.problem((number, "expect", verdict, index), "this row is listed a second time")
            seen.add(key)
    if policy is not None:
        yield from _params(written, number, params={**judged.shared, **policy.parameters})
        yield from _tables(written, number, policy=policy)


def _params(written: Written[CasesFile], number: int, *, params: Mapping[str, Parameter]) -> Iterator[Problem]:
    for name, value in written.spec.root[number].given.params.items():
        path = (number, "given", "params", name)
        if name not in params:
            yield written.problem(path, f"there is no parameter '{name}'{did_you_mean(name, params)}", at_key=True)
        elif not fits(params[name].type, value):
            yield written.problem(path, f"the value must be of the parameter's type, {params[name].type}")


def _tables(written: Written[CasesFile], number: int, *, policy: Policy) -> Iterator[Problem]:
    """Tables whose name is nearly that of one that the policy reads; a case may hold rows of others as well."""
    queries = [policy.query, *(one.query for one in policy.attach if one.query)]
    if any(query.tables is None for query in queries):
        return
    known = {*SIDE_TABLES, *(table for query in queries for table in query.tables or ())}
    given = written.spec.root[number].given
    named = [
        *(((name,), name) for name in given.model_extra or {}),
        *((("unanswered", name), name) for name in given.unanswered),
    ]
    for path, name in named:
        close = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.85)
        if name not in known and close:
            words = f"the policy reads no table '{name}'; did you mean '{close[0]}'?"
            yield written.problem((number, "given", *path), words, at_key=True)


def _expected(spec: CaseSpec) -> dict[str, tuple[ExpectedRow, ...]]:
    expect = spec.expect
    return {"pass": expect.pass_, "fail": expect.fail, "unknown": expect.unknown, "not_applicable": expect.not_applicable}


def _case(written: Written[CasesFile], number: int, *, spec: CaseSpec, file: str) -> Case:
    rows = {verdict: tuple((row.tail, row.subject) for row in listed) for verdict, listed in _expected(spec).items()}
    return Case(
        policy=_policy_id(written),
        name=spec.case,
        file=file,
        line=written.node.at((number,)).line,
        collected_at=spec.given.collected_at,
        tables=spec.given.model_extra or {},
        expect=Expectation(rows=rows),
        unanswered=spec.given.unanswered,
        profile=spec.given.profile or "",
        params=spec.given.params,
    )
