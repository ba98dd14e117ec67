"""Mutant world: whatever is taken from a failing row or its side data, the row never comes to pass.

Each field of each row of a case that holds failing rows is deleted, nulled, emptied, retyped and re-cased. After each mutation
every row that failed must be fail or unknown, or the policy must say that it did not see everything. Exempt are the selectors:
what the population's `where` and join keys read, and the objects that hold them. What `applies` reads may end not_applicable
when it is retyped or re-cased, never when it is deleted or nulled.

Thousands of mutants are judged in one query: each lives in subscriptions of its own.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from scanner import kql, packs
from scanner.cases import judge
from scanner.ids import subscription_of
from scanner.model import Finding, Json, Verdict
from scanner.policy import SIDE_TABLES, Case, Pack
from tests.remembering import Remembering

pytestmark = pytest.mark.estate
Path_ = tuple[str | int, ...]
ITEM = [
    "properties.backupManagementType",
    "properties.isScheduledForDeferredDelete",
    "properties.sourceResourceId",
    "properties.virtualMachineId",
]
JOB = ["properties.backupManagementType", "properties.operation", "properties.backupInstanceId"]
LIVE_ITEM = [*ITEM, "properties.protectionState", "properties.currentProtectionState"]
SELECTORS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "ABK101": {
        "microsoft.resources/subscriptions/resourcegroups": ["name"],
        "microsoft.compute/restorepointcollections": ["name"],
        "microsoft.recoveryservices/vaults/backuppolicies": ["properties.instantRPDetails", "properties.instantRpDetails"],
    },
    "ABK102": {"microsoft.compute/restorepointcollections": ["name", "properties.source.id"], "protecteditems": ITEM},
    "ABK104": {
        "microsoft.compute/restorepointcollections": ["name", "properties.source.id"],
        "microsoft.recoveryservices/vaults/backuppolicies": ["properties.backupManagementType"],
        "protecteditems": [*LIVE_ITEM, "properties.policyId"],
    },
    "ABK105": {
        "microsoft.recoveryservices/vaults/backuppolicies": ["properties.backupManagementType"],
        "protecteditems": ["properties.isScheduledForDeferredDelete", "properties.policyId"],
    },
    "ABK106": {"microsoft.compute/restorepointcollections": ["name", "properties.source.id"], "protecteditems": ITEM},
    "ABK107": {
        "microsoft.resources/subscriptions/resourcegroups": ["name"],
        "microsoft.compute/restorepointcollections": ["name"],
        "microsoft.recoveryservices/vaults/backuppolicies": ["properties.instantRPDetails", "properties.instantRpDetails"],
    },
    **{
        policy: {"protecteditems": [*LIVE_ITEM, "properties.policyId"]}
        for policy in (
            *("ABK103", "ABK201", "ABK202", "ABK203", "ABK204", "ABK205"),
            *("ABK301", "ABK302", "ABK303", "ABK304", "ABK305", "ABK402", "ABK505"),
            *(f"ABK{number}" for number in range(704, 715)),
        )
    },
    **{policy: {"protecteditems": LIVE_ITEM} for policy in ("ABK401", "ABK403")},
    **{
        policy: {
            "protecteditems": [*LIVE_ITEM, "properties.policyId"],
            "microsoft.compute/disks": ["managedBy"],
            "microsoft.compute/virtualmachines": ["properties.storageProfile.dataDisks.*.managedDisk.id"],
        }
        for policy in ("ABK501", "ABK503", "ABK504")
    },
    "ABK502": {
        "protecteditems": LIVE_ITEM,
        "microsoft.compute/disks": ["managedBy", "properties.encryptionSettingsCollection.enabled"],
        "microsoft.compute/virtualmachines": ["properties.storageProfile.dataDisks.*.managedDisk.id"],
    },
    "ABK511": {
        "protecteditems": LIVE_ITEM,
        "microsoft.compute/disks": ["managedBy", "properties.encryptionSettingsCollection"],
        "microsoft.compute/virtualmachines": ["properties.storageProfile.osDisk.encryptionSettings"],
        "microsoft.keyvault/vaults": ["properties.enableRbacAuthorization"],
    },
    **{
        policy: {
            "protecteditems": [*LIVE_ITEM, "properties.policyId"],
            "microsoft.guestconfiguration/guestconfigurationassignments": [
                "properties.targetResourceId",
                "properties.guestConfiguration.name",
                "properties.lastComplianceStatusChecked",
            ],
        }
        for policy in ("ABK701", "ABK703")
    },
    "ABK702": {"protecteditems": [*LIVE_ITEM, "properties.policyId"]},
    "ABK601": {"microsoft.compute/virtualmachines": ["tags"], "protecteditems": LIVE_ITEM},
    "ABK602": {"protecteditems": ITEM},
    **{
        policy: {"protecteditems": [*ITEM, "properties.policyId"], "backupjobs": JOB}
        for policy in ("ABK603", "ABK604", "ABK605")
    },
    **{policy: {"protecteditems": [*LIVE_ITEM, "properties.policyId"], "backupjobs": JOB} for policy in ("ABK606", "ABK607")},
}
"""Per policy and resource type (or its last segment): what `where` and join keys read, beside id, type, subscriptionId."""
EXCLUSION = {"protecteditems": "properties.extendedProperties.diskExclusionProperties"}
APPLIES: Mapping[str, Mapping[str, str | tuple[str, ...]]] = {
    "ABK201": {"microsoft.compute/virtualmachines": "properties.provisioningState"},
    **{
        policy: {
            "microsoft.compute/virtualmachines": "properties.extended.instanceView.powerState.code",
            "microsoft.compute/virtualmachines/patchassessmentresults": "properties.lastModifiedDateTime",
            "microsoft.recoveryservices/vaults/backuppolicies": "properties.snapshotConsistencyType",
        }
        for policy in ("ABK204", "ABK205", "ABK301", "ABK302", "ABK303", "ABK304", "ABK402", "ABK714")
    },
    **dict.fromkeys(("ABK501", "ABK502", "ABK503", "ABK504"), EXCLUSION),
    **{
        f"ABK{number}": {
            "microsoft.compute/virtualmachines": "properties.storageProfile.osDisk.osType",
            "microsoft.recoveryservices/vaults/backuppolicies": "properties.snapshotConsistencyType",
        }
        for number in range(701, 714)
    },
    "ABK403": {"microsoft.compute/virtualmachines/extensions": ("properties.publisher", "properties.type")},
}
ABSENT: Mapping[str, Mapping[str, Sequence[str]]] = {
    "ABK504": {"microsoft.compute/disks": ["properties.maxShares"]},
    "ABK511": {"microsoft.keyvault/vaults": ["properties.accessPolicies.*.applicationId"]},
}
"""Per policy and type: what Azure leaves out where it has nothing to say."""
TWINS = {"properties.protectionState": "properties.currentProtectionState"}
"""One fact that Azure records twice: "pass only if neither, where present, is bad". Taking it away means taking both away."""


@dataclass(frozen=True)
class Mutant:
    """One changed world: the rows of a case with one value changed."""

    label: str
    how: str
    tables: Mapping[str, tuple[Json, ...]]
    may_not_apply: bool
    alone: bool


@pytest.fixture(scope="module")
def pack() -> Pack:
    return packs.load(packs.bundled(), cases=True)[0]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remembering]:
    """What is taken from a side table leaves the tables as they are: their queries are run once, not once for each mutant."""
    with Remembering({}, tmp_path_factory.mktemp("engine")) as found:
        yield found


@pytest.mark.parametrize("policy", sorted(SELECTORS))
def test_no_mutant_of_a_failing_row_passes(
    policy: str, pack: Pack, engine: Remembering, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    total = 0
    engine.forget()
    for case in pack.cases:
        if case.policy != policy or not case.expect.rows.get("fail"):
            continue
        _, findings = judge(pack, case, engine, tmp_path)
        failing = [finding for finding in findings if finding.verdict is Verdict.FAIL]
        mutants = [*mutate(case)]
        total += len(mutants)
        run = World(pack=pack, case=case, engine=engine, folder=tmp_path)
        for group in ([one for one in mutants if not one.alone], *([one] for one in mutants if one.alone)):
            assert [*run.escaped(group, failing)] == []
    record_property("count", f"{policy}: {total} mutants, none escaped")
    assert total > 100


@dataclass(frozen=True)
class World:
    """Many mutants of one case, judged together."""

    pack: Pack
    case: Case
    engine: kql.Engine
    folder: Path

    def escaped(self, mutants: Sequence[Mutant], failing: Sequence[Finding]) -> Iterator[str]:
        """Each mutant in which a failing row was not held, in words."""
        if not mutants:
            return
        tables: dict[str, list[Json]] = {}
        for number, mutant in enumerate(mutants):
            for table, rows in mutant.tables.items():
                tables.setdefault(table, []).extend(moved(rows, number))
        case = replace(self.case, tables={name: tuple(rows) for name, rows in tables.items()}, unanswered={})
        result, findings = judge(self.pack, case, self.engine, self.folder)
        gaps = {gap.subscription for policy in result.policies for gap in policy.gaps}
        if "" in gaps and len(mutants) > 1:
            half = len(mutants) // 2
            yield from self.escaped(mutants[:half], failing)
            yield from self.escaped(mutants[half:], failing)
            return
        verdicts = {(finding.resource.id, finding.subject): finding.verdict for finding in findings}
        for number, mutant in enumerate(mutants):
            allowed = {Verdict.FAIL, Verdict.UNKNOWN} | ({Verdict.NOT_APPLICABLE} if mutant.may_not_apply else set())
            for finding in failing:
                identity = move(finding.resource.id, number)
                if {"", subscription_of(identity)} & gaps:
                    continue
                verdict = verdicts.get((identity, finding.subject))
                if verdict not in allowed:
                    yield f"{self.case.policy} '{self.case.name}': {mutant.label} {mutant.how}: {verdict or 'absent'}"


def mutate(case: Case) -> Iterator[Mutant]:
    """Every mutant of a case."""
    for table, rows in case.tables.items():
        for number, row in enumerate(rows):
            exempt, applies = selectors(case.policy, table, row)
            for path in walk(row):
                if any(covers(selector, path) for selector in exempt):
                    continue
                for how, value in changes(at(row, path), is_field=isinstance(path[-1], str)):
                    gone = how in {"deleted", "nulled", "emptied"}
                    if gone and may_lack(case.policy, row, path):
                        continue
                    changed = change_both(row, path, how, value) if gone else change(row, path, how, value)
                    alone = table in SIDE_TABLES and path == ("id",) and not str(value).lower().startswith("/subscriptions/")
                    if alone and number:
                        continue  # one row of each case is enough: nobody can tell whose object it is, so nobody is judged
                    yield Mutant(
                        label=f"{table}[{number}].{'.'.join(map(str, path))}",
                        how=how,
                        tables={**case.tables, table: (*rows[:number], changed, *rows[number + 1 :])},
                        may_not_apply=not gone and any(covers(one, path) for one in applies),
                        alone=alone,
                    )


def selectors(policy: str, table: str, row: Mapping[str, Json]) -> tuple[list[str], list[str]]:
    if table in SIDE_TABLES:
        return [], []
    kind = str(row.get("type", "")).lower()
    paths = SELECTORS[policy].get(kind) or SELECTORS[policy].get(kind.rpartition("/")[2]) or []
    mine = APPLIES.get(policy, {})
    applies = mine.get(kind) or mine.get(kind.rpartition("/")[2]) or ()
    return ["id", "type", "subscriptionId", *paths], [applies] if isinstance(applies, str) else [*applies]


def may_lack(policy: str, row: Mapping[str, Json], path: Path_) -> bool:
    """Whether Azure leaves this out where it has nothing to say: its absence is a fact, which the policy's page states."""
    paths = ABSENT.get(policy, {}).get(str(row.get("type", "")).lower(), ())
    return any(len(path) == len(one.split(".")) and covers(one, path) for one in paths)


def covers(selector: str, path: Path_) -> bool:
    """Whether a path is a selector, inside one, or an object that holds one."""
    steps = selector.split(".")
    return all(want in {"*", str(have)} for want, have in zip(steps, path, strict=False))


def walk(value: Json, path: Path_ = ()) -> Iterator[Path_]:
    items: Iterable[tuple[str | int, Json]] = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, item in items:
        yield (*path, key)
        yield from walk(item, (*path, key))


def at(value: Json, path: Path_) -> Json:
    for step in path:
        value = value[step]
    return value


def present(value: Json, path: Path_) -> bool:
    try:
        at(value, path)
    except (KeyError, IndexError, TypeError):
        return False
    return True


def changes(value: Json, *, is_field: bool) -> Iterator[tuple[str, Json]]:
    """Other values for a value, each with what was done. A text in a list is no field: the list without it is another fact."""
    if is_field or isinstance(value, dict | list):
        yield "deleted", None
        yield "nulled", None
    for other in (7, True, "x", [], {}, [value], {"x": value}):
        if type(other) is not type(value):
            yield f"retyped to {other!r}"[:60], other
    if isinstance(value, str):
        yield "emptied", ""
        yield from (("re-cased", other) for other in (value.upper(), value.lower(), value.swapcase()) if other != value)
    elif value is not None:
        yield "retyped to its text", str(value).lower()


def change(row: Json, path: Path_, how: str, value: Json) -> Json:
    """A deep copy of a row with one value changed."""
    changed = copy.deepcopy(row)
    holder = at(changed, path[:-1])
    if how == "deleted":
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return changed


def change_both(row: Json, path: Path_, how: str, value: Json) -> Json:
    """The same for a fact that Azure records twice: both records change."""
    changed, names = change(row, path, how, value), {*TWINS, *TWINS.values()}
    for twin in names - {".".join(map(str, path))} if ".".join(map(str, path)) in names else ():
        if present(changed, tuple(twin.split("."))):
            changed = change(changed, tuple(twin.split(".")), how, value)
    return changed


_SUBSCRIPTION = re.compile(r"(?i)^(/subscriptions/)([^/]+)")


def move(text: str, number: int) -> str:
    """An id, in a subscription of its own."""
    return _SUBSCRIPTION.sub(rf"\g<1>\g<2>-m{number}", text)


def moved(value: Json, number: int) -> Json:
    """Rows, in subscriptions of their own."""
    if isinstance(value, dict):
        found = {key: moved(item, number) for key, item in value.items()}
        if isinstance(found.get("subscriptionId"), str):
            found["subscriptionId"] += f"-m{number}"
        return found
    if isinstance(value, list | tuple):
        return [moved(item, number) for item in value]
    return move(value, number) if isinstance(value, str) else value
