"""Azure Resource Manager as it answers reads: lists that go on behind a nextLink, and single objects.

Nothing is taken for an empty list but a list that is empty: `{}`, an error envelope and a login page are bad answers.
The versions below are pinned, because what a newer version returns has not been looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias
from urllib.parse import quote

import orjson

from scanner.model import Json, Reason
from scanner.sources.azure.wire import Calls, Failed, Reply, Request, Unusable

JsonObject: TypeAlias = dict[str, Json]

LOCKS = "2020-05-01"
"""azure-mgmt-resource-locks 1.0.0."""
VIRTUAL_MACHINES = "2024-07-01"
"""`statusOnly` is there from 2024-03-01 on (Azure/azure-rest-api-specs: specification/compute)."""
RESTORE_POINT_COLLECTIONS = "2024-07-01"
"""Azure/azure-rest-api-specs: specification/compute."""
PERMISSIONS = "2022-04-01"
"""Azure/azure-rest-api-specs: specification/authorization; answers at the scope of a subscription too."""
SUBSCRIPTIONS = "2022-12-01"
"""Azure/azure-rest-api-specs: specification/resources."""
DESCENDANTS = "2020-05-01"
"""https://learn.microsoft.com/rest/api/managementgroups/management-groups/get-descendants"""

MAX_PAGES = 10_000
"""Pages of one list; Azure's largest lists of one subscription have some hundreds."""

_IN_IDS = "/!$&'()*+,;=:@~"
"""What ids may hold besides letters, digits, `-`, `.` and `_`; a `?`, `#` or `%` would change the request and is encoded."""


def url(path: str, version: str, *options: str) -> str:
    """A path, as ids spell it, with its query below the endpoint; `options` such as "statusOnly=true" are written as given."""
    return f"{quote(path, safe=_IN_IDS)}?{'&'.join((f'api-version={version}', *options))}"


def items(request: Request, calls: Calls) -> Iterator[Sequence[JsonObject]]:
    """The pages of a list, each when it is asked for; raises Failed, also after pages were handed out."""
    followed = {request.url}
    for _ in range(MAX_PAGES):
        page = calls.call(request, _read_page)
        yield page.objects
        if not page.link:
            return
        if page.link in followed:
            raise Failed(Reason.BAD_ANSWER, "LinkRepeated")
        followed.add(page.link)
        request = replace(request, url=page.link)
    raise Failed(Reason.BAD_ANSWER, "EndlessPages")


def one(request: Request, calls: Calls) -> JsonObject:
    """A single object; raises Failed."""
    return calls.call(request, _read_one)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    objects: Sequence[JsonObject]
    link: str


def _read_page(reply: Reply) -> _Page:
    answer = _read_object(reply)
    objects, link = answer.get("value"), answer.get("nextLink")
    if not isinstance(objects, list) or not all(isinstance(item, dict) for item in objects):
        raise Unusable("NotAList")
    if link is not None and not isinstance(link, str):
        raise Unusable("LinkNotText")
    return _Page(objects=objects, link=link or "")


def _read_one(reply: Reply) -> JsonObject:
    found = _read_object(reply)
    if not found:
        raise Unusable("EmptyObject")
    return found


def _read_object(reply: Reply) -> JsonObject:
    if reply.body.lstrip().startswith(b"<"):
        raise Unusable("LoginOrProxyPage")
    try:
        answer: Json = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        raise Unusable("NotJson") from None
    if not isinstance(answer, dict):
        raise Unusable("NotAnObject")
    if answer.get("error") is not None:
        raise Unusable("ErrorInAnswer")
    return answer
