"""The queries of the pack against rows that were written by hand: `queries/<query>.yaml`.

Each file gives rows of raw tables and the whole rows that the query makes of them; arguard itself puts them in order. A column
that is not written, or empty, has no value.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from scanner.cases import Given
from scanner.model import Json
from scanner.policy import Query
from scanner.yamlsafe import load
from tests.bench import COLLECTED_AT, Bench, a_case

FOLDER = Path(__file__).parent / "queries"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
Row = dict[str, Any]


def written(name: str) -> list[Row]:
    file = FOLDER / f"{name}.yaml"
    found = load(file.read_bytes(), file.name).plain()
    assert isinstance(found, list)
    return found


def entries() -> Iterator[Any]:
    for name in NAMES:
        yield from (pytest.param(name, entry, id=f"{name}: {entry['case']}") for entry in written(name))


def asked(bench: Bench, name: str) -> Query:
    """A query of the pack, as the policies that judge or attach it have it."""
    queries = [one for policy in bench.pack.policies for one in (policy.query, *(side.query for side in policy.attach))]
    return next(one for one in queries if one and one.name == name)


def whole(row: Mapping[str, Json], columns: Mapping[str, str]) -> Row:
    """A row with each column of the query and its type: Python takes true for 1. YAML knows no fractions here."""
    assert row.keys() <= columns.keys()
    values = {name: None if row.get(name) == "" else row.get(name) for name in columns}
    values |= {name: float(value) for name, value in values.items() if columns[name] == "real" and isinstance(value, str)}
    return {name: (type(value).__name__, value) for name, value in values.items()}


def in_order(rows: Iterable[Mapping[str, Json]], query: Query) -> list[Mapping[str, Json]]:
    return sorted(rows, key=lambda row: [str(row.get(column) or "") for column in query.key])


def test_every_query_of_the_pack_has_rows(bench: Bench) -> None:
    queries = {
        one.name for policy in bench.pack.policies for one in (policy.query, *(side.query for side in policy.attach)) if one
    }
    assert set(NAMES) == queries


@pytest.mark.parametrize(("name", "entry"), [*entries()])
def test_a_query_makes_the_rows_that_were_written_by_hand(name: str, entry: Row, bench: Bench, tmp_path: Path) -> None:
    given = dict(entry["given"])
    moment = given.pop("collected_at", COLLECTED_AT)
    query = asked(bench, name)
    answer = Given(a_case("", given, moment), bench.engine, tmp_path).answer(query, datetime.fromisoformat(moment))
    assert answer.gaps == ()
    found = in_order((row for page in answer.pages() for row in page), query)
    columns = query.columns or {}
    assert [whole(row, columns) for row in found] == [whole(row, columns) for row in in_order(entry["rows"], query)]


@pytest.mark.parametrize("name", NAMES)
def test_every_column_has_a_value_somewhere(name: str, bench: Bench) -> None:
    rows = [row for entry in written(name) for row in entry["rows"]]
    assert [one for one in asked(bench, name).columns or {} if all(row.get(one) in (None, "") for row in rows)] == []
