"""What a reply says beside its rows: how long to wait, what is left of the quota, what time it is, who to ask about it.

Headers are as the network delivers them: whatever is malformed says nothing, and nothing here raises.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from scanner.sources.azure.wire import Reply

LONGEST_WAIT = 120.0
"""Seconds; no header makes a scan wait longer."""

_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?", re.ASCII)
_COUNT = re.compile(r"[0-9]{1,9}", re.ASCII)
_HOURS = re.compile(r"([0-9]{1,3}):([0-9]{2}):([0-9]{2})(?:\.[0-9]+)?", re.ASCII)
_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)


def asked(reply: Reply) -> float | None:
    """Seconds that a reply asks to wait, 0 to 120, or None: Retry-After (seconds or a date), else x-ms-retry-after-ms.

    A date counts from the reply's own Date: the local clock may be a day off.
    """
    seconds = _seconds(reply.headers.get("retry-after", ""))
    if seconds is None:
        seconds = _until_date(reply)
    if seconds is None:
        thousandths = _seconds(reply.headers.get("x-ms-retry-after-ms", ""))
        seconds = None if thousandths is None else thousandths / 1000
    return None if seconds is None else _clamped(seconds)


def pause(reply: Reply) -> float | None:
    """The same, and for a 429 that does not say it: when the quota resets, which is all that Resource Graph documents.

    https://learn.microsoft.com/azure/governance/resource-graph/concepts/guidance-for-throttled-requests
    """
    seconds = asked(reply)
    return quota_resets(reply) if seconds is None and reply.status == 429 else seconds


def quota_remaining(reply: Reply) -> int | None:
    """How many queries Resource Graph still grants this user before the quota resets."""
    text = reply.headers.get("x-ms-user-quota-remaining", "").strip()
    return int(text) if _COUNT.fullmatch(text) else None


def quota_resets(reply: Reply) -> float | None:
    """Seconds until that quota resets, 0 to 120; told as hh:mm:ss in whole seconds, so up to one second too early."""
    found = _HOURS.fullmatch(reply.headers.get("x-ms-user-quota-resets-after", "").strip())
    if found is None:
        return None
    hours, minutes, seconds = (int(part) for part in found.groups())
    return _clamped(hours * 3600 + minutes * 60 + seconds)


def date(reply: Reply) -> datetime | None:
    """The server's clock."""
    return _date(reply.headers.get("date", ""))


def request_id(reply: Reply) -> str:
    """The id under which Azure's support finds the request; empty where there is none that can be one."""
    ids = (reply.headers.get(name, "").strip() for name in ("x-ms-request-id", "x-ms-correlation-request-id"))
    return next((text for text in ids if _REQUEST_ID.fullmatch(text)), "")


def _clamped(seconds: float) -> float:
    return min(max(seconds, 0.0), LONGEST_WAIT)


def _seconds(text: str) -> float | None:
    return float(text.strip()) if _NUMBER.fullmatch(text.strip()) else None


def _until_date(reply: Reply) -> float | None:
    then, now = _date(reply.headers.get("retry-after", "")), date(reply)
    return None if then is None or now is None else (then - now) / timedelta(seconds=1)


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
