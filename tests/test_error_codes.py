"""Each error code of the article, told in three ways: a failed job is linked to its section and explained by what was planted.

One estate holds a pair of machines for each code and way: both are called `web`, the one in group `...-a` has the defect and
the failed job, the one in `...-b` is well and must stay so.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from examples import arg_rows
from scanner import packs
from scanner.cli import main

pytestmark = pytest.mark.estate
SUB = "4c0507aa-6f2e-4d0b-8a11-3e5b9d7c0004"
BACKUP_SERVICE = "b0507aa1-6f2e-4d0b-8a11-3e5b9d7c0b01"
NIGHT = "2026-11-20T01:00:00Z"
Row = dict[str, Any]
ARTICLE = "https://learn.microsoft.com/en-us/azure/backup/backup-azure-troubleshoot-vm-backup-fails-snapshot-timeout#"


@dataclass
class Place:
    """One machine and all that belongs to it, ready to be broken."""

    group: str
    vm: Row = field(init=False)
    disk: Row = field(init=False)
    extension: Row = field(init=False)
    item: Row = field(init=False)
    status: Row = field(init=False)
    jobs: list[Row] = field(init=False)
    more: dict[str, list[Row]] = field(default_factory=dict)
    evidence: list[Row] = field(default_factory=list)

    def __post_init__(self) -> None:
        home = f"/subscriptions/{SUB}/resourceGroups/{self.group}"
        identity = f"{home}/providers/Microsoft.Compute/virtualMachines/web"
        disk = f"{home}/providers/Microsoft.Compute/disks/web-os"
        self.vm = self.row(
            identity,
            "microsoft.compute/virtualmachines",
            extended={
                "instanceView": {"osName": "Windows Server 2022 Datacenter", "powerState": {"code": "PowerState/running"}}
            },
            hardwareProfile={"vmSize": "Standard_D4s_v5"},
            osProfile={"allowExtensionOperations": True, "windowsConfiguration": {"provisionVMAgent": True}},
            provisioningState="Succeeded",
            storageProfile={
                "dataDisks": [],
                "imageReference": {"offer": "WindowsServer", "publisher": "MicrosoftWindowsServer", "sku": "2022-datacenter"},
                "osDisk": {"osType": "Windows", "managedDisk": {"id": disk}},
            },
        )
        self.disk = self.row(disk, "microsoft.compute/disks", diskSizeGB=127, osType="Windows") | {
            "managedBy": identity,
            "sku": {"name": "Premium_LRS"},
        }
        self.extension = self.row(
            f"{identity}/extensions/VMSnapshot",
            "microsoft.compute/virtualmachines/extensions",
            publisher="Microsoft.Azure.RecoveryServices",
            type="VMSnapshot",
            provisioningState="Succeeded",
        )
        tail = f"iaasvmcontainerv2;{self.group};web"
        self.item = self.row(
            f"{VAULT}/backupFabrics/Azure/protectionContainers/iaasvmcontainer;{tail}/protectedItems/vm;{tail}",
            "microsoft.recoveryservices/vaults/backupfabrics/protectioncontainers/protecteditems",
            backupManagementType="AzureIaasVM",
            healthStatus="Passed",
            lastBackupStatus="Completed",
            lastBackupTime=NIGHT,
            policyId=f"{VAULT}/backupPolicies/daily",
            protectionState="Protected",
            sourceResourceId=identity,
        )
        self.status = {
            "id": identity,
            "properties": {
                "instanceView": {
                    "vmAgent": {
                        "vmAgentVersion": "2.7.41491.1176",
                        "statuses": [{"code": "ProvisioningState/succeeded", "displayStatus": "Ready"}],
                    },
                    "extensions": [{"name": "VMSnapshot", "statuses": [{"code": "ProvisioningState/succeeded"}]}],
                }
            },
        }
        self.jobs = [self.job("last", status="Completed")]

    def row(self, identity: str, kind: str, **properties: Any) -> Row:
        """A row of Azure Resource Graph."""
        return arg_row(identity, kind, properties)

    def job(self, name: str, **properties: Any) -> Row:
        """A backup job of the machine."""
        said = {"backupManagementType": "AzureIaasVM", "operation": "Backup", "startTime": NIGHT}
        kind = "microsoft.recoveryservices/vaults/backupjobs"
        given = {**said, "backupInstanceId": self.item["id"], **properties}
        return self.row(f"{VAULT}/backupJobs/{self.group}-{name}", kind, **given)

    def document(self, key: str) -> None:
        """Evidence of a defect inside the machine."""
        check = {"status": "fail", "value": "x", "detail": "planted"}
        self.evidence.append({"id": self.vm["id"], "collected_at": "2026-11-20T05:40:00Z", "tool": "t", "checks": {key: check}})


VAULT = f"/subscriptions/{SUB}/resourceGroups/rg-vault/providers/Microsoft.RecoveryServices/vaults/v1"
POLICY = {
    "backupManagementType": "AzureIaasVM",
    "instantRpRetentionRangeInDays": 2,
    "policyType": "V1",
    "schedulePolicy": {
        "schedulePolicyType": "SimpleSchedulePolicy",
        "scheduleRunFrequency": "Daily",
        "scheduleRunTimes": [NIGHT],
    },
}


def arg_row(identity: str, kind: str, properties: Row) -> Row:
    group = identity.split("/")[4].lower()
    return {
        "id": identity,
        "name": identity.rpartition("/")[2],
        "type": kind,
        "location": "westeurope",
        "resourceGroup": group,
        "subscriptionId": SUB,
        "properties": properties,
    }


def kill_the_agent(place: Place) -> None:
    place.status["properties"]["instanceView"]["vmAgent"]["statuses"] = [{"code": "ProvisioningState/Unavailable"}]


def age_the_agent(place: Place) -> None:
    place.status["properties"]["instanceView"]["vmAgent"]["vmAgentVersion"] = "2.7.41491.949"


def fail_the_vm(place: Place) -> None:
    place.vm["properties"]["provisioningState"] = "Failed"


def lock_the_restore_points(place: Place) -> None:
    home = f"/subscriptions/{SUB}/resourceGroups/{place.group}-points"
    source = {"provisioningState": "Succeeded", "source": {"id": place.vm["id"]}}
    collection = f"{home}/providers/Microsoft.Compute/restorePointCollections/AzureBackup_web_1"
    place.more["resources"] = [arg_row(collection, "microsoft.compute/restorepointcollections", source)]
    place.more["resourcecontainers"] = [
        arg_row(home, "microsoft.resources/subscriptions/resourcegroups", {"provisioningState": "Succeeded"})
    ]
    lock = f"{home}/providers/Microsoft.Authorization/locks/keep"
    place.more["arm_locks"] = [{"id": lock, "name": "keep", "properties": {"level": "CanNotDelete"}}]


def encrypt_without_rights(place: Place) -> None:
    vault = f"/subscriptions/{SUB}/resourceGroups/{place.group}/providers/Microsoft.KeyVault/vaults/kv"
    settings = [{"diskEncryptionKey": {"secretUrl": "https://kv/secrets/a/1", "sourceVault": {"id": vault}}}]
    place.disk["properties"]["encryptionSettingsCollection"] = {"enabled": True, "encryptionSettings": settings}
    place.more["resources"] = [arg_row(vault, "microsoft.keyvault/vaults", {"accessPolicies": []})]


def close_the_port(place: Place) -> None:
    place.document("net_wireserver")


def fail_the_extension(place: Place) -> None:
    place.extension["properties"]["provisioningState"] = "Failed"


def take_the_runtime(place: Place) -> None:
    place.document("win_vcredist")


def grow_the_disk(place: Place) -> None:
    place.disk["properties"]["diskSizeGB"] = 70000


def run_two_jobs(place: Place) -> None:
    place.jobs += [place.job(name, status="InProgress", startTime="2026-11-20T05:00:00Z") for name in ("one", "two")]


def stop_protection(place: Place) -> None:
    place.item["properties"]["protectionState"] = "ProtectionStopped"


CODES: Mapping[str, tuple[str, Callable[[Place], None], str]] = {
    "UserErrorGuestAgentStatusUnavailable": ("ABK301", kill_the_agent, "UserErrorGuestAgentStatusUnavailable-vm-agent"),
    "GuestAgentSnapshotTaskStatusError": ("ABK302", age_the_agent, "guestagentsnapshottaskstatuserror---"),
    "UserErrorVmProvisioningStateFailed": ("ABK201", fail_the_vm, "usererrorvmprovisioningstatefailed---"),
    "UserErrorRpCollectionLimitReached": ("ABK101", lock_the_restore_points, "usererrorrpcollectionlimitreached---"),
    "UserErrorKeyvaultPermissionsNotConfigured": (
        "ABK511",
        encrypt_without_rights,
        "usererrorkeyvaultpermissionsnotconfigured---",
    ),
    "ExtensionSnapshotFailedNoNetwork": ("ABK708", close_the_port, "ExtensionSnapshotFailedNoNetwork-snapshot"),
    "ExtensionOperationFailedForManagedDisks": ("ABK403", fail_the_extension, "ExtensionOperationFailed-vmsnapshot"),
    "BackUpOperationFailed": ("ABK713", take_the_runtime, "backupoperationfailed--backupoperationfailedv2---"),
    "BackUpOperationFailedV2": ("ABK301", kill_the_agent, "backupoperationfailed--backupoperationfailedv2---"),
    "UserErrorUnsupportedDiskSize": ("ABK501", grow_the_disk, "usererrorunsupporteddisksize---"),
    "UserErrorBackupOperationInProgress": ("ABK606", run_two_jobs, "usererrorbackupoperationinprogress---"),
    "UserErrorCrpReportedUserError": ("ABK201", fail_the_vm, "usererrorcrpreportedusererror---"),
    "UserErrorBcmDatasourceNotPresent": ("ABK602", stop_protection, "usererrorbcmdatasourcenotpresent---"),
}
"""Per code of the article: the policy that explains it, what is planted, and how its anchor begins."""
WAYS = ("name", "bag", "number")
NUMBERS = {code: 400_001 + place for place, code in enumerate(CODES)}


def said(code: str, way: str) -> Row:
    """What a failed job says of itself: the name in its text, in its property bag alone, or its number alone."""
    text = f"Backup failed ({code})." if way == "name" else "Sicherung fehlgeschlagen."
    number = NUMBERS[code] if way == "number" else 1
    details = [{"errorCode": number, "errorTitle": "", "errorString": text, "recommendations": ["Versuchen Sie es erneut."]}]
    bag = {"VM Name": "web", "Error Code": code} if way == "bag" else {"VM Name": "web"}
    return {"errorDetails": details, "extendedInfo": {"dynamicErrorMessage": "", "propertyBag": bag, "tasksList": []}}


def places() -> Iterator[Place]:
    for code, (_, plant, _) in CODES.items():
        for way in WAYS:
            broken = Place(f"rg-{code.lower()}-{way}-a")
            plant(broken)
            broken.jobs[0] = broken.job("last", status="Failed", **said(code, way))
            yield broken
            yield Place(f"rg-{code.lower()}-{way}-b")


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """Every failing line of one scan of the whole estate."""
    folder = tmp_path_factory.mktemp("codes")
    tables: dict[str, list[Row]] = {
        "arm_locks": [],
        "arm_vm_status": [],
        "authorizationresources": [],
        "resourcecontainers": [],
    }
    tables |= {"guestconfigurationresources": [], "patchassessmentresources": [], "resources": []}
    kind = "microsoft.recoveryservices/vaults/backuppolicies"
    tables["recoveryservicesresources"] = [arg_row(f"{VAULT}/backupPolicies/daily", kind, copy.deepcopy(POLICY))]
    (folder / "evidence").mkdir()
    for number, place in enumerate(places()):
        tables["resources"] += [place.vm, place.disk, place.extension]
        tables["recoveryservicesresources"] += [place.item, *place.jobs]
        tables["arm_vm_status"].append(place.status)
        for name, rows in place.more.items():
            tables[name] += rows
        for document in place.evidence:
            (folder / "evidence" / f"{number}.json").write_text(json.dumps(document))
    arg_rows.write(snapshot(tables), folder / "snapshot")
    numbers = ",".join(f"{number}={code}" for code, number in NUMBERS.items())
    given = ["--evidence", str(folder / "evidence"), "--param", f"numeric_codes={numbers}"]
    given += ["--param", f"backup_sp_object_id={BACKUP_SERVICE}", "-q", "-o", f"native={folder / 'result'}"]
    assert main(["scan", "--snapshot", str(folder / "snapshot"), "--as-of", "snapshot", *given]) == 1
    lines = [json.loads(line) for line in (folder / "result").read_bytes().splitlines()]
    assert [line for line in lines if line["kind"] == "gap"] == []
    return [line for line in lines if line["kind"] == "verdict" and line["verdict"] == "fail"]


def snapshot(tables: Mapping[str, list[Row]]) -> dict[str, bytes]:
    contents = {name: arg_rows.ndjson(rows) for name, rows in arg_rows.sorted_rows(tables).items()}
    entries = {
        name: {
            "file": f"{name}.ndjson",
            "rows": len(tables[name]),
            "sha256": hashlib.sha256(content).hexdigest(),
            **({} if name.startswith("arm_") else {"types": ["*"]}),
            "answered": [SUB],
            "gaps": [],
        }
        for name, content in contents.items()
    }
    head = arg_rows.manifest("test", "2026-11-20T06:00:00Z", [(SUB, "codes", "Enabled")], entries)
    return {"manifest.json": head, **{f"{name}.ndjson": content for name, content in contents.items()}}


def test_the_article_has_thirteen_codes_in_twelve_sections() -> None:
    [pack] = packs.load(packs.bundled())
    links = {code.name: code.link for code in pack.codes if code.link.startswith(ARTICLE)}
    assert links.keys() == CODES.keys()
    assert len(set(links.values())) == 12


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("code", CODES)
def test_a_failed_job_is_told_linked_and_explained_by_what_was_planted_on_that_machine(
    code: str, way: str, verdicts: list[Row]
) -> None:
    policy, _, anchor = CODES[code]
    broken = f"/rg-{code.lower()}-{way}-a"
    [finding] = [line for line in verdicts if line["policy"] == "ABK605" and f"{broken}/" in line["id"]]
    failure = finding["failure"]
    assert (failure["code"], failure["told_by"]) == (code, "number" if way == "number" else "name")
    assert failure["link"].startswith(ARTICLE + anchor)
    assert policy in [one["policy"] for one in failure["because"]]
    assert {True} == {broken in one["id"] for one in failure["because"]}


def test_the_machine_of_the_same_name_in_another_group_is_untouched(verdicts: list[Row]) -> None:
    assert [line for line in verdicts if "-b/" in line["id"]] == []
    assert len([line for line in verdicts if line["policy"] == "ABK605"]) == len(CODES) * len(WAYS)
