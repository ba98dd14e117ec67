from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import reporters
from scanner.model import Counts, ScanResult
from tests.reporters.whole import written

ROOT = Path(__file__).parents[2]
FORMATS = ["azure-pipelines", "console", "csv", "github", "html", "junit", "markdown", "native", "ocsf", "sarif"]
MACHINE = ["azure-pipelines", "csv", "github", "html", "junit", "markdown", "native", "ocsf", "sarif"]
CHANNELS = {"azure-pipelines", "github"}
"""Formats that write commands on purpose; their own tests prove that a runner obeys no others."""
_PIECES = (
    *(
        "::error::x",
        "##vso[task.x]",
        "##[error]",
        "##teamcity[x]",
        "###[",
        "#",
        "::",
        ":",
        "\n",
        "\r",
        "\r\n",
        " ",
        "\u2028",
        "\x0b",
    ),
    *("\x1b[1m", "\x85", "\ud800", "\udfff", "\ufffe", "\x00", "]]>", "<", "&", '"', "\\", "\u202e", "{0}", "[a](b)"),
)
ANY_TEXT = st.one_of(
    st.text(alphabet=st.characters(), max_size=40),
    st.lists(st.sampled_from(_PIECES), max_size=8).map("".join),
)


def commands(data: bytes) -> list[str]:
    """Lines that a CI runner would obey, found without the code under test."""
    found = []
    for line in data.decode().replace("\r", "\n").split("\n"):
        lowered = line.lower()
        if line.lstrip().startswith("::") or any(f"##{word}[" in lowered for word in ("", "vso", "teamcity", "error")):
            found.append(line)
    return found


def test_the_formats_are_the_modules_and_nothing_else() -> None:
    assert reporters.names() == FORMATS


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_renders(name: str, canonical_scan: ScanResult) -> None:
    assert b"".join(reporters.load(name).render(canonical_scan)).endswith(b"\n")


@pytest.mark.parametrize("name", ["sariff", "sanitise", "console_lines", "azure_pipelines", "csv-", "", "os"])
def test_what_is_no_format_is_a_key_error(name: str) -> None:
    with pytest.raises(KeyError) as raised:
        reporters.load(name)
    assert raised.value.args == (name,)


def test_importing_the_package_imports_no_format_library() -> None:
    code = "import reporters, sys; reporters.names(); print(sorted(set(sys.argv[1:]) & set(sys.modules)))"
    libraries = ["rich", "junit_xml", "orjson", "pydantic", "yaml", "duckdb"]
    done = subprocess.run([sys.executable, "-c", code, *libraries], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "[]\n"


def test_the_console_module_is_imported_without_rich() -> None:
    code = "import reporters.console, sys; print('rich' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("name", FORMATS)
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None, max_examples=60)
@given(text=ANY_TEXT)
def test_no_text_becomes_a_command_or_breaks_the_encoding(
    name: str, hostile_scan: Callable[[str], ScanResult], text: str
) -> None:
    data = b"".join(written(name, profile, hostile_scan(text)) for profile in reporters.load(name).PROFILES)
    assert name in CHANNELS or commands(data) == []
    allowed = {"\n", "\t"} | ({"\r"} if name == "csv" else set())  # RFC 4180 ends lines with both
    assert [char for char in data.decode() if (char < " " and char not in allowed) or "\x7f" <= char <= "\x9f"] == []


@pytest.mark.parametrize("name", FORMATS)
def test_the_detector_of_commands_sees_what_it_must(name: str) -> None:
    assert len(commands(f"ok\n  ::{name}::x\na##vso[b]\n##[c]\nx\r::d\n##TeamCity[e]\n".encode())) == 5


@pytest.mark.parametrize("name", FORMATS)
def test_two_renderings_are_the_same_bytes(name: str, canonical_scan: ScanResult) -> None:
    module = reporters.load(name)
    assert list(module.render(canonical_scan)) == list(module.render(canonical_scan))


@pytest.mark.parametrize("name", MACHINE)
@pytest.mark.parametrize("lost", [{"passed": 2}, {"failed": 1}, {"unknown": 1}, {"not_applicable": 1}])
def test_a_report_that_lost_rows_is_not_written(name: str, lost: dict[str, int], odd: Mapping[str, ScanResult]) -> None:
    healthy = odd["healthy"]
    counts = replace(Counts(passed=1), **lost)
    wrong = replace(healthy, policies=(replace(healthy.policies[0], counts=counts),))
    with pytest.raises(RuntimeError, match=r"ABK101: the summary counts .* but \(1, 0, 0, 0\) were stored"):
        list(reporters.load(name).render(wrong))


@pytest.mark.parametrize("name", FORMATS)
def test_policies_that_were_not_asked_are_never_read(name: str, odd: Mapping[str, ScanResult]) -> None:
    class Untouchable:
        def of(self, policy: str) -> Iterator[object]:
            raise AssertionError(policy)

    assert list(reporters.load(name).render(replace(odd["not-asked"], findings=Untouchable())))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("seed", ["0", "1"])
def test_hash_seed_zone_and_folder_change_nothing(name: str, seed: str, tmp_path: Path, canonical_scan: ScanResult) -> None:
    code = (
        "import sys, reporters; from importlib import import_module; "
        "made = import_module('tests.reporters.estate').canonical_result(); "
        f"sys.stdout.buffer.write(b''.join(reporters.load({name!r}).render(made)))"
    )
    environment = {"PYTHONHASHSEED": seed, "TZ": "Asia/Tokyo", "PYTHONPATH": str(ROOT), "COLUMNS": "40", "FORCE_COLOR": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, cwd=tmp_path, env=environment)
    assert done.stdout == b"".join(reporters.load(name).render(canonical_scan))
