"""ARM ids: the canonical form that identity rests on, and the parts of an id."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_ARM = re.compile(r"/subscriptions/[^/]+(/.*)?")
LOCKS = "/providers/microsoft.authorization/locks/"


def canonical(text: str) -> str:
    """Trim, drop trailing slashes, lower-case: ARM ids compare without case, and ARG itself returns mixed case."""
    trimmed = text.strip()
    while trimmed.endswith("/"):
        trimmed = trimmed.rstrip("/").rstrip()
    return trimmed.lower()


def leading_id(row: Mapping[str, Any]) -> str:
    """The `id` of a row as it is written there; empty where it is missing or no text."""
    found = row.get("id")
    return found if isinstance(found, str) else ""


def is_arm_id(text: str) -> bool:
    """Whether a canonical id names something inside a subscription."""
    return _ARM.fullmatch(text) is not None


def subscription_of(text: str) -> str:
    """The subscription of an id in any spelling, lower case; empty where there is none."""
    parts = canonical(text).split("/")
    return parts[2] if len(parts) > 2 and parts[:2] == ["", "subscriptions"] else ""


def resource_group_of(text: str) -> str:
    """The resource group of an id as it is written there; empty where there is none."""
    parts = text.strip().split("/")
    return parts[4] if len(parts) > 4 and parts[3].lower() == "resourcegroups" else ""


def name_of(text: str) -> str:
    """The last segment of an id as it is written there."""
    return text.strip().rstrip("/").rsplit("/", 1)[-1]


def type_of(text: str) -> str:
    """The resource type that an id spells out, lower case; groups and subscriptions have their own types."""
    parts = [part for part in canonical(text).split("/") if part]
    if "providers" in parts:
        tail = parts[len(parts) - parts[::-1].index("providers") :]
        return "/".join([*tail[:1], *tail[1::2]])
    if len(parts) == 4:
        return "microsoft.resources/subscriptions/resourcegroups"
    return "microsoft.resources/subscriptions" if len(parts) == 2 else ""


def lock_scope(lock_id: str) -> str:
    """The canonical id of what a lock is on: the lock's id cut at its last locks segment."""
    return canonical(lock_id).rpartition(LOCKS)[0]
