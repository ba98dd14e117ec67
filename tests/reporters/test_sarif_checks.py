"""Every mistake that was seen in SARIF files, and which check notices it: the checks are tested here, not the reporter."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from reporters import sarif
from reporters.view import View
from scanner.model import ScanResult
from tests.reporters.sarif_checks import MOST_RESULTS, problems, schema_errors

Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One thing that is changed in a good document, and the checks that must notice it: schema, own, multitool."""

    name: str
    change: Callable[[Document, Document, Document], object]
    noticed: frozenset[str]


def _mistake(name: str, change: Callable[[Document, Document, Document], object], *noticed: str) -> Mistake:
    return Mistake(name=name, change=change, noticed=frozenset(noticed))


def _physical(result: Document) -> Document:
    place: Document = result["locations"][0]["physicalLocation"]
    return place


def _rules(run: Document) -> list[Document]:
    rules: list[Document] = run["tool"]["driver"]["rules"]
    return rules


def _rule(run: Document) -> Document:
    return _rules(run)[0]


def _prints(result: Document) -> Document:
    prints: Document = result["partialFingerprints"]
    return prints


_ARM = {"artifactLocation": {"uri": "/subscriptions/1/resourceGroups/x"}}
_PORTAL = {"uri": "https://portal.azure.com/#resource/x"}
MISTAKES = (
    _mistake("no-locations", lambda _d, _r, one: one.pop("locations"), "own", "multitool"),
    _mistake("empty-locations", lambda _d, _r, one: one.update(locations=[]), "own", "multitool"),
    _mistake("only-logical", lambda _d, _r, one: one["locations"][0].pop("physicalLocation"), "own", "multitool"),
    _mistake("arm-id", lambda _d, _r, one: one["locations"][0].update(physicalLocation=_ARM), "own", "multitool"),
    _mistake("portal", lambda _d, _r, one: _physical(one).update(artifactLocation=_PORTAL), "own", "multitool"),
    _mistake("blank-in-uri", lambda _d, _r, one: _physical(one)["artifactLocation"].update(uri="a b"), "own", "multitool"),
    _mistake("line-0", lambda _d, _r, one: _physical(one)["region"].update(startLine=0), "schema", "multitool"),
    _mistake("level-critical", lambda _d, _r, one: one.update(level="critical"), "schema", "multitool"),
    _mistake("guid-xyz", lambda _d, _r, one: one.update(guid="xyz"), "schema", "multitool"),
    _mistake("bad-time", lambda _d, run, _o: run["invocations"][0].update(startTimeUtc="2026-11-20 02:00"), "schema"),
    _mistake("unknown-property", lambda _d, _r, one: one.update(unknown=1), "schema", "multitool"),
    _mistake("rule-index-beyond", lambda _d, _r, one: one.update(ruleIndex=99), "own", "multitool"),
    _mistake("rule-index-of-another", lambda _d, _r, one: one.update(ruleIndex=1), "own"),
    _mistake("rule-without-entry", lambda _d, _r, one: one.update(ruleId="ABK999"), "own"),
    _mistake("message-id", lambda _d, _r, one: one.update(message={"id": "a", "arguments": ["b"]}), "own", "multitool"),
    _mistake("pass-with-error", lambda _d, _r, one: one.update(kind="pass", level="error"), "own"),
    _mistake("fail-without-level", lambda _d, _r, one: one.update(level="none"), "own"),
    _mistake("score-a-number", lambda _d, run, _o: _rule(run)["properties"].update({"security-severity": 8.0}), "own"),
    _mistake("score-zero", lambda _d, run, _o: _rule(run)["properties"].update({"security-severity": "0.0"}), "own"),
    _mistake("21-tags", lambda _d, run, _o: _rule(run)["properties"].update(tags=[f"t{one}" for one in range(21)]), "own"),
    _mistake("long-title", lambda _d, run, _o: _rule(run)["shortDescription"].update(text="x" * 1025), "own"),
    _mistake("long-why", lambda _d, run, _o: _rule(run)["fullDescription"].update(text="x" * 1025), "own"),
    _mistake("long-name", lambda _d, run, _o: _rule(run).update(name="X" * 256), "own"),
    _mistake("no-help", lambda _d, run, _o: _rule(run)["help"].update(text=""), "own", "multitool"),
    _mistake("twice-a-rule", lambda _d, run, _o: _rules(run).append(_rule(run)), "own", "schema", "multitool"),
    _mistake("twice-a-guid", lambda _d, run, one: run["results"][1].update(guid=one["guid"]), "own"),
    _mistake("twice-a-hash", lambda _d, run, one: _prints(run["results"][1]).update(_prints(one)), "own"),
    _mistake("no-hash", lambda _d, _r, one: one.pop("partialFingerprints"), "own"),
    _mistake("odd-fingerprint", lambda _d, _r, one: _prints(one).update({"arguard/x": "1"}), "own"),
)  # fmt: skip


def good(canonical_scan: ScanResult) -> Document:
    """A document with a few results, nothing wrong with it."""
    document: Document = json.loads(b"".join(sarif.render(canonical_scan, View(profile="full"))))
    document["runs"][0]["results"] = document["runs"][0]["results"][:5]
    return document


def altered(document: Document, mistake: Mistake) -> Document:
    """A copy with one mistake."""
    copy: Document = json.loads(json.dumps(document))
    mistake.change(copy, copy["runs"][0], copy["runs"][0]["results"][0])
    return copy


def test_the_good_document_is_good(canonical_scan: ScanResult) -> None:
    document = good(canonical_scan)
    assert schema_errors(document) == []
    assert problems(document["runs"][0]) == []


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda one: one.name)
def test_every_mistake_is_noticed_without_the_validator(mistake: Mistake, canonical_scan: ScanResult) -> None:
    document = altered(good(canonical_scan), mistake)
    assert bool(schema_errors(document)) is ("schema" in mistake.noticed)
    assert bool(schema_errors(document) or problems(document["runs"][0]))
    if "own" in mistake.noticed:
        assert problems(document["runs"][0])


@pytest.mark.parametrize(
    ("kind", "problem"),
    [({"kind": "pass", "level": "none"}, "a result that is no failure"), ({"suppressions": []}, "a waived result")],
)
@pytest.mark.parametrize("profile", ["github", "azdo"])
def test_only_open_failures_are_told_to_readers_of_alerts(
    profile: str, kind: Document, problem: str, canonical_scan: ScanResult
) -> None:
    run = good(canonical_scan)["runs"][0]
    run["results"] = run["results"][:2]
    assert problems(run, profile) == []
    run["results"][0] |= kind
    assert problems(run, profile) == [problem]
    assert problems(run, "full") == []


def test_more_results_than_github_takes_are_noticed(canonical_scan: ScanResult) -> None:
    run = good(canonical_scan)["runs"][0]
    first = run["results"][0]
    del first["guid"]
    run["results"] = [
        first | {"partialFingerprints": {"primaryLocationLineHash": f"{number:x}:1"}} for number in range(MOST_RESULTS + 1)
    ]
    assert problems(run, "github") == ["too many results"]
    run["results"].pop()
    assert problems(run, "github") == []
