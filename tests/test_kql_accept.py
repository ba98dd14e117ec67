"""What Azure Resource Graph itself takes, fit for a population or not."""

from __future__ import annotations

import pytest

from scanner import kql
from scanner.kql import KqlProblems


@pytest.mark.parametrize(
    ("query", "columns", "limited", "grouped"),
    [
        ("resources | project id", {"id": "string"}, False, False),
        ("resources | project name", {"name": "string"}, False, False),
        ("resources | project id | take 3", {"id": "string"}, True, False),
        ("resources | limit 3 | project id", {"id": "string"}, True, False),
        ("resources | top 3 by name | project id", {"id": "string"}, False, False),
        ("resources | count", {"Count": "long"}, False, False),
        ("resources | summarize n = count() by type", {"type": "string", "n": "long"}, False, True),
        ("resources | distinct type", {"type": "string"}, False, False),
        ("resources | project id = tolower(id)", {"id": "string"}, False, False),
        ("resources | join (resources | take 2) on id | project id", {"id": "string"}, False, False),
        ("resources | join kind=inner (resources) on name | project id", {"id": "string"}, False, False),
        ("resources | where type =~ 'a/b' | where type =~ 'c/d' | project id", {"id": "string"}, False, False),
        ("resources | where isnull(name) and type == 'A/B' | project id", {"id": "string"}, False, False),
        ("resources | project id, b = tobool(properties.x) == true", {"id": "string", "b": "bool"}, False, False),
    ],
)
def test_what_a_population_must_not_do_is_taken(query: str, columns: dict[str, str], *, limited: bool, grouped: bool) -> None:
    found = kql.accept(query)
    assert dict(found.shape.columns) == columns
    assert (found.limited, found.grouped) == (limited, grouped)


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ("resources | where (", "syntax"),
        ("", "meaning"),
        ("resources | sample 3", "operator"),
        ("resources | join (resources | evaluate x()) on id", "operator"),
        ("resources | join kind=leftsemi (resources) on id", "join"),
        ("resources | project t = now()", "type"),
        ("resources | project foo", "meaning"),
        ("resources | mv-expand tags", "meaning"),
        ("resources | order by tags", "meaning"),
    ],
)
def test_what_azure_refuses_is_told_by_kind(query: str, complaint: str) -> None:
    with pytest.raises(KqlProblems) as caught:
        kql.accept(query)
    assert caught.value.problems[0].complaint == complaint


def test_a_refused_operator_is_not_told_as_a_rule_for_populations() -> None:
    with pytest.raises(KqlProblems, match=r"`sample` is not an operator of Azure Resource Graph's subset$"):
        kql.accept("resources | sample 3")
    with pytest.raises(KqlProblems, match="hides rows"):
        kql.inspect("resources | sample 3", ["id"])


def test_tables_and_types_are_read_as_for_populations() -> None:
    query = "resources | where type =~ 'A/B' | join kind=leftouter (resourcecontainers) on subscriptionId | project id"
    assert kql.accept(query).shape == kql.inspect(query, ["id"])
    assert kql.accept(query).shape.tables == {"resources": frozenset({"a/b"}), "resourcecontainers": None}


def test_a_source_that_is_refused_is_told_once() -> None:
    with pytest.raises(KqlProblems) as caught:
        kql.accept("nothing | project id, t = now()")
    assert len(caught.value.problems) == 1
