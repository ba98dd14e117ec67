"""The reverse of the mutant world: break a policy instead of its data, and something notices.

Each condition of each query is dropped, one at a time, and the rows that were written by hand are others then; each assertion
is turned into its opposite, and a case fails.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from scanner import kql, packs
from scanner.assertion.expression import compile_expression
from scanner.cases import Given, run_case
from scanner.kql.text import digest
from scanner.policy import Policy, Query
from tests.bench import COLLECTED_AT, a_case
from tests.test_queries import in_order, whole, written

pytestmark = pytest.mark.estate
PACK = packs.load(packs.bundled(), cases=True)[0]


def queries_of(policy: Policy) -> Iterator[Query]:
    yield policy.query
    yield from (one.query for one in policy.attach if one.query)


QUERIES = {query.name: query for policy in PACK.policies for query in queries_of(policy)}


def conditions(text: str) -> Iterator[tuple[int, str, str]]:
    """Each `where` of a query: its line, its text, and the query without it."""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if line.lstrip().startswith("| where "):
            end = number + 1
            while end < len(lines) and not lines[end].lstrip().startswith(("|", ")")):
                end += 1
            yield number + 1, line.strip(), "\n".join([*lines[:number], *lines[end:]])


def differs(query: Query, engine: kql.Engine, folder: Path) -> bool:
    """Whether a query makes other rows of raw tables than those that were written by hand for the one of its name."""
    columns = QUERIES[query.name].columns or {}
    for entry in written(query.name):
        given = dict(entry["given"])
        moment = given.pop("collected_at", COLLECTED_AT)
        answer = Given(a_case("", given, moment), engine, folder).answer(query, datetime.fromisoformat(moment))
        found = [whole(row, columns) for row in in_order((row for page in answer.pages() for row in page), query)]
        assert answer.gaps == (), "what cannot be run shows nothing"
        if found != [whole(row, columns) for row in in_order(entry["rows"], query)]:
            return True
    return False


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kql.Engine]:
    with kql.Engine({}, tmp_path_factory.mktemp("engine")) as found:
        yield found


def places() -> Iterator[tuple[str, int]]:
    yield from ((name, line) for name, query in sorted(QUERIES.items()) for line, _, _ in conditions(query.kql))


@pytest.mark.parametrize(("name", "line"), [*places()])
def test_no_condition_can_be_dropped_without_other_rows(name: str, line: int, engine: kql.Engine, tmp_path: Path) -> None:
    query = QUERIES[name]
    [(condition, text)] = [(what, left) for at, what, left in conditions(query.kql) if at == line]
    shape = kql.inspect(text, query.key)
    changed = replace(query, kql=text, digest=digest(text), columns=shape.columns, tables=shape.tables)
    assert differs(changed, engine, tmp_path), condition


@pytest.mark.parametrize("policy", [policy.id for policy in PACK.policies])
def test_no_assertion_can_be_turned_round_without_a_case_that_notices(policy: str, engine: kql.Engine, tmp_path: Path) -> None:
    asked = next(one for one in PACK.policies if one.id == policy)
    opposite = replace(asked, assertion=compile_expression(f"!({asked.assertion.text})"))
    pack = replace(PACK, policies=tuple(opposite if one.id == policy else one for one in PACK.policies))
    cases = (case for case in PACK.cases if case.policy == policy)
    assert any(problem for case in cases for problem in run_case(pack, case, engine, tmp_path))
