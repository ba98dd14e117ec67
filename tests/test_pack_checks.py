from __future__ import annotations

from pathlib import Path

import pytest

from scanner import kql
from tests.pack_folder import PACK, POLICY, VMS, C, K, P, V, changed, make, problems_of

ASSERT = "size <= params.max_size && length(disks[?gib > `1`]) == `0` && status.agent_code == 'x'"


@pytest.mark.parametrize(
    ("name", "old", "new", "problem"),
    [
        (
            P,
            "id: TNY101",
            "id: TNY102",
            f"{P}:1:5: id: the file of TNY102 vm-too-large must be called TNY102-vm-too-large.yaml",
        ),
        (
            P,
            "vm-too-large",
            "vm-too-big",
            f"{P}:2:7: name: the file of TNY101 vm-too-big must be called TNY101-vm-too-big.yaml",
        ),
        (P, "query: vms", "query: vmz", f"{P}:10:8: query: the pack has no query 'vmz'; did you mean 'vms'?"),
        (
            P,
            "query: vms",
            "query: vms\nkey: [id]",
            f"{P}:11:1: key: belongs to KQL written here; the query 'vms' has its own in pack.yaml",
        ),
        (P, "query: vms", "query: vms\nspans: scope", f"{P}:11:1: spans: belongs to KQL written here"),
        (P, "query: vms", "query: vms\naffects: vm_id", f"{P}:11:10: affects: the query projects no column 'vm_id'; "),
        (
            P,
            "query: vms",
            "query: vms\nclassify: {texts: name, numbers: size, phases: name}",
            f"{P}:11:1: classify: needs the parameter numeric_codes of type string_map, from a number to the name of a code",
        ),
        (
            P,
            "query: vms",
            "query: vms\nclassify: {texts: nam, numbers: size, phases: name}",
            f"{P}:11:19: classify.texts: 'nam' is",
        ),
        (P, "{params.words}", "{origin.wordz}", f"{P}:21:72: message: there is no parameter 'wordz'; did you mean 'words'?"),
        (P, "{params.words}", "{origin}", f"{P}:21:65: message: `origin` is read by name, as in origin.max_size"),
        (P, "query: vms", "query: vms\nresource: vm_id", f"{P}:11:11: resource: the query projects no column 'vm_id'; "),
        (P, "parameter:words", "parameter:word", f"{P}:7:19: needs[1]: there is no parameter 'word'; did you mean 'words'?"),
        (P, "  words: {", "  max_size: {", f"{P}:9:3: params.max_size: 'max_size' is a parameter of the pack already"),
        (P, "status: {", "params: {", f"{P}:13:3: attach.params: the name 'params' is taken by the parameters"),
        (P, "status: {", "state: {", f"{P}:13:3: attach.state: the name 'state' is taken by a column of the query"),
        (
            P,
            "from: arm_vm_status",
            "from: arm_vm_state",
            f"{P}:13:18: attach.status.from: 'arm_vm_state' is neither a side table nor a query; did you mean 'arm_vm_status'?",
        ),
        (
            P,
            "from: disks",
            "from: disk",
            f"{P}:14:17: attach.disks.from: 'disk' is neither a side table nor a query; did you mean 'disks'?",
        ),
        (
            P,
            "one: {id: id}}",
            "one: {idd: id}}",
            f"{P}:13:39: attach.status.one.idd: arm_vm_status has no column 'idd'; did you mean 'id'?",
        ),
        (
            P,
            "one: {id: id}}",
            "one: {id: idd}}",
            f"{P}:13:43: attach.status.one.id: the query projects no column 'idd'; did you mean 'id'?",
        ),
        (
            P,
            "one: {id: id}}",
            "one: {id: size}}",
            f"{P}:13:43: attach.status.one.id: 'size' is a long; rows are matched on texts only",
        ),
        (P, "{vm: id}", "{vmm: id}", f"{P}:14:31: attach.disks.many.vmm: disks has no column 'vmm'; did you mean 'vm'?"),
        (
            P,
            "covering: id",
            "covering: idd",
            f"{P}:15:38: attach.locks.covering: the query projects no column 'idd'; did you mean 'id'?",
        ),
        (P, "one: {id: id}}", "covering: id}", f"{P}:13:33: attach.status.covering: only arm_locks cover what lies below them"),
        (
            P,
            "at: collected_at",
            "at: collectd_at",
            f"{P}:16:56: attach.proof.max_age.at: evidence has no column 'collectd_at'; did you mean 'collected_at'?",
        ),
        (
            P,
            "hours: params.max_age",
            "hours: params.max_ag",
            f"{P}:16:77: attach.proof.max_age.hours: there is no parameter 'max_ag'; did you mean 'max_age'?",
        ),
        (
            P,
            "hours: params.max_age",
            "hours: params.words",
            f"{P}:16:77: attach.proof.max_age.hours: the parameter 'words' is not an integer",
        ),
        (
            P,
            ASSERT,
            "sise == `1` && status.x == 'a'",
            f"{P}:18:9: assert: 'sise' is neither a column of the query nor attached; did you mean 'size'?",
        ),
        (
            P,
            ASSERT,
            "length(disks[?gib > params.max_age]) == `0`",
            f"{P}:18:29: assert: a filter sees the elements of its list alone, not `params`; compare the whole list",
        ),
        (
            P,
            ASSERT,
            "state == 'sise' && Size == `1`",
            f"{P}:18:28: assert: 'Size' is neither a column of the query nor attached; did you mean 'size'?",
        ),
        (
            P,
            ASSERT,
            "status.agent_cod == 'x'",
            f"{P}:18:16: assert: what is attached as 'status' has no 'agent_cod'; did you mean 'agent_code'?",
        ),
        (P, ASSERT, "length(disks[?gb > `1`]) == `0`", f"{P}:18:23: assert: what is attached as 'disks' has no 'gb'; "),
        (P, ASSERT, "length(disks.gib) == `0`", f"{P}:18:16: assert: 'disks' is a list; read its elements, as in disks[*].gib"),
        (
            P,
            ASSERT,
            "size.x == `1`",
            f"{P}:18:9: assert: the column 'size' is a long; it has nothing inside, so size.x is never there",
        ),
        (P, ASSERT, "size == params", f"{P}:18:17: assert: `params` is read by name, as in params.max_size"),
        (P, ASSERT, "size == params.max_siz", f"{P}:18:24: assert: there is no parameter 'max_siz'; did you mean 'max_size'?"),
        (P, ASSERT, "'`true`'", f"{P}:18:9: assert: reads neither a column nor attached data, so that every row gets the same"),
        (P, ASSERT, "params.max_size == `1`", f"{P}:18:9: assert: reads neither a column nor attached data"),
        (P, ASSERT, "size ==", f"{P}:18:16: assert: not JMESPath: the expression ends too early"),
        (P, ASSERT, "size == `1` || ]", f"{P}:18:24: assert: not JMESPath: unexpected ']'"),
        (P, ASSERT, "state >= '2.7'", f"{P}:18:9: assert: texts have no order here"),
        (P, ASSERT, "size == `1` && nope(state)", f"{P}:18:9: assert: there is no function 'nope()'"),
        (P, ASSERT, "|\n  size ==\n    `{x`", f"{P}:20:5: assert: `{{x` is not JSON"),
        (
            P,
            "when: \"state == 'old'\"",
            "when: \"stat == 'old'\"",
            f"{P}:6:13: severity_when[0].when: 'stat' is neither a column of the query nor attached; did you mean",
        ),
        (P, "when: \"state != 'off'\"", 'when: "stat("', f"{P}:17:23: applies.when: not JMESPath"),
        (
            P,
            "cause: locks[0].id",
            "cause: lock[0].id",
            f"{P}:20:8: cause: 'lock' is neither a column of the query nor attached; did you mean 'locks'?",
        ),
        (
            P,
            'subject: "vm:{name}"',
            'subject: "vm:{nam}"',
            f"{P}:11:15: subject: 'nam' is neither a column of the query nor attached; did you mean 'name'?",
        ),
        (P, "{name} is", "{name is", f"{P}:21:11: message: a lone '{{'"),
        (P, "{name} is", "{na-me} is", f"{P}:21:11: message: 'na-me' is not a path"),
        (
            P,
            "{name} is",
            "{nme} is",
            f"{P}:21:12: message: 'nme' is neither a column of the query nor attached; did you mean 'name'?",
        ),
        (
            P,
            "{locks[0].relation}",
            "{locks[0].relatio}",
            f"{P}:21:53: message: what is attached as 'locks' has no 'relatio'; did you mean 'relation'?",
        ),
        (P, '"disks[*].gib"', "disks-gib", f"{P}:19:20: optional[1]: 'disks-gib' is not a path"),
        (P, '"disks[*].gib"', '"disks[*].vm"', f"{P}:19:20: optional[1]: `assert` does not read disks[*].vm; did you mean"),
        (
            K,
            "queries/vms.kql",
            "queries/vmz.kql",
            f"{K}:7:15: queries.vms.file: there is no file queries/vmz.kql in the pack; did you mean 'queries/vms.kql'?",
        ),
        (K, "queries/vms.kql", "../../x.kql", f"{K}:7:15: queries.vms.file: must be a path inside the pack's folder"),
        (K, "queries/vms.kql", "/etc/passwd", f"{K}:7:15: queries.vms.file: must be a path inside the pack's folder"),
        (K, "queries/vms.kql", "queries\\vms.kql", f"{K}:7:15: queries.vms.file: must be a path inside the pack's folder"),
        (K, "queries/vms.kql", "TNY101-vm-too-large.yaml", f"{K}:7:15: queries.vms.file: must be a .kql file"),
        (K, "key: [id]}", "key: [id, lun]}", "lun"),
        (
            K,
            "strict: {max_size: 5",
            "strict: {max_siz: 5",
            f"{K}:15:12: profiles.strict.max_siz: no policy has a parameter 'max_siz'; did you mean 'max_size'?",
        ),
        (
            K,
            "strict: {max_size: 5",
            "strict: {max_size: big",
            f"{K}:15:22: profiles.strict.max_size: the value must be of the parameter's type, integer",
        ),
        (
            K,
            "words: [a]",
            "words: a",
            f"{K}:15:32: profiles.strict.words: the value must be of the parameter's type, string_list",
        ),
        (K, "arguard-pack/1", "arguard-pack/2", f"{K}:1:9: format: arguard-pack/2 is newer than the format that arguard"),
        (K, ">=0.1", ">=9", f"{K}:2:19: requires_arguard: the pack needs arguard >=9, and this is"),
        (K, "title:", "titel:", f"{K}:5:1: titel: unknown key; did you mean 'title'?"),
        (V, "id, name,", "id, nme,", f"{V}:3:15: "),
        (
            C,
            "profile: strict",
            "profile: strick",
            f"{C}:4:14: [0].given.profile: the pack has no profile 'strick'; did you mean 'strict'?",
        ),
        (
            C,
            "max_size: 1",
            "max_siz: 1",
            f"{C}:5:14: [0].given.params.max_siz: there is no parameter 'max_siz'; did you mean 'max_size'?",
        ),
        (
            C,
            "max_size: 1",
            "max_size: true",
            f"{C}:5:24: [0].given.params.max_size: the value must be of the parameter's type, integer",
        ),
        (
            C,
            "resources:",
            "resurces:",
            f"{C}:7:5: [0].given.resurces: the policy reads no table 'resurces'; did you mean 'resources'?",
        ),
        (
            C,
            "resources:",
            "Resources:",
            f"{C}:7:5: [0].given.Resources: the policy reads no table 'Resources'; did you mean 'resources'?",
        ),
        (
            C,
            "{arm_vm_status:",
            "{arm_vm_statuss:",
            f"{C}:6:18: [0].given.unanswered.arm_vm_statuss: the policy reads no table 'arm_vm_statuss'; did you mean",
        ),
        (C, "rg/web01]", "rg/web01, RG/WEB01]", f"{C}:10:22: [0].expect.fail[1]: this row is listed a second time"),
        (
            C,
            "microsoft.compute/virtualmachines}",
            "x, on: yes}",
            f"{C}:8:48: [0].given.resources[0].on: 'yes' is a text here but looks like a boolean",
        ),
    ],
)
def test_each_mistake_is_told_where_it_stands(tmp_path: Path, name: str, old: str, new: str, problem: str) -> None:
    found = problems_of(make(tmp_path, changed(name, old, new)))
    assert any(one.startswith(problem) or (len(problem) < 5 and problem in one) for one in found), found


def test_problems_of_a_query_in_a_policy_are_placed_in_the_policy(tmp_path: Path) -> None:
    bad = VMS.replace("id, name,", "id, nme,")
    block = "query: |\n" + "".join(f"    {line}\n" for line in bad.splitlines()) + "key: [id]\n"
    found = problems_of(make(tmp_path / "block", {P: POLICY.replace("query: vms\n", block)}))
    assert any(one.startswith(f"{P}:13:19: query: there is no column 'nme'") for one in found)
    line = 'query: "resources | project id, nme"\nkey: [id]\n'
    found = problems_of(make(tmp_path / "line", {P: POLICY.replace("query: vms\n", line)}))
    assert any(one.startswith(f"{P}:10:33: query: there is no column 'nme'") for one in found)
    folded = "query: >\n    resources |\n    project id, nme\nkey: [id]\n"
    found = problems_of(make(tmp_path / "folded", {P: POLICY.replace("query: vms\n", folded)}))
    assert any(one.startswith(f"{P}:10:8: query: there is no column 'nme'") for one in found)


def test_kql_in_a_policy_needs_a_key(tmp_path: Path) -> None:
    text = POLICY.replace("query: vms\n", 'query: "resources | project id, name, size, props, state"\n')
    found = problems_of(make(tmp_path, {P: text}))
    assert found == [f"{P}:10:1: query: KQL in a policy needs `key`, the columns that tell its rows apart"]


def test_keys_and_id_must_be_projected_even_where_the_check_of_the_query_lets_it_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = kql.Shape(columns={"name": "string", "size": "long", "props": "dynamic", "state": "string"}, tables={})
    monkeypatch.setattr(kql, "inspect", lambda _kql, _key: shape)
    found = problems_of(make(tmp_path, changed(K, "key: [id]}", "key: [name, lun]}")))
    assert f"{K}:7:37: queries.vms.key: the query must project `id`, the unaltered id of its leading table" in found
    assert any(one.startswith(f"{K}:7:44: queries.vms.key[1]: the query projects no column 'lun'") for one in found)
    assert any(one.startswith(f"{K}:8:42: queries.disks.key[0]: the query projects no column 'id'") for one in found)


def test_a_query_that_no_policy_uses_is_checked_too(tmp_path: Path) -> None:
    folder = make(tmp_path, {K: PACK.replace("queries:\n", "queries:\n  idle: {file: queries/idle.kql, key: [id]}\n")})
    (folder / "queries" / "idle.kql").write_text("resources\n| take 5\n")
    assert any(one.startswith("queries/idle.kql:2:3: ") and "take" in one for one in problems_of(folder))


def test_a_name_that_a_broken_query_does_not_even_mention_is_told_along_with_it(tmp_path: Path) -> None:
    found = problems_of(
        make(tmp_path, {**changed(V, "id, name,", "id, nme,"), **changed(P, ASSERT, "sise == `1` && size == `2`")})
    )
    assert f"{P}:18:9: assert: 'sise' is neither in the query nor attached" in found
    assert any(one.startswith(f"{V}:3:15: ") for one in found)
    assert not any("'size' is neither" in one for one in found)


def test_a_parameter_without_a_default_must_be_waited_for(tmp_path: Path) -> None:
    found = problems_of(make(tmp_path, changed(P, ', "parameter:words"', "")))
    wanted = "the parameter 'words' has no default; give it one, or add 'parameter:words' to `needs`"
    assert found == [f"{P}:21:72: message: {wanted}"]
