from __future__ import annotations

import pytest
from hypothesis import given

from scanner.model import Json
from scanner.policy import SIDE_TABLES
from scanner.views import VIEWS
from tests.conftest import VM, json_values

LOCK = "/subscriptions/S1/resourceGroups/RG1/providers/Microsoft.Authorization/locks/Keep"


def status(code: str, **more: Json) -> dict[str, Json]:
    return {"code": code, "displayStatus": f"display of {code}", **more}


def vm_view(**instance: Json) -> dict[str, Json]:
    return VIEWS["arm_vm_status"]({"id": VM, "properties": {"instanceView": instance}})


def extension(*statuses: Json) -> Json:
    return vm_view(extensions=[{"name": "e1", "type": "t", "statuses": list(statuses)}])["extensions"][0]


def test_there_is_a_view_for_every_side_table() -> None:
    assert set(VIEWS) == set(SIDE_TABLES)


def test_a_lock_says_what_it_is_on_and_what_it_forbids() -> None:
    item = {"id": LOCK, "name": "Keep", "properties": {"level": "CanNotDelete", "notes": "prod", "owners": []}}
    scope = "/subscriptions/s1/resourcegroups/rg1"
    assert VIEWS["arm_locks"](item) == {"id": LOCK, "name": "Keep", "level": "CanNotDelete", "notes": "prod", "scope": scope}


def test_a_lock_without_properties_has_a_name_and_nulls() -> None:
    view = VIEWS["arm_locks"]({"id": LOCK})
    assert (view["name"], view["level"], view["notes"]) == ("Keep", None, None)


def test_the_status_of_a_machine_as_azure_records_it() -> None:
    agent = {
        "vmAgentVersion": "2.7.41491.1095",
        "statuses": [status("ProvisioningState/succeeded", message="ok", time="2026-11-20T05:00:00Z")],
    }
    powers = [status("ProvisioningState/succeeded"), status("PowerState/running")]
    patches = {"availablePatchSummary": {"rebootPending": True, "criticalAndSecurityPatchCount": 2}}
    assert vm_view(vmAgent=agent, statuses=powers, osName="Ubuntu", extensions=[], patchStatus=patches) == {
        "id": VM,
        "agent_code": "ProvisioningState/succeeded",
        "agent_display": "display of ProvisioningState/succeeded",
        "agent_message": "ok",
        "agent_time": "2026-11-20T05:00:00Z",
        "agent_version": "2.7.41491.1095",
        "os_name": "Ubuntu",
        "power_code": "PowerState/running",
        "extensions": [],
        "failed_extensions": [],
        "reboot_pending": True,
    }


def test_the_agent_speaks_through_its_first_succeeded_status_in_any_case_else_through_its_first() -> None:
    dead, ready = status("ProvisioningState/Unavailable"), status("provisioningstate/SUCCEEDED/x")
    assert vm_view(vmAgent={"statuses": [dead, ready]})["agent_code"] == "provisioningstate/SUCCEEDED/x"
    assert vm_view(vmAgent={"statuses": [dead, status("Other")]})["agent_code"] == "ProvisioningState/Unavailable"
    assert vm_view(vmAgent={"statuses": ["odd", status("Other")]})["agent_code"] is None


def test_only_a_power_state_speaks_for_the_power() -> None:
    assert vm_view(statuses=[status("ProvisioningState/succeeded")])["power_code"] is None


@pytest.mark.parametrize(
    "item", [{"id": VM}, {"id": VM, "properties": None}, {"id": VM, "properties": {"instanceView": "odd"}}]
)
def test_a_view_is_null_where_the_machine_says_nothing(item: Json) -> None:
    view = VIEWS["arm_vm_status"](item)
    assert {key for key, value in view.items() if value is not None} == {"id"}


def test_a_failed_status_speaks_for_its_extension_else_the_first_does() -> None:
    fine, failed = status("ProvisioningState/succeeded"), status("ProvisioningState/failed/1", message="boom")
    assert extension(fine, failed) == {
        "name": "e1",
        "type": "t",
        "code": "ProvisioningState/failed/1",
        "display": "display of ProvisioningState/failed/1",
        "message": "boom",
    }
    assert extension(fine, status("ProvisioningState/updating"))["code"] == "ProvisioningState/succeeded"
    assert extension()["code"] is None


@pytest.mark.parametrize("odd", ["text", None, {}, {"code": None}, {"code": 5}, {"displayStatus": "Provisioning failed"}])
def test_an_extension_with_a_status_that_does_not_say_what_it_is_has_no_code(odd: Json) -> None:
    assert extension(status("ProvisioningState/succeeded"), odd)["code"] is None
    assert extension(odd, status("ProvisioningState/failed"))["code"] == "ProvisioningState/failed"


def test_an_extension_that_is_no_object_stays_so_that_it_is_missed() -> None:
    assert vm_view(extensions=["odd"])["extensions"] == [
        {"name": None, "type": None, "code": None, "display": None, "message": None}
    ]
    assert vm_view(extensions="odd")["extensions"] is None


def test_the_failed_extensions_are_named_whatever_stands_beside_them() -> None:
    failed = {"name": "bad", "statuses": [status("ProvisioningState/succeeded"), status("PROVISIONINGSTATE/Failed/3")]}
    fine = {"name": "good", "statuses": [status("ProvisioningState/succeeded")]}
    nameless = {"statuses": [status("ProvisioningState/failed")]}
    assert vm_view(extensions=[fine, failed, "odd", nameless])["failed_extensions"] == ["bad", None]
    assert vm_view(extensions=[fine])["failed_extensions"] == []
    assert vm_view()["failed_extensions"] is None


@pytest.mark.parametrize("patches", [None, "odd", {}, {"availablePatchSummary": None}, {"availablePatchSummary": {}}])
def test_no_reboot_is_pending_or_not_where_no_assessment_is_told(patches: Json) -> None:
    assert vm_view(patchStatus=patches)["reboot_pending"] is None


@pytest.mark.parametrize("told", [True, False, "true"])
def test_a_pending_reboot_is_told_as_azure_tells_it(told: Json) -> None:
    assert vm_view(patchStatus={"availablePatchSummary": {"rebootPending": told}})["reboot_pending"] is told


def test_restore_points_are_counted_only_where_there_is_a_list() -> None:
    view = VIEWS["arm_restore_points"]
    item = {"id": "/x/C1", "name": "C1", "properties": {"source": {"id": VM}, "restorePoints": [{}, {}]}}
    assert view(item) == {"id": "/x/C1", "name": "C1", "source_id": VM, "count": 2}
    assert view({"id": "/x/C1", "properties": {"restorePoints": []}}) == {
        "id": "/x/C1",
        "name": "C1",
        "source_id": None,
        "count": 0,
    }
    assert view({"id": "/x/C1", "properties": {"restorePoints": "2"}})["count"] is None


def test_a_collection_whose_source_is_an_empty_text_names_none() -> None:
    assert VIEWS["arm_restore_points"]({"id": "/x/C1", "properties": {"source": {"id": ""}}})["source_id"] is None


def test_evidence_keeps_its_checks_and_its_time() -> None:
    checks = {"win_vss_writers": {"status": "pass", "value": "stable"}}
    item = {"id": VM, "collected_at": "2026-11-20T05:00:00Z", "tool": "probe", "checks": checks}
    assert VIEWS["evidence"](item) == {**item, "origin": None, "digest": None}
    given = {**item, "origin": "self-attested", "digest": "d1"}
    assert VIEWS["evidence"](given) == given
    nothing = dict.fromkeys(("collected_at", "tool", "origin", "digest"))
    assert VIEWS["evidence"]({"id": VM, "checks": "odd"}) == {"id": VM, **nothing, "checks": {}}


@pytest.mark.parametrize("table", SIDE_TABLES)
@given(properties=json_values, identity=json_values)
def test_no_object_breaks_a_view(table: str, properties: Json, identity: Json) -> None:
    for item in (
        {"id": identity, "properties": properties},
        {"properties": {"instanceView": properties}},
        {"checks": properties},
    ):
        assert "id" in VIEWS[table](item)
