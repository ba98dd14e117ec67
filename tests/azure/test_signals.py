"""What headers say of waiting, and that malformed ones say nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.sources.azure import signals
from scanner.sources.azure.wire import Reply

NOON = "Fri, 20 Nov 2026 12:00:00 GMT"
HEADERS = ["retry-after", "x-ms-retry-after-ms", "x-ms-user-quota-resets-after", "x-ms-user-quota-remaining", "date"]


def reply(status: int = 429, **headers: str) -> Reply:
    return Reply(status=status, headers={name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("7", 7),
        (" 7 ", 7),
        ("1.5", 1.5),
        ("-5", 0),
        ("1e9", 120),
        ("9" * 5000, 120),
        ("121", 120),
        ("soon", None),
        ("00:00:03", None),
        ("nan", None),
        ("inf", None),
        ("1_0", None),
        ("٣", None),
        ("", None),
        ("Fri, 99 Nov 2026 12:00:00 GMT", None),
    ],
)
def test_retry_after_in_seconds(text: str, seconds: float | None) -> None:
    assert signals.pause(reply(retry_after=text)) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Fri, 20 Nov 2026 12:00:02 GMT", 2),
        ("Fri, 20 Nov 2026 13:00:03 +0100", 3),
        ("Fri, 20 Nov 2026 12:00:04 -0000", 4),
        ("Fri, 20 Nov 2026 11:00:00 GMT", 0),
        ("Sat, 21 Nov 2026 12:00:00 GMT", 120),
    ],
)
def test_a_date_counts_from_the_servers_own_clock(text: str, seconds: float) -> None:
    assert signals.pause(reply(retry_after=text, date=NOON)) == seconds
    assert signals.pause(reply(retry_after=text)) is None


def test_azures_own_headers_come_after_retry_after() -> None:
    both = reply(x_ms_retry_after_ms="1500", x_ms_user_quota_resets_after="00:00:03")
    assert signals.pause(both) == 1.5
    assert signals.pause(reply(retry_after="4", x_ms_retry_after_ms="1500")) == 4
    assert signals.pause(reply(retry_after="soon", x_ms_retry_after_ms="1500")) == 1.5
    assert signals.pause(reply(x_ms_user_quota_resets_after="00:01:03")) == 63
    assert signals.pause(reply(x_ms_user_quota_resets_after="01:01:03")) == 120


def test_when_the_quota_resets_matters_to_a_429_alone() -> None:
    assert signals.pause(reply(503, x_ms_user_quota_resets_after="00:00:03")) is None
    assert signals.pause(reply(503, x_ms_retry_after_ms="3000")) == 3


def test_the_quota() -> None:
    assert signals.quota_remaining(reply(x_ms_user_quota_remaining=" 14")) == 14
    assert signals.quota_remaining(reply(x_ms_user_quota_remaining="-1")) is None
    assert signals.quota_remaining(reply()) is None
    assert signals.quota_resets(reply(x_ms_user_quota_resets_after="00:00:04.5")) == 4
    assert signals.quota_resets(reply(x_ms_user_quota_resets_after="4")) is None


def test_the_servers_clock() -> None:
    assert signals.date(reply(date=NOON)) == datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert signals.date(reply(date="yesterday")) is None


def test_the_id_of_a_request_is_an_id_or_nothing() -> None:
    assert signals.request_id(reply(x_ms_request_id="a-1", x_ms_correlation_request_id="b-2")) == "a-1"
    assert signals.request_id(reply(x_ms_request_id="::error::", x_ms_correlation_request_id="b-2")) == "b-2"
    assert not signals.request_id(reply())


@given(st.dictionaries(st.sampled_from(HEADERS), st.text(max_size=40)), st.sampled_from([200, 429, 503]))
def test_no_header_raises_or_waits_for_long(headers: dict[str, str], status: int) -> None:
    odd = Reply(status=status, headers=headers)
    for seconds in (signals.pause(odd), signals.quota_resets(odd)):
        assert seconds is None or 0 <= seconds <= 120
    assert signals.quota_remaining(odd) is None or (signals.quota_remaining(odd) or 0) >= 0
    moment = signals.date(odd)
    assert moment is None or moment.utcoffset() is not None
