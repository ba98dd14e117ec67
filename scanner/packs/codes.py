"""The error codes of a pack: what a failed job may have failed with, and which policies explain it."""

from __future__ import annotations

from collections.abc import Iterator

from scanner.authoring import PackFile
from scanner.authoring.read import did_you_mean
from scanner.errors import Problem
from scanner.packs.source import PackSource, Written
from scanner.policy import Code


def pack_codes(spec: PackFile) -> tuple[Code, ...]:
    """The codes in the order of pack.yaml: where several fit a job, the first of them counts."""
    return tuple(
        Code(
            name=name,
            title=one.title,
            link=one.link,
            messages=one.messages,
            phase=one.phase or "",
            causes=one.causes,
        )
        for name, one in spec.codes.items()
    )


def code_problems(source: PackSource, pack: Written[PackFile]) -> Iterator[Problem]:
    """A code's causes and the policies that explain it are one fact written from both sides, so they must agree.

    A pack without codes may let its policies explain whatever codes there are.
    """
    policies = {written.spec.id: written for written in source.policies}
    everything_read = len(source.policies) == len(source.names)
    for name, code in pack.spec.codes.items():
        for number, cause in enumerate(code.causes):
            path = ("codes", name, "causes", number)
            if cause not in policies and everything_read:
                yield pack.problem(path, f"the pack has no policy {cause}{did_you_mean(cause, policies)}")
            elif cause in policies and name not in policies[cause].spec.explains:
                yield pack.problem(path, f"{cause} does not list {name} under `explains`; add it there, or take it out here")
    for identity, written in policies.items() if pack.spec.codes else ():
        for number, name in enumerate(written.spec.explains):
            if name not in pack.spec.codes:
                words = f"pack.yaml has no code '{name}'{did_you_mean(name, pack.spec.codes)}"
                yield written.problem(("explains", number), words)
            elif identity not in pack.spec.codes[name].causes:
                words = f"pack.yaml does not list {identity} among the causes of {name}; its place there says how likely it is"
                yield written.problem(("explains", number), words)
