from __future__ import annotations

import copy

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner.assertion import compile_expression
from scanner.attach import attach
from scanner.evaluate import evaluate
from scanner.model import Failure, Finding, Json, Reason, Severity, Verdict
from scanner.policy import Classify, Code, Policy
from tests.conftest import (
    NOW,
    VM,
    a_policy,
    a_query,
    a_row,
    an_answer,
    an_asked,
    an_info,
    json_values,
    judge,
    judge_all,
    one_of,
    vm,
)

UNKNOWN = Verdict.UNKNOWN


def outcome(finding: Finding) -> tuple[Verdict, Reason | None, str]:
    return finding.verdict, finding.reason, finding.message


def test_exactly_true_passes_without_a_word() -> None:
    assert outcome(judge(a_policy(), a_row(ok=True))) == (Verdict.PASS, None, "")


def test_exactly_false_fails_with_the_message_on_one_line() -> None:
    finding = judge(a_policy(message="{name}\n is {missing}\tbad"), a_row(ok=False))
    assert outcome(finding) == (Verdict.FAIL, None, "Web01 is (none) bad")


@pytest.mark.parametrize("value", [0, 1, "true", "", [], {}, [True]])
def test_anything_else_is_unknown(value: Json) -> None:
    assert outcome(judge(a_policy(), a_row(ok=value)))[:2] == (UNKNOWN, Reason.EVAL_ERROR)


@pytest.mark.parametrize("row", [{}, {"ok": None}])
def test_a_missing_path_is_unknown_and_named(row: Json) -> None:
    finding = judge(a_policy(), {"id": VM, **row})
    assert outcome(finding) == (UNKNOWN, Reason.MISSING, "ok is missing or null")


def test_an_optional_path_may_be_missing() -> None:
    policy = a_policy(assertion="ok == `null` || ok", optional=("ok",))
    assert judge(policy, {"id": VM}).verdict is Verdict.PASS
    assert judge(policy, a_row(ok=False)).verdict is Verdict.FAIL


def test_optional_is_for_assert_not_for_applies() -> None:
    policy = a_policy(assertion="ok != `false`", applies="ok != `false`", optional=("ok",))
    assert outcome(judge(policy, {"id": VM}))[:2] == (UNKNOWN, Reason.MISSING)


def test_a_row_to_which_the_policy_does_not_apply_says_why() -> None:
    policy = a_policy(applies="power == 'running'")
    assert outcome(judge(policy, a_row(power="off", ok=False))) == (Verdict.NOT_APPLICABLE, None, "it does not apply")
    assert judge(policy, a_row(power="running", ok=False)).verdict is Verdict.FAIL


def test_applies_comes_before_the_paths_of_assert() -> None:
    assert judge(a_policy(applies="power == 'on'"), {"id": VM, "power": "off"}).verdict is Verdict.NOT_APPLICABLE


@pytest.mark.parametrize(("power", "reason"), [(None, Reason.MISSING), (5, Reason.EVAL_ERROR)])
def test_where_applies_is_undecided_the_row_is_unknown_never_not_applicable(power: Json, reason: Reason) -> None:
    assert outcome(judge(a_policy(applies="power == 'on'"), a_row(power=power)))[:2] == (UNKNOWN, reason)


@pytest.mark.parametrize("resource", [None, "", 5, "vm1", "/providers/x", ["/subscriptions/s1"]])
def test_a_resource_that_is_no_arm_id_is_missing_and_filed_under_the_leading_id(resource: Json) -> None:
    finding = judge(a_policy(resource="vm"), a_row(vm=resource))
    assert outcome(finding) == (UNKNOWN, Reason.MISSING, "the column vm holds no ARM id")
    assert finding.resource.id == VM.lower()


@pytest.mark.parametrize("identity", [None, 5, [], {}])
def test_a_row_without_any_id_is_unknown_and_filed_under_nothing(identity: Json) -> None:
    finding = judge(a_policy(), {"id": identity, "ok": True})
    assert outcome(finding)[:2] == (UNKNOWN, Reason.MISSING)
    assert (finding.resource.id, finding.resource.name, finding.resource.subscription) == ("", "", "")


def test_the_resource_is_canonical_and_displayed_as_azure_wrote_it() -> None:
    resource = judge(a_policy(), a_row(id=f" {VM}/ ")).resource
    assert (resource.id, resource.display_id) == (VM.lower(), f"{VM}/")
    assert (resource.name, resource.type, resource.subscription) == ("Web01", "microsoft.compute/virtualmachines", "s1")
    assert (resource.resource_group, resource.location) == ("RG1", "westeurope")
    assert judge(a_policy(), a_row(location=5)).resource.location == ""


@pytest.mark.parametrize(("identity", "resource", "silent"), [("s1", "s2", "s2"), ("s2", "s1", "s2"), ("s3", "s2", "s2")])
def test_a_row_is_unknown_unless_every_subscription_it_names_answered(identity: str, resource: str, silent: str) -> None:
    finding = judge(a_policy(resource="vm"), a_row(id=vm("a", subscription=identity), vm=vm("b", subscription=resource)))
    assert outcome(finding) == (UNKNOWN, Reason.SCOPE_MISSING, f"not every table answered for subscription {silent}")


def test_identity_comes_first_then_who_answered_then_what_is_there() -> None:
    policy = a_policy(attach=(one_of("evidence"),), assertion="side.ok && gone")
    silent = {"evidence": an_answer((), "evidence", answered=frozenset())}
    assert judge(policy, {"id": "x"}, silent).reason is Reason.MISSING
    assert judge(policy, {"id": vm("a", subscription="s9")}, silent).reason is Reason.SCOPE_MISSING
    assert judge(policy, {"id": VM}, silent).reason is Reason.SIDE_DENIED


def test_a_subject_names_what_is_inside_the_resource_in_lower_case_on_one_line() -> None:
    assert judge(a_policy(subject="extension:{ext}"), a_row(ext="My\nExt")).subject == "extension:my ext"
    assert judge(a_policy(), a_row()).subject == ""


def test_a_row_whose_subject_is_not_told_is_unknown() -> None:
    finding = judge(a_policy(subject="extension:{ext}"), a_row(ext=None))
    assert outcome(finding) == (UNKNOWN, Reason.MISSING, "ext, which the subject names, is missing or null")


MARK = {"$redacted": "password"}


@pytest.mark.parametrize("value", [MARK, [["x"], [MARK]], '{"$redacted":"password"}'])
def test_an_assertion_that_reads_a_secret_is_unknown_redacted(value: Json) -> None:
    finding = judge(a_policy(assertion="secret != 'x'"), a_row(secret=value))
    assert outcome(finding) == (UNKNOWN, Reason.REDACTED, "secret was redacted as a secret")


def test_applies_may_not_read_a_secret_either() -> None:
    assert judge(a_policy(applies="a[*].b == `[]`"), a_row(a=[{"b": MARK}])).reason is Reason.REDACTED


def test_a_secret_beside_what_is_read_does_not_matter() -> None:
    policy = a_policy(assertion="length(locks[?level == 'x']) == `0`")
    assert judge(policy, a_row(locks=[{"level": "y", "notes": MARK}])).verdict is Verdict.PASS


def severe(**changes: Json) -> Policy:
    info = an_info(severity=Severity.MEDIUM, highest=Severity.CRITICAL)
    listed = (("prod == `true`", Severity.CRITICAL), ("size > `5`", Severity.LOW))
    return a_policy(info=info, severity_when=listed, **changes)


@pytest.mark.parametrize(
    ("columns", "severity"),
    [
        ({"prod": True, "size": 9}, Severity.CRITICAL),
        ({"prod": True}, Severity.CRITICAL),
        ({"prod": False, "size": 9}, Severity.LOW),
        ({"prod": False, "size": 1}, Severity.MEDIUM),
        ({"prod": False}, Severity.CRITICAL),
        ({"prod": None, "size": 9}, Severity.CRITICAL),
        ({"prod": "yes", "size": 9}, Severity.CRITICAL),
        ({"prod": False, "size": "9"}, Severity.CRITICAL),
        ({"prod": MARK, "size": 9}, Severity.CRITICAL),
    ],
)
def test_the_first_match_sets_the_severity_and_an_undecided_one_the_highest(columns: Json, severity: Severity) -> None:
    assert judge(severe(), a_row(ok=False, **columns)).severity is severity


def test_severity_that_rests_on_a_silent_side_source_is_the_highest() -> None:
    listed = (("side.os_name == 'x'", Severity.LOW),)
    policy = a_policy(info=an_info(highest=Severity.CRITICAL), severity_when=listed, attach=(one_of("arm_vm_status"),))
    silent = {"arm_vm_status": an_answer((), "arm_vm_status", answered=frozenset())}
    assert judge(policy, a_row(), silent).severity is Severity.CRITICAL


@pytest.mark.parametrize(("lock", "cause"), [("a\nlock", "a lock"), ("", None), (5, None), (None, None), ([], None)])
def test_a_cause_is_a_text_or_nothing(lock: Json, cause: str | None) -> None:
    assert judge(a_policy(cause="lock"), a_row(ok=False, lock=lock)).cause == cause


def test_a_cause_that_cannot_be_computed_is_none_and_only_findings_have_one() -> None:
    assert judge(a_policy(cause="lower(lock)"), a_row(ok=False, lock=5)).cause is None
    assert judge(a_policy(cause="name"), a_row(ok=True)).cause is None
    assert judge(a_policy(), a_row(ok=False)).cause is None


def test_evidence_holds_what_was_read_and_each_parameter_with_its_origin() -> None:
    policy = severe(assertion="size <= params.max", applies="prod", message="{name} {a.b}")
    finding = judge(policy, a_row(size=9, prod=True, a={"b": None}, other="x"), max=5)
    parameter = {"value": 5, "origin": "default"}
    assert finding.evidence == {"a.b": None, "name": "Web01", "params.max": parameter, "prod": True, "size": 9}


def test_evidence_of_all_parameters_at_once() -> None:
    finding = judge(a_policy(assertion="length(keys(params)) == `1`"), a_row(), max=5)
    assert (finding.verdict, finding.evidence["params"]) == (Verdict.PASS, {"max": {"value": 5, "origin": "default"}})
    assert judge(a_policy(assertion="contains(params.*, `5`)"), a_row(), max=5).verdict is Verdict.PASS
    assert judge(a_policy(assertion="params.min == `5`"), a_row(), max=5).reason is Reason.MISSING


def test_evidence_is_redacted() -> None:
    finding = judge(a_policy(message="{conn}"), a_row(ok=False, conn="AccountKey=abc123"))
    assert finding.evidence["conn"] == {"$redacted": "connection string"}


def test_evidence_that_does_not_fit_says_how_large_it_is() -> None:
    finding = judge(a_policy(message="{big} {small}"), a_row(ok=False, big="x" * 5000, small="y"))
    assert finding.evidence == {"big": {"$truncated_bytes": 5010}, "ok": False, "small": "y"}
    assert judge(a_policy(message="{" + "n" * 5000 + "}"), a_row(ok=False)).evidence == {"ok": False}


@pytest.mark.parametrize(("length", "kept"), [(4072, {"big", "ok"}), (4073, {"big"}), (4084, {"big"})])
def test_evidence_is_kept_to_the_last_byte_that_fits(length: int, kept: set[str]) -> None:
    evidence = judge(a_policy(message="{big}"), a_row(ok=False, big="x" * length)).evidence
    assert (set(evidence), evidence["big"]) == (kept, "x" * length)


def test_one_byte_more_does_not_fit() -> None:
    evidence = judge(a_policy(message="{big}"), a_row(ok=False, big="x" * 4085)).evidence
    assert evidence == {"big": {"$truncated_bytes": 4095}, "ok": False}


@settings(deadline=None)
@given(st.lists(st.text(max_size=3000) | json_values, min_size=1, max_size=9))
def test_evidence_is_never_larger_than_four_kilobytes(values: list[Json]) -> None:
    columns = {f"c{number}": value for number, value in enumerate(values)}
    finding = judge(a_policy(message="".join(f"{{{name}}}" for name in columns)), a_row(ok=False, **columns))
    assert len(orjson.dumps(finding.evidence)) <= 4096
    assert set(finding.evidence) <= {"ok", *columns}


RICH = a_policy(
    assertion="contains(x[?a == b].c[], 'x') && params.max > y.z",
    applies="y.on || length(x) > `1`",
    message="{x[*].a} {y.z}",
    subject="{y.s}",
    cause="x[0].c",
    severity_when=(("y.prod", Severity.LOW),),
    resource="r",
)


@settings(deadline=None, max_examples=150)
@given(
    st.lists(
        st.dictionaries(st.sampled_from(["id", "r", "x", "y", "location", "name", "params"]), json_values)
        | st.builds(lambda x, y: a_row(r=VM, x=x, y=y), json_values, json_values),
        max_size=5,
    )
)
def test_any_json_is_given_exactly_one_verdict_and_never_an_exception(rows: list[Json]) -> None:
    for policy in (RICH, a_policy(), a_policy(assertion="id == r || !(x > y)")):
        findings = judge_all(policy, rows, max=5)
        assert len(findings) == len(rows)
        for finding in findings:
            assert (finding.reason is None) is (finding.verdict is not UNKNOWN)
            assert "\n" not in finding.message
            assert orjson.dumps(finding.evidence)


CAREFUL = a_policy(
    assertion="max(disks[*].size) <= params.max && !contains(tags, 'bad') && side.os_name != 'Old' && lower(state) != 'failed'",
    attach=(one_of("arm_vm_status"),),
)
HEALTHY: dict[str, Json] = {
    "id": VM,
    "disks": [{"size": 4}, {"size": 5}],
    "tags": ["good"],
    "state": "Succeeded",
    "system": "New",
}
BAD: dict[str, Json] = {"disks": [{"size": 4}, {"size": 9}], "tags": ["good", "bad"], "state": "Failed", "system": "Old"}
PLACES = ["disks", "disks.1", "disks.1.size", "tags", "tags.1", "state", "system"]


def judge_careful(row: Json) -> Finding:
    instance = {"osName": row["system"]} if "system" in row else {}
    side = an_answer([{"id": VM, "properties": {"instanceView": instance}}], "arm_vm_status")
    return judge(CAREFUL, {key: value for key, value in row.items() if key != "system"}, {"arm_vm_status": side}, max=5)


def test_the_careful_policy_tells_good_from_bad() -> None:
    assert judge_careful(HEALTHY).verdict is Verdict.PASS
    for name, bad in BAD.items():
        assert judge_careful({**HEALTHY, name: bad}).verdict is Verdict.FAIL


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("to", [..., None, True, {}, {"size": "9"}])
def test_knowledge_taken_from_what_fails_never_makes_it_pass(place: str, to: Json) -> None:
    name, *way = [int(step) if step.isdigit() else step for step in place.split(".")]
    row: Json = {**HEALTHY, name: copy.deepcopy(BAD[str(name)])}
    holder, last = row, name
    for step in way:
        holder, last = holder[last], step
    if to is ... and isinstance(holder, dict):
        del holder[last]
    else:
        holder[last] = None if to is ... else to
    finding = judge_careful(row)
    assert finding.verdict is UNKNOWN, finding


@pytest.mark.parametrize("answered", [frozenset(), frozenset({"s2"})])
def test_a_row_of_a_subscription_that_did_not_answer_is_never_a_pass(answered: frozenset[str]) -> None:
    asked = an_asked(a_policy())
    (finding,) = evaluate(asked, attach([a_row()], asked, [], NOW), answered)
    assert finding.reason is Reason.SCOPE_MISSING


def test_a_message_says_where_a_parameter_came_from_and_evidence_says_it_once() -> None:
    policy = a_policy(assertion="size <= params.most", message="{size} is more than {params.most} ({origin.most})")
    finding = judge(policy, a_row(size=9), most=5)
    assert finding.message == "9 is more than 5 (default)"
    assert set(finding.evidence) == {"size", "params.most"}


def test_a_column_called_origin_is_a_column() -> None:
    policy = a_policy(query=a_query(columns={"id": "string", "origin": "string"}), message="from {origin}")
    finding = judge(policy, a_row(ok=False, origin="Gdansk"))
    assert finding.message == "from Gdansk"
    assert finding.evidence["origin"] == "Gdansk"


def test_a_finding_affects_its_own_resource_or_what_its_column_names() -> None:
    explains = an_info(explains=("E1",))
    other = vm("Db01", "RG2").replace("subscriptions", "Subscriptions", 1)
    assert judge(a_policy(), a_row(ok=False)).affects == ()
    assert judge(a_policy(info=explains), a_row(ok=False)).affects == (VM.lower(),)
    assert judge(a_policy(info=explains), a_row(ok=True)).affects == ()
    row = a_row(ok=False, one=other, many=[other, VM, 5, None], none=None)
    assert judge(a_policy(info=explains, affects="one"), row).affects == (other.lower(),)
    assert judge(a_policy(info=explains, affects="many"), row).affects == (VM.lower(), other.lower())
    assert judge(a_policy(info=explains, affects="none"), row).affects == ()


CODES = (Code(name="Broken", title="It broke", link="https://example.com/#broken", causes=("ABK301",)),)


def classified(**row: Json) -> Finding:
    expressions = [compile_expression(text) for text in ("texts", "lower(numbers)", "phases")]
    spec = Classify(**dict(zip(("texts", "numbers", "phases"), expressions, strict=True)), codes=CODES)
    return judge(a_policy(classify=spec), a_row(**row), numeric_codes={})


def test_a_failed_job_is_told_by_what_it_says_even_where_one_of_its_values_cannot_be_read() -> None:
    assert classified(ok=True, texts=["Broken"]).failure is None
    found = classified(ok=False, texts=["it is broken."], numbers=[7], phases=[]).failure
    assert found == Failure(code="Broken", title="It broke", link=CODES[0].link, told_by="name", causes=("ABK301",))
    assert judge(a_policy(), a_row(ok=False)).failure is None
