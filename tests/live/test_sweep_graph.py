"""Every kind of trouble with Azure Resource Graph, one at a time: each kind in a subscription that is asked by itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

from scanner.emulator.script import Fault
from scanner.sources.azure import asked
from tests import big_estate
from tests.live.honest import expect_honest, lost
from tests.live.kinds import ATTEMPTS, KINDS, THROTTLES
from tests.live.world import Run, Stage, emulating

pytestmark = pytest.mark.estate

POLICY = ("--policy", "ABK501")
ALONE = [kind for kind in KINDS if kind not in THROTTLES]
QUERIES = {
    "canary": "state = tostring(properties.state)",
    "ABK501": "// Managed disks of virtual machines",
}
"""A text that only this query holds; the canary is what proves who is visible."""
HARMLESS = frozenset(
    {
        *("slow", "slow headers", "late", "no quota left", "strange headers"),  # the answer is whole all the same
        *("empty page", "repeated token"),  # no page leads to a next one
    }
)
READ_TWICE = ("row lost, counted", "row twice, counted", "row twice, counted everywhere", "total too high", "total too low")
TRIES: Mapping[str, int] = {
    **{kind: tries for kind, tries in ATTEMPTS.items() if kind != "cut"},
    **dict.fromkeys(("row lost", "row twice", "count too high", "rows without members", "empty list"), 3),
    **dict.fromkeys(READ_TWICE, 2),
    # The pages are halved from 1,000 rows down to one.
    "payload too large": 10,
}
"""How often a query is asked where the trouble does not end; once, where it is not listed."""
MISLED = ("token unknown", "link elsewhere")
"""A token that leads nowhere is followed once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """An estate with a subscription for each kind, in order, and what it says when nothing is in trouble."""

    stage: Stage
    homes: Mapping[str, str]
    calm: Run

    def tail(self, name: str) -> str:
        """How the body of a query goes on to the subscriptions."""
        (text,) = {one.query for one in self.calm.asked("graph", QUERIES[name])}
        return json.dumps(text)[-60:] + ',"subscriptions":["'


@pytest.fixture(scope="module", autouse=True)
def _each_alone() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asked, "BATCH", 1)
        yield


@pytest.fixture(scope="module")
def sweep(_each_alone: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sweep]:
    folder = tmp_path_factory.mktemp("sweep") / "estate"
    homes = big_estate.write(folder, subscriptions=len(ALONE), vms_per_subscription=1, defects=0.5).subscriptions
    with emulating(folder) as emulator:
        stage = Stage(emulator)
        yield Sweep(stage=stage, homes=dict(zip(ALONE, homes, strict=True)), calm=stage.scan(*POLICY))


@pytest.mark.parametrize("name", QUERIES)
def test_trouble_stays_where_it_is_and_is_told(sweep: Sweep, name: str) -> None:
    tail = sweep.tail(name)
    for numbers, unhurt, attempts in (
        (None, HARMLESS, {kind: TRIES.get(kind, 1) for kind in ALONE}),
        (range(1, 2), HARMLESS | TRIES.keys(), {kind: 2 if kind in TRIES else 1 for kind in ALONE}),
    ):
        faults = [
            Fault(route="graph", contains=tail + home, numbers=numbers, action=KINDS[kind])
            for kind, home in sweep.homes.items()
        ]
        run = sweep.stage.scan(*POLICY, faults=faults)
        expect_honest(sweep.calm, run)
        assert lost(sweep.calm, run, sweep.homes) == {*ALONE} - unhurt
        bodies = [one.body.decode() for one in run.asked("graph")]
        asked_of = {kind: sum(tail + home in body for body in bodies) for kind, home in sweep.homes.items()}
        assert asked_of == {**attempts, **dict.fromkeys(MISLED, 2)}
