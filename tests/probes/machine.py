"""Made-up Linux VMs for probe.sh: a tree of files that it reads, and a folder that is its whole PATH.

The shell, its tools, curl and wget are real. Fake are the commands that ask a machine: id, systemctl, ip, the agent's Python.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, get_args

from scanner.authoring.evidence import CheckKey

PROBES = Path(__file__).resolve().parents[2] / "policies" / "azure-backup" / "probes"
SCRIPT = PROBES / "probe.sh"
VM = (
    "/subscriptions/1c0507aa-6f2e-4d0b-8a11-3e5b9d7c0001/resourceGroups/RG-web/providers/Microsoft.Compute"
    "/virtualMachines/web01"
)
TOOLS = ("awk", "cat", "date", "grep", "mktemp", "mv", "od", "rm", "sed", "timeout", "tr")
LINUX_KEYS = tuple(key for key in get_args(CheckKey) if not key.startswith("win_"))
WINDOWS_KEYS = tuple(key for key in get_args(CheckKey) if not key.startswith("lin_"))
HEALTHY_CONF = "# Azure Linux Agent\nExtensions.Enabled=y\nProvisioning.Agent=auto\nLogs.Verbose=n\n"
HEALTHY_ADDRESS = (
    "2: eth0    inet 10.0.0.4/24 metric 100 brd 10.0.0.255 scope global dynamic eth0"
    "\\       valid_lft 86000sec preferred_lft 86000sec"
)
STATIC_ADDRESS = "2: eth0    inet 10.0.0.4/24 brd 10.0.0.255 scope global eth0\\       valid_lft forever preferred_lft forever"
ROUTES = (
    "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
    "eth1\t00000000\t0101000A\t0003\t0\t0\t200\t00000000\t0\t0\t0\n"
    "eth0\t00000000\t0100000A\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
    "tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n"
    "eth0\t10813FA8\t0100000A\t0007\t0\t0\t100\tFFFFFFFF\t0\t0\t0\n"
)
UNITS = {"walinuxagent.service": "LoadState=loaded\nRestart=always", "waagent.service": "LoadState=not-found\nRestart=no"}
DAEMON = ("/usr/bin/python3", "-u", "/usr/sbin/waagent", "-daemon")


@dataclass(frozen=True, slots=True)
class Run:
    """What one run left behind; `document` is None when nothing was written."""

    code: int
    stdout: str
    stderr: str
    document: dict[str, Any] | None

    def check(self, key: str) -> dict[str, Any]:
        assert self.document is not None, self.stderr
        found: dict[str, Any] = self.document["checks"][key]
        return found

    def status(self, key: str) -> str:
        return str(self.check(key)["status"])


SHELLS = ("sh", "dash", "bash", "busybox sh")
AWKS = ("mawk", "gawk", "original-awk", "busybox")
CLIENTS = ("curl", "wget", "busybox wget")


def present(commands: Sequence[str]) -> list[str]:
    """Those whose program is on this machine; `make test-all` installs and tries all of them."""
    return [command for command in commands if shutil.which(command.split()[0])]


@dataclass(slots=True)
class Machine:
    """A healthy VM until a test spoils it. `home` is empty; `root` and `bin` lie in it."""

    home: Path
    shell: str = "sh"
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for folder in (self.root, self.bin, self.work):
            folder.mkdir(parents=True)
        for tool in TOOLS:
            self.real(tool)
        self.command("id", "echo 0")
        self.systemd(UNITS)
        self.address(HEALTHY_ADDRESS)
        self.put("etc/waagent.conf", HEALTHY_CONF)
        self.put("proc/net/route", ROUTES)
        self.put("sys/class/net/eth0/ifindex", "2\n")
        self.put("usr/sbin/waagent", "#!/usr/bin/env python3\nprint('agent')\n")
        self.process(1, ("/sbin/init",))
        self.process(812, DAEMON)
        self.python("Python 3.10.12", open_ports=(80, 32526))

    @property
    def root(self) -> Path:
        return self.home / "root"

    @property
    def bin(self) -> Path:
        return self.home / "bin"

    @property
    def work(self) -> Path:
        return self.home / "work"

    def put(self, path: str, text: str | bytes) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        return file

    def remove(self, path: str) -> None:
        (self.root / path).unlink()

    def program(self, file: Path, body: str) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.write_text(f"#!{shutil.which('sh')}\n{body}\n", encoding="utf-8")
        file.chmod(0o755)

    def command(self, name: str, body: str) -> None:
        self.program(self.bin / name, body)

    def real(self, name: str, target: str = "") -> None:
        """A command of this machine in the PATH of the probe; `target` is what stands behind its name."""
        found = shutil.which(target or name)
        assert found, f"the tests need {target or name}"
        (self.bin / name).unlink(missing_ok=True)
        (self.bin / name).symlink_to(found)

    def process(self, pid: int, arguments: tuple[str, ...], uid: int = 0) -> None:
        self.put(f"proc/{pid}/cmdline", "\0".join((*arguments, "")))
        self.put(f"proc/{pid}/status", f"Name:\tx\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\n")

    def systemd(self, units: Mapping[str, str]) -> None:
        cases = "".join(f"{name}) printf '%s\\n' '{shown}' ;;\n" for name, shown in units.items())
        self.command("systemctl", f"for last; do :; done\ncase $last in\n{cases}*) exit 1 ;;\nesac")

    def address(self, line: str) -> None:
        self.command("ip", f"printf '%s\\n' '{line}'")

    def python(self, version: str, open_ports: tuple[int, ...], path: str = "usr/bin/python3") -> None:
        """The agent's Python: tells its version, and connects to nothing but the open ports."""
        ports = "|".join(map(str, open_ports)) or "none"
        body = (
            f"case $1 in\n-V) echo '{version}' ;;\n-c) case $3 in {ports}) exit 0 ;; *) exit 3 ;; esac ;;\n*) exit 9 ;;\nesac"
        )
        self.program(self.root / path, body)

    def forwarding_python(self, ports: Mapping[int, int]) -> None:
        """A real Python whose connections to 168.63.129.16 end at ports of this machine instead."""
        program = (
            "import socket, sys\n"
            f"ports = {dict(ports)!r}\n"
            "class Forwarding(socket.socket):\n"
            "    def connect(self, address):\n"
            "        assert address[0] == '168.63.129.16'\n"
            "        super().connect(('127.0.0.1', ports[address[1]]))\n"
            "socket.socket = Forwarding\n"
            "code = sys.argv[2]\n"
            "sys.argv = ['-c', *sys.argv[3:]]\n"
            "exec(code)\n"
        )
        wrapper = self.home / "forward.py"
        wrapper.write_text(program, encoding="utf-8")
        self.program(
            self.root / "usr/bin/python3", f'[ "$1" = -V ] && echo Python 3.11.4 && exit\nexec {sys.executable} {wrapper} "$@"'
        )

    def run(self, *arguments: str, vm: str = VM, out: str = "", root: bool = True, folder: Path | None = None) -> Run:
        """One run in `folder` (`work`); fails if it changed anything that it reads, or left anything but its document."""
        before = fingerprint(self.root)
        given = [
            *(["--root", str(self.root)] if root else []),
            *(["--vm-id", vm] if vm else []),
            *(["--out", out] if out else []),
        ]
        name, *first = self.shell.split()
        done = subprocess.run(
            [str(shutil.which(name)), *first, str(SCRIPT), *given, *arguments],
            cwd=folder or self.work,
            env={"PATH": str(self.bin), "ARGUARD_PROBE_METADATA_URL": "http://127.0.0.1:9/", **self.environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert fingerprint(self.root) == before
        return self._seen(done.returncode, done.stdout.decode(), done.stderr.decode(errors="replace"), out)

    def _seen(self, code: int, stdout: str, stderr: str, out: str) -> Run:
        files = sorted(self.work.iterdir())
        if out == "-":
            assert not files
            return Run(code, stdout, stderr, json.loads(stdout) if code == 0 else None)
        document = json.loads(files[0].read_text("utf-8")) if len(files) == 1 and code == 0 else None
        if document is None:
            assert not files, (files, stderr)
        else:
            keep_contract(document)
        return Run(code, stdout, stderr, document)

    def probe(self, **options: Any) -> Run:
        """A run that must write a document to stdout, and whose document keeps the contract."""
        done = self.run(out="-", **options)
        assert done.code == 0, done.stderr
        assert done.document is not None
        keep_contract(done.document)
        return done


def keep_contract(document: dict[str, Any]) -> None:
    """The shape that docs/snapshot-format.md has for evidence."""
    assert list(document) == ["id", "collected_at", "tool", "checks"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", document["collected_at"])
    assert document["tool"] == "arguard-probe/1 sh"
    assert sorted(document["checks"]) == sorted(LINUX_KEYS)
    for check in document["checks"].values():
        assert list(check) == ["status", "value", "detail"]
        assert check["status"] in {"pass", "fail", "unknown"}
        assert isinstance(check["value"], str | bool | int | list)
        assert check["detail"]
        assert check["detail"].isprintable()


def fingerprint(folder: Path) -> dict[str, tuple[int, int, str]]:
    """Mode, time of the last change and content of everything in a folder."""
    seen: dict[str, tuple[int, int, str]] = {}
    for base, folders, files in os.walk(folder):
        for path in [Path(base, name) for name in (*folders, *files)]:
            stat = path.lstat()
            content = sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            seen[str(path)] = (stat.st_mode, stat.st_mtime_ns, content)
    return seen
