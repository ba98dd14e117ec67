from __future__ import annotations

import pytest

from scanner.model import Json, Reason
from scanner.sources.azure import arm
from scanner.sources.azure.wire import Failed, Request
from tests.azure.scripted_arm import DENIED, ScriptedCalls, Turns, page

REQUEST = Request(route="locks", url="/list", subscription="s1", provider="microsoft.authorization")


def read(script: dict[str, Json]) -> tuple[list[Json], ScriptedCalls]:
    calls = ScriptedCalls(script)
    return [item for items in arm.items(REQUEST, calls) for item in items], calls


def trouble(script: dict[str, Json]) -> Failed:
    with pytest.raises(Failed) as caught:
        read(script)
    return caught.value


def test_a_list_goes_on_behind_its_links_also_after_an_empty_page() -> None:
    found, calls = read(
        {
            "/list": page({"n": 1}, {"n": 2}, link="https://host/2"),
            "https://host/2": page(link="https://host/3"),
            "https://host/3": page({"n": 3}),
        }
    )
    assert found == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert calls.urls == ["/list", "https://host/2", "https://host/3"]


def test_every_page_is_paid_from_the_same_bucket() -> None:
    _, calls = read({"/list": page(link="https://host/2"), "https://host/2": page()})
    assert {(one.route, one.method, one.subscription, one.provider) for one in calls.requests} == {
        ("locks", "GET", "s1", "microsoft.authorization")
    }


@pytest.mark.parametrize("end", [{}, {"nextLink": None}, {"nextLink": ""}, {"error": None}])
def test_a_list_without_a_link_ends(end: Json) -> None:
    assert read({"/list": {"value": [{"n": 1}], **end}})[0] == [{"n": 1}]


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b"", "NotJson"),
        (b'{"value": [', "NotJson"),
        (b'{"value": [{"a": NaN}]}', "NotJson"),
        (b'{"value": [{"a": "\\ud800"}]}', "NotJson"),
        (b'{"value": [{"a": "\xff"}]}', "NotJson"),
        (b"[" * 200_000, "NotJson"),
        (b" \n<!DOCTYPE html><title>Sign in</title>", "LoginOrProxyPage"),
        (None, "NotAnObject"),
        ([], "NotAnObject"),
        ("value", "NotAnObject"),
        ({}, "NotAList"),
        ({"value": None}, "NotAList"),
        ({"value": {}}, "NotAList"),
        ({"value": [{}, None]}, "NotAList"),
        ({"value": [[]]}, "NotAList"),
        ({"error": {"code": "Nope"}}, "ErrorInAnswer"),
        ({"value": [], "error": {}}, "ErrorInAnswer"),
        ({"value": [], "nextLink": 2}, "LinkNotText"),
        ({"value": [], "nextLink": {"url": "/x"}}, "LinkNotText"),
    ],
)
def test_an_answer_that_is_no_list_is_asked_for_three_times_and_never_empty(answer: Json, text: str) -> None:
    calls = ScriptedCalls({"/list": answer})
    with pytest.raises(Failed) as caught:
        list(arm.items(REQUEST, calls))
    assert (caught.value.reason, caught.value.text) == (Reason.BAD_ANSWER, text)
    assert len(calls.requests) == 3


def test_a_page_that_is_right_the_second_time_is_taken() -> None:
    assert read({"/list": Turns([{}, page({"n": 1})])})[0] == [{"n": 1}]


@pytest.mark.parametrize("again", ["/list", "https://host/2", "https://host/3"])
def test_a_link_that_was_followed_before_ends_the_reading(again: str) -> None:
    script = {"/list": page(link="https://host/2"), "https://host/2": page(link="https://host/3")}
    calls = ScriptedCalls({**script, "https://host/3": page(link=again)})
    with pytest.raises(Failed) as caught:
        list(arm.items(REQUEST, calls))
    assert (caught.value.reason, caught.value.text) == (Reason.BAD_ANSWER, "LinkRepeated")
    assert len(calls.requests) == 3


def test_a_list_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arm, "MAX_PAGES", 3)
    script = {
        "/list": page(link="https://host/1"),
        **{f"https://host/{n}": page(link=f"https://host/{n + 1}") for n in range(9)},
    }
    found = trouble(script)
    assert (found.reason, found.text) == (Reason.BAD_ANSWER, "EndlessPages")
    del script["https://host/2"]
    script["https://host/2"] = page({"n": 3})
    assert read(script)[0] == [{"n": 3}]


def test_a_page_that_fails_fails_the_list_after_the_pages_before_it() -> None:
    pages = arm.items(REQUEST, ScriptedCalls({"/list": page({"n": 1}, link="https://host/2"), "https://host/2": DENIED}))
    assert next(pages) == [{"n": 1}]
    with pytest.raises(Failed) as caught:
        next(pages)
    assert caught.value is DENIED


def test_a_single_object_is_an_object_without_an_error() -> None:
    assert arm.one(REQUEST, ScriptedCalls({"/list": {"id": "/x"}})) == {"id": "/x"}
    for answer, text in (([], "NotAnObject"), ({"error": {"code": "x"}}, "ErrorInAnswer"), (b"<html>", "LoginOrProxyPage")):
        with pytest.raises(Failed) as caught:
            arm.one(REQUEST, ScriptedCalls({"/list": answer}))
        assert caught.value.text == text


def test_a_url_holds_the_version_and_what_ids_may_hold_but_nothing_that_changes_the_request() -> None:
    assert arm.url("/a/b", "2020-05-01") == "/a/b?api-version=2020-05-01"
    assert arm.url("/a", "1", "$expand=restorePoints") == "/a?api-version=1&$expand=restorePoints"
    assert arm.url("/rg-a_(b).c", "1") == "/rg-a_(b).c?api-version=1"
    assert arm.url("/a?x=1#y z%2f", "1") == "/a%3Fx=1%23y%20z%252f?api-version=1"
    assert arm.url("/réseau", "1") == "/r%C3%A9seau?api-version=1"


def test_an_object_without_any_member_is_no_object_and_asked_for_again() -> None:
    calls = ScriptedCalls({"/list": {}})
    with pytest.raises(Failed, match="EmptyObject"):
        arm.one(REQUEST, calls)
    assert len(calls.urls) == 3
    assert arm.one(REQUEST, ScriptedCalls({"/list": Turns([{}, {"id": "/x"}])})) == {"id": "/x"}
