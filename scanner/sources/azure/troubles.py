"""What went wrong with one attempt, whether another is worth it, and the gap it makes if none is. Pure.

Attempts, in all: six where the network or the service may recover, three where that is unlikely (names, certificates,
proxies, bad answers), two for a refused token, one for everything that asking again cannot change. A Retry-After does not
change that: Resource Graph sends one with a 400, too, and azure-core's own policy would then ask four times.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from scanner.model import Reason
from scanner.sources.azure import signals
from scanner.sources.azure.wire import Failed, Lost, LostKind, Reply, Unusable

MOST_ATTEMPTS = 6
"""Of one call, whatever its troubles."""

_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
_LARGEST_ERROR = 256 * 1024
_DEEPEST = 5
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,63}", re.ASCII)
_GENERAL = frozenset({"BadRequest", "InvalidQuery"})
_LOST_TRIES: dict[LostKind, int] = {"dns": 3, "tls": 3, "proxy": 3, "size": 1, "host": 1, "credential": 1}


class Trouble(Exception):
    """One attempt that gave no result.

    `kind` names the class that `tries` counts; `wait` is what the reply asked for, in seconds, None where it did not.
    """

    def __init__(self, failed: Failed, *, kind: str, tries: int, wait: float | None = None) -> None:
        super().__init__(str(failed))
        self.failed = failed
        self.kind = kind
        self.tries = tries
        self.wait = wait


def of_lost(lost: Lost) -> Trouble:
    """No reply."""
    tries = _LOST_TRIES.get(lost.kind, MOST_ATTEMPTS)
    if lost.kind == "credential":
        return Trouble(Failed(Reason.DENIED, "SignInFailed", codes=(lost.text,)), kind="credential", tries=tries)
    reason = Reason.TIMEOUT if lost.kind == "timeout" else Reason.FAILED
    return Trouble(Failed(reason, lost.text), kind="lost" if tries == MOST_ATTEMPTS else "lost for good", tries=tries)


def of_error(error: Exception) -> Trouble:
    """The transport raised what it should not: no reply either, and nothing is known of the next attempt."""
    return Trouble(Failed(Reason.FAILED, type(error).__name__), kind="unexpected", tries=1)


def of_reader(error: Exception) -> Trouble:
    """A reply with status 200 that its reader could not use."""
    if isinstance(error, Unusable):
        return Trouble(Failed(error.reason, error.text, status=200), kind="unusable", tries=error.tries)
    return Trouble(Failed(Reason.BAD_ANSWER, "NotReadable", status=200), kind="unusable", tries=1)


def of_reply(reply: Reply) -> Trouble:
    """A reply with any other status."""
    status = reply.status
    if status < 300:
        return Trouble(Failed(Reason.BAD_ANSWER, f"{status} NotExpected", status=status), kind="unusable", tries=3)
    if status < 400:
        return Trouble(Failed(Reason.FAILED, f"{status} Redirect", status=status), kind="redirect", tries=1)
    codes = codes_of(reply.body)
    failed = Failed(_reason(status), f"{status} {_telling(status, codes)}".strip(), status=status, codes=codes)
    if status == 401:
        return Trouble(failed, kind="token", tries=2, wait=0.0)
    if status in _AGAIN:
        return Trouble(failed, kind="service", tries=MOST_ATTEMPTS, wait=signals.pause(reply))
    return Trouble(failed, kind="refused", tries=1)


def codes_of(body: bytes) -> tuple[str, ...]:
    """The error codes of a body, outermost first; empty for a body that is not Azure's, such as a proxy's HTML page."""
    if len(body) > _LARGEST_ERROR:
        return ()
    try:
        document = orjson.loads(body)
    except ValueError:
        return ()
    inner = document.get("error") if isinstance(document, dict) else None
    return tuple(dict.fromkeys(_codes(inner if isinstance(inner, dict) else document, _DEEPEST)))


def _codes(node: Any, deepest: int) -> Iterator[str]:
    if not isinstance(node, dict) or not deepest:
        return
    code, details = node.get("code"), node.get("details")
    if isinstance(code, str) and _CODE.fullmatch(code):
        yield code
    for detail in details if isinstance(details, list) else ():
        yield from _codes(detail, deepest - 1)


def _telling(status: int, codes: Sequence[str]) -> str:
    """The code that says most: of a refused query, the innermost that is more than "bad request"."""
    if status == 400 and codes and codes[0] in _GENERAL:
        return next((code for code in reversed(codes) if code not in _GENERAL), codes[-1])
    return codes[0] if codes else ""


def _reason(status: int) -> Reason:
    if status in (401, 403):
        return Reason.DENIED
    return Reason.THROTTLED if status == 429 else Reason.FAILED
