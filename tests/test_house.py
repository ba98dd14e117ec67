"""The house rules that no linter knows."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import reporters
from reporters import Divided, Reporter, console, csv, junit, native, ocsf, sarif
from scanner.sources import Source
from scanner.sources.snapshot import SnapshotSource

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted([*ROOT.glob("scanner/**/*.py"), *ROOT.glob("reporters/**/*.py"), ROOT / "arguard.py"])
SHIPPED: tuple[Reporter, ...] = (console, csv, junit, native, ocsf, sarif)
DIVIDED: tuple[Divided, ...] = (junit,)
"""mypy checks here that every reporter module fits the protocol."""
HEAVY = {"azure", "duckdb", "duckdb_kql", "pydantic", "yaml", "rich", "jmespath", "orjson", "importlib.metadata", "junit_xml"}


def _as_source(source: SnapshotSource) -> Source:
    return source


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_and_functions_stay_short(module: Path) -> None:
    text = module.read_text(encoding="utf-8")
    assert text.count("\n") <= 300
    long = [
        node.name
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno + 1 > 40
    ]
    assert not long


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert not {path.stem for path in MODULES} & {"utils", "helpers", "core", "manager", "base", "common", "misc"}


def test_every_reporter_module_is_a_format() -> None:
    assert [reporters.load(name) for name in reporters.names()] == list(SHIPPED)


@pytest.mark.parametrize("arguments", [["--help"], ["scan", "--help"], ["version"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    program = f"""
import json, sys
from scanner.cli import main
code = main({arguments!r})
print(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    code, modules = json.loads(done.stderr.splitlines()[-1])
    assert code == 0
    assert done.stdout
    assert not {name for name in modules if name in HEAVY or name.split(".")[0] in HEAVY}
