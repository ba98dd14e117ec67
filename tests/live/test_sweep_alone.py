"""Trouble that concerns everybody, one kind at a time: with the lists that make the scope, and with the quota of queries."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scanner.emulator.script import Fault, Patch, RouteName
from tests import big_estate
from tests.live.honest import expect_honest
from tests.live.kinds import ATTEMPTS, KINDS, THROTTLES
from tests.live.test_sweep import HARMLESS
from tests.live.world import Stage, emulating

pytestmark = pytest.mark.estate


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One subscription with a defect that blocks."""
    folder = tmp_path_factory.mktemp("sweep") / "estate"
    big_estate.write(folder, subscriptions=1, vms_per_subscription=8, defects=1.0)
    with emulating(folder) as emulator:
        yield Stage(emulator)


@pytest.mark.parametrize(
    ("route", "scope"), [("subscriptions", "--all"), ("subscriptions", "--subscription"), ("descendants", "--management-group")]
)
def test_a_scope_that_could_not_be_read_is_missed_by_every_policy(stage: Stage, route: RouteName, scope: str) -> None:
    calm = stage.scan("--all", "--policy", "ABK501")
    name = {"--all": [], "--subscription": calm.lines[0]["scope"]["expected"], "--management-group": ["root"]}[scope]
    assert calm.exit_code == 1
    for kind, action in [*KINDS.items()][:: 4 if scope == "--subscription" else 1]:
        run = stage.scan(scope, *name, "--policy", "ABK501", faults=[Fault(route=route, action=action)])
        expect_honest(calm, run)
        assert len(run.asked(route)) == (1 if kind in HARMLESS else ATTEMPTS.get(kind, 1)), kind
        if kind in HARMLESS or scope == "--subscription":
            # Who was named is expected; the list would tell no more than names and states, which the canary tells, too.
            assert run.of("verdict") == calm.of("verdict"), kind
            assert (run.exit_code, run.gaps()) == (1, set()), kind
        else:
            assert (run.exit_code, run.of("decision")[0]["complete"], run.of("verdict")) == (3, False, []), kind
            assert "SCOPE_EMPTY" in {reason for reason, _, _ in run.gaps()}, kind


@pytest.mark.parametrize("contains", ["state = tostring(properties.state)", "// Managed disks of virtual machines"])
def test_a_query_that_is_throttled_for_ever_is_missed(stage: Stage, contains: str) -> None:
    calm = stage.scan("--all", "--policy", "ABK501")
    for kind in sorted(THROTTLES):
        run = stage.scan("--all", "--policy", "ABK501", faults=[Fault(route="graph", contains=contains, action=KINDS[kind])])
        expect_honest(calm, run)
        assert len(run.asked("graph", contains)) == ATTEMPTS.get(kind, 1), kind
        if kind in HARMLESS:
            assert (run.exit_code, run.of("verdict")) == (1, calm.of("verdict")), kind
        else:
            assert run.exit_code == 3, kind
            assert {reason for reason, _, _ in run.gaps()} == {"THROTTLED"}, kind


@pytest.mark.parametrize(("numbers", "found"), [(None, {("UNSTABLE", "RowsRepeated")}), (range(1, 2), set())])
def test_an_object_that_is_listed_twice_and_not_the_same_is_read_again(
    stage: Stage, numbers: range | None, found: set[tuple[str, str]]
) -> None:
    calm = stage.scan("--all", "--policy", "ABK101")
    (home,) = calm.lines[0]["scope"]["expected"]
    group = f"/subscriptions/{home}/resourceGroups/rg-app/providers/Microsoft.Authorization/locks/keep"
    locks = [{"id": group, "name": "keep", "properties": {"level": level}} for level in ("CanNotDelete", "ReadOnly")]
    doubled = Fault(route="locks", numbers=numbers, action=Patch(merge={"value": locks}))
    run = stage.scan("--all", "--policy", "ABK101", faults=[doubled])
    expect_honest(calm, run)
    assert {(reason, text) for reason, _, text in run.gaps()} == found
    assert run.exit_code == (3 if found else calm.exit_code)
    assert len(run.asked("locks")) == 2
