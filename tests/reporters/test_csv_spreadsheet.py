"""CSV as a spreadsheet opens it: LibreOffice reads the files, and no cell of them is a formula or was lost."""

from __future__ import annotations

import csv as reader
import io
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from lxml import etree

from reporters import csv
from scanner.model import ScanResult
from tests import debian
from tests.reporters.test_csv import FORMULAS

pytestmark = pytest.mark.full
PAYLOADS = [
    *(f"{sign}1+1" for sign in FORMULAS),
    *(
        "=1+1",
        "@SUM(1,1)",
        "-2+3+cmd|' /C calc'!A0",
        '=HYPERLINK("http://x.example","y")',
        ' =1+1 ";=1+1',
        '",=1+1',
        '"\r\n=1+1',
    ),
]
"""Every sign that a formula may begin with, and formulas that try to leave their cell."""
UNSAFE = {
    "unquoted": "a,=1+1\r\n",
    "quoted": '"a","=1+1"\r\n',
    "by-name": '"a","=HYPERLINK(""http://x.example"",""y"")"\r\n',
}
"""Files that are not ours, in which a spreadsheet sees a formula: quotes do not keep it from that."""
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
Cell = tuple[str, str]
"""What a cell is (string, float, formula, ...) and its text."""
Sheet = list[list[Cell]]


@pytest.fixture(scope="module")
def office() -> str:
    """LibreOffice without a screen, Debian's smallest package that holds its spreadsheet."""
    if shutil.which("soffice") is None:
        debian.install(["libreoffice-calc-nogui"])
    found = shutil.which("soffice")
    assert found is not None
    return found


@pytest.fixture(scope="module")
def written(
    canonical_scan: ScanResult, hostile_scan: Callable[[str], ScanResult], odd: Mapping[str, ScanResult]
) -> Mapping[str, bytes]:
    scans = {"canonical": canonical_scan, **odd, **{f"hostile{n}": hostile_scan(text) for n, text in enumerate(PAYLOADS)}}
    return {name: b"".join(csv.render(scan)) for name, scan in scans.items()}


@pytest.fixture(scope="module")
def opened(office: str, written: Mapping[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Sheet]:
    """Every file as LibreOffice sees it, all in one start."""
    home = tmp_path_factory.mktemp("sheets")
    for name, data in {**written, **{name: text.encode() for name, text in UNSAFE.items()}}.items():
        (home / f"{name}.csv").write_bytes(data)
    profile = f"-env:UserInstallation={(home / 'profile').as_uri()}"
    files = sorted(map(str, home.glob("*.csv")))
    # 44, 34, 76: comma, double quote, UTF-8. The defaults are the user's last choice.
    command = [office, profile, "--headless", "--infilter=CSV:44,34,76", "--convert-to", "fods", "--outdir", str(home), *files]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return {file.stem: list(_sheet(file)) for file in home.glob("*.fods")}


def _sheet(file: Path) -> Iterator[list[Cell]]:
    for row in etree.parse(str(file)).iter(f"{_TABLE}table-row"):
        cells = [cell for one in row.iter(f"{_TABLE}table-cell") for cell in _cells(one)]
        while cells and cells[-1] == ("", ""):
            cells.pop()
        yield from [cells] * (int(row.get(f"{_TABLE}number-rows-repeated") or 1) if cells else 1)


def _cells(cell: etree._Element) -> Sequence[Cell]:
    kind = "formula" if cell.get(f"{_TABLE}formula") is not None else str(cell.get(f"{_OFFICE}value-type") or "")
    text = "\n".join(_spelt(paragraph) for paragraph in cell.iter(f"{_TEXT}p"))
    return [(kind, text)] * int(cell.get(f"{_TABLE}number-columns-repeated") or 1)


def _spelt(element: etree._Element) -> str:
    """Text with the runs of blanks that the format writes as elements."""
    if element.tag == f"{_TEXT}s":
        return " " * int(element.get(f"{_TEXT}c") or 1) + (element.tail or "")
    tail = "" if element.tag == f"{_TEXT}p" else element.tail or ""
    return f"{element.text or ''}{''.join(_spelt(child) for child in element)}{tail}"


def lines(data: bytes) -> list[list[str]]:
    """What was written, without empty cells at the end of a line."""
    found = []
    for line in reader.reader(io.StringIO(data.decode(), newline=""), strict=True):
        kept = list(line)
        while kept and not kept[-1]:
            kept.pop()
        found.append(kept)
    return found


def formulas(sheet: Sheet) -> list[Cell]:
    return [cell for row in sheet for cell in row if cell[0] == "formula"]


def test_every_file_was_opened(opened: Mapping[str, Sheet], written: Mapping[str, bytes]) -> None:
    assert opened.keys() == written.keys() | UNSAFE.keys()


@pytest.mark.parametrize("name", UNSAFE)
def test_a_formula_is_seen_where_there_is_one(name: str, opened: Mapping[str, Sheet]) -> None:
    assert len(formulas(opened[name])) == 1


def test_no_cell_of_ours_is_a_formula(opened: Mapping[str, Sheet], written: Mapping[str, bytes]) -> None:
    assert {name: found for name in written if (found := formulas(opened[name]))} == {}


def test_every_cell_holds_the_text_that_was_written(opened: Mapping[str, Sheet], written: Mapping[str, bytes]) -> None:
    for name, data in written.items():
        assert [[text for _, text in row] for row in opened[name]] == lines(data), name


def test_every_payload_stands_in_every_field_that_others_name(opened: Mapping[str, Sheet]) -> None:
    for number, payload in enumerate(PAYLOADS):
        header, *rows = opened[f"hostile{number}"]
        fails = [dict(zip((text for _, text in header), row, strict=False)) for row in rows if row[0][1] == "fail"]
        named = {"title", "name", "type", "subscription", "resource_group", "location", "message", "cause", "id"}
        core = payload.strip("\t\r\n ").splitlines()[-1].strip()
        assert fails
        for row in fails:
            assert {column for column, (_, text) in row.items() if core in text} >= named
