"""One estate seen four ways: live, replayed from its answers, from raw tables that were collected, and as it was before.

Ages agree because the emulator's first answer names the moment of the estate (`MOMENT`), which is what `now()` means in the
live queries, and because the other three are judged with `--as-of snapshot`.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from scanner import packs
from scanner.cli import main
from scanner.emulator.exchange import Reply, Seen, error
from scanner.emulator.script import Action, Fault, RouteName, Wire
from scanner.sources.azure import graph
from scanner.sources.azure.calls import Caller
from tests.live import probes
from tests.live.probes import BUNDLED, CONTOSO
from tests.live.world import DATE, MOMENT, POPULATIONS, Run, Stage, command, emulating, scan_live

pytestmark = pytest.mark.estate

POLICIES = tuple(policy.id for policy in packs.load([BUNDLED])[0].policies if policy.enabled)
DR = "3c0507aa-6f2e-4d0b-8a11-3e5b9d7c0003"
TRANSIENT: Sequence[Action] = (
    error(429, "RateLimiting", "later").adding(DATE),
    error(429, "RateLimiting", "later").adding({"Retry-After": "3", **DATE}),
    error(500, "InternalServerError", "oops").adding(DATE),
    Reply(status=503, headers=DATE),
    Wire(kind="reset"),
    Wire(kind="reset", where="body"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """An estate behind an emulator, the packs that judge it, and what they say of the estate itself."""

    stage: Stage
    packs: Sequence[str]
    offline: Run

    def live(self, *arguments: str, faults: Iterable[Fault] = ()) -> Run:
        return self.stage.scan("--all", *self.packs, *arguments, faults=faults)

    def judged(self, snapshot: Path) -> Run:
        return judged(snapshot, self.packs)


def judged(snapshot: Path, given: Sequence[str]) -> Run:
    return command("--snapshot", str(snapshot), "--as-of", "snapshot", *given, environment={})


@pytest.fixture(scope="module", params=["contoso", "generated"])
def ways(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ways]:
    """Contoso, where one subscription refuses to tell its locks, and an estate with a defect in every second machine."""
    folder, given = CONTOSO, ["--pack", str(BUNDLED), "--pack", str(probes.pack(tmp_path_factory.mktemp("packs") / "probes"))]
    if request.param == "contoso":
        # The probe of restore points asks for all of them, and nobody collected those that are no backup's.
        given += [part for policy in (*POLICIES, "AGE101") for part in ("--policy", policy)]
    else:
        folder = tmp_path_factory.mktemp("estate") / "snapshot"
        probes.estate(folder, subscriptions=3, vms=4, defects=0.5)
    with emulating(folder, page=7) as emulator:
        yield Ways(stage=Stage(emulator), packs=given, offline=judged(folder, given))


def told(run: Run) -> list[str]:
    """The native result without what tells the ways apart: header, ledger, traces and the digest of the lines before."""
    lines = [line for line in run.lines if line["kind"] not in {"scan", "ledger", "trace"}]
    return [json.dumps({name: value for name, value in line.items() if name != "sha256"}) for line in lines]


def test_the_four_ways_say_the_same(ways: Ways, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    live = ways.live("--save", str(tmp_path / "saved"))
    monkeypatch.setattr("scanner.kql.available", lambda: False)
    replayed = ways.judged(tmp_path / "saved")
    monkeypatch.undo()
    code = collected(ways, tmp_path / "raw", monkeypatch)
    raw = ways.judged(without_answers(tmp_path / "raw"))
    assert told(live) == told(replayed) == told(raw) == told(ways.offline)
    assert {run.exit_code for run in (live, replayed, raw, ways.offline)} == {1}
    assert code == (3 if live.gaps() else 0)
    assert live.counts("AGE101")["pass"] > 0


def collected(ways: Ways, folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """The exit code of `collect --raw`."""
    emulator = ways.stage.emulator
    emulator.restart([MOMENT])
    monkeypatch.setenv("ARGUARD_ENDPOINT", emulator.url)
    monkeypatch.setenv("ARGUARD_TOKEN", emulator.token)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(emulator.ca))
    return main(["collect", str(folder), "--all", "--raw", "--quota", "1000", "-q", *ways.packs])


def without_answers(folder: Path) -> Path:
    """The snapshot as if only raw tables had been collected."""
    manifest = json.loads((folder / "manifest.json").read_bytes())
    assert manifest["answers"]
    assert {"resources", "resourcecontainers", "recoveryservicesresources"} <= manifest["tables"].keys()
    (folder / "manifest.json").write_text(json.dumps({**manifest, "answers": {}}))
    return folder


def test_pages_of_seven_rows_say_the_same(ways: Ways, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "TOP", 7)
    live = ways.live()
    assert told(live) == told(ways.offline)
    assert live.exit_code == 1
    rows = [line["rows"] for line in live.of("ledger") if line["digest"]]
    canary = len(live.lines[0]["scope"]["expected"])
    assert sorted(Counter(one.query for one in live.asked("graph")).values()) == sorted(
        -(-one // 7) or 1 for one in [*rows, canary]
    )
    assert max(rows) > 7
    assert {json.loads(one.body)["options"]["$top"] for one in live.asked("graph")} == {7}


@pytest.mark.parametrize("seed", [1, 2])
def test_trouble_that_passes_leaves_no_mark(ways: Ways, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    calm = ways.live()
    monkeypatch.setattr(graph, "TOP", 7)
    # So much trouble at once slows the pace down until a page may wait longer for its turn than a page is given in all.
    defaults = Caller.__init__.__kwdefaults__
    assert defaults
    monkeypatch.setitem(defaults, "page_seconds", 1800.0)
    paged = ways.live()
    chance = random.Random(seed)  # noqa: S311 - which requests are in trouble
    rough = ways.live(faults=transient(paged.seen, chance))
    assert told(calm) == told(rough) == told(ways.offline)
    assert rough.exit_code == 1
    played = [one for one in rough.seen if one.status in TROUBLED]
    assert len(played) > 20
    assert len({one.status for one in played}) == len(TROUBLED)
    assert {one.route for one in played} == {one.route for one in rough.seen}
    assert done(rough) == done(paged)


TROUBLED = {0, 429, 500, 503}
"""Statuses of requests that had to be sent again; 0 where the connection broke."""


def transient(seen: Iterable[Seen], chance: random.Random) -> Iterator[Fault]:
    """Trouble for some of the requests of each query, and of each list and object of ARM.

    Five for each at most: even if one request had all of them, its sixth attempt succeeds.
    """
    asked = {(one.route, one.query or one.path.partition("?")[0]): one.status for one in seen}
    for (route, text), status in sorted(asked.items()):
        # Of a refusal the status says enough, also where its body is cut; only the text of the gap is shorter then.
        actions = TRANSIENT if status == 200 else TRANSIENT[:-1]
        for number in {1, *chance.sample(range(2, 8), k=chance.randint(0, 4))}:
            yield Fault(route=cast("RouteName", route), contains=text, numbers={number}, action=chance.choice(actions))


def done(run: Run) -> Counter[tuple[str, str]]:
    """What was asked and answered, each page by its path or query."""
    return Counter((one.route, one.query or one.path) for one in run.seen if one.status not in TROUBLED)


def test_the_gap_that_contoso_recorded_is_there_live() -> None:
    live = scan_live(CONTOSO)
    assert (live.exit_code, live.of("decision")[0]["complete"]) == (1, False)
    assert {(line["policy"], line["reason"], line["subscription"], line["text"]) for line in live.of("gap")} == {
        (policy, "DENIED", DR, "403 AuthorizationFailed") for policy in ("ABK101", "ABK102", "ABK103")
    }
    assert [one.status for one in live.asked("locks", DR)] == [403]
    beyond = [one for one in live.of("verdict", "ABK101") if one["display"]["subscription"] == DR]
    assert {(one["verdict"], one["reason"]) for one in beyond} == {("unknown", "SIDE_DENIED")}
    asked = {"subscriptions": 1, "graph": POPULATIONS + 1, "permissions": 3, "locks": 3, "vm_status": 3, "instance_view": 2}
    assert Counter(one.route for one in live.seen) == asked
