"""The emulator's Azure Resource Manager over a small estate: objects, rights, refusals and paging."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.emulator.arm import VERSIONS, Arm
from scanner.emulator.estate import Estate
from scanner.emulator.exchange import Reply, route_of
from scanner.emulator.roles import Assignment, Roles
from scanner.model import Json
from tests.sources.snapshot_folder import Folder

VM, RPC = "microsoft.compute/virtualmachines", "microsoft.compute/restorepointcollections"
GROUP = "/subscriptions/s1/resourceGroups/RG"
WEB = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/web"
AGENT = {"vmAgentVersion": "2.7"}
Get = Callable[..., Any]


def resource(name: str, kind: str = VM, sub: str = "s1", **more: Json) -> dict[str, Json]:
    segment = {VM: "virtualMachines", RPC: "restorePointCollections"}[kind]
    identity = f"/subscriptions/{sub}/resourceGroups/RG/providers/Microsoft.Compute/{segment}/{name}"
    row = {"id": identity, "name": name, "type": kind, "location": "we", "subscriptionId": sub, "managedBy": "", "plan": None}
    return {**row, "properties": {"extended": {"instanceView": {}}, "vmId": "1"}, **more}


def status(name: str, **view: Json) -> dict[str, Json]:
    row = resource(name, tags={"a": "b"})
    return {**{key: row[key] for key in ("id", "name", "type", "location", "tags")}, "properties": {"instanceView": view}}


def lock(name: str, sub: str = "s1") -> dict[str, Json]:
    identity = f"/subscriptions/{sub}/providers/Microsoft.Authorization/locks/{name}"
    return {"id": identity, "name": name, "properties": {"level": "ReadOnly"}, "type": "Microsoft.Authorization/locks"}


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    folder = Folder(tmp_path_factory.mktemp("snap"))
    machines = [resource(name, tags={"a": "b"}) for name in ("db", "quiet", "web")]
    folder.table("resources", [*machines, resource("far", sub="s2"), resource("AzureBackup_web_1", RPC)])
    folder.table("arm_vm_status", [status("db"), status("web", vmAgent=AGENT), status("gone", statuses=[])])
    refused = {"subscription": "s2", "reason": "DENIED", "text": "403 AuthorizationFailed"}
    folder.table("arm_locks", [lock(f"l{number}") for number in range(5)], gaps=[refused], answered=["s1"])
    points = {"source": {"id": WEB}, "restorePoints": [{"id": "p1"}]}
    folder.table("arm_restore_points", [resource("AzureBackup_db_1", RPC, properties=points)])
    spool = tmp_path_factory.mktemp("spool")
    return Estate.open(folder.write(), spool)


def ask(arm: Arm, address: str, method: str = "GET") -> Reply:
    parts = urlsplit(address)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    query.setdefault("api-version", VERSIONS.get(route_of(parts.path), ("2022-12-01",))[-1])
    reply = arm.route(method, parts.path, query)
    assert reply is not None
    assert reply.headers["x-ms-ratelimit-remaining-subscription-reads"]
    return reply


@pytest.fixture
def get(estate: Estate) -> Get:
    """The body of a correct answer, or (status, code) of a refusal."""

    def getter(address: str, *assignments: Assignment, page: int = 100) -> Any:
        roles = Roles(assignments) if assignments else Roles()
        reply = ask(Arm(estate=estate, roles=roles, endpoint="https://localhost:1", page=page), address)
        body: Any = reply.body
        return body if reply.status == 200 else (reply.status, body["error"]["code"])

    return getter


def names(body: Any) -> list[str]:
    return [one["name"] for one in body["value"]]


def test_subscriptions_are_those_that_a_role_touches(get: Get) -> None:
    both = get("/subscriptions")
    assert [one["subscriptionId"] for one in both["value"]] == ["s1", "s2"]
    assert both["value"][0] == {
        "id": "/subscriptions/s1",
        "subscriptionId": "s1",
        "displayName": "one",
        "state": "Enabled",
        "tenantId": "00000000-0000-0000-0000-000000000000",
    }
    assert [one["subscriptionId"] for one in get("/subscriptions", Assignment(scope=WEB))["value"]] == ["s1"]
    assert get("/subscriptions", Assignment(scope="/subscriptions/other")) == {"value": []}


def test_one_subscription(get: Get) -> None:
    assert get("/SUBSCRIPTIONS/S2")["state"] == "Warned"
    assert get("/subscriptions/s3") == (404, "SubscriptionNotFound")
    assert get("/subscriptions/s1", Assignment(scope=WEB)) == (403, "AuthorizationFailed")


def test_descendants_of_a_management_group(get: Get) -> None:
    address = "/providers/Microsoft.Management/managementGroups/ROOT/descendants"
    found = get(address)["value"]
    assert [(one["name"], one["type"]) for one in found] == [("s1", "/subscriptions"), ("s2", "/subscriptions")]
    assert found[0]["properties"]["displayName"] == "one"
    assert get(address.replace("ROOT", "other")) == (404, "NotFound")
    assert get(address, Assignment(scope="/subscriptions/s1")) == (403, "AuthorizationFailed")


def test_permissions_are_the_effective_ones_of_the_subscription(get: Get) -> None:
    address = "/subscriptions/s1/providers/Microsoft.Authorization/permissions"
    assert get(address)["value"][0]["actions"] == ["*/read"]
    assert get(address, Assignment(scope=GROUP)) == (403, "AuthorizationFailed")


def test_locks_need_their_own_right_and_refuse_as_the_snapshot_says(get: Get) -> None:
    address = "/subscriptions/{}/providers/Microsoft.Authorization/locks"
    assert names(get(address.format("S1"))) == ["l0", "l1", "l2", "l3", "l4"]
    blind = Assignment(not_actions=("Microsoft.Authorization/locks/read",))
    assert get(address.format("s1"), blind) == (403, "AuthorizationFailed")
    assert get(address.format("s2")) == (403, "AuthorizationFailed")


def test_the_status_list_is_reduced_and_the_other_list_has_no_status(get: Get) -> None:
    address = "/subscriptions/s1/providers/Microsoft.Compute/virtualMachines"
    lean = get(f"{address}?StatusOnly=TRUE")
    assert names(lean) == ["db", "web", "gone"]
    assert all(set(one) == {"id", "name", "type", "location", "properties"} for one in lean["value"])
    assert lean["value"][1]["properties"] == {"instanceView": {"vmAgent": AGENT}}
    full = get(address)
    assert names(full) == ["db", "quiet", "web"]
    assert full["value"][2] == {
        "id": WEB,
        "name": "web",
        "type": "Microsoft.Compute/virtualMachines",
        "location": "we",
        "tags": {"a": "b"},
        "properties": {"vmId": "1"},
    }


def test_what_may_not_be_read_is_left_out_of_lists_silently(get: Get) -> None:
    address = "/subscriptions/s1/providers/Microsoft.Compute/virtualMachines?statusOnly=true"
    assert names(get(address, Assignment(scope=WEB))) == ["web"]
    assert get(address, Assignment(scope=f"{GROUP}x")) == (403, "AuthorizationFailed")


def test_one_machine_and_its_instance_view(get: Get) -> None:
    assert get(f"{WEB.upper()}/InstanceView") == {"vmAgent": AGENT}
    assert get(f"{WEB}?$expand=instanceView")["properties"] == {"vmId": "1", "instanceView": {"vmAgent": AGENT}}
    assert get(WEB)["properties"] == {"vmId": "1"}
    assert get(WEB.replace("web", "quiet") + "/instanceView") == {"statuses": []}
    assert get(WEB.replace("web", "gone") + "/instanceView") == {"statuses": []}
    assert get(WEB.replace("web", "nobody")) == (404, "ResourceNotFound")
    narrow = Assignment(not_actions=("Microsoft.Compute/virtualMachines/instanceView/read",))
    assert get(f"{WEB}/instanceView", narrow) == (403, "AuthorizationFailed")
    assert get(WEB, narrow)["name"] == "web"


def test_restore_points_come_per_collection_only(get: Get) -> None:
    address = "/subscriptions/s1/providers/Microsoft.Compute/restorePointCollections"
    listed = get(address)
    assert names(listed) == ["AzureBackup_db_1", "AzureBackup_web_1"]
    assert all("restorePoints" not in one["properties"] for one in listed["value"])
    one = f"{GROUP}/providers/Microsoft.Compute/restorePointCollections/AzureBackup_"
    assert get(f"{one}DB_1?$expand=restorePoints")["properties"]["restorePoints"] == [{"id": "p1"}]
    assert get(f"{one}web_1?$expand=restorePoints")["properties"]["restorePoints"] == []
    assert get(f"{one}db_1")["properties"] == {"source": {"id": WEB}}
    assert get(f"{one}none") == (404, "ResourceNotFound")
    narrow = Assignment(not_actions=("Microsoft.Compute/restorePointCollections/restorePoints/read",))
    assert get(f"{one}db_1?$expand=restorePoints", narrow) == (403, "AuthorizationFailed")


@given(st.integers(1, 7))
def test_a_list_is_whole_whatever_the_size_of_its_pages(estate: Estate, size: int) -> None:
    arm = Arm(estate=estate, roles=Roles(), endpoint="https://localhost:1", page=size)
    address, found, pages = "/subscriptions/s1/providers/Microsoft.Authorization/locks?$filter=a%20b%26c", list[str](), 0
    while address:
        body: Any = ask(arm, address.removeprefix("https://localhost:1")).body
        found += names(body)
        pages += 1
        address = body.get("nextLink", "")
        assert not address or "$filter=a%20b%26c&" in address
    assert found == ["l0", "l1", "l2", "l3", "l4"]
    assert pages == -(-5 // size)


@pytest.mark.parametrize("token", ["x", "-1", "6", "", "²"])
def test_a_made_up_skip_token_is_refused(get: Get, token: str) -> None:
    address = f"/subscriptions/s1/providers/Microsoft.Authorization/locks?$skiptoken={token}"
    assert get(address) == (400, "InvalidSkipToken")


@pytest.mark.parametrize(
    ("version", "code"), [("", "MissingApiVersionParameter"), ("2001-01-01", "InvalidApiVersionParameter")]
)
def test_the_api_version_is_demanded(get: Get, version: str, code: str) -> None:
    assert get(f"/subscriptions?api-version={version}") == (400, code)


def test_only_reading_is_possible(estate: Estate) -> None:
    reply = ask(Arm(estate=estate, roles=Roles()), WEB, "DELETE")
    assert reply.status == 405
    assert b'"code":"MethodNotAllowed"' in reply.content


def test_other_paths_are_somebody_elses(estate: Estate) -> None:
    arm = Arm(estate=estate, roles=Roles())
    assert arm.route("GET", "/providers/Microsoft.ResourceGraph/resources", {}) is None
    assert arm.route("GET", "/tenants", {}) is None


def test_a_table_that_was_not_collected_is_never_empty(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "snap")
    folder.table("resources", [resource("web")])
    spool = tmp_path / "spool"
    spool.mkdir()
    arm = Arm(estate=Estate.open(folder.write(), spool), roles=Roles())
    for tail in ("Authorization/locks", "Compute/virtualMachines?statusOnly=true", "Compute/restorePointCollections"):
        assert ask(arm, f"/subscriptions/s1/providers/Microsoft.{tail}").status == 404
