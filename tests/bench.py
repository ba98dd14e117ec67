"""One finding of one policy of the pack, for what no case can say of it: severity, cause, message, and whom it affects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scanner import kql
from scanner.cases import judge
from scanner.model import Finding, Json, Verdict
from scanner.policy import Case, Expectation, Pack, Policy

Tables = Mapping[str, Sequence[Json]]
COLLECTED_AT = "2026-11-20T06:00:00Z"


def a_case(policy: str, tables: Tables, collected_at: str = COLLECTED_AT) -> Case:
    """Rows without a name or a place, of which nothing is expected."""
    given = {name: tuple(rows) for name, rows in tables.items()}
    return Case(policy=policy, name="", file="", line=1, collected_at=collected_at, tables=given, expect=Expectation(rows={}))


@dataclass(frozen=True, slots=True)
class Bench:
    """A pack, and an engine that runs its queries."""

    pack: Pack
    engine: kql.Engine
    folder: Path

    def policy(self, name: str) -> Policy:
        """A policy by its id."""
        return next(one for one in self.pack.policies if one.id == name)

    def failure(self, policy: str, tables: Tables, subject: str = "") -> Finding:
        """The one finding with this subject, which fails."""
        finding = self.finding(policy, tables, subject)
        assert finding.verdict is Verdict.FAIL, finding
        return finding

    def finding(self, policy: str, tables: Tables, subject: str = "") -> Finding:
        """The one finding with this subject."""
        findings = judge(self.pack, a_case(policy, tables), self.engine, self.folder)[1]
        (finding,) = (one for one in findings if one.subject == subject)
        return finding
