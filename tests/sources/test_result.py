"""A stored result tells the same again, and a damaged one is refused with its line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reporters import native
from scanner.cli import main
from scanner.errors import InputError
from scanner.model import ScanResult
from scanner.sources.result import read_result
from tests.reporters.conftest import hostile_result, odd_results
from tests.reporters.whole import profiles, whole_result, written

ROOT = Path(__file__).parents[2]
CONTOSO = str(ROOT / "examples" / "contoso")
ODD = odd_results()
Change = Callable[[list[dict[str, Any]]], object]


def kept(result: ScanResult, folder: Path) -> Path:
    file = folder / "result.ndjson"
    file.write_bytes(b"".join(native.render(result)))
    return file


@pytest.mark.parametrize("result", [whole_result(), *ODD.values()], ids=["whole", *ODD])
def test_every_format_is_the_same_from_the_file(result: ScanResult, tmp_path: Path) -> None:
    read = read_result(kept(result, tmp_path))
    for name, profile in profiles():
        assert written(name, profile, read) == written(name, profile, result), f"{name}:{profile}"


@settings(max_examples=40)
@given(text=st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30))
def test_any_text_is_read_back(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    result = hostile_result(text)
    read = read_result(kept(result, tmp_path_factory.mktemp("kept")))
    assert read.info == result.info
    assert list(read.policies) == list(result.policies)
    for policy in result.policies:
        assert list(read.findings.of(policy.info.id)) == list(result.findings.of(policy.info.id))


def documents(folder: Path) -> tuple[Path, list[dict[str, Any]]]:
    file = kept(whole_result(), folder)
    return file, [json.loads(line) for line in file.read_bytes().splitlines()]


def rewritten(file: Path, lines: list[dict[str, Any]]) -> None:
    """Write the lines with a digest that fits them, so that nothing but the change itself is wrong."""
    digest = hashlib.sha256()
    with file.open("wb") as stream:
        for line in lines:
            if line.get("kind") == "decision":
                line = {**line, "sha256": digest.hexdigest()}  # noqa: PLW2901 - told anew
            data = json.dumps(line).encode() + b"\n"
            digest.update(data)
            stream.write(data)


def first(kind: str, lines: list[dict[str, Any]]) -> dict[str, Any]:
    return next(line for line in lines if line["kind"] == kind)


def place(kind: str, lines: list[dict[str, Any]]) -> int:
    return next(number for number, line in enumerate(lines) if line["kind"] == kind)


def test_what_nobody_knows_is_ignored(tmp_path: Path) -> None:
    file, lines = documents(tmp_path)
    lines[0]["new"] = 1
    lines.insert(place("summary", lines), {"kind": "novelty", "x": 1})
    rewritten(file, lines)
    assert len(read_result(file).policies) == len(whole_result().policies)


@pytest.mark.parametrize(
    ("change", "line", "problem"),
    [
        (lambda lines: lines.pop(0), 1, "a scan line is missing: this is a ledger line; the result is not whole"),
        (lambda lines: lines[0].update(format="arguard-result/2"), 1, "this scan line cannot be used: format: Input should be"),
        (lambda lines: lines[0].update(run_time="2026-11-20T06:00:00"), 1, "run_time: Input should have timezone info"),
        (lambda lines: lines[0]["options"].update(fail_on="bad"), 1, "options.fail_on: Value error, must be one of info, low"),
        (lambda lines: first("verdict", lines).update(severity=4), 5, "this verdict line cannot be used: severity: "),
        (lambda lines: first("verdict", lines).update(verdict="passed"), 5, "verdict: Input should be 'pass', 'fail'"),
        (lambda lines: first("verdict", lines).pop("display"), 5, "display: Field required"),
        (lambda lines: first("verdict", lines).update(policy="ABK999"), 5, "verdicts stand below their policy"),
        (lambda lines: lines.insert(4, lines[5]), 6, "verdicts stand below their policy, in the order of id and subject"),
        (lambda lines: lines.pop(place("verdict", lines)), 10, "the counts are not those of the verdicts above (ABK101)"),
        (lambda lines: lines.pop(place("summary", lines)), 11, "a summary line is missing: this is a policy line"),
        (lambda lines: lines.pop(place("decision", lines)), 0, "a decision line is missing: this is a trace line"),
        (lambda lines: lines.append({"kind": "gap"}), 0, "this gap line cannot be used: policy: Field required"),
        (lambda lines: lines.append(lines[0]), 0, "only trace lines may follow the decision line"),
        (lambda lines: lines.append({"what": 1}), 0, "is no object with a `kind`"),
        (lambda lines: lines.__setitem__(slice(3, 11), lines[3:11] * 2), 12, "policies stand in the order of their ids"),
    ],
)
def test_a_damaged_result_is_refused_with_its_line(change: Change, line: int, problem: str, tmp_path: Path) -> None:
    file, lines = documents(tmp_path)
    change(lines)
    rewritten(file, lines)
    with pytest.raises(InputError) as raised:
        read_result(file)
    (told,) = raised.value.problems
    assert problem in told.text
    assert told.line == line or not line


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "a scan line is missing: the file ends here"),
        (b'{"kind": "scan"', "is cut off"),
        (b"<xml/>\n", "is no JSON"),
        (b"[1]\n", "is no object with a `kind`"),
        (b"\xff\n", "is no JSON"),
    ],
)
def test_what_is_no_result_is_refused(data: bytes, problem: str, tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(data)
    with pytest.raises(InputError, match=problem):
        read_result(file)


def test_a_result_that_was_edited_is_refused(tmp_path: Path) -> None:
    file = kept(whole_result(), tmp_path)
    file.write_bytes(file.read_bytes().replace(b"do-not-delete", b"do-not-deleTe", 1))
    with pytest.raises(InputError, match="they were changed"):
        read_result(file)


def test_a_file_that_changes_while_it_is_read_is_noticed(tmp_path: Path) -> None:
    file = kept(whole_result(), tmp_path)
    read = read_result(file)
    kept(ODD["healthy"], tmp_path)
    with pytest.raises(InputError, match="was changed while it was read"):
        list(read.findings.of("ABK101"))


def test_report_tells_a_scan_again(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    names = {name: tmp_path / name for name in ("native", "sarif", "csv")}
    scan = ["scan", "--snapshot", CONTOSO, "--as-of", "snapshot", "--policy", "ABK502", "-q"]
    assert main([*scan, *(f"-o{name}={file}" for name, file in names.items())]) == 0
    again = {name: tmp_path / f"{name}-2" for name in names}
    assert main(["report", str(names["native"]), *(f"-o{name}={file}" for name, file in again.items())]) == 0
    assert {name: file.read_bytes() for name, file in again.items()} == {
        name: file.read_bytes() for name, file in names.items()
    }
    capfdbinary.readouterr()
    assert main(["report", str(names["native"])]) == 0
    assert capfdbinary.readouterr().out.startswith(b"PASS  exit 0")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["none.ndjson"], "2 none.ndjson: cannot be read (No such file or directory)"),
        (["result.ndjson", "-o", "native=result.ndjson"], "4 result.ndjson: is the result that is read"),
        (["result.ndjson", "-o", "csv=none/x"], "4 the folder none does not exist"),
        (["result.ndjson", "--include", "fail"], "2 --include fail: no output is asked for; name it with -o"),
    ],
)
def test_report_refuses_what_it_cannot_do(
    arguments: list[str],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    kept(whole_result(), tmp_path)
    monkeypatch.chdir(tmp_path)
    code, _, problem = told.partition(" ")
    assert main(["report", *arguments]) == int(code)
    assert problem in capfd.readouterr().err
