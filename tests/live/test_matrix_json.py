"""Fault matrix, row 42: answers that are no JSON, or none that anybody can work with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scanner.emulator.script import Fault, Patch
from tests.live.altered import subscriptions
from tests.live.matrix import DISKS, LOCKS, TWO, disks, expect_blind
from tests.live.world import Stage, emulating

pytestmark = pytest.mark.estate

SIZE = b'"size_gib":256'


@pytest.fixture(scope="module")
def stage(healthy: Path) -> Iterator[Stage]:
    with emulating(healthy) as emulator:
        yield Stage(emulator)


@pytest.mark.parametrize(
    "swap",
    [
        pytest.param((SIZE, b'"size_gib":NaN'), id="NaN"),
        pytest.param((SIZE, b'"size_gib":-Infinity'), id="infinity"),
        pytest.param((SIZE, b'"size_gib":' + b"1" * 4301), id="4,301 digits"),
        pytest.param((SIZE, b'"size_gib":' + b"[" * 100_000 + b"]" * 100_000), id="100,000 lists"),
        pytest.param((b'"name":"', b'"name":"\\ud800'), id="half a surrogate"),
        pytest.param((b'"name":"', b'"name":"\xff\xfe'), id="no UTF-8"),
    ],
)
def test_row_42_a_body_that_is_no_json_is_a_bad_answer(swap: tuple[bytes, bytes], stage: Stage) -> None:
    """Asked three times, as for every bad answer."""
    run = stage.scan(*TWO, faults=disks(Patch(swap=[swap])))
    expect_blind(run, ("BAD_ANSWER", "", "NotJson"))
    assert len(run.asked("graph", DISKS)) == 3


@pytest.mark.parametrize(
    "value", [b"[" * 100 + b"]" * 100, b'{"a":' * 70 + b"1" + b"}" * 70, b'"\xf0\x9f\x92\xbe\\u0000\\ufffe"', b"true", b'"256"']
)
def test_row_42_a_value_that_nobody_expects_is_the_trouble_of_its_row_alone(value: bytes, stage: Stage) -> None:
    run = stage.scan(*TWO, faults=disks(Patch(swap=[(SIZE, b'"size_gib":' + value)])))
    assert (run.exit_code, run.of("decision")[0]["complete"]) == (3, False)
    assert run.counts("ABK501") == {"pass": 11, "unknown": 1}
    assert run.gaps() == set()
    assert run.results()["ABK602"] == "compliant"
    assert len(run.asked("graph", DISKS)) == 1


@pytest.mark.parametrize("swap", [(b'"value"', b'"nan":NaN,"value"'), (b'{"value"', b"[" * 100_000), (b'"value"', b'"\xff"')])
@pytest.mark.parametrize("route", ["locks", "permissions"])
def test_row_42_the_same_of_resource_manager(route: Any, swap: tuple[bytes, bytes], healthy: Path, stage: Stage) -> None:
    first, second = subscriptions(healthy)
    run = stage.scan(*LOCKS, faults=[Fault(route=route, contains=first, action=Patch(swap=[swap]))])
    assert (run.exit_code, run.of("decision")[0]["complete"]) == (3, False)
    assert run.gaps("ABK101") == {("BAD_ANSWER", first, "NotJson")}
    assert {one["display"]["subscription"] for one in run.of("verdict", "ABK101") if one["verdict"] == "pass"} == {second}
    assert run.results()["ABK602"] == ("compliant" if route == "locks" else "incomplete")
    assert len(run.asked(route, first)) == 3
    assert len(run.asked(route, second)) == 1
