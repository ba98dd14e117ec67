from __future__ import annotations

from pathlib import Path

import pytest

from scanner import kql
from scanner.emulator.estate import Estate
from scanner.errors import InputError, MissingExtraError, UsageError
from scanner.model import Json
from tests.emulator.emulated import CONTOSO, DR, PROD, emulated
from tests.sources.snapshot_folder import Folder, lock, vm

LOCKS = "arm_locks"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    found = Folder(tmp_path / "snap")
    found.table("resources", [vm("s1", "a", tenantId="T"), vm("S2", "b"), vm("other", "c")])
    return found


def opened(folder: Folder) -> Estate:
    spool = folder.path.parent / "spool"
    spool.mkdir()
    return Estate.open(folder.write(), spool)


def test_contoso_is_served_as_it_was_collected(tmp_path: Path) -> None:
    estate = Estate.open(CONTOSO, tmp_path)
    assert [one.name for one in estate.subscriptions] == ["contoso-prod", "contoso-shared-dev", "contoso-dr"]
    assert estate.tenant == "0c0507aa-6f2e-4d0b-8a11-3e5b9d7c0000"
    assert estate.collected_at.isoformat() == "2026-11-20T06:00:00+00:00"
    assert estate.management_groups == {"root": tuple(one.id for one in estate.subscriptions)}
    assert len(estate.side("arm_vm_status")) == 80
    assert len(estate.side(LOCKS, PROD)) + len(estate.side(LOCKS, DR)) <= len(estate.side(LOCKS)) == 10
    assert estate.side_gap(LOCKS, PROD.upper()) is None
    assert estate.side_gap(LOCKS, DR) == (403, "AuthorizationFailed")
    assert estate.side_gap("evidence", PROD) == (404, "NotCollected")
    assert estate.side("evidence") == []


def test_rows_are_found_by_type_and_subscription_and_strangers_are_not_there(folder: Folder) -> None:
    estate = opened(folder)
    kind = "Microsoft.Compute/virtualMachines"
    assert [row["name"] for row in estate.resources_of(kind, "S1")] == ["a"]
    assert [row["name"] for row in estate.resources_of(kind, "s2")] == ["b"]
    assert estate.resources_of(kind, "other") == estate.resources_of("a/b", "s1") == []
    assert estate.tenant == "T"
    assert estate.management_groups == {"root": ("s1", "s2")}


def test_without_a_table_resources_there_are_none(folder: Folder) -> None:
    del folder.manifest["tables"]["resources"]
    folder.table("resourcecontainers", [])
    estate = opened(folder)
    assert estate.resources_of("a/b", "s1") == []
    assert estate.tenant == "00000000-0000-0000-0000-000000000000"


@pytest.mark.parametrize(
    ("gap", "answer"),
    [
        ({"reason": "DENIED", "text": "403 AuthorizationFailed"}, (403, "AuthorizationFailed")),
        ({"reason": "DENIED", "text": "403"}, (403, "Refused")),
        ({"reason": "THROTTLED", "text": ""}, (429, "TooManyRequests")),
        ({"reason": "BAD_ANSWER", "text": "CountMismatch"}, (500, "InternalServerError")),
        ({"reason": "FAILED", "text": "some prose"}, (500, "InternalServerError")),
        ({"reason": "FAILED", "text": "200 Fine"}, (500, "InternalServerError")),
    ],
)
def test_a_recorded_gap_is_the_error_it_says(folder: Folder, gap: dict[str, Json], answer: tuple[int, str]) -> None:
    folder.table(LOCKS, [], answered=["s2"], gaps=[{"subscription": "s1", **gap}])
    estate = opened(folder)
    assert estate.side_gap(LOCKS, "S1") == answer
    assert estate.side_gap(LOCKS, "s2") is None


def test_silence_is_no_answer_and_a_gap_without_a_name_means_all(folder: Folder) -> None:
    folder.table(LOCKS, [], answered=["s2"])
    folder.table("arm_vm_status", [], answered=[], gaps=[{"reason": "DENIED", "text": "403 AuthorizationFailed"}])
    estate = opened(folder)
    assert estate.side_gap(LOCKS, "s1") == (404, "SubscriptionNotFound")
    assert {estate.side_gap("arm_vm_status", one) for one in ("s1", "s2")} == {(403, "AuthorizationFailed")}


def test_a_disabled_subscription_answers(folder: Folder) -> None:
    folder.manifest["subscriptions"][0]["state"] = "Disabled"
    folder.table(LOCKS, [lock("s1", "l")], answered=["s2"])
    estate = opened(folder)
    assert estate.side_gap(LOCKS, "s1") is None
    assert len(estate.side(LOCKS, "s1")) == 1


def test_side_objects_that_no_scan_can_use_are_sent_all_the_same(folder: Folder) -> None:
    rows: list[dict[str, Json]] = [lock("s1", "l", properties={}), {"name": "whose"}, {"id": 7}, lock("s2", "m")]
    folder.table(LOCKS, rows)
    estate = opened(folder)
    assert estate.side(LOCKS, "s1") == [{"name": "whose"}, {"id": 7}, rows[0]]
    assert estate.side(LOCKS, "s3") == [{"name": "whose"}, {"id": 7}]
    assert len(estate.side(LOCKS)) == 4


def test_subscriptions_that_are_not_named_are_called_by_their_ids(folder: Folder) -> None:
    folder.manifest["subscriptions"] = []
    assert [(one.id, one.name, one.state) for one in opened(folder).subscriptions] == [
        ("s1", "s1", "Enabled"),
        ("s2", "s2", "Enabled"),
    ]


def test_an_expected_subscription_that_is_not_named_was_not_there(folder: Folder) -> None:
    del folder.manifest["subscriptions"][1]
    assert [one.id for one in opened(folder).subscriptions] == ["s1"]


@pytest.mark.parametrize("collected", [False, True])
def test_the_subscriptions_themselves_are_always_in_the_graph(folder: Folder, *, collected: bool) -> None:
    group = {"id": "/subscriptions/s1/resourceGroups/g", "type": "microsoft.resources/subscriptions/resourcegroups"}
    if collected:
        types = ["microsoft.resources/subscriptions/resourcegroups"]
        folder.table("resourcecontainers", [{**group, "name": "g", "subscriptionId": "s1"}], types=types)
    kind = "microsoft.resources/subscriptions"
    with emulated(folder.write(), folder.path.parent / "spool") as client:
        rows = client.page(f"resourcecontainers | where type == '{kind}' | project id, name, s = properties.state")["data"]
        every = client.page("resourcecontainers | count")["data"]
    assert rows == [
        {"id": "/subscriptions/s1", "name": "one", "s": "Enabled"},
        {"id": "/subscriptions/s2", "name": "two", "s": "Warned"},
    ]
    assert every == [{"Count": 2 + collected}]


def test_a_snapshot_of_answers_alone_is_refused_with_advice(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "snap")
    folder.stored([])
    with pytest.raises(UsageError, match="no raw tables") as caught:
        opened(folder)
    assert "collect --raw" in caught.value.hint


def test_a_snapshot_that_was_changed_is_refused(folder: Folder) -> None:
    folder.write()
    (folder.path / "resources.ndjson").write_text("{}\n")
    with pytest.raises(InputError, match="sha256"):
        opened(folder)


def test_without_the_extra_there_is_no_emulator(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kql, "available", lambda: False)
    with pytest.raises(MissingExtraError, match=r"The emulator needs the extra 'offline'"):
        opened(folder)
