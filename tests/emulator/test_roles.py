"""Roles: Azure's wildcards, scopes and notActions, and the file that they are read from."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.emulator.roles import Assignment, Roles, read_roles
from scanner.errors import InputError

SUB = "/subscriptions/S1"
VM = "Microsoft.Compute/virtualMachines"
WORDS = st.lists(st.sampled_from(["Microsoft.Compute", "disks", "locks", "read", "*", "a*d"]), min_size=1, max_size=4)


def matches(pattern: str, text: str) -> bool:
    """An independent, slow reading of `*`."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(matches(pattern[1:], text[skip:]) for skip in range(len(text) + 1))
    return bool(text) and pattern[0].lower() == text[0].lower() and matches(pattern[1:], text[1:])


@given(WORDS, st.lists(st.sampled_from(["microsoft.compute", "DISKS", "locks", "read"]), min_size=1, max_size=4))
def test_a_star_stands_for_anything(pattern: list[str], action: list[str]) -> None:
    wanted, asked = "/".join(pattern), "/".join(action)
    assert Assignment(actions=(wanted,)).grants(asked) == matches(wanted, asked)


def test_without_a_list_everything_may_be_read_and_nothing_written() -> None:
    roles = Roles()
    assert roles.may("Microsoft.Authorization/locks/read", "/subscriptions/s1")
    assert roles.may_read(f"{SUB}/resourceGroups/rg/providers/{VM}/web", VM.lower())
    assert not roles.may("Microsoft.Authorization/locks/write", "/subscriptions/s1")
    assert roles.visible("anything")


def test_not_actions_take_from_their_own_assignment_only() -> None:
    narrow = Assignment(actions=("*/read",), not_actions=("Microsoft.Compute/disks/*",))
    assert not Roles([narrow]).may_read(f"{SUB}/disks/d", "microsoft.compute/disks")
    assert Roles([narrow]).may_read(f"{SUB}/x", VM)
    both = Roles([narrow, Assignment(scope=SUB, actions=("microsoft.compute/disks/read",))])
    assert both.may_read(f"{SUB}/disks/d", "microsoft.compute/disks")
    assert not both.may_read("/subscriptions/S2/disks/d", "microsoft.compute/disks")


@pytest.mark.parametrize(
    ("scope", "covered"),
    [
        ("/", True),
        (SUB, True),
        (f"{SUB}/", True),
        (f"{SUB.upper()}/RESOURCEGROUPS/RG", True),
        (f"{SUB}/resourceGroups/rg/providers/{VM}/web", True),
        (f"{SUB}/resourceGroups/r", False),
        (f"{SUB}/resourceGroups/rg/providers/{VM}/we", False),
        ("/subscriptions/S11", False),
    ],
)
def test_an_assignment_reaches_down_whole_segments(scope: str, covered: bool) -> None:  # noqa: FBT001
    roles = Roles([Assignment(scope=scope)])
    assert roles.may_read(f"{SUB}/resourcegroups/RG/providers/{VM}/web", VM) is covered


def test_reader_of_one_group_sees_the_subscription_but_has_no_permission_there() -> None:
    roles = Roles([Assignment(scope=f"{SUB}/resourceGroups/rg")])
    assert roles.visible("s1")
    assert not roles.visible("s2")
    assert roles.permissions("s1") == []
    assert not roles.may("Microsoft.Authorization/permissions/read", SUB)


def test_permissions_are_those_at_or_above_the_subscription() -> None:
    above = Assignment(actions=("*",), not_actions=("Microsoft.Authorization/*/write",))
    roles = Roles([above, Assignment(scope=SUB, actions=("a/read",)), Assignment(scope="/subscriptions/s2")])
    assert [(one["actions"], one["notActions"]) for one in roles.permissions("S1")] == [
        (["*"], ["Microsoft.Authorization/*/write"]),
        (["a/read"], []),
    ]
    assert roles.permissions("s1")[0]["dataActions"] == []


def test_who_has_no_role_sees_nothing() -> None:
    assert not Roles([]).visible("s1")
    assert not Roles([]).may("x/read", "/")


def test_roles_are_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "roles.yaml"
    file.write_text(
        dedent("""\
            assignments:
              - {scope: /subscriptions/s1, actions: ["*/read"], notActions: [Microsoft.Compute/disks/read]}
              - {actions: [Microsoft.Management/managementGroups/*]}
            """)
    )
    roles = read_roles(file)
    assert roles.may_read("/subscriptions/s1/x", VM)
    assert not roles.may_read("/subscriptions/s1/x", "microsoft.compute/disks")
    assert roles.may("Microsoft.Management/managementGroups/descendants/read", "/providers/x")
    assert roles.visible("s2")


def test_every_problem_of_the_file_is_told_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "roles.yaml"
    file.write_text(
        dedent("""\
            assignments:
              - scope: /providers/Microsoft.Management/managementGroups/root
                actions: ["*/read"]
              - scope: /
                actions: ["read all"]
                notaction: []
              - scope: /
            """)
    )
    with pytest.raises(InputError) as caught:
        read_roles(file)
    assert str(caught.value).splitlines() == [
        f"{file}:2:12: assignments[0].scope: must be / or start with /subscriptions/<id>",
        f"{file}:5:15: assignments[1].actions[0]: must be an action such as */read or Microsoft.Compute/disks/read",
        f"{file}:6:5: assignments[1].notaction: unknown key; did you mean 'notActions'?",
        f"{file}:7:5: assignments[2].actions: this key is missing",
    ]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"roles\.yaml: cannot be read: No such file"):
        read_roles(tmp_path / "roles.yaml")
