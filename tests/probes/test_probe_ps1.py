"""probe.ps1 as a text and as a syntax tree. It needs Windows, so nothing here runs it; what it may call is a closed list."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import tree_sitter_powershell
from tree_sitter import Language, Parser

from tests.probes.machine import PROBES, WINDOWS_KEYS

SCRIPT = PROBES / "probe.ps1"
TEXT = SCRIPT.read_text("utf-8")
CODE = re.sub(r"(?m)(^|\s)#.*$", "", TEXT)
READING_CMDLETS = {
    "ForEach-Object",
    "Get-AppLockerPolicy",
    "Get-ChildItem",
    "Get-CimInstance",
    "Get-ItemProperty",
    "Get-MpPreference",
    "Get-WinEvent",
    "Select-Object",
    "Sort-Object",
    "Test-AppLockerPolicy",
    "Test-Path",
    "Where-Object",
    "Write-Warning",
}
STATIC_CALLS = {
    # Its own document: a draft of its own, moved to its place.
    "[IO.File]::Delete($draft)",
    "[IO.File]::Move($draft, $target)",
    "[IO.File]::Replace($draft, $target, [NullString]::Value)",
    "[IO.File]::WriteAllText($draft, $json, [Text.UTF8Encoding]::new($false))",
    # The one program that it starts, the one service that it asks.
    "[Diagnostics.Process]::Start($start)",
    "[Net.WebRequest]::Create('http://169.254.169.254/metadata/instance/compute/resourceId?api-version=2021-02-01&format=text')",
    # What reads.
    "[IO.File]::Exists($target)",
    "[IO.File]::ReadAllBytes($module.FullName)",
    "[Security.Principal.WindowsIdentity]::GetCurrent()",
}
PURE_TYPES = {"[Environment]", "[IO.Path]", "[Text.Encoding]", "[regex]"}
METHODS = {
    "Add",  # a header of the request
    "AddDays",
    "Close",
    "ConnectAsync",
    "GetAttribute",
    "GetBytes",
    "GetResponse",
    "GetResponseStream",
    "GetString",
    "GetUnresolvedProviderPathFromPSPath",
    "IsInRole",
    "Kill",  # the vssadmin that it started, when it hangs
    "ReadToEnd",
    "ReadToEndAsync",
    "SelectNodes",
    "SelectSingleNode",
    "StartsWith",
    "ToLowerInvariant",
    "ToString",
    "Translate",
    "Trim",
    "TrimEnd",
    "Wait",
    "WaitForExit",
    "Write",  # the document to stdout
    "WriteLine",  # sentences to stderr
}


def test_it_is_ascii_with_plain_line_ends_and_without_a_byte_order_mark() -> None:
    # Windows PowerShell 5.1 reads a file without a mark in the code page of the machine.
    assert TEXT.isascii()
    assert "\r" not in TEXT
    assert "\t" not in TEXT


def test_it_answers_every_key_of_windows_once() -> None:
    assert tuple(re.findall(r"(?m)^    ((?:win|net)_\w+) += 'Test-\w+'$", TEXT)) == WINDOWS_KEYS


def test_each_key_has_a_test_of_its_own() -> None:
    named = re.findall(r"(?m)^    (?:win|net)_\w+ += '(Test-\w+)'$", TEXT)
    assert set(named) == set(re.findall(r"(?m)^function (Test-\w+) \{", TEXT))
    assert len(set(named)) == len(named)


def test_every_way_out_of_a_test_is_an_answer() -> None:
    for name, body in re.findall(r"(?ms)^function (Test-\w+) \{\n(.*?)^\}", TEXT):
        lines = [line.strip() for line in body.splitlines() if line.strip()]
        assert re.match(r"Get-Answer '(pass|fail|unknown)' ", lines[-1]), name
        assert all(re.search(r"return Get-Answer '(pass|fail|unknown)' ", line) for line in lines if "return" in line), name
        statuses = set(re.findall(r"Get-Answer '(\w+)'", body))
        assert {"pass", "fail"} <= statuses <= {"pass", "fail", "unknown"}, name


def test_every_variable_of_a_function_is_given_or_set_in_it() -> None:
    shared = {"Plugin", "IdPattern", "Administrator"}
    automatic = {"_", "null", "true", "false", "ExecutionContext"}
    functions = re.findall(r"(?ms)^function ([\w-]+)(?:\((.*?)\))? \{( [^\n]+\}|\n.*?^\})$", CODE)
    assert len(functions) == TEXT.count("\nfunction ")
    for name, parameters, body in functions:
        assert body.count("function ") == 0
        known = {*re.findall(r"\$(\w+)", parameters), *re.findall(r"\$(\w+) \+?= |foreach \(\$(\w+) in|param\(\$(\w+)\)", body)}
        flat = {part for found in known for part in ([found] if isinstance(found, str) else found)}
        used = set(re.findall(r"\$\{?(\w+)", re.sub(r"'[^'\n]*'", "''", body)))
        assert used - flat - shared - automatic == set(), name


def test_it_talks_to_two_addresses_alone() -> None:
    assert set(re.findall(r"\d+\.\d+\.\d+\.\d+", CODE)) == {"169.254.169.254", "168.63.129.16", "0.0.0.0"}  # noqa: S104  # no gateway
    assert re.findall(r"https?://[^/']+", CODE) == ["http://169.254.169.254"]


@pytest.mark.parametrize(
    "verb", ["Set", "New", "Remove", "Start", "Stop", "Restart", "Add", "Clear", "Invoke", "Import", "Install", "Out", "Enable"]
)
def test_no_cmdlet_changes_anything_or_needs_a_module(verb: str) -> None:
    assert not re.findall(rf"(?i)\b{verb}-[A-Z]\w+", CODE)


def test_nothing_is_newer_than_windows_powershell_5_1() -> None:
    outside_text = re.sub(r"'[^'\n]*'|\"[^\"\n]*\"", "''", CODE)
    assert not re.findall(r"\?\?|\?\.|\?\[|&&|\|\||-Parallel\b|-AsHashtable\b|\bclean\b", outside_text)
    assert TEXT.startswith("#Requires -Version 5.1\n")


def test_the_environment_is_not_read_but_to_know_windows() -> None:
    assert re.findall(r"(?i)\$env:\w+|GetEnvironmentVariable", CODE) == ["$env:OS"]


def parsed(text: str) -> list[Any]:
    """Every node of the syntax tree."""
    tree = Parser(Language(tree_sitter_powershell.language())).parse(text.encode())

    def walk(node: Any) -> Iterator[Any]:
        yield node
        for child in node.children:
            yield from walk(child)

    return list(walk(tree.root_node))


@pytest.fixture(scope="module")
def nodes() -> list[Any]:
    return parsed(TEXT)


def texts(nodes: list[Any], kind: str) -> set[str]:
    return {node.text.decode() for node in nodes if node.type == kind}


@pytest.mark.parametrize(("head", "tail"), [("", ""), ("& {\n", "\n} -Out '-'\n")], ids=["alone", "wrapped for Run Command"])
def test_it_parses(head: str, tail: str) -> None:
    nodes = parsed(head + TEXT + tail)
    assert len(nodes) > 1000
    assert not [(node.start_point, node.text) for node in nodes if node.type == "ERROR" or node.is_missing]


def test_it_calls_what_reads_and_its_own_functions_alone(nodes: list[Any]) -> None:
    assert texts(nodes, "command_name") - texts(nodes, "function_name") == READING_CMDLETS
    assert [node.parent.text for node in nodes if node.type == "command_invokation_operator"] == [b"& $tests[$key]"]


def test_it_calls_no_method_that_is_not_on_the_list(nodes: list[Any]) -> None:
    calls = [node for node in nodes if node.type == "invokation_expression"]
    methods = set()
    static = set()
    for call in calls:
        target, operator, member = call.children[0], call.children[1].text, call.children[2].text.decode()
        if operator == b"::" and member != "new" and target.text.decode() not in PURE_TYPES:
            static.add(call.text.decode())
        elif operator == b".":
            methods.add(member)
    assert static == STATIC_CALLS
    assert methods == METHODS
