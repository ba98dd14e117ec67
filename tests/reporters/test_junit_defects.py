"""What junit-xml gets wrong, and that our files do not: each of its defects is shown first, so that a mended one is noticed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import junit_xml
import pytest
from lxml import etree

from reporters import junit
from reporters.junit_cases import Case
from scanner.model import ScanResult, Verdict
from tests.reporters.test_junit import XSD, cases, elements, parsed, rendered, suites

TEXTS = {
    "lone surrogate": "\ud800",
    "U+FFFE": "\ufffe",
    "C0": "\x01",
    "C1": "\x81",
    "DEL": "\x7f",
    "newline": "\n",
    "tab": "\t",
}
_LIBRARY: Any = junit_xml  # has no types


def theirs(case: Any, *, pretty: bool = True, **suite: object) -> str:
    """What junit-xml itself writes of a case."""
    return str(_LIBRARY.to_xml_report_string([_LIBRARY.TestSuite("s", [case], **suite)], prettyprint=pretty))


def their_case(message: str, output: str = "") -> Any:
    case = _LIBRARY.TestCase("n", "c")
    case.add_failure_info(message, output)
    return case


def with_message(result: ScanResult, message: str) -> ScanResult:
    """One failing row with a message, and a policy with that title."""
    row = replace(next(result.findings.of("ABK101")), verdict=Verdict.FAIL, message=message)
    policy = result.policies[0]
    counts = replace(policy.counts, passed=0, failed=1)
    changed = replace(policy, info=replace(policy.info, title=f"a{message}b"), counts=counts)
    return replace(result, policies=(changed,), findings=replace(result.findings, findings={"ABK101": (row,)}))  # type: ignore[type-var]


def test_their_failure_without_text_is_a_pass_and_ours_never(odd: Mapping[str, ScanResult]) -> None:
    assert "<failure" not in theirs(their_case(""))
    for message in ("", " ", "\n"):
        root = parsed(with_message(odd["healthy"], message))
        assert elements(root) == {"failure": 1}
        assert [one.get("message") for one in root.iter("failure")] == [
            f"Fails: a{message}b".replace("\n", " ").replace("  ", " ")
        ]


def test_a_failure_that_lost_its_text_stops_the_report(odd: Mapping[str, ScanResult], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(junit, "cases_of", lambda *_: iter([Case(name="a", classname="b", element="failure")]))
    with pytest.raises(RuntimeError, match="were counted, but"):
        rendered(with_message(odd["healthy"], "m"))


def test_their_writer_fails_on_a_lone_surrogate() -> None:
    with pytest.raises(Exception, match="invalid character number"):
        theirs(their_case("\ud800"))


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_what_their_writer_breaks_or_drops_stays_visible(text: str, odd: Mapping[str, ScanResult]) -> None:
    data = rendered(with_message(odd["healthy"], f"x{text}y"))
    root = etree.fromstring(data)
    told = next(str(one.get("message")) for one in root.iter("failure"))
    assert told == ("x y" if text.isspace() else f"x\\u{ord(text):04x}y")
    (suite,) = root.iter("testsuite")
    assert str(suite.get("name")).endswith(f"a{told}b")


def test_their_attributes_hold_newlines_and_ours_never(hostile_scan: Callable[[str], ScanResult]) -> None:
    data = rendered(hostile_scan("a\nb\tc\r\nd")).decode()
    assert re.findall(r'="[^"]*[\n\t\r][^"]*"', data) == []
    assert not set(re.findall(r"&#\w+;", data)) - {"&#58;", "&#35;"}


def test_their_unpretty_file_has_no_declaration_and_ours_always(odd: Mapping[str, ScanResult]) -> None:
    assert not theirs(their_case("m"), pretty=False).startswith("<?xml")
    for result in odd.values():
        assert rendered(result).startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n')
        for _, chunks in junit.parts(result):
            assert b"".join(chunks).startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n')


def test_their_file_refers_to_characters_by_number_and_ours_is_utf_8(odd: Mapping[str, ScanResult]) -> None:
    assert "&#252;" in theirs(their_case("ü"), pretty=False)
    assert "xüy".encode() in rendered(with_message(odd["healthy"], "xüy"))


def test_their_file_is_refused_by_jenkins_and_ours_is_not(canonical_scan: ScanResult) -> None:
    root = etree.fromstring(theirs(their_case("m")).encode())
    assert not XSD.validate(root)
    assert "disabled" in str(XSD.error_log)
    assert not any("disabled" in one.attrib for one in parsed(canonical_scan).iter("testsuites", "testsuite"))


def test_their_time_is_a_float_and_ours_is_nought(canonical_scan: ScanResult) -> None:
    case = _LIBRARY.TestCase("n", "c", elapsed_sec=0.00001)
    assert 'time="1e-05"' in theirs(case)
    assert {one.get("time") for one in parsed(canonical_scan).iter("testsuites", "testsuite")} == {"0"}


def test_their_timestamp_has_a_fraction_and_ours_is_what_jenkins_reads(canonical_scan: ScanResult) -> None:
    moment = canonical_scan.info.run_time.replace(microsecond=6)
    assert ".000006+00:00" in theirs(their_case("m"), timestamp=moment)
    result = replace(canonical_scan, info=replace(canonical_scan.info, run_time=moment))
    assert {one.get("timestamp") for one in parsed(result).iter("testsuite")} == {"2026-11-20T06:00:00"}


def test_their_totals_count_a_case_twice_and_ours_once(canonical_scan: ScanResult) -> None:
    twice = their_case("m")
    twice.add_skipped_info("s")
    assert 'failures="1"' in theirs(twice)
    assert 'skipped="1"' in theirs(twice)
    for suite in parsed(canonical_scan).iter("testsuite"):
        assert all(len(case) <= 1 for case in suite.iter("testcase"))
        named = sum(int(str(suite.get(name))) for name in ("failures", "errors", "skipped"))
        assert int(str(suite.get("tests"))) == named + sum(len(case) == 0 for case in suite.iter("testcase"))


def test_their_bytes_become_their_spelling_in_python_and_ours_are_text(canonical_scan: ScanResult) -> None:
    assert "message=\"b'abc'\"" in theirs(their_case(b"abc"))  # type: ignore[arg-type]
    assert b"=&quot;b'" not in rendered(canonical_scan)
    assert b"=\"b'" not in rendered(canonical_scan)


def test_their_suite_refuses_a_generator_and_ours_takes_one(odd: Mapping[str, ScanResult]) -> None:
    suite = _LIBRARY.TestSuite("s", iter([their_case("m")]))
    with pytest.raises(TypeError):
        _LIBRARY.to_xml_report_string([suite])
    assert list(cases(suites(parsed(with_message(odd["healthy"], "m")))["ABK101"]))
