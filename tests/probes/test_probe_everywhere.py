"""probe.sh under every shell, awk and HTTP client that it is written for: all of them are installed first, none is left out."""

from __future__ import annotations

import sys

import pytest

from tests import debian
from tests.probes.machine import AWKS, CLIENTS, LINUX_KEYS, SHELLS, TOOLS, Machine, present
from tests.probes.metadata import Metadata

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(sys.platform != "linux", reason="probe.sh reads /proc: it is for Linux"),
]


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    """Debian's packages have the names of their commands."""
    wanted = [*SHELLS, *AWKS, *CLIENTS]
    missing = sorted({one.split()[0] for one in wanted} - {one.split()[0] for one in present(wanted)})
    if missing:
        debian.install(missing)
    assert present(wanted) == wanted


def healthy(machine: Machine) -> bool:
    done = machine.run()
    return {done.status(key) for key in LINUX_KEYS} == {"pass"}


@pytest.mark.parametrize("awk", AWKS)
@pytest.mark.parametrize("shell", SHELLS)
def test_a_healthy_machine_passes_under_every_shell_and_awk(machine: Machine, shell: str, awk: str) -> None:
    machine.shell = shell
    machine.real("awk", awk)
    assert healthy(machine)


def test_the_tools_of_busybox_alone_will_do(machine: Machine) -> None:
    for tool in TOOLS:
        machine.real(tool, "busybox")
    machine.shell = "busybox sh"
    assert healthy(machine)


@pytest.mark.parametrize("client", CLIENTS)
def test_every_client_asks_the_metadata_service(machine: Machine, metadata: type[Metadata], client: str) -> None:
    machine.real(client.rsplit(maxsplit=1)[-1], client.split(maxsplit=1)[0])
    done = machine.run(vm="")
    assert done.document is not None, done.stderr
    assert done.document["id"] == metadata.answer
