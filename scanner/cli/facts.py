"""`arguard doctor --facts DIR`: small reads that settle what is not known of Azure, without names, for a user to send.

Each question is asked of one subscription, with the least rows that can answer it, and becomes one file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from scanner.cli.checks import side_request
from scanner.cli.pseudonyms import Pseudonyms
from scanner.errors import OutputError, UsageError
from scanner.model import Json
from scanner.sources.azure.pages import Question, request
from scanner.sources.azure.wire import Calls, Failed, Reply, Request, Unusable

ROWS, TOP = 3, 100
README = "README.txt"

_JOBS = "recoveryservicesresources | where type =~ 'microsoft.recoveryservices/vaults/backupjobs'"
_ITEMS = (
    "recoveryservicesresources"
    " | where type =~ 'microsoft.recoveryservices/vaults/backupfabrics/protectioncontainers/protecteditems'"
)
_HEAD = """What is in this folder

Answers of your Azure to a few small reads, for the people who build arguard: they know these points from documents only.
Ids, names and texts were replaced by stand-ins (vm-1, guid-2, text-3) before anything was written, and what looks like a
secret was left out. PLEASE READ THE FILES BEFORE YOU SEND THEM: what you do not want to tell, delete.

"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One thing to find out: a file's name, what to look at in it, what is asked, and how many objects are shown."""

    name: str
    look: str
    request: Callable[[str], Request]
    shown: int = ROWS


def _query(kql: str) -> Callable[[str], Request]:
    def asked(subscription: str) -> Request:
        return request(Question(kql=kql, key=()), [subscription], top=TOP, token="")

    return asked


def _list(table: str) -> Callable[[str], Request]:
    return lambda subscription: side_request(table, subscription)


FACTS = (
    Fact(
        name="vm-status",
        look="does properties.instanceView carry vmAgent and extensions, and how many VMs are on a page (objects, more)?",
        request=_list("arm_vm_status"),
    ),
    Fact(name="locks", look="are locks of groups and resources in the list of a subscription?", request=_list("arm_locks")),
    Fact(
        name="restore-points",
        look="is properties.restorePoints ever filled in Azure Resource Graph?",
        request=_query(
            "resources | where type =~ 'microsoft.compute/restorepointcollections'"
            f" | project id, properties, filled = isnotnull(properties.restorePoints) | order by filled desc | take {ROWS}"
        ),
    ),
    Fact(
        name="failed-job",
        look="which keys has errorDetails, is errorCode a number, and does a code name occur in a text?",
        request=_query(f"{_JOBS} | where properties.status =~ 'Failed' | project id, properties | take 1"),
    ),
    Fact(
        name="protection-states",
        look="which pairs of protectionState and currentProtectionState are there?",
        request=_query(
            f"{_ITEMS} | summarize items = count() by protectionState = tostring(properties.protectionState),"
            " currentProtectionState = tostring(properties.currentProtectionState)"
        ),
        shown=TOP,
    ),
    Fact(
        name="snapshot-extension",
        look="is the VMSnapshot extension a row of its own?",
        request=_query(
            "resources | where type =~ 'microsoft.compute/virtualmachines/extensions'"
            f" | where tostring(properties.type) startswith 'VMSnapshot' | project id, type, properties | take {ROWS}"
        ),
    ),
    Fact(
        name="disk-exclusion",
        look="is extendedProperties.diskExclusionProperties on the rows, and what is in it?",
        request=_query(
            f"{_ITEMS} | project id, extendedProperties = properties.extendedProperties,"
            " chosen = isnotnull(properties.extendedProperties.diskExclusionProperties)"
            f" | order by chosen desc | take {ROWS}"
        ),
    ),
    Fact(
        name="patch-counts",
        look="how are the keys of availablePatchCountByClassification written?",
        request=_query(
            "patchassessmentresources | where type =~ 'microsoft.compute/virtualmachines/patchassessmentresults'"
            " | project id, properties | take 1"
        ),
    ),
    Fact(
        name="booleans",
        look="how do a projected true, tostring(true) and a null of type bool come back: true or 1, 'true' or 'True', null?",
        request=_query(
            "resourcecontainers | where type =~ 'microsoft.resources/subscriptions'"
            " | project id, flag = true, flag_compared = type =~ 'x', flag_text = tostring(true), flag_null = bool(null),"
            " flag_dynamic = todynamic('{\"a\": true}').a | take 1"
        ),
    ),
)


def write_facts(folder: Path, calls: Calls, subscriptions: Sequence[str], words: frozenset[str] = frozenset()) -> str:
    """Ask every question and write the answers; what was written, in one line.

    Each is asked of the subscriptions in turn until one has something to show. Raises UsageError for a folder that holds
    something already, and OutputError where it cannot be written; a question that fails is told in its file.
    """
    check_folder(folder)
    clean = Pseudonyms(words)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for fact in FACTS:
            _write(folder / f"{fact.name}.json", {"question": fact.look, **_answer(fact, calls, subscriptions, clean)})
        told = "".join(f"{fact.name}.json: {fact.look}\n" for fact in FACTS)
        (folder / README).write_text(_HEAD + told, encoding="utf-8")
    except OSError as error:
        hint = "name a folder that can be written to"
        raise OutputError(f"{folder}: the facts cannot be written ({error.strerror or error})", hint=hint) from None
    return f"wrote {len(FACTS)} files to {folder}; read them, starting with {README}, before you send them to anybody"


def check_folder(folder: Path) -> None:
    """Raise UsageError where the folder holds something: nothing is overwritten."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"--facts {folder}: is not empty", hint="name a folder that is new or empty")


def _answer(fact: Fact, calls: Calls, subscriptions: Sequence[str], clean: Pseudonyms) -> Mapping[str, Json]:
    found: Mapping[str, Json] = {"answer": "no subscription was there to ask"}
    for subscription in subscriptions[:20]:
        try:
            shown = calls.call(fact.request(subscription), _read)
        except Failed as failed:
            found = {"answer": f"{failed.reason} {failed.text}"}
            continue
        objects = shown.pop("objects")
        found = {**shown, "count": len(objects), "first": [clean.clean(one) for one in objects[: fact.shown]]}
        if objects:
            break
    return found


def _read(reply: Reply) -> dict[str, Json]:
    """The objects of an answer of either of Azure's two doors, and whether there are more."""
    try:
        answer = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        raise Unusable("NotJson") from None
    objects = answer.get("value", answer.get("data")) if isinstance(answer, dict) else None
    if not isinstance(objects, list):
        raise Unusable("NotAList")
    more = bool(answer.get("nextLink") or answer.get("$skipToken"))
    return {"objects": objects, "more": more, "truncated": answer.get("resultTruncated")}


def _write(file: Path, value: Json) -> None:
    file.touch(mode=0o600)
    file.write_bytes(orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n")
