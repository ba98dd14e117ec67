"""Taking away knowledge from the estate never leads to 0, and never turns an affected row into a pass."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from scanner import gate, packs
from scanner.cli.occasion import Occasion
from scanner.cli.scanning import prepare
from scanner.errors import InputError
from scanner.model import Json, Options, Severity, Verdict
from scanner.plan import make_plan
from scanner.policy import Policy
from scanner.scan import Job, scan
from scanner.sources.snapshot import open_snapshot
from scanner.store import VerdictStore

pytestmark = [pytest.mark.estate, pytest.mark.usefixtures("remembering")]
CONTOSO = Path(__file__).resolve().parent.parent / "examples" / "contoso"
NOW = datetime(2026, 11, 20, 6, tzinfo=UTC)
MANIFEST: Json = json.loads((CONTOSO / "manifest.json").read_bytes())
SUBSCRIPTIONS: list[str] = MANIFEST["scope"]["subscriptions"]
POLICIES = {policy.id: policy for pack in packs.load(packs.bundled()) for policy in pack.policies if not policy.needs}
"""Those that run when they are selected; the others wait for evidence or a parameter."""
OPTIONS = Options(as_of="snapshot", fail_on=Severity.INFO, policies=tuple(POLICIES))


@dataclass(frozen=True)
class Seen:
    """What one policy said: its verdicts by row, whether it was complete, and what the gate says of it alone."""

    verdicts: dict[tuple[str, str], Verdict]
    complete: bool
    exit_code: int


@dataclass(frozen=True)
class Loss:
    """Something taken away, the policies that need it, and the subscriptions that it is about (all of them when empty)."""

    label: str
    apply: Callable[[Json], None]
    policies: frozenset[str]
    subscription: str = ""


def needs(policy: Policy) -> set[str]:
    """The tables and side tables that a policy rests on."""
    tables = set(policy.query.tables or ())
    for one in policy.attach:
        tables |= set(one.query.tables or ()) if one.query else {one.source}
    return tables


def needing(table: str) -> frozenset[str]:
    return frozenset(policy.id for policy in POLICIES.values() if table in needs(policy))


def asking(table: str, kind: str) -> frozenset[str]:
    """The policies of which a query, their own or an attached one, asks for a resource type of a table."""
    return frozenset(
        policy.id
        for policy in POLICIES.values()
        for query in (policy.query, *(one.query for one in policy.attach if one.query))
        if table in (query.tables or {}) and kind in ((query.tables or {})[table] or {kind})
    )


def losses() -> Iterator[Loss]:
    for name, table in MANIFEST["tables"].items():
        yield Loss(f"no {name}", lambda manifest, name=name: manifest["tables"].pop(name), needing(name))  # type: ignore[misc]
        for subscription in table["answered"]:
            yield Loss(
                f"{name} not answered by {subscription[:2]}",
                lambda manifest, name=name, one=subscription: manifest["tables"][name]["answered"].remove(one),  # type: ignore[misc]
                needing(name),
                subscription,
            )
        for kind in table.get("types", ()):
            yield Loss(
                f"{name} without {kind}",
                lambda manifest, name=name, kind=kind: manifest["tables"][name]["types"].remove(kind),  # type: ignore[misc]
                asking(name, kind),
            )
    for number, subscription in enumerate(SUBSCRIPTIONS):
        yield Loss(
            f"{subscription[:2]} disabled",
            lambda manifest, number=number: manifest["subscriptions"][number].update(state="Disabled"),  # type: ignore[misc]
            frozenset(POLICIES),
            subscription,
        )
    stranger = "99999999-0000-0000-0000-000000000000"
    yield Loss(
        "an extra subscription", lambda manifest: manifest["scope"]["subscriptions"].append(stranger), frozenset(POLICIES)
    )
    yield Loss("no scope", lambda manifest: manifest["scope"]["subscriptions"].clear(), frozenset(POLICIES))


def look(folder: Path) -> dict[str, Seen]:
    """Scan a snapshot with every policy."""
    loaded = packs.load(packs.bundled())
    with TemporaryDirectory() as spool, open_snapshot(folder, spool=Path(spool)) as source, VerdictStore(Path(spool)) as store:
        job = prepare(OPTIONS, loaded, source, Occasion(now=NOW, printed=NOW))
        assert job == Job(plan=make_plan(loaded, OPTIONS, source.offers), info=job.info)
        result = scan(job, source, store)
        seen = {}
        for policy in result.policies:
            verdicts = {(one.resource.id, one.subject): one.verdict for one in store.of(policy.info.id)}
            decision = gate.decide([policy], job.info.scope, OPTIONS)
            seen[policy.info.id] = Seen(verdicts, policy.complete, decision.exit_code)
        return seen


@pytest.fixture(scope="module")
def whole() -> dict[str, Seen]:
    return look(CONTOSO)


def lose(folder: Path, change: Callable[[Json], None]) -> Path:
    """A copy of the estate with another manifest; the rows are the same files."""
    for file in CONTOSO.glob("*.ndjson"):
        os.link(file, folder / file.name)
    manifest = copy.deepcopy(MANIFEST)
    change(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.mark.parametrize("loss", [*losses()], ids=lambda loss: loss.label)
def test_taking_knowledge_away(loss: Loss, whole: dict[str, Seen], tmp_path: Path) -> None:
    less = look(lose(tmp_path, loss.apply))
    assert loss.policies <= set(POLICIES)
    for policy, before in whole.items():
        after = less[policy]
        passed = {row for row, verdict in after.verdicts.items() if verdict is Verdict.PASS}
        assert passed <= {row for row, verdict in before.verdicts.items() if verdict is Verdict.PASS}
        if policy not in loss.policies:
            assert after == before
            continue
        assert not after.complete
        assert after.exit_code in {1, 3}
        assert not [row for row in passed if loss.subscription in row[0] and not loss.label.startswith("an extra")]


@pytest.mark.parametrize("file", sorted(path.name for path in CONTOSO.glob("*.ndjson")))
@pytest.mark.parametrize("keep", [0, 0.5, 0.999])
def test_a_truncated_file_is_refused(file: str, keep: float, tmp_path: Path) -> None:
    folder = lose(tmp_path, lambda _manifest: None)
    text = (folder / file).read_bytes()
    (folder / file).unlink()
    (folder / file).write_bytes(text[: int(len(text) * keep)])
    with TemporaryDirectory() as spool, pytest.raises(InputError, match=file):
        open_snapshot(folder, spool=Path(spool))
