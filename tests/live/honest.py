"""What trouble may do to a scan, whatever it is: make it know less, and say so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from tests.live.world import Run

Key: TypeAlias = tuple[str, str, str]


def verdicts(run: Run) -> Mapping[Key, str]:
    """Every verdict by policy, id and subject."""
    return {key(line): line["verdict"] for line in run.of("verdict")}


def key(line: Mapping[str, Any]) -> Key:
    return line["policy"], line["id"], line["subject"]


def expect_honest(calm: Run, troubled: Run) -> None:
    """A scan in trouble against the same scan without: what it says, that one said; what it does not say, it says it lacks."""
    assert troubled.exit_code in {calm.exit_code, 3}
    assert troubled.passes() <= calm.passes()
    before, after = verdicts(calm), verdicts(troubled)
    assert after.keys() <= before.keys()
    changed = {one: verdict for one, verdict in after.items() if verdict != before[one]}
    assert set(changed.values()) <= {"unknown"}
    gaps = {line["policy"] for line in troubled.of("gap")}
    assert {policy for policy, _, _ in before.keys() - after.keys()} <= gaps
    results = troubled.results()
    lost = gaps | {policy for policy, _, _ in changed}
    for policy, result in calm.results().items():
        assert results[policy] == result or (policy in lost and results[policy] in {"incomplete", "violations"}), policy
    blocking = {line["id"] for line in troubled.of("policy") if line["highest"] in {"high", "critical"}}
    assert troubled.of("decision")[0]["complete"] == (calm.of("decision")[0]["complete"] and not lost & blocking)


def lost(calm: Run, run: Run, homes: Mapping[str, str]) -> set[str]:
    """The names in whose home, a subscription, something is missing or was not decided as before."""
    before, after = verdicts(calm), verdicts(run)
    changed = {one.split("/")[2] for _, one, _ in (key for key in before if after.get(key) != before[key])}
    missing = {subscription for _, subscription, _ in run.gaps()}
    assert missing <= {*homes.values()}
    return {kind for kind, home in homes.items() if home in changed | missing}
