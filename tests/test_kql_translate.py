from __future__ import annotations

from datetime import UTC, datetime

import pytest

from scanner.kql import QueryTrouble
from scanner.kql.translate import Translation, probes, translate
from scanner.model import Reason

NOW = datetime(2026, 11, 20, 6, tzinfo=UTC)
TABLES = frozenset({"resources"})


def test_every_spelling_of_a_table_is_translated() -> None:
    found = translate("Resources | join kind=inner (['RESOURCES'] | project id) on id | project id", TABLES, NOW)
    assert "Resources" in found.sql
    assert "RESOURCES" in found.sql
    assert found.parameters == ()


def test_the_clock_is_a_parameter_that_json_can_carry() -> None:
    found = translate("resources | project age = now()", TABLES, NOW)
    assert [value for _, value in found.parameters] == ["2026-11-20 06:00:00"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("resources | project id, a = row_number()", "does not translate"),
        ("print x = " + "(" * 90 + "1" + ")" * 90, "nested too deeply"),
    ],
)
def test_what_cannot_be_translated_is_a_trouble_of_the_query(text: str, words: str) -> None:
    with pytest.raises(QueryTrouble, match=words) as trouble:
        translate(text, TABLES, NOW)
    assert trouble.value.reason is Reason.UNSUPPORTED


def test_the_self_test_has_queries_and_their_rows() -> None:
    assert len(probes()) >= 5
    assert all(sql.startswith("WITH") and rows for sql, rows in probes())
    assert isinstance(translate("resources", TABLES, NOW), Translation)
