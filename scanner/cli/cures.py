"""What to do where the way to Azure is blocked: one line for each trouble, however many gaps it makes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from scanner.model import Gap

WAYS: Mapping[str, str] = MappingProxyType(
    {
        "CaBundleMissing": "REQUESTS_CA_BUNDLE names a file that is not there; correct or unset it",
        "CertificateExpired": "the server's certificate has run out: check this machine's clock, and any proxy that opens TLS",
        "CertificateRejected": "if a proxy opens TLS, let REQUESTS_CA_BUNDLE name a file with the certificate of its authority",
        "ConnectionFailed": "nothing answers at Azure's address: check the firewall, or set HTTPS_PROXY if a proxy leads out",
        "LoginOrProxyPage": "a web page came instead of an answer, from a proxy or a login portal: let this machine through",
        "NameNotResolved": "check this machine's DNS and network, or set HTTPS_PROXY if a proxy leads out",
        "ProxyFailed": "the proxy did not let requests through: check HTTPS_PROXY, and NO_PROXY for what needs none",
        "TlsFailed": "TLS is broken on the way: check proxies, firewalls, and the file that REQUESTS_CA_BUNDLE names",
    }
)
"""By the text of a gap. Every Azure tool in Python reads these variables (requests: docs/user/advanced.rst)."""


def told(gaps: Iterable[Gap]) -> Iterator[str]:
    """A line for each trouble that has a cure here, in order of its name."""
    for text in sorted({gap.text for gap in gaps} & WAYS.keys()):
        yield f"{text}; what to do: {WAYS[text]}"
