from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from scanner import kql, packs
from scanner.assertion import EACH
from scanner.errors import InputError
from scanner.kql.text import digest
from scanner.model import Severity
from scanner.policy import Attach, Expectation, MaxAge, Parameter
from tests.pack_folder import CASES, GOOD, PACK, POLICY, VMS, C, K, P, V, changed, load, make, problems_of


def test_a_pack_becomes_what_the_engine_uses(tmp_path: Path) -> None:
    pack = load(make(tmp_path / "tiny-pack"))
    assert (pack.id, pack.title, pack.version, pack.folder) == ("tiny", "A tiny pack", "1.0.0", str(tmp_path / "tiny-pack"))
    assert pack.profiles == {"current": {}, "strict": {"max_size": 5, "words": ["a"]}}
    vms = pack.queries["vms"]
    assert (vms.name, vms.kql, vms.file, vms.line, vms.column) == ("vms", VMS, "tiny-pack/queries/vms.kql", 1, 1)
    assert (vms.digest, vms.key, vms.spans) == (digest(VMS), ("id",), "subscription")
    assert vms.columns == {"id": "string", "name": "string", "size": "long", "props": "dynamic", "state": "string"}
    assert vms.tables == {"resources": frozenset({"microsoft.compute/virtualmachines"})}
    assert pack.queries["disks"].spans == "scope"


def test_a_policy_is_compiled_and_described(tmp_path: Path) -> None:
    (policy,) = load(make(tmp_path / "tiny-pack")).policies
    info = policy.info
    assert (info.id, info.name, info.title, info.pack) == ("TNY101", "vm-too-large", "No VM is too large", "tiny")
    assert (info.severity, info.highest) == (Severity.MEDIUM, Severity.CRITICAL)
    assert (info.file, info.line) == ("tiny-pack/TNY101-vm-too-large.yaml", 18)
    assert (info.why, info.fix, info.references) == ("It breaks.", "Mend it.", ("https://example.com/a",))
    assert (info.tags, info.explains, info.params) == (("size",), ("Error1",), {})
    assert policy.enabled
    assert policy.needs == ("evidence", "parameter:words")
    assert ("disks", EACH, "gib") in policy.assertion.reads
    assert policy.subject is not None
    assert policy.subject.text == "vm:{name}"
    assert policy.applies is not None
    assert (policy.applies.when.text, policy.applies.because) == ("state != 'off'", "the VM is off")
    assert [(one.when.text, one.severity) for one in policy.severity_when] == [("state == 'old'", Severity.CRITICAL)]
    assert policy.cause is not None
    assert policy.optional == ("status", "disks[*].gib")
    assert policy.min_population == 2


def test_attachments_keep_their_order_and_their_query(tmp_path: Path) -> None:
    pack = load(make(tmp_path))
    assert pack.policies[0].attach == (
        Attach(name="status", source="arm_vm_status", how="one", on=(("id", "id"),)),
        Attach(name="disks", source="disks", how="many", on=(("vm", "id"),), query=pack.queries["disks"]),
        Attach(name="locks", source="arm_locks", how="covering", covering="id"),
        Attach(
            name="proof",
            source="evidence",
            how="one",
            on=(("id", "id"),),
            max_age=MaxAge(at="collected_at", hours="max_age"),
        ),
    )


def test_a_policy_has_its_own_parameters_and_those_of_the_pack_that_it_reads(tmp_path: Path) -> None:
    (policy,) = load(make(tmp_path)).policies
    assert sorted(policy.parameters) == ["max_age", "max_size", "words"]
    assert policy.parameters["words"] == Parameter(name="words", type="string_list", default=None)
    assert policy.parameters["max_size"] == Parameter(
        name="max_size", type="integer", default=10, weaker="higher", describe="largest", source="https://example.com/"
    )


def test_a_case_becomes_what_the_test_runner_uses(tmp_path: Path) -> None:
    (case,) = load(make(tmp_path / "tiny-pack")).cases
    assert (case.policy, case.name, case.file, case.line) == ("TNY101", "a large VM fails", "tiny-pack/cases/TNY101.yaml", 1)
    assert (case.collected_at, case.profile) == ("2026-11-20T06:00:00Z", "strict")
    assert (case.params, case.unanswered) == ({"max_size": 1, "words": ["b"]}, {"arm_vm_status": ("s2",)})
    assert case.tables == {"resources": ({"id": "/subscriptions/s1/x", "type": "microsoft.compute/virtualmachines"},)}
    expected = {"pass": (), "fail": (("rg/web01", ""),), "unknown": (("rg/web02", "vm:web02"),), "not_applicable": ()}
    assert case.expect == Expectation(rows=expected)


def test_cases_are_read_only_when_asked_for(tmp_path: Path) -> None:
    folder = make(tmp_path, {C: "- ["})
    assert packs.load([folder])[0].cases == ()
    assert problems_of(folder)[0].startswith("cases/TNY101.yaml:2:1: not YAML")


def test_a_policy_can_hold_its_query_itself(tmp_path: Path) -> None:
    text = POLICY.replace("query: vms\n", "query: |\n" + "".join(f"    {line}\n" for line in VMS.splitlines()) + "key: [id]\n")
    (policy,) = load(make(tmp_path / "tiny-pack", {P: text})).policies
    assert (policy.query.name, policy.query.kql, policy.query.digest) == ("TNY101", VMS, digest(VMS))
    assert (policy.query.file, policy.query.line, policy.query.column) == ("tiny-pack/TNY101-vm-too-large.yaml", 11, 5)
    assert (policy.query.key, policy.query.spans) == (("id",), "subscription")
    scope = text.replace("key: [id]\n", "key: [id]\nspans: scope\n")
    assert load(make(tmp_path / "other", {P: scope})).policies[0].query.spans == "scope"


def test_the_digest_covers_every_file_that_decides_and_no_other(tmp_path: Path) -> None:
    def digest_with(name: str, text: str) -> str:
        return load(make(tmp_path / hashlib.sha256(f"{name}{text}".encode()).hexdigest()[:8], {name: text})).digest

    same = digest_with(K, PACK)
    decides = [K, P, V, "queries/disks.kql"]
    lines = "".join(f"{name}\0{hashlib.sha256(GOOD[name].encode()).hexdigest()}\n" for name in sorted(decides))
    assert same == hashlib.sha256(lines.encode()).hexdigest()
    assert digest_with(C, CASES + "\n") == same
    assert digest_with("README.md", "Read me.") == same
    others = {digest_with(name, f"{GOOD[name]}\n") for name in decides}
    assert len(others | {same}) == 5


def test_without_the_engine_only_the_columns_go_unchecked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kql, "available", lambda: False)
    pack = load(make(tmp_path / "good", {V: "nonsense | | "}))
    assert (pack.queries["vms"].columns, pack.queries["vms"].tables) == (None, None)
    assert pack.queries["vms"].digest == digest("nonsense | | ")
    folder = make(tmp_path / "bad", changed(P, "size <= params.max_size", "anything <= params.max_siz"))
    assert problems_of(folder) == [f"{P}:18:28: assert: there is no parameter 'max_siz'; did you mean 'max_size'?"]


def test_the_bundled_packs_are_found_in_a_checkout_and_in_a_wheel(tmp_path: Path) -> None:
    assert [folder.name for folder in packs.bundled()] == ["azure-backup"]
    assert [pack.id for pack in packs.load(packs.bundled(), cases=True)] == ["azure-backup"]
    make(tmp_path / "policies" / "beside")
    assert packs.bundled(tmp_path / "scanner") == (tmp_path / "policies" / "beside",)
    make(tmp_path / "scanner" / "_policies" / "inside")
    assert packs.bundled(tmp_path / "scanner") == (tmp_path / "scanner" / "_policies" / "inside",)


def test_no_folders_are_no_packs() -> None:
    assert packs.load([]) == ()


def test_equal_queries_have_equal_keys_over_all_packs(tmp_path: Path) -> None:
    lines = "".join(f"    {line}\n" for line in VMS.splitlines())
    inline = POLICY.replace("query: vms\n", f"query: |\n{lines}key: [id, name]\n")
    text = inline.replace("TNY101", "TNY102").replace("vm-too-large", "vm-too-big")
    first = make(tmp_path / "first")
    other = make(tmp_path / "other", {K: PACK.replace("id: tiny", "id: other").replace("key: [id], spans", "key: [vm], spans")})
    for name in (P, C):
        (other / name).unlink()
    (other / "TNY102-vm-too-big.yaml").write_text(text)
    assert problems_of(first, other) == [
        "TNY102-vm-too-big.yaml:14:6: key: the same KQL as first/queries/vms.kql:1, whose key is id: use one key for both",
        f"{K}:8:41: queries.disks.key: the same KQL as first/queries/disks.kql:1, whose key is id: use one key for both",
    ]


def test_ids_and_names_are_unique_over_all_packs(tmp_path: Path) -> None:
    first, second = make(tmp_path / "first"), make(tmp_path / "second")
    twin = make(tmp_path / "twin", {K: PACK.replace("id: tiny", "id: twin")})
    (second / P).rename(second / "TNY102-vm-too-large.yaml")
    (second / "TNY102-vm-too-large.yaml").write_text(POLICY.replace("TNY101", "TNY102"))
    (second / C).unlink()
    assert problems_of(first, second) == [
        f"TNY102-vm-too-large.yaml:2:7: name: another policy has the name vm-too-large: {P}",
        f"{K}:3:5: id: another pack has the id tiny: {K}",
    ]
    assert [one.split(": ")[1] for one in problems_of(first, twin)] == ["id", "name"]


def test_all_problems_of_all_files_of_all_packs_are_listed_in_order(tmp_path: Path) -> None:
    first = make(
        tmp_path / "a", {**changed(P, "severity: medium", "severity: hihg"), **changed(V, "id, name", "id, nme"), C: "- ["}
    )
    second = make(tmp_path / "b", {K: PACK.replace("title:", "titel:"), P: POLICY.replace("why:", "wy:")})
    with pytest.raises(InputError) as caught:
        packs.load([second, first], cases=True)
    places = [(Path(one.file).relative_to(tmp_path).as_posix(), one.line) for one in caught.value.problems]
    assert places == [
        (f"a/{P}", 4),
        (f"a/{C}", 2),
        (f"a/{V}", 3),
        (f"b/{P}", 1),
        (f"b/{P}", 22),
        (f"b/{K}", 1),
        (f"b/{K}", 5),
    ]
    assert "run again" in caught.value.hint


def test_a_policy_that_cannot_be_read_does_not_make_its_cases_and_parameters_wrong(tmp_path: Path) -> None:
    assert len(problems_of(make(tmp_path, changed(P, "severity: medium", "severity: hihg")))) == 1


@pytest.mark.parametrize("text", ["arguard-pack/2", "arguard-pack/99"])
def test_of_a_pack_in_a_newer_format_nothing_else_is_said(tmp_path: Path, text: str) -> None:
    folder = make(tmp_path, {K: PACK.replace("arguard-pack/1", text).replace("title:", "new_key:"), P: "new: true"})
    (problem,) = problems_of(folder)
    assert problem.endswith("upgrade arguard, or use an older version of the pack")


def test_the_needed_version_is_compared_by_numbers(tmp_path: Path) -> None:
    for number, wanted in enumerate((">=0", ">=0.1", ">=0.1.0", ">=0.0.99")):
        load(make(tmp_path / str(number), changed(K, ">=0.1", wanted)))
    assert "the pack needs arguard >=0.1.1" in problems_of(make(tmp_path / "new", changed(K, ">=0.1", ">=0.1.1")))[0]


def test_a_folder_without_a_pack_says_where_one_may_be(tmp_path: Path) -> None:
    make(tmp_path / "packs" / "tiny")
    (problem,) = problems_of(tmp_path / "packs")
    assert problem == f"{tmp_path / 'packs'}: this folder holds no pack.yaml; the packs are the folders in it: tiny".replace(
        os.sep, "/"
    )
    (problem,) = problems_of(tmp_path / "nowhere")
    assert problem.endswith("nowhere: there is no such folder")
    (tmp_path / "empty").mkdir()
    (problem,) = problems_of(tmp_path / "empty")
    assert problem.endswith("empty: this folder holds no pack.yaml")


def test_a_pack_without_a_policy_is_a_mistake(tmp_path: Path) -> None:
    folder = make(tmp_path / "tiny", changed(K, ", words: [a]", ""))
    (folder / P).unlink()
    (folder / C).unlink()
    (problem,) = problems_of(folder)
    assert problem.endswith("tiny: the pack holds no policy")


@pytest.mark.parametrize("name", ["more/TNY102-other.yaml", "queries/x.yml", "cases/deep/TNY101.yaml"])
def test_a_policy_where_nobody_looks_for_it_is_a_mistake(tmp_path: Path, name: str) -> None:
    (problem,) = problems_of(make(tmp_path, {name: POLICY}))
    assert problem == f"{name}: this file would be ignored: policies lie beside pack.yaml, their cases in cases/"


def test_other_spellings_of_a_policy_file_are_not_overlooked(tmp_path: Path) -> None:
    folder = make(tmp_path, {".hidden.yaml": "x: 1", ".github/flow.yml": "x: 1"})
    load(folder)
    (folder / P).rename(folder / "TNY101-vm-too-large.yml")
    (problem,) = problems_of(folder)
    assert problem.startswith("TNY101-vm-too-large.yml:2:7: name: ")
    assert problem.endswith("must be called TNY101-vm-too-large.yaml, not TNY101-vm-too-large.yml")


def test_cases_for_an_unknown_policy_are_a_mistake(tmp_path: Path) -> None:
    found = problems_of(make(tmp_path, {"cases/TNY102.yaml": CASES}))
    assert found == [
        "cases/TNY102.yaml: the pack has no policy TNY102, which the file's name says it tests; did you mean 'TNY101'?"
    ]


def test_two_cases_of_one_name_are_a_mistake(tmp_path: Path) -> None:
    found = problems_of(make(tmp_path, {C: CASES + CASES}))
    assert found == [f"{C}:12:9: [1].case: another case of this file has the same name"]


def test_without_the_engine_the_tables_of_a_case_are_not_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kql, "available", lambda: False)
    assert load(make(tmp_path, changed(C, "resources:", "resurces:"))).cases[0].tables.keys() == {"resurces"}


@pytest.mark.parametrize("name", [P, V, C])
def test_a_link_that_leads_out_of_the_pack_is_not_followed(tmp_path: Path, name: str) -> None:
    folder = make(tmp_path / "tiny")
    outside = tmp_path / Path(name).name
    (folder / name).rename(outside)
    (folder / name).symlink_to(outside)
    assert f"{name}: the file lies outside the pack's folder, behind a symbolic link" in problems_of(folder)


def test_a_link_inside_the_pack_is_fine(tmp_path: Path) -> None:
    folder = make(tmp_path / "tiny")
    (folder / V).rename(folder / "queries" / "real.kql")
    (folder / V).symlink_to("real.kql")
    assert load(folder).queries


def test_links_in_a_circle_and_links_to_nothing_are_told(tmp_path: Path) -> None:
    folder = make(tmp_path / "tiny")
    (folder / V).unlink()
    (folder / V).symlink_to("vms.kql")
    assert any(one.startswith(f"{V}: ") and "cannot be read" in one for one in problems_of(folder))
    (folder / V).unlink()
    (folder / V).symlink_to("nothing.kql")
    assert f"{V}: there is no such file" in problems_of(folder)


def test_a_folder_in_place_of_a_file_is_told(tmp_path: Path) -> None:
    folder = make(tmp_path / "tiny")
    (folder / V).unlink()
    (folder / V).mkdir()
    assert any(one.startswith(f"{V}: cannot be read") for one in problems_of(folder))


def test_bytes_that_are_not_text_and_files_that_are_too_large_are_told(tmp_path: Path) -> None:
    folder = make(tmp_path / "tiny")
    (folder / V).write_bytes(b"resources\n| \xff")
    (folder / P).write_bytes(b"#" * (256 * 1024 + 1))
    (folder / C).write_bytes(b"\xef\xbb\xbf" + CASES.encode())
    found = problems_of(folder)
    assert f"{P}: the file is larger than 256 KiB, the most that is read" in found
    assert f"{V}:2:3: byte 0xFF is not UTF-8; save the file as UTF-8" in found
    assert any(one.startswith(f"{C}:1:1: the file has a byte order mark") for one in found)
