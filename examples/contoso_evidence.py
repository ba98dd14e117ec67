"""Contoso's evidence from inside the machines: one document for each VM that is backed up, as the bundled probes write them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from examples import contoso_spelling as spelling
from examples import contoso_story as story
from examples.contoso_shapes import Machine

Check = tuple[str, Any, str]
WINDOWS: dict[str, Check] = {
    "win_agent_service": ("pass", "Running", "the service runs"),
    "win_dotnet_release": ("pass", 528449, ".NET Framework 4.5 or newer"),
    "win_complus": ("pass", "Running Manual", "COM+ System Application is there"),
    "win_msdtc_account": ("pass", "Running Auto Network Service", "runs as Network Service"),
    "win_vss_writers": ("pass", [], "every writer is stable"),
    "win_av_exclusions": ("pass", "no crash", "the extension did not crash within 7 days"),
    "win_applocker": ("pass", "not enforced", "no rule for executables binds"),
    "win_vcredist": ("pass", "msvcp140.dll", "the runtime is there"),
}
LINUX: dict[str, Check] = {
    "lin_agent_process": ("pass", True, "the agent runs as root"),
    "lin_agent_autorestart": ("pass", "always", "systemd restarts walinuxagent.service"),
    "lin_waagent_conf": ("pass", "Extensions.Enabled=y; Provisioning.Agent=auto", "extensions are enabled"),
    "lin_python": ("pass", "3.10.12", "the agent's interpreter is /usr/bin/python3"),
}
BOTH: dict[str, Check] = {
    "net_wireserver": ("pass", ["80 open", "443 closed", "32526 open"], "168.63.129.16 answers on 80 and 32526"),
    "net_dhcp": ("pass", "primary dhcp", "the primary NIC has a lease"),
}
TOOLS = {"Windows": ("arguard-probe/1 ps1", WINDOWS), "Linux": ("arguard-probe/1 sh", LINUX)}


def files() -> dict[str, bytes]:
    """The documents by file name."""
    return {f"{vm.sub}-{vm.group}-{vm.name}.json": _document(vm) for vm in _seen()}


def _seen() -> Iterator[Machine]:
    return (vm for vm in story.machines() if vm.items and (vm.sub, vm.group, vm.name) not in story.WITHOUT_EVIDENCE)


def _document(vm: Machine) -> bytes:
    tool, checks = TOOLS[vm.os]
    key = (vm.sub, vm.group, vm.name)
    found = {**checks, **BOTH, **story.INSIDE.get(key, {})}
    document = {
        "id": spelling.vm_reference(vm, "evidence"),
        "collected_at": "2026-11-17T05:40:12Z" if key in story.OLD_EVIDENCE else "2026-11-20T05:40:12Z",
        "tool": tool,
        "checks": {name: dict(zip(("status", "value", "detail"), check, strict=True)) for name, check in found.items()},
    }
    return json.dumps(document, indent=1).encode() + b"\n"
