"""Azure Resource Graph in memory, as the calls of the Azure source see it, and sinks that remember what was kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import orjson

from scanner.model import Json, Reason
from scanner.sources.azure.wire import Failed, Reply, Request, Unusable

T = TypeVar("T")
Answer = dict[str, Json]
Fault = Callable[[Answer], Answer]
"""What becomes of a correct answer."""


def rows_of(subscription: str, count: int, **more: Json) -> list[Answer]:
    path = f"/subscriptions/{subscription}/resourceGroups/rg/providers/Microsoft.Compute/disks/d"
    return [{"id": f"{path}{number:04}", "name": f"d{number}", **more} for number in range(count)]


def refusal(status: int, *codes: str) -> Failed:
    reason = Reason.DENIED if status == 403 else Reason.FAILED
    return Failed(reason, f"{status} {codes[-1]}", status=status, codes=codes)


@dataclass(kw_only=True)
class SimulatedGraph:
    """Calls over an estate. `faults` and `refusals` go by the number of the request, from 1; -1 is every request.

    `denied` subscriptions refuse each request that names them; pages above `limit` bytes of data are too large.
    """

    estate: Mapping[str, Sequence[Answer]]
    page_size: int = 1000
    limit: int | None = None
    denied: frozenset[str] = frozenset()
    faults: Mapping[int, Fault] = field(default_factory=dict)
    refusals: Mapping[int, Failed] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    asked: list[Answer] = field(default_factory=list)
    tries: int = 0

    def call(self, request: Request, read: Callable[[Reply], T]) -> T:
        body = orjson.loads(request.body)
        self.asked.append(body)
        reply = Reply(status=200, headers=self.headers, body=orjson.dumps(self._answer(body)))
        for attempt in range(1, 100):
            self.tries = attempt
            try:
                return read(reply)
            except Unusable as unusable:
                if attempt >= unusable.tries:
                    raise Failed(unusable.reason, unusable.text, status=200) from unusable
        raise AssertionError("asked a hundred times")

    @property
    def sizes(self) -> list[int]:
        return [body["options"]["$top"] for body in self.asked]

    @property
    def scopes(self) -> list[list[str]]:
        return [body["subscriptions"] for body in self.asked]

    def _answer(self, body: Answer) -> Answer:
        number = len(self.asked)
        trouble = self.refusals.get(number) or self.refusals.get(-1)
        if trouble:
            raise trouble
        names = body.get("subscriptions", list(self.estate))
        if self.denied & set(names):
            raise refusal(403, "AccessDenied")
        page = self._page([row for name in names for row in self.estate[name]], body["options"])
        fault = self.faults.get(number) or self.faults.get(-1)
        return fault(page) if fault else page

    def _page(self, rows: list[Answer], options: Answer) -> Answer:
        start = int(options.get("$skipToken", "0").partition(".")[0])
        end = start + min(options["$top"], self.page_size)
        data = sorted(rows, key=lambda row: str(row["id"]))[start:end]
        if self.limit is not None and len(orjson.dumps(data)) > self.limit:
            raise refusal(400, "BadRequest", "ResponsePayloadTooLarge")
        page = {"totalRecords": len(rows), "count": len(data), "resultTruncated": "false", "facets": [], "data": data}
        return {**page, "$skipToken": f"{end}.x"} if end < len(rows) else page


@dataclass
class MemorySink:
    """Rows by key in the order of their arrival, until it is dropped."""

    rows: dict[str, bytes] = field(default_factory=dict)
    dropped: bool = False

    def add(self, rows: Sequence[tuple[str, bytes]]) -> int:
        before = len(self.rows)
        for key, line in rows:
            self.rows.setdefault(key, line)
        return len(self.rows) - before

    def drop(self) -> None:
        self.rows.clear()
        self.dropped = True


@dataclass
class Sinks:
    """Opens sinks; `kept` is what a snapshot would hold."""

    opened: list[MemorySink] = field(default_factory=list)

    def open(self) -> MemorySink:
        self.opened.append(MemorySink())
        return self.opened[-1]

    @property
    def kept(self) -> list[bytes]:
        return sorted(line for sink in self.opened for line in sink.rows.values())

    @property
    def by_subscription(self) -> dict[str, list[bytes]]:
        found = defaultdict(list)
        for line in self.kept:
            found[orjson.loads(line)["id"].split("/")[2]].append(line)
        return dict(found)


def lines_of(rows: Sequence[Answer]) -> list[bytes]:
    return sorted(orjson.dumps(row, option=orjson.OPT_SORT_KEYS) + b"\n" for row in rows)


def data_of(change: Callable[[list[Json]], list[Json]]) -> Fault:
    """A fault in the rows of a page; the page's own count follows."""

    def play(page: Answer) -> Answer:
        data = change(list(page["data"]))
        return {**page, "data": data, "count": len(data)}

    return play


def member(name: str, value: Json) -> Fault:
    return lambda page: {**page, name: value}


def without(name: str) -> Fault:
    return lambda page: {key: value for key, value in page.items() if key != name}


drop_row = data_of(lambda rows: rows[1:])
repeat_row = data_of(lambda rows: [*rows, *rows[:1]])
swap_row = data_of(lambda rows: [*rows[1:], *rows[-1:]])
"""One row lost and another repeated: only the keys tell."""
