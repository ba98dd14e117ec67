"""probe.sh reads waagent.conf as the agent does: the oracle follows azurelinuxagent/common/conf.py of Azure/WALinuxAgent."""

from __future__ import annotations

import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.probes.machine import Machine

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="probe.sh reads /proc: it is for Linux")

KNOWN = ("auto", "waagent", "cloud-init", "disabled")


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return Machine(tmp_path_factory.mktemp("machine") / "vm")


@pytest.mark.parametrize(
    ("text", "status", "value"),
    [
        ("Extensions.Enabled=y\nProvisioning.Agent=auto\n", "pass", "Extensions.Enabled=y; Provisioning.Agent=auto"),
        ("Extensions.Enabled=Y\nProvisioning.Agent=auto", "pass", "Extensions.Enabled=Y; Provisioning.Agent=auto"),
        ("Extensions.Enabled=n\nProvisioning.Agent=auto\n", "fail", "Extensions.Enabled=n; Provisioning.Agent=auto"),
        ("Extensions.Enabled=N\n", "fail", "Extensions.Enabled=N; Provisioning.Agent absent"),
        ("Logs.Verbose=y\n", "pass", "Extensions.Enabled absent; Provisioning.Agent absent"),
        ("Extensions.Enabled=None\n", "pass", "Extensions.Enabled absent; Provisioning.Agent absent"),
        (" Extensions.Enabled = n  # off\nProvisioning.Agent=auto\n", "fail", "Extensions.Enabled=n; Provisioning.Agent=auto"),
        ('Extensions.Enabled="n"\n', "fail", "Extensions.Enabled=n; Provisioning.Agent absent"),
        ("Extensions.Enabled=n\nExtensions.Enabled=y\n", "pass", "Extensions.Enabled=y; Provisioning.Agent absent"),
        ("Extensions.Enabled=y\nExtensions.Enabled=n\n", "fail", "Extensions.Enabled=n; Provisioning.Agent absent"),
        ("#Extensions.Enabled=n\n", "pass", "Extensions.Enabled absent; Provisioning.Agent absent"),
        (" # Extensions.Enabled=n\n", "pass", "Extensions.Enabled absent; Provisioning.Agent absent"),
        ("extensions.enabled=n\n", "pass", "Extensions.Enabled absent; Provisioning.Agent absent"),
        ("Extensions.Enabled=n\r\nProvisioning.Agent=auto\r\n", "fail", "Extensions.Enabled=n; Provisioning.Agent=auto"),
        ("Provisioning.Agent=waagent\n", "pass", "Extensions.Enabled absent; Provisioning.Agent=waagent"),
        ("Provisioning.Agent=cloud-init\n", "pass", "Extensions.Enabled absent; Provisioning.Agent=cloud-init"),
        ("Provisioning.Agent=disabled\n", "pass", "Extensions.Enabled absent; Provisioning.Agent=disabled"),
        ("Provisioning.Agent=Auto\n", "fail", "Extensions.Enabled absent; Provisioning.Agent=Auto"),
        ("Provisioning.Agent=\n", "fail", "Extensions.Enabled absent; Provisioning.Agent="),
        ("Provisioning.Agent=x Provisioning.Agent=auto\n", "fail", None),
        ('Provisioning.Agent=$(id) \\"`x`\n', "fail", None),
        ("Extensions.Enabled=a=n;\n", "pass", "Extensions.Enabled=a=n;; Provisioning.Agent absent"),
        ("\ufeffExtensions.Enabled=n\n", "unknown", "unknown"),
        ("Extensions.Enabled=n\u00a0\n", "unknown", "unknown"),
        ("Extensions.Enabled\u00a0=n\n", "unknown", "unknown"),
        ("Extensions.Enabled=n\0\n", "unknown", "unknown"),
        ("Provisioning.Agent=auto\u2003\n", "unknown", "unknown"),
        ("Extensions.Enabled=n\u00a0\nExtensions.Enabled=y\n", "pass", None),
        ("", "fail", "empty"),
        ("\n", "pass", "Extensions.Enabled absent; Provisioning.Agent absent"),
    ],
)
def test_the_two_keys_are_read_as_the_agent_reads_them(machine: Machine, text: str, status: str, value: str | None) -> None:
    machine.put("etc/waagent.conf", text)
    check = machine.probe().check("lin_waagent_conf")
    assert check["status"] == status
    if value is not None:
        assert check["value"] == value


def test_the_key_that_the_article_names_sets_nothing(machine: Machine) -> None:
    machine.put("etc/waagent.conf", "Extensions.Enable=n\n")
    check = machine.probe().check("lin_waagent_conf")
    assert (check["status"], check["value"]) == ("pass", "Extensions.Enabled absent; Provisioning.Agent absent")
    assert "the agent has no key Extensions.Enable" in check["detail"]
    machine.put("etc/waagent.conf", "Extensions.Enable=y\nExtensions.Enabled=n\n")
    assert machine.probe().status("lin_waagent_conf") == "fail"


def test_what_only_differs_from_the_article_passes_and_is_named(machine: Machine) -> None:
    machine.put("etc/waagent.conf", "Extensions.Enabled=yes\nProvisioning.Agent=disabled\n")
    check = machine.probe().check("lin_waagent_conf")
    assert check["status"] == "pass"
    assert "the article wants Provisioning.Agent=auto" in check["detail"]
    assert "y is the agent's default for Extensions.Enabled" in check["detail"]


def test_no_other_key_leaves_the_machine(machine: Machine) -> None:
    machine.put("etc/waagent.conf", "HttpProxy.Host=http://user:hunter2@proxy\nExtensions.Enabled=y\n")
    machine.environment["LOGIN"] = "hunter2"
    assert "hunter2" not in machine.probe().stdout


@pytest.mark.parametrize("kind", ["missing", "folder", "latin-1"])
def test_a_file_that_cannot_be_read_is_unknown(machine: Machine, kind: str) -> None:
    machine.remove("etc/waagent.conf")
    if kind == "folder":
        (machine.root / "etc/waagent.conf").mkdir()
    if kind == "latin-1":
        machine.put("etc/waagent.conf", "# gr\u00fc\u00dfe\nExtensions.Enabled=y\n".encode("latin-1"))
    assert machine.probe().status("lin_waagent_conf") == "unknown"


def agent_reads(text: str) -> dict[str, str | None]:
    """The keys and values that the agent gets from its configuration."""
    values: dict[str, str | None] = {}
    for line in text.split("\n"):
        if not line.startswith("#") and "=" in line:
            key, value = line.split("=", 1)
            kept = value.split("#")[0].strip('" ').strip()
            values[key.strip()] = None if kept == "None" else kept
    return values


def verdict(text: str) -> str:
    values = agent_reads(text)
    if not text or (values.get("Extensions.Enabled") or "").lower() == "n":
        return "fail"
    agent = values.get("Provisioning.Agent")
    return "pass" if agent is None or agent in KNOWN else "fail"


def lines_with(space: st.SearchStrategy[str], words: list[str]) -> st.SearchStrategy[str]:
    """Lines of the judged keys and their neighbours, with spaces wherever somebody may put them."""
    keys = ["Extensions.Enabled", "Extensions.Enabled", "Provisioning.Agent", "Extensions.Enable", "extensions.enabled"]
    start, key, word, end = map(st.sampled_from, (["", "", "", "#", " #"], keys, words, ["", "", "#c"]))
    return st.tuples(start, space, key, space, st.just("="), space, word, space, end).map("".join)


words = ["y", "n", "N", "Y", "None", "auto", "waagent", "disabled", "cloud-init", "AUTO", "no", "", "n=", '"n"']
lines = lines_with(
    st.text(st.sampled_from(' \t\r\f\v\x1c\x1f\u0085\u00a0\u2028\u3000\ufeff\0"'), max_size=2), [*words, "\u00e9"]
)
plain = st.lists(lines_with(st.text(st.sampled_from(' \t\r"'), max_size=2), words), max_size=5).map("\n".join)
configurations = st.lists(lines | st.text(st.characters(exclude_categories=["Cs"]), max_size=12), max_size=5).map(
    "\n".join
) | st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@settings(max_examples=60)
@given(text=configurations)
@example(text="Extensions.Enabled=n\x1c")
def test_any_configuration_gives_json_and_never_passes_disabled_extensions(one: Machine, text: str) -> None:
    one.put("etc/waagent.conf", text)
    status = one.probe().status("lin_waagent_conf")
    assert status in {verdict(text), "unknown"}


@settings(max_examples=60)
@given(text=plain)
@example(text='Extensions.Enabled="n"\r\nProvisioning.Agent=auto')
@example(text="Extensions.Enabled=n\nExtensions.Enabled=maybe")
def test_a_plain_configuration_is_decided_as_the_agent_decides(one: Machine, text: str) -> None:
    one.put("etc/waagent.conf", text)
    assert one.probe().status("lin_waagent_conf") == verdict(text)


@settings(max_examples=40)
@given(text=st.binary(max_size=80))
def test_any_bytes_give_json(one: Machine, text: bytes) -> None:
    one.put("etc/waagent.conf", text)
    assert one.probe().status("lin_waagent_conf") in {"pass", "fail", "unknown"}
