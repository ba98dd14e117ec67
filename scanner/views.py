"""Side tables as policies see them: one documented view per object of ARM, null where the object says nothing.

Shapes of the objects: azure-mgmt-resource-locks 1.0.0 (locks), azure-mgmt-compute 39.0.0 (virtual machines with their
instance view, restore point collections), and arguard's own evidence documents.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from scanner.ids import lock_scope, name_of
from scanner.model import Json

View: TypeAlias = dict[str, Json]


def _lock(item: Json) -> View:
    properties = _object(item, "properties")
    return {
        "id": item["id"],
        "name": item.get("name") or name_of(item["id"]),
        "level": properties.get("level"),
        "notes": properties.get("notes"),
        "scope": lock_scope(item["id"]),
    }


def _vm_status(item: Json) -> View:
    instance = _object(_object(item, "properties"), "instanceView")
    agent = _object(instance, "vmAgent")
    status = _leading(agent.get("statuses"), "provisioningstate/succeeded")
    power = _leading(instance.get("statuses"), "powerstate/", strict=True)
    return {
        "id": item["id"],
        "agent_code": status.get("code"),
        "agent_display": status.get("displayStatus"),
        "agent_message": status.get("message"),
        "agent_time": status.get("time"),
        "agent_version": agent.get("vmAgentVersion"),
        "os_name": instance.get("osName"),
        "power_code": power.get("code"),
        "extensions": _extensions(instance.get("extensions")),
    }


def _extensions(items: Json) -> list[View] | None:
    """The extensions of an instance view; a failed status speaks for its extension, else the first one does."""
    if not isinstance(items, list):
        return None
    found: list[View] = []
    for item in items:
        if isinstance(item, Mapping):
            status = _leading(item.get("statuses"), "provisioningstate/failed")
            names = {"name": item.get("name"), "type": item.get("type")}
            texts = {"code": status.get("code"), "display": status.get("displayStatus"), "message": status.get("message")}
            found.append({**names, **texts})
    return found


def _restore_points(item: Json) -> View:
    properties = _object(item, "properties")
    points = properties.get("restorePoints")
    return {
        "id": item["id"],
        "name": item.get("name") or name_of(item["id"]),
        "source_id": _object(properties, "source").get("id"),
        "count": len(points) if isinstance(points, list) else None,
    }


def _evidence(item: Json) -> View:
    return {"id": item["id"], "collected_at": item.get("collected_at"), "checks": _object(item, "checks")}


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
    objects = [status for status in statuses if isinstance(status, Mapping)] if isinstance(statuses, list) else []
    for status in objects:
        code = status.get("code")
        if isinstance(code, str) and code.lower().startswith(prefix):
            return status
    return objects[0] if objects and not strict else {}
