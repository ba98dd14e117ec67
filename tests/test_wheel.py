"""What users install: the wheel in empty environments, on every supported Python, beside hostile folders."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

import reporters
from tests.answers import store_answers

pytestmark = pytest.mark.full
ROOT = Path(__file__).resolve().parent.parent
CONTOSO = ROOT / "examples" / "contoso"
PYTHONS = ["3.11", "3.12", "3.13"]


def interpreter(version: str) -> str:
    """A Python of that version: on the PATH, or where pyenv keeps its own."""
    homes = [f"{home}/bin" for home in Path.home().glob(f".pyenv/versions/{version}*")]
    for folder in [*homes, *os.environ.get("PATH", "").split(os.pathsep)]:
        found = shutil.which(f"python{version}", path=folder)
        if found and run([found, "-c", "import venv"]).returncode == 0:
            return found
    pytest.fail(f"Python {version} is needed for this test: install python{version} and its venv module")


def run(
    command: list[str], folder: Path | None = None, more: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}}
    return subprocess.run(command, cwd=folder, env={**env, **(more or {})}, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    built = run([sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)])
    assert built.returncode == 0, built.stdout + built.stderr
    assert list(folder.glob("*.tar.gz"))
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def environments(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An environment for each Python with `arguard[offline]`, and one without the extra."""
    found = {}
    for name, version, extra in [*((one, one, "[offline]") for one in PYTHONS), ("bare", "3.11", "")]:
        home = tmp_path_factory.mktemp(f"env-{name}")
        assert run([interpreter(version), "-m", "venv", str(home)]).returncode == 0
        installed = run([str(home / "bin" / "python"), "-m", "pip", "install", "-q", f"{wheel}{extra}"])
        assert installed.returncode == 0, installed.stdout + installed.stderr
        found[name] = home / "bin" / "arguard"
    return found


@pytest.mark.parametrize("version", PYTHONS)
def test_the_installed_command_works_in_an_empty_folder(version: str, environments: dict[str, Path], tmp_path: Path) -> None:
    demo = run([str(environments[version]), "demo"], tmp_path)
    assert demo.returncode == 0, demo.stderr
    assert "ABK101" in demo.stdout
    cases = run([str(environments[version]), "test"], tmp_path)
    assert cases.returncode == 0, cases.stdout + cases.stderr
    assert "0 fail, 0 untested" in cases.stdout
    assert not list(tmp_path.iterdir())


def asked_for(folder: Path) -> list[str]:
    """The options for every format in every profile, each into a file or folder of its own."""
    options = []
    for name in reporters.names():
        for profile, how in reporters.load(name).PROFILES.items():
            target = folder / f"{name}.{profile}"
            if how.folder:
                target.mkdir(parents=True)
            options += ["-o", f"{name}:{profile}={target.name}" if profile else f"{name}={target.name}"]
    return options


def test_every_python_writes_the_same_bytes(environments: dict[str, Path], tmp_path: Path) -> None:
    """Each with another seed of hashes, zone, width, locale and folder."""
    seen = {}
    for number, version in enumerate(PYTHONS):
        folder = tmp_path / ("deeper/" * number) / version
        folder.mkdir(parents=True)
        done = run(
            [str(environments[version]), "scan", "--snapshot", str(CONTOSO), "--as-of", "snapshot", *asked_for(folder)],
            folder,
            {
                "PYTHONHASHSEED": str(number),
                "TZ": ["UTC", "Asia/Kathmandu", "America/New_York"][number],
                "COLUMNS": ["80", "200", "40"][number],
                "LC_ALL": ["C", "C.UTF-8", "POSIX"][number],
            },
        )
        assert done.returncode == 1, done.stderr
        seen[version] = {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    first, *others = seen.values()
    asked = {f"{name}.{profile}" for name in reporters.names() for profile in reporters.load(name).PROFILES}
    assert {name.partition("/")[0] for name in first} == asked
    assert all(first.values())
    for other in others:
        assert [name for name in first.keys() | other.keys() if first.get(name) != other.get(name)] == []


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A folder whose packages have our names and our version, and leave a mark when they run."""
    for name in ("scanner", "reporters"):
        package = tmp_path / name
        package.mkdir()
        mark = tmp_path / "foreign-code-ran"
        (package / "__init__.py").write_text(f'__version__ = "0.1.0"\nopen({str(mark)!r}, "w").close()\n')
    return tmp_path


def test_foreign_packages_on_the_path_are_never_run(environments: dict[str, Path], hostile: Path) -> None:
    for command in ("demo", "test"):
        stopped = run([str(environments["3.11"]), command], hostile, {"PYTHONPATH": "."})
        assert stopped.returncode == 2
        assert "another package named 'scanner' hides arguard's own" in stopped.stderr
        assert "Traceback" not in stopped.stderr
        assert not (hostile / "foreign-code-ran").exists()


def test_foreign_packages_in_the_folder_do_no_harm(environments: dict[str, Path], hostile: Path) -> None:
    for command in (["demo"], ["test", "--policy", "ABK502"]):
        done = run([str(environments["3.11"]), *command], hostile)
        assert done.returncode == 0, done.stderr
        assert not (hostile / "foreign-code-ran").exists()


def test_without_the_extra_answers_are_replayed_and_the_rest_says_what_to_install(
    environments: dict[str, Path], tmp_path: Path
) -> None:
    stored = store_answers(CONTOSO, tmp_path / "stored")
    bare = str(environments["bare"])
    replayed = run([bare, "scan", "--snapshot", str(stored), "--as-of", "snapshot", "-o", "native=r"], tmp_path)
    assert replayed.returncode == 1, replayed.stderr
    for command in (["test"], ["demo"]):
        stopped = run([bare, *command], tmp_path)
        assert stopped.returncode == 2
        assert 'pip install "arguard[offline]"' in stopped.stderr
