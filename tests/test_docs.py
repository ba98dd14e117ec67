"""The documentation is what the code says: generated parts are fresh, and every command in the README runs."""

from __future__ import annotations

import re
import shlex
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from scanner.cli import main
from scanner.cli.commands import arguard

pytestmark = pytest.mark.estate
ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [line[2:] for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]
EXPECTED = {"article": 1, "3c0507aa": 0, "junit.xml": 1, "--evidence": 1, "ABK605": 1}


def test_generated_files_are_fresh() -> None:
    spec = spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    for file, content in module.generated().items():
        assert file.read_bytes() == content, f"{file.name} is stale: run make docs"
    kept = {path.name for path in (ROOT / "docs" / "policies").iterdir()}
    assert kept == {path.name for path in module.generated() if path.parent.name == "policies" and path.suffix == ".md"}


def test_every_command_of_the_readme_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("examples", "policies"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    ran = 0
    for command in COMMANDS:
        program, *arguments = shlex.split(command)
        if program == "make":
            assert f"\n{arguments[0]}:" in (ROOT / "Makefile").read_text(encoding="utf-8")
            continue
        assert program == "arguard"
        expected = next((code for word, code in EXPECTED.items() if word in command), 0)
        assert main(arguments) == expected, command
        printed = capfd.readouterr()
        if arguments[0] == "test":
            assert "0 fail, 0 untested" in printed.out
        ran += 1
    assert ran >= 6


def test_every_command_is_in_the_readme_or_its_help() -> None:
    documented = {shlex.split(command)[1] for command in COMMANDS}
    assert {"scan", "verify", "list", "test"} <= documented
    assert all(command.help for command in arguard.commands.values())


def test_the_exit_codes_of_the_readme_are_those_of_the_gate() -> None:
    from scanner.gate import PRECEDENCE  # noqa: PLC0415 - read beside the table it is compared with

    codes = {int(code) for row in re.findall(r"^\| ([0-9 /]+) \|", README, re.MULTILINE) for code in row.split("/")}
    assert codes == set(PRECEDENCE)
