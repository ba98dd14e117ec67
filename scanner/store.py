"""The spool of verdicts: appended in any order, read back sorted, never one big list in memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import replace
from hashlib import sha256
from itertools import chain, groupby
from pathlib import Path
from types import TracebackType
from typing import Self

import orjson

from scanner.model import Because, Failure, Finding, Json, Reason, Resource, Severity, Verdict, WaiverMark


class VerdictStore:
    """Verdicts on disk (mode 0600), sorted by policy, canonical id and subject.

    Two rows with one (policy, id, subject) cannot both be right: both are read back as unknown DUPLICATE.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / "verdicts.sqlite"
        path.touch(mode=0o600)
        self._database = sqlite3.connect(path, isolation_level=None)
        # The file is private and thrown away: durability would only cost time. Sorting in the primary key keeps memory flat.
        self._database.execute("PRAGMA journal_mode=OFF")
        self._database.execute("PRAGMA synchronous=OFF")
        self._database.execute(
            "CREATE TABLE verdict (policy TEXT, id TEXT, subject TEXT, digest BLOB, number INTEGER, body BLOB,"
            " PRIMARY KEY (policy, id, subject, digest, number)) WITHOUT ROWID"
        )
        # Which failing rows explain the failed jobs of a resource: read back when such a job is.
        self._database.execute(
            "CREATE TABLE affects (resource TEXT, policy TEXT, id TEXT, subject TEXT,"
            " PRIMARY KEY (resource, policy, id, subject)) WITHOUT ROWID"
        )
        self._number = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._database.close()

    def extend(self, findings: Iterable[Finding]) -> None:
        """Keep verdicts, in whatever order they come."""
        self._database.execute("BEGIN")
        try:
            self._database.executemany("INSERT INTO verdict VALUES (?, ?, ?, ?, ?, ?)", map(self._record, findings))
        finally:
            self._database.execute("COMMIT")

    def of(self, policy: str) -> Iterator[Finding]:
        """The verdicts of one policy, sorted by canonical id, then subject; a failed job with the findings that explain it.

        What explains a job is known only when every policy was judged: read before that, it may be missing.
        """
        for finding in self._judged(policy):
            yield replace(finding, failure=self._explained(finding, finding.failure)) if finding.failure else finding

    def _judged(self, policy: str) -> Iterator[Finding]:
        rows = self._database.cursor().execute(
            "SELECT id, subject, body FROM verdict WHERE policy = ? ORDER BY policy, id, subject, digest, number", (policy,)
        )
        for _, group in groupby(rows, key=lambda row: row[:2]):
            findings = (_decode(row[2]) for row in group)
            first, second = next(findings), next(findings, None)
            yield from (first,) if second is None else map(_as_duplicate, chain((first, second), findings))

    def _explained(self, finding: Finding, failure: Failure) -> Failure:
        """The failing rows that affect the resource of a failed job, in the order of the code's causes."""
        query = "SELECT policy, id, subject FROM affects WHERE resource = ? AND policy = ? ORDER BY id, subject"
        keys = (key for cause in failure.causes for key in self._database.cursor().execute(query, (finding.resource.id, cause)))
        own = (finding.policy, finding.resource.id, finding.subject)
        because = (self._because(key) for key in keys if key != own)
        return replace(failure, because=tuple(one for one in because if one))

    def _because(self, key: tuple[str, str, str]) -> Because | None:
        """One failing row as an explanation; None where another row contradicts it."""
        bodies = self._database.cursor().execute("SELECT body FROM verdict WHERE policy = ? AND id = ? AND subject = ?", key)
        rows = [_decode(body) for (body,) in bodies.fetchmany(2)]
        if len(rows) > 1:
            return None
        return Because(
            policy=rows[0].policy,
            id=rows[0].resource.id,
            subject=rows[0].subject,
            display_id=rows[0].resource.display_id,
            severity=rows[0].severity,
            message=rows[0].message,
            fingerprint=rows[0].fingerprint,
        )

    def _record(self, finding: Finding) -> tuple[str, str, str, bytes, int, bytes]:
        self._number += 1
        body = orjson.dumps(finding, option=orjson.OPT_SORT_KEYS)
        # The digest orders duplicates by what they say, so that the order of arrival never shows.
        key = (finding.policy, finding.resource.id, finding.subject)
        if finding.affects:
            touched = [(resource, *key) for resource in finding.affects]
            self._database.executemany("INSERT OR IGNORE INTO affects VALUES (?, ?, ?, ?)", touched)
        return (*key, sha256(body).digest(), self._number, body)


def _decode(body: bytes) -> Finding:
    fields = orjson.loads(body)
    fields["resource"] = Resource(**fields["resource"])
    fields["verdict"] = Verdict(fields["verdict"])
    fields["reason"] = Reason(fields["reason"]) if fields["reason"] else None
    fields["severity"] = Severity(fields["severity"])
    fields["waiver"] = WaiverMark(**fields["waiver"]) if fields["waiver"] else None
    fields["affects"] = tuple(fields["affects"])
    fields["failure"] = _failure(fields["failure"]) if fields["failure"] else None
    return Finding(**fields)


def _failure(fields: dict[str, Json]) -> Failure:
    # `because` is told anew each time that the finding is read.
    return Failure(**{**fields, "numbers": tuple(fields["numbers"]), "causes": tuple(fields["causes"]), "because": ()})


def _as_duplicate(finding: Finding) -> Finding:
    message = "several rows share this policy, resource and subject; the query's key or the policy's subject is too coarse"
    return replace(finding, verdict=Verdict.UNKNOWN, reason=Reason.DUPLICATE, message=message, cause=None, failure=None)
