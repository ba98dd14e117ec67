"""Microsoft's JavaScript client against the emulator: another reading of the protocol gets the rows that arguard gets."""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from scanner import packs
from scanner.cli import main
from scanner.emulator.server import Emulator
from scanner.kql.text import as_sent
from scanner.model import Json
from scanner.policy import Query
from scanner.redact import redact
from scanner.sources.manifest_file import read_manifest
from tests.live.processes import ROOT, clean_environment
from tests.live.world import emulating
from tests.node_programs import install, tool

pytestmark = pytest.mark.full

PAGE = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """The other client, installed, in front of an emulator."""

    folder: Path
    emulator: Emulator

    def ask(self, query: str, page: int | str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [tool("node"), "page.cjs", self.emulator.url, self.emulator.token, str(page), query],
            cwd=self.folder,
            env={**clean_environment(), "NODE_EXTRA_CA_CERTS": str(self.emulator.ca)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def read(self, query: str, page: int | str) -> dict[str, Any]:
        done = self.ask(query, page)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = install("second_client", tmp_path_factory.mktemp("second"))
    with emulating(ROOT / "examples" / "contoso") as emulator:
        yield Client(folder=folder, emulator=emulator)


@pytest.fixture(scope="module")
def ours(client: Client, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same estate as arguard collects it."""
    folder = tmp_path_factory.mktemp("ours") / "snapshot"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARGUARD_ENDPOINT", client.emulator.url)
        patch.setenv("ARGUARD_TOKEN", client.emulator.token)
        patch.setenv("REQUESTS_CA_BUNDLE", str(client.emulator.ca))
        assert main(["collect", str(folder), "--all", "-q"]) == 3  # Contoso refuses its locks in one subscription
    return folder


def query_named(name: str) -> Query:
    return next(pack.queries[name] for pack in packs.load(packs.bundled()))


def in_order(rows: list[Json]) -> list[bytes]:
    return sorted(orjson.dumps(redact(whole(row)), option=orjson.OPT_SORT_KEYS) for row in rows)


def whole(row: Json) -> Json:
    """A row as JavaScript, which has one kind of number, writes it: 176.0 is 176."""
    return {name: int(value) if isinstance(value, float) and value.is_integer() else value for name, value in row.items()}


@pytest.mark.parametrize(
    ("name", "page"),
    [("protected-vms", PAGE), ("protected-disks", PAGE), ("protected-extensions", PAGE), ("protected-items", "default")],
)
def test_it_gets_the_rows_that_arguard_gets(client: Client, ours: Path, name: str, page: int | str) -> None:
    query = query_named(name)
    manifest = read_manifest(ours).manifest
    stored = (ours / manifest.answers[query.digest].file).read_bytes().splitlines()
    found = client.read(as_sent(query.kql, now=manifest.moment, key=query.key), page)
    assert len(stored) > PAGE
    assert found["total"] == len(found["rows"]) == len(stored)
    assert found["pages"] == math.ceil(len(stored) / (PAGE if page == PAGE else 1000))
    assert in_order(found["rows"]) == in_order([orjson.loads(line) for line in stored])


def test_it_is_refused_as_arguard_is(client: Client) -> None:
    done = client.ask("resources | evaluate bag_unpack(tags)", PAGE)
    assert done.returncode == 1
    assert done.stderr.startswith("400 BadRequest ")
    assert done.stdout == ""
