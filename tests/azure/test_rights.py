from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.model import Gap, Json, Reason
from scanner.sources.azure.rights import (
    EVERY_READ,
    Permission,
    covers_all_reads,
    grants,
    needed,
    needed_for_side,
    read_permissions,
    rights_gaps,
    unproven,
)
from scanner.sources.azure.wire import Failed
from scanner.sources.coverage import _CANONICAL
from tests.azure.scripted_arm import DENIED, S1, ScriptedCalls, failed, page
from tests.conftest import a_query

URL = f"{S1}/providers/Microsoft.Authorization/permissions?api-version=2022-04-01"
DISKS = "Microsoft.Compute/disks/read"
VMS = "Microsoft.Compute/virtualMachines/read"
CONTRIBUTOR = (
    "Microsoft.Authorization/*/Delete",
    "Microsoft.Authorization/*/Write",
    "Microsoft.Authorization/elevateAccess/Action",
    "Microsoft.Blueprint/blueprintAssignments/write",
)


def entry(*actions: str, but: Iterable[str] = ()) -> Permission:
    return Permission(actions=tuple(one.lower() for one in actions), not_actions=tuple(one.lower() for one in but))


def read(*items: Json) -> tuple[Permission, ...]:
    return read_permissions("S1", ScriptedCalls({URL.replace("/s1/", "/S1/"): page(*items)}))


@pytest.mark.parametrize(
    ("pattern", "action", "matches"),
    [
        ("*", DISKS, True),
        ("*/read", DISKS, True),
        ("Microsoft.Compute/disks/read", DISKS, True),
        ("MICROSOFT.COMPUTE/DISKS/READ", DISKS, True),
        ("Microsoft.Compute/*", DISKS, True),
        ("Microsoft.Compute/*/read", DISKS, True),
        ("Microsoft.Compute/*/read", "Microsoft.Compute/virtualMachines/extensions/read", True),
        ("Microsoft.*/disks/*", DISKS, True),
        ("*/disks/re*d", DISKS, True),
        ("*disks/*disks/*", DISKS, False),
        ("*di*is*", DISKS, False),
        ("**", DISKS, True),
        ("", DISKS, False),
        ("Microsoft.Compute/disks", DISKS, False),
        ("Microsoft.Compute/disks/write", DISKS, False),
        ("Microsoft.Compute/disks/read", VMS, False),
        ("Microsoft.Network/*", DISKS, False),
        ("*/write", DISKS, False),
        ("Microsoft.Compute/*/disks/read", DISKS, False),
        ("Microsoft.Compute/disks/read*read", DISKS, False),
        ("Microsoft.Compute/disk?/read", DISKS, False),
        ("Microsoft.Compute/disk[s]/read", DISKS, False),
        ("Microsoft_Compute/disks/read", DISKS, False),
        ("Microsoft/*/Compute/*/read", DISKS, False),
    ],
)
def test_patterns_match_as_azure_defines_them(pattern: str, action: str, *, matches: bool) -> None:
    assert grants([entry(pattern)], action) is matches


def as_slow_as_can_be(pattern: str, action: str) -> bool:
    """Whether a pattern matches, tried at every place."""
    if not pattern:
        return not action
    if pattern[0] == "*":
        return any(as_slow_as_can_be(pattern[1:], action[start:]) for start in range(len(action) + 1))
    return action[:1].lower() == pattern[0].lower() and as_slow_as_can_be(pattern[1:], action[1:])


@given(st.text("ab*A", max_size=7), st.text("abB", max_size=7))
def test_patterns_match_what_a_slow_reference_matches(pattern: str, action: str) -> None:
    assert grants([entry(pattern)], action) is as_slow_as_can_be(pattern, action)


def test_a_not_action_takes_away_from_its_own_entry_only() -> None:
    without = entry("*", but=["Microsoft.Compute/disks/*"])
    assert not grants([without], DISKS)
    assert grants([without], VMS)
    assert grants([without, entry(DISKS)], DISKS)
    assert grants([entry("*/read"), without], DISKS)
    assert not grants([without, without], DISKS)
    assert not grants([], DISKS)


@pytest.mark.parametrize(
    ("permission", "covers"),
    [
        (entry("*"), True),
        (entry("*/read"), True),
        (entry("*/READ", "Microsoft.Support/*"), True),
        (entry("*", but=CONTRIBUTOR), True),
        (entry(), False),
        (entry("Microsoft.Compute/*"), False),
        (entry("*/write"), False),
        (entry("*", but=["*"]), False),
        (entry("*", but=["Microsoft.Compute/*"]), False),
        (entry("*", but=["Microsoft.Compute/disks/read"]), False),
        (entry("*", but=["*/READ"]), False),
        (entry("*", but=["Microsoft.Compute/*d"]), False),
        (entry("*", but=["Microsoft.Compute/*/read"]), False),
        (entry("*", but=["Microsoft.Compute/*isks/read"]), False),
        (entry("*", but=["Microsoft.Compute/read/*/action"]), True),
        (entry("*", but=["Microsoft.Compute/bread"]), True),
        (entry("*", but=["read"]), True),
    ],
)
def test_all_reads_are_covered_by_one_entry_that_takes_none_away(permission: Permission, *, covers: bool) -> None:
    assert covers_all_reads([permission]) is covers
    assert grants([permission], EVERY_READ) is covers


def test_entries_do_not_add_up_to_all_reads() -> None:
    assert not covers_all_reads([entry("*", but=[DISKS]), entry(DISKS)])
    assert covers_all_reads([entry("*", but=[DISKS]), entry("*/read")])


def fillings(pattern: str) -> Iterator[str]:
    """Actions that a pattern matches; if it matches any that ends in /read, then one of these."""
    parts = pattern.split("*")
    for stars in itertools.product(["/read"[:size] for size in range(6)], repeat=len(parts) - 1):
        yield "".join(itertools.chain(*itertools.zip_longest(parts, stars, fillvalue="")))


@given(st.text("ad/*", max_size=3), st.sampled_from(["", "d", "ad", "*ead", "read", "*/read", "d/read", "/reads", "*a"]))
def test_all_reads_are_covered_exactly_where_no_read_is_taken_away(head: str, tail: str) -> None:
    taken = any(action.endswith("/read") for action in fillings(head + tail))
    assert covers_all_reads([entry("*", but=[head + tail])]) is not taken


permissions = st.lists(
    st.builds(
        entry,
        st.sampled_from(["*", "*/read", DISKS, VMS, "Microsoft.Compute/*", "*/disks/*", "x"]),
        but=st.lists(st.sampled_from(["*", "*/read", DISKS, "Microsoft.Compute/*", *CONTRIBUTOR]), max_size=2),
    ),
    max_size=4,
)
actions = st.sets(st.sampled_from([DISKS, VMS, EVERY_READ, "Microsoft.Authorization/locks/read"]))


@given(actions, permissions, permissions)
def test_the_more_permissions_the_fewer_gaps(wanted: set[str], some: list[Permission], more: list[Permission]) -> None:
    assert set(rights_gaps(wanted, some + more, "s1")) <= set(rights_gaps(wanted, some, "s1"))


@given(actions, permissions, st.sampled_from(["*", DISKS, "*/read", *CONTRIBUTOR]))
def test_the_more_not_actions_the_more_gaps(wanted: set[str], some: list[Permission], more: str) -> None:
    less = [Permission(actions=one.actions, not_actions=(*one.not_actions, more.lower())) for one in some]
    assert set(rights_gaps(wanted, some, "s1")) <= set(rights_gaps(wanted, less, "s1"))


def test_each_missing_action_is_a_gap_of_the_subscription() -> None:
    gaps = rights_gaps({VMS, DISKS, "Microsoft.KeyVault/vaults/read"}, [entry("Microsoft.KeyVault/*")], "S1")
    assert gaps == tuple(Gap(reason=Reason.RIGHTS_PARTIAL, subscription="s1", text=one) for one in (DISKS, VMS))
    assert rights_gaps({EVERY_READ}, [entry(DISKS)], "s1")[0].text == "*/read"
    assert rights_gaps((), (), "s1") == ()
    assert rights_gaps({DISKS, VMS, EVERY_READ}, [entry("*/read")], "s1") == ()


@pytest.mark.parametrize(
    ("tables", "actions"),
    [
        (None, {"*/read"}),
        ({"resources": None}, {"*/read"}),
        ({"resources": frozenset()}, {"*/read"}),
        ({"resources": frozenset({"microsoft.compute/disks"}), "resourcecontainers": None}, {"*/read"}),
        ({}, set()),
        ({"resources": frozenset({"microsoft.compute/disks", "microsoft.compute/virtualmachines"})}, {DISKS, VMS}),
        ({"resources": frozenset({"Microsoft.Compute/Disks"})}, {DISKS}),
        ({"resources": frozenset({"microsoft.fabrikam/lathes"})}, {"microsoft.fabrikam/lathes/read"}),
        (
            {"resourcecontainers": frozenset({"microsoft.resources/subscriptions/resourcegroups"})},
            {"Microsoft.Resources/subscriptions/resourceGroups/read"},
        ),
        ({"resourcecontainers": frozenset({"microsoft.resources/subscriptions"})}, {"Microsoft.Resources/subscriptions/read"}),
        (
            {"resourcecontainers": frozenset({"microsoft.management/managementgroups"})},
            {"Microsoft.Management/managementGroups/read"},
        ),
        (
            {"recoveryservicesresources": frozenset({"microsoft.recoveryservices/vaults/backupjobs"})},
            {"Microsoft.RecoveryServices/vaults/read", "Microsoft.RecoveryServices/vaults/backupJobs/read"},
        ),
        (
            {"recoveryservicesresources": frozenset({"microsoft.recoveryservices/vaults"})},
            {"Microsoft.RecoveryServices/vaults/read"},
        ),
    ],
)
def test_a_query_needs_every_read_action(tables: Mapping[str, frozenset[str] | None] | None, actions: set[str]) -> None:
    found = needed(a_query(tables=tables))
    assert found == actions
    assert all(_CANONICAL.fullmatch(one) for one in found)


@pytest.mark.parametrize("table", ["arm_locks", "arm_vm_status", "arm_restore_points"])
def test_a_side_table_needs_what_its_calls_read(table: str) -> None:
    found = needed_for_side(table)
    assert all(one.endswith("/read") and _CANONICAL.fullmatch(one) for one in found)
    assert rights_gaps(found, [entry("*/read")], "s1") == ()
    assert len(rights_gaps(found, [], "s1")) == len(found) > 0


def test_the_calls_of_each_side_table_are_named() -> None:
    assert needed_for_side("arm_locks") == {"Microsoft.Authorization/locks/read"}
    assert needed_for_side("arm_vm_status") == {VMS, "Microsoft.Compute/virtualMachines/instanceView/read"}
    assert needed_for_side("arm_restore_points") == {
        "Microsoft.Compute/restorePointCollections/read",
        "Microsoft.Compute/restorePointCollections/restorePoints/read",
    }
    with pytest.raises(KeyError):
        needed_for_side("evidence")


def test_permissions_are_read_page_by_page() -> None:
    script = {
        URL: page({"actions": ["*/Read"], "notActions": [], "dataActions": ["*"]}, link="https://host/2"),
        "https://host/2": page({"actions": ["*"], "notActions": ["Microsoft.Compute/*"]}, {"actions": None}),
    }
    calls = ScriptedCalls(script)
    assert read_permissions("s1", calls) == (entry("*/read"), entry("*", but=["microsoft.compute/*"]), entry())
    assert {(one.route, one.subscription, one.provider) for one in calls.requests} == {
        ("permissions", "s1", "microsoft.authorization")
    }


def test_no_entry_grants_nothing() -> None:
    assert read() == ()


def test_an_entry_with_a_condition_grants_nothing() -> None:
    assert read({"actions": ["*"], "condition": "@Resource[x] == 1"}, {"actions": ["*/read"], "condition": None}) == (
        entry("*/read"),
    )


@pytest.mark.parametrize("name", ["actions", "notActions"])
@pytest.mark.parametrize("value", ["*", {"a": 1}, ["*", 1], [None], 1, True])
def test_an_entry_that_is_not_understood_is_a_bad_answer(name: str, value: Json) -> None:
    with pytest.raises(Failed) as caught:
        read({"actions": ["*"], name: value})
    assert (caught.value.reason, caught.value.text) == (Reason.BAD_ANSWER, "PermissionUnreadable")


def test_permissions_that_cannot_be_read_fail() -> None:
    with pytest.raises(Failed) as caught:
        read_permissions("s1", ScriptedCalls({URL: DENIED}))
    assert caught.value is DENIED


def test_a_refusal_to_tell_the_permissions_is_a_missing_right_and_other_trouble_is_itself() -> None:
    right = "Microsoft.Authorization/permissions/read"
    assert unproven(DENIED, "S1") == Gap(reason=Reason.RIGHTS_PARTIAL, subscription="s1", text=right)
    other = Gap(reason=Reason.FAILED, subscription="s1", text="500 InternalServerError")
    assert unproven(failed(), "S1") == other
    assert _CANONICAL.fullmatch(right)
