"""Every kind of trouble that the emulator can make and that somebody could notice.

Left out is silence, which takes real time to be noticed.
"""

from __future__ import annotations

from collections.abc import Mapping

from scanner.emulator.exchange import Reply, error
from scanner.emulator.script import Action, Headers, Patch, Wire, claims_challenge, redirect

_STATUSES = (201, 204, 400, 401, 403, 404, 408, 409, 410, 429, 500, 501, 502, 503, 504)

KINDS: Mapping[str, Action] = {
    **{f"status {status}": error(status, "Trouble", "Something is not right.") for status in _STATUSES},
    "redirect": redirect("https://elsewhere.example/"),
    "redirect to itself": redirect("/", 301),
    "payload too large": error(400, "BadRequest", "", [{"code": "ResponsePayloadTooLarge", "message": ""}]),
    "access denied": error(403, "AccessDenied", ""),
    "throttled for an hour": error(429, "RateLimiting", "").adding({"Retry-After": "3600"}),
    "throttled until soon": error(429, "RateLimiting", "").adding({"Retry-After": "soon"}),
    "throttled until the quota resets": error(429, "RateLimiting", "").adding({"x-ms-user-quota-resets-after": "00:00:03"}),
    "claims challenge": claims_challenge("e30="),
    "login page": Reply(body=b"<html>Sign in</html>", headers={"Content-Type": "text/html"}),
    "nothing": Reply(body=b""),
    "null": Reply(body=b"null"),
    "list": Reply(body=b"[]"),
    "empty object": Reply(body=b"{}"),
    "empty list": Reply(body={"value": [], "data": []}),
    "not UTF-8": Reply(body=b'{"value": ["\xff"]}'),
    "NaN": Reply(body=b'{"value": [NaN], "data": [NaN], "count": 1, "totalRecords": 1}'),
    "deep nest": Reply(body=b"[" * 100_000),
    "error in a 200": Reply(body={"error": {"code": "InternalServerError", "message": "x"}}),
    "empty page": Patch(empty=True),
    "repeated token": Patch(repeat_token=True),
    "table": Patch(table=True),
    "row lost": Patch(drop_row=0),
    "row lost, counted": Patch(drop_row=0, add={"count": -1}),
    "row twice": Patch(repeat_row=0),
    "row twice, counted": Patch(repeat_row=0, add={"count": 1}),
    "row twice, counted everywhere": Patch(repeat_row=0, add={"count": 1, "totalRecords": 1}),
    "total too high": Patch(add={"totalRecords": 1}),
    "total too low": Patch(add={"totalRecords": -1}),
    "count too high": Patch(add={"count": 1}),
    "error beside rows": Patch(merge={"error": {"code": "Partial", "message": "x"}}),
    "null rows": Patch(merge={"data": None, "value": None}),
    "text for rows": Patch(merge={"data": "x", "value": "x"}),
    "rows of text": Patch(merge={"data": ["x"], "value": ["x"], "count": 1, "totalRecords": 1}),
    "rows without members": Patch(merge={"data": [{}], "value": [{}], "count": 1, "totalRecords": 1}),
    "rows lost": Patch(delete=("data", "value")),
    "cut": Patch(merge={"resultTruncated": "true", "nextLink": 1}),
    "token of a number": Patch(merge={"$skipToken": 1, "nextLink": 1}),
    "token unknown": Patch(merge={"$skipToken": "bm90aGluZw==", "nextLink": "https://localhost/nothing"}),
    "link elsewhere": Patch(merge={"$skipToken": "x", "nextLink": "https://elsewhere.example/next"}),
    "tenant limit": Headers(headers={"x-ms-tenant-subscription-limit-hit": "true"}),
    "no quota left": Headers(headers={"x-ms-user-quota-remaining": "0", "x-ms-user-quota-resets-after": "00:00:05"}),
    "strange headers": Headers(headers={"Date": "soon", "Retry-After": "x", "x-ms-user-quota-remaining": "-1", "ETag": "ä"}),
    "length too small": Headers(headers={"Content-Length": "9"}),
    "reset at once": Wire(kind="reset"),
    "reset after headers": Wire(kind="reset", where="headers"),
    "reset in the body": Wire(kind="reset", where="body"),
    "slow": Wire(kind="slow", seconds=0),
    "slow headers": Wire(kind="slow", where="headers", seconds=0),
    "short body": Wire(kind="short_body"),
    "cut chunk": Wire(kind="cut_chunk"),
    "cut gzip": Wire(kind="cut_gzip"),
    "bad CRC": Wire(kind="bad_crc"),
    "gzip bomb": Wire(kind="gzip_bomb", size=1 << 30),
    "late": Wire(kind="delay", seconds=0.01),
}

SHORTER = frozenset({"empty list", "row lost", "row lost, counted"})
"""What nobody could notice in ARM, whose lists do not say how long they are; Azure Resource Graph counts its rows."""
_SIX = (
    *("status 408", "status 429", "status 500", "status 502", "status 503", "status 504"),
    *("throttled until soon", "throttled until the quota resets"),
    *("reset at once", "reset after headers", "reset in the body", "length too small"),
    *("short body", "cut chunk", "cut gzip", "bad CRC"),
)
_THREE = (
    *("status 201", "status 204", "login page", "nothing", "null", "list", "empty object", "not UTF-8", "NaN", "deep nest"),
    *("error in a 200", "error beside rows", "table", "null rows", "text for rows", "rows of text", "rows lost"),
    *("cut", "token of a number"),
)
ATTEMPTS: Mapping[str, int] = {
    **dict.fromkeys(_SIX, 6),
    **dict.fromkeys(_THREE, 3),
    "status 401": 2,
    # Each of the two attempts is made twice: the SDK itself asks once more, with a token for these claims.
    "claims challenge": 4,
    # Two waits of 120 s do not fit into the 180 s of a page.
    "throttled for an hour": 2,
}
"""How often ARM is asked where the trouble does not end; once, where it is not listed."""
PASSING = frozenset(ATTEMPTS)
"""What is over with the second request, if that is fine."""
THROTTLES = frozenset(kind for kind in KINDS if "throttled" in kind or "quota" in kind or kind == "status 429")
"""What slows down every query to Azure Resource Graph, not only the one that is in trouble."""
