from __future__ import annotations

from textwrap import dedent

import pytest
from pydantic import BaseModel, ValidationError

from scanner.authoring import PackFile, PolicyFile
from scanner.authoring.cases import CasesFile, ExpectedRow, odd_values
from scanner.authoring.read import did_you_mean, path_of, read
from scanner.authoring.types import rule
from scanner.errors import InputError
from scanner.yamlsafe import load

POLICY = dedent("""\
    id: ABK301
    name: vm-agent-not-ready
    title: The VM agent of every running protected VM reports Ready
    severity: high
    severity_when:
      - {when: "consistency == 'OnlyCrashConsistent'", severity: low}
    enabled: false
    needs: [evidence, "parameter:min_version"]
    explains: [UserErrorGuestAgentStatusUnavailable]
    params:
      min_version: {type: string, default: "2.7", weaker: lower, describe: oldest agent, source: "https://example.com/"}
    query: protected-vms
    resource: vm_id
    subject: "extension:{name}"
    attach:
      status: {from: arm_vm_status, one: {id: id}}
      points: {from: arm_restore_points, many: {source_id: id}}
      locks: {from: arm_locks, covering: id}
      proof: {from: evidence, one: {id: id}, max_age: {at: collected_at, hours: params.max_age}}
    applies: {when: "power == 'on'", because: the VM is not running}
    assert: starts_with(status.agent_code, 'x')
    optional: [status.agent_code]
    cause: null
    message: "{name} reports {status.agent_display}."
    why: |
      One paragraph.
    fix: |
      1. Do it.
    references: ["https://example.com/#a"]
    tags: [agent]
    min_population: 3
    """)
PACK = dedent("""\
    format: arguard-pack/1
    requires_arguard: ">=0.1"
    id: azure-backup
    version: 1.0.0
    title: Azure Backup
    queries:
      protected-vms: {file: queries/protected-vms.kql, key: [id], spans: subscription}
    parameters:
      max_disk_gib: {type: integer, default: 65536, weaker: higher}
    profiles:
      current: {}
      article: {max_disk_gib: 32768}
    """)
CASES = dedent("""\
    - case: a dead agent fails
      given:
        collected_at: 2026-11-20T06:00:00Z
        profile: article
        params: {max_disk_gib: 1}
        unanswered: {arm_vm_status: [s2]}
        resources:
          - {id: /subscriptions/s1, properties: {on: true, size: 3, none: null, text: "1.5", list: [1, {a: b}]}}
        arm_vm_status: []
      expect:
        fail: [rg/web01, [rg/web02, "extension:e1"]]
    """)


def problems_of(model: type[BaseModel], text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        read(model, load(text, "f"), "f")
    return [str(problem) for problem in caught.value.problems]


def changed(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new, 1)


def test_a_policy_file_with_every_key_is_read() -> None:
    policy = read(PolicyFile, load(POLICY, "f"), "f")
    assert policy.assert_ == "starts_with(status.agent_code, 'x')"
    assert policy.severity_when[0].severity == "low"
    assert policy.attach["status"].one == {"id": "id"}
    assert policy.attach["points"].many == {"source_id": "id"}
    assert policy.attach["locks"].covering == "id"
    proof = policy.attach["proof"].max_age
    assert proof is not None
    assert (proof.at, proof.hours) == ("collected_at", "params.max_age")
    assert policy.cause is None
    assert policy.min_population == 3
    assert not policy.is_inline


def test_what_is_left_out_has_the_defaults_of_the_format() -> None:
    lines = [
        line
        for line in POLICY.splitlines()
        if line.split(":")[0] in {"id", "name", "title", "severity", "query", "assert", "message"}
    ]
    policy = read(PolicyFile, load("\n".join([*lines, "why: w", "fix: f"]), "f"), "f")
    assert (policy.enabled, policy.resource, policy.subject, policy.min_population) == (True, "id", "", 0)
    assert (policy.key, policy.spans, policy.applies, policy.cause) == (None, None, None, None)
    assert (policy.params, policy.attach, policy.optional, policy.needs, policy.tags) == ({}, {}, (), (), ())


def test_a_query_with_blanks_or_pipes_is_kql() -> None:
    for text in ('"resources | project id"', "|\n  resources\n"):
        assert read(PolicyFile, load(changed(POLICY, "protected-vms", text), "f"), "f").is_inline


def test_a_pack_file_with_every_key_is_read() -> None:
    pack = read(PackFile, load(PACK, "f"), "f")
    assert pack.queries["protected-vms"].key == ("id",)
    assert pack.parameters["max_disk_gib"].default == 65536
    assert pack.profiles == {"current": {}, "article": {"max_disk_gib": 32768}}


def test_a_cases_file_with_every_key_is_read() -> None:
    (case,) = read(CasesFile, load(CASES, "f"), "f").root
    assert case.given.collected_at == "2026-11-20T06:00:00Z"
    assert case.given.unanswered == {"arm_vm_status": ("s2",)}
    assert case.given.model_extra is not None
    assert set(case.given.model_extra) == {"resources", "arm_vm_status"}
    assert case.given.model_extra["resources"][0]["properties"]["list"] == [1, {"a": "b"}]
    assert case.expect.fail == (ExpectedRow("rg/web01"), ExpectedRow("rg/web02", "extension:e1"))
    assert case.expect.pass_ == ()


def test_models_are_frozen() -> None:
    policy = read(PolicyFile, load(POLICY, "f"), "f")
    with pytest.raises(ValidationError, match="frozen"):
        policy.id = "ABK302"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("assert:", "asert:", "f:21:1: asert: unknown key; did you mean 'assert'?"),
        ("severity: high", "severty: high", "f:4:1: severty: unknown key; did you mean 'severity'?"),
        ("title:", "zzz:", "f:3:1: zzz: unknown key; known here: affects, applies, "),
        (
            "severity: high",
            "severity: hihg",
            "f:4:11: severity: must be one of info, low, medium, high, critical, not the text 'hihg'; did you mean 'high'?",
        ),
        (
            "severity: high",
            "severity: High",
            "f:4:11: severity: must be one of info, low, medium, high, critical, not the text 'High'; did you mean 'high'?",
        ),
        ("severity: high", "severity: 3", "f:4:11: severity: must be one of info, low, medium, high, critical, not 3"),
        ("severity: high", "severity: zzzzz", "not the text 'zzzzz'"),
        ("id: ABK301", "id: 301", 'f:1:5: id: must be a text, not 301; quote it: "301"'),
        ("id: ABK301", "id: abk301", "f:1:5: id: must be capitals and digits that end in three digits"),
        ("name: vm-agent", "name: VM_agent", "f:2:7: name: must be lower-case words joined by '-'"),
        ("title: The VM", "title: true #", 'f:3:8: title: must be a text, not true; quote it: "true"'),
        (
            "title: The VM agent of every running protected VM reports Ready",
            "title:",
            "f:3:7: title: must be a text, not empty (null)",
        ),
        (
            "title: The VM agent of every running protected VM reports Ready",
            "title: [1]",
            "f:3:8: title: must be a text, not a list",
        ),
        (
            "title: The VM agent of every running protected VM reports Ready",
            'title: " "',
            "f:3:8: title: must be one line of text",
        ),
        ("title: The", "title: " + "x" * 1001, "f:3:8: title: must have at most 1000 characters"),
        (
            "enabled: false",
            "enabled: no",
            "f:7:10: enabled: must be true or false, not the text 'no'; every other spelling is a text, write true or false",
        ),
        ("enabled: false", "enabled: on", "f:7:10: enabled: must be true or false, not the text 'on'; every other"),
        (
            "enabled: false",
            'enabled: "true"',
            "f:7:10: enabled: must be true or false, not the text 'true'; leave the quotes out",
        ),
        ("enabled: false", "enabled: {}", "f:7:10: enabled: must be true or false, not a mapping"),
        (
            "min_population: 3",
            "min_population: 1_000",
            "must be an integer, not the text '1_000'; write plain decimal digits such as 1000",
        ),
        ("min_population: 3", "min_population: 1.5", "must be an integer, not the text '1.5'; write plain"),
        ("min_population: 3", 'min_population: "3"', "must be an integer, not the text '3'; leave the quotes out"),
        ("min_population: 3", "min_population: true", "f:31:17: min_population: must be an integer, not true"),
        ("min_population: 3", "min_population: -1", "f:31:17: min_population: must be 0 or more"),
        ("tags: [agent]", "tags: agent", "f:30:7: tags: must be a list, not the text 'agent'"),
        ("tags: [agent]", "tags: [agent, Bad]", "f:30:15: tags[1]: must be lower-case words"),
        ("tags: [agent]", "tags: [agent, 1]", 'f:30:15: tags[1]: must be a text, not 1; quote it: "1"'),
        ("https://example.com/#a", "http://example.com", "f:29:14: references[0]: must be an https:// address"),
        ("needs: [evidence,", "needs: [evidenze,", "f:8:9: needs[0]: must be 'evidence' or 'parameter:'"),
        ("severity: low}", "severity: lo}", "f:6:62: severity_when[0].severity: must be one of"),
        ('{when: "cons', '{wen: "cons', "f:6:6: severity_when[0].wen: unknown key; did you mean 'when'?"),
        ("from: arm_vm_status", "form: arm_vm_status", "f:16:12: attach.status.form: unknown key; did you mean 'from'?"),
        (
            "arm_vm_status, one: {id: id}",
            "arm_vm_status",
            "f:16:11: attach.status: needs exactly one of 'one', 'many' and 'covering', not none of them",
        ),
        (
            "covering: id}",
            "covering: id, many: {a: b}}",
            "f:18:10: attach.locks: needs exactly one of 'one', 'many' and 'covering', not many and covering",
        ),
        ("arm_vm_status, one: {id: id}", "arm_vm_status, one: {}", "f:16:38: attach.status.one: must hold at least 1"),
        (
            "arm_vm_status, one: {id: id}",
            "arm_vm_status, one: {i-d: id}",
            "f:16:39: attach.status.one.i-d: must be the name of a column",
        ),
        (
            "arm_vm_status, one: {id: id}",
            "arm_vm_status, one: {id: 5}",
            'f:16:43: attach.status.one.id: must be a text, not 5; quote it: "5"',
        ),
        (
            "arm_vm_status, one: {id: id}",
            "arm_vm_status, one: id",
            "f:16:38: attach.status.one: must be a mapping, not the text 'id'",
        ),
        ("arm_vm_status, one: {id: id}", "arm_vm_status, one: ~", "f:16:38: attach.status.one: is empty; leave the key out"),
        (
            "status: {from: arm_vm_status, one: {id: id}}",
            "status:",
            "f:16:10: attach.status: must be a mapping, not empty (null)",
        ),
        (
            "hours: params.max_age",
            "hours: max_age",
            "f:19:77: attach.proof.max_age.hours: must be a number of hours (1 or more) or 'params.'",
        ),
        ("hours: params.max_age", "hours: 0", "attach.proof.max_age.hours: must be a number of hours"),
        (
            "applies: {when: \"power == 'on'\", because: the VM is not running}",
            "applies:",
            "f:20:9: applies: is empty; leave the key out",
        ),
        (", because: the VM is not running", "", "f:20:10: applies.because: this key is missing"),
        (
            "type: string,",
            "type: strin,",
            "string_list, string_map, not the text 'strin'; did you mean",
        ),
        (
            'default: "2.7"',
            "default: 2",
            "f:11:40: params.min_version.default: the default must be of the parameter's type, string",
        ),
        (
            'type: string, default: "2.7"',
            "type: integer, default: 1_0",
            "the default must be of the parameter's type, integer; '1_0' is a text here, though it looks like a number",
        ),
        ("weaker: lower", "weaker: less", "params.min_version.weaker: must be one of higher, lower, not the text 'less'"),
        ("  min_version:", "  Min-version:", "f:11:3: params.Min-version: must be a lower-case name"),
        ("assert: starts_with(status.agent_code, 'x')", "assert: ''", "f:21:9: assert: must not be empty"),
        ("assert: starts_with(status.agent_code, 'x')", "assert:", "f:21:8: assert: must be a text, not empty (null)"),
    ],
)
def test_each_mistake_in_a_policy_is_told_where_it_stands(old: str, new: str, problem: str) -> None:
    text = changed(POLICY, old, new)
    found = problems_of(PolicyFile, text)
    assert any(problem in one for one in found), found
    missing = {"asert", "severty", "zzz", "form", "wen"}
    assert len(found) == (2 if any(f"{word}:" in new for word in missing) else 1), found


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("string", '"x"', "1"),
        ("integer", "1", "true"),
        ("boolean", "false", "0"),
        ("string_list", "[a, b]", "[a, 1]"),
        ("string_list", "[]", "a"),
        ("string_map", "{a: b}", "{a: 1}"),
        ("string_map", "{}", "[]"),
    ],
)
def test_a_default_must_be_of_its_parameter_s_type(kind: str, good: str, bad: str) -> None:
    old = "{type: integer, default: 65536, weaker: higher}"
    read(PackFile, load(changed(PACK, old, f"{{type: {kind}, default: {good}}}"), "f"), "f")
    read(PackFile, load(changed(PACK, old, f"{{type: {kind}}}"), "f"), "f")
    (problem,) = problems_of(PackFile, changed(PACK, old, f"{{type: {kind}, default: {bad}}}"))
    assert f"parameters.max_disk_gib.default: the default must be of the parameter's type, {kind}" in problem


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "arguard-pack/1",
            "arguard-pak/1",
            "f:1:9: format: must be one of arguard-pack/1, not the text 'arguard-pak/1'; did you mean",
        ),
        ('">=0.1"', '"0.1"', "f:2:19: requires_arguard: must be '>=' and a version, such as >=0.1"),
        ("version: 1.0.0", "version: 1.0", "f:4:10: version: must be three numbers such as 1.0.0"),
        ("key: [id]", "key: []", "f:7:57: queries.protected-vms.key: must hold at least 1"),
        ("spans: subscription", "spans: all", "queries.protected-vms.spans: must be one of subscription, scope"),
        ("  protected-vms:", "  protected_vms:", "f:7:3: queries.protected_vms: must be lower-case words joined by '-'"),
        ("  article: {max_disk_gib: 32768}", "  article:", "f:12:11: profiles.article: must be a mapping, not empty (null)"),
        ("profiles:", "profile:", "f:10:1: profile: unknown key; did you mean 'profiles'?"),
    ],
)
def test_each_mistake_in_a_pack_is_told_where_it_stands(old: str, new: str, problem: str) -> None:
    (found,) = problems_of(PackFile, changed(PACK, old, new))
    assert problem in found


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "2026-11-20T06:00:00Z",
            "2026-11-20",
            "f:3:19: [0].given.collected_at: must be a time in UTC such as 2026-11-20T06:00:00Z",
        ),
        ("2026-11-20T06:00:00Z", "2026-13-20T06:00:00Z", "f:3:19: [0].given.collected_at: must be a time in UTC"),
        ("    collected_at: 2026-11-20T06:00:00Z\n", "", "f:3:5: [0].given.collected_at: this key is missing"),
        (
            "profile: article",
            "profil: article",
            "f:4:13: [0].given.profil: must be a list, not the text 'article'; did you mean 'profile'?",
        ),
        ("unanswered:", "unansered:", "f:6:16: [0].given.unansered: must be a list, not a mapping; did you mean 'unanswered'?"),
        ("arm_vm_status: []", "zzz: {}", "f:9:10: [0].given.zzz: must be a list, not a mapping"),
        ("arm_vm_status: []", "arm_vm_status: [x]", "f:9:21: [0].given.arm_vm_status[0]: must be a mapping, not the text 'x'"),
        (
            "unanswered: {arm_vm_status: [s2]}",
            "unanswered: {arm_vm_status: s2}",
            "[0].given.unanswered.arm_vm_status: must be a list, not the text 's2'",
        ),
        ("fail: [rg/web01,", "fail: [[rg/web01],", "f:11:12: [0].expect.fail[0]: must be the tail of a resource's id"),
        ("fail: [rg/web01,", "fail: ['',", "f:11:12: [0].expect.fail[0]: must be the tail"),
        ("fail: [rg/web01,", "fail: [1,", "f:11:12: [0].expect.fail[0]: must be the tail"),
        ("    fail:", "    fails:", "f:11:5: [0].expect.fails: unknown key; did you mean 'fail'?"),
        ("- case: a dead agent fails\n  given", "- given", "f:1:3: [0].case: this key is missing"),
    ],
)
def test_each_mistake_in_a_cases_file_is_told_where_it_stands(old: str, new: str, problem: str) -> None:
    (found,) = problems_of(CasesFile, changed(CASES, old, new))
    assert problem in found


def test_a_cases_file_is_a_list_with_something_in_it() -> None:
    assert problems_of(CasesFile, "[]") == ["f:1:1: must hold at least 1"]
    assert problems_of(CasesFile, "case: x") == ["f:1:1: must be a list, not a mapping"]
    assert problems_of(PolicyFile, "- x") == ["f:1:1: must be a mapping, not a list"]


def test_all_problems_of_a_file_are_listed_at_once() -> None:
    text = POLICY.replace("severity: high", "severity: hihg").replace("why:", "wy:").replace("tags: [agent]", "tags: [1, A b]")
    assert [one.split(": ")[:2] for one in problems_of(PolicyFile, text)] == [
        ["f:1:1", "why"],
        ["f:4:11", "severity"],
        ["f:25:1", "wy"],
        ["f:30:8", "tags[0]"],
        ["f:30:11", "tags[1]"],
    ]


@pytest.mark.parametrize(
    ("value", "odd"),
    [("yes", "a boolean"), ("True", "a boolean"), ("1.5", "a number"), ("1_000", "a number"), ("NULL", "null")],
)
def test_a_plain_value_in_a_row_that_looks_like_another_type_must_be_quoted(value: str, odd: str) -> None:
    text = changed(CASES, "{a: b}", f"{{a: {value}}}")
    (problem,) = odd_values(load(text, "f"), "f")
    assert str(problem).startswith("f:8:104: [0].given.resources[0].properties.list[1].a: ")
    assert f"'{value}' is a text here but looks like {odd}; quote it" in problem.text
    assert not list(odd_values(load(changed(CASES, "{a: b}", f"{{a: '{value}'}}"), "f"), "f"))


def test_dates_in_rows_are_texts_and_the_rest_of_a_case_is_not_looked_at() -> None:
    assert not list(odd_values(load(changed(CASES, "{a: b}", "{a: 2026-11-20T06:00:00Z}"), "f"), "f"))
    assert not list(odd_values(load("- case: yes\n- 1", "f"), "f"))
    assert not list(odd_values(load("case: yes", "f"), "f"))


def test_suggestions_name_the_nearest_or_all_or_nothing() -> None:
    assert did_you_mean("Sevrity", ["severity", "title"]) == "; did you mean 'severity'?"
    assert did_you_mean("zzz", ["b", "a"]) == "; known here: a, b"
    assert did_you_mean("zzz", []) == ""
    assert did_you_mean("zzz", [f"n{number}" for number in range(31)]) == ""


def test_paths_are_written_as_people_write_them() -> None:
    assert path_of(["attach", "locks", "on", 0, "from"]) == "attach.locks.on[0].from"
    assert path_of([0, "given"]) == "[0].given"


def test_a_foreign_pattern_is_shown_as_it_is() -> None:
    assert rule("^x$") == "must match ^x$"
