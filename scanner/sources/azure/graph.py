"""Azure Resource Graph: a query is read until it is proven complete, or it is a gap.

An answer counts when every page was usable, the total was the same on each of them, and the rows, their distinct keys and
the total are equal in number. Rows can shift between pages while resources come and go
(MicrosoftDocs/azure-docs:articles/governance/resource-graph/concepts/paging-results.md), so an answer that does not add up
is read once more from its start, into a new sink; the first is dropped.

Two refusals are answered by asking for less. `ResponsePayloadTooLarge` (above 16,777,216 bytes) halves the page, then the
subscriptions; splitting by a hash in the query is deliberately not built, since the engine edits a query in exactly two
ways and halving the subscriptions does the same. A 403 for several subscriptions halves them too, so that the gap names
only those that refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from scanner.model import Gap, Reason
from scanner.sources.azure.pages import Page, Question, kept, read_page, request
from scanner.sources.azure.wire import Calls, Failed, Outcome, Reply, Sink

__all__ = ["Page", "Question", "kept", "read", "read_page", "request"]

TOP = 1000
"""Rows a page; the most that Azure Resource Graph gives."""
SPLIT_BELOW = 125
"""Below this page size several subscriptions are split instead: then one of them holds the large rows."""
SPARE_PAGES = 2
"""Pages without a row that still lead on: they do occur, but not for ever. All other pages are bounded by the total."""
PATIENCE = 8
"""Single subscriptions that fail before any answers, after which the rest is not split further."""
TOO_LARGE = "ResponsePayloadTooLarge"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ready:
    """A page whose rows are ready for a sink."""

    rows: Sequence[tuple[str, bytes]]
    total: int
    token: str


def _silent(_rows: int) -> None:
    """Tell nobody."""


def read(
    question: Question,
    subscriptions: Sequence[str],
    calls: Calls,
    open_sink: Callable[[], Sink],
    told: Callable[[int], None] = _silent,
) -> Outcome:
    """Ask one question about some subscriptions; trouble becomes gaps, one for each subscription that did not answer.

    The rows of the outcome are those of the sinks that were opened and not dropped. `told` hears the number of rows of
    each page as it is read, also of pages that are dropped later. Without subscriptions nothing is asked: to Azure, an
    empty list would mean everything that the identity can see.
    """
    names = tuple(dict.fromkeys(name.lower() for name in subscriptions))
    reading = _Reading(question, calls, open_sink=open_sink, told=told)
    failed = reading.attempt(names) if names else None
    if failed is not None:
        reading.settle(names, failed)
    return Outcome(
        answered=frozenset(reading.answered), gaps=tuple(sorted(reading.gaps)), pages=reading.pages, rows=reading.rows
    )


class _Reading:
    """One question while it is read: what answered so far, and what did not."""

    def __init__(self, question: Question, calls: Calls, *, open_sink: Callable[[], Sink], told: Callable[[int], None]) -> None:
        self.answered: set[str] = set()
        self.gaps: list[Gap] = []
        self.pages = 0
        self.rows = 0
        self._question = question
        self._calls = calls
        self._open_sink = open_sink
        self._told = told
        self._alone = 0

    def attempt(self, subscriptions: tuple[str, ...]) -> Failed | None:
        """Read some subscriptions in one go, at the largest page that passes; None when they answered in full."""
        top, again = TOP, True
        while True:
            sink = self._open_sink()
            try:
                self.rows += self._proven(sink, subscriptions, top)
            except Failed as failed:
                sink.drop()
                smaller = self._smaller(top, subscriptions)
                if TOO_LARGE in failed.codes and smaller:
                    top = smaller
                elif failed.reason is Reason.UNSTABLE and again:
                    again = False
                else:
                    return failed
            else:
                self.answered.update(subscriptions)
                return None

    def settle(self, subscriptions: tuple[str, ...], failed: Failed) -> None:
        """Halve what failed as a whole until only the culprits are left, where that can help; note the gaps.

        Both halves are asked before either is halved further: a half that answers is found early.
        """
        if not _worth_splitting(failed) or not self._may_split(subscriptions) or self._hopeless():
            self._alone += len(subscriptions) == 1
            text = f"{failed.status} {TOO_LARGE}" if TOO_LARGE in failed.codes else failed.text
            self.gaps += (Gap(reason=failed.reason, subscription=name, text=text) for name in subscriptions)
            return
        middle = len(subscriptions) // 2
        halves = (subscriptions[:middle], subscriptions[middle:])
        for half, trouble in [(half, self.attempt(half)) for half in halves]:
            if trouble is not None:
                self.settle(half, trouble)

    def _proven(self, sink: Sink, subscriptions: tuple[str, ...], top: int) -> int:
        """Fill the sink; how many rows there are. Raises Failed where the pages do not add up."""
        rows = distinct = total = 0
        for page in self._pages(subscriptions, top):
            rows += len(page.rows)
            distinct += sink.add(page.rows)
            total = page.total
            if rows > total:
                break  # nothing that follows can mend it, and it may follow for ever
        if rows == distinct == total:
            return rows
        if distinct < rows:
            raise Failed(Reason.UNSTABLE, "RowsRepeated")
        raise Failed(Reason.UNSTABLE, "RowsLost" if rows < total else "RowsBeyondTotal")

    def _pages(self, subscriptions: tuple[str, ...], top: int) -> Iterator[_Ready]:
        """Every page, as long as tokens lead on; there is no other sign that more follows."""
        seen = set[str]()
        total: int | None = None
        token, spare = "", SPARE_PAGES
        while True:
            asked = request(self._question, subscriptions, top=top, token=token)
            page = self._calls.call(asked, partial(_ready, key=self._question.key))
            self.pages += 1
            self._told(len(page.rows))
            total = page.total if total is None else total
            if page.total != total:
                raise Failed(Reason.UNSTABLE, "TotalChanged")
            yield page
            if not page.token:
                return
            if page.token in seen:
                raise Failed(Reason.BAD_ANSWER, "TokenRepeated")
            spare -= not page.rows
            if spare < 0:
                raise Failed(Reason.BAD_ANSWER, "EndlessPages")
            token = page.token
            seen.add(token)

    def _smaller(self, top: int, subscriptions: tuple[str, ...]) -> int:
        """The next smaller page; 0 when there is none, or when the subscriptions are to be split instead."""
        half = top // 2
        return 0 if half < SPLIT_BELOW and self._may_split(subscriptions) else half

    def _may_split(self, subscriptions: tuple[str, ...]) -> bool:
        return len(subscriptions) > 1 and self._question.splittable and not self._question.management_groups

    def _hopeless(self) -> bool:
        return self._alone >= PATIENCE and not self.answered


def _ready(reply: Reply, key: Sequence[str]) -> _Ready:
    page = read_page(reply)
    return _Ready(rows=kept(page.rows, key), total=page.total, token=page.token)


def _worth_splitting(failed: Failed) -> bool:
    """Whether fewer subscriptions may do better. Which status AccessDenied comes with is not documented."""
    return TOO_LARGE in failed.codes or failed.status == 403 or "AccessDenied" in failed.codes
