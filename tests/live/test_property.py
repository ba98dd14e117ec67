"""Whatever goes wrong, and however much of it: a scan in trouble says nothing that the same scan without did not say."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from scanner.emulator.script import Fault, RouteName
from scanner.sources.azure import graph
from tests.live import probes
from tests.live.honest import expect_honest
from tests.live.kinds import KINDS, SHORTER
from tests.live.probes import BUNDLED
from tests.live.world import Run, Stage, emulating

pytestmark = pytest.mark.estate

ROUTES: Sequence[RouteName] = (
    *("*", "graph", "subscriptions", "permissions", "locks", "vm_status", "instance_view"),
    *("restore_point_collections", "restore_points"),
)
TEXTS = ("", "", "// Managed disks", "// Every backup item", "state = tostring(properties.state)", "vm-00001", '"$skipToken"')
TROUBLE = [(route, kind) for route in ROUTES for kind in KINDS if route == "graph" or kind not in SHORTER]
SHAPES = ((1, 3, 0.6), (3, 2, 0.4), (2, 4, 0.0))
"""Subscriptions, machines in each, and the share of them that have a defect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A small estate that is served as long as the module runs, and what it says when nothing is in trouble."""

    stage: Stage
    arguments: Sequence[str]
    calm: Run

    def scan(self, faults: Sequence[Fault]) -> Run:
        return self.stage.scan(*self.arguments, faults=faults)


@pytest.fixture(scope="module", autouse=True)
def _small_pages() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(graph, "TOP", 3)
        yield


@pytest.fixture(scope="module", params=SHAPES, ids=str)
def world(request: pytest.FixtureRequest, _small_pages: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("property")
    subscriptions, vms, defects = request.param
    homes = probes.estate(folder / "estate", subscriptions=subscriptions, vms=vms, defects=defects, mute=defects > 0)
    packs = ("--pack", str(BUNDLED), "--pack", str(probes.pack(folder / "probes")))
    named = tuple(part for home in homes for part in ("--subscription", home))
    with emulating(folder / "estate", page=2) as emulator:
        stage = Stage(emulator)
        yield World(stage=stage, arguments=(*packs, *named), calm=stage.scan(*packs, *named))


def numbers() -> st.SearchStrategy[Container[int] | None]:
    """Some of the requests, or all, or all from one on."""
    some: st.SearchStrategy[Container[int]] = st.frozensets(st.integers(1, 9), min_size=1, max_size=4)
    later = st.integers(1, 4).map(lambda first: range(first, 10_000))
    return st.none() | some | later


def fault(trouble: tuple[RouteName, str], contains: str, numbers: Container[int] | None) -> Fault:
    route, kind = trouble
    return Fault(route=route, contains=contains, numbers=numbers, action=KINDS[kind])


FAULTS = st.lists(st.builds(fault, st.sampled_from(TROUBLE), st.sampled_from(TEXTS), numbers()), min_size=1, max_size=8)


@seed(20261120)
@settings(
    max_examples=14,
    deadline=None,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(faults=FAULTS)
def test_trouble_never_adds_a_pass(world: World, faults: list[Fault]) -> None:
    run = world.scan(faults)
    expect_honest(world.calm, run)
    assert run.exit_code in {0, 1, 3}
    assert run.exit_code != 0 or world.calm.exit_code == 0
