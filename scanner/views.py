"""Side tables as policies see them: one documented view per object of ARM, null where the object says nothing.

Shapes of the objects: azure-mgmt-resource-locks 1.0.0 (locks), azure-mgmt-compute 39.0.0 (virtual machines with their
instance view, restore point collections), and arguard's own evidence documents.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from scanner.ids import leading_id, lock_scope, name_of
from scanner.model import Json

View: TypeAlias = dict[str, Json]


def _lock(item: Json) -> View:
    properties = _object(item, "properties")
    return {
        "id": item.get("id"),
        "name": item.get("name") or name_of(leading_id(item)),
        "level": properties.get("level"),
        "notes": properties.get("notes"),
        "scope": lock_scope(leading_id(item)),
    }


def _vm_status(item: Json) -> View:
    instance = _object(_object(item, "properties"), "instanceView")
    agent = _object(instance, "vmAgent")
    status = _leading(agent.get("statuses"), "provisioningstate/succeeded")
    power = _leading(instance.get("statuses"), "powerstate/", strict=True)
    extensions = _extensions(instance.get("extensions"))
    return {
        "id": item.get("id"),
        "agent_code": status.get("code"),
        "agent_display": status.get("displayStatus"),
        "agent_message": status.get("message"),
        "agent_time": status.get("time"),
        "agent_version": agent.get("vmAgentVersion"),
        "os_name": instance.get("osName"),
        "power_code": power.get("code"),
        "extensions": extensions,
        "failed_extensions": _failed(extensions),
        "reboot_pending": _object(_object(instance, "patchStatus"), "availablePatchSummary").get("rebootPending"),
    }


def _extensions(items: Json) -> list[View] | None:
    """The extensions of an instance view; one that is no object stays, all null, so that it is missed."""
    return [_extension(item if isinstance(item, Mapping) else {}) for item in items] if isinstance(items, list) else None


def _failed(extensions: list[View] | None) -> list[Json] | None:
    """The names of the extensions that failed, which a message can show: no template can filter."""
    if extensions is None:
        return None
    return [extension["name"] for extension in extensions if _begins(extension, "provisioningstate/failed")]


def _extension(item: Mapping[str, Json]) -> View:
    """A failed status speaks for its extension, else one that does not say what it is, else the first."""
    statuses = item.get("statuses")
    status = _leading(statuses, "provisioningstate/failed")
    if not _begins(status, "provisioningstate/failed") and not all(map(_has_code, _list(statuses))):
        status = {}
    return {
        "name": item.get("name"),
        "type": item.get("type"),
        "code": status.get("code"),
        "display": status.get("displayStatus"),
        "message": status.get("message"),
    }


def _restore_points(item: Json) -> View:
    properties = _object(item, "properties")
    points = properties.get("restorePoints")
    return {
        "id": item.get("id"),
        "name": item.get("name") or name_of(leading_id(item)),
        "source_id": _object(properties, "source").get("id") or None,
        "count": len(points) if isinstance(points, list) else None,
    }


def _evidence(item: Json) -> View:
    told = {name: item.get(name) for name in ("id", "collected_at", "tool", "origin", "digest")}
    return {**told, "checks": _object(item, "checks")}


VIEWS: Mapping[str, Callable[[Json], View]] = {
    "arm_locks": _lock,
    "arm_vm_status": _vm_status,
    "arm_restore_points": _restore_points,
    "evidence": _evidence,
}


def _object(value: Json, member: str) -> Mapping[str, Json]:
    found = value.get(member)
    return found if isinstance(found, Mapping) else {}


def _leading(statuses: Json, prefix: str, *, strict: bool = False) -> Mapping[str, Json]:
    """The first status whose code begins so in any case; else the first of all, unless `strict`."""
    objects = [status if isinstance(status, Mapping) else {} for status in _list(statuses)]
    for status in objects:
        if _begins(status, prefix):
            return status
    return objects[0] if objects and not strict else {}


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _has_code(status: Json) -> bool:
    return isinstance(status, Mapping) and isinstance(status.get("code"), str)


def _begins(status: Json, prefix: str) -> bool:
    return _has_code(status) and status["code"].lower().startswith(prefix)
