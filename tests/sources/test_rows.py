from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.model import ColumnType, Json
from scanner.sources import rows
from scanner.sources.rows import Declared, Problems, RowError, decode, drop_nulls, parse_row, read_rows


def read(path: Path, *, count: int, sha256: str = "") -> tuple[list[tuple[int, dict[str, Json]]], list[str]]:
    problems = Problems("f.ndjson")
    sha256 = sha256 or (hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "")
    found = list(read_rows(Declared(path=path, rows=count, sha256=sha256), problems))
    return found, [str(problem) for problem in problems.found]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[bytes], Path]:
    def writer(data: bytes) -> Path:
        path = tmp_path / ("f.ndjson.gz" if data[:2] == b"\x1f\x8b" else "f.ndjson")
        path.write_bytes(data)
        return path

    return writer


GOOD = b'{"id":"a","n":null,"l":[null,{"x":null}]}\n{"id":"b"}\r\n'


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:])])
def test_good_rows(write: Callable[[bytes], Path], pack: Callable[[bytes], bytes]) -> None:
    assert read(write(pack(GOOD)), count=2) == ([(1, {"id": "a", "l": [None, {}]}), (2, {"id": "b"})], [])


def test_an_empty_file_holds_no_rows(write: Callable[[bytes], Path]) -> None:
    assert read(write(b""), count=0) == ([], [])


BAD_LINES = [
    (b"\xef\xbb\xbf{}\n", 1, "not JSON: UTF-8 byte order mark (BOM) is not supported"),
    (b'{"a":"\xff"}\n', 7, "not UTF-8: invalid start byte at byte 7 of the line"),
    (b'{"a":1', 6, "the last line has no newline: the file was cut"),
    (b"{}", 2, "the last line has no newline: the file was cut"),
    (b"\n", 1, "the line is blank"),
    (b" \r\n", 1, "the line is blank"),
    (b"  ", 1, "the line is blank"),
    (b"[]\n", 1, "a row must be a JSON object, this is a list"),
    (b'"x"\n', 1, "a row must be a JSON object, this is a text"),
    (b"3.5\n", 1, "a row must be a JSON object, this is a number"),
    (b"true\n", 1, "a row must be a JSON object, this is a boolean"),
    (b"null\n", 1, "a row must be a JSON object, this is null"),
    (b'{"a":NaN}\n', 6, "not JSON: unexpected character, expected a JSON value"),
    (b'{"a":1e999}\n', 6, "not JSON: number is infinity when parsed as double"),
    (b'{"a":"\\ud800"}\n', 7, "not JSON: no low surrogate in string"),
    (b'{"a":1}{"b":2}\n', 8, "not JSON: unexpected content after document"),
    (b'{"a":' * 64 + b"1" + b"}" * 64 + b"\n", 1, ""),
    (b'{"a":' * 65 + b"1" + b"}" * 65 + b"\n", 1, "nested deeper than 64 levels"),
    (b"[" * 100_000 + b"\n", 1026, "not JSON: depth limit exceeded"),
]


@pytest.mark.parametrize(("line", "column", "text"), BAD_LINES)
def test_a_bad_line_is_named_and_its_neighbours_are_read(
    write: Callable[[bytes], Path], line: bytes, column: int, text: str
) -> None:
    found, problems = read(write(b'{"id":"first"}\n' + line), count=2)
    assert found[0] == (1, {"id": "first"})
    if text:
        assert len(found) == 1
        assert len(problems) == 1
        assert problems[0].startswith(f"f.ndjson:2:{column}: {text}")
    else:
        assert (len(found), problems) == (2, [])


def test_every_bad_line_is_listed(write: Callable[[bytes], Path]) -> None:
    _, problems = read(write(b"[]\n\n{}\n{"), count=9, sha256="0" * 64)
    assert [problem.split(": ")[0] for problem in problems] == [
        "f.ndjson:1:1",
        "f.ndjson:2:1",
        "f.ndjson:4:1",
        "f.ndjson",
        "f.ndjson",
    ]
    assert "holds 4 lines, but the manifest declares 9 rows" in problems[3]
    assert "sha256 is not the one in the manifest" in problems[4]


def test_a_flood_of_problems_is_cut_with_a_word(write: Callable[[bytes], Path]) -> None:
    _, problems = read(write(b"\n" * 500), count=500)
    assert len(problems) == rows.MAX_PROBLEMS + 1
    assert problems[-1] == "f.ndjson:51:1: more problems follow and are not listed"


def test_a_missing_file_is_a_problem(tmp_path: Path) -> None:
    assert read(tmp_path / "f.ndjson", count=0) == ([], ["f.ndjson: cannot be read: No such file or directory"])


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-9],
        lambda data: data[:-8] + b"\0\0\0\0" + data[-4:],
        lambda data: data + b"garbage",
        lambda data: data[:10] + b"\xff" * 9 + data[19:],
    ],
)
def test_a_damaged_gz_is_a_problem(write: Callable[[bytes], Path], damage: Callable[[bytes], bytes]) -> None:
    _, problems = read(write(damage(gzip.compress(GOOD * 50))), count=100)
    assert len(problems) == 1
    assert problems[0].startswith("f.ndjson: cannot be unpacked: ")


def test_a_gz_bomb_is_not_unpacked(write: Callable[[bytes], Path]) -> None:
    line = b'{"id":"' + b"a" * 1000 + b'"}\n'
    found, problems = read(write(gzip.compress(line * 20_000)), count=20_000)
    assert len(found) < 11_000
    assert len(problems) == 1
    assert "unpacks to more than 100 times its size" in problems[0]


def test_a_small_file_may_compress_as_well_as_it_can(write: Callable[[bytes], Path]) -> None:
    found, problems = read(write(gzip.compress(b'{"id":"a"}\n' * 50_000)), count=50_000)
    assert (len(found), problems) == (50_000, [])


def test_the_absolute_cap(write: Callable[[bytes], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MAX_UNPACKED", 100)
    _, problems = read(write(gzip.compress(GOOD * 50)), count=100)
    assert "or 100 bytes; the rest was not read" in problems[0]


def test_a_row_without_end_is_not_read(write: Callable[[bytes], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MAX_LINE", 20)
    found, problems = read(write(b'{"id":"a"}\n{"id":"' + b"b" * 100), count=2)
    assert found == [(1, {"id": "a"})]
    assert problems == ["f.ndjson:2:1: the row is longer than 20 bytes; nothing after it was read"]


COLUMNS: dict[str, ColumnType] = {"b": "bool", "s": "string", "n": "long"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, True),
        (False, False),
        (1, True),
        (0, False),
        (1.0, 1.0),
        (2, 2),
        ("true", "true"),
        ("1", "1"),
        ([1], [1]),
        ({}, {}),
    ],
)
def test_bool_columns(value: Json, expected: Json) -> None:
    decoded = decode({"b": value}, COLUMNS)["b"]
    assert (type(decoded), decoded) == (type(expected), expected)


def test_other_columns_stay_and_empty_ones_go() -> None:
    row = {"id": "x", "n": 1, "s": "", "b": None, "m": 0, "l": [], "f": False, "deep": {"e": "", "n": None}}
    decoded = decode(row, COLUMNS)
    assert decoded == {"id": "x", "n": 1, "m": 0, "l": [], "f": False, "deep": {"e": "", "n": None}}
    assert type(decoded["n"]) is int


json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=25,
)


def null_members(value: Json) -> int:
    if isinstance(value, list):
        return sum(map(null_members, value))
    if isinstance(value, dict):
        return sum(1 if member is None else null_members(member) for member in value.values())
    return 0


@given(json)
def test_no_null_member_is_left_and_nothing_else_is_lost(value: Json) -> None:
    dropped = drop_nulls(value)
    assert null_members(dropped) == 0
    assert drop_nulls(dropped) == dropped
    if null_members(value) == 0:
        assert dropped == value


@given(st.dictionaries(st.text(max_size=3), json), st.dictionaries(st.text(max_size=3), st.sampled_from(["bool", "string"])))
def test_decode_twice_is_decode_once(row: dict[str, Json], columns: dict[str, ColumnType]) -> None:
    once = decode(row, columns)
    assert decode(once, columns) == once
    assert set(once) == {name for name, value in row.items() if value is not None and value != ""}


@given(st.binary(max_size=40))
def test_any_bytes_are_a_row_or_a_reason(data: bytes) -> None:
    problem: RowError | None = None
    try:
        assert isinstance(parse_row(data), dict)
    except RowError as error:
        problem = error
    assert problem is None or (str(problem) and problem.column >= 1)


@given(st.dictionaries(st.text(), json))
def test_what_was_written_is_read(row: dict[str, Json]) -> None:
    assert parse_row(orjson.dumps(row) + b"\n") == drop_nulls(row)
