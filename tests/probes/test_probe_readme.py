"""The README of the probes: every key explained, and its recipes for many VMs as they stand there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.probes.machine import LINUX_KEYS, PROBES, VM, WINDOWS_KEYS, Machine

README = (PROBES / "README.md").read_text("utf-8")
MANY = re.findall(r"(?s)```sh\n(.*?)```", README)[1]


def test_every_key_is_explained() -> None:
    assert sorted(re.findall(r"(?m)^\| `(\w+)` \|", README)) == sorted({*WINDOWS_KEYS, *LINUX_KEYS})


@pytest.mark.skipif(sys.platform != "linux", reason="the recipe is for a POSIX shell")
def test_the_recipe_for_run_command_collects_a_document_of_each_vm(machine: Machine) -> None:
    """The recipe as it stands, with an `az` that runs the Linux script here and wraps its answer as Run Command does."""
    ids = {VM: "Linux", VM.replace("web01", "dead"): "Linux", VM.replace("web01", "win"): "Windows"}
    listing = "\n".join("\t".join(pair) for pair in ids.items())
    answer = machine.home / "answer.py"
    answer.write_text(
        "import json, sys\n"
        "said = f'Enable succeeded: \\n[stdout]\\n{sys.stdin.read()}\\n[stderr]\\n}}'\n"
        "print(json.dumps({'value': [{'message': said}, {'message': ''}]}))\n",
        encoding="utf-8",
    )
    az = f"""case $* in
'vm list '*) printf '%s\\n' '{listing}' ;;
*/dead*) echo '{{"value": [{{"message": "the agent does not answer"}}]}}' ;;
*RunShellScript*) sed 's|--out -|--out - --vm-id {VM} --root {machine.root}|' run.sh | sh | {sys.executable} {answer} ;;
*RunPowerShellScript*@run.ps1*) echo '{{"id": "windows"}}' | {sys.executable} {answer} ;;
esac"""
    machine.command("az", az)
    machine.command("python3", f'exec {sys.executable} "$@"')
    for tool in ("mkdir", "sh", "printf"):
        machine.real(tool)
    for name in ("probe.sh", "probe.ps1"):
        (machine.work / name).write_bytes((PROBES / name).read_bytes())
    done = subprocess.run(
        ["/bin/sh", "-c", MANY],
        cwd=machine.work,
        env={"PATH": str(machine.bin), "ARGUARD_PROBE_METADATA_URL": "http://127.0.0.1:9/"},
        capture_output=True,
        text=True,
        check=True,
    )
    evidence = {path.name.rsplit("_", 1)[1]: read(path) for path in (machine.work / "evidence").iterdir()}
    assert evidence == {"web01.json": VM, "win.json": "windows"}
    assert f"no evidence of {VM.replace('web01', 'dead')}" in done.stderr
    assert (machine.work / "run.ps1").read_text("utf-8").startswith("& {\n#Requires -Version 5.1\n")
    assert (machine.work / "run.ps1").read_text("utf-8").endswith("\n} -Out '-'\n")


def read(document: Path) -> str:
    return str(json.loads(document.read_text("utf-8"))["id"])
