"""The correct answer to each request: a token first, then the quota of Resource Graph, then the route."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from scanner.emulator.arm import Arm
from scanner.emulator.exchange import Reply, Seen, error
from scanner.emulator.graph import Graph, rate_limited
from scanner.emulator.quota import Meter


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Everything that answers. `token` is the one bearer token that is taken."""

    graph: Graph
    arm: Arm
    meter: Meter
    token: str

    def reply(self, seen: Seen, authorization: str, *, support: str) -> Reply:
        """The answer to a request; `authorization` is its header of that name, "" where there is none."""
        if authorization != f"Bearer {self.token}":
            return _unauthenticated(authorization, self.graph.estate.tenant)
        if seen.route != "graph":
            return self._route(seen, support)
        allowed, quota = self.meter.take(authorization)
        reply = self._route(seen, support) if allowed else rate_limited(support)
        return reply.adding(quota)

    def _route(self, seen: Seen, support: str) -> Reply:
        parts = urlsplit(seen.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        found = self.graph.route(seen, query, support=support) or self.arm.route(seen.method, parts.path, query)
        return found or error(404, "NotFound", f"The emulator knows no route {seen.method} {parts.path}.")


def _unauthenticated(given: str, tenant: str) -> Reply:
    """What ARM says to a request without a token, or with another than its own (RFC 6750)."""
    code, text = "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing."
    if given:
        code, text = "InvalidAuthenticationToken", "The access token is invalid."
    challenge: Mapping[str, str] = {
        "authorization_uri": f"https://login.windows.net/{tenant}",
        "error": "invalid_token",
        "error_description": text,
    }
    words = ", ".join(f'{name}="{value}"' for name, value in challenge.items())
    return error(401, code, text).adding({"WWW-Authenticate": f"Bearer {words}"})
