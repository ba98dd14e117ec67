from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scanner.kql as kql_package
from scanner.errors import MissingExtraError
from scanner.kql import KqlProblems, available, inspect
from scanner.kql.arg import TABLES
from scanner.kql.text import as_sent
from tests.kql_cases import CASES, blocks

REFUSED = blocks("refused.txt")
ACCEPTED = blocks("accepted.txt")


def problems(kql: str, key: tuple[str, ...] = ("id",)) -> list[str]:
    with pytest.raises(KqlProblems) as caught:
        inspect(kql, key)
    assert str(caught.value) == "\n".join(map(str, caught.value.problems))
    return [str(problem) for problem in caught.value.problems]


def check_told(kql: str, expected: list[str]) -> None:
    found = problems(kql)
    assert [text.split(": ")[0] for text in found] == [line.split(" ")[0] for line in expected], found
    for text, line in zip(found, expected, strict=True):
        assert line.split(" ", 1)[1] in text


@pytest.mark.parametrize(("kql", "expected"), REFUSED, ids=[kql[:60] for kql, _ in REFUSED])
def test_what_must_not_run_is_told_with_its_place(kql: str, expected: list[str]) -> None:
    check_told(kql, expected)


@pytest.mark.parametrize(
    ("kql", "expected"),
    [
        ("", "1:1 empty"),
        ("// only a comment", "1:1 empty"),
        ("resources\u00a0| project id", r"1:10 '\xa0'"),
        ("resources | where name == 'x' // a\u2028b", "1:31 line separator"),
        ("resources | where name == 'a\0b'", "1:27 NUL character"),
        ("resources | where " + "(" * 41 + "1 == 1" + ")" * 41, "1:59 more than 40 deep"),
        ("resources " + " " * 70_000, "1:1 at most 65536"),
        (
            "healthresources"
            + "".join(
                f" | join kind=inner ({table} | project subscriptionId) on subscriptionId"
                for table in ("resources", "resourcecontainers", "healthresources", "policyresources")
            )
            + " | project id",
            "1:253 at most 3 joins",
        ),
    ],
    ids=["empty", "comment", "no-break space", "separator", "NUL", "deep", "long", "joins"],
)
def test_texts_of_another_kind_are_refused(kql: str, expected: str) -> None:
    check_told(kql, [expected])


@pytest.mark.parametrize(("kql", "expected"), ACCEPTED, ids=[kql[:60] for kql, _ in ACCEPTED])
def test_the_shape_of_what_may_run(kql: str, expected: list[str]) -> None:
    shape = inspect(kql, ("id",))
    columns = ", ".join(f"{name} {kind}" for name, kind in shape.columns.items())
    tables = [f"table {name} {'*' if types is None else ' '.join(sorted(types))}" for name, types in shape.tables.items()]
    assert [f"columns {columns}", *tables] == expected


def test_all_standard_columns_are_there() -> None:
    shape = inspect("resources", ("id",))
    assert len(shape.columns) == 16
    assert shape.columns["id"] == "string"
    assert shape.columns["tags"] == "dynamic"


@pytest.mark.parametrize("table", sorted(TABLES))
def test_every_table_is_taken_in_any_case(table: str) -> None:
    assert inspect(f"{table.upper()} | project id", ("id",)).tables == {table: None}


def test_key_columns_must_be_projected_and_ordered() -> None:
    query = "resources | mv-expand d = properties.disks limit 9 | project id, d, lun = tolong(d.lun)"
    assert inspect(query, ("id", "lun")).columns["lun"] == "long"
    (wrong_case,) = problems(query, ("id", "Lun"))
    assert wrong_case.startswith("1:54: the key column 'Lun' is not projected")
    assert "did you mean 'lun'?" in wrong_case
    (dynamic,) = problems(query, ("id", "d"))
    assert dynamic.startswith("1:54: the key column 'd' is dynamic")


def test_places_count_in_the_authors_text_behind_rewrites() -> None:
    assert problems("where kind == 'x'\n| project id, kind, properties.kind, nope")[0].startswith(
        "2:38: there is no column 'nope'"
    )


def test_what_is_sent_passes_the_same_checks() -> None:
    kql = "resources | where todatetime(properties.d) > ago(1d) | project id // the end"
    query = as_sent(kql, now=datetime(2026, 11, 20, tzinfo=UTC), key=["id"])
    assert inspect(query, ("id",)).columns == {"id": "string"}


WORDS = """
resources | where project id name == 'x' ( ) join kind=inner on extend a = , summarize by count() kind mv-expand limit 5 union
in 1 and tolower(id) * [ ] . ;
"""


def wrong_places(kql: str) -> list[str] | None:
    """The problems of a text that stand outside it or say nothing; None where it has no problem."""
    try:
        inspect(kql, ("id",))
    except KqlProblems as caught:
        ends = [len(line) + 1 for line in kql.split("\n")]
        good = [p for p in caught.problems if 1 <= p.line <= len(ends) and 1 <= p.column <= ends[p.line - 1] and p.text]
        return [str(problem) for problem in caught.problems if problem not in good] if caught.problems else ["no problem"]
    return None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([*WORDS.split(), "\n"]), max_size=14).map(" ".join))
def test_any_words_give_a_shape_or_problems_with_places(kql: str) -> None:
    assert not wrong_places(kql)


def test_without_the_extra_the_command_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kql_package, "find_spec", lambda _: None)
    assert not available()
    with pytest.raises(MissingExtraError, match="Checking or running KQL offline needs the extra 'offline'") as caught:
        inspect("resources", ("id",))
    assert caught.value.hint == 'pip install "arguard[offline]"'


def test_importing_the_package_loads_no_engine() -> None:
    program = "import sys, scanner.kql, scanner.kql.text; print(sorted({'duckdb', 'duckdb_kql', 'antlr4'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=CASES.parents[1])
    assert done.stdout.strip() == "[]"
