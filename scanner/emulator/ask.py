"""A request to Azure Resource Graph, read as strictly as the service's published description of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import orjson

from scanner.model import Json

MOST_SUBSCRIPTIONS = 1000
"""Subscriptions in one request (azure-rest-api-specs, and the limit that `az graph` batches by)."""

_FILTERS = {"atscopeandbelow", "atscopeandabove", "atscopeaboveandbelow", "atscopeexact"}
_FORMATS = {"table", "objectarray"}


class Refused(Exception):
    """A request that is not as it must be; `details` are those of the error body, one for each thing wrong."""

    def __init__(self, details: Sequence[Mapping[str, Json]]) -> None:
        super().__init__(str(details))
        self.details = details


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What is asked: at most one of `subscriptions` and `management_groups`; None for what was not given."""

    query: str
    subscriptions: tuple[str, ...] | None
    management_groups: tuple[str, ...] | None
    top: int | None
    skip: int | None
    token: str
    table: bool


def read(body: bytes) -> Ask:
    """Read the body of a request; Refused with everything that is wrong with it. Unknown members are ignored."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused([_wrong("InvalidJson", f"The request is not JSON: {error.msg}")]) from error
    if not isinstance(found, dict):
        raise Refused([_wrong("InvalidJson", "The request is no JSON object.")])
    wrong: list[Mapping[str, Json]] = []
    members = _Members(found, wrong)
    chosen = members.take("options", dict, "an object") or {}
    options = _Members(chosen, wrong)
    ask = Ask(
        query=members.take("query", str, "a string") or "",
        subscriptions=members.names("subscriptions"),
        management_groups=members.names("managementGroups"),
        top=options.number("$top", lambda number: 1 <= number <= 1000, "1 to 1000"),
        skip=options.number("$skip", lambda number: number >= 0, "0 or more"),
        token=options.take("$skipToken", str, "a string") or "",
        table=options.word("resultFormat", _FORMATS) == "table",
    )
    options.word("authorizationScopeFilter", _FILTERS)
    wrong += _scope_problems(ask)
    if not ask.query.strip():
        wrong.append(_wrong("InvalidQuery", "The query is missing or empty."))
    if wrong:
        raise Refused(wrong)
    return ask


def _scope_problems(ask: Ask) -> list[Mapping[str, Json]]:
    found: list[Mapping[str, Json]] = []
    if ask.subscriptions is not None and ask.management_groups is not None:
        found.append(_wrong("InvalidScope", "Either subscriptions or managementGroups may be given, not both."))
    if len(ask.subscriptions or ()) > MOST_SUBSCRIPTIONS:
        text = f"The request names {len(ask.subscriptions or ())} subscriptions; at most {MOST_SUBSCRIPTIONS} are allowed."
        found.append(_wrong("TooManySubscriptions", text))
    return found


def _wrong(code: str, message: str) -> dict[str, Json]:
    return {"code": code, "message": message}


class _Members:
    """The members of one object; what is wrong with them goes to a list."""

    def __init__(self, found: Mapping[str, Json], wrong: list[Mapping[str, Json]]) -> None:
        self._found = found
        self._wrong = wrong

    def take(self, name: str, kind: type, what: str) -> Json:
        """A member of one type; None where it is absent, null, or of another."""
        value = self._found.get(name)
        if value is None or (isinstance(value, kind) and not isinstance(value, bool)):
            return value
        self._tell(name, f"must be {what}")
        return None

    def names(self, name: str) -> tuple[str, ...] | None:
        """A list of texts; an empty one counts as absent, as in the service."""
        value = self.take(name, list, "a list of strings") or []
        if not all(isinstance(one, str) for one in value):
            self._tell(name, "must be a list of strings")
            return None
        return tuple(value) or None

    def number(self, name: str, fits: Callable[[int], bool], what: str) -> int | None:
        """A whole number in its range."""
        value = self.take(name, int, "a whole number")
        if value is not None and not fits(value):
            self._tell(name, f"must be {what}, not {value}")
            return None
        return None if value is None else int(value)

    def word(self, name: str, known: set[str]) -> str:
        """One of some words, in lower case; empty where it is absent or none of them."""
        value = str(self.take(name, str, "a string") or "").lower()
        if value and value not in known:
            self._tell(name, f"does not take '{value}'")
            return ""
        return value

    def _tell(self, name: str, text: str) -> None:
        self._wrong.append(_wrong("InvalidRequest", f"{name} {text}."))
