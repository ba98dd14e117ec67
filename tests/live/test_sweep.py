"""Every kind of trouble on every route of ARM, one at a time: each kind in a subscription of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pytest

from scanner.emulator.script import Fault, RouteName
from tests.live import probes
from tests.live.honest import expect_honest, lost
from tests.live.kinds import ATTEMPTS, KINDS, PASSING, SHORTER
from tests.live.probes import BUNDLED
from tests.live.world import Run, Stage, emulating

pytestmark = pytest.mark.estate

WITNESS = "ABK602"
"""A policy that needs nothing of ARM but the permissions."""
POLICIES: Mapping[RouteName, str] = {
    "permissions": "ABK501",
    "locks": "ABK101",
    "vm_status": "ABK301",
    "instance_view": "ABK301",
    "restore_point_collections": "RPC101",
    "restore_points": "RPC101",
}
"""A policy that needs the route."""
HARMLESS = frozenset(
    {
        *("slow", "slow headers", "late", "no quota left", "strange headers"),  # the answer is whole all the same
        *("count too high", "total too high", "total too low", "tenant limit"),  # no part of an answer of ARM
        *("empty page", "repeated token"),  # no page leads to a next one
        *("row twice", "row twice, counted", "row twice, counted everywhere"),  # the same object is the same object
    }
)
NO_LIST = HARMLESS | {
    *("table", "null rows", "text for rows", "rows of text", "rows without members", "rows lost", "cut"),
    *("token of a number", "token unknown", "link elsewhere", "row lost", "row lost, counted"),
}
"""A single object has neither rows nor a next page."""
UNHURT: Mapping[RouteName, frozenset[str]] = {
    "permissions": HARMLESS,
    "locks": HARMLESS,
    "vm_status": HARMLESS,
    # Every object is an instance view. This one shows no agent, and neither does the machine's own in this estate.
    "instance_view": NO_LIST | {"empty list"},
    "restore_point_collections": HARMLESS,
    "restore_points": NO_LIST,
}
LIES = {(route, kind) for route in ("locks", "restore_point_collections") for kind in SHORTER}
"""Answers that are whole and wrong: nobody can tell them from there being no such lock, or collection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """An estate with a subscription for each kind, in order."""

    stage: Stage
    packs: Sequence[str]
    homes: Mapping[str, str]
    calm: dict[str, Run]

    def without_trouble(self, route: RouteName) -> Run:
        policy = POLICIES[route]
        if policy not in self.calm:
            self.calm[policy] = self.scan(route)
        return self.calm[policy]

    def scan(self, route: RouteName, *faults: Fault) -> Run:
        return self.stage.scan("--all", *self.packs, "--policy", POLICIES[route], "--policy", WITNESS, faults=faults)

    def troubled(self, route: RouteName, numbers: range | None) -> Run:
        """The scan with every kind of trouble on a route, for the requests with these numbers."""
        return self.scan(
            route,
            *(
                Fault(route=route, contains=where(route, home), numbers=numbers, action=KINDS[kind])
                for kind, home in self.homes.items()
                if (route, kind) not in LIES
            ),
        )


def where(route: RouteName, home: str) -> str:
    """What the path of the first request on a route in a subscription holds, and no other's."""
    group = "AzureBackupRG_westeurope_1/providers/Microsoft.Compute/restorePointCollections/AzureBackup_vm-00000_1"
    return f"/subscriptions/{home}/resourceGroups/{group}" if route == "restore_points" else f"/subscriptions/{home}/"


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sweep]:
    folder = tmp_path_factory.mktemp("sweep")
    homes = probes.estate(folder / "estate", subscriptions=len(KINDS), vms=2, defects=0.5)
    given = ("--pack", str(BUNDLED), "--pack", str(probes.pack(folder / "probes")))
    with emulating(folder / "estate") as emulator:
        yield Sweep(stage=Stage(emulator), packs=given, homes=dict(zip(KINDS, homes, strict=True)), calm={})


@pytest.mark.parametrize("route", POLICIES)
def test_trouble_stays_where_it_is_and_is_told(sweep: Sweep, route: RouteName) -> None:
    calm = sweep.without_trouble(route)
    for numbers, unhurt, attempts in (
        (None, UNHURT[route], {kind: 1 if kind in UNHURT[route] else ATTEMPTS.get(kind, 1) for kind in KINDS}),
        (range(1, 2), UNHURT[route] | PASSING, {kind: 2 if kind in PASSING - UNHURT[route] else 1 for kind in KINDS}),
    ):
        run = sweep.troubled(route, numbers)
        expect_honest(calm, run)
        lies = {kind for told, kind in LIES if told == route}
        assert lost(calm, run, sweep.homes) == KINDS.keys() - unhurt - lies
        if route != "permissions":
            assert run.of("verdict", WITNESS) == calm.of("verdict", WITNESS)
            assert run.gaps(WITNESS) == set()
        asked = {kind: len(run.asked(route, where(route, home))) for kind, home in sweep.homes.items()}
        assert asked == {kind: 1 if kind in lies else tries for kind, tries in attempts.items()}
