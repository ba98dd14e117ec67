"""Reporters: one format, one module, each a pure function from a scan's result to bytes.

A reporter touches no disk, no clock and no environment. Its module is named by one word, the format's name; a part that a
format is split into is called `<format>_<part>`, and what several formats share is listed in `_SHARED`. A format whose name
has a dash is listed in `_DASHED`, because a module's name cannot have one. Nothing is imported before a format is asked for.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from typing import Protocol, cast

from reporters.view import UNASKED, Profile, View
from scanner.model import ScanResult

_SHARED = frozenset({"advice", "annotations", "rows", "sanitise", "view", "wording"})
_DASHED = {"azure_pipelines": "azure-pipelines"}
"""The formats whose names have a dash, by module."""


class Reporter(Protocol):
    """What every format offers; options beyond the view have defaults (see `reporters.console`)."""

    @property
    def PROFILES(self) -> Mapping[str, Profile]:  # noqa: N802 - a constant of a module
        """The ways to write the format, the one that is meant without a name first; its name is empty if it is the only one."""
        ...

    def render(self, result: ScanResult, view: View = UNASKED) -> Iterator[bytes]:
        """Write the report in pieces; RuntimeError if the result contradicts its own counts, which is a bug in arguard."""
        ...


class Divided(Reporter, Protocol):
    """What a format with a profile that writes a folder offers besides."""

    def parts(self, result: ScanResult, view: View = UNASKED) -> Iterator[tuple[str, Iterator[bytes]]]:
        """The name and the pieces of each file, in the order of their names."""
        ...


def names() -> list[str]:
    """Every format, sorted."""
    found = (module.name for module in pkgutil.iter_modules(__path__) if not module.ispkg)
    return sorted(_DASHED.get(name, name) for name in found if name in _DASHED or ("_" not in name and name not in _SHARED))


def load(name: str) -> Reporter:
    """The reporter of a format; KeyError if there is no such format."""
    if name not in names():
        raise KeyError(name)
    return cast("Reporter", importlib.import_module(f"{__name__}.{name.replace('-', '_')}"))
