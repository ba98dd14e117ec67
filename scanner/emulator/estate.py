"""The estate behind the emulator: a verified snapshot with raw tables, its rows found by subscription without holding them.

Rows stay in files; what is kept in memory is where each of them stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import orjson

from scanner import kql
from scanner.errors import UsageError
from scanner.ids import subscription_of
from scanner.model import Gap, Json, Reason, Row, Scope, Subscription
from scanner.policy import SIDE_TABLES
from scanner.redact import redact
from scanner.sources.coverage import file_gaps, scope_of
from scanner.sources.intake import new_file, sorter_of, take_in, write_row
from scanner.sources.manifest import Manifest, TableModel
from scanner.sources.manifest_file import read_manifest
from scanner.sources.rows import Declared, Problems, read_rows

_SUBSCRIPTIONS = "microsoft.resources/subscriptions"
_TENANT = "00000000-0000-0000-0000-000000000000"
_REFUSAL = re.compile(r"([45][0-9]{2})(?: ([A-Za-z0-9_.]+))?")
_STATUSES = {
    Reason.DENIED: (403, "AuthorizationFailed"),
    Reason.RIGHTS_PARTIAL: (403, "AuthorizationFailed"),
    Reason.THROTTLED: (429, "TooManyRequests"),
    Reason.SCOPE_MISSING: (404, "SubscriptionNotFound"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Where one row stands in its file, and what decides who may read it."""

    offset: int
    size: int
    id: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table as a file of rows, one JSON object a line.

    `types` are the resource types that were collected, None for all; `entries` lists the rows by subscription, "" for none.
    """

    path: Path
    types: frozenset[str] | None
    entries: Mapping[str, Sequence[Entry]]

    def lines(self, entries: Sequence[Entry]) -> Iterator[bytes]:
        """The lines of some rows."""
        at = 0
        with self.path.open("rb") as file:
            for entry in entries:
                if entry.offset != at:
                    # Only where it must be: each seek throws the buffer away.
                    file.seek(entry.offset)
                at = entry.offset + entry.size
                yield file.read(entry.size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estate:
    """What the emulator serves. `management_groups` maps a group's name to the subscriptions below it."""

    subscriptions: tuple[Subscription, ...]
    tenant: str
    collected_at: datetime
    management_groups: Mapping[str, tuple[str, ...]]
    tables: Mapping[str, Table]
    sides: Mapping[str, Table]
    gaps: Mapping[str, tuple[Gap, ...]]
    spool: Path

    @classmethod
    def open(cls, folder: Path, spool: Path) -> Estate:
        """Verify a snapshot and take it in; `spool` is a private folder that the caller owns and deletes.

        Raises InputError with every problem of every file, UsageError for a snapshot without raw tables, MissingExtraError
        without the extra that runs queries.
        """
        kql.require("The emulator")
        parsed = read_manifest(folder)
        manifest = parsed.manifest
        scope = scope_of(manifest, ())
        taken = take_in(folder, parsed, scope, spool=spool)
        raw = {name: model for name, model in manifest.tables.items() if name not in SIDE_TABLES}
        if not raw:
            raise UsageError(
                f"{folder} holds no raw tables, so that there is nothing to run queries on.",
                hint="Collect it with `arguard collect --raw`.",
            )
        tables = {name: _table(name, taken.tables[name].path, frozenset(model.types or ())) for name, model in raw.items()}
        sides = {name: _side(name, folder, model, spool) for name, model in manifest.tables.items() if name in SIDE_TABLES}
        subscriptions = _subscriptions(manifest, scope)
        everybody = tuple(one.id for one in subscriptions)
        return cls(
            subscriptions=subscriptions,
            tenant=_tenant(tables),
            collected_at=manifest.moment,
            management_groups=dict.fromkeys(manifest.scope.management_groups or ("root",), everybody),
            tables=_with_subscriptions(tables, subscriptions, spool),
            sides=sides,
            gaps={name: file_gaps(scope, name, [manifest.tables[name]]) for name in sides},
            spool=spool,
        )

    def side(self, table: str, subscription: str | None = None) -> list[Row]:
        """The objects of a side table, as ARM returned them; of one subscription, with those that name none, or of all."""
        held = self.sides.get(table)
        if held is None:
            return []
        homes = held.entries.keys() if subscription is None else ("", subscription.lower())
        return [orjson.loads(line) for home in homes for line in held.lines(held.entries.get(home, ()))]

    def side_gap(self, table: str, subscription: str) -> tuple[int, str] | None:
        """The status and error code that a side table answers with for a subscription, None where it answers.

        A table that the snapshot lacks answers 404: that it is empty was never seen. A disabled subscription answers, as in
        Azure; its state says the rest.
        """
        if table not in self.sides:
            return 404, "NotCollected"
        found = [gap for gap in self.gaps[table] if gap.subscription in ("", subscription.lower())]
        if not found or found[0].reason is Reason.SCOPE_DISABLED:
            return None
        if refused := _REFUSAL.fullmatch(found[0].text):
            return int(refused[1]), refused[2] or "Refused"
        return _STATUSES.get(found[0].reason, (500, "InternalServerError"))

    def resources_of(self, kind: str, subscription: str) -> list[Row]:
        """The rows of the table `resources` of one type and subscription."""
        table = self.tables.get("resources")
        if table is None:
            return []
        wanted = kind.lower()
        entries = [entry for entry in table.entries.get(subscription.lower(), ()) if entry.type == wanted]
        return [orjson.loads(line) for line in table.lines(entries)]


def _table(name: str, path: Path, types: frozenset[str]) -> Table:
    """A table over the verified file in the spool."""
    sort = sorter_of(name)
    entries: dict[str, list[Entry]] = {}
    offset = 0
    with path.open("rb") as lines:
        for line in lines:
            row: dict[str, Json] = orjson.loads(line)
            home = sort(row).subscription
            entry = Entry(offset=offset, size=len(line), id=row["id"], type=row["type"].lower())
            entries.setdefault(home, []).append(entry)
            offset += len(line)
    return Table(path=path, types=None if "*" in types else types, entries=entries)


def _side(name: str, folder: Path, model: TableModel, spool: Path) -> Table:
    """A side table with the objects that no scan could use: ARM would send them, so the emulator does. It was verified."""
    path = spool / f"side-{name}.ndjson"
    entries: dict[str, list[Entry]] = {}
    declared = Declared(path=folder / model.file, rows=model.rows, sha256=model.sha256)
    offset = 0
    with new_file(path) as out:
        for _, row in read_rows(declared, Problems(model.file)):
            identity = row.get("id")
            home = subscription_of(identity) if isinstance(identity, str) else ""
            size = len(write_row(out, redact(row)))
            entries.setdefault(home, []).append(Entry(offset=offset, size=size, id=str(identity or ""), type=""))
            offset += size
    return Table(path=path, types=None, entries=entries)


def _subscriptions(manifest: Manifest, scope: Scope) -> tuple[Subscription, ...]:
    """The subscriptions that the snapshot names; one that was expected and is not named was not there."""
    if manifest.subscriptions:
        return scope.subscriptions
    return tuple(Subscription(id=one, name=one, state="Enabled") for one in scope.expected)


def _tenant(tables: Mapping[str, Table]) -> str:
    """The tenant of the first row that names one."""
    for table in tables.values():
        for entries in table.entries.values():
            for line in table.lines(entries[:1]):
                if isinstance(found := orjson.loads(line).get("tenantId"), str) and found:
                    return found
    return _TENANT


def _with_subscriptions(tables: Mapping[str, Table], subscriptions: Sequence[Subscription], spool: Path) -> dict[str, Table]:
    """The tables with the rows of the subscriptions themselves, which Azure always has, where they were not collected."""
    held = tables.get("resourcecontainers")
    if held is not None and (held.types is None or _SUBSCRIPTIONS in held.types):
        return dict(tables)
    path = spool / "emulated-resourcecontainers.ndjson"
    with new_file(path) as out:
        if held is not None:
            out.write(held.path.read_bytes())
        for one in subscriptions:
            write_row(out, _container(one))
    types = (held.types or frozenset()) if held is not None else frozenset()
    return {**tables, "resourcecontainers": _table("resourcecontainers", path, types | {_SUBSCRIPTIONS})}


def _container(one: Subscription) -> dict[str, Json]:
    return {
        "id": f"/subscriptions/{one.id}",
        "name": one.name,
        "type": _SUBSCRIPTIONS,
        "subscriptionId": one.id,
        "properties": {"state": one.state},
    }
