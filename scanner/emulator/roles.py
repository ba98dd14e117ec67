"""Who may read what in the emulator: role assignments, with the wildcards that Azure gives them.

What an assignment grants is what its `actions` match less what its `notActions` match; assignments add up, so that one's
`notActions` take nothing from another (learn.microsoft.com/azure/role-based-access-control/role-definitions).
Deny assignments are not played.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from scanner import yamlsafe
from scanner.authoring.read import read
from scanner.authoring.types import Authored, wrong
from scanner.errors import InputError, Problem
from scanner.ids import canonical, is_arm_id, subscription_of
from scanner.model import Json

_EVERYWHERE = ""
_ACTION = re.compile(r"[A-Za-z0-9.*]+(/[A-Za-z0-9.*]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """A role at a scope: "/" for everything, or the id of a subscription, a group or a resource."""

    scope: str = "/"
    actions: Sequence[str] = ("*/read",)
    not_actions: Sequence[str] = ()

    def grants(self, action: str) -> bool:
        """Whether the role itself allows the action, wherever it is assigned."""
        return _any(self.actions, action) and not _any(self.not_actions, action)

    def covers(self, identity: str) -> bool:
        """Whether a canonical id lies at or below the scope."""
        scope = canonical(self.scope)
        return scope in (_EVERYWHERE, identity) or identity.startswith(f"{scope}/")


class Roles:
    """The role assignments of the one identity that the emulator knows. Without a list: Reader of everything."""

    def __init__(self, assignments: Iterable[Assignment] = (Assignment(),)) -> None:
        self._by_home: dict[str, list[Assignment]] = {}
        for one in assignments:
            self._by_home.setdefault(subscription_of(one.scope), []).append(one)

    def may(self, action: str, scope: str) -> bool:
        """Whether an assignment at or above `scope` grants the action there."""
        identity = canonical(scope)
        return any(one.covers(identity) and one.grants(action) for one in self._near(identity))

    def may_read(self, identity: str, kind: str) -> bool:
        """Whether a resource of the type `kind` may be read."""
        return self.may(f"{kind}/read", identity)

    def visible(self, subscription: str) -> bool:
        """Whether the subscription is listed at all: an assignment at, above or anywhere inside it is enough."""
        return any(self._near(f"/subscriptions/{subscription.lower()}"))

    def permissions(self, subscription: str) -> list[dict[str, Json]]:
        """The effective permissions at a subscription as ARM writes them: an entry for each assignment at or above it.

        Assignments inside the subscription are no part of them.
        """
        identity = f"/subscriptions/{subscription.lower()}"
        return [
            {
                "actions": list(one.actions),
                "notActions": list(one.not_actions),
                "dataActions": list[str](),
                "notDataActions": list[str](),
            }
            for one in self._near(identity)
            if one.covers(identity)
        ]

    def _near(self, identity: str) -> list[Assignment]:
        """Every assignment that can concern an id: those above all subscriptions, and those of its own."""
        home = subscription_of(identity)
        above = self._by_home.get(_EVERYWHERE, [])
        return above + self._by_home.get(home, []) if home else above


def _any(patterns: Iterable[str], action: str) -> bool:
    return any(_compiled(pattern).fullmatch(action) for pattern in patterns)


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    """An action with `*` for anything, slashes too; case does not matter."""
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.IGNORECASE)


def read_roles(path: Path) -> Roles:
    """Read role assignments from a YAML file; raises InputError with every problem of it.

    The file holds `assignments`, a list of `{scope, actions, notActions}`; an empty list lets the identity see nothing.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise InputError([Problem(file=str(path), text=f"cannot be read: {error.strerror or error}")]) from error
    file = read(RolesModel, yamlsafe.load(text, str(path)), str(path))
    return Roles(Assignment(scope=one.scope, actions=one.actions, not_actions=one.not_actions) for one in file.assignments)


def _scope(text: str) -> str:
    if canonical(text) != _EVERYWHERE and not is_arm_id(canonical(text)):
        raise wrong("must be / or start with /subscriptions/<id>")
    return text


def _action(text: str) -> str:
    if not _ACTION.fullmatch(text):
        raise wrong("must be an action such as */read or Microsoft.Compute/disks/read")
    return text


Scope = Annotated[str, AfterValidator(_scope)]
Action = Annotated[str, AfterValidator(_action)]


class AssignmentModel(Authored):
    """One role assignment."""

    scope: Scope = "/"
    """Where: / or the id of a subscription, a resource group or a resource."""
    actions: tuple[Action, ...]
    """What it allows; * stands for anything."""
    not_actions: tuple[Action, ...] = Field((), alias="notActions")
    """What it takes out of its own actions."""


class RolesModel(Authored):
    """A file of role assignments."""

    assignments: tuple[AssignmentModel, ...]
    """Every assignment of the identity; none at all when the list is empty."""
