"""Fixtures of the reporters' tests: the canonical result, results at the edges, results full of hostile text."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from scanner.model import (
    Decision,
    Finding,
    Gap,
    LedgerEntry,
    Options,
    PolicyResult,
    Reason,
    Resource,
    ScanResult,
    Scope,
    Severity,
    Subscription,
    Verdict,
    WaiverMark,
)
from tests.reporters.estate import canonical_result, finding, policy, result_of

GOLDEN = Path(__file__).parent / "golden"

Check = Callable[[str, bytes], None]


def hostile_result(text: str) -> ScanResult:
    """The same text in every text field there is, hashable or not, with each verdict."""
    base = policy("900", Severity.HIGH, title=text)
    told = {"value": text, "origin": text}
    info = replace(
        base,
        name=text,
        pack=text,
        file=text,
        why=text,
        fix=text,
        references=(f"https://{text}", text),
        tags=(text,),
        explains=(text,),
        params={text: told},
    )
    thing = Resource(id=text, display_id=text, name=text, type=text, subscription=text, resource_group=text, location=text)
    mark = WaiverMark(id=text, owner=text, reason=text, expires=text)
    rows = [
        Finding(
            policy=info.id,
            resource=thing,
            subject=f"{text}{number}",
            verdict=verdict,
            severity=Severity.HIGH,
            message=text,
            evidence={text: text, f"params.{text}": told},
            cause=text,
            waiver=waiver,
            reason=Reason.MISSING if verdict is Verdict.UNKNOWN else None,
        )
        for number, (verdict, waiver) in enumerate((verdict, waiver) for verdict in Verdict for waiver in (None, mark))
    ]
    gap = Gap(reason=Reason.FAILED, table=text, subscription=text, text=text)
    result = result_of(
        [(info, rows, [gap])],
        waiting=[PolicyResult(info=replace(info, id="ABK901"), waits_for=(text,))],
        decision=Decision(exit_code=1, complete=False, reasons=(text,)),
    )
    scope = Scope(
        kind=text, expected=(text,), management_groups=(text,), subscriptions=(Subscription(id=text, name=text, state=text),)
    )
    options = Options(policies=(text,), profile=text, params={text: text}, subscriptions=(text,), as_of="snapshot")
    run = replace(
        result.info,
        tool=f"arguard {text}",
        libraries={text: text},
        source=text,
        scope=scope,
        options=options,
        digests={text: text},
        commit=text,
        ci_run=text,
        pipeline={text: text, "organization": text},
    )
    return replace(result, info=run, ledger=(LedgerEntry(table=text, digest=text, answered=(text,), rows=1),))


def odd_results() -> dict[str, ScanResult]:
    """Results at the edges: empty, not asked, interrupted, nothing to judge, a bug, incomplete but allowed."""
    info = policy("101", Severity.HIGH, title="Restore point groups carry no lock")
    waiting = [PolicyResult(info=info, waits_for=("evidence",))]
    cut = Gap(reason=Reason.FAILED, text="an interruption ended the scan before this policy was done")
    passing = [finding(info, "web01", Verdict.PASS)]
    allowed = Decision(
        exit_code=0, complete=False, reasons=("1 policy did not see everything (FAILED)", "--allow-incomplete: accepted")
    )
    return {
        "empty": result_of([], decision=Decision(exit_code=3, complete=False, reasons=("no policy was asked",))),
        "not-asked": result_of(
            [], waiting=waiting, decision=Decision(exit_code=3, complete=False, reasons=("no policy was asked",))
        ),
        "interrupted": result_of(
            [(info, passing, [cut])], decision=Decision(exit_code=130, complete=False, reasons=("the scan was interrupted",))
        ),
        "bug": result_of([(info, [], [cut])], decision=Decision(exit_code=70, complete=False, reasons=())),
        "nothing": result_of(
            [(info, [], [])], decision=Decision(exit_code=0, complete=True, reasons=("there was nothing to judge",))
        ),
        "inapplicable": result_of([(info, [finding(info, "web01", Verdict.NOT_APPLICABLE)], [])]),
        "healthy": result_of([(info, passing, [])]),
        "incomplete": result_of(
            [(info, passing, [cut])],
            decision=Decision(exit_code=3, complete=False, reasons=("1 policy did not see everything (FAILED)",)),
        ),
        "allowed": result_of([(info, passing, [cut])], decision=allowed),
    }


@pytest.fixture(scope="session")
def canonical_scan() -> ScanResult:
    return canonical_result()


@pytest.fixture(scope="session")
def hostile_scan() -> Callable[[str], ScanResult]:
    return hostile_result


@pytest.fixture(scope="session")
def build() -> Callable[..., ScanResult]:
    return result_of


@pytest.fixture(scope="session")
def odd() -> Mapping[str, ScanResult]:
    return odd_results()


@pytest.fixture(scope="session")
def check_golden() -> Check:
    """Compare with a file in golden/; ARGUARD_UPDATE_GOLDEN=1 writes it instead."""

    def check(name: str, data: bytes) -> None:
        file = GOLDEN / name
        if os.environ.get("ARGUARD_UPDATE_GOLDEN") == "1":
            file.write_bytes(data)
        assert data == file.read_bytes(), f"{name} differs; look at the difference, then ARGUARD_UPDATE_GOLDEN=1 accepts it"

    return check
