"""A made-up VM for each test, in `sh` or in every shell of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.probes.machine import SHELLS, Machine, present
from tests.probes.metadata import Metadata


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture(params=present(SHELLS))
def everywhere(request: pytest.FixtureRequest, tmp_path: Path) -> Machine:
    return Machine(tmp_path, shell=request.param)


@pytest.fixture
def metadata(machine: Machine) -> Iterator[type[Metadata]]:
    handler = type("Handler", (Metadata,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        machine.environment["ARGUARD_PROBE_METADATA_URL"] = f"http://127.0.0.1:{server.server_port}/id?format=text"
        machine.environment["http_proxy"] = machine.environment["HTTP_PROXY"] = "http://127.0.0.1:9"
        yield handler
        server.shutdown()
