"""An independent judge of Contoso Retail: six of the policies in plain Python over the story's seed table.

It reads neither the snapshot nor anything of arguard, so that it can only agree with the engine by both being right.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from examples import contoso_fleets as fleets
from examples import contoso_story as story
from examples.contoso_shapes import MISSING, Disk, Item, Machine

LIMITS = {"current": 65536, "article": 32768}
ENCRYPTED_LIMIT = 4096
BAD = {
    "protectionstopped",
    "protectionpaused",
    "backupssuspended",
    "protectionerror",
    "configuringprotectionfailed",
    "softdeleted",
}
FINE = {"protected", "irpending", "protectionconfigured", "configuringprotection"}
TRANSITIONAL = {"Updating", "Creating", "Deleting", "Migrating"}


class Row(NamedTuple):
    """One judged row. `resource` is `<group>/<name>` in lower case; `detail` the subject, for ABK101 the lock's id."""

    policy: str
    sub: str
    resource: str
    detail: str
    verdict: str
    severity: str


def judge(profile: str) -> list[Row]:
    judges: tuple[Callable[[str], Iterator[Row]], ...] = (_abk101, _abk301, _abk401, _abk501, _abk502, _abk602)
    return sorted(row for one in judges for row in one(profile))


def _retained(item: Item) -> bool:
    return item.deferred_delete is not True and "softdeleted" not in _words(item)


def _words(item: Item) -> set[str]:
    return {word.lower() for word in (item.state, item.current) if word and word != MISSING}


def _protected() -> list[Machine]:
    return [vm for vm in story.machines() if any(_retained(item) for item in vm.items)]


def _abk101(_profile: str) -> Iterator[Row]:
    for sub, group in _restore_groups():
        if sub in fleets.LOCKS_REFUSED:
            yield Row("ABK101", sub, group, "", "unknown", "high")
            continue
        locks = [
            _lock_id(sub, scope, name=name)
            for where, scope, name, _, _ in story.LOCKS
            if where == sub and _covers(scope, group)
        ]
        assert len(locks) <= 1, "the story keeps causes unambiguous"
        yield Row("ABK101", sub, group, "".join(locks), "fail" if locks else "pass", "high")


def _covers(scope: str, group: str) -> bool:
    return scope == "" or scope.lower() == f"/resourcegroups/{group}"


def _lock_id(sub: str, scope: str, *, name: str) -> str:
    return f"/subscriptions/{fleets.SUBSCRIPTIONS[sub][0]}{scope}/providers/microsoft.authorization/locks/{name}".lower()


def _restore_groups() -> set[tuple[str, str]]:
    holds = {(vm.sub, vm.restore_group.lower()) for vm in story.machines() if vm.restore_group}
    holds |= {(sub, group.lower()) for sub, group, name, _ in story.EXTRA_COLLECTIONS if name.lower().startswith("azurebackup")}
    named = {(sub, group.lower()) for sub, group in story.GROUPS if _named_for_restore_points(sub, group.lower())}
    return holds | named


def _named_for_restore_points(sub: str, group: str) -> bool:
    if re.fullmatch(r"azurebackuprg_.+_[0-9]+", group):
        return True
    for vault, _, _, details in fleets.POLICIES:
        prefix = (details or {}).get("azureBackupRGNamePrefix") or ""
        suffix = (details or {}).get("azureBackupRGNameSuffix") or ""
        pattern = re.escape(prefix) + "[0-9]+" + re.escape(suffix)
        if prefix and fleets.VAULTS[vault][0] == sub and re.fullmatch(pattern, group):
            return True
    return False


def _abk301(_profile: str) -> Iterator[Row]:
    for vm in _protected():
        yield Row("ABK301", vm.sub, f"{vm.group}/{vm.name}", "", _agent_verdict(vm), "high")


def _agent_verdict(vm: Machine) -> str:
    if vm.power is None:
        return "unknown"
    if vm.power != "running":
        return "not_applicable"
    if not vm.listed or vm.agent is None:
        return "unknown"
    return "pass" if vm.agent.code.lower().startswith("provisioningstate/succeeded") else "fail"


def _abk401(_profile: str) -> Iterator[Row]:
    for vm in _protected():
        for name, state in vm.extensions.items():
            verdict = "unknown" if state in (None, MISSING) else "pass" if state == "Succeeded" else "fail"
            severity = "low" if state in TRANSITIONAL else "high"
            yield Row("ABK401", vm.sub, f"{vm.group}/{vm.name}", f"extension:{name.lower()}", verdict, severity)


def _abk501(profile: str) -> Iterator[Row]:
    for sub, resource, disk in _disks():
        yield Row("ABK501", sub, resource, "", _size_verdict(disk, LIMITS[profile]), "high")


def _abk502(_profile: str) -> Iterator[Row]:
    for sub, resource, disk in _disks():
        if disk.ade:
            yield Row("ABK502", sub, resource, "", _size_verdict(disk, ENCRYPTED_LIMIT), "medium")


def _disks() -> Iterator[tuple[str, str, Disk]]:
    for vm in _protected():
        for index, disk in enumerate(vm.disks):
            if not disk.blob:
                yield vm.sub, f"{vm.group}/{vm.name}-{f'data{index - 1}' if index else 'os'}", disk


def _size_verdict(disk: Disk, limit: int) -> str:
    if not isinstance(disk.gib, int):
        return "unknown"
    return "pass" if disk.gib <= limit else "fail"


def _abk602(_profile: str) -> Iterator[Row]:
    for vm in story.machines():
        for item in filter(_retained, vm.items):
            yield _item_row(vm.sub, f"{vm.group}/{vm.name}", item=item, verdict=_state_verdict(item))
    for sub, group, name, item in story.ORPHANS:
        if _retained(item):
            yield _item_row(sub, f"{group}/{name}", item=item, verdict="not_applicable")


def _item_row(sub: str, resource: str, *, item: Item, verdict: str) -> Row:
    vault = f"vault:{fleets.VAULTS[item.vault][1]}/{item.vault}"
    return Row("ABK602", sub, resource, vault, verdict, "high")


def _state_verdict(item: Item) -> str:
    words = _words(item)
    if words & BAD:
        return "fail"
    return "pass" if words and words <= FINE else "unknown"
