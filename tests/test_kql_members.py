from __future__ import annotations

import pytest

from scanner.kql.members import looks_into, selecting

KQL = """
resources
| where type =~ 'a/b' and properties.one.two == 1 // properties.comment.x
| extend p = properties, m = properties['three'][0].four, n = p[0]["five"]
| join kind=inner (resources | project k = tolower(tostring(tags.six)), ['odd col'].seven) on k
| project id, shown = properties.eight
"""


def test_every_path_is_read_but_those_of_the_last_projection() -> None:
    assert selecting(KQL) == {
        ("properties", "one", "two"),
        ("properties", "three", "four"),
        ("p", "five"),
        ("tags", "six"),
        ("odd col", "seven"),
    }


@pytest.mark.parametrize(
    "kql", ["resources | where a.b == 1", "resources | project x = a.b | where x == 1", "a.b | project-away c"]
)
def test_only_a_projection_at_the_end_is_left_out(kql: str) -> None:
    assert selecting(kql) == {("a", "b")}


@pytest.mark.parametrize(
    "kql", ["", "resources", "resources | project a.b", "resources | where a. ", "resources | where a[b] == 1"]
)
def test_nothing_to_look_into(kql: str) -> None:
    assert selecting(kql) == frozenset()


@pytest.mark.parametrize(
    ("path", "hidden", "answer"),
    [
        (("properties", "a"), ("properties", "a"), True),
        (("properties", "a", "b"), ("properties", "a"), True),
        (("properties", "a"), ("properties", "a", "b"), False),
        (("properties", "b", "a"), ("properties", "a"), False),
        (("p", "x", "a"), ("properties", "a"), True),
        (("p", "x"), ("properties", "a"), False),
    ],
)
def test_a_path_leads_to_what_is_hidden_or_through_it(path: tuple[str, ...], hidden: tuple[str, ...], answer: bool) -> None:  # noqa: FBT001 - a table column
    assert looks_into(frozenset({path}), hidden) is answer
