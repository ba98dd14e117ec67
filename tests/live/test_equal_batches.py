"""A thousand subscriptions: batches of at most 300, trouble in some of them, and the same result as without Azure."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from scanner.emulator.exchange import Seen
from scanner.emulator.script import Fault, RouteName
from tests import big_estate
from tests.live.test_equal import TRANSIENT, TROUBLED, judged, told
from tests.live.world import scan_live

pytestmark = pytest.mark.estate

POLICIES = ("--policy", "ABK101", "--policy", "ABK501")
PLACES = 3
"""Queries: two populations and the canary."""


def trouble(subscriptions: tuple[str, ...]) -> Iterator[Fault]:
    """Up to five in a row for every fiftieth subscription, in each way that it is asked about."""
    chance = random.Random(5)  # noqa: S311 - which requests are in trouble
    routes: tuple[RouteName, ...] = ("graph", "permissions", "locks")
    for one in subscriptions[::50]:
        for route in routes:
            numbers = range(1, chance.randint(2, 6))
            yield Fault(route=route, contains=one, numbers=numbers, action=chance.choice(TRANSIENT))


def batch(seen: Seen) -> list[str]:
    found: list[str] = orjson.loads(seen.body)["subscriptions"]
    return found


def test_a_thousand_subscriptions_say_the_same(tmp_path: Path) -> None:
    estate, saved = tmp_path / "estate", tmp_path / "saved"
    written = big_estate.write(estate, subscriptions=1000, vms_per_subscription=1, defects=0.3)
    live = scan_live(estate, *POLICIES, "--save", str(saved), faults=trouble(written.subscriptions))
    offline = judged(estate, POLICIES)
    assert told(live) == told(judged(saved, POLICIES)) == told(offline)
    assert (live.exit_code, live.gaps()) == (1, set())
    assert live.counts("ABK501")["fail"] == written.planted["ABK501"]
    done = [one for one in live.seen if one.status not in TROUBLED]
    batches = [batch(one) for one in done if one.route == "graph"]
    assert Counter(map(len, batches)) == {300: 3 * PLACES, 100: PLACES}
    assert Counter(one for found in batches for one in found) == dict.fromkeys(written.subscriptions, PLACES)
    expected = {"subscriptions": 10, "graph": 4 * PLACES, "permissions": 1000, "locks": 1000}
    assert Counter(one.route for one in done) == expected
    assert len(live.seen) - len(done) > 20
