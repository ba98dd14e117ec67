"""One policy and its rows in, one verdict per row out. Pure; nothing that was not seen or not decided is ever a pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import orjson

from scanner.assertion import Expression, Path, Undecided, first_missing, parse_path, path_text, read
from scanner.attach import Joined
from scanner.classify import classify
from scanner.ids import canonical, is_arm_id, leading_id, name_of, resource_group_of, subscription_of, type_of
from scanner.model import Failure, Finding, Json, Reason, Resource, Row, Severity, Verdict
from scanner.plan import Asked
from scanner.policy import NUMERIC_CODES, ORIGIN
from scanner.redact import is_redacted, redact

_EVIDENCE_BYTES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judgement:
    verdict: Verdict
    message: str = ""
    reason: Reason | None = None


def evaluate(asked: Asked, rows: Iterable[Joined], answered: frozenset[str]) -> Iterator[Finding]:
    """The verdict of one policy on each row; `answered` holds the subscriptions whose population is complete."""
    reader = _Reader(asked)
    for joined in rows:
        judgement = reader.judge(joined, answered)
        yield Finding(
            policy=asked.policy.id,
            resource=_resource(joined.row, asked.policy.resource),
            subject=reader.subject(joined),
            verdict=judgement.verdict,
            reason=judgement.reason,
            severity=reader.severity(joined),
            message=judgement.message,
            evidence=reader.evidence(joined),
            cause=reader.cause(joined) if judgement.verdict is Verdict.FAIL else None,
            affects=reader.affects(joined) if judgement.verdict is Verdict.FAIL else (),
            failure=reader.failure(joined) if judgement.verdict is Verdict.FAIL else None,
        )


@dataclass(frozen=True, slots=True)
class _Reader:
    """A policy with what is the same for all of its rows."""

    asked: Asked
    optional: tuple[Path, ...] = field(init=False)
    shown: tuple[Path, ...] = field(init=False)

    def __post_init__(self) -> None:
        policy = self.asked.policy
        object.__setattr__(self, "optional", tuple(map(parse_path, policy.optional)))
        expressions = [policy.assertion, *(entry.when for entry in policy.severity_when)]
        expressions += [policy.applies.when] if policy.applies else []
        paths = {path for path in policy.message.reads if path[0] != ORIGIN or ORIGIN in (policy.query.columns or ())}
        paths = paths.union(*(expression.reads for expression in expressions))
        object.__setattr__(self, "shown", tuple(sorted(paths, key=path_text)))

    def judge(self, joined: Joined, answered: frozenset[str]) -> _Judgement:
        """Decide in the order that the design fixes: identity, completeness, applicability, assertion."""
        policy = self.asked.policy
        try:
            self._expect_seen(joined, answered)
            if policy.applies and not self._truth(policy.applies.when, joined):
                return _Judgement(verdict=Verdict.NOT_APPLICABLE, message=policy.applies.because)
            if self._truth(policy.assertion, joined, self.optional):
                return _Judgement(verdict=Verdict.PASS)
        except Undecided as undecided:
            return _Judgement(verdict=Verdict.UNKNOWN, message=undecided.text, reason=undecided.reason)
        return _Judgement(verdict=Verdict.FAIL, message=_one_line(policy.message.render(joined.view)))

    def _expect_seen(self, joined: Joined, answered: frozenset[str]) -> None:
        resource = joined.row.get(self.asked.policy.resource)
        if not isinstance(resource, str) or not is_arm_id(canonical(resource)):
            raise Undecided(Reason.MISSING, f"the column {self.asked.policy.resource} holds no ARM id")
        for subscription in sorted({subscription_of(resource), subscription_of(leading_id(joined.row))}):
            if subscription not in answered:
                raise Undecided(Reason.SCOPE_MISSING, f"not every table answered for subscription {subscription}")
        for path in self.asked.policy.subject.reads if self.asked.policy.subject else ():
            if first_missing(joined.view, path) is not None:
                raise Undecided(Reason.MISSING, f"{path_text(path)}, which the subject names, is missing or null")
        if joined.trouble:
            raise joined.trouble

    def _truth(self, expression: Expression, joined: Joined, optional: Sequence[Path] = ()) -> bool:
        for path in sorted(expression.reads, key=path_text):
            hole = first_missing(joined.view, path, () if path[0] in joined.unmatched else optional)
            if hole is not None:
                raise Undecided(Reason.MISSING, f"{path_text(hole)} is missing or null")
            if _holds_redacted(read(joined.view, path)):
                raise Undecided(Reason.REDACTED, f"{path_text(path)} was redacted as a secret")
        return expression.truth(joined.view)

    def subject(self, joined: Joined) -> str:
        """What inside the resource the row is about, lower case for identity."""
        template = self.asked.policy.subject
        return _one_line(template.render(joined.view)).lower() if template else ""

    def severity(self, joined: Joined) -> Severity:
        """The first matching severity; where a condition is undecided, the highest that is possible."""
        policy = self.asked.policy
        for entry in policy.severity_when:
            try:
                if self._truth(entry.when, joined):
                    return entry.severity
            except Undecided:
                return policy.info.highest
        return policy.info.severity

    def cause(self, joined: Joined) -> str | None:
        """What groups this finding with others, where the policy names a cause."""
        expression = self.asked.policy.cause
        value = _value(expression, joined) if expression else None
        return _one_line(value) if isinstance(value, str) and value else None

    def affects(self, joined: Joined) -> tuple[str, ...]:
        """The resources whose failed jobs this finding explains; none where the policy explains nothing."""
        policy = self.asked.policy
        if not policy.info.explains:
            return ()
        value = joined.row.get(policy.affects or policy.resource)
        named = {canonical(text) for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)}
        return tuple(sorted(named))

    def failure(self, joined: Joined) -> Failure | None:
        """The error behind a failed job, where the policy is about one."""
        spec = self.asked.policy.classify
        if spec is None:
            return None
        said = {
            "texts": _value(spec.texts, joined),
            "numbers": _value(spec.numbers, joined),
            "phases": _value(spec.phases, joined),
        }
        return classify(said, spec.codes, self.asked.params[NUMERIC_CODES])

    def evidence(self, joined: Joined) -> dict[str, Json]:
        """Every value that decided or is shown, redacted, at most 4 KB of JSON; what does not fit says how large it is."""
        found: dict[str, Json] = {}
        left = _EVIDENCE_BYTES - 2
        for path in self.shown:
            name = path_text(path)
            value = self._parameter(path) if path[0] == "params" else redact(read(joined.view, path))
            size = len(orjson.dumps({name: value}))
            if size > left:
                value = {"$truncated_bytes": size}
                size = len(orjson.dumps({name: value}))
            if size <= left:
                found[name] = value
                left -= size
        return found

    def _parameter(self, path: Path) -> Json:
        """A parameter with its origin; all of them where the expression reads `params` as a whole."""
        values = self.asked.info.params
        return values.get(path[1]) if len(path) > 1 and isinstance(path[1], str) else dict(values)


def _value(expression: Expression, joined: Joined) -> Json:
    """What an expression that decides nothing yields; null where it cannot be computed."""
    try:
        return expression.value(joined.view)
    except Undecided:
        return None


def _resource(row: Row, column: str) -> Resource:
    """The resource a row is about; a row without one is filed under its leading id."""
    named = row.get(column)
    display = named if isinstance(named, str) and is_arm_id(canonical(named)) else leading_id(row)
    location = row.get("location")
    return Resource(
        id=canonical(display),
        display_id=display.strip(),
        name=name_of(display),
        type=type_of(display),
        subscription=subscription_of(display),
        resource_group=resource_group_of(display),
        location=location if isinstance(location, str) else "",
    )


def _holds_redacted(value: Json) -> bool:
    return any(map(_holds_redacted, value)) if isinstance(value, list) else is_redacted(value)


def _one_line(text: str) -> str:
    return " ".join(text.split())
