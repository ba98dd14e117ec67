"""What probe.sh sees of the agent, its Python, systemd and the network."""

from __future__ import annotations

import socket
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.probes.machine import DAEMON, STATIC_ADDRESS, Machine

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="probe.sh reads /proc: it is for Linux")


@pytest.mark.parametrize(
    ("arguments", "uid", "status"),
    [
        (("python3", "-u", "bin/WALinuxAgent-2.11.1.4-py3.8.egg", "-run-exthandlers"), 0, "pass"),
        (("/usr/bin/python3", "/usr/bin/waagent", "-daemon"), 0, "pass"),
        (DAEMON, 1000, "fail"),
        (("/usr/bin/python3", "-u", "/usr/sbin/waagent", "-version"), 0, "fail"),
        (("grep", "waagent"), 0, "fail"),
        (("tail", "-f", "/var/log/waagent.log", "-daemon"), 0, "fail"),
    ],
)
def test_the_agent_is_a_process_of_root_that_runs_its_daemon(
    machine: Machine, arguments: tuple[str, ...], uid: int, status: str
) -> None:
    machine.process(812, arguments, uid)
    assert machine.probe().status("lin_agent_process") == status


def test_without_root_an_agent_that_is_not_seen_is_unknown(machine: Machine) -> None:
    machine.command("id", "echo 1000")
    assert machine.probe().status("lin_agent_process") == "pass"
    machine.process(812, ("/sbin/agetty",))
    assert machine.probe().status("lin_agent_process") == "unknown"


def test_the_program_of_another_user_is_never_run(machine: Machine) -> None:
    trap = machine.root / "tmp" / "python"
    machine.program(trap, f"touch {machine.work}/ran")
    machine.process(666, (str(trap), "waagent", "-daemon"), uid=1000)
    machine.remove("proc/812/cmdline")
    machine.command("python3", "echo Python 3.9.1")
    assert machine.probe().check("lin_python")["value"] == "3.9.1"


@pytest.mark.parametrize(
    ("version", "status", "value"),
    [
        ("Python 2.4.3", "fail", "2.4.3"),
        ("Python 2.5", "fail", "2.5"),
        ("Python 2.6", "pass", "2.6"),
        ("Python 2.7.18+", "pass", "2.7.18+"),
        ("Python 3.10.0rc1", "pass", "3.10.0rc1"),
        ("Python 3.0", "pass", "3.0"),
        ("Python 1.5.2", "fail", "1.5.2"),
        ("Segmentation fault", "unknown", "unknown"),
        ("", "unknown", "unknown"),
    ],
)
def test_python_must_be_2_6_or_newer(machine: Machine, version: str, status: str, value: str) -> None:
    machine.python(version, open_ports=())
    check = machine.probe().check("lin_python")
    assert (check["status"], check["value"]) == (status, value)


@pytest.mark.parametrize("line", ["#!/usr/bin/python3 -u", "#! /usr/bin/python3", "#!/usr/bin/env python3"])
def test_a_stopped_agent_tells_its_python_by_the_first_line_of_its_program(machine: Machine, line: str) -> None:
    machine.remove("proc/812/cmdline")
    machine.put("usr/sbin/waagent", f"{line}\n")
    machine.command("python3", "echo Python 3.10.12")
    assert machine.probe().check("lin_python")["value"] == "3.10.12"


@pytest.mark.parametrize(
    ("shown", "status"),
    [
        ("Restart=always\nLoadState=loaded", "pass"),
        ("Restart=on-failure\nLoadState=loaded", "pass"),
        ("Restart=no\nLoadState=loaded", "fail"),
        ("Restart=on-success\nLoadState=loaded", "fail"),
        ("Restart=on-watchdog\nLoadState=loaded", "fail"),
        ("Restart=sometimes\nLoadState=loaded", "unknown"),
        ("Restart=\nLoadState=loaded", "unknown"),
        ("Restart=always\nLoadState=not-found", "unknown"),
        ("Restart=always\nLoadState=masked", "unknown"),
    ],
)
@pytest.mark.parametrize("unit", ["walinuxagent.service", "waagent.service"])
def test_systemd_must_restart_the_agent(machine: Machine, unit: str, shown: str, status: str) -> None:
    machine.systemd({unit: shown})
    assert machine.probe().status("lin_agent_autorestart") == status


def test_without_systemd_the_restart_is_unknown(everywhere: Machine) -> None:
    (everywhere.bin / "systemctl").unlink()
    assert everywhere.probe().status("lin_agent_autorestart") == "unknown"


@pytest.mark.parametrize(
    ("ports", "status"),
    [((80, 443, 32526), "pass"), ((80, 32526), "pass"), ((80, 443), "fail"), ((443, 32526), "fail"), ((), "fail")],
)
@pytest.mark.parametrize("user", ["0", "1000"])
def test_the_wire_server_needs_80_and_32526_and_only_root_can_miss_them(
    machine: Machine, ports: tuple[int, ...], status: str, user: str
) -> None:
    machine.python("Python 3.9.2", ports)
    machine.command("id", f"echo {user}")
    check = machine.probe().check("net_wireserver")
    assert check["status"] == ("unknown" if status == "fail" and user != "0" else status)
    assert check["value"] == [f"{port} {'open' if port in ports else 'closed'}" for port in (80, 443, 32526)]


def test_connections_are_made_by_a_real_python_that_sends_nothing(machine: Machine) -> None:
    with ExitStack() as stack:
        listeners = {port: stack.enter_context(socket.create_server(("127.0.0.1", 0))) for port in (80, 32526)}
        with socket.create_server(("127.0.0.1", 0)) as closed:
            gone = closed.getsockname()[1]
        machine.forwarding_python({443: gone, **{port: server.getsockname()[1] for port, server in listeners.items()}})
        assert machine.probe().check("net_wireserver")["value"] == ["80 open", "443 closed", "32526 open"]
        for server in listeners.values():
            connection, _ = server.accept()
            assert connection.recv(1) == b""
            connection.close()


@pytest.mark.parametrize("way", ["working folder", "PYTHONPATH"])
def test_no_module_of_others_is_imported(machine: Machine, way: str) -> None:
    hostile = machine.home / "hostile"
    hostile.mkdir()
    (hostile / "socket.py").write_text("raise SystemExit(0)\n", encoding="utf-8")
    if way == "PYTHONPATH":
        machine.environment["PYTHONPATH"] = str(hostile)
    log = machine.home / "imported"
    machine.program(
        machine.root / "usr/bin/python3",
        f"""[ "$1" = -c ] || exit 1
{sys.executable} -c 'import socket; print(socket.__file__)' >>{log}
exit 3""",
    )
    assert machine.probe(folder=hostile).status("net_wireserver") == "fail"
    assert {Path(line).name for line in log.read_text("utf-8").splitlines()} == {"socket.py"}
    assert str(hostile) not in log.read_text("utf-8")
    assert [path.name for path in hostile.iterdir()] == ["socket.py"]


def test_no_python_is_no_answer(machine: Machine) -> None:
    machine.remove("usr/bin/python3")
    assert machine.probe().status("net_wireserver") == "unknown"


@pytest.mark.parametrize(
    "proof",
    [
        ("run/systemd/netif/leases/2", "ADDRESS=10.0.0.4\n"),
        ("run/wicked/leaseinfo.eth0.dhcp.ipv4", "INTERFACE=eth0\n"),
        ("proc/700/cmdline", "/sbin/dhclient\0-pf\0/run/dhclient.eth0.pid\0eth0\0"),
        ("proc/700/cmdline", "udhcpc\0-b\0-i\0eth0\0"),
    ],
)
def test_a_lease_without_a_lifetime_is_found_elsewhere(machine: Machine, proof: tuple[str, str]) -> None:
    machine.address(STATIC_ADDRESS)
    assert machine.probe().status("net_dhcp") == "fail"
    machine.put(*proof)
    assert machine.probe().status("net_dhcp") == "pass"


@pytest.mark.parametrize(
    "elsewhere",
    [
        ("run/systemd/netif/leases/3", ""),
        ("run/wicked/leaseinfo.eth1.dhcp.ipv4", ""),
        ("proc/700/cmdline", "dhclient\0-pf\0/run/dhclient.eth01.pid\0eth01\0"),
    ],
)
def test_a_lease_of_another_nic_is_no_lease(machine: Machine, elsewhere: tuple[str, str]) -> None:
    machine.address(STATIC_ADDRESS)
    machine.put(*elsewhere)
    assert machine.probe().status("net_dhcp") == "fail"


def test_an_unknown_primary_nic_is_unknown(machine: Machine) -> None:
    machine.put("proc/net/route", "Iface\tDestination\tGateway \tFlags\n")
    assert machine.probe().status("net_dhcp") == "unknown"
    machine.remove("proc/net/route")
    assert machine.probe().status("net_dhcp") == "unknown"


def test_a_nic_without_an_address_is_unknown(machine: Machine) -> None:
    machine.command("ip", "exit 1")
    assert machine.probe().status("net_dhcp") == "unknown"
