from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner import kql
from scanner.model import Gap, Json, Reason, Scope, Subscription
from scanner.sources.azure.scope import CANARY_KQL, Found, Wanted, completed, find, missing, seen
from scanner.sources.coverage import _CANONICAL
from scanner.sources.manifest import ScopeModel, SubscriptionModel
from tests.azure.scripted_arm import DENIED, ScriptedCalls, failed, page
from tests.conftest import json_values

LIST = "/subscriptions?api-version=2022-12-01"
GROUPS = "Microsoft.Management/managementGroups"


def listed(name: str, state: Json = "Enabled", **changes: Json) -> Json:
    return {"id": f"/subscriptions/{name}", "subscriptionId": name, "displayName": f"Team {name}", "state": state, **changes}


def below(group: str) -> str:
    return f"/providers/{GROUPS}/{group}/descendants?api-version=2020-05-01"


def descendant(name: str, kind: Json = "/subscriptions", **changes: Json) -> Json:
    return {"id": f"/subscriptions/{name}", "type": kind, "name": name, "properties": {"parent": {}}, **changes}


def sub(name: str, state: str = "Enabled") -> Subscription:
    return Subscription(id=name.lower(), name=f"Team {name}", state=state)


def ask(wanted: Wanted, script: dict[str, Json]) -> Found:
    return find(wanted, ScriptedCalls(script))


ALL = Wanted(everything=True)


def test_everything_is_what_the_identity_sees_disabled_subscriptions_included() -> None:
    found = ask(ALL, {LIST: page(listed("B", "Disabled"), link="https://host/2"), "https://host/2": page(listed("a"))})
    scope = Scope(kind="discovered", expected=("a", "b"), subscriptions=(sub("a"), sub("B", "Disabled")))
    assert found == Found(scope=scope)


def test_the_list_is_paid_by_the_tenant() -> None:
    calls = ScriptedCalls({LIST: page(), below("g"): page()})
    find(Wanted(management_groups=("g",)), calls)
    assert [(one.route, one.subscription, one.provider) for one in calls.requests] == [
        ("subscriptions", "", "microsoft.resources"),
        ("descendants", "", "microsoft.management"),
    ]


def test_listed_subscriptions_are_proven_and_exactly_those_are_expected() -> None:
    found = ask(Wanted(subscriptions=("B", "c", "b")), {LIST: page(listed("a"), listed("b"))})
    assert found == Found(scope=Scope(kind="proven", expected=("b", "c"), subscriptions=(sub("b"),)))


def test_management_groups_expect_every_subscription_below_them_and_those_given() -> None:
    nested = descendant("child", GROUPS, id=f"/providers/{GROUPS}/child")
    script = {
        LIST: page(listed("s1"), listed("s9")),
        below("g1"): page(descendant("S1"), nested, link="https://host/2"),
        "https://host/2": page(descendant("s2", f"{GROUPS}/subscriptions"), descendant("x", f"/providers/{GROUPS}")),
        below("g2"): page(descendant("s2"), {**descendant("s3"), "name": None}),
    }
    found = ask(Wanted(subscriptions=("s4",), management_groups=("g1", "g2")), script)
    scope = Scope(kind="proven", expected=("s1", "s2", "s3", "s4"), management_groups=("g1", "g2"), subscriptions=(sub("s1"),))
    assert found == Found(scope=scope)


def test_an_empty_scope_is_an_empty_scope() -> None:
    assert ask(ALL, {LIST: page()}) == Found(scope=Scope(kind="discovered", expected=()))
    found = ask(Wanted(management_groups=("g",)), {LIST: page(), below("g"): page()})
    assert found == Found(scope=Scope(kind="proven", expected=(), management_groups=("g",)))


def test_a_list_that_fails_is_a_gap_of_everybody_where_the_scope_hangs_on_it() -> None:
    found = ask(ALL, {LIST: DENIED})
    gap = Gap(reason=Reason.DENIED, text="403 AuthorizationFailed")
    assert found == Found(scope=Scope(kind="discovered", expected=()), gaps=(gap,))
    assert ask(ALL, {LIST: page(listed("a"), link="https://host/2"), "https://host/2": DENIED}) == found


def test_a_list_that_fails_is_a_note_where_the_subscriptions_are_given(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "arguard.azure")
    found = ask(Wanted(subscriptions=("s1",)), {LIST: DENIED})
    assert found == Found(scope=Scope(kind="proven", expected=("s1",)))
    assert "could not be listed (403 AuthorizationFailed)" in caplog.text


def test_descendants_that_cannot_be_read_are_a_gap_of_everybody() -> None:
    script = {LIST: page(), below("g1"): failed(404, "NotFound"), below("g2"): page(descendant("s2")), below("g3"): DENIED}
    found = ask(Wanted(management_groups=("g1", "g2", "g3"), subscriptions=("s1",)), script)
    assert found.scope.expected == ("s1", "s2")
    assert [(gap.reason, gap.subscription, gap.text) for gap in found.gaps] == [
        (Reason.DENIED, "", "403 AuthorizationFailed"),
        (Reason.FAILED, "", "404 NotFound"),
    ]


@pytest.mark.parametrize(
    "item",
    [
        descendant("s1", None),
        descendant("s1", 7),
        descendant("s1", "microsoft.fabrikam/things"),
        descendant("", id=None),
        descendant("a b"),
        descendant("x" * 65),
        descendant("", id=7),
    ],
)
def test_a_descendant_that_is_not_understood_may_hide_a_subscription(item: Json) -> None:
    found = ask(Wanted(management_groups=("g",)), {LIST: page(), below("g"): page(descendant("s1"), item)})
    assert found.gaps == (Gap(reason=Reason.BAD_ANSWER, text="DescendantUnreadable"),)
    assert _CANONICAL.fullmatch(found.gaps[0].text)


@pytest.mark.parametrize("item", [{}, {"subscriptionId": 7}, {"id": "/tenants/x"}, {"subscriptionId": "a/b"}])
def test_a_listed_subscription_without_an_id_spoils_the_list(item: Json) -> None:
    assert ask(ALL, {LIST: page(listed("a"), item)}).gaps == (Gap(reason=Reason.BAD_ANSWER, text="IdMissing"),)


def test_an_id_is_taken_from_the_path_where_it_stands_nowhere_else() -> None:
    assert ask(ALL, {LIST: page(listed("A", subscriptionId=None))}).scope.expected == ("a",)


@pytest.mark.parametrize("state", [None, "", 3, "Not Enabled", "x" * 33, "Enabled\n"])
def test_a_state_that_cannot_be_read_is_not_taken_for_enabled(state: Json) -> None:
    assert ask(ALL, {LIST: page(listed("a", state))}).scope.subscriptions == (sub("a", "Unknown"),)


def test_names_lose_control_characters_and_what_is_too_long() -> None:
    found = ask(ALL, {LIST: page(listed("a", displayName="x\x1b[2J\x00\n\x7f" + "y" * 300), listed("b", displayName=None))})
    assert [one.name for one in found.scope.subscriptions] == ["x[2J" + "y" * 252, ""]


@given(st.lists(st.dictionaries(st.sampled_from(["id", "subscriptionId", "displayName", "state"]), json_values | st.text())))
def test_whatever_is_listed_a_manifest_can_hold(items: list[Json]) -> None:
    scope = ask(ALL, {LIST: page(*items)}).scope
    held = [SubscriptionModel(id=one.id, name=one.name, state=one.state) for one in scope.subscriptions]
    assert tuple(one.id for one in held) == ScopeModel(kind="discovered", subscriptions=scope.expected).subscriptions


def test_the_canary_is_a_query_as_any_population() -> None:
    shape = kql.inspect(CANARY_KQL, ("id",))
    assert shape.tables == {"resourcecontainers": frozenset({"microsoft.resources/subscriptions"})}
    assert shape.columns == {"id": "string", "name": "string", "subscriptionId": "string", "state": "string"}


def test_the_canary_shows_subscriptions_with_their_names_and_states() -> None:
    rows: list[Json] = [
        {"id": "/subscriptions/A", "name": "Team\x00 A", "subscriptionId": "A", "state": "Warned"},
        {"id": "/subscriptions/b", "name": None, "subscriptionId": None, "state": ""},
        {"id": "/providers/x", "name": "nobody"},
    ]
    assert seen(rows) == {
        "a": Subscription(id="a", name="Team A", state="Warned"),
        "b": Subscription(id="b", name="", state=""),
    }


def test_an_expected_subscription_that_the_canary_does_not_show_is_missing() -> None:
    shown = seen([{"id": "/subscriptions/a", "subscriptionId": "a"}])
    gaps = missing(["A", "c", "B"], shown)
    assert gaps == tuple(Gap(reason=Reason.SCOPE_MISSING, subscription=one, text="NotVisible") for one in ("b", "c"))
    assert missing(["a"], shown) == ()


def test_the_canary_completes_what_the_list_did_not_say_and_nothing_else() -> None:
    scope = Scope(kind="proven", expected=("a", "b", "c", "d"), subscriptions=(sub("b", "Disabled"),))
    shown = {"a": sub("a"), "b": sub("b"), "c": sub("c", ""), "e": sub("e")}
    assert completed(scope, shown).subscriptions == (sub("a"), sub("b", "Disabled"))
    assert completed(scope, {}) == scope


@pytest.mark.parametrize(
    ("told", "shown", "state"),
    [
        ("Enabled", "Disabled", "Disabled"),
        ("Disabled", "Enabled", "Disabled"),
        ("Warned", "Enabled", "Warned"),
        ("Disabled", "Deleted", "Disabled"),
        ("Enabled", "", "Enabled"),
    ],
)
def test_of_two_states_the_one_that_answers_nothing_is_believed(told: str, shown: str, state: str) -> None:
    scope = Scope(kind="proven", expected=("a",), subscriptions=(Subscription(id="a", name="listed", state=told),))
    (found,) = completed(scope, {"a": Subscription(id="a", name="shown", state=shown)}).subscriptions
    assert found.state == state
