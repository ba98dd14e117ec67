"""Which trouble is worth another attempt, and what it is called when none is left."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.model import Reason
from scanner.sources.azure import troubles
from scanner.sources.azure.wire import Lost, LostKind, Reply, Unusable

PARSER = {"error": {"code": "BadRequest", "details": [{"code": "InvalidQuery"}, {"code": "ParserFailure", "line": 1}]}}
NESTED = {
    "error": {"code": "BadRequest", "details": [{"code": "InvalidQuery", "details": [{"code": "UnsupportedJoinFlavor"}]}]}
}
SEVERAL = {"error": {"code": "BadRequest", "details": [{"code": "ParserFailure"}, {"code": "InvalidQueryLanguage"}]}}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["error", "code", "details"]), inner),
)


def reply(status: int, body: object = None) -> Reply:
    return Reply(status=status, headers={}, body=body if isinstance(body, bytes) else json.dumps(body).encode())


@pytest.mark.parametrize(
    ("status", "body", "reason", "text", "tries"),
    [
        (204, None, Reason.BAD_ANSWER, "204 NotExpected", 3),
        (202, None, Reason.BAD_ANSWER, "202 NotExpected", 3),
        (307, None, Reason.FAILED, "307 Redirect", 1),
        (400, PARSER, Reason.FAILED, "400 ParserFailure", 1),
        (400, NESTED, Reason.FAILED, "400 UnsupportedJoinFlavor", 1),
        (400, SEVERAL, Reason.FAILED, "400 InvalidQueryLanguage", 1),
        (400, {"error": {"code": "BadRequest"}}, Reason.FAILED, "400 BadRequest", 1),
        (400, {"error": {"code": "TooMany", "details": [{"code": "Inner"}]}}, Reason.FAILED, "400 TooMany", 1),
        (401, {"error": {"code": "ExpiredAuthenticationToken"}}, Reason.DENIED, "401 ExpiredAuthenticationToken", 2),
        (403, {"error": {"code": "AuthorizationFailed"}}, Reason.DENIED, "403 AuthorizationFailed", 1),
        (404, {"code": "SubscriptionNotFound"}, Reason.FAILED, "404 SubscriptionNotFound", 1),
        (404, b"<html>", Reason.FAILED, "404", 1),
        (408, b"", Reason.FAILED, "408", 6),
        (429, {"error": {"code": "RateLimiting"}}, Reason.THROTTLED, "429 RateLimiting", 6),
        (500, None, Reason.FAILED, "500", 6),
        (501, None, Reason.FAILED, "501", 1),
        (502, None, Reason.FAILED, "502", 6),
        (503, [], Reason.FAILED, "503", 6),
        (504, {"error": {"code": "GatewayTimeout"}}, Reason.FAILED, "504 GatewayTimeout", 6),
    ],
)
def test_replies(status: int, body: object, reason: Reason, text: str, tries: int) -> None:
    trouble = troubles.of_reply(reply(status, body))
    assert (trouble.failed.reason, trouble.failed.text, trouble.tries) == (reason, text, tries)
    assert trouble.failed.status == status


def test_codes_are_told_outermost_first() -> None:
    assert troubles.of_reply(reply(400, PARSER)).failed.codes == ("BadRequest", "InvalidQuery", "ParserFailure")
    assert troubles.codes_of(b'{"error": {"code": "A", "details": [{"code": "A"}, {"code": "B"}]}}') == ("A", "B")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<!doctype html>",
        b"null",
        b'"x"',
        b'{"error": "text"}',
        b'{"error": {"code": "has space"}}',
        b'{"error": {"code": 7, "details": 8}}',
        b'{"error": {"code": "' + b"x" * 65 + b'"}}',
        b'{"error": {"code": "::error::"}}',
        b'{"code": "Big", "x": "' + b"x" * 300_000 + b'"}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_code_is_none(body: bytes) -> None:
    assert troubles.codes_of(body) == ()


def test_codes_deep_down_are_not_followed_for_ever() -> None:
    body: dict[str, object] = {"code": "Bottom"}
    for _ in range(50):
        body = {"code": "Mid", "details": [body]}
    assert troubles.codes_of(json.dumps({"error": body}).encode()) == ("Mid",)


@given(JSON)
def test_every_code_that_is_told_is_a_word(body: object) -> None:
    for code in troubles.codes_of(json.dumps(body).encode()):
        assert code.isascii()
        assert 0 < len(code) <= 64
        assert code[0].isalpha()


@pytest.mark.parametrize("kind", get_args(LostKind))
def test_lost_replies(kind: LostKind) -> None:
    trouble = troubles.of_lost(Lost(kind, "ByThisText"))
    tries = {"dns": 3, "tls": 3, "proxy": 3, "size": 1, "host": 1, "credential": 1}.get(kind, 6)
    reason = {"credential": Reason.DENIED, "timeout": Reason.TIMEOUT}.get(kind, Reason.FAILED)
    text = "SignInFailed" if kind == "credential" else "ByThisText"
    assert (trouble.failed.reason, trouble.failed.text, trouble.tries) == (reason, text, tries)


def test_a_failed_sign_in_says_what_the_credential_said() -> None:
    assert troubles.of_lost(Lost("credential", "AADSTS700024")).failed.codes == ("AADSTS700024",)


def test_a_reader_says_how_often_it_is_worth_asking() -> None:
    trouble = troubles.of_reader(Unusable("CountMismatch", tries=2, reason=Reason.TRUNCATED))
    assert (trouble.failed.reason, trouble.failed.text, trouble.tries) == (Reason.TRUNCATED, "CountMismatch", 2)


@pytest.mark.parametrize("error", [RecursionError(), MemoryError(), KeyError("x"), UnicodeDecodeError("utf-8", b"", 0, 1, "")])
def test_a_reader_that_breaks_has_read_a_bad_answer(error: Exception) -> None:
    trouble = troubles.of_reader(error)
    assert (trouble.failed.reason, trouble.failed.text, trouble.tries) == (Reason.BAD_ANSWER, "NotReadable", 1)


def test_a_transport_that_breaks_is_named_by_the_class_of_the_error() -> None:
    trouble = troubles.of_error(ValueError("the text may hold anything"))
    assert (trouble.failed.reason, trouble.failed.text, trouble.tries) == (Reason.FAILED, "ValueError", 1)
