"""Estates that live scans share; each is written once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import big_estate
from tests.live.world import Stage, emulating


@pytest.fixture(scope="session")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two subscriptions of three virtual machines each, in which nothing is wrong."""
    return estate(tmp_path_factory, subscriptions=2, vms=3)


@pytest.fixture(scope="session")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight subscriptions with two virtual machines each."""
    return estate(tmp_path_factory, subscriptions=8, vms=2)


@pytest.fixture(scope="module")
def stage(healthy: Path) -> Iterator[Stage]:
    """An emulator over `healthy`, for all tests of a module."""
    with emulating(healthy) as emulator:
        yield Stage(emulator)


@pytest.fixture(scope="session")
def homes(healthy: Path) -> tuple[str, ...]:
    """The subscriptions of `healthy`."""
    return tuple(json.loads((healthy / "manifest.json").read_bytes())["scope"]["subscriptions"])


def estate(factory: pytest.TempPathFactory, *, subscriptions: int, vms: int, defects: float = 0.0) -> Path:
    folder = factory.mktemp("estate") / "snapshot"
    big_estate.write(folder, subscriptions=subscriptions, vms_per_subscription=vms, defects=defects)
    return folder
