from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from scanner.assertion import compile_expression
from scanner.errors import UsageError
from scanner.model import Json, Options
from scanner.plan import Plan, make_plan, resolve, typed
from scanner.policy import Attach, Classify, Code, Pack, Parameter, Policy
from tests.conftest import a_pack, a_policy, a_query, one_of


def plan(*policies: Policy, offers: frozenset[str] = frozenset(), **options: Any) -> Plan:
    return make_plan([a_pack(*policies)], Options(**options), offers)


def ids(found: Plan) -> list[list[str]]:
    return [[one.policy.id for one in population.asked] for population in found.populations]


def a_parameter(name: str = "limit", kind: Any = "integer", default: Json = 5) -> Parameter:
    return Parameter(name=name, type=kind, default=default)


def limited(name: str = "ABK001", **changes: Any) -> Policy:
    return a_policy(name, parameters={"limit": a_parameter()}, **changes)


def test_equal_queries_are_asked_once_for_all_their_policies() -> None:
    one, other = a_query("vms"), a_query("disks")
    policies = [a_policy("ABK003", query=one), a_policy("ABK002", query=other), a_policy("ABK001", query=one)]
    for order in permutations(policies):
        assert ids(plan(*order)) == [["ABK001", "ABK003"], ["ABK002"]]


def test_queries_that_differ_in_their_key_are_not_equal() -> None:
    policies = a_policy("ABK001", query=a_query()), a_policy("ABK002", query=a_query(key=("id", "disk")))
    assert ids(plan(*policies)) == [["ABK001"], ["ABK002"]]


def test_a_shared_population_is_asked_as_its_strictest_policy_needs() -> None:
    policies = (
        a_policy("ABK001", query=a_query()),
        a_policy("ABK002", query=a_query("inline", digest="digest-vms", spans="scope")),
    )
    assert [population.query.spans for population in plan(*policies).populations] == ["scope"]


def test_what_runs_is_listed_in_order_of_id() -> None:
    found = plan(
        a_policy("ABK002", query=a_query("b")), a_policy("ABK001", query=a_query("a")), a_policy("ABK003", query=a_query("a"))
    )
    assert [one.policy.id for one in found.asked] == ["ABK001", "ABK002", "ABK003"]


@pytest.mark.parametrize("name", ["ABK001", "abk001", "slug-abk001", "SLUG-ABK001"])
def test_policies_are_selected_by_id_or_name(name: str) -> None:
    assert ids(plan(a_policy("ABK001"), a_policy("ABK002"), policies=(name,))) == [["ABK001"]]


def test_a_disabled_policy_waits_for_its_selection() -> None:
    found = plan(a_policy("ABK001", enabled=False), a_policy("ABK002"))
    assert ids(found) == [["ABK002"]]
    assert [(one.info.id, one.waits_for) for one in found.waiting] == [("ABK001", ("selection (--policy ABK001)",))]
    assert ids(plan(a_policy("ABK001", enabled=False), policies=("ABK001",))) == [["ABK001"]]


def test_a_policy_that_needs_evidence_waits_for_it() -> None:
    policy = a_policy("ABK001", enabled=False, needs=("evidence",))
    assert [one.waits_for for one in plan(policy).waiting] == [("evidence",)]
    assert [one.waits_for for one in plan(policy, policies=("ABK001",)).waiting] == [("evidence",)]
    assert ids(plan(policy, offers=frozenset({"evidence"}))) == [["ABK001"]]


def test_a_policy_that_needs_a_parameter_runs_once_it_is_configured() -> None:
    policy = limited(needs=("parameter:limit",))
    assert [one.waits_for for one in plan(policy).waiting] == [("parameter:limit",)]
    assert ids(plan(policy, params={"limit": "7"})) == [["ABK001"]]
    pack = a_pack(policy, profiles={"strict": {"limit": 1}})
    assert not make_plan([pack], Options(profile="strict")).waiting


def test_waiting_policies_are_in_order_of_id() -> None:
    found = plan(a_policy("ABK002", needs=("evidence",)), a_policy("ABK001", needs=("evidence",)))
    assert [one.info.id for one in found.waiting] == ["ABK001", "ABK002"]


def test_the_command_line_beats_the_profile_and_the_profile_beats_the_default() -> None:
    policy = limited()
    assert resolve(policy, {}, {}) == ({"limit": {"value": 5, "origin": "default"}}, [])
    assert resolve(policy, {"limit": 6}, {}) == ({"limit": {"value": 6, "origin": "profile"}}, [])
    assert resolve(policy, {"limit": 6}, {"limit": "7"}) == ({"limit": {"value": 7, "origin": "command line"}}, [])


def test_values_reach_the_policy_and_origins_the_report() -> None:
    (asked,) = make_plan([a_pack(limited(), profiles={"strict": {"limit": 1}})], Options(profile="strict")).asked
    assert asked.params == {"limit": 1}
    assert asked.info.params == {"limit": {"value": 1, "origin": "profile"}}


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("integer", "12", 12),
        ("integer", "-3", -3),
        ("integer", 12, 12),
        ("string", "12", "12"),
        ("boolean", "true", True),
        ("boolean", "false", False),
        ("string_list", " a, b ,,c", ["a", "b", "c"]),
        ("string_list", "", []),
        ("string_list", ["a"], ["a"]),
        ("string_map", "a=b, c=d=e", {"a": "b", "c": "d=e"}),
    ],
)
def test_values_of_the_command_line_take_the_type_of_their_parameter(kind: Any, text: Json, value: Json) -> None:
    found = typed(a_parameter(kind=kind), text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("integer", "x"),
        ("integer", ""),
        ("integer", "1_000"),
        ("integer", " 5"),
        ("integer", "1.5"),
        ("integer", "9" * 19),
        ("integer", "٣"),
        ("boolean", "True"),
        ("boolean", "1"),
        ("string_map", "a"),
        ("string_map", "a=b,c"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(kind: Any, text: str) -> None:
    with pytest.raises(ValueError, match="needed"):
        typed(a_parameter(kind=kind), text)


def test_every_mistake_of_the_command_line_is_listed_at_once() -> None:
    pack = a_pack(limited("ABK001"), limited("ABK002"), profiles={"article": {}})
    options = Options(policies=("ABK009", "ABK001", "ABK002"), profile="artcle", params={"limit": "x", "limt": "5"})
    with pytest.raises(UsageError) as caught:
        make_plan([pack], options)
    assert str(caught.value).splitlines() == [
        "--policy ABK009: there is no such policy (did you mean ABK002?)",
        "--profile artcle: there is no such profile (did you mean article?)",
        "--param limt: no policy has such a parameter (did you mean limit?)",
        "--param limit=x: a whole number of at most 18 digits is needed",
    ]


def test_a_name_like_no_other_gets_the_whole_list() -> None:
    packs: list[Pack] = [a_pack(limited(), profiles={"current": {}, "article": {}})]
    with pytest.raises(UsageError, match="no such profile; there are: article, current"):
        make_plan(packs, Options(profile="zzz"))


def test_the_profile_of_one_pack_is_enough() -> None:
    other = a_pack(a_policy("XYZ001", query=a_query("x")), id="q")
    assert len(make_plan([a_pack(limited(), profiles={"article": {}}), other], Options(profile="article")).asked) == 2


def test_equal_queries_are_asked_as_their_strictest_policy_needs_whatever_their_key_and_place() -> None:
    joined = Attach(name="all", source="q", how="many", on=(("id", "id"),), query=a_query("q"))
    policies = [
        a_policy("ABK001", query=a_query("q")),
        a_policy("ABK002", query=a_query("q", key=("id", "name"), spans="scope")),
        a_policy("ABK003", query=a_query("other"), attach=(joined, one_of("arm_locks"))),
    ]
    asked = make_plan([a_pack(*policies)], Options()).asked
    assert [one.policy.query.spans for one in asked] == ["scope", "scope", "subscription"]
    assert [spec.query and spec.query.spans for spec in asked[2].policy.attach] == ["scope", None]


def explaining(default: Json, **changes: Any) -> Policy:
    """A policy about failed jobs that knows one code."""
    said = compile_expression("name")
    classify = Classify(texts=said, numbers=said, phases=said, codes=(Code(name="DiskFull", title="t", link="https://e"),))
    return a_policy(
        parameters={"numeric_codes": a_parameter("numeric_codes", "string_map", default)}, classify=classify, **changes
    )


def test_a_number_is_mapped_to_a_code_that_there_is() -> None:
    [one] = plan(explaining({}), params={"numeric_codes": "400=diskfull"}).asked
    assert one.params == {"numeric_codes": {"400": "diskfull"}}


@pytest.mark.parametrize(
    ("default", "params", "origin"),
    [({}, {"numeric_codes": "401=DiskFul,400=DiskFull"}, "command line"), ({"401": "DiskFul"}, {}, "default")],
)
def test_a_number_that_is_mapped_to_no_code_is_told(default: Json, params: dict[str, str], origin: str) -> None:
    with pytest.raises(UsageError) as caught:
        plan(explaining(default), params=params)
    text = rf"numeric_codes ({origin}): 401=DiskFul: there is no code DiskFul (did you mean DiskFull?)"
    assert str(caught.value).startswith(text)


def test_codes_are_not_looked_for_before_they_are_given() -> None:
    [waiting] = plan(explaining(None, needs=("parameter:numeric_codes",))).waiting
    assert waiting.waits_for == ("parameter:numeric_codes",)
