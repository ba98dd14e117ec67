"""A small pack that is good, to be broken in one place by each test."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from scanner import packs
from scanner.errors import InputError
from scanner.policy import Pack

PACK = dedent("""\
    format: arguard-pack/1
    requires_arguard: ">=0.1"
    id: tiny
    version: 1.0.0
    title: A tiny pack
    queries:
      vms: {file: queries/vms.kql, key: [id]}
      disks: {file: queries/disks.kql, key: [id], spans: scope}
    parameters:
      max_size: {type: integer, default: 10, weaker: higher, describe: largest, source: "https://example.com/"}
      unread: {type: boolean, default: true}
      max_age: {type: integer, default: 24}
    profiles:
      current: {}
      strict: {max_size: 5, words: [a]}
    """)
VMS = """\
resources
| where type =~ 'microsoft.compute/virtualmachines'
| project id, name, size = tolong(properties.size), props = properties, state = tostring(properties.state)
"""
DISKS = """\
resources
| where type =~ 'microsoft.compute/disks'
| project id, vm = tolower(managedBy), gib = tolong(properties.diskSizeGB)
"""
POLICY = dedent("""\
    id: TNY101
    name: vm-too-large
    title: No VM is too large
    severity: medium
    severity_when:
      - {when: "state == 'old'", severity: critical}
    needs: [evidence, "parameter:words"]
    params:
      words: {type: string_list}
    query: vms
    subject: "vm:{name}"
    attach:
      status: {from: arm_vm_status, one: {id: id}}
      disks: {from: disks, many: {vm: id}}
      locks: {from: arm_locks, covering: id}
      proof: {from: evidence, one: {id: id}, max_age: {at: collected_at, hours: params.max_age}}
    applies: {when: "state != 'off'", because: the VM is off}
    assert: size <= params.max_size && length(disks[?gib > `1`]) == `0` && status.agent_code == 'x'
    optional: [status, "disks[*].gib"]
    cause: locks[0].id
    message: "{name} is {size}, {props.more}; {locks[0].relation}; {params.words}."
    why: It breaks.
    fix: Mend it.
    references: ["https://example.com/a"]
    tags: [size]
    explains: [Error1]
    min_population: 2
    """)
CASES = dedent("""\
    - case: a large VM fails
      given:
        collected_at: 2026-11-20T06:00:00Z
        profile: strict
        params: {max_size: 1, words: [b]}
        unanswered: {arm_vm_status: [s2]}
        resources:
          - {id: /subscriptions/s1/x, type: microsoft.compute/virtualmachines}
      expect:
        fail: [rg/web01]
        unknown: [[rg/web02, "vm:web02"]]
    """)
P, V, K, C = "TNY101-vm-too-large.yaml", "queries/vms.kql", "pack.yaml", "cases/TNY101.yaml"
GOOD: Mapping[str, str] = {K: PACK, V: VMS, "queries/disks.kql": DISKS, P: POLICY, C: CASES}


def make(folder: Path, files: Mapping[str, str] = {}) -> Path:
    for name, text in {**GOOD, **files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode())
    return folder


def load(folder: Path) -> Pack:
    (pack,) = packs.load([folder], cases=True)
    return pack


def problems_of(*folders: Path) -> list[str]:
    """Every problem, its file relative to its pack."""
    with pytest.raises(InputError) as caught:
        packs.load(folders, cases=True)
    texts = [str(problem) for problem in caught.value.problems]
    for folder in folders:
        texts = [text.replace(f"{folder}{os.sep}", "").replace(os.sep, "/") for text in texts]
    return texts


def changed(name: str, old: str, new: str) -> dict[str, str]:
    assert old in GOOD[name]
    return {name: GOOD[name].replace(old, new, 1)}
