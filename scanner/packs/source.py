"""A pack as its author wrote it: each file with its tree and its model, so that later checks can point into it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from scanner.authoring import PackFile, PolicyFile
from scanner.authoring.cases import CasesFile
from scanner.authoring.coverage import CoverageFile
from scanner.authoring.read import path_of
from scanner.errors import Problem
from scanner.nodes import Node, Part, ScalarNode, find, key_position

S = TypeVar("S", PackFile, PolicyFile, CasesFile, CoverageFile)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written(Generic[S]):
    """One YAML file of a pack. `file` is its path as problems show it, `name` its path inside the pack with '/'."""

    file: str
    name: str
    node: Node
    spec: S

    def problem(self, path: Sequence[Part], text: str, *, at_key: bool = False, offset: int | None = None) -> Problem:
        """A problem at a value, at its key, or at a character of its text."""
        node = find(self.node, path)
        place = key_position(self.node, path) if at_key else self.node.at(path)
        if offset is not None and isinstance(node, ScalarNode):
            place = node.place(offset)
        return Problem(file=self.file, line=place.line, column=place.column, path=path_of(path), text=text)


@dataclass(slots=True, kw_only=True)
class PackSource:
    """A pack as it was read; `pack` is None where pack.yaml cannot be used.

    `names` are the policy files, `policies` those that could be read. `kql` holds the text of each query that could be
    read, `digests` the sha256 of every file that decides, by name.
    """

    folder: Path
    pack: Written[PackFile] | None = None
    names: list[str] = field(default_factory=list)
    policies: list[Written[PolicyFile]] = field(default_factory=list)
    cases: list[Written[CasesFile]] = field(default_factory=list)
    coverage: Written[CoverageFile] | None = None
    kql: dict[str, str] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """One sha256 over the names and the contents of every file that decides."""
        lines = "".join(f"{name}\0{digest}\n" for name, digest in sorted(self.digests.items()))
        return hashlib.sha256(lines.encode()).hexdigest()

    def shown(self, name: str) -> str:
        """A name inside the pack, relative to the folder that holds the pack."""
        return f"{self.folder.resolve().name}/{name}"
