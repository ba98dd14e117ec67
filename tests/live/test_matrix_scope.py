"""Fault matrix, rows 33 to 39: who is expected, who is visible, who may be read, and tokens that are refused."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.core.credentials import AccessTokenInfo, TokenRequestOptions

from scanner.cli import live
from scanner.emulator.exchange import error
from scanner.emulator.script import Fault, Patch, claims_challenge
from scanner.sources.azure.credentials import StaticToken
from tests.live.altered import Row, altered, restated, subscriptions
from tests.live.matrix import CANARY, DISKS, ITEMS, TWO, disks, expect_blind, expect_green
from tests.live.world import Stage, emulating, scan_live

pytestmark = pytest.mark.estate

ABSENT = "00000000-0000-4000-8000-00000000dead"


@pytest.fixture(scope="module")
def stage(healthy: Path) -> Iterator[Stage]:
    with emulating(healthy) as emulator:
        yield Stage(emulator)


@pytest.fixture(scope="module")
def wide_stage(wide: Path) -> Iterator[Stage]:
    with emulating(wide) as emulator:
        yield Stage(emulator)


class Counting(StaticToken):
    """A static token that says how often it was asked for, and with which claims."""

    asked: int = 0
    claims: tuple[str, ...] = ()

    def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        Counting.asked += 1
        claims = (options or {}).get("claims")
        Counting.claims += (claims,) if claims else ()
        return super().get_token_info(*scopes, options=options)


@pytest.fixture
def credential(monkeypatch: pytest.MonkeyPatch) -> type[Counting]:
    monkeypatch.setattr(live, "StaticToken", Counting)
    Counting.asked, Counting.claims = 0, ()
    return Counting


def test_row_33_an_expected_subscription_that_is_not_there_is_named(healthy: Path, stage: Stage) -> None:
    there = subscriptions(healthy)
    run = stage.scan(*TWO, *(f"--subscription={one}" for one in (*there, ABSENT)))
    assert (run.exit_code, run.of("decision")[0]["complete"]) == (3, False)
    for policy, rows in (("ABK501", 12), ("ABK602", 6)):
        assert run.gaps(policy) == {
            ("SCOPE_MISSING", ABSENT, "NotVisible"),
            ("FAILED", ABSENT, "404 SubscriptionNotFound"),
        }
        assert run.counts(policy) == {"pass": rows}
        assert run.results()[policy] == "incomplete"
    assert ABSENT in run.stdout
    assert len(run.asked("permissions", ABSENT)) == 1
    assert [len(run.asked("graph", query)) for query in (CANARY, DISKS, ITEMS)] == [1, 1, 1]


@pytest.mark.parametrize("state", ["Disabled", "Deleted"])
def test_row_34_a_disabled_subscription_is_a_gap_that_names_it(state: str, healthy: Path, tmp_path: Path) -> None:
    first, second = subscriptions(healthy)
    run = scan_live(restated(healthy, tmp_path / "estate", {first: state}), *TWO)
    assert (run.exit_code, run.of("decision")[0]["complete"]) == (3, False)
    assert run.gaps() == {("SCOPE_DISABLED", first, f"the subscription is {state}")}
    assert {one["display"]["subscription"] for one in run.of("verdict") if one["verdict"] == "pass"} == {second}


def test_row_34_a_subscription_with_an_unpaid_bill_still_answers(healthy: Path, tmp_path: Path) -> None:
    first, second = subscriptions(healthy)
    run = scan_live(restated(healthy, tmp_path / "estate", {first: "PastDue", second: "Warned"}), *TWO)
    expect_green(run)
    assert {one["display"]["subscription"] for one in run.of("verdict") if one["verdict"] == "pass"} == {first, second}


ACCESS_DENIED = error(403, "AccessDenied", "No.", [{"code": "AccessDenied", "message": "AccessDenied"}])
REQUESTS_FOR_ONE_OF_EIGHT = 1 + 2 * 3
"""All eight, then two halves on each of three levels, of which the good one is read and the bad one halved again."""


@pytest.mark.parametrize("place", [0, 3, 7])
def test_row_35_one_subscription_that_refuses_is_found_by_halving(place: int, wide: Path, wide_stage: Stage) -> None:
    bad = subscriptions(wide)[place]
    run = wide_stage.scan(*TWO, faults=[Fault(route="graph", contains=bad, action=ACCESS_DENIED)])
    assert (run.exit_code, run.of("decision")[0]["complete"]) == (3, False)
    for policy, rows in (("ABK501", 4), ("ABK602", 2)):
        assert run.gaps(policy) == {("DENIED", bad, "403 AccessDenied")}
        assert run.counts(policy) == {"pass": 7 * rows}
        assert not any(bad in one["id"] for one in run.of("verdict", policy))
    for query in (CANARY, DISKS, ITEMS):
        assert len(run.asked("graph", query)) == REQUESTS_FOR_ONE_OF_EIGHT


def test_row_35_a_query_that_is_refused_is_the_gap_of_its_own_policy(wide: Path, wide_stage: Stage) -> None:
    first = subscriptions(wide)[0]
    end_of_disks = f'bool(null))\\n| order by id asc","subscriptions":["{first}'
    run = wide_stage.scan(*TWO, faults=[Fault(route="graph", contains=end_of_disks, action=ACCESS_DENIED)])
    expect_blind(run, ("DENIED", first, "403 AccessDenied"))
    assert len(run.asked("graph", DISKS)) == REQUESTS_FOR_ONE_OF_EIGHT
    assert len(run.asked("graph", ITEMS)) == 1


@pytest.mark.parametrize("lenient", [[], ["--allow-incomplete"]])
def test_row_36_no_subscription_at_all_is_never_green(lenient: list[str], stage: Stage) -> None:
    run = stage.scan(*TWO, *lenient, faults=[Fault(route="subscriptions", action=Patch(merge={"value": []}))])
    assert (run.exit_code, run.of("decision")[0]["complete"]) == (3, False)
    assert "SCOPE_EMPTY" in {reason for reason, _, _ in run.gaps("ABK501")}
    assert "the scope holds no subscription" in run.of("decision")[0]["reasons"]
    assert [one.route for one in run.seen] == ["subscriptions"]


def without_machines(row: Row) -> Row | None:
    gone = row["type"].startswith("microsoft.compute/") or row["type"].endswith("/protecteditems")
    return None if gone else row


def test_row_37_a_population_that_is_proven_empty_is_none_and_green(healthy: Path, tmp_path: Path) -> None:
    """By the design a proven zero is a result; an estate without machines still has the groups of ABK101."""
    tables = ("resources", "recoveryservicesresources")
    empty = altered(healthy, tmp_path / "estate", dict.fromkeys(tables, without_machines))
    with emulating(empty) as emulator:
        nothing = Stage(emulator).scan(*TWO)
        everything = Stage(emulator).scan()
    expect_green(nothing)
    assert set(nothing.results().values()) == {"none"}
    assert nothing.stdout.splitlines()[0].startswith("NOTHING TO JUDGE  exit 0")
    expect_green(everything)
    assert {policy for policy, result in everything.results().items() if result == "compliant"} == {"ABK101"}
    assert [len(nothing.asked("graph", query)) for query in (CANARY, DISKS, ITEMS)] == [1, 1, 1]


EXPIRED = error(401, "ExpiredAuthenticationToken", "The access token expiry UTC time is earlier than current UTC time.")


def test_row_38_a_token_that_is_refused_once_is_asked_for_anew(stage: Stage, credential: type[Counting]) -> None:
    run = stage.scan(*TWO, faults=disks(EXPIRED, numbers=(1,)))
    expect_green(run)
    assert len(run.asked("graph", DISKS)) == 2
    assert 2 <= credential.asked <= 3  # the SDK drops the token, then we do; another request may ask for one in between
    assert max(run.waits, default=0.0) < 0.1


def test_row_38_a_token_that_is_refused_twice_is_a_gap(stage: Stage, credential: type[Counting]) -> None:
    run = stage.scan(*TWO, faults=disks(EXPIRED))
    expect_blind(run, ("DENIED", "", "401 ExpiredAuthenticationToken"))
    assert len(run.asked("graph", DISKS)) == 2
    assert 2 <= credential.asked <= 4


def test_row_39_a_challenge_for_more_claims_is_answered_with_them(stage: Stage, credential: type[Counting]) -> None:
    wanted = '{"access_token":{"nbf":{"essential":true,"value":"1604106651"}}}'
    challenge = claims_challenge(base64.b64encode(wanted.encode()).decode())
    run = stage.scan(*TWO, faults=disks(challenge, numbers=(1,)))
    expect_green(run)
    assert len(run.asked("graph", DISKS)) == 2
    assert 2 <= credential.asked <= 3
    assert credential.claims == (wanted,)
