from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scanner.model import Gap, Reason
from scanner.sources.azure.ledger import Proofs, covered, gaps_of, rights_gaps
from scanner.sources.azure.rights import Permission
from scanner.sources.azure.run import Part
from scanner.sources.azure.wire import Outcome

NAMES = ("s1", "s2", "s3")
names = st.frozensets(st.sampled_from(NAMES))
found = st.frozensets(
    st.builds(
        Gap,
        reason=st.sampled_from([Reason.DENIED, Reason.FAILED]),
        subscription=st.sampled_from(["", *NAMES]),
        text=st.sampled_from(["403 AccessDenied", "Interrupted"]),
    )
)


def part(*subscriptions: str) -> Part:
    return Part(question="q", number=0, lane="arm", subscriptions=subscriptions, read=lambda _: Outcome(answered=frozenset()))


def meant(gaps: frozenset[Gap] | tuple[Gap, ...], expected: frozenset[str]) -> set[tuple[str, Reason, str]]:
    """Gaps by each expected subscription that they are about."""
    return {(one, gap.reason, gap.text) for gap in gaps for one in (expected if gap.subscription == "" else {gap.subscription})}


@given(expected=names, answered=names, gaps=found)
def test_nobody_with_a_gap_has_answered_and_no_gap_is_lost(
    expected: frozenset[str], answered: frozenset[str], gaps: frozenset[Gap]
) -> None:
    whole, told = covered(sorted(expected), answered, gaps)
    troubled = {one for one, _, _ in meant(gaps, expected)}
    assert set(whole) == (expected & answered) - troubled
    assert list(whole) == sorted(whole)
    assert meant(told, expected) | meant(gaps, expected) == meant(gaps, expected)
    assert {one for one in meant(gaps, expected) if one[0] in expected} <= meant(told, expected)
    assert list(told) == sorted(set(told))
    assert len(told) <= len(gaps)


def test_what_all_share_is_told_once_but_for_a_single_subscription() -> None:
    gaps = [Gap(reason=Reason.DENIED, subscription=one, text="403 AccessDenied") for one in NAMES]
    assert covered(NAMES, (), gaps) == ((), (Gap(reason=Reason.DENIED, text="403 AccessDenied"),))
    assert covered(NAMES[:1], (), gaps[:1]) == ((), (gaps[0],))
    assert covered(NAMES, NAMES, gaps[1:]) == (("s1",), tuple(gaps[1:]))


def test_a_gap_of_a_part_is_one_of_its_subscriptions_and_names_no_table() -> None:
    outcome = Outcome(answered=frozenset(), gaps=(Gap(reason=Reason.DENIED, table="q", text="403 AccessDenied"),))
    assert list(gaps_of(part("s1", "s2"), outcome)) == [
        Gap(reason=Reason.DENIED, subscription=one, text="403 AccessDenied") for one in ("s1", "s2")
    ]


def test_a_part_without_an_outcome_was_interrupted() -> None:
    assert list(gaps_of(part("s1"), None)) == [Gap(reason=Reason.FAILED, subscription="s1", text="Interrupted")]


def test_rights_are_missing_where_no_permission_was_found_at_all() -> None:
    proofs = Proofs(permissions={"s1": [], "s2": [Permission(actions=("*",))]})
    (gap,) = rights_gaps(frozenset({"Microsoft.Compute/disks/read"}), proofs)
    assert (gap.reason, gap.subscription, gap.text) == (Reason.RIGHTS_PARTIAL, "s1", "Microsoft.Compute/disks/read")
