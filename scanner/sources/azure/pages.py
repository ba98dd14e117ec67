"""One page of Azure Resource Graph: the request for it, the proof that the reply is one, and its rows as they are kept.

The protocol is that of Azure/azure-rest-api-specs:specification/resourcegraph/resource-manager/Microsoft.ResourceGraph/stable/
2024-04-01/resourcegraph.json. A reply is taken at its word nowhere: HTML, an error inside a 200, a count that is not the
number of rows and an answer that was cut are all refused, because each of them would otherwise read as fewer rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import orjson

from scanner.model import Json, Reason
from scanner.redact import redact
from scanner.sources.azure.wire import Reply, Request, Unusable
from scanner.sources.rows import MAX_LINE

JsonObject: TypeAlias = dict[str, Json]

URL = "/providers/Microsoft.ResourceGraph/resources?api-version=2024-04-01"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A query as it is sent, the engine's two edits made, and the columns that tell its rows apart.

    With `management_groups` the query is asked there instead of in the subscriptions. `splittable` promises that the answer
    for several subscriptions is the sum of the answers for each (`spans: subscription`).
    """

    kql: str
    key: tuple[str, ...]
    management_groups: tuple[str, ...] = ()
    splittable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page that may be used. `total` is the service's count of all rows; `token` is empty on the last page."""

    rows: Sequence[JsonObject]
    total: int
    token: str


def request(question: Question, subscriptions: Sequence[str], *, top: int, token: str) -> Request:
    """The request for one page of at most `top` rows (1 to 1000); `token` is empty for the first.

    `allowPartialScopes` and `$skip` are never sent: the one hides what was not read, the other repeats and loses rows.
    """
    options: JsonObject = {"resultFormat": "objectArray", "$top": top, "authorizationScopeFilter": "AtScopeAndBelow"}
    if token:
        options["$skipToken"] = token
    groups = question.management_groups
    scope = {"managementGroups": list(groups)} if groups else {"subscriptions": list(subscriptions)}
    body = orjson.dumps({"query": question.kql, **scope, "options": options})
    return Request(route="graph", method="POST", url=URL, body=body)


def read_page(reply: Reply) -> Page:
    """The page that a reply with status 200 is; Unusable says why it is none."""
    # The documentation of throttling: more than 10,000 subscriptions are cut off silently, but for this header.
    if reply.headers.get("x-ms-tenant-subscription-limit-hit", "").strip().lower() == "true":
        raise Unusable("TenantSubscriptionLimit", tries=1, reason=Reason.TENANT_LIMIT)
    answer = _object(reply)
    if "error" in answer:
        raise Unusable("ErrorInAnswer")
    rows, total, token = _rows(answer), answer.get("totalRecords"), answer.get("$skipToken") or ""
    if type(answer.get("count")) is not int or answer["count"] != len(rows):
        raise Unusable("CountMismatch")
    if type(total) is not int or total < 0:
        raise Unusable("TotalNotACount")
    # "true" means that the answer was cut and cannot go on, whatever else the page holds.
    cut = str(answer.get("resultTruncated")).lower()
    if cut == "true":
        raise Unusable("ResultTruncated", tries=1, reason=Reason.TRUNCATED)
    if cut != "false":
        raise Unusable("TruncationNotTold")
    if not isinstance(token, str):
        raise Unusable("TokenNotAText")
    return Page(rows=rows, total=total, token=token)


def kept(rows: Sequence[JsonObject], key: Sequence[str]) -> list[tuple[str, bytes]]:
    """Rows as a sink takes them: the values of the key columns as text, and the redacted row as a line of JSON.

    A row that a snapshot could not hold is Unusable here, where it is a gap, and not when the snapshot is read. What is
    nested too deep for a snapshot `redact` replaces by a mark.
    """
    return [_kept(row, key) for row in rows]


def _object(reply: Reply) -> JsonObject:
    try:
        answer = orjson.loads(reply.body)
    except orjson.JSONDecodeError as error:
        is_markup = reply.body.lstrip()[:1] == b"<" or "html" in reply.headers.get("content-type", "").lower()
        raise Unusable("LoginOrProxyPage" if is_markup else "NotJson") from error
    if not isinstance(answer, dict):
        raise Unusable("NotAnObject")
    return answer


def _rows(answer: JsonObject) -> list[JsonObject]:
    data = answer.get("data")
    if data is None:
        raise Unusable("NoData")
    if not isinstance(data, list):
        raise Unusable("TableForm" if isinstance(data, dict) and "columns" in data else "DataNotAList")
    if not all(isinstance(row, dict) for row in data):
        raise Unusable("RowNotAnObject")
    if not all(_has_id(row) for row in data):
        raise Unusable("RowWithoutId")
    return data


def _has_id(row: JsonObject) -> bool:
    return isinstance(row.get("id"), str) and row["id"] != ""


def _kept(row: JsonObject, key: Sequence[str]) -> tuple[str, bytes]:
    clean = redact(row)
    if not _has_id(clean):
        raise Unusable("IdRedacted", tries=1)
    line = orjson.dumps(clean, option=orjson.OPT_SORT_KEYS) + b"\n"
    if len(line) > MAX_LINE:
        raise Unusable("RowTooLong", tries=1)
    return _key(row, clean, key), line


def _key(row: JsonObject, clean: JsonObject, key: Sequence[str]) -> str:
    """The key of the row as Azure sent it: two secrets that look alike once redacted are still two rows."""
    values = [row.get(name) for name in key]
    try:
        text = orjson.dumps(values, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:  # orjson writes 254 levels, but reads 1,024
        raise Unusable("KeyTooDeep", tries=1) from error
    secret = values != [clean.get(name) for name in key]
    return hashlib.sha256(text).hexdigest() if secret else text.decode()
