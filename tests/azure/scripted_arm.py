"""Calls that answer from a script, as the real ones would: bad answers are asked for again, then given up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import orjson

from scanner.model import Json, Reason
from scanner.sources.azure.wire import Failed, Reply, Request, Unusable

T = TypeVar("T")

S1 = "/subscriptions/s1"


@dataclass(frozen=True)
class Turns:
    """Another answer each time; the last one stays."""

    answers: Sequence[Json]


@dataclass
class ScriptedCalls:
    """Answers by URL: JSON, bytes, a Failed, or Turns of them. A URL that the script lacks is a bug of the test or the code."""

    script: Mapping[str, Json]
    requests: list[Request] = field(default_factory=list)

    @property
    def urls(self) -> list[str]:
        return [request.url for request in self.requests]

    def call(self, request: Request, read: Callable[[Reply], T]) -> T:
        tried = 0
        while True:
            tried += 1
            self.requests.append(request)
            answer = self._answer(request.url)
            if isinstance(answer, Failed):
                raise answer
            body = answer if isinstance(answer, bytes) else orjson.dumps(answer)
            try:
                return read(Reply(status=200, headers={}, body=body))
            except Unusable as why:
                if tried >= why.tries:
                    raise Failed(why.reason, why.text, status=200) from why

    def _answer(self, url: str) -> Json:
        assert url in self.script, f"nobody should ask for {url}"
        found = self.script[url]
        if isinstance(found, Turns):
            return found.answers[min(self.urls.count(url), len(found.answers)) - 1]
        return found


@dataclass
class Kept:
    """A sink that can be looked into."""

    rows: dict[str, Json] = field(default_factory=dict)
    drops: int = 0

    def add(self, rows: Sequence[tuple[str, bytes]]) -> int:
        before = len(self.rows)
        for key, line in rows:
            assert line.endswith(b"\n")
            self.rows.setdefault(key, orjson.loads(line))
        return len(self.rows) - before

    def drop(self) -> None:
        self.rows.clear()
        self.drops += 1


def page(*items: Json, link: str | None = None) -> Json:
    return {"value": list(items), **({} if link is None else {"nextLink": link})}


def failed(status: int = 500, code: str = "InternalServerError", reason: Reason = Reason.FAILED) -> Failed:
    return Failed(reason, f"{status} {code}".strip(), status=status, codes=(code,) if code else ())


DENIED = failed(403, "AuthorizationFailed", Reason.DENIED)
