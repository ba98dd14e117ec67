"""Contoso's ARM side tables, locks and VM status: what Azure Resource Graph does not carry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from examples import contoso_spelling as spelling
from examples import contoso_story as story
from examples.contoso_backup import collection_name
from examples.contoso_compute import power_status
from examples.contoso_fleets import AGENTS, KINDS, LOCKS_REFUSED
from examples.contoso_shapes import GOOD, MISSING, Agent, Machine

Row = dict[str, Any]

SEEN = "2026-11-20T05:58:41.885+00:00"
DOWNLOAD = (
    "Enable failed: cannot download https://contosobuild.blob.core.windows.net/scripts/setup.sh?sig=CONTOSO-PLANTED-SECRET-5"
)


def locks() -> Iterator[Row]:
    """Every lock, as the lock list of its subscription returns it; nothing from subscriptions that refused the call."""
    web = next(vm for vm in story.machines() if (vm.group, vm.name) == ("rg-web", "web-01"))
    for sub, scope, name, level, notes in story.LOCKS:
        assert sub not in LOCKS_REFUSED
        where = scope.replace("{web-01}", collection_name(web))
        yield {
            "id": f"/subscriptions/{spelling.subscription_id(sub)}{where}/providers/Microsoft.Authorization/locks/{name}",
            "name": name,
            "properties": spelling.present({"level": level, "notes": notes}),
            "type": "Microsoft.Authorization/locks",
        }


def statuses() -> Iterator[Row]:
    """The VM list of each subscription, asked with statusOnly=true."""
    for vm in story.machines():
        if vm.listed:
            yield {
                "id": spelling.vm_reference(vm, "status"),
                "location": spelling.location(vm.sub),
                "name": vm.name,
                "properties": {
                    "instanceView": _instance_view(vm),
                    "provisioningState": "Succeeded",
                    "vmId": spelling.guid(f"vm/{vm.sub}/{vm.group}/{vm.name}"),
                },
                "type": "Microsoft.Compute/virtualMachines",
            }


def _instance_view(vm: Machine) -> Row:
    power = power_status(vm)
    provisioned = {
        "code": "ProvisioningState/succeeded",
        "displayStatus": "Provisioning succeeded",
        "level": "Info",
        "time": SEEN,
    }
    view: Row = {"statuses": [provisioned, *([power] if power else [])]}
    if vm.agent is None:
        return view
    view["vmAgent"] = _agent(vm, vm.agent)
    if vm.agent.code.lower().startswith("provisioningstate/succeeded"):
        view["extensions"] = [_extension(vm, name, state=state) for name, state in vm.extensions.items()]
    return view


def _agent(vm: Machine, agent: Agent) -> Row:
    ready = agent.display == "Ready"
    status = {
        "code": agent.code,
        "displayStatus": agent.display,
        "level": "Info" if ready else "Warning",
        "message": agent.message,
        "time": SEEN,
    }
    handlers = [_handler(name) for name in vm.extensions] if ready else []
    return {"extensionHandlers": handlers, "statuses": [status], "vmAgentVersion": agent.version or AGENTS[vm.os]}


def _type(name: str) -> str:
    return f"{KINDS[name][0]}.{name}"


def _handler(name: str) -> Row:
    """The handler is Ready even where its extension failed: recorded answers show just that."""
    status = {"code": "ProvisioningState/succeeded", "displayStatus": "Ready", "level": "Info"}
    return {"status": status, "type": _type(name), "typeHandlerVersion": KINDS[name][1]}


def _extension(vm: Machine, name: str, *, state: str | None) -> Row:
    good = {"code": "ProvisioningState/succeeded", "displayStatus": "Provisioning succeeded", "level": "Info", "message": ""}
    moving = good | {"code": "ProvisioningState/transitioning", "displayStatus": "Transitioning"}
    failed = {
        "code": "ProvisioningState/failed/1",
        "displayStatus": "Provisioning failed",
        "level": "Error",
        "message": "Exit 1.",
    }
    if name == "CustomScript" and vm.settings:
        failed["message"] = DOWNLOAD
    status = failed if state == "Failed" else good if state in (GOOD, None, MISSING) else moving
    return {"name": name, "statuses": [status], "type": _type(name), "typeHandlerVersion": KINDS[name][1]}
