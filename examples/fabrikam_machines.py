"""Fabrikam's machines one by one, and the small things that its rows share: ids, rows with standard columns, choices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from examples import arg_rows
from examples import fabrikam_story as story
from examples.arg_rows import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One VM of a fleet."""

    fleet: story.Fleet
    name: str

    @property
    def place(self) -> tuple[str, str, str]:
        """Subscription, group and name, as the story names machines."""
        return self.fleet.sub, self.fleet.group, self.name

    @property
    def system(self) -> story.System:
        """Its operating system."""
        return story.SYSTEMS[self.fleet.system]

    @property
    def is_new(self) -> bool:
        """Whether its first backup is still to come."""
        return self.place in story.NEW

    @property
    def disks(self) -> Iterator[tuple[str, int]]:
        """Name and size of each disk; the shared disk of a cluster is the first machine's."""
        for index, gib in enumerate(self.fleet.gib):
            owner = f"{self.fleet.stem}{1:02}" if index and self.fleet.shared else self.name
            yield f"{owner}-{f'data{index - 1}' if index else 'os'}", gib


def machines() -> tuple[Machine, ...]:
    """Every VM of the estate."""
    return tuple(
        Machine(fleet=fleet, name=f"{fleet.stem}{number:02}") for fleet in story.FLEETS for number in range(1, fleet.count + 1)
    )


def protected() -> tuple[Machine, ...]:
    """The VMs that are backed up."""
    return tuple(vm for vm in machines() if vm.fleet.policy)


def pick(what: str, count: int) -> int:
    """A number below `count`, always the same one for `what`."""
    return arg_rows.pick(story.SEED, what, count)


def guid(what: str) -> str:
    """A GUID, always the same one for `what`."""
    return arg_rows.guid(story.SEED, what)


def group_id(sub: str, group: str) -> str:
    """The id of a resource group."""
    return f"/subscriptions/{story.SUBSCRIPTIONS[sub][0]}/resourceGroups/{group}"


def resource_id(sub: str, group: str, kind: str, name: str) -> str:
    """The id of a resource; `kind` is its provider and type as ids spell them."""
    return f"{group_id(sub, group)}/providers/{kind}/{name}"


def vm_id(vm: Machine) -> str:
    """The id of a VM; some groups stand in capitals inside ids, as recorded rows have it."""
    sub, group, name = vm.place
    loud = group.upper() if pick(f"loud/{group}", 4) == 0 else group
    return resource_id(sub, loud, "Microsoft.Compute/virtualMachines", name)


def arg_row(sub: str, group: str, **columns: Any) -> Row:
    """A row of an ARG table with its sixteen standard columns."""
    identity, _, location = story.SUBSCRIPTIONS[sub]
    return arg_rows.standard(story.TENANT, identity, location, group) | columns
