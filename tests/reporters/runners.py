"""What CI runners obey, written anew after their sources, so that a channel is judged by what a runner reads of it.

github.com/actions/runner `src/Runner.Common/ActionCommand.cs` (both syntaxes) and github.com/microsoft/azure-pipelines-agent
`src/Microsoft.VisualStudio.Services.Agent/Command.cs`, `src/Agent.Sdk/CommandStringConvertor.cs`.
"""

from __future__ import annotations

from dataclasses import dataclass

_GITHUB = {
    *("error", "warning", "notice", "debug", "add-mask", "group", "endgroup", "stop-commands", "set-output", "save-state"),
    *("set-env", "add-path", "echo", "add-matcher", "remove-matcher"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    name: str
    properties: dict[str, str]
    data: str


def lines(data: bytes) -> list[str]:
    """A process' output as .NET's ReadLine splits it."""
    return data.decode().replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _decoded(text: str, escapes: dict[str, str]) -> str:
    for written, meant in escapes.items():
        text = text.replace(written, meant)
    return text


def _properties(text: str, separator: str, escapes: dict[str, str]) -> dict[str, str]:
    found = {}
    for part in text.split(separator):
        name, _, value = part.lstrip("=").partition("=")
        if name and value.lstrip("="):
            found[name.lower()] = _decoded(value.lstrip("="), escapes)
    return found


def github(line: str) -> Command | None:
    """The command that GitHub's runner obeys, if any: the newer syntax at the start of a line, else the older anywhere."""
    escapes = {"%0D": "\r", "%0A": "\n", "%25": "%"}
    start = line.lstrip()
    end = start.find("::", 2) if start.startswith("::") else -1
    if end >= 0:
        name, _, rest = start[2:end].partition(" ")
        if name.lower() in _GITHUB:
            inside = {"%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ",", "%25": "%"}
            return Command(
                name=name, properties=_properties(rest.strip(), ",", inside), data=_decoded(start[end + 2 :], escapes)
            )
    prefix = line.find("##[")
    end = line.find("]", prefix) if prefix >= 0 else -1
    if end >= 0:
        name, _, rest = line[prefix + 3 : end].partition(" ")
        older = {"%3B": ";", "%0D": "\r", "%0A": "\n", "%5D": "]", "%25": "%"}
        if name.lower() in _GITHUB:
            return Command(name=f"##{name}", properties=_properties(rest, ";", older), data=_decoded(line[end + 1 :], older))
    return None


def azure(line: str, *, percents: bool) -> Command | None:
    """The command that an Azure Pipelines agent obeys, if any; `percents` is its setting DECODE_PERCENTS."""
    escapes = {"%3B": ";", "%0D": "\r", "%0A": "\n", "%5D": "]"} | ({"%AZP25": "%"} if percents else {})
    prefix = line.lower().find("##vso[")
    end = line.find("]", prefix) if prefix >= 0 else -1
    if end < 0:
        return None
    name, _, rest = line[prefix + 6 : end].partition(" ")
    if len([part for part in name.split(".") if part]) != 2:
        return None
    return Command(name=name, properties=_properties(rest, ";", escapes), data=_decoded(line[end + 1 :], escapes))
