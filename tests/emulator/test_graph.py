from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from scanner.emulator.ask import Refused, read
from scanner.emulator.roles import Assignment, Roles
from scanner.kql.text import as_sent
from scanner.model import Json
from scanner.packs import load
from scanner.sources.rows import decode
from scanner.sources.snapshot import open_snapshot
from tests.emulator.emulated import CONTOSO, DEV, DR, PROD, ROOT, Client, emulated
from tests.sources.snapshot_folder import Folder, vm

IDS = "resources | where type =~ 'microsoft.compute/disks' | project id | order by id asc"
BIG = 1203


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with emulated(CONTOSO, tmp_path_factory.mktemp("spool")) as found:
        yield found


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = Folder(tmp_path_factory.mktemp("big"))
    folder.table("resources", [vm("s1", f"vm{number:04}", properties={"n": number}) for number in range(BIG)])
    with emulated(folder.write(), tmp_path_factory.mktemp("spool")) as found:
        yield found


def every(client: Client, query: str, options: Mapping[str, Json], **members: Json) -> list[dict[str, Any]]:
    pages = [client.page(query, options, **members)]
    while token := pages[-1].get("$skipToken"):
        pages.append(client.page(query, {"$skipToken": token}, **members))
    return pages


@pytest.mark.parametrize("top", [1000, 7, 53, 186])
def test_pages_hold_every_row_once(client: Client, top: int) -> None:
    pages = every(client, IDS, {"$top": top})
    assert len(pages) == -(-186 // top)
    assert {page["totalRecords"] for page in pages} == {186}
    assert {page["resultTruncated"] for page in pages} == {"false"}
    assert all(page["count"] == len(page["data"]) and page["facets"] == [] for page in pages)
    rows = [row["id"] for page in pages for row in page["data"]]
    assert rows == sorted(set(rows))


def test_a_page_holds_a_thousand_rows_unless_told_otherwise(big: Client) -> None:
    assert [page["count"] for page in every(big, "resources | project id", {})] == [1000, 203]


def test_top_and_skip_overrule_a_token(client: Client) -> None:
    token = client.page(IDS, {"$top": 10})["$skipToken"]
    rows = [row["id"] for row in client.page(IDS)["data"]]

    def ids(**options: Json) -> list[str]:
        return [row["id"] for row in client.page(IDS, options)["data"]]

    assert ids(**{"$skipToken": token}) == rows[10:20]
    assert ids(**{"$skipToken": token, "$top": 3}) == rows[10:13]
    assert ids(**{"$skipToken": token, "$skip": 2, "$top": 1}) == rows[2:3]
    assert ids(**{"$skip": 150}) == rows[150:]
    assert ids(**{"$skip": 186}) == []


@pytest.mark.parametrize(
    ("query", "total", "count"),
    [
        ("resources | project name", BIG, 1000),
        ("resources | extend id = properties | project id", BIG, 1000),
        ("resources | project id | take 1100", 1100, 1000),
        ("resources | summarize count() by name", BIG, 1000),
        ("resources | summarize id = take_any(id) by name", BIG, 1000),
    ],
)
def test_what_cannot_be_paged_is_cut_and_says_so(big: Client, query: str, total: int, count: int) -> None:
    page = big.page(query)
    assert (page["totalRecords"], page["count"], page["resultTruncated"]) == (total, count, "true")
    assert "$skipToken" not in page
    small = big.page(query, {"$top": 5})
    assert (small["count"], small["resultTruncated"]) == (5, "true")


def test_skip_does_nothing_behind_take(big: Client) -> None:
    query = "resources | project id | order by id asc | limit 4"
    assert big.page(query, {"$skip": 2})["count"] == 4
    assert big.page(query, {"$skip": 2})["resultTruncated"] == "false"


def test_rows_hold_every_column_and_the_table_form_its_types(big: Client) -> None:
    query = (
        "resources | where name == 'vm0002' | project id, n = tolong(properties.n), r = todouble(properties.n) / 4, "
        "b = properties.n == 2, p = properties, gone = properties.gone, text = tostring(properties.gone)"
    )
    identity = "/subscriptions/s1/resourceGroups/RG/providers/Microsoft.Compute/virtualMachines/vm0002"
    values = [identity, 2, 0.5, True, {"n": 2}, None, ""]
    assert big.page(query)["data"] == [dict(zip(["id", "n", "r", "b", "p", "gone", "text"], values, strict=True))]
    table = big.page(query, {"resultFormat": "table"})["data"]
    assert [column["type"] for column in table["columns"]] == [
        "string",
        "integer",
        "number",
        "boolean",
        "object",
        "object",
        "string",
    ]
    assert table["rows"] == [values]


def test_now_is_the_moment_of_the_snapshot(big: Client) -> None:
    assert big.page("resources | take 1 | project t = tostring(now())")["data"][0]["t"].startswith("2026-11-20T06:00:00")


def token(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


def test_a_token_is_good_for_its_own_query_and_scope_only(client: Client) -> None:
    good = client.page(IDS, {"$top": 7})["$skipToken"]
    plain = base64.urlsafe_b64decode(good).decode()
    name, offset, _, check = plain.split()
    forged = [
        token(f"{name} {int(offset) + 1} 7 {check}"),
        token(f"{name}"),
        token("\udc80".encode("utf-8", "replace").decode()),
    ]
    refused = [client.refusal(IDS, {"$skipToken": one}) for one in [*forged, "%%", "é", base64.b64encode(b"\xff\xff").decode()]]
    refused.append(client.refusal(IDS + " ", {"$skipToken": good}))
    refused.append(client.refusal(IDS, {"$skipToken": good}, subscriptions=[PROD]))
    assert {(status, details[0]["code"]) for status, details in refused} == {(400, "InvalidSkipToken")}


@pytest.mark.parametrize(
    ("members", "ids"),
    [
        ({}, {PROD, DEV, DR}),
        ({"subscriptions": []}, {PROD, DEV, DR}),
        ({"subscriptions": [DEV.upper()]}, {DEV}),
        ({"subscriptions": [DEV, "unknown"]}, {DEV}),
        ({"managementGroups": ["ROOT"]}, {PROD, DEV, DR}),
    ],
)
def test_the_scope_is_kept(client: Client, members: dict[str, Json], ids: set[str]) -> None:
    rows = client.page("resources | summarize by subscriptionId", **members)["data"]
    assert {row["subscriptionId"] for row in rows} == ids


@pytest.mark.parametrize("members", [{"subscriptions": ["unknown"]}, {"managementGroups": ["unknown"]}])
def test_a_scope_in_which_nothing_may_be_read_is_denied(client: Client, members: dict[str, Json]) -> None:
    reply = client.ask("resources | count", **members)
    error = reply.json()["error"]
    assert (reply.status, error["code"], error["details"][0]["code"]) == (403, "AccessDenied", "AccessDenied")


def test_rows_that_may_not_be_read_are_silently_absent_also_from_joins(tmp_path: Path) -> None:
    vms, disks = "microsoft.compute/virtualmachines", "microsoft.compute/disks"
    roles = Roles(
        [
            Assignment(scope=f"/subscriptions/{PROD}", not_actions=["Microsoft.Compute/disks/read"]),
            Assignment(scope=f"/subscriptions/{DEV}/resourceGroups/rg-core"),
        ]
    )
    with emulated(CONTOSO, tmp_path / "spool", roles=roles) as client:
        seen = client.page("resources | summarize count() by type, subscriptionId")["data"]
        joined = client.page(
            f"resources | where type =~ '{vms}' | extend k = tolower(id) | join kind=leftouter (resources "
            f"| where type =~ '{disks}' | summarize disks = count() by k = tolower(managedBy)) on k "
            "| summarize machines = count(), with_disks = countif(isnotnull(disks)) by subscriptionId"
        )["data"]
        groups = client.page(f"resources | where subscriptionId == '{DEV}' | summarize by resourceGroup")["data"]
        denied, _ = client.refusal("resources | count", subscriptions=[DR])
    assert {row["subscriptionId"] for row in seen} == {PROD, DEV}
    assert not [row for row in seen if row["subscriptionId"] == PROD and row["type"] == disks]
    by_home = {row["subscriptionId"]: row for row in joined}
    assert by_home[PROD]["machines"] > 0
    assert by_home[PROD]["with_disks"] == 0
    assert by_home[DEV]["with_disks"] == by_home[DEV]["machines"]
    assert {row["resourceGroup"].lower() for row in groups} == {"rg-core"}
    assert denied == 403


@pytest.mark.parametrize(
    ("query", "details"),
    [
        (
            "resources\n| where (name",
            [{"code": "ParserFailure", "line": 2, "characterPositionInLine": 8, "token": "(", "expectedToken": ")"}],
        ),
        (
            "resources | wher name == 'x'",
            [{"code": "ParserFailure", "line": 1, "characterPositionInLine": 12, "token": "wher"}],
        ),
        (
            "resources | mv-apply x = tags on (take 1)",
            [{"code": "InvalidQueryLanguage", "line": -1, "characterPositionInLine": -1, "token": "mv-apply"}],
        ),
        ("resources | sample 3", [{"code": "InvalidQueryLanguage", "line": -1, "token": "sample"}]),
        ("resources | join kind=leftsemi (resources) on id", [{"code": "UnsupportedJoinFlavor"}]),
        ("resources | project id, foo", []),
        ("nothing | project id", []),
        ("resources | project id, t = now()", []),
    ],
)
def test_queries_that_azure_refuses_are_refused_as_it_does(client: Client, query: str, details: list[dict[str, Json]]) -> None:
    status, found = client.refusal(query)
    assert (status, found[0]["code"], found[-1]["code"]) == (400, "InvalidQuery", "EmulatorNote")
    assert found[0]["message"].startswith("Query is invalid. Please refer to the documentation")
    assert len(found) == len(details) + 2
    for expected, actual in zip(details, found[1:-1], strict=True):
        assert expected.items() <= actual.items()


def test_a_text_that_ends_too_soon_is_told_at_its_end(client: Client) -> None:
    _, found = client.refusal("resources | where name ==")
    assert found[1]["code"] == "ParserFailure"


@pytest.mark.parametrize(
    ("query", "note"),
    [
        (
            "resources | where type =~ 'microsoft.web/sites' | project id",
            "holds no microsoft.web/sites of resources",
        ),
        ("policyresources | project id", "does not hold the table policyresources"),
        ("resources | project id, t = now()", "1:25: 't' is a datetime"),
        ("resources | project id, r = row_number()", "does not translate this query"),
    ],
)
def test_what_the_emulator_cannot_know_or_run_is_never_an_empty_answer(client: Client, query: str, note: str) -> None:
    status, details = client.refusal(query)
    assert status == 400
    assert details[-1]["code"] == "EmulatorNote"
    assert details[-1]["message"].startswith("The emulator does not run this")
    assert note in details[-1]["message"]


@pytest.mark.parametrize(
    "query",
    [
        "resources | where type =~ 'microsoft.authorization/locks' | project id",
        "resources | where type =~ 'microsoft.resources/subscriptions' | project id",
    ],
)
def test_types_that_azure_does_not_have_in_a_table_are_none_here_too(client: Client, query: str) -> None:
    assert client.page(query)["data"] == []


def test_an_engine_that_fails_is_an_error_of_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scanner.emulator.answers.TIMEOUT", 0.0)
    with emulated(CONTOSO, tmp_path / "spool") as client:
        status, details = client.refusal("resources | count")
    assert (status, details[0]["code"]) == (500, "EmulatorNote")


BAD: list[tuple[dict[str, Json], list[str]]] = [
    ({"query": ""}, ["The query is missing or empty."]),
    ({"query": " \n"}, ["The query is missing or empty."]),
    ({"query": 7}, ["query must be a string.", "The query is missing or empty."]),
    ({"query": "resources", "options": []}, ["options must be an object."]),
    ({"query": "resources", "options": {"$top": 0}}, ["$top must be 1 to 1000, not 0."]),
    ({"query": "resources", "options": {"$top": 1001}}, ["$top must be 1 to 1000, not 1001."]),
    ({"query": "resources", "options": {"$top": True}}, ["$top must be a whole number."]),
    ({"query": "resources", "options": {"$top": "5"}}, ["$top must be a whole number."]),
    ({"query": "resources", "options": {"$skip": -1}}, ["$skip must be 0 or more, not -1."]),
    ({"query": "resources", "options": {"$skipToken": 1}}, ["$skipToken must be a string."]),
    ({"query": "resources", "options": {"resultFormat": "csv"}}, ["resultFormat does not take 'csv'."]),
    ({"query": "resources", "options": {"authorizationScopeFilter": "All"}}, ["authorizationScopeFilter does not take 'all'."]),
    ({"query": "resources", "subscriptions": "a"}, ["subscriptions must be a list of strings."]),
    ({"query": "resources", "subscriptions": [1]}, ["subscriptions must be a list of strings."]),
    (
        {"query": "resources", "subscriptions": ["a"], "managementGroups": ["b"]},
        ["Either subscriptions or managementGroups may be given, not both."],
    ),
    (
        {"query": "resources", "subscriptions": [str(number) for number in range(1001)]},
        ["The request names 1001 subscriptions; at most 1000 are allowed."],
    ),
]


@pytest.mark.parametrize(("body", "texts"), BAD)
def test_requests_that_are_not_as_described_are_refused(client: Client, body: dict[str, Any], texts: list[str]) -> None:
    reply = client.send("POST", "/providers/Microsoft.ResourceGraph/resources?api-version=2024-04-01", json=body)
    assert reply.status == 400
    assert [detail["message"] for detail in reply.json()["error"]["details"]] == texts


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff"])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(Refused) as caught:
        read(body)
    assert [detail["code"] for detail in caught.value.details] == ["InvalidJson"]


def test_the_filters_of_the_service_are_taken_and_unknown_members_ignored(client: Client) -> None:
    for name in ("AtScopeAndBelow", "AtScopeAndAbove", "AtScopeAboveAndBelow", "AtScopeExact"):
        page = client.page("resources | count", {"authorizationScopeFilter": name, "allowPartialScopes": True}, facets=[])
        assert page["data"] == [{"Count": 515}]


def test_a_path_of_another_provider_is_not_the_graphs(client: Client) -> None:
    assert client.send("POST", "/providers/Microsoft.Other/resources?api-version=2024-04-01", json={}).status == 404


def test_the_shipped_queries_find_here_what_they_find_in_the_snapshot(client: Client, tmp_path: Path) -> None:
    queries = {one.query.digest: one.query for one in load([ROOT / "policies" / "azure-backup"])[0].policies}
    with open_snapshot(CONTOSO, spool=tmp_path) as source:
        for query in queries.values():
            offline = source.answer(query, source.collected_at)
            text = as_sent(query.kql, now=source.collected_at, key=query.key)
            live = [row for page in every(client, text, {"$top": 40}) for row in page["data"]]
            assert [decode(row, query.columns or {}) for row in live] == [row for page in offline.pages() for row in page]
            assert len(live) == offline.rows > 0
    assert len(queries) >= 5
