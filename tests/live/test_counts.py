"""What a live scan asks for: each thing once, nothing that no selected policy needs, and never more than the quota grants."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from scanner.emulator.exchange import Seen
from scanner.emulator.quota import Quota
from scanner.emulator.script import Fault, Patch
from scanner.sources.azure import graph, run, scope
from tests.live.conftest import estate
from tests.live.world import POPULATIONS, InventedTime, Run, Stage, emulating, scan_live

pytestmark = pytest.mark.estate


def asked(found: Run) -> dict[str, int]:
    """Requests by route."""
    return dict(Counter(one.route for one in found.seen))


def check_whole(found: Run, exit_code: int) -> None:
    """Everything was decided, nothing was asked twice, and nothing slipped out."""
    assert found.exit_code == exit_code, found.stderr
    assert found.gaps() == set()
    assert {one.status for one in found.seen} == {200}
    assert max(Counter((one.method, one.path, one.body) for one in found.seen).values()) == 1
    assert {trace["attempts"] for trace in found.of("trace")} == {1}
    assert len(found.of("trace")) == len(found.seen)
    assert found.lines[0]["kind"] == "scan"
    assert len(found.of("decision")) == 1
    for text in (found.stdout, found.stderr, json.dumps(found.lines)):
        assert "emulator-" not in text
        assert "Traceback" not in text


def query_pages(found: Run) -> list[int]:
    """How many requests each distinct query took, most first."""
    return sorted(Counter(one.query for one in found.asked("graph")).values(), reverse=True)


def subscriptions(one: Seen) -> list[str]:
    named: list[str] = json.loads(one.body)["subscriptions"]
    return named


def test_a_healthy_estate_takes_one_query_per_population_and_three_calls_per_subscription(healthy: Path) -> None:
    found = scan_live(healthy)
    check_whole(found, 0)
    assert asked(found) == {"subscriptions": 1, "graph": POPULATIONS + 1, "permissions": 2, "locks": 2, "vm_status": 2}
    assert query_pages(found) == [1] * (POPULATIONS + 1)
    assert len(found.asked("graph", scope.CANARY_KQL)) == 1
    results = found.results()
    assert {policy for policy, result in results.items() if result == "not_applicable"} == {"ABK607"}  # no VM has two vaults
    assert set(results.values()) == {"compliant", "none", "not_applicable"}


def test_each_subscription_costs_three_calls_and_no_query_more(wide: Path) -> None:
    found = scan_live(wide)
    check_whole(found, 0)
    assert asked(found) == {"subscriptions": 1, "graph": POPULATIONS + 1, "permissions": 8, "locks": 8, "vm_status": 8}


@pytest.mark.parametrize(
    ("policies", "sides", "queries"),
    [
        (("ABK501",), set(), 1),
        (("ABK301",), {"vm_status"}, 2),
        (("ABK101",), {"locks"}, 1),
        (("ABK301", "ABK101"), {"locks", "vm_status"}, 3),
        (("ABK401", "ABK602"), set(), 2),
    ],
)
def test_only_what_the_selected_policies_attach_is_fetched(
    healthy: Path, policies: tuple[str, ...], sides: set[str], queries: int
) -> None:
    found = scan_live(healthy, *(part for one in policies for part in ("--policy", one)))
    check_whole(found, 0)
    assert asked(found) == {"subscriptions": 1, "graph": queries + 1, "permissions": 2, **dict.fromkeys(sides, 2)}


def test_subscriptions_that_are_named_are_the_only_ones_asked(healthy: Path) -> None:
    one = json.loads((healthy / "manifest.json").read_bytes())["scope"]["subscriptions"][0]
    found = scan_live(healthy, "--subscription", one)
    check_whole(found, 0)
    assert asked(found) == {"subscriptions": 1, "graph": POPULATIONS + 1, "permissions": 1, "locks": 1, "vm_status": 1}
    assert {name for seen in found.asked("graph") for name in subscriptions(seen)} == {one}


def test_a_query_takes_one_request_for_each_thousand_rows(tmp_path_factory: pytest.TempPathFactory) -> None:
    found = scan_live(estate(tmp_path_factory, subscriptions=1, vms=501), page=1000)
    check_whole(found, 0)
    # Two disks and two extensions a machine, 1,002 rows each; of all else there is one at most.
    assert query_pages(found) == [2, 2, *[1] * (POPULATIONS - 1)]
    assert asked(found) == {"subscriptions": 1, "graph": POPULATIONS + 3, "permissions": 1, "locks": 1, "vm_status": 1}


def test_a_query_takes_one_request_for_each_three_hundred_subscriptions(tmp_path_factory: pytest.TempPathFactory) -> None:
    found = scan_live(estate(tmp_path_factory, subscriptions=301, vms=1), page=1000)
    check_whole(found, 0)
    assert query_pages(found) == [2] * (POPULATIONS + 1)
    assert {len(subscriptions(one)) for one in found.asked("graph")} == {300, 1}
    counts = asked(found)
    assert {counts[route] for route in ("permissions", "locks", "vm_status")} == {301}
    assert counts["subscriptions"] == 1


def test_a_machine_is_asked_for_its_agent_only_where_the_list_lacks_it(healthy: Path) -> None:
    hidden = ((b'"vmAgent":', b'"other":'),) * 2
    lacking = Fault(route="vm_status", numbers={1}, action=Patch(swap=hidden))
    found = scan_live(healthy, faults=[lacking])
    check_whole(found, 0)
    assert asked(found)["instance_view"] == 2
    assert asked(found)["vm_status"] == 2
    assert found.counts("ABK301") == {"pass": 6}


def test_the_quota_is_kept_and_used(healthy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # With one query at a time the invented clock stands still while a request is on its way.
    monkeypatch.setattr(run, "THREADS", 1)
    monkeypatch.setattr(graph, "TOP", 2)
    invented = InventedTime()
    with emulating(healthy, quota=Quota(limit=15, window=5.0), clock=lambda: invented.now) as emulator:
        found = Stage(emulator).scan(invented=invented)
    check_whole(found, 0)
    assert query_pages(found) == [6, 6, 3, 3, 3, 3, 3, 1, 1, 1, 1]
    began, *_, ended = (one.at for one in found.asked("graph"))
    # 31 queries: 15 at once, 15 when the first window is over, and one when the second is.
    assert 10.0 <= ended - began <= 11.0
