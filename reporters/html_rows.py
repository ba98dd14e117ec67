"""The rows of the page as one JSON document: columns of small numbers that point into tables of texts.

`blocks` is a list; each block holds up to 4,000 rows of one policy: `texts` (the first is empty), `sets` (lists of texts: path,
value, path, value ... of one row's evidence), `failures` (the first is null), and `columns`. A column is a list of numbers, or
one number if all its rows have the same. So 100,000 rows need about a tenth of what one object for each row would take.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Final

from reporters import wording
from reporters.advice import ADVICE
from reporters.html_markup import safe
from reporters.html_tally import WORDS, State, state
from reporters.rows import rows
from reporters.sanitise import json_safe, one_line
from reporters.view import EVERYTHING, Shown, View
from scanner.model import Failure, Finding, Json, Options, PolicyInfo, ScanResult, Severity

_BLOCK = 4_000
QUIET: Final = 5_000
"""Rows that ask nothing of anybody (passes, not applicable) are listed unasked as long as there are no more of them."""
_LOUD: Final = frozenset({Shown.FAIL, Shown.UNKNOWN, Shown.WAIVED})


def seen(result: ScanResult, view: View) -> View:
    """What the page lists: what was asked for, else everything, but quiet rows only while they are few."""
    if view.include is not None:
        return view
    quiet = sum(policy.counts.passed + policy.counts.not_applicable for policy in result.policies)
    return replace(view, include=EVERYTHING if quiet <= QUIET else _LOUD)


def document(result: ScanResult, view: View) -> Iterator[bytes]:
    """The JSON document in pieces, one a line, fit to stand inside a script element."""
    yield _encoded(_head(result))[:-1] + b',"blocks":['
    separator = b"\n"
    listed = seen(result, view)
    for index, policy in enumerate(result.policies):
        findings = (finding for _, finding in rows(result, policy, listed))
        while some := list(islice(findings, _BLOCK)):
            yield separator + _encoded(_Block(result.info.options, policy.info).of(index, some))
            separator = b",\n"
    yield b"\n]}\n"


def _head(result: ScanResult) -> dict[str, Json]:
    info = result.info
    return {
        "format": "arguard-page/1",
        "tenant": _told(info.identity.tenant) if info.identity else "",
        "states": [WORDS[one] for one in State],
        "severities": {one.value: one.word for one in Severity},
        "subscriptions": {_told(one.id): _told(one.name) for one in info.scope.subscriptions},
        "advice": {reason.value: advice for reason, advice in ADVICE.items()},
        "policies": [
            {
                "id": _told(one.info.id),
                "title": _told(one.info.title),
                "file": f"{_told(one.info.file)}:{one.info.line}",
                "links": [page for page in one.info.references if safe(page)],
            }
            for one in result.policies
        ],
    }


class _Block:
    """A block while it is made: every text is kept once."""

    def __init__(self, options: Options, policy: PolicyInfo) -> None:
        self._options = options
        self._policy = policy
        self._texts: dict[str, int] = {"": 0}
        self._sets: dict[tuple[int, ...], int] = {(): 0}
        self._failures: list[Json] = [None]

    def of(self, policy: int, findings: list[Finding]) -> dict[str, Json]:
        columns = [self._row(finding) for finding in findings]
        named = {name: [row[name] for row in columns] for name in columns[0]}
        return {
            "policy": policy,
            "rows": len(findings),
            "columns": {name: column[0] if len(set(column)) == 1 else column for name, column in named.items()},
            "texts": list(self._texts),
            "sets": [list(one) for one in self._sets],
            "failures": self._failures,
        }

    def _row(self, finding: Finding) -> Mapping[str, int]:
        resource = finding.resource
        folder, slash, leaf = _told(resource.display_id).rpartition("/")
        return {
            "state": state(finding, self._options).value,
            "severity": finding.severity.value,
            "name": self._text(resource.name),
            "subject": self._text(finding.subject),
            "type": self._text(resource.type),
            "subscription": self._text(resource.subscription),
            "group": self._text(resource.resource_group),
            "location": self._text(resource.location),
            "folder": self._text(folder + slash),
            "leaf": self._text(leaf),
            "message": self._text(wording.message(finding, self._policy) if finding.message or finding.reason else ""),
            "reason": self._text(finding.reason or ""),
            "cause": self._text(finding.cause or ""),
            "waiver": self._text(wording.waived(finding.waiver) if finding.waiver else ""),
            "affects": len(finding.affects),
            "evidence": self._set(wording.evidence(finding)),
            "failure": self._failure(finding.failure) if finding.failure else 0,
        }

    def _text(self, plain: str) -> int:
        return self._texts.setdefault(_told(plain), len(self._texts))

    def _set(self, lines: Iterable[str]) -> int:
        parts = (part for line in lines for part in line.partition(" = ")[::2])
        return self._sets.setdefault(tuple(map(self._text, parts)), len(self._sets))

    def _failure(self, failure: Failure) -> int:
        self._failures.append(
            {
                "code": _told(failure.code),
                "numbers": list(failure.numbers),
                "title": _told(failure.title),
                "link": failure.link if safe(failure.link) else "",
                "because": [
                    {
                        "policy": _told(one.policy),
                        "severity": one.severity.value,
                        "message": _told(one.message),
                        "name": _told(one.display_id.rpartition("/")[2]),
                    }
                    for one in failure.because
                ],
            }
        )
        return len(self._failures) - 1


def _told(plain: str) -> str:
    return one_line(plain, wording.LINE)


def _encoded(document: Json) -> bytes:
    r"""JSON that ends no script element: the parser of HTML looks for `</script` and `<!--` before any parser of JSON does."""
    told = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return json_safe(told.replace("<", "\\u003c").encode())
