"""Fault matrix, row 31: more subscriptions than one query may name. None is left out, none is asked about twice."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest

from scanner.emulator.exchange import Seen
from tests import big_estate
from tests.live.matrix import CANARY, ITEMS, expect_green
from tests.live.world import scan_live

pytestmark = pytest.mark.estate


def batches(requests: Sequence[Seen]) -> list[list[str]]:
    return [orjson.loads(one.body)["subscriptions"] for one in requests]


@pytest.mark.parametrize(("number", "sizes"), [(1001, [101, 300, 300, 300]), (2500, [100, *[300] * 8])])
def test_row_31_every_subscription_is_asked_about_once_in_batches_of_300(number: int, sizes: list[int], tmp_path: Path) -> None:
    written = big_estate.write(tmp_path / "estate", subscriptions=number, vms_per_subscription=1, defects=0)
    run = scan_live(tmp_path / "estate", "--policy", "ABK602", page=1000)
    expect_green(run)
    for query in (CANARY, ITEMS):
        found = batches(run.asked("graph", query))
        assert sorted(map(len, {tuple(one) for one in found})) == sizes
        assert sorted({*itertools.chain(*found)}) == sorted(written.subscriptions)
    assert len(run.asked("permissions")) == number
    assert run.lines[0]["scope"]["expected"] == sorted(written.subscriptions)
    assert {one["display"]["subscription"] for one in run.of("verdict")} == {*written.subscriptions}
    assert run.counts("ABK602") == {"pass": number}
