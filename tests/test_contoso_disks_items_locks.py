from __future__ import annotations

import pytest

from tests.contoso_rows import (
    COLLECTION,
    DISK,
    DR,
    GROUP,
    ITEM,
    JOB,
    POLICY,
    PROD,
    SHARED,
    item,
    items,
    lock_scopes,
    rows,
    table,
)


@pytest.mark.parametrize(
    ("name", "size", "ade"),
    [
        ("lake-01-data0", 32768, False),
        ("lake-02-data0", 40960, False),
        ("lake-02-data1", 65536, False),
        ("lake-03-data1", 71680, False),
        ("hr-app-01-data0", 3072, True),
        ("hr-db-01-data0", 4096, True),
        ("hr-db-01-data1", 6144, True),
        ("file-01-data0", "missing", False),
        ("file-01-data1", 8192, False),
        ("dc-01-data0", None, True),
        ("lake-old-archive", 73728, False),
        ("hr-db-01-before-resize", 6144, True),
        ("file-01-copy", "missing", False),
    ],
)
def test_disks_have_the_planted_sizes(name: str, size: int | str | None, *, ade: bool) -> None:
    [row] = rows(DISK, name=name)
    assert row["properties"].get("diskSizeGB", "missing") == size
    assert bool((row["properties"].get("encryptionSettingsCollection") or {}).get("enabled")) is ade


def test_a_big_disk_is_encrypted_but_not_with_ade() -> None:
    [row] = rows(DISK, name="file-01-data1")
    assert row["properties"]["encryption"]["type"] == "EncryptionAtRestWithCustomerKey"


def test_disks_that_no_vm_uses_say_so() -> None:
    loose = {row["name"] for row in rows(DISK) if row["managedBy"] == ""}
    assert loose == {"lake-old-archive", "hr-db-01-before-resize", "file-01-copy"}
    assert {row["properties"]["diskState"] for row in rows(DISK) if row["name"] in loose} == {"Unattached"}


@pytest.mark.parametrize(
    ("sub", "group", "name", "state", "current"),
    [
        (PROD, "rg-warehouse", "wms-db-01", "ProtectionPaused", "ProtectionConfigured"),
        (PROD, "rg-warehouse", "wms-db-02", "Protected", None),
        (PROD, "rg-print", "prn-03", "BackupsSuspended", "ProtectionConfigured"),
        (PROD, "rg-erp", "erp-db-02", "ProtectionStopped", "ProtectionStopped"),
        (PROD, "rg-sql", "sql-04", "ProtectionError", "ProtectionConfigured"),
        (PROD, "rg-tills", "till-gw-12", "Invalid", "missing"),
        (SHARED, "rg-test", "web-02", "Protected", "ProtectionError"),
        (SHARED, "rg-core", "jump-01", None, ""),
        (DR, "rg-dr-web", "web-02", None, "ConfiguringProtectionFailed"),
        (DR, "rg-dr-core", "dc-03", None, "ProtectionConfigured"),
        (PROD, "rg-oldshop", "shop-legacy-01", "ProtectionStopped", None),
        (PROD, "rg-oldshop", "shop-legacy-02", None, "SoftDeleted"),
        (SHARED, "rg-oldlab", "lab-01", "ProtectionError", "ProtectionError"),
    ],
)
def test_items_have_the_planted_states(sub: str, group: str, name: str, state: str | None, current: str | None) -> None:
    properties = item(sub, group, name)
    assert (properties["protectionState"], properties.get("currentProtectionState", "missing")) == (state, current)


def test_two_vaults_know_one_machine() -> None:
    found = {
        row["properties"]["vaultId"].rpartition("/")[2]: row["properties"]["protectionState"]
        for row in items(PROD, "rg-erp", "erp-db-01")
    }
    assert found == {"rsv-prod-weu": "Protected", "rsv-legacy-weu": "protectionstopped"}


def test_soft_deleted_items_are_marked_whatever_their_state_says() -> None:
    marked = {
        row["properties"]["friendlyName"] for row in rows(ITEM) if row["properties"].get("isScheduledForDeferredDelete") is True
    }
    assert marked == {"sbx-02", "shop-legacy-02"}
    assert item(SHARED, "rg-sandbox", "sbx-02")["protectionState"] == "ProtectionStopped"
    assert item(PROD, "rg-oldshop", "shop-legacy-02")["currentProtectionState"] == "SoftDeleted"
    flags = [row["properties"].get("isScheduledForDeferredDelete", "missing") for row in rows(ITEM)]
    assert {True, False, None, "missing"} == set(flags)


def test_a_database_inside_a_vm_is_protected_while_the_vm_is_not() -> None:
    [found] = items(PROD, "rg-edge", "sqledge-01")
    assert found["properties"]["backupManagementType"] == "AzureWorkload"


def test_the_locks_are_where_the_story_says() -> None:
    scopes = lock_scopes()
    assert f"/subscriptions/{SHARED}" in scopes
    groups = {
        scope.rpartition("/")[2] for scope in scopes if scope.startswith(f"/subscriptions/{PROD}/") and scope.count("/") == 4
    }
    assert groups == {
        "rg-snap-erp-1-weu",
        "rg-tills-restore",
        "rg-data-snapshots",
        "rg-snap-erp-archive-weu",
        "azurebackuprg_archive",
        "rg-erp",
    }
    assert any("/restorepointcollections/azurebackup_web-01_" in scope for scope in scopes)
    assert not [scope for scope in scopes if DR in scope]
    assert {row["properties"]["level"] for row in table("arm_locks")} == {"CanNotDelete", "ReadOnly"}


def test_the_lock_below_a_group_is_on_a_collection_that_exists() -> None:
    assert {scope for scope in lock_scopes() if "/restorepointcollections/" in scope} < {
        row["id"].lower() for row in rows(COLLECTION)
    }


def test_a_backup_policy_names_its_restore_point_groups() -> None:
    details = [row["properties"].get("instantRPDetails", "missing") for row in rows(POLICY)]
    custom = {"azureBackupRGNamePrefix": "rg-snap-erp-", "azureBackupRGNameSuffix": "-weu"}
    assert details.count(custom) == 2
    assert {"azureBackupRGNamePrefix": "rg-rp-tills-"} in details
    for nothing in ("missing", {}, {"azureBackupRGNamePrefix": None, "azureBackupRGNameSuffix": None}):
        assert nothing in details
    named = {row["name"] for row in rows(GROUP, sub=PROD)}
    assert {"rg-snap-erp-1-weu", "rg-snap-erp-2-weu", "rg-rp-tills-1", "rg-rp-tills-2"} < named


def test_some_groups_are_restore_point_groups_by_their_name_or_policy_alone() -> None:
    filled = {(row["subscriptionId"], row["resourceGroup"]) for row in rows(COLLECTION)}
    empty = {
        (PROD, "azurebackuprg_westeurope_2"),
        (PROD, "rg-snap-erp-2-weu"),
        (PROD, "rg-rp-tills-2"),
        (SHARED, "azurebackuprg_northeurope_1"),
    }
    assert not empty & filled


def test_a_group_holds_restore_points_though_nothing_in_its_name_says_so() -> None:
    [row] = [row for row in rows(COLLECTION) if row["resourceGroup"] == "rg-tills-restore"]
    assert row["name"].startswith("azurebackup_")
    [other] = [row for row in rows(COLLECTION) if row["resourceGroup"] == "rg-data-snapshots"]
    assert not other["name"].lower().startswith("azurebackup")


def test_durations_come_in_both_formats_and_error_codes_are_numbers() -> None:
    durations = {row["properties"]["duration"][:2] for row in rows(JOB)}
    assert durations == {"00", "PT"}
    failed = [row["properties"] for row in rows(JOB) if row["properties"]["status"] == "Failed"]
    assert {properties["entityFriendlyName"] for properties in failed} == {
        "till-gw-07",
        "web-03",
        "web-05",
        "sql-03",
        "build-04",
    }
    assert all(type(properties["errorDetails"][0]["errorCode"]) is int for properties in failed)
