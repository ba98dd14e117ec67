"""Builders for the verdict core: one policy, one query, one row, one answer, and a source made of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from scanner import kql, packs
from scanner.assertion import compile_expression, compile_template
from scanner.attach import attach, index
from scanner.evaluate import evaluate
from scanner.model import Finding, Gap, Json, Options, PolicyInfo, Row, ScanInfo, Scope, Severity
from scanner.plan import Asked, make_plan
from scanner.policy import Applies, Attach, Pack, Policy, Query, SeverityWhen
from scanner.scan import Job
from scanner.sources import Answer
from tests.bench import Bench
from tests.remembering import Remembering

# How long an example takes says nothing about arguard, and differs between machines.
settings.register_profile("arguard", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("arguard")

NOW = datetime(2026, 11, 20, 6, tzinfo=UTC)
SUB = "s1"
VM = "/subscriptions/s1/resourceGroups/RG1/providers/Microsoft.Compute/virtualMachines/Web01"

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6)
)
json_values: st.SearchStrategy[Json] = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcxyz") | st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
"""Any JSON value that a source can hand over: decoded by a parser that refuses half a surrogate pair and NaN."""


def vm(name: str, group: str = "rg1", subscription: str = SUB) -> str:
    return f"/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines/{name}"


def a_query(name: str = "vms", **changes: Any) -> Query:
    fields: dict[str, Any] = {"kql": name, "file": "q.kql", "line": 1, "column": 1, "digest": f"digest-{name}", "key": ("id",)}
    return Query(name=name, **{**fields, **changes})


def an_info(name: str = "ABK001", **changes: Any) -> PolicyInfo:
    fields: dict[str, Any] = {
        "id": name,
        "name": f"slug-{name.lower()}",
        "title": "A title",
        "severity": Severity.HIGH,
        "highest": changes.get("severity", Severity.HIGH),
        "pack": "p",
        "file": "p/x.yaml",
        "line": 1,
        "why": "because",
        "fix": "mend it",
    }
    return PolicyInfo(**{**fields, **changes})


def a_policy(name: str = "ABK001", **changes: Any) -> Policy:
    """A policy; `assertion`, `applies`, `message`, `subject`, `cause` and `severity_when` are given as texts."""
    info = changes.pop("info", an_info(name))
    texts = {"assertion": "ok", "message": "{name} is not ok", **changes}
    fields: dict[str, Any] = {"enabled": True, "needs": (), "query": a_query(), **texts}
    fields["assertion"] = compile_expression(texts["assertion"])
    fields["message"] = compile_template(texts["message"])
    if "applies" in texts:
        fields["applies"] = Applies(when=compile_expression(texts["applies"]), because="it does not apply")
    if "subject" in texts:
        fields["subject"] = compile_template(texts["subject"])
    if "cause" in texts:
        fields["cause"] = compile_expression(texts["cause"])
    listed = texts.get("severity_when", ())
    fields["severity_when"] = tuple(SeverityWhen(when=compile_expression(when), severity=one) for when, one in listed)
    return Policy(info=info, **fields)


def a_pack(*policies: Policy, **changes: Any) -> Pack:
    fields: dict[str, Any] = {
        "id": "p",
        "title": "P",
        "version": "1.0.0",
        "digest": "d",
        "folder": "p",
        "queries": {},
        "profiles": {},
    }
    return Pack(policies=policies, **{**fields, **changes})


def an_asked(policy: Policy, **params: Json) -> Asked:
    shown = {name: {"value": value, "origin": "default"} for name, value in params.items()}
    return Asked(policy=policy, info=_with_params(policy.info, shown), params=params)


def _with_params(info: PolicyInfo, params: Mapping[str, Json]) -> PolicyInfo:
    return replace(info, params=params)


def a_row(**columns: Json) -> dict[str, Json]:
    return {"id": VM, "name": "Web01", "location": "westeurope", "ok": True, **columns}


def an_answer(rows: Iterable[Row] = (), table: str = "vms", **changes: Any) -> Answer:
    """One answer, by default complete for subscription s1; a query's digest follows from its name."""
    held = list(rows)
    side = table.startswith("arm_") or table == "evidence"
    fields: dict[str, Any] = {
        "digest": "" if side else f"digest-{table}",
        "answered": frozenset({SUB}),
        "rows": len(held),
        "pages": partial(iter, [held] if held else []),
    }
    return Answer(table=table, **{**fields, **changes})


def a_gap(reason: Any, subscription: str = "", table: str = "vms") -> Gap:
    return Gap(reason=reason, table=table, subscription=subscription, text="403 AuthorizationFailed")


@dataclass(kw_only=True)
class MemorySource:
    """Answers by query name or side table; what is not there did not answer. `asked` records every question."""

    answers: Mapping[str, Answer] = field(default_factory=dict)
    scope: Scope = field(default_factory=lambda: Scope(kind="proven", expected=(SUB,)))
    collected_at: datetime | None = NOW
    kind: str = "memory"
    digest: str = "memory"
    offers: frozenset[str] = frozenset()
    asked: list[str] = field(default_factory=list)

    def answer(self, query: Query, now: datetime) -> Answer:
        assert now.tzinfo is not None
        return self._say(query.name, query.digest)

    def side(self, table: str) -> Answer:
        return self._say(table, "")

    def _say(self, name: str, digest: str) -> Answer:
        self.asked.append(name)
        return self.answers.get(name) or an_answer(table=name, digest=digest, answered=frozenset())


def a_job(source: MemorySource, *policies: Policy, options: Options | None = None, **changes: Any) -> Job:
    options = options or Options()
    fields: dict[str, Any] = {
        "tool": "arguard test",
        "libraries": {},
        "run_time": NOW,
        "as_of": NOW,
        "collected_at": source.collected_at,
        "source": source.kind,
        "scope": source.scope,
        "options": options,
        "digests": {},
    }
    return Job(plan=make_plan([a_pack(*policies)], options, source.offers), info=ScanInfo(**{**fields, **changes}))


def judge(policy: Policy, row: Row, sides: Mapping[str, Answer] | None = None, **params: Json) -> Finding:
    """The verdict on one row; the population answered for s1."""
    return judge_all(policy, [row], sides, **params)[0]


def judge_all(policy: Policy, rows: Sequence[Row], sides: Mapping[str, Answer] | None = None, **params: Json) -> list[Finding]:
    asked = an_asked(policy, **params)
    indexed = [index(spec, (sides or {})[spec.source]) for spec in policy.attach]
    return list(evaluate(asked, attach(rows, asked, indexed, NOW), frozenset({SUB})))


def one_of(source: str, name: str = "side", **changes: Any) -> Attach:
    """An attachment that matches on ids, at most one object."""
    fields: dict[str, Any] = {"how": "one", "on": (("id", "id"),)}
    return Attach(name=name, source=source, **{**fields, **changes})


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests counted, such as the mutants of each policy; also under xdist, where their output is not shown."""
    told = [
        str(value)
        for report in terminalreporter.getreports("passed")
        for name, value in report.user_properties
        if name == "count" and report.when == "call"
    ]
    for line in sorted(told):
        terminalreporter.write_line(line)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """The bundled pack, and an engine for it."""
    folder = tmp_path_factory.mktemp("bench")
    with kql.Engine({}, folder) as engine:
        yield Bench(packs.load(packs.bundled())[0], engine, folder)


@pytest.fixture(scope="module")
def remembering() -> Iterator[None]:
    """For modules that scan one estate many times: a query over rows that are the same as before is not run again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kql, "Engine", partial(Remembering, answers={}))
        yield
