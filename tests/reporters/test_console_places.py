from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporters.console_places import cause, listed, names_in, place, some
from scanner.model import Scope, Subscription

NAMES = {"s1": "prod"}
GROUP = "/subscriptions/S1/resourceGroups/RG-Web"
VM = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/web-01"


@pytest.mark.parametrize(
    ("arm_id", "words"),
    [
        (VM, "prod / RG-Web / virtualMachines/web-01"),
        (f"{VM}/extensions/e1", "prod / RG-Web / virtualMachines/web-01/extensions/e1"),
        (VM.replace("resourceGroups", "resourcegroups"), "prod / RG-Web / virtualMachines/web-01"),
        (f"{VM}/providers/Microsoft.Authorization/locks/keep", "prod / RG-Web / virtualMachines/web-01 / locks/keep"),
        (GROUP, "prod / RG-Web"),
        ("/subscriptions/s1", "prod"),
        ("/Subscriptions/s1/", "prod"),
        ("/subscriptions/s2/resourceGroups/rg", "s2 / rg"),
        ("/subscriptions/s1/providers/Microsoft.Authorization/locks/keep", "prod / locks/keep"),
        ("/providers/Microsoft.Management/managementGroups/all", "/providers/Microsoft.Management/managementGroups/all"),
        ("", ""),
    ],
)
def test_a_place_in_words(arm_id: str, words: str) -> None:
    assert place(arm_id, NAMES) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("/subscriptions/s1/providers/Microsoft.Authorization/locks/keep", "lock keep on subscription prod"),
        ("/subscriptions/s2/providers/microsoft.authorization/locks/keep", "lock keep on subscription s2"),
        (f"{GROUP}/providers/Microsoft.Authorization/locks/keep", "lock keep on prod / RG-Web"),
        (f"{VM}/providers/Microsoft.Authorization/locks/keep", "lock keep on prod / RG-Web / virtualMachines/web-01"),
        (f"{GROUP}/providers/Microsoft.Authorization/policyAssignments/a", "policy assignment a on prod / RG-Web"),
        (f"{GROUP}/providers/Microsoft.Authorization/others/a", "others a on prod / RG-Web"),
        ("/providers/x/y/z/providers/Microsoft.Authorization/locks/keep",) * 2,
        (VM, "prod / RG-Web / virtualMachines/web-01"),
        ("the proxy is down", "the proxy is down"),
    ],
)
def test_a_cause_in_words(text: str, words: str) -> None:
    assert cause(text, NAMES) == words


def test_a_name_that_two_subscriptions_share_names_neither() -> None:
    pairs = [("s1", "prod"), ("s2", "twin"), ("s3", "twin"), ("s4", "")]
    scope = Scope(
        kind="proven", expected=(), subscriptions=tuple(Subscription(id=one, name=name, state="Enabled") for one, name in pairs)
    )
    assert names_in(scope) == NAMES
    assert listed(["s1", "s2"], names_in(scope)) == "prod, s2"


def test_long_lists_are_counted() -> None:
    assert some(list("abcde")) == "a, b, c, d, e"
    assert some(list("abcdef")) == "a, b, c, d, e and 1 more"


@given(st.lists(st.text(alphabet="aB1-_.", min_size=1), min_size=1, max_size=8))
def test_a_place_keeps_the_name_of_its_resource(parts: list[str]) -> None:
    arm_id = f"{GROUP}/providers/Ns/" + "/".join(parts)
    assert place(arm_id, NAMES).endswith(f" / {'/'.join(parts)}")
