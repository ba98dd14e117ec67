from __future__ import annotations

import duckdb_kql
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.kql.rewrite import rewrite


@pytest.mark.parametrize(
    ("kql", "expected"),
    [
        ("T | where kind == 'x'", "T | where ['kind'] == 'x'"),
        ("T | project id, kind", "T | project id, ['kind']"),
        ("T | project kind = sku.name", "T | project ['kind'] = sku.name"),
        ("T | extend a = 1, kind = 2", "T | extend a = 1, ['kind'] = 2"),
        ("T | summarize count() by kind", "T | summarize count() by ['kind']"),
        ("T | join kind=inner (T) on kind", "T | join kind=inner (T) on ['kind']"),
        ("T | union withsource=s kind=outer (T)", "T | union withsource=s kind=outer (T)"),
        ("T | parse kind=regex id with 'a' b", "T | parse kind=regex id with 'a' b"),
        ("T | mv-expand kind=array a limit 9", "T | mv-expand kind=array a limit 9"),
        ("T | mv-expand kind = zones limit 9", "T | mv-expand ['kind'] = zones limit 9"),
        ("T | where properties.kind == 1", "T | where properties['kind'] == 1"),
        ("T | project a = properties.title.x", "T | project a = properties['title'].x"),
        ("T | project a = properties.['b.c']", "T | project a = properties['b.c']"),
        ("T | summarize n = count(id)", "T | summarize n = count()"),
        ("T | summarize n = count(f(a, b)) by c", "T | summarize n = count( ) by c"),
        ("T | mv-expand properties.disks limit 9", "T | mv-expand properties_disks = properties.disks limit 9"),
        ("T | mvexpand a.b, c, d = e.f", "T | mvexpand a_b = a.b, c, d = e.f"),
        ("T | mv-expand a['b'].c to typeof(string)", "T | mv-expand a_b_c = a['b'].c to typeof(string)"),
        ("T | mv-expand a['x y'] limit 5", "T | mv-expand ['a_x y'] = a['x y'] limit 5"),
        ("T | mv-expand with_itemindex=i a.b limit 5", "T | mv-expand with_itemindex=i a_b = a.b limit 5"),
        ("T | join kind=inner (T | mv-expand a.b) on c", "T | join kind=inner (T | mv-expand a_b = a.b) on c"),
        ("T | mv-expand f(a) | where x", "T | mv-expand f(a) | where x"),
        ("where a == 1", "Resources | where a == 1"),
        ("project-away a", "Resources | project-away a"),
        ("mv-expand a", "Resources | mv-expand a"),
        ("T", "T"),
        ("T | where kind", "T | where ['kind']"),
        ("T | where 'kind.kind' == \"count(x)\"", "T | where 'kind.kind' == \"count(x)\""),
        ("T | where count(x", "T | where count("),
        (".kind", ".kind"),
        ("T | where a.", "T | where a."),
    ],
)  # fmt: skip
def test_what_arg_takes_becomes_what_the_grammar_takes(kql: str, expected: str) -> None:
    assert rewrite(kql).text == expected


@pytest.mark.parametrize(
    "kql",
    [
        "resources | where kind == 'x' | project id, kind, properties.kind, properties.title",
        "resources | mv-expand properties.a.b | summarize count(id) by kind",
        "where type == 'a' | project id, tags.['a.b']",
    ],
)
def test_the_grammar_takes_the_rewritten_text(kql: str) -> None:
    assert duckdb_kql.validate(rewrite(kql).text) == []


def test_places_lead_back_to_the_authors_text() -> None:
    kql = "where a == 1 // note\n\n| project kind, properties.title, b\n  , last"
    done = rewrite(kql)
    assert done.text.count("\n") == kql.count("\n")
    assert done.place(done.text.index("where")) == (1, 1)
    assert done.place(done.text.index("['kind']")) == (3, 11)
    assert done.place(done.text.index(", b") + 2) == (3, 35)
    assert done.place(done.text.index("last")) == (4, 5)
    assert done.place(done.text.index("last") + 2) == (4, 7)
    assert done.place(len(done.text) + 50) == (4, 5)


def test_an_empty_text_has_a_place() -> None:
    assert rewrite("// nothing").place(0) == (1, 1)


@given(st.text(alphabet="T|ab kind.()[]'\n/=,-mvexpand count", max_size=60))
def test_lines_never_change(kql: str) -> None:
    done = rewrite(kql)
    places: dict[int, set[tuple[int, int]]] = {}
    for offset, word in zip(done.offsets, done.words, strict=True):
        places.setdefault(offset, set()).add((word.line, word.column))
    for offset, word in zip(done.offsets, done.words, strict=True):
        assert done.place(offset) in places[offset]  # a word that was taken out shares the place of the next
        assert done.text.count("\n", 0, offset) == word.line - 1
