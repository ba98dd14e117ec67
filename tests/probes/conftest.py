"""A made-up VM for each test, in `sh` or in every shell of this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.probes.machine import Machine, shells


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture(params=shells())
def everywhere(request: pytest.FixtureRequest, tmp_path: Path) -> Machine:
    return Machine(tmp_path, shell=request.param)
