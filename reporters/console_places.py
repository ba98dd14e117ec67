"""Subscriptions, resources and causes in words: by name where the scan knows one that is theirs alone, else by id.

The other formats hold every id in full; a line of the console should fit the terminal.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from scanner.model import Scope

_SHOWN = 5
_ROOT = re.compile(r"/subscriptions/(?P<name>[^/]+)(?P<rest>/.*)?", re.IGNORECASE)
_GROUP = re.compile(r"/resourceGroups/(?P<name>[^/]+)(?P<rest>/.*)?", re.IGNORECASE)
_PROVIDER = re.compile(r"/providers/[^/]+", re.IGNORECASE)
_ON_ITS_PARENT = re.compile(r"(?P<parent>.+)/providers/Microsoft\.Authorization/(?P<type>[^/]+)/(?P<name>[^/]+)", re.IGNORECASE)
_WORDS = {"locks": "lock", "policyassignments": "policy assignment", "roleassignments": "role assignment"}


def names_in(scope: Scope) -> Mapping[str, str]:
    """The name of each subscription that shares it with no other, by id."""
    counted = Counter(one.name for one in scope.subscriptions)
    return {one.id: one.name for one in scope.subscriptions if one.name and counted[one.name] == 1}


def listed(subscriptions: Iterable[str], names: Mapping[str, str]) -> str:
    """The first few subscriptions by name, the rest counted."""
    return some([names.get(one, one) for one in subscriptions])


def some(items: list[str]) -> str:
    """The first few of a list, the rest counted."""
    rest = len(items) - _SHOWN
    return ", ".join(items[:_SHOWN]) + (f" and {rest:,} more" if rest > 0 else "")


def place(arm_id: str, names: Mapping[str, str]) -> str:
    """Where a resource is: `contoso-prod / rg-sql / virtualMachines/sql-03`. What is no ARM id is shown as it is."""
    root = _ROOT.fullmatch(arm_id)
    if root is None:
        return arm_id
    parts = [names.get(root["name"].lower(), root["name"])]
    group = _GROUP.fullmatch(root["rest"] or "")
    if group:
        parts.append(group["name"])
    rest = (group["rest"] if group else root["rest"]) or ""
    parts += [part.strip("/") for part in _PROVIDER.split(rest)]
    return " / ".join(part for part in parts if part)


def cause(text: str, names: Mapping[str, str]) -> str:
    """What causes findings: `lock keep on subscription contoso-dev` for what stands on its parent, else its place or text."""
    found = _ON_ITS_PARENT.fullmatch(text)
    root = _ROOT.fullmatch(found["parent"]) if found else None
    if found is None or root is None:
        return place(text, names)
    kind = _WORDS.get(found["type"].lower(), found["type"])
    level = "" if root["rest"] else "subscription "
    return f"{kind} {found['name']} on {level}{place(found['parent'], names)}"
