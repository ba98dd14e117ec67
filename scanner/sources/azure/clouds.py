"""The clouds that can be scanned: where to sign in, where to ask, and the scope that a token must have.

The three go together: a mismatch ends in a redirect or in "subscription not found", so one choice sets all of them.
Sources: azure-mgmt-core azure/mgmt/core/tools.py (get_arm_endpoints), azure-identity azure/identity/_constants.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from scanner.errors import UsageError

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
"""The only hosts that a static token is ever sent to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """One cloud. `authority` is a host name, `endpoint` an address without a path, `scope` what a token is asked for."""

    name: str
    authority: str
    endpoint: str
    scope: str


CLOUDS: Mapping[str, Cloud] = MappingProxyType(
    {
        cloud.name: cloud
        for cloud in (
            Cloud(
                name="public",
                authority="login.microsoftonline.com",
                endpoint="https://management.azure.com",
                scope="https://management.azure.com/.default",
            ),
            Cloud(
                name="usgov",
                authority="login.microsoftonline.us",
                endpoint="https://management.usgovcloudapi.net",
                scope="https://management.core.usgovcloudapi.net/.default",
            ),
            Cloud(
                name="china",
                authority="login.chinacloudapi.cn",
                endpoint="https://management.chinacloudapi.cn",
                scope="https://management.chinacloudapi.cn/.default",
            ),
        )
    }
)


_ORIGIN = re.compile(r"https://([a-z0-9.-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?(?=[/?#]|\Z)", re.IGNORECASE | re.ASCII)


def loopback(endpoint: str) -> Cloud:
    """An emulator on this machine, such as `https://localhost:8443`. Raises UsageError for any other address."""
    origin, rest = split_origin(endpoint)
    if not is_loopback(origin) or rest not in {"", "/"}:
        raise UsageError(
            f"{endpoint!r} is not an https address of this machine.",
            hint="name https://localhost, https://127.0.0.1 or https://[::1], with a port; --cloud means Azure itself",
        )
    return Cloud(name="loopback", authority=CLOUDS["public"].authority, endpoint=origin, scope=f"{origin}/.default")


def is_loopback(endpoint: str) -> bool:
    """Whether an address is https on this machine."""
    match = _ORIGIN.match(endpoint)
    return match is not None and match[1].lower() in LOOPBACK


def split_origin(url: str) -> tuple[str, str]:
    """`https://host:port` of an address, lower case and without the port that goes without saying, and what follows it.

    ("", "") for anything that two parsers could read differently: user information, backslashes, other alphabets,
    other schemes than https, ports that do not exist.
    """
    match = _ORIGIN.match(url)
    if not match or int(match[2] or 443) > 65535:
        return "", ""
    port = int(match[2] or 443)
    return f"https://{match[1].lower()}" + ("" if port == 443 else f":{port}"), url[match.end() :]
