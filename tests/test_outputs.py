"""What `-o` and `--include` ask for, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reporters.view import UNASKED, Shown, View
from scanner.cli import main, outputs, writing
from scanner.cli.demo import estate
from scanner.errors import OutputError, UsageError
from scanner.model import ScanResult
from tests.reporters.estate import canonical_result

SCAN = ["scan", "--snapshot", str(estate()), "--as-of", "snapshot", "--policy", "ABK502", "-q"]


@pytest.fixture(scope="module")
def canonical_scan() -> ScanResult:
    return canonical_result()


def problems(texts: list[str], includes: list[str] | None = None) -> list[str]:
    with pytest.raises(UsageError) as raised:
        outputs.parse(texts, includes or [])
    return str(raised.value).splitlines()


def test_an_output_has_a_format_a_profile_and_a_file() -> None:
    first, second, third = outputs.parse(["sarif:github=a.sarif", "junit:policies=xml", "native"])
    assert (first.format, first.view, first.file) == ("sarif", View(profile="github"), Path("a.sarif"))
    assert (second.name, second.profile.folder) == ("junit:policies", True)
    assert (third.name, third.view, third.file) == ("native", UNASKED, None)


def test_everything_that_is_wrong_is_told_at_once() -> None:
    assert problems(
        ["sarif:gitub=a", "csv:x=b", "junit:policies", "sarf=c", "native=d", "console"],
        ["console=fail", "native=pass", "failed", "markdwn=fail"],
    ) == [
        "-o sarif:gitub=a: sarif has no profile 'gitub' (did you mean github?)",
        "-o csv:x=b: csv has no profile 'x' (csv has none: write -o csv)",
        "-o junit:policies: writes several files; name a folder: -o junit:policies=FOLDER",
        "-o sarf=c: there is no format 'sarf' (did you mean sarif?)",
        "--include console=fail: console always shows the whole; name the output that is meant: --include FORMAT=VERDICT,...",
        "--include native=pass: native always shows the whole; name the output that is meant: --include FORMAT=VERDICT,...",
        "--include failed: there is no verdict 'failed' (did you mean fail?)",
    ]


def test_what_is_to_be_shown_is_asked_of_all_outputs_or_of_some() -> None:
    read = outputs.parse(["csv=a", "junit=b", "sarif:github=c"], ["sarif:github=fail", "fail,waived", "csv=unknown"])
    two, unknown, fail = (frozenset(one) for one in ({Shown.FAIL, Shown.WAIVED}, {Shown.UNKNOWN}, {Shown.FAIL}))
    assert [one.view.include for one in read] == [unknown, two, fail]
    read = outputs.parse(["csv=a", "junit=b"], ["fail,waived"])
    assert [one.view.include for one in read] == [two, two]


@pytest.mark.parametrize(
    ("texts", "include", "problem"),
    [
        (["sarif:github=a"], "pass", "--include pass: sarif:github shows fail, never pass"),
        (["sarif=a"], "csv=pass", "--include csv=pass: no output is csv; name it with -o"),
        ([], "pass", "--include pass: no output is asked for; name it with -o"),
        (["csv=a"], "", "--include : there is no verdict '' (there are: pass, fail, waived, unknown, not_applicable)"),
    ],
)
def test_an_output_is_never_asked_for_what_it_does_not_show(texts: list[str], include: str, problem: str) -> None:
    assert problems(texts, [include]) == [problem]


def test_rows_are_left_out_where_they_were_not_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    assert main([*SCAN, "-o", f"csv={file}", "--include", "csv=fail"]) == 0
    kinds = {line.partition(",")[0] for line in file.read_text().splitlines()[1:]}
    assert kinds == {'"fail"'}
    assert main([*SCAN, "-o", f"csv={file}"]) == 0
    assert '"pass"' in file.read_text()


def test_a_folder_of_reports_is_written_file_by_file(tmp_path: Path, canonical_scan: ScanResult) -> None:
    (output,) = outputs.parse([f"junit:policies={tmp_path}"])
    outputs.check([output], inputs={}, quiet=True)
    assert writing.write([output], canonical_scan) == []
    asked = [policy.info.id for policy in canonical_scan.policies if policy.asked]
    assert {one.name for one in tmp_path.iterdir()} == {"TEST-arguard.xml", *(f"TEST-{one}.xml" for one in asked)}
    assert {one.stat().st_mode & 0o777 for one in tmp_path.iterdir()} == {0o600}


@pytest.mark.parametrize(
    ("name", "why"),
    [("file", "is no folder; this output writes several files"), ("link", "is a symbolic link"), ("none", "create it first")],
)
def test_a_folder_that_cannot_take_reports_is_found_before_the_scan(name: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(OutputError, match=why):
        outputs.check(outputs.parse([f"junit:policies={tmp_path / name}"]), inputs={}, quiet=True)


def test_a_report_of_an_earlier_scan_does_not_stay_in_the_folder(tmp_path: Path, canonical_scan: ScanResult) -> None:
    old, other = tmp_path / "TEST-ABK999.xml", tmp_path / "TEST-other.xml"
    outputs_asked = outputs.parse([f"junit:policies={tmp_path}"])
    writing.write(outputs_asked, canonical_scan)
    (tmp_path / "TEST-ABK101.xml").rename(old)
    other.write_text("<testsuites name='other'/>")
    writing.write(outputs_asked, canonical_scan)
    assert not old.exists()
    assert other.exists()


def test_a_folder_is_written_whole_or_not_at_all(tmp_path: Path, canonical_scan: ScanResult) -> None:
    asked = outputs.parse([f"junit:policies={tmp_path}"])
    assert writing.write(asked, canonical_scan) == []
    before = {one.name: one.read_bytes() for one in tmp_path.iterdir()}
    policies = [replace(one, info=replace(one.info, title="another")) for one in canonical_scan.policies]
    wrong = replace(policies[4], counts=replace(policies[4].counts, passed=99))
    (told,) = writing.write(asked, replace(canonical_scan, policies=[*policies[:4], wrong, *policies[5:]]))
    assert told == f"junit:policies to {tmp_path}: a bug in the reporter (RuntimeError)"
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == before
