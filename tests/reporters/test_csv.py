"""CSV: read back by Python's reader, whole, and without a cell that a spreadsheet would run."""

from __future__ import annotations

import csv as reader
import io
from collections import Counter
from collections.abc import Callable, Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reporters import csv
from scanner.model import ScanResult
from tests.reporters.test_formats import ANY_TEXT

FORMULAS = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"


def read(result: ScanResult) -> list[dict[str, str]]:
    """Every line by column, read strictly."""
    text = b"".join(csv.render(result)).decode()
    assert text.count("\r\n") == text.count("\n") == text.count("\r")
    lines = list(reader.reader(io.StringIO(text, newline=""), strict=True))
    header, *rest = lines
    assert {len(line) for line in lines} == {len(header)}
    return [dict(zip(header, line, strict=True)) for line in rest]


def test_every_verdict_gap_and_policy_has_its_line(canonical_scan: ScanResult) -> None:
    kinds = Counter(line["kind"] for line in read(canonical_scan))
    policies = canonical_scan.policies
    assert kinds["pass"] == sum(one.counts.passed for one in policies)
    assert kinds["fail"] == sum(one.counts.failed for one in policies)
    assert kinds["unknown"] == sum(one.counts.unknown for one in policies)
    assert kinds["not_applicable"] == sum(one.counts.not_applicable for one in policies)
    assert kinds["gap"] == sum(len(one.gaps) for one in policies)
    assert kinds["not_asked"] == sum(not one.asked for one in policies)
    assert {line["policy"] for line in read(canonical_scan)} - {""} == {one.info.id for one in policies}
    assert min(kinds.values()) > 0


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("empty", ["incomplete"]),
        ("not-asked", ["incomplete", "not_asked"]),
        ("interrupted", ["incomplete", "gap", "pass"]),
        ("bug", ["incomplete", "gap"]),
        ("nothing", ["none"]),
        ("inapplicable", ["not_applicable"]),
        ("healthy", ["pass"]),
        ("incomplete", ["incomplete", "gap", "pass"]),
        ("allowed", ["incomplete", "gap", "pass"]),
    ],
)
def test_what_was_not_seen_stands_first(name: str, kinds: list[str], odd: Mapping[str, ScanResult]) -> None:
    lines = read(odd[name])
    assert [line["kind"] for line in lines] == kinds
    assert all(line["message"] for line in lines if line["kind"] not in {"pass", "not_applicable"})


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=80)
@given(text=st.one_of(ANY_TEXT, st.tuples(st.sampled_from(FORMULAS + " '\""), ANY_TEXT).map("".join)))
def test_no_cell_is_a_formula_or_breaks_a_line(hostile_scan: Callable[[str], ScanResult], text: str) -> None:
    cells = [cell for line in read(hostile_scan(text)) for cell in line.values()]
    assert [cell for cell in cells if cell.startswith(tuple(FORMULAS))] == []
    assert [cell for cell in cells if "\n" in cell or "\r" in cell] == []


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " \n=1", "\uff1d1", '=cmd|" /C calc"!A0'])
def test_a_name_that_is_a_formula_is_told_as_text(hostile_scan: Callable[[str], ScanResult], text: str) -> None:
    assert {line["name"] for line in read(hostile_scan(text)) if line["kind"] == "fail"} == {"'" + text.strip()}
