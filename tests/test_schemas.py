from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import jsonschema_rs
import pytest
from pydantic import BaseModel

from scanner.authoring import PackFile, PolicyFile
from scanner.authoring.cases import CasesFile
from scanner.authoring.evidence import EvidenceFile
from scanner.authoring.read import read
from scanner.errors import InputError
from scanner.model import Json
from scanner.schemas import schemas
from scanner.yamlsafe import load
from tests.pack_folder import CASES, PACK, POLICY

POLICIES = Path(__file__).resolve().parent.parent / "policies"
EVIDENCE = """
id: /subscriptions/s1/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/web01
collected_at: 2026-11-20T05:40:12Z
tool: t
checks:
  lin_python: {status: pass, value: [a, b], detail: d}
"""
MODELS: dict[str, tuple[type[BaseModel], str]] = {
    "cases": (CasesFile, CASES),
    "evidence": (EvidenceFile, EVIDENCE),
    "pack": (PackFile, PACK),
    "policy": (PolicyFile, POLICY),
}
BAD = [
    ("policy", "assert:", "asert:"),
    ("policy", "id: TNY101", "id: tny101"),
    ("policy", "id: TNY101", "id: 101"),
    ("policy", "name: vm-too-large", "name: VM_too_large"),
    ("policy", "title: No VM is too large", "title: ' '"),
    ("policy", "title: No VM is too large", "title: |\n  two\n  lines\n"),
    ("policy", "severity: medium", "severity: Medium"),
    ("policy", "severity: medium", "severity: hihg"),
    ("policy", "severity: critical", "severity: bad"),
    ("policy", "needs: [evidence", "needs: [proof"),
    ("policy", "tags: [size]", "tags: size"),
    ("policy", "tags: [size]", "tags:"),
    ("policy", "type: string_list", "type: list"),
    ("policy", "type: string_list", "type: string_list, default: a"),
    ("policy", "type: string_list", "type: string_list, default: [1]"),
    ("policy", "type: string_list", "type: string_map, default: {a: 1}"),
    ("policy", "type: string_list", "type: string, default: 1"),
    ("policy", "type: string_list", "type: integer, default: true"),
    ("policy", "type: string_list", "type: boolean, default: 1"),
    ("policy", "type: string_list", "type: string_list, weaker: less"),
    ("policy", "  words: {", "  Words-2: {"),
    ("policy", "one: {id: id}}\n", "one: {id: id}, many: {id: id}}\n"),
    ("policy", ", one: {id: id}}\n", "}\n"),
    ("policy", "one: {id: id}}\n", "one: {}}\n"),
    ("policy", "one: {id: id}}\n", "one: ~}\n"),
    ("policy", "one: {id: id}}\n", "one: {i-d: id}}\n"),
    ("policy", "hours: params.max_age", "hours: max_age"),
    ("policy", "hours: params.max_age", "hours: 0"),
    ("policy", ", because: the VM is off", ""),
    ("policy", "applies: {when: \"state != 'off'\", because: the VM is off}", "applies:"),
    ("policy", "https://example.com/a", "http://example.com/a"),
    ("policy", "min_population: 2", "min_population: -1"),
    ("policy", "min_population: 2", "min_population: true"),
    ("policy", "min_population: 2", "enabled: no"),
    ("evidence", "status: pass", "status: passed"),
    ("evidence", "lin_python:", "lin_pyton:"),
    ("evidence", "collected_at: 2026-11-20T05:40:12Z", "collected_at: 2026-11-20"),
    ("evidence", "id: /subscriptions/s1", "id: s1"),
    ("evidence", "tool: t", "tools: t"),
    ("evidence", "detail: d", "detail: [d]"),
    ("pack", "arguard-pack/1", "arguard-pack/0"),
    ("pack", ">=0.1", "0.1"),
    ("pack", "version: 1.0.0", "version: 1"),
    ("pack", "key: [id]", "key: []"),
    ("pack", "key: [id]", "key: id"),
    ("pack", "spans: scope", "spans: all"),
    ("pack", "  vms:", "  Vms:"),
    ("pack", "strict: {max_size: 5, words: [a]}", "strict:"),
    ("pack", "default: 10", "default: ten"),
    ("cases", "collected_at: 2026-11-20T06:00:00Z", "collected_at: 2026-11-20"),
    ("cases", "profile: strict", "profile:"),
    ("cases", "profile: strict", "profil: strict"),
    ("cases", "unanswered: {arm_vm_status: [s2]}", "unanswered: {arm_vm_status: s2}"),
    ("cases", "{arm_vm_status: [s2]}", "{arm-vm: [s2]}"),
    ("cases", "fail: [rg/web01]", "fail: [[rg/web01]]"),
    ("cases", "fail: [rg/web01]", "fail: ['']"),
    ("cases", "fail: [rg/web01]", "fails: [rg/web01]"),
    ("cases", "- case: a large VM fails\n  given", "- given"),
]


def validator(name: str) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(json.loads(schemas()[f"{name}.schema.json"]))


def is_read(name: str, text: str) -> bool:
    try:
        read(MODELS[name][0], load(text, "f"), "f")
    except InputError:
        return False
    return True


@pytest.mark.parametrize("name", MODELS)
def test_the_files_beside_the_packs_are_fresh(name: str) -> None:
    assert (POLICIES / f"{name}.schema.json").read_bytes() == schemas()[f"{name}.schema.json"]


@pytest.mark.parametrize("name", MODELS)
def test_a_schema_is_valid_and_says_what_it_is(name: str) -> None:
    schema = json.loads(schemas()[f"{name}.schema.json"])
    assert jsonschema_rs.meta.is_valid(schema)
    assert schema["title"] == f"arguard {name}"
    assert schema["$id"].endswith(f"/policies/{name}.schema.json")


def fields(schema: Json) -> Iterator[tuple[str, Json]]:
    for part in [schema, *schema.get("$defs", {}).values()]:
        yield from part.get("properties", {}).items()


@pytest.mark.parametrize("name", MODELS)
def test_every_key_is_described_and_none_has_null_as_its_default(name: str) -> None:
    found = list(fields(json.loads(schemas()[f"{name}.schema.json"])))
    assert len(found) > (6 if name == "evidence" else 8)
    for key, field in found:
        assert field["description"].endswith("."), key
        assert "title" not in field, key
        assert field.get("default", "") is not None, key


@pytest.mark.parametrize("name", MODELS)
def test_what_is_good_is_good_for_the_schema_too(name: str) -> None:
    assert is_read(name, MODELS[name][1])
    assert list(validator(name).iter_errors(load(MODELS[name][1], "f").plain())) == []


def test_the_bundled_files_are_good_for_the_schemas() -> None:
    for path in sorted(POLICIES.glob("*/*.yaml")):
        name = {"pack.yaml": "pack", "coverage.yaml": "coverage"}.get(path.name, "policy")
        assert list(validator(name).iter_errors(load(path.read_bytes(), path.name).plain())) == []
    for path in sorted(POLICIES.glob("*/cases/*.yaml")):
        assert list(validator("cases").iter_errors(load(path.read_bytes(), path.name).plain())) == []


@pytest.mark.parametrize(("name", "old", "new"), BAD)
def test_what_is_refused_is_bad_for_the_schema_too(name: str, old: str, new: str) -> None:
    good = MODELS[name][1]
    assert old in good
    text = good.replace(old, new, 1)
    assert not is_read(name, text)
    assert not validator(name).is_valid(load(text, "f").plain())
