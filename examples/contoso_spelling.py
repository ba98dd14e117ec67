"""How Contoso's ids and values are spelled: Azure writes one id in several cases, and so does the bundled estate.

Every choice is a digest of the seed and of what it is for, so it does not depend on order, Python version or platform.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from examples import arg_rows
from examples.contoso_fleets import SEED, SUBSCRIPTIONS, TENANT
from examples.contoso_shapes import MISSING, Machine


def pick(what: str, count: int) -> int:
    """A number below `count`, always the same one for `what`."""
    return arg_rows.pick(SEED, what, count)


def guid(what: str) -> str:
    """A GUID, always the same one for `what`."""
    return arg_rows.guid(SEED, what)


def present(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values without those that the story calls missing."""
    return {key: value for key, value in values.items() if value != MISSING}


def subscription_id(sub: str) -> str:
    """The GUID of a subscription that the story knows by a short name."""
    return SUBSCRIPTIONS[sub][0]


def location(sub: str) -> str:
    """The region of a subscription; Contoso uses one for each."""
    return SUBSCRIPTIONS[sub][2]


def group_id(sub: str, group: str) -> str:
    """The id of a resource group."""
    return f"/subscriptions/{subscription_id(sub)}/resourceGroups/{group}"


def vm_id(vm: Machine) -> str:
    """The id of a VM as its own row has it: the group in capitals where the story says so."""
    return machine_id(vm.sub, vm.group.upper() if vm.loud else vm.group, name=vm.id_name or vm.name)


def machine_id(sub: str, group: str, *, name: str) -> str:
    """The id of a VM from its parts."""
    return f"{group_id(sub, group)}/providers/Microsoft.Compute/virtualMachines/{name}"


def vm_reference(vm: Machine, where: str) -> str:
    """The VM's id as another row spells it: as it is, group in capitals, all lower case, or with `/Subscriptions/`."""
    plain = vm_id(vm)
    shouted = machine_id(vm.sub, vm.group.upper(), name=vm.name)
    choices = (plain, shouted, plain.lower(), plain.replace("/subscriptions/", "/Subscriptions/"))
    return choices[pick(f"{where}/{vm.sub}/{vm.group}/{vm.name}", len(choices))]


def arg_row(sub: str, group: str, **columns: Any) -> dict[str, Any]:
    """A row of an ARG table with its sixteen standard columns; nothing is null, {} or "" as recorded rows have it."""
    return arg_rows.standard(TENANT, subscription_id(sub), location(sub), group) | columns
