"""Fault scripts as people write them: YAML, read strictly (`arguard emulate --faults FILE`).

```yaml
faults:
  - {route: graph, contains: protecteditems, numbers: "1-2", reply: {status: 429, code: RateLimiting}}
  - {route: graph, numbers: 3, wire: {kind: reset}}
  - {route: locks, patch: {merge: {value: null}}}
```
"""

from __future__ import annotations

import base64
import binascii
import re
import sys
from collections.abc import Container
from pathlib import Path
from typing import Annotated, Any, Self, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from scanner import yamlsafe
from scanner.authoring.read import read
from scanner.authoring.types import Authored, Given, wrong
from scanner.emulator.exchange import Reply, error
from scanner.emulator.script import (
    Action,
    Fault,
    Headers,
    Patch,
    RouteName,
    Where,
    Wire,
    WireKind,
    claims_challenge,
    redirect,
)
from scanner.errors import InputError, Problem


def read_faults(path: Path) -> tuple[Fault, ...]:
    """Read a fault script from a YAML file; raises InputError with every problem of it."""
    try:
        text = path.read_bytes()
    except OSError as trouble:
        raise InputError([Problem(file=str(path), text=f"cannot be read: {trouble.strerror or trouble}")]) from trouble
    return tuple(one.fault() for one in read(ScriptModel, yamlsafe.load(text, str(path)), str(path)).faults)


def _numbers(value: Any) -> Container[int]:
    """`2`, `"1-3"`, `"2-"` or `[1, 4]`."""
    if type(value) is int and value > 0:
        return (value,)
    if isinstance(value, list) and value and all(type(one) is int and one > 0 for one in value):
        return tuple(value)
    if isinstance(value, str) and (match := re.fullmatch(r"([1-9][0-9]{0,8})-([1-9][0-9]{0,8})?", value)):
        return range(int(match[1]), int(match[2]) + 1 if match[2] else sys.maxsize)
    raise wrong("must be a number from 1 on, a range such as '1-3' or '2-', or a list of numbers")


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise wrong("must be base64") from None


HeaderText = Annotated[str, Field(pattern=r"^[^\r\n]*$")]
HeaderTexts: TypeAlias = dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")], HeaderText]


class ReplyModel(Authored):
    """An answer instead of the correct one; its body is given in one way at most."""

    status: Annotated[int, Field(ge=200, le=599)] = 200
    """The HTTP status."""
    headers: HeaderTexts = Field(default_factory=dict)
    """Headers, added to the usual ones."""
    code: str = ""
    """An error code: the body is an error as Azure writes it."""
    body: Any = None
    """The body, as JSON."""
    text: Given[str] = None
    """The body, as text that is sent as it is."""
    base64: Given[Annotated[str, AfterValidator(_base64)]] = None
    """The body, as base64 of the bytes that are sent."""
    nested: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    """The body is so many nested lists."""

    @model_validator(mode="after")
    def _one_body(self) -> Self:
        ways = [self.code, self.body is not None, self.text is not None, self.base64 is not None, self.nested]
        if sum(map(bool, ways)) > 1:
            raise wrong("gives more than one of code, body, text, base64 and nested")
        return self

    def reply(self) -> Reply:
        """The answer."""
        if self.code:
            return error(self.status, self.code, f"The fault script says {self.code}.").adding(self.headers)
        body = self.body if self.body is not None else self.base64 or (self.text or "").encode()
        return Reply(status=self.status, headers=self.headers, body=b"[" * self.nested + b"]" * self.nested or body)


class PatchModel(Authored):
    """Changes to the JSON of the correct answer."""

    drop_row: Given[Annotated[int, Field(ge=0)]] = None
    """The row, counted from 0, that is left out; counts stay as they were."""
    repeat_row: Given[Annotated[int, Field(ge=0)]] = None
    """The row, counted from 0, that comes a second time; counts stay as they were."""
    empty: bool = False
    """An empty page, whose token leads to the rows."""
    repeat_token: bool = False
    """The token of a page leads to that page once more."""
    table: bool = False
    """The rows in table form."""
    add: dict[str, int] = Field(default_factory=dict)
    """What is added to numbers, such as totalRecords: 1."""
    merge: dict[str, Any] = Field(default_factory=dict)
    """Members that are set."""
    delete: tuple[str, ...] = ()
    """Members that are left out."""
    swap: dict[str, str] = Field(default_factory=dict)
    """Texts of the body, each replaced once."""

    def patch(self) -> Patch:
        """The changes as the emulator plays them."""
        swap = [(old.encode(), new.encode()) for old, new in self.swap.items()]
        return Patch(**{**dict(self), "swap": swap})


class WireModel(Authored):
    """Trouble with the connection."""

    kind: WireKind
    """What happens."""
    where: Where = "request"
    """When: the request was read, the headers were sent, or half of the body was."""
    ms: Annotated[int, Field(ge=0)] = 1000
    """Milliseconds: of a delay, or between two bytes."""
    size: Annotated[int, Field(ge=1)] = 10 * 1024**3
    """What a gzip bomb unpacks to, in bytes."""

    def wire(self) -> Wire:
        """The trouble as the emulator plays it."""
        return Wire(kind=self.kind, where=self.where, seconds=self.ms / 1000, size=self.size)


class FaultModel(Authored):
    """One fault: which requests, and exactly one action."""

    route: RouteName = "*"
    """The kind of request; * for any."""
    contains: str = ""
    """A text that its path, its query or its body holds; case does not matter."""
    numbers: Given[Annotated[Any, AfterValidator(_numbers)]] = None
    """Which of those requests, counted from 1; all of them when absent."""
    reply: Given[ReplyModel] = None
    """Another answer."""
    patch: Given[PatchModel] = None
    """The correct answer, changed."""
    headers: Given[HeaderTexts] = None
    """The correct answer with more headers; an empty value takes one away."""
    wire: Given[WireModel] = None
    """Trouble with the connection."""
    redirect: Given[HeaderText] = None
    """A redirect (307) to this address."""
    claims_challenge: Given[HeaderText] = None
    """A refusal (401) that asks for a token with these claims, base64."""

    @model_validator(mode="after")
    def _one_action(self) -> Self:
        if len(self._actions()) != 1:
            raise wrong("must have exactly one of reply, patch, headers, wire, redirect and claims_challenge")
        return self

    def _actions(self) -> list[Action]:
        found: list[Action | None] = [
            self.reply.reply() if self.reply else None,
            self.patch.patch() if self.patch else None,
            Headers(headers=self.headers) if self.headers is not None else None,
            self.wire.wire() if self.wire else None,
            redirect(self.redirect) if self.redirect is not None else None,
            claims_challenge(self.claims_challenge) if self.claims_challenge is not None else None,
        ]
        return [one for one in found if one is not None]

    def fault(self) -> Fault:
        """The fault as the emulator plays it."""
        return Fault(route=self.route, contains=self.contains, numbers=self.numbers, action=self._actions()[0])


class ScriptModel(Authored):
    """A file of faults."""

    faults: tuple[FaultModel, ...]
    """The faults; the first one that is due for a request is played."""
