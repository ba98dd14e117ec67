"""An emulator that stands for Azure in tests of the command line: its address, token and authority are in the environment."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from scanner.emulator.server import Emulator
from tests.emulator.emulated import CONTOSO, DR, PROD, emulated

__all__ = ["CONTOSO", "DR", "PROD", "azure", "lines_of"]

NAMES = ("ENDPOINT", "TOKEN", "ALL", "SUBSCRIPTION", "MANAGEMENT_GROUP", "AUTH", "CLOUD", "DEADLINE", "QUOTA", "SAVE")


@contextmanager
def azure(spool: Path, **told: Any) -> Iterator[Emulator]:
    """An emulator over the bundled estate, which the environment names until the block ends."""
    with emulated(CONTOSO, spool, **told) as client, pytest.MonkeyPatch.context() as patch:
        for name in NAMES:
            patch.delenv(f"ARGUARD_{name}", raising=False)
        patch.setenv("ARGUARD_ENDPOINT", client.emulator.url)
        patch.setenv("ARGUARD_TOKEN", client.emulator.token)
        patch.setenv("REQUESTS_CA_BUNDLE", str(client.emulator.ca))
        for name in [name for name in os.environ if name.lower() in {"https_proxy", "http_proxy", "all_proxy"}]:
            patch.delenv(name)
        yield client.emulator


def lines_of(file: Path) -> list[dict[str, Any]]:
    """The lines of a native result."""
    return [json.loads(line) for line in file.read_bytes().splitlines()]
