"""One request through the pipeline of the Azure SDK's Resource Graph client, which carries the calls to ARM too.

From the SDK come sign-in, claims challenges, request ids, the user agent and logging; from here come one session with a
pool of connections, bounds on every body, and one name for every way to fail. Nothing is repeated or redirected here.

Reading is all it can do: nearest the wire, `_ReadOnly` lets through GET and the one POST that is a query, to the
endpoint alone. The SDK's pipeline holds a policy that registers resource providers by itself, with a POST
(azure-mgmt-core azure/mgmt/core/policies/_base.py, ARMAutoResourceProviderRegistrationPolicy).
"""

from __future__ import annotations

import http.client
import logging
import socket
import ssl
from http.cookiejar import DefaultCookiePolicy
from threading import RLock
from typing import Any, Self
from urllib.parse import quote, urlsplit

import requests
import urllib3.exceptions
from azure.core.exceptions import IncompleteReadError
from azure.core.pipeline import PipelineContext, PipelineRequest, PipelineResponse
from azure.core.pipeline.transport import RequestsTransport
from azure.core.rest import HttpRequest
from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy
from azure.mgmt.resourcegraph import ResourceGraphClient
from requests.adapters import HTTPAdapter

from scanner.errors import UsageError
from scanner.model import Identity
from scanner.sources.azure.body import beginning, whole
from scanner.sources.azure.clouds import Cloud, is_loopback, split_origin
from scanner.sources.azure.credentials import Credential, StaticToken, identity
from scanner.sources.azure.wire import Lost, LostKind, Reply, Request

GRAPH = "/providers/Microsoft.ResourceGraph/resources"
"""The only path that is ever posted to."""
BODY_CAP = 64 << 20
"""Bytes of one answer after decompression; Azure Resource Graph itself stops at 16 MiB."""
ERROR_CAP = 1 << 20
"""Bytes that are read of a reply with another status than 200."""
CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0
CONNECTIONS = 32
"""Connections that are kept open; more requests than that are never in flight."""
_BLOCK = 256 << 10
_SAFE = "%/:?@!$&'()*+,;=~-._[]"

for _name in ("azure", "msal"):
    # Without a handler, Python prints warnings of libraries to stderr; what they warn of is in the gaps.
    logging.getLogger(_name).addHandler(logging.NullHandler())


class _ReadOnly(RequestsTransport):  # type: ignore[misc]  # exported lazily, which hides its type
    """The SDK's HTTP transport, for reading from one endpoint only."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(session=_session(), connection_data_block_size=_BLOCK)
        self._endpoint = endpoint

    def send(self, request: Any, *, proxies: Any = None, **kwargs: Any) -> Any:
        """Send a request that reads. Raises Lost "host" for any other."""
        reads = request.method == "GET" or (request.method == "POST" and urlsplit(request.url).path == GRAPH)
        if not reads:
            raise Lost("host", "WriteRefused")
        if split_origin(request.url)[0] != self._endpoint:
            raise Lost("host", "LinkElsewhere")
        return super().send(request, proxies=proxies, **kwargs)


class _SignIn(ARMChallengeAuthenticationPolicy):
    """The SDK's policy for bearer tokens: one sign-in at a time, and every failure of one is Lost "credential"."""

    def __init__(self, credential: Any, scope: str) -> None:
        super().__init__(credential, scope)
        self._one_at_a_time = RLock()

    def on_request(self, request: PipelineRequest[Any]) -> None:
        """Put a token on the request, asking the credential for one where it is missing or old."""
        try:
            with self._one_at_a_time:
                try:
                    super().on_request(request)
                except AttributeError:
                    # A 401 to another request took the token away between the SDK's look at it and its use.
                    super().on_request(request)
        except Exception as error:
            raise Lost("credential", "SignInFailed") from error

    def on_challenge(self, request: PipelineRequest[Any], response: PipelineResponse[Any, Any]) -> bool:
        """Answer a claims challenge. Where that fails, the reply is closed: else the SDK reads its body, however long it is."""
        try:
            return super().on_challenge(request, response)
        except Exception as error:
            response.http_response.close()
            raise Lost("credential", "SignInFailed") from error

    def forget(self) -> None:
        """Drop the token. Without the lock: a sign-in that hangs must not hold up whoever only wants to forget."""
        self._token = None


class SdkTransport:
    """`wire.Transport` over the real SDK. Safe to use from several threads; a context manager that closes the client."""

    def __init__(self, cloud: Cloud, credential: Credential, *, version: str) -> None:
        self._cloud = cloud
        self._credential = credential
        self._sign_in = _SignIn(credential, cloud.scope)
        sdk: Any = credential  # the SDK declares more than its policy needs
        self._client = ResourceGraphClient(
            sdk,
            base_url=cloud.endpoint,
            credential_scopes=[cloud.scope],
            authentication_policy=self._sign_in,
            transport=_ReadOnly(cloud.endpoint),
            user_agent=f"arguard/{version}",
            retry_total=0,
            permit_redirects=False,
            logging_enable=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def send(self, request: Request, *, seconds: float = READ_SECONDS) -> Reply:
        """The reply, whatever its status; the body of another status than 200 is cut off at 1 MiB. Raises Lost.

        `seconds` bounds each wait on the socket; a connection must stand within 10 s, or `seconds` if that is less.
        """
        waits = {"connection_timeout": min(CONNECT_SECONDS, seconds), "read_timeout": seconds}
        try:
            url, content = self._address(request.url), request.body or None
            asked = HttpRequest(request.method, url, headers=_headers(request), content=content)
            # The supported methods decode into models at nine times the cost, and drop members that they do not know.
            response = self._client._send_request(asked, stream=True, **waits)  # noqa: SLF001
            try:
                headers = {name.lower(): value for name, value in response.headers.items()}
                encoding = headers.get("content-encoding", "").strip().lower()
                read, cap = (whole, BODY_CAP) if response.status_code == 200 else (beginning, ERROR_CAP)
                body = read(response.iter_raw(), encoding=encoding, cap=cap)
                return Reply(status=response.status_code, headers=headers, body=body)
            finally:
                response.close()
        except Exception as error:
            raise lost(error) from error

    def forget_token(self) -> None:
        """Drop the token and, where the credential can, whatever it remembers itself."""
        forget = getattr(self._credential, "forget", None)
        if forget:
            forget()
        self._sign_in.forget()

    def identity(self) -> Identity:
        """Who signs in; signs in when nobody has yet, which may take half a minute. Raises Lost "credential"."""
        request = PipelineRequest(HttpRequest("GET", self._cloud.endpoint), PipelineContext(None))
        self._sign_in.on_request(request)
        kind = getattr(self._credential, "kind", type(self._credential).__name__)
        return identity(kind, request.http_request.headers["Authorization"].removeprefix("Bearer "))

    def _address(self, url: str) -> str:
        """The address to ask: always our endpoint, whatever a link says; `{` and `}` mean something to the SDK."""
        origin, rest = (self._cloud.endpoint, url) if url.startswith("/") else split_origin(url)
        if origin != self._cloud.endpoint or not rest.startswith("/") or rest.startswith("//"):
            raise Lost("host", "LinkElsewhere")
        return origin + quote(rest.partition("#")[0], safe=_SAFE)


def connect(cloud: Cloud, credential: Credential, *, version: str) -> SdkTransport:
    """A transport to a cloud. Raises UsageError for a static token that would leave this machine."""
    if isinstance(credential, StaticToken) and not is_loopback(cloud.endpoint):
        raise UsageError(
            f"A static token goes to this machine only, not to {cloud.endpoint}.",
            hint="sign in with --auth, or name an emulator on https://localhost as the endpoint",
        )
    return SdkTransport(cloud, credential, version=version)


def _headers(request: Request) -> dict[str, str]:
    headers = {"Accept": "application/json", "Accept-Encoding": "gzip"}
    return {**headers, "Content-Type": "application/json"} if request.body else headers


def _session() -> requests.Session:
    """A session as every Azure tool in Python has one (proxies, REQUESTS_CA_BUNDLE), but without memory or second tries."""
    session = requests.Session()
    session.mount("https://", HTTPAdapter(pool_connections=1, pool_maxsize=CONNECTIONS))
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    # Without an auth of its own, requests lets a ~/.netrc overwrite the bearer token.
    session.auth = _as_it_is
    return session


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


_CA_BUNDLE = "TLS CA certificate bundle"
"""Words of the plain OSError that requests raises for a REQUESTS_CA_BUNDLE that is not there (requests/adapters.py)."""
_EXPIRED = 10
"""X509_V_ERR_CERT_HAS_EXPIRED (OpenSSL: include/openssl/x509_vfy.h)."""
_RULES: tuple[tuple[tuple[type[BaseException], ...], LostKind, str], ...] = (
    ((urllib3.exceptions.ProxyError, requests.exceptions.ProxyError), "proxy", "ProxyFailed"),
    ((urllib3.exceptions.NameResolutionError, socket.gaierror), "dns", "NameNotResolved"),
    ((ssl.SSLCertVerificationError,), "tls", "CertificateRejected"),
    ((ssl.SSLEOFError, ssl.SSLZeroReturnError), "reset", "ConnectionReset"),
    ((ssl.SSLError, urllib3.exceptions.SSLError), "tls", "TlsFailed"),
    ((urllib3.exceptions.ConnectTimeoutError, urllib3.exceptions.NewConnectionError), "connect", "ConnectionFailed"),
    ((urllib3.exceptions.ReadTimeoutError, TimeoutError), "timeout", "ReadTimeout"),
    ((ConnectionError,), "reset", "ConnectionReset"),
    ((http.client.IncompleteRead, urllib3.exceptions.IncompleteRead, IncompleteReadError), "cut", "AnswerCut"),
    ((http.client.HTTPException,), "reset", "NotHttp"),
    ((urllib3.exceptions.ProtocolError,), "cut", "AnswerCut"),
)
"""First match wins: the way through a proxy comes before what happened on it, the cause before its consequence."""


def lost(error: Exception) -> Lost:
    """The name of what happened, found anywhere among the causes; unforeseen ones go by the type of the deepest."""
    causes = _causes(error)
    known = next((one for one in causes if isinstance(one, Lost)), None)
    if known:
        return Lost(known.kind, known.text)
    if any(getattr(one, "verify_code", 0) == _EXPIRED for one in causes):
        return Lost("tls", "CertificateExpired")
    for types, kind, text in _RULES:
        if any(isinstance(one, types) for one in causes):
            return Lost(kind, text)
    if any(_CA_BUNDLE in str(one) for one in causes):
        return Lost("tls", "CaBundleMissing")
    name = type(causes[-1]).__name__.strip("_")
    return Lost("reset", name[:1].upper() + name[1:])


def _causes(error: BaseException) -> list[BaseException]:
    """An exception and everything it wraps, outermost first: each library on the way has a member of its own for that."""
    found: list[BaseException] = []
    queue: list[object] = [error]
    for one in queue:
        if isinstance(one, BaseException) and not any(one is other for other in found):
            found.append(one)
            wrapped = (getattr(one, "inner_exception", None), getattr(one, "reason", None))
            queue += [one.__cause__, one.__context__, *wrapped, *one.args]
    return found
