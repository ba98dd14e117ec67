"""JUnit XML that Jenkins' own schema, GitLab, GitHub actions and Azure Pipelines accept: one suite per policy.

A pass is a bare case, a fail a `<failure>` (below `--fail-on` too), waived and known rows are `<skipped>`, a row that could
not be decided and a gap of a policy are an `<error>` each. Rows that a policy does not apply to are a property of the suite.
An incomplete scan without such an error (nothing was asked, say) has one of its own, in the suite "arguard": no file of an
incomplete scan is green. The profile `policies` writes a file for each policy, since readers limit the size of one (GitLab:
30 MB), and that suite into a file of its own. More passes than readers bear are one case, unless they are asked for.

junit-xml builds the elements in portions; its own serialiser writes attributes that Jenkins' current `junit-10.xsd` refuses
(`disabled`) and newlines that differ between Python versions, so the document is written here, suite by suite.
(Schema: github.com/jenkinsci/xunit-plugin, `junit-10.xsd`.)
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

import junit_xml

from reporters import wording
from reporters.junit_cases import Case, cases_of, scan_case, tally_of
from reporters.sanitise import one_line, xml_safe
from reporters.view import UNASKED, Profile, View
from scanner.model import PolicyResult, ScanResult

PROFILES: Final = {"": Profile(), "policies": Profile(files="TEST-*.xml", mark=b'<testsuites name="arguard"')}
_JUNIT: Any = junit_xml  # has no types
PORTION = 1_000
"""Cases that are in memory at a time."""
_ELEMENTS = {"tests": "tests", "failures": "failure", "errors": "error", "skipped": "skipped"}
"""Each total of a suite and what it counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Suite:
    """What stands in front of a suite's cases; `tally` counts tests, failure, error, skipped and not_applicable."""

    name: str
    package: str
    time: str
    tally: Mapping[str, int]
    properties: Mapping[str, str] = field(default_factory=dict)


def render(result: ScanResult, view: View = UNASKED) -> Iterator[bytes]:
    """Write the document; reads the verdicts twice, because XML wants the totals first."""
    tallies = {policy.info.id: tally_of(result, policy, view) for policy in result.policies if policy.asked}
    total = sum(tallies.values(), Counter[str]())
    broken = not tallies or (not result.decision.complete and not total["error"])
    total.update({"tests": int(broken), "error": int(broken)})
    yield b'<?xml version="1.0" encoding="UTF-8"?>\n'
    yield _opening("testsuites", {"name": "arguard"} | _totals(total, ("tests", "failure", "error")))
    if broken:
        yield from _written(_scan_suite(result), [scan_case(result)])
    for policy in result.policies:
        if policy.asked:
            yield from _written(_policy_suite(result, policy, tallies[policy.info.id]), cases_of(result, policy, view))
    yield b"</testsuites>\n"


def parts(result: ScanResult, view: View = UNASKED) -> Iterator[tuple[str, Iterator[bytes]]]:
    """One document for each policy that was asked, and one for the scan itself where it is not complete."""
    asked = [policy for policy in result.policies if policy.asked]
    if not asked or not result.decision.complete:
        yield "TEST-arguard.xml", render(replace(result, policies=()), view)
    told = replace(result.decision, complete=True)  # by the file above
    for policy in asked:
        yield f"TEST-{policy.info.id}.xml", render(replace(result, policies=(policy,), decision=told), view)


def _scan_suite(result: ScanResult) -> _Suite:
    return _Suite(name="arguard", package="arguard", time=_time(result.info.run_time), tally={"tests": 1, "error": 1})


def _policy_suite(result: ScanResult, policy: PolicyResult, tally: Counter[str]) -> _Suite:
    info = policy.info
    properties = {
        "severity": info.severity.word,
        "result": policy.outcome.value,
        "policy_file": f"{info.file}:{info.line}",
        "not_applicable": str(tally["not_applicable"]),
        "passed": str(policy.counts.passed),
        "left_out": str(tally["left_out"]),
        "scope": result.info.scope.kind,
        "as_of": f"{_time(result.info.as_of)}Z",
    }
    return _Suite(
        name=one_line(f"{info.id} {info.title}", 250),
        package=one_line(f"arguard.{info.pack}", 250),
        time=_time(result.info.run_time),
        tally=tally,
        properties={name: one_line(text, wording.LINE) for name, text in properties.items()},
    )


def _time(moment: datetime) -> str:
    """A time in UTC without a zone: Jenkins and Azure Pipelines read it so."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds")


def _written(suite: _Suite, cases: Iterable[Case]) -> Iterator[bytes]:
    """One suite in portions; RuntimeError if the elements written are not those that the opening tag promised."""
    written: Counter[str] = Counter()
    stream, opened = iter(cases), False
    while portion := list(islice(stream, PORTION)):
        element = _built(suite, portion, properties=not opened)
        for case in element.iter("testcase"):
            written.update(["tests", *(child.tag for child in case)])
        yield (b"" if opened else _opening("testsuite", _attributes(element, suite.tally))) + _serialised(element)
        opened = True
    if any(written[kind] != suite.tally.get(kind, 0) for kind in _ELEMENTS.values()):
        raise RuntimeError(f"suite {suite.name}: {dict(suite.tally)} were counted, but {dict(written)} were written")
    yield b"</testsuite>\n"


def _built(suite: _Suite, portion: Iterable[Case], *, properties: bool) -> ET.Element:
    """The elements as junit-xml builds them, which has no types."""
    cases = []
    for case in portion:
        built = _JUNIT.TestCase(case.name, case.classname)
        if case.element == "failure":
            built.add_failure_info(case.message, case.body, case.kind)
        elif case.element == "error":
            built.add_error_info(case.message, case.body, case.kind)
        elif case.element == "skipped":
            built.add_skipped_info(case.message, case.body)
        cases.append(built)
    kept = dict(suite.properties) if properties else None
    suite_built = _JUNIT.TestSuite(suite.name, cases, package=suite.package, timestamp=suite.time, properties=kept)
    element: ET.Element = suite_built.build_xml_doc()
    return element


def _attributes(element: ET.Element, tally: Mapping[str, int]) -> dict[str, str]:
    """What the schema allows; the time is 0, since durations would make each file another."""
    kept = {name: text for name, text in element.attrib.items() if name != "disabled"}
    return kept | _totals(tally, _ELEMENTS.values())


def _totals(tally: Mapping[str, int], kinds: Iterable[str]) -> dict[str, str]:
    return {name: str(tally.get(kind, 0)) for name, kind in _ELEMENTS.items() if kind in kinds} | {"time": "0"}


def _opening(tag: str, attributes: dict[str, str]) -> bytes:
    text = ET.tostring(ET.Element(tag, attributes), encoding="unicode", short_empty_elements=False)
    return xml_safe(text).removesuffix(f"</{tag}>").encode() + b"\n"


def _serialised(element: ET.Element) -> bytes:
    return xml_safe("".join(f"{ET.tostring(child, encoding='unicode')}\n" for child in element)).encode()
