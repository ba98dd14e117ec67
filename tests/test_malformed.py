"""Malformed packs, as a user of the command line meets them: exit 2, every problem with its position, never a traceback."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from scanner.cli import main

CONTOSO = Path(__file__).resolve().parent.parent / "examples" / "contoso"
PACK = """\
format: arguard-pack/1
requires_arguard: ">=0.1"
id: tiny
version: 1.0.0
title: A tiny pack
queries:
  vms: {file: queries/vms.kql, key: [id], spans: subscription}
profiles:
  current: {}
"""
KQL = """\
resources
| where type =~ 'microsoft.compute/virtualmachines'
| project id, name, size = tostring(properties.hardwareProfile.vmSize)
"""
POLICY = """\
id: TNY101
name: vm-too-small
title: Every VM has a size
severity: high
query: vms
assert: size != 'none'
message: "{name} has the size {size}."
why: |
  One paragraph.
fix: |
  1. Choose a size.
references: [https://example.com/]
"""
GOOD = {"pack.yaml": PACK, "queries/vms.kql": KQL, "TNY101-vm-too-small.yaml": POLICY}
P, Q, K = "TNY101-vm-too-small.yaml", "queries/vms.kql", "pack.yaml"
BOMB = "".join(f"x{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 22))
BAD: dict[str, tuple[dict[str, str | bytes], list[str]]] = {
    "typo key": ({P: POLICY.replace("assert:", "asert:")}, [f"{P}:6:1: asert: ", "did you mean 'assert'"]),
    "wrong type": ({P: POLICY.replace("title: Every VM has a size", "title: [1, 2]")}, [f"{P}:3:8: title: "]),
    "wrong enum": ({P: POLICY.replace("severity: high", "severity: hihg")}, [f"{P}:4:11: severity: ", "high"]),
    "no for a text": ({P: POLICY.replace("name: vm-too-small", "enabled: no\nname: vm-too-small")}, [f"{P}:2:10: enabled: "]),
    "on for a boolean": ({P: POLICY + "enabled: on\n"}, [f"{P}:13:10: enabled: "]),
    "duplicate key": ({P: POLICY + "severity: low\n"}, [f"{P}:13:1: ", "severity", "4"]),
    "alias": ({P: POLICY.replace("title: Every VM has a size", "title: &t Every VM\ntags: [*t]")}, [f"{P}:3:8: "]),
    "merge-key bomb": ({P: "x0: &a0 {y: 1}\n" + BOMB}, [f"{P}:1:5: "]),
    "50,000 brackets": ({P: "x: " + "[" * 50_000}, [f"{P}:1:"]),
    "huge file": ({P: "# " + "x" * 300_000}, [P, "256"]),
    "tab": ({P: POLICY.replace("why: |\n  One", "why:\n\tOne")}, [f"{P}:9:1: ", "tab"]),
    "two documents": ({P: POLICY + "---\n" + POLICY}, [f"{P}:13:1: "]),
    "empty file": ({P: ""}, [P, "no policy"]),
    "comment only": ({P: "# nothing\n"}, [P]),
    "tag": ({P: POLICY.replace("title: Every", "title: !!python/name:os.system Every")}, [f"{P}:3:8: "]),
    "bad UTF-8": ({P: POLICY.encode().replace(b"size", b"\xff\xfe", 1)}, [P, "UTF-8"]),
    "byte order mark": ({P: b"\xef\xbb\xbf" + POLICY.encode()}, [P]),
    "control character": (
        {P: POLICY.replace("title: Every VM", 'title: "\\u001b[31mEvery VM').replace("a size\n", 'a size"\n', 1)},
        [P],
    ),
    "bad JMESPath": ({P: POLICY.replace("size != 'none'", "size != ")}, [f"{P}:6:"]),
    "literal that is not JSON": ({P: POLICY.replace("size != 'none'", "size != `none`")}, [f"{P}:6:", "'none'"]),
    "unknown function": ({P: POLICY.replace("size != 'none'", "regex(size)")}, [f"{P}:6:", "regex"]),
    "versions as texts": ({P: POLICY.replace("size != 'none'", "size >= '2.7'")}, [f"{P}:6:", "version_at_least"]),
    "unknown column in assert": (
        {P: POLICY.replace("size != 'none'", "siez != 'none'")},
        [f"{P}:6:", "siez", "did you mean", "size"],
    ),
    "unknown path in message": ({P: POLICY.replace("{size}.", "{Size}.")}, [f"{P}:7:", "Size"]),
    "unknown query": ({P: POLICY.replace("query: vms", "query: vmz")}, [f"{P}:5:8: ", "did you mean", "vms"]),
    "file name": ({P: POLICY.replace("vm-too-small", "vm-too-big")}, [f"{P}:2:7: name: "]),
    "newer format": ({K: PACK.replace("arguard-pack/1", "arguard-pack/2")}, [f"{K}:1:9: format: "]),
    "newer arguard": ({K: PACK.replace(">=0.1", ">=9.0")}, [f"{K}:2:"]),
    "query outside the pack": ({K: PACK.replace("queries/vms.kql", "../vms.kql")}, [f"{K}:7:"]),
    "missing query": ({K: PACK.replace("queries/vms.kql", "queries/vmz.kql")}, [f"{K}:7:"]),
    "key that is not projected": ({K: PACK.replace("key: [id]", "key: [id, lun]")}, ["lun"]),
    "bad KQL": ({Q: KQL.replace("| where", "| wher")}, [f"{Q}:2:"]),
    "catalog table": ({Q: KQL.replace("resources\n", "sqlite_master\n")}, [f"{Q}:1:1: ", "sqlite_master"]),
    "a file as table": ({Q: KQL.replace("resources\n", "['/etc/passwd']\n")}, [f"{Q}:1:1: "]),
    "control command": ({Q: ".show tables\n"}, [f"{Q}:1:1: "]),
    "type that ARG lacks": (
        {Q: KQL.replace("microsoft.compute/virtualmachines", "microsoft.authorization/locks")},
        [f"{Q}:2:", "microsoft.authorization/locks", "arm_locks"],
    ),
    "unknown column": ({Q: KQL.replace("id, name", "id, nme")}, [f"{Q}:3:", "nme", "did you mean", "name"]),
    "column in another case": ({Q: KQL.replace("id, name", "id, Name")}, [f"{Q}:3:", "Name", "name"]),
    "take": ({Q: KQL + "| take 10\n"}, [f"{Q}:4:", "take"]),
    "summarize at the end": ({Q: KQL + "| summarize n = count() by id\n"}, [f"{Q}:4:", "summarize"]),
    "operator outside the subset": ({Q: KQL + "| serialize\n"}, [f"{Q}:4:", "serialize"]),
    "changed id": ({Q: KQL.replace("project id,", "project id = tolower(id),")}, [f"{Q}:3:", "id"]),
}


def make(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    for name, text in {**GOOD, **files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def scan(pack: Path) -> int:
    return main(["scan", "--snapshot", str(CONTOSO), "--as-of", "snapshot", "--pack", str(pack), "-q"])


def test_the_pack_that_is_broken_here_is_good(tmp_path: Path) -> None:
    assert scan(make(tmp_path, {})) in {0, 1, 3}


def test_there_are_enough() -> None:
    assert len(BAD) >= 25


@pytest.mark.parametrize("name", BAD)
def test_a_malformed_file_is_refused_with_its_position(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    files, words = BAD[name]
    assert scan(make(tmp_path, files)) == 2
    printed = capfd.readouterr()
    assert not printed.out
    assert "Traceback" not in printed.err
    for word in words:
        assert word in printed.err, printed.err


def test_every_problem_of_every_file_is_listed_at_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    files = {
        P: POLICY.replace("severity: high", "severity: hihg").replace("why:", "wy:"),
        "TNY102-other.yaml": POLICY.replace("TNY101", "TNY102").replace("vm-too-small", "other").replace("size !=", "siez !="),
        Q: KQL.replace("id, name", "id, nme"),
    }
    assert scan(make(tmp_path, files)) == 2
    printed = capfd.readouterr().err
    places = re.findall(r"(\w[\w./-]*\.(?:yaml|kql)):(\d+):(\d+)", printed)
    assert {Path(file).name for file, _, _ in places} == {P, "TNY102-other.yaml", "vms.kql"}
    assert all(word in printed for word in ("hihg", "wy", "nme"))
