"""What the rows of the fault matrix share: two policies, one of which is in trouble while the other must not notice."""

from __future__ import annotations

from collections.abc import Container

from scanner.emulator.exchange import Reply
from scanner.emulator.script import Action, Fault
from tests.live.world import Run

DISKS = "// Managed disks of virtual machines"
"""How the query of ABK501 begins."""
ITEMS = "// Every backup item of a virtual machine"
"""How the query of ABK602 begins."""
CANARY = "state = tostring(properties.state)"
"""In the query that shows who is visible, and in no other."""
TWO = ("--policy", "ABK501", "--policy", "ABK602")
LOCKS = ("--policy", "ABK101", "--policy", "ABK602")


def disks(action: Action, numbers: Container[int] | None = None) -> list[Fault]:
    """A fault of the query of ABK501 alone."""
    return [Fault(route="graph", contains=DISKS, numbers=numbers, action=action)]


def answer(body: object) -> Reply:
    """Another body under status 200; text as it is, anything else as JSON."""
    return Reply(body=body.encode() if isinstance(body, str) else body)


def expect_green(run: Run) -> None:
    """Everything was seen, and nothing is wrong."""
    assert (run.exit_code, run.of("decision")[0]["complete"]) == (0, True)
    assert set(run.results().values()) <= {"compliant", "none", "not_applicable"}
    assert run.gaps() == set()


def expect_blind(run: Run, *gaps: tuple[str, str, str], policy: str = "ABK501", others: str = "compliant") -> None:
    """One policy has exactly these gaps (reason, subscription, text); the others saw everything, as if nothing were wrong."""
    assert (run.exit_code, run.of("decision")[0]["complete"]) == (3, False)
    assert run.gaps(policy) == set(gaps)
    results = run.results()
    assert results.pop(policy) == "incomplete"
    assert results
    assert set(results.values()) == {others}
    assert {line["policy"] for line in run.of("gap")} == {policy}
