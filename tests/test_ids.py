from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.ids import canonical, is_arm_id, leading_id, lock_scope, name_of, resource_group_of, subscription_of, type_of
from scanner.model import Json
from tests.conftest import VM

GROUP = "/subscriptions/S/resourceGroups/RG-A"
LOCKS = "/providers/Microsoft.Authorization/locks"


@pytest.mark.parametrize("text", [VM, VM.upper(), VM.lower(), f"  {VM}\n", f"{VM}/", f"{VM}///", f"{VM}/ /"])
def test_canonical_ids_have_no_case_no_blanks_around_and_no_trailing_slash(text: str) -> None:
    assert canonical(text) == VM.lower()


@given(st.text(st.sampled_from("aB/ \t\u00a0İΣς"), max_size=12))
def test_canonical_is_idempotent(text: str) -> None:
    assert canonical(canonical(text)) == canonical(text)


@pytest.mark.parametrize("text", ["/subscriptions/s", "/subscriptions/s/resourcegroups/rg", VM.lower()])
def test_an_arm_id_names_something_inside_a_subscription(text: str) -> None:
    assert is_arm_id(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "/subscriptions",
        "/subscriptions/",
        "/subscriptions//resourcegroups/rg",
        "subscriptions/s",
        "/tenants/t",
        "x/subscriptions/s",
    ],
)
def test_what_lies_in_no_subscription_is_no_arm_id(text: str) -> None:
    assert not is_arm_id(text)


def test_the_subscription_of_an_id_is_lower_case() -> None:
    assert subscription_of("/Subscriptions/ABC/resourceGroups/rg") == "abc"
    assert subscription_of("/subscriptions/ABC/") == "abc"


@pytest.mark.parametrize("text", ["", "/subscriptions", "/providers/Microsoft.Management/managementGroups/mg", "vm1"])
def test_an_id_outside_subscriptions_has_none(text: str) -> None:
    assert subscription_of(text) == ""


def test_parts_are_kept_as_azure_wrote_them() -> None:
    assert name_of(f"{VM}/") == "Web01"
    assert resource_group_of(VM) == "RG1"
    assert resource_group_of("/subscriptions/s/providers/Microsoft.X/y/z") == ""
    assert resource_group_of("/subscriptions/s") == ""
    assert resource_group_of("/subscriptions/s/resourceGroups") == ""
    assert resource_group_of("/subscriptions/s/RESOURCEGROUPS/Rg") == "Rg"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (VM, "microsoft.compute/virtualmachines"),
        (f"{VM}/extensions/e1", "microsoft.compute/virtualmachines/extensions"),
        (f"{VM}{LOCKS}/l", "microsoft.authorization/locks"),
        (GROUP, "microsoft.resources/subscriptions/resourcegroups"),
        ("/subscriptions/s", "microsoft.resources/subscriptions"),
        ("/subscriptions/s/resourceGroups", ""),
    ],
)
def test_an_id_spells_out_its_type(text: str, kind: str) -> None:
    assert type_of(text) == kind


@pytest.mark.parametrize("scope", ["/subscriptions/s", GROUP, VM])
def test_a_lock_is_on_what_its_id_says_before_the_last_locks_segment(scope: str) -> None:
    assert lock_scope(f"{scope}{LOCKS}/mine") == scope.lower()


def test_a_lock_on_a_group_called_locks_is_cut_at_the_last_segment() -> None:
    scope = f"{GROUP}{LOCKS}/inner"
    assert lock_scope(f"{scope}{LOCKS}/outer") == scope.lower()


@pytest.mark.parametrize(("value", "text"), [("/x", "/x"), (None, ""), (5, ""), (["/x"], "")])
def test_a_leading_id_that_is_no_text_is_none(value: Json, text: str) -> None:
    assert leading_id({"id": value}) == text
    assert leading_id({}) == ""
