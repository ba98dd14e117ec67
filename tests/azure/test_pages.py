from __future__ import annotations

from collections.abc import Mapping

import orjson
import pytest

from scanner.model import Json, Reason
from scanner.sources.azure.pages import Question, kept, read_page, request
from scanner.sources.azure.wire import Reply, Unusable
from scanner.sources.rows import MAX_DEPTH, MAX_LINE, parse_row

DISKS = Question(kql="resources | order by id asc", key=("id",))


def a_reply(members: Mapping[str, Json] | None = None, headers: Mapping[str, str] | None = None) -> Reply:
    answer = {"totalRecords": 1, "count": 1, "resultTruncated": "false", "data": [{"id": "/x"}], **(members or {})}
    return Reply(status=200, headers=headers or {}, body=orjson.dumps(answer))


def raw(body: bytes, content_type: str = "application/json") -> Reply:
    return Reply(status=200, headers={"content-type": content_type}, body=body)


def refused(reply: Reply) -> tuple[str, int, Reason]:
    with pytest.raises(Unusable) as caught:
        read_page(reply)
    return caught.value.text, caught.value.tries, caught.value.reason


def test_a_request_asks_for_what_lies_in_the_subscriptions_and_nothing_above_them() -> None:
    asked = request(DISKS, ["s1", "s2"], top=1000, token="")
    assert (asked.route, asked.method, asked.subscription, asked.provider) == ("graph", "POST", "", "")
    assert asked.url == "/providers/Microsoft.ResourceGraph/resources?api-version=2024-04-01"
    assert orjson.loads(asked.body) == {
        "query": "resources | order by id asc",
        "subscriptions": ["s1", "s2"],
        "options": {"resultFormat": "objectArray", "$top": 1000, "authorizationScopeFilter": "AtScopeAndBelow"},
    }


def test_a_token_is_sent_back_as_it_came() -> None:
    body = orjson.loads(request(DISKS, ["s1"], top=7, token="t/+=").body)  # noqa: S106 - a skip token
    assert (body["options"]["$skipToken"], body["options"]["$top"]) == ("t/+=", 7)


def test_management_groups_take_the_place_of_the_subscriptions() -> None:
    question = Question(kql="q", key=("id",), management_groups=("g1", "g2"), splittable=False)
    body = orjson.loads(request(question, ["s1"], top=1000, token="").body)
    assert (body["managementGroups"], "subscriptions" in body) == (["g1", "g2"], False)


def test_a_page_holds_its_rows_the_total_and_the_way_on() -> None:
    page = read_page(a_reply({"totalRecords": 5, "$skipToken": "t"}))
    assert (page.rows, page.total, page.token) == ([{"id": "/x"}], 5, "t")


@pytest.mark.parametrize("token", [None, ""])
@pytest.mark.parametrize("told", ["false", "False", False])
def test_the_last_page_has_no_token(token: Json, told: Json) -> None:
    assert read_page(a_reply({"$skipToken": token, "resultTruncated": told})).token == ""


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "NotJson"),
        (b"{", "NotJson"),
        (b'{"data": [{"id": "/x", "n": NaN}]}', "NotJson"),
        (b'{"data": [{"id": "\\ud800"}]}', "NotJson"),
        (b'{"data": [{"id": "\xff"}]}', "NotJson"),
        (b'{"n": 1' + b"0" * 4300 + b"}", "NotJson"),
        (b"[" * 200_000, "NotJson"),
        (b"[" * 2000 + b"]" * 2000, "NotJson"),
        (b"\r\n <!DOCTYPE html><title>Sign in</title>", "LoginOrProxyPage"),
        (b"null", "NotAnObject"),
        (b"[]", "NotAnObject"),
        (b'"text"', "NotAnObject"),
        (b"{}", "NoData"),
    ],
)
def test_a_body_that_is_no_answer_is_worth_three_tries(body: bytes, text: str) -> None:
    assert refused(raw(body)) == (text, 3, Reason.BAD_ANSWER)


def test_the_page_of_a_proxy_is_known_by_its_type_too() -> None:
    assert refused(raw(b"Sign in, please", "Text/HTML; charset=utf-8"))[0] == "LoginOrProxyPage"


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"error": {"code": "BadRequest"}}, "ErrorInAnswer"),
        ({"error": None}, "ErrorInAnswer"),
        ({"data": None}, "NoData"),
        ({"data": {"columns": [], "rows": []}}, "TableForm"),
        ({"data": {}}, "DataNotAList"),
        ({"data": "x"}, "DataNotAList"),
        ({"data": [{"id": "/x"}, None], "count": 2}, "RowNotAnObject"),
        ({"data": [{"name": "x"}]}, "RowWithoutId"),
        ({"data": [{"id": ""}]}, "RowWithoutId"),
        ({"data": [{"id": None}]}, "RowWithoutId"),
        ({"data": [{"id": 7}]}, "RowWithoutId"),
        ({"count": 2}, "CountMismatch"),
        ({"count": True}, "CountMismatch"),
        ({"count": "1"}, "CountMismatch"),
        ({"count": None}, "CountMismatch"),
        ({"totalRecords": -1}, "TotalNotACount"),
        ({"totalRecords": True}, "TotalNotACount"),
        ({"totalRecords": "1"}, "TotalNotACount"),
        ({"totalRecords": 1.0}, "TotalNotACount"),
        ({"totalRecords": None}, "TotalNotACount"),
        ({"resultTruncated": None}, "TruncationNotTold"),
        ({"resultTruncated": "maybe"}, "TruncationNotTold"),
        ({"$skipToken": 7}, "TokenNotAText"),
        ({"$skipToken": ["t"]}, "TokenNotAText"),
    ],
)
def test_an_answer_that_does_not_hold_together_is_worth_three_tries(members: dict[str, Json], text: str) -> None:
    assert refused(a_reply(members)) == (text, 3, Reason.BAD_ANSWER)


@pytest.mark.parametrize("told", ["true", "True", "TRUE", True])
@pytest.mark.parametrize("token", ["", "t"])
def test_an_answer_that_was_cut_is_final_even_with_a_token(told: Json, token: str) -> None:
    members = {"resultTruncated": told, "$skipToken": token}
    assert refused(a_reply(members)) == ("ResultTruncated", 1, Reason.TRUNCATED)


def test_only_a_header_tells_that_the_tenant_has_too_many_subscriptions() -> None:
    header = "x-ms-tenant-subscription-limit-hit"
    assert refused(a_reply(headers={header: "True"})) == ("TenantSubscriptionLimit", 1, Reason.TENANT_LIMIT)
    assert read_page(a_reply(headers={header: "false"})).total == 1


def test_a_row_is_a_sorted_line_without_secrets_under_its_key() -> None:
    row = {"name": "d", "id": "/X", "adminPassword": "Zq9-planted", "tags": {"b": 1, "a": None}}
    [(key, line)] = kept([row], ("id", "gone"))
    assert key == '["/X",null]'
    assert line == b'{"adminPassword":{"$redacted":"password"},"id":"/X","name":"d","tags":{"a":null,"b":1}}\n'


def test_rows_that_differ_in_a_secret_key_stay_two_rows_and_the_key_keeps_the_secret() -> None:
    found = kept([{"id": "/x", "password": word} for word in ("Zq9-one", "Zq9-two", "Zq9-one")], ("id", "password"))
    assert [key for key, _ in found].count(found[0][0]) == 2
    assert len({key for key, _ in found}) == 2
    assert "Zq9" not in repr(found)


def nested(levels: int, leaf: Json) -> Json:
    value = leaf
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize("levels", [1, MAX_DEPTH - 2, MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1, 300, 900])
@pytest.mark.parametrize("leaf", [1, {"password": "Zq9-planted"}, {"keys": ["Zq9-planted"]}])
def test_a_snapshot_takes_every_row_however_deep_it_was(levels: int, leaf: Json) -> None:
    [(_, line)] = kept([{"id": "/x", "deep": nested(levels, leaf)}], ("id",))
    assert parse_row(line)["id"] == "/x"
    assert b"Zq9" not in line
    assert (b'"$redacted":"depth"' in line) or levels < MAX_DEPTH
    assert (b'"$redacted":"depth"' not in line) or levels > MAX_DEPTH - 4


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"id": "/x", "password": nested(300, 1)}, "KeyTooDeep"),
        ({"id": "/x?sig=abc"}, "IdRedacted"),
        ({"id": "/x", "long": "y" * MAX_LINE}, "RowTooLong"),
    ],
    ids=["key", "id", "long"],
)
def test_a_row_that_no_snapshot_could_hold_is_refused_where_it_is_read(row: dict[str, Json], text: str) -> None:
    with pytest.raises(Unusable) as caught:
        kept([row], ("id", "password"))
    assert (caught.value.text, caught.value.tries) == (text, 1)
