"""What a user sends holds no name, and still answers the question."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.cli.pseudonyms import Pseudonyms
from scanner.model import Json

SUB = "1c0507aa-6f2e-4d0b-8a11-3e5b9d7c0001"
VM = f"/subscriptions/{SUB}/resourceGroups/Payroll/providers/Microsoft.Compute/virtualMachines/cfo-laptop"


def test_ids_keep_their_types_and_lose_their_names() -> None:
    clean = Pseudonyms()
    assert clean.clean(VM) == "/subscriptions/sub-1/resourceGroups/rg-1/providers/Microsoft.Compute/virtualMachines/vm-1"
    assert clean.clean(f"{VM.upper()}/extensions/secret-one").lower() == (
        "/subscriptions/sub-1/resourcegroups/rg-1/providers/microsoft.compute/virtualmachines/vm-1/extensions/extension-1"
    )
    lock = f"{VM}/providers/Microsoft.Authorization/locks/payroll-lock"
    assert clean.clean(lock).endswith("virtualMachines/vm-1/providers/Microsoft.Authorization/locks/lock-1")


def test_one_name_has_one_stand_in_wherever_it_stands() -> None:
    found = Pseudonyms().clean({"id": VM, "name": "cfo-laptop", "properties": {"vmId": SUB, "owner": "Jane Doe"}})
    assert found["name"] == "vm-1"
    assert found["properties"] == {"vmId": "sub-1", "owner": "text-1"}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("provisioningState", "Succeeded"),
        ("code", "ProvisioningState/failed/1"),
        ("displayStatus", "Not Ready"),
        ("type", "microsoft.compute/virtualmachines"),
        ("vmAgentVersion", "2.7.41491.1095"),
        ("time", "2026-11-20T06:00:00.123+00:00"),
        ("diskLunList", "[0, 1]"),
        ("isInclusionList", "True"),
        ("anything", ""),
        ("errorCode", 400000),
        ("flag", True),
        ("flag", None),
    ],
)
def test_what_arguard_must_learn_is_kept(key: str, value: Json) -> None:
    assert Pseudonyms().clean({key: value}) == {key: value}


@pytest.mark.parametrize(
    "value",
    [
        {"message": "VM cfo-laptop failed"},
        {"computerName": "cfo-laptop"},
        {"state": "cfo-laptop\nsecond line"},
        {"tags": {"cfo-laptop": "x"}},
        {"identity": {"userAssignedIdentities": {VM: {}}}},
        {VM: 1},
        {"zones": ["cfo-laptop"]},
        {"odd": "/cfo-laptop/x"},
        {"odd": "cfo-laptop/home"},
        {"odd": "/subscriptions/s/providers/cfo-laptop/x/y"},
        {"odd": "/subscriptions/s/cfo-laptop1/y"},
        {"odd": "/providers/microsoft.management/managementGroups/cfo-laptop"},
        {"osProfile": {"adminPassword": "cfo-laptop"}},
    ],
)
def test_names_and_texts_are_replaced(value: Json) -> None:
    assert b"cfo-laptop" not in orjson.dumps(Pseudonyms().clean(value))


def test_known_codes_inside_a_text_are_told() -> None:
    clean = Pseudonyms(frozenset({"UserErrorGuestAgentStatusUnavailable", "Other"}))
    assert clean.clean({"errorString": "usererrorguestagentstatusunavailable: cfo-laptop"}) == {
        "errorString": "text-1 (UserErrorGuestAgentStatusUnavailable)"
    }


_SECRET = "zq7nameofsomebody"  # noqa: S105 - a name that must not get out
_values: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from([_SECRET, f"x {_SECRET}", f"/a/{_SECRET}/b-1", f"/subscriptions/s/resourceGroups/{_SECRET}", VM, "Ready"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "id", "x", "tags", "a b"]), inner),
    max_leaves=6,
)


@given(_values)
def test_no_name_gets_out_whatever_the_shape(value: Json) -> None:
    assert _SECRET.encode() not in orjson.dumps(Pseudonyms().clean(value))
