"""What an identity may not read is missed, never taken for absent: each lack is a gap that names the action or the answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from scanner import packs
from scanner.emulator.roles import Assignment, Roles
from scanner.emulator.script import Fault, Patch
from tests import big_estate
from tests.live.honest import expect_honest
from tests.live.world import POPULATIONS, Run, scan_live

pytestmark = pytest.mark.estate

PERMISSIONS = "Microsoft.Authorization/permissions/read"
LOCKS = "Microsoft.Authorization/locks/read"
DISKS = "Microsoft.Compute/disks/read"
MACHINES = "Microsoft.Compute/virtualMachines/read"
VIEWS = "Microsoft.Compute/virtualMachines/instanceView/read"
EXTENSIONS = "Microsoft.Compute/virtualMachines/extensions/read"
COLLECTIONS = "Microsoft.Compute/restorePointCollections/read"
GROUPS = "Microsoft.Resources/subscriptions/resourceGroups/read"
VAULTS = "Microsoft.RecoveryServices/vaults/read"
ITEMS = "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems/read"
BACKUP_POLICIES = "Microsoft.RecoveryServices/vaults/backupPolicies/read"
PACK = [policy for pack in packs.load(packs.bundled()) for policy in pack.policies if policy.enabled and not policy.needs]
POLICIES = frozenset(policy.id for policy in PACK)


def needing(kind: str) -> frozenset[str]:
    """The policies that read a resource type, one that begins so (`.../`), or a side table."""
    found = set()
    for policy in PACK:
        queries = [policy.query, *(one.query for one in policy.attach if one.query)]
        types = {one for query in queries for asked in (query.tables or {}).values() for one in asked or ()}
        sides = {one.source for one in policy.attach if not one.query}
        if kind in types | sides or (kind.endswith("/") and any(one.startswith(kind) for one in types)):
            found.add(policy.id)
    return frozenset(found)


VM = "microsoft.compute/virtualmachines"
VAULT = "microsoft.recoveryservices/vaults/"
NEEDED_BY: Mapping[str, frozenset[str]] = {
    PERMISSIONS: POLICIES,
    VAULTS: needing(VAULT),
    ITEMS: needing(f"{VAULT}backupfabrics/protectioncontainers/protecteditems"),
    BACKUP_POLICIES: needing(f"{VAULT}backuppolicies"),
    MACHINES: needing(VM) | needing("arm_vm_status"),
    VIEWS: needing("arm_vm_status"),
    EXTENSIONS: needing(f"{VM}/extensions"),
    DISKS: needing("microsoft.compute/disks"),
    LOCKS: needing("arm_locks"),
    COLLECTIONS: needing("microsoft.compute/restorepointcollections"),
    GROUPS: needing("microsoft.resources/subscriptions/resourcegroups"),
}
"""The policies that an action is needed for: each type that their queries and joins name, and each side table."""
REFUSED = "403 AuthorizationFailed"
GONE = "00000000-aaaa-bbbb-cccc-000000000001"
"""A subscription that neither ARM nor Azure Resource Graph knows any more."""


@pytest.fixture(scope="module")
def reader(healthy: Path) -> Run:
    """Reader of everything."""
    return scan_live(healthy, roles=Roles([Assignment()]))


@pytest.fixture(scope="module")
def homes(reader: Run) -> Sequence[str]:
    """The two subscriptions."""
    found: Sequence[str] = reader.lines[0]["scope"]["expected"]
    assert len(found) == 2
    return found


def without(*actions: str, scope: str = "/") -> Assignment:
    """Reader, but for some actions."""
    return Assignment(scope=scope, not_actions=actions)


def below(subscription: str, group: str = "") -> str:
    return f"/subscriptions/{subscription}" + (f"/resourceGroups/{group}" if group else "")


def expect_only(run: Run, reader: Run, affected: frozenset[str]) -> None:
    """Some policies are incomplete and say nothing good; the others are as if nothing were the matter. Nothing was retried."""
    expect_honest(reader, run)
    decision = run.of("decision")[0]
    assert (run.exit_code, decision["exit_code"], decision["complete"]) == (3, 3, False)
    assert {line["policy"] for line in run.of("gap")} == affected
    assert {policy for policy, _, _ in run.passes()} & affected == set()
    for policy in POLICIES:
        assert (run.results()[policy] == "incomplete") == (policy in affected)
        if policy not in affected:
            assert [*run.of("verdict", policy), *run.of("summary", policy)] == [
                *reader.of("verdict", policy),
                *reader.of("summary", policy),
            ]
    assert max(Counter((one.route, one.path, one.query, one.body) for one in run.seen).values()) == 1


def test_a_reader_sees_everything(reader: Run) -> None:
    assert (reader.exit_code, reader.of("decision")[0]["complete"], reader.gaps()) == (0, True, set())
    results = reader.results()
    assert {policy for policy, result in results.items() if result == "not_applicable"} == {"ABK607"}  # no VM has two vaults
    assert set(results.values()) == {"compliant", "none", "not_applicable"}
    asked = Counter(one.route for one in reader.seen)
    assert asked == {"subscriptions": 1, "graph": POPULATIONS + 1, "permissions": 2, "locks": 2, "vm_status": 2}


def test_rights_add_up(healthy: Path, reader: Run) -> None:
    roles = Roles([without(DISKS), Assignment(actions=("Microsoft.Compute/d*/read",)), Assignment(actions=(LOCKS.upper(),))])
    run = scan_live(healthy, roles=roles)
    assert (run.exit_code, run.gaps(), run.of("verdict")) == (0, set(), reader.of("verdict"))


def test_a_role_without_disks(healthy: Path, reader: Run) -> None:
    run = scan_live(healthy, roles=Roles([without(DISKS)]))
    expect_only(run, reader, NEEDED_BY[DISKS])
    assert run.gaps() == {("RIGHTS_PARTIAL", "", DISKS)}


def test_a_role_without_locks(healthy: Path, reader: Run) -> None:
    run = scan_live(healthy, roles=Roles([without(LOCKS)]))
    expect_only(run, reader, NEEDED_BY[LOCKS])
    assert run.gaps() == {("RIGHTS_PARTIAL", "", LOCKS), ("DENIED", "", REFUSED)}
    assert set(run.counts("ABK101")) == {"unknown"}


def test_a_role_that_may_not_read_its_own_permissions(healthy: Path, reader: Run) -> None:
    run = scan_live(healthy, roles=Roles([without(PERMISSIONS)]))
    expect_only(run, reader, POLICIES)
    assert run.gaps() == {("RIGHTS_PARTIAL", "", PERMISSIONS)}
    assert {line["verdict"] for line in run.of("verdict")} == {"unknown"}


def test_a_reader_of_one_group_only(healthy: Path, reader: Run, homes: Sequence[str]) -> None:
    run = scan_live(healthy, roles=Roles([Assignment(scope=below(homes[0], "rg-app"))]))
    expect_only(run, reader, POLICIES)
    assert run.lines[0]["scope"]["expected"] == [homes[0]]
    # The row of the subscription itself may not be read either.
    everywhere = {("RIGHTS_PARTIAL", homes[0], PERMISSIONS), ("SCOPE_MISSING", homes[0], "NotVisible")}
    assert run.gaps("ABK301") == everywhere
    assert run.gaps("ABK101") == {*everywhere, ("DENIED", homes[0], REFUSED)}


def test_a_reader_of_one_subscription_and_some_groups_of_another(healthy: Path, reader: Run, homes: Sequence[str]) -> None:
    groups = [Assignment(scope=below(homes[1], group)) for group in ("rg-app", "rg-backup")]
    run = scan_live(healthy, roles=Roles([Assignment(scope=below(homes[0])), *groups]))
    expect_honest(reader, run)
    assert (run.exit_code, run.of("decision")[0]["complete"]) == (3, False)
    assert {line["policy"] for line in run.of("gap")} == POLICIES
    assert {where for _, where, _ in run.gaps()} == {homes[1]}
    assert {reason for reason, _, _ in run.gaps()} == {"RIGHTS_PARTIAL", "SCOPE_MISSING", "DENIED"}
    assert run.passes() == {one for one in reader.passes() if homes[0] in one[1]}
    partly = [line for line in run.of("verdict") if line["display"]["subscription"] == homes[1]]
    assert {line["verdict"] for line in partly} == {"unknown"}
    assert {line["policy"] for line in partly} == POLICIES - {"ABK101", "ABK102", "ABK106", "ABK502"}


def test_each_action_is_missed_where_it_lacks_and_by_whom_it_is_needed(ten: Path) -> None:
    whole = scan_live(ten)
    homes = dict(zip(NEEDED_BY, whole.lines[0]["scope"]["expected"], strict=True))
    run = scan_live(ten, roles=Roles([without(action, scope=below(home)) for action, home in homes.items()]))
    expect_honest(whole, run)
    assert run.exit_code == 3
    found = {
        (line["policy"], line["subscription"], line["text"]) for line in run.of("gap") if line["reason"] == "RIGHTS_PARTIAL"
    }
    assert found == {(policy, homes[action], action) for action, needing in NEEDED_BY.items() for policy in needing}
    others = {(line["reason"], line["subscription"], line["text"]) for line in run.of("gap")} - {
        ("RIGHTS_PARTIAL", homes[action], action) for action in NEEDED_BY
    }
    assert others == {("DENIED", homes[action], REFUSED) for action in (LOCKS, MACHINES)}
    affected = {(policy, homes[action]) for action, needing in NEEDED_BY.items() for policy in needing}
    assert run.passes() == {one for one in whole.passes() if (one[0], one[1].split("/")[2]) not in affected}


@pytest.fixture(scope="module")
def ten(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A healthy subscription for each action."""
    folder = tmp_path_factory.mktemp("ten") / "estate"
    big_estate.write(folder, subscriptions=len(NEEDED_BY), vms_per_subscription=1, defects=0.0)
    return folder


# Subscriptions that cannot be seen.


def test_a_listed_subscription_that_this_identity_does_not_see(healthy: Path, reader: Run, homes: Sequence[str]) -> None:
    named = [part for one in homes for part in ("--subscription", one)]
    run = scan_live(healthy, *named, roles=Roles([Assignment(scope=below(homes[0]))]))
    expect_missing(run, reader, homes[1], {("RIGHTS_PARTIAL", homes[1], PERMISSIONS), ("DENIED", homes[1], REFUSED)})
    passed = {one["display"]["subscription"] for one in run.of("verdict") if one["verdict"] == "pass"}
    assert passed == {homes[0]}


def test_a_listed_subscription_that_vanished(healthy: Path, reader: Run, homes: Sequence[str]) -> None:
    run = scan_live(healthy, *(part for one in (*homes, GONE) for part in ("--subscription", one)))
    expect_missing(run, reader, GONE, {("FAILED", GONE, "404 SubscriptionNotFound")})
    assert run.passes() == reader.passes()


def test_a_subscription_below_a_management_group_that_vanished(healthy: Path, reader: Run, homes: Sequence[str]) -> None:
    below_root = [{"id": below(one), "type": "/subscriptions", "name": one, "properties": {}} for one in (*homes, GONE)]
    listed = Fault(route="descendants", action=Patch(merge={"value": below_root}))
    run = scan_live(healthy, "--management-group", "root", faults=[listed])
    expect_missing(run, reader, GONE, {("FAILED", GONE, "404 SubscriptionNotFound")})
    assert run.passes() == reader.passes()


def expect_missing(run: Run, reader: Run, missing: str, besides: set[tuple[str, str, str]]) -> None:
    """A subscription of a proven scope is missed by every policy, and the other subscriptions are as they were."""
    assert (run.exit_code, run.of("decision")[0]["complete"], run.lines[0]["scope"]["kind"]) == (3, False, "proven")
    assert set(run.results().values()) == {"incomplete"}
    for policy in POLICIES:
        assert ("SCOPE_MISSING", missing, "NotVisible") in run.gaps(policy)
    assert run.gaps() == {("SCOPE_MISSING", missing, "NotVisible"), *besides}
    assert run.passes() == {one for one in reader.passes() if missing not in one[1]}


@pytest.mark.parametrize(
    ("scope", "gaps"),
    [
        ("--all", {("SCOPE_EMPTY", "", "the scope holds no subscription")}),
        ("--management-group=root", {("SCOPE_EMPTY", "", "the scope holds no subscription"), ("DENIED", "", REFUSED)}),
    ],
)
def test_no_role_at_all_is_an_empty_scope(healthy: Path, scope: str, gaps: set[tuple[str, str, str]]) -> None:
    for arguments in ([scope], [scope, "--allow-incomplete"]):
        run = scan_live(healthy, *arguments, roles=Roles([]))
        assert (run.exit_code, run.of("decision")[0]["complete"], run.of("verdict")) == (3, False, [])
        assert run.gaps() == gaps
        assert set(run.results().values()) == {"incomplete"}
        assert [one.route for one in run.seen][1:] == ([] if scope == "--all" else ["descendants"])


def test_no_role_at_all_in_subscriptions_that_were_listed(healthy: Path, homes: Sequence[str]) -> None:
    run = scan_live(healthy, *(part for one in homes for part in ("--subscription", one)), roles=Roles([]))
    assert (run.exit_code, run.of("decision")[0]["complete"], run.of("verdict")) == (3, False, [])
    assert run.gaps("ABK501") == {("RIGHTS_PARTIAL", "", PERMISSIONS), ("DENIED", "", "403 AccessDenied")}
    assert run.gaps("ABK101") == {*run.gaps("ABK501"), ("DENIED", "", REFUSED)}
    asked = Counter(one.route for one in run.seen)
    # Each query for both, then for each alone: the culprit is looked for.
    assert asked == {"subscriptions": 1, "graph": (POPULATIONS + 1) * 3, "permissions": 2, "locks": 2, "vm_status": 2}
