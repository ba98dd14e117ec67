"""Microsoft's validator of SARIF, which knows what GitHub's code scanning asks for: what it says, and whether it read a file.

Its exit code is 0 whatever it finds, a file that it cannot take in is passed over without a word and takes others of the
same call with it, and one above the limit is left out. So its output is read, and it is asked for notes as well: it has one
for every document of ours, and a file that nothing is said of was not read. (Rules: microsoft/sarif-sdk,
src/Sarif.Multitool.Library/Rules; the silence was measured with 5.7.0.)
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import unquote, urlparse

from tests.node_programs import install

UNREAD = "not read"
"""What stands for a file that the validator says nothing of."""
_PLATFORM = {"win32": "win32", "darwin": "darwin"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Multitool:
    """The validator, installed in a folder."""

    program: Path
    rules: Path

    def problems(self, files: Sequence[Path], *, most_kib: int = 102_400, kinds: str = "Sarif;Ghas") -> dict[Path, list[str]]:
        """What is wrong with each file: the rules it breaks (errors and warnings), or UNREAD.

        All files are read in one call; those that nothing was said of then are read again, each alone.
        """
        found = self._heard(files, most_kib, kinds)
        for file in [one for one in files if one not in found and len(files) > 1]:
            found |= self._heard([file], most_kib, kinds)
        return {file: found.get(file, [UNREAD]) for file in files}

    def _heard(self, files: Sequence[Path], most_kib: int, kinds: str) -> dict[Path, list[str]]:
        with TemporaryDirectory() as folder:
            verdict = Path(folder, "verdict.sarif")
            options = {
                "--config": self.rules,
                "--rule-kind": kinds,
                "--level": "Error;Warning;Note",
                "--kind": "Fail",
                "--max-file-size-in-kb": most_kib,
                "--log": "ForceOverwrite",
                "--output": verdict,
            }
            command = [self.program, "validate", *files, *(part for option in options.items() for part in option)]
            environment = {**os.environ, "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1"}  # or it asks for ICU's libraries
            done = subprocess.run(
                list(map(str, command)), env=environment, capture_output=True, text=True, timeout=600, check=False
            )
            assert verdict.exists(), done.stdout + done.stderr
            (run,) = json.loads(verdict.read_text(encoding="utf-8-sig"))["runs"]
        said: dict[Path, list[str]] = {}
        for result in run["results"]:
            told = said.setdefault(_file(result), [])
            if result.get("level", "warning") != "note":
                told.append(f"{result['ruleId']}: {' '.join(result['message'].get('arguments', []))}")
        return said


def _file(result: dict[str, Any]) -> Path:
    uri: str = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    return Path(unquote(urlparse(uri).path))


def installed(folder: Path) -> Multitool:
    """The validator in its exact version; npm may refuse to run the script that makes it executable."""
    home = install("sarif_multitool", folder)
    package = home / "node_modules" / "@microsoft" / f"sarif-multitool-{_PLATFORM.get(sys.platform, 'linux')}"
    program = package / ("Sarif.Multitool.exe" if sys.platform == "win32" else "Sarif.Multitool")
    program.chmod(program.stat().st_mode | 0o100)
    assert os.access(program, os.X_OK)
    return Multitool(program=program, rules=home / "rules.xml")
