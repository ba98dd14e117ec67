"""probe.sh as a command: its document, its use, the metadata service, in every POSIX shell that is here."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys

import pytest

from tests.probes.machine import AWKS, CLIENTS, LINUX_KEYS, SCRIPT, VM, Machine, keep_contract, present
from tests.probes.metadata import Metadata

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="probe.sh reads /proc: it is for Linux")


def test_a_healthy_machine_passes_every_check(everywhere: Machine) -> None:
    done = everywhere.probe()
    assert done.document is not None
    assert done.document["id"] == VM
    assert {key: done.status(key) for key in LINUX_KEYS} == dict.fromkeys(LINUX_KEYS, "pass")
    assert {key: done.check(key)["value"] for key in LINUX_KEYS} == {
        "lin_agent_process": True,
        "lin_python": "3.10.12",
        "lin_agent_autorestart": "always",
        "lin_waagent_conf": "Extensions.Enabled=y; Provisioning.Agent=auto",
        "net_wireserver": ["80 open", "443 closed", "32526 open"],
        "net_dhcp": "eth0 dhcp",
    }


def test_an_empty_machine_passes_nothing(everywhere: Machine) -> None:
    shutil.rmtree(everywhere.root)
    everywhere.root.mkdir()
    for name in ("systemctl", "ip"):
        (everywhere.bin / name).unlink()
    done = everywhere.probe()
    assert done.status("lin_agent_process") == "fail"
    assert {done.status(key) for key in LINUX_KEYS if key != "lin_agent_process"} == {"unknown"}


@pytest.mark.parametrize("awk", present(AWKS))
def test_any_awk_will_do(machine: Machine, awk: str) -> None:
    machine.real("awk", awk)
    machine.put("etc/waagent.conf", ' Extensions.Enabled\t=  "N"  # é\r\nProvisioning.Agent=auto\r\n')
    done = machine.probe(vm=VM.replace("RG-web", 'é😀"\\'))
    assert done.document is not None
    assert done.document["id"] == VM.replace("RG-web", 'é😀"\\')
    assert done.status("lin_waagent_conf") == "fail"
    assert done.status("net_dhcp") == "pass"


def test_the_document_is_one_file_named_after_the_vm_and_readable_by_its_owner_alone(everywhere: Machine) -> None:
    done = everywhere.run()
    assert (done.code, done.stdout, done.stderr) == (0, "", "")
    (file,) = everywhere.work.iterdir()
    assert file.name == "web01.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_document_is_replaced_whole(machine: Machine) -> None:
    old = machine.work / "web01.json"
    old.write_text("old " * 10_000, encoding="utf-8")
    old.chmod(0o644)
    assert machine.run(out="web01.json").status("net_dhcp") == "pass"
    assert stat.S_IMODE(old.stat().st_mode) == 0o600


def test_a_link_at_the_place_of_the_document_is_replaced_and_not_followed(machine: Machine) -> None:
    target = machine.home / "shadow"
    target.write_text("precious", encoding="utf-8")
    (machine.work / "web01.json").symlink_to(target)
    assert machine.run().code == 0
    assert target.read_text(encoding="utf-8") == "precious"


@pytest.mark.parametrize("out", ["missing/web01.json", "."])
def test_a_document_that_cannot_be_written_leaves_nothing(machine: Machine, out: str) -> None:
    done = machine.run(out=out)
    assert done.code == (2 if out == "." else 4)
    assert done.document is None
    assert "probe.sh: " in done.stderr


def test_a_failing_disk_leaves_nothing(machine: Machine) -> None:
    machine.command("mv", "exit 1")
    assert machine.run().code == 4


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--vm-id",), "--vm-id needs a value"),
        (("--out", ""), "--out needs a value"),
        (("--verbose",), "unknown argument --verbose"),
        (("--root", "nowhere"), "--root is no folder"),
        (("--vm-id", "web01"), "--vm-id is not the resource id of a VM"),
        (("--vm-id", f"{VM}\n{VM}"), "--vm-id is not the resource id of a VM"),
        (("--vm-id", f"{VM}/extensions/x"), "--vm-id is not the resource id of a VM"),
    ],
)
def test_wrong_use_is_said_and_writes_nothing(machine: Machine, arguments: tuple[str, ...], text: str) -> None:
    done = machine.run(*arguments, vm="", root=arguments[0] != "--root")
    assert (done.code, done.document) == (2, None)
    assert text in done.stderr


def test_help_is_the_head_of_the_script(machine: Machine) -> None:
    done = machine.run("--help")
    assert done.code == 0
    assert "Sends    one GET to the instance metadata service" in done.stdout
    assert "set -u" not in done.stdout


@pytest.mark.parametrize("head", ["", "set -- --out - --vm-id {vm} --root {root}\n"])
def test_it_also_runs_from_a_pipe_and_inside_another_script(everywhere: Machine, head: str) -> None:
    arguments = [] if head else ["-s", "--", "--out", "-", "--vm-id", VM, "--root", str(everywhere.root)]
    script = everywhere.home / "run.sh"
    script.write_text(head.format(vm=VM, root=everywhere.root) + SCRIPT.read_text("utf-8"), encoding="utf-8")
    name, *first = everywhere.shell.split()
    with script.open("rb") as pipe:
        done = subprocess.run(
            [str(shutil.which(name)), *first, *(arguments or [str(script)])],
            stdin=pipe,
            env={"PATH": str(everywhere.bin), "ARGUARD_PROBE_METADATA_URL": "http://127.0.0.1:9/"},
            capture_output=True,
            check=True,
        )
    keep_contract(json.loads(done.stdout))


@pytest.fixture(params=present(CLIENTS))
def client(request: pytest.FixtureRequest, machine: Machine) -> str:
    name = str(request.param)
    machine.real(name.rsplit(maxsplit=1)[-1], name.split(maxsplit=1)[0])
    return name


@pytest.mark.usefixtures("client")
def test_the_metadata_service_tells_the_id_past_any_proxy(machine: Machine, metadata: type[Metadata]) -> None:
    done = machine.run(vm="")
    assert done.document is not None, done.stderr
    assert done.document["id"] == VM
    assert metadata.asked == ("/id?format=text",)


@pytest.mark.usefixtures("client")
def test_the_metadata_service_knows_better_than_the_command_line(machine: Machine, metadata: type[Metadata]) -> None:
    assert metadata.answer == VM
    done = machine.run(vm=VM.replace("web01", "web02"))
    assert done.document is not None
    assert done.document["id"] == VM
    assert "--vm-id is not used" in done.stderr


@pytest.mark.usefixtures("client")
@pytest.mark.parametrize("answer", ["<html>sign in</html>", f"{VM}\n{VM}", "", "/subscriptions/x"])
def test_an_answer_that_is_no_vm_is_no_answer(machine: Machine, metadata: type[Metadata], answer: str) -> None:
    metadata.answer = answer
    done = machine.run(vm="")
    assert (done.code, done.document) == (2, None)
    assert "did not tell the resource id of this VM" in done.stderr
    assert machine.run().code == 0


@pytest.mark.usefixtures("client")
def test_without_the_metadata_service_an_id_must_be_given(machine: Machine) -> None:
    assert (machine.run(vm="").code, machine.run(vm="").document) == (2, None)
    assert machine.run(vm=f"{VM}/").code == 0


def test_without_curl_and_wget_an_id_must_be_given(everywhere: Machine) -> None:
    assert everywhere.run(vm="").code == 2
    assert everywhere.run().code == 0


@pytest.mark.parametrize(
    ("vm", "file"),
    [
        (VM.replace("RG-web", 'a"b\\c$(id)`id`'), "web01.json"),
        (VM.replace("RG-web", "größe-北-😀"), "web01.json"),
        (VM.replace("web01", "we b'\"\\é*"), "we_b______.json"),
        (VM.replace("web01", ".."), "...json"),
        (VM.replace("web01", "-rf"), "-rf.json"),
        (VM.replace("Compute/", "Compute/virtualMachineScaleSets/vmss/"), "web01.json"),
        (VM.lower(), "web01.json"),
    ],
)
def test_odd_names_keep_their_id_and_get_a_plain_file(everywhere: Machine, vm: str, file: str) -> None:
    done = everywhere.run(vm=vm)
    assert done.document is not None, done.stderr
    assert done.document["id"] == vm
    assert [path.name for path in everywhere.work.iterdir()] == [file]


def test_bytes_that_are_not_utf_8_are_replaced_and_nothing_else(everywhere: Machine) -> None:
    # A lone byte, a cut sequence, a surrogate, beyond Unicode, too long a form in two, three and four bytes, and what is fine.
    odd = b"\xff\xc3(\xed\xa0\x80)\xf5\x80\x80\x80.\xf4\x90\x80\x80 \xc0\xaf,\xe0\x80\xaf;\xf0\x80\x80\xaf:\xe2\x82 "
    odd += b"\xe2\x82\xac\xf4\x8f\xbf\xbf"
    done = everywhere.probe(vm=os.fsdecode(VM.encode() + odd))
    assert done.document is not None
    # How many marks stand for one broken sequence is left to the decoder.
    one_mark = re.sub("\ufffd+", "\ufffd", done.document["id"])
    assert one_mark == re.sub("\ufffd+", "\ufffd", (VM.encode() + odd).decode("utf-8", "replace"))


def test_the_script_is_ascii_and_changes_nothing_by_name() -> None:
    text = SCRIPT.read_bytes()
    assert text.isascii()
    assert b"\r" not in text
    assert b"eval " not in text
