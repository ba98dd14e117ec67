from __future__ import annotations

from typing import Any

import pytest

from tests.contoso_rows import (
    COLLECTION,
    DISK,
    DR,
    EXTENSION,
    ITEM,
    JOB,
    PROD,
    SHARED,
    VM,
    extension,
    item,
    items,
    machine,
    rows,
    status,
    table,
    view,
)


def test_groups_are_in_capitals_inside_ids_only() -> None:
    tills = [row for row in rows(VM, sub=PROD) if row["resourceGroup"] == "rg-tills"]
    assert len(tills) == 12
    assert all("/resourceGroups/RG-TILLS/" in row["id"] for row in tills)
    assert any("/RG-HR/" in row["id"] for row in rows(DISK))
    assert any("/AZUREBACKUPRG_WESTEUROPE_1/" in row["id"] for row in rows(COLLECTION))


def test_one_vm_has_its_name_in_another_case_than_its_id() -> None:
    row = machine(PROD, "rg-web", "web-02")
    assert row["id"].endswith("/WEB-02")


def test_subscriptions_are_spelled_in_two_ways() -> None:
    assert all(row["id"].startswith("/Subscriptions/") for row in rows(JOB))
    assert any(row["managedBy"].startswith("/Subscriptions/") for row in rows(DISK))
    assert any(row["properties"]["sourceResourceId"].startswith("/Subscriptions/") for row in rows(ITEM))


@pytest.mark.parametrize("kind", [DISK, ITEM, COLLECTION, EXTENSION])
def test_references_to_machines_differ_in_case_from_the_machines(kind: str) -> None:
    exact = {row["id"] for row in rows(VM)}
    text = [row["managedBy"] or row["properties"].get("sourceResourceId") or row["id"] for row in rows(kind)]
    if kind == COLLECTION:
        text = [row["properties"]["source"]["id"] for row in rows(kind) if "id" in row["properties"]["source"]]
    if kind == EXTENSION:
        text = [identity.rpartition("/extensions/")[0] for identity in text]
    assert {identity in exact for identity in text} == {True, False}
    assert any(identity == identity.lower() for identity in text)


def test_status_ids_differ_in_case_from_the_machines() -> None:
    exact = {row["id"] for row in rows(VM)}
    assert {row["id"] in exact for row in table("arm_vm_status")} == {True, False}


def test_one_name_stands_in_two_groups_of_one_subscription() -> None:
    assert {row["resourceGroup"] for row in rows(VM, sub=PROD, name="web-01")} == {"rg-web", "rg-web-staging"}
    assert items(PROD, "rg-web", "web-01")
    assert not items(PROD, "rg-web-staging", "web-01")
    staging = view(PROD, "rg-web-staging", "web-01")["vmAgent"]["statuses"]
    assert staging[0]["code"] == "ProvisioningState/Unavailable"
    failed = [row for row in rows(EXTENSION, sub=PROD) if "/rg-web-staging/" in row["id"].lower()]
    assert "Failed" in {row["properties"]["provisioningState"] for row in failed}


def test_null_missing_and_empty_all_occur() -> None:
    tags = [row["tags"] for row in rows(VM)]
    assert None in tags
    assert {} in tags
    assert machine(PROD, "rg-web", "web-01")["managedBy"] == ""
    kinds: tuple[Any, ...] = ("missing", None, {})
    settings = [row["properties"].get("settings", "missing") for row in rows(EXTENSION)]
    assert all(kind in settings for kind in kinds)
    collections = [row["properties"].get("encryptionSettingsCollection", "missing") for row in rows(DISK)]
    assert all(kind in collections for kind in ("missing", None, {"enabled": False}))
    notes = [row["properties"].get("notes", "missing") for row in table("arm_locks")]
    assert all(kind in notes for kind in ("missing", None, ""))


def test_a_first_backup_that_is_still_to_come_has_the_sentinel_time() -> None:
    pending = [item(SHARED, "rg-core", "wsus-01"), item(DR, "rg-dr-tills", "till-gw-04")]
    for properties in pending:
        assert properties["protectionState"] == "IRPending"
        assert (properties["lastBackupTime"], properties["lastBackupStatus"]) == ("2001-01-01T00:00:00Z", "")
    assert not [row for row in rows(EXTENSION, sub=SHARED, name="VMSnapshot") if "/wsus-01/" in row["id"].lower()]


@pytest.mark.parametrize(
    ("sub", "group", "name", "code", "version"),
    [
        (PROD, "rg-tills", "till-gw-07", "ProvisioningState/Unavailable", "Unknown"),
        (PROD, "rg-web", "web-03", "ProvisioningState/Unavailable", "Unknown"),
        (PROD, "rg-sql", "sql-03", "ProvisioningState/failed/1", "2.7.41491.1176"),
        (PROD, "rg-tills", "till-gw-09", "PROVISIONINGSTATE/SUCCEEDED", "2.14.0.1"),
        (SHARED, "rg-devops", "build-04", "ProvisioningState/Unavailable", "Unknown"),
    ],
)
def test_agents_report_odd_codes(sub: str, group: str, name: str, code: str, version: str) -> None:
    agent = view(sub, group, name)["vmAgent"]
    assert (agent["statuses"][0]["code"], agent["vmAgentVersion"]) == (code, version)


@pytest.mark.parametrize(
    ("sub", "group", "name", "power"),
    [
        (PROD, "rg-web", "web-08", "starting"),
        (PROD, "rg-print", "prn-01", "stopped"),
        (PROD, "rg-warehouse", "wms-app-02", "deallocated"),
        (SHARED, "rg-devops", "build-05", "deallocated"),
        (DR, "rg-dr-erp", "erp-app-01", "deallocated"),
    ],
)
def test_machines_that_do_not_run_are_rightly_silent(sub: str, group: str, name: str, power: str) -> None:
    extended = machine(sub, group, name)["properties"]["extended"]["instanceView"]
    assert extended["powerState"]["code"] == f"PowerState/{power}"
    assert "vmAgent" not in view(sub, group, name)


def test_three_agents_cannot_be_judged() -> None:
    assert "vmAgent" not in view(PROD, "rg-print", "prn-02")
    assert (
        machine(PROD, "rg-print", "prn-02")["properties"]["extended"]["instanceView"]["powerState"]["code"]
        == "PowerState/running"
    )
    assert "powerState" not in machine(PROD, "rg-warehouse", "wms-app-03")["properties"]["extended"]["instanceView"]
    assert status(DR, "rg-dr-web", "web-04") is None


@pytest.mark.parametrize(
    ("sub", "vm", "name", "state"),
    [
        (PROD, "web-05", "VMSnapshot", "Failed"),
        (PROD, "erp-app-02", "AzureMonitorWindowsAgent", "Failed"),
        (SHARED, "build-02", "CustomScript", "Failed"),
        (PROD, "till-gw-03", "AzureMonitorLinuxAgent", "Creating"),
        (DR, "sql-01", "SqlIaasExtension", "Updating"),
        (PROD, "prn-04", "AzureMonitorWindowsAgent", "missing"),
        (SHARED, "dc-02", "AzureMonitorWindowsAgent", None),
    ],
)
def test_extensions_have_the_planted_states(sub: str, vm: str, name: str, state: str | None) -> None:
    assert extension(sub, vm, name)["properties"].get("provisioningState", "missing") == state


def test_a_handler_is_ready_while_its_extension_failed() -> None:
    instance = view(SHARED, "rg-devops", "build-02")
    [handler] = [entry for entry in instance["vmAgent"]["extensionHandlers"] if entry["type"].endswith(".CustomScript")]
    [found] = [entry for entry in instance["extensions"] if entry["name"] == "CustomScript"]
    assert handler["status"]["displayStatus"] == "Ready"
    assert found["statuses"][0]["code"] == "ProvisioningState/failed/1"
