"""What a probe inside a VM writes: one evidence document of what no table of Azure holds."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from scanner.authoring.types import Authored, LineOrNone, Moment, VmId

CheckKey: TypeAlias = Literal[
    "win_agent_service",
    "win_dotnet_release",
    "win_complus",
    "win_msdtc_account",
    "win_vss_writers",
    "win_av_exclusions",
    "win_applocker",
    "win_vcredist",
    "lin_agent_process",
    "lin_agent_autorestart",
    "lin_waagent_conf",
    "lin_python",
    "net_wireserver",
    "net_dhcp",
]


class CheckSpec(Authored):
    """What one check found."""

    status: Literal["pass", "fail", "unknown"]
    """What it means; `unknown` where it could not be found out."""
    value: Any = None
    """What was seen: a text, a number, true or false, or a list of texts."""
    detail: Annotated[str, Field(max_length=4096)] = ""
    """A line for people: why, or what to do."""


class EvidenceFile(Authored):
    """One document of one VM, as JSON or YAML."""

    id: VmId
    """The resource id of the VM."""
    collected_at: Moment
    """When the probe looked."""
    tool: LineOrNone = ""
    """What wrote the document."""
    checks: dict[CheckKey, CheckSpec]
    """What it found, by the key of each check."""
