"""Reporters: one format, one module, each a pure function from a scan's result to bytes.

A reporter touches no disk, no clock and no environment. Its module is named by one word, the format's name; a part that a
format is split into is called `<format>_<part>`, and what several formats share is listed in `_SHARED`. Nothing is
imported before a format is asked for.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Protocol, cast

from scanner.model import ScanResult

_SHARED = frozenset({"advice", "rows", "sanitise", "wording"})


class Reporter(Protocol):
    """What every format offers; options beyond the result have defaults (see `reporters.console`)."""

    def render(self, result: ScanResult) -> Iterator[bytes]:
        """Write the report in pieces; RuntimeError if the result contradicts its own counts, which is a bug in arguard."""
        ...


def names() -> list[str]:
    """Every format, sorted."""
    found = (module.name for module in pkgutil.iter_modules(__path__) if not module.ispkg)
    return sorted(name for name in found if "_" not in name and name not in _SHARED)


def load(name: str) -> Reporter:
    """The reporter of a format; KeyError if there is no such format."""
    if name not in names():
        raise KeyError(name)
    return cast("Reporter", importlib.import_module(f"{__name__}.{name}"))
