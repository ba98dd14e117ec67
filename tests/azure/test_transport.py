"""The real SDK over TLS on loopback: what reaches the wire, what comes back, and the name of every way to fail."""

from __future__ import annotations

import base64
import gzip
import json
import logging
import socket
import ssl
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event
from typing import Any, cast

import pytest
import requests
import trustme
import urllib3
from azure.core.credentials import AccessTokenInfo
from azure.core.rest import HttpRequest
from azure.mgmt.resourcegraph import ResourceGraphClient

from scanner.errors import UsageError
from scanner.sources.azure.clouds import CLOUDS, Cloud, loopback
from scanner.sources.azure.credentials import StaticToken
from scanner.sources.azure.transport import BODY_CAP, ERROR_CAP, GRAPH, SdkTransport, connect, lost
from scanner.sources.azure.wire import Lost, Reply, Request, Transport
from tests.azure.tls_server import Received, Script, Served, Wire, head, reply, serving, write_ca

QUERY = Request(route="graph", method="POST", url=f"{GRAPH}?api-version=2024-04-01", body=b'{"query": "Resources"}')
LIST = Request(route="subscriptions", url="/subscriptions?api-version=2022-12-01")
SUB = "/subscriptions/00000000-0000-0000-0000-000000000001"
LATER = 4102444800


class Tokens:
    """A credential that numbers its tokens."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.forgotten = 0

    def get_token_info(self, *scopes: str, options: Any = None) -> AccessTokenInfo:
        self.asked.append((scopes, dict(options or {})))
        return AccessTokenInfo(f"token-{len(self.asked)}", LATER)

    def forget(self) -> None:
        self.forgotten += 1


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust the test authority, as a user of the emulator does; no proxy and no .netrc of whoever runs the tests."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", write_ca(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "CURL_CA_BUNDLE", "AZURE_HTTP_USER_AGENT"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def asked(script: Script, request: Request = LIST, **changes: Any) -> tuple[Reply | Lost, Served]:
    """What one request to a server with this script ends in."""
    with serving(script) as served, connect(loopback(served.endpoint), Tokens(), version="1.2.3") as transport:
        return outcome(transport, request, **changes), served


def outcome(transport: Transport, request: Request = LIST, *, seconds: float = 5) -> Reply | Lost:
    try:
        return transport.send(request, seconds=seconds)
    except Lost as error:
        return error


def body_of(found: Reply | Lost) -> bytes:
    assert isinstance(found, Reply)
    return found.body


def named(found: Reply | Lost) -> tuple[str, str]:
    assert isinstance(found, Lost)
    return found.kind, found.text


# --- what reaches the wire


def test_a_raw_query_arrives_as_it_was_written() -> None:
    body = b'{"query":"Resources | where x == \'{a}\'","options":{"authorizationScopeFilter":"AtScopeAndAbove","$top":7}}'
    request = Request(route="graph", method="POST", url=f"{GRAPH}?api-version=2024-04-01", body=body)
    found, served = asked(lambda _: reply(body=b'{"data": []}'), request)
    assert body_of(found) == b'{"data": []}'
    (one,) = served.received
    assert (one.method, one.path, one.body) == ("POST", f"{GRAPH}?api-version=2024-04-01", body)
    assert one.headers["content-type"] == "application/json"
    assert one.headers["accept-encoding"] == "gzip"
    assert one.headers["authorization"] == "Bearer token-1"
    assert one.headers["user-agent"].startswith("arguard/1.2.3 azsdk-python-mgmt-resourcegraph/")
    assert one.headers["x-ms-client-request-id"]


def test_the_sdk_still_has_the_method_that_everything_goes_through() -> None:
    assert callable(ResourceGraphClient._send_request), "azure-mgmt-resourcegraph lost _send_request; see transport.py"


def test_braces_and_odd_letters_in_an_address_reach_the_server_as_data() -> None:
    url = "/providers/x?$filter=name eq '{a}' and b eq 'ü'&$skiptoken=a%2Fb+c"
    _, served = asked(lambda _: reply(), Request(route="locks", url=url))
    assert served.received[0].path == "/providers/x?$filter=name%20eq%20'%7Ba%7D'%20and%20b%20eq%20'%C3%BC'&$skiptoken=a%2Fb+c"


def test_next_links_are_followed_on_the_endpoint_only() -> None:
    with serving(lambda _: reply()) as served, connect(loopback(served.endpoint), Tokens(), version="1") as transport:
        link = f"HTTPS://LOCALHOST:{served.port}/subscriptions?$skiptoken=2#part"
        assert isinstance(outcome(transport, Request(route="locks", url=link)), Reply)
        assert served.received[0].path == "/subscriptions?$skiptoken=2"
        for elsewhere in (
            "https://evil.example/subscriptions",
            f"https://localhost:{served.port + 1}/subscriptions",
            f"http://localhost:{served.port}/subscriptions",
            f"https://localhost:{served.port}@evil.example/",
            f"https://evil.example\\@localhost:{served.port}/",
            f"https://localhost:{served.port}.evil.example/",
            f"https://localhost:{served.port}",
            f"https://localhost:{served.port}//evil.example/",
            "//evil.example/subscriptions",
            "subscriptions",
            "",
        ):
            assert named(outcome(transport, Request(route="locks", url=elsewhere))) == ("host", "LinkElsewhere")
        assert len(served.received) == 1


def test_nothing_but_reading_reaches_the_wire() -> None:
    writes = [Request(route="graph", method="POST", url=url) for url in (f"{SUB}/providers/X/register", f"{GRAPH}/../x", "/")]
    with serving(lambda _: reply()) as served, connect(loopback(served.endpoint), Tokens(), version="1") as transport:
        assert {named(outcome(transport, one)) for one in writes} == {("host", "WriteRefused")}
        for method in ("PUT", "PATCH", "DELETE", "HEAD"):
            with pytest.raises(Lost, match="WriteRefused"):
                transport._client._send_request(HttpRequest(method, GRAPH))
        with pytest.raises(Lost, match="LinkElsewhere"):
            transport._client._send_request(HttpRequest("GET", "https://localhost/"))
    assert served.received == []


def test_the_sdk_never_registers_a_resource_provider() -> None:
    unregistered = {"error": {"code": "MissingSubscriptionRegistration", "message": "not registered for 'Microsoft.X'"}}

    def script(_: Received) -> Wire:
        return reply(409, json.dumps(unregistered).encode())

    request = Request(route="locks", url=f"{SUB}/providers/Microsoft.X/y")
    with serving(script) as served, connect(loopback(served.endpoint), Tokens(), version="1") as transport:
        found = outcome(transport, request)
        assert isinstance(found, Reply)
        assert (found.status, json.loads(found.body)) == (409, unregistered)
        with pytest.raises(Lost, match="WriteRefused"):  # not streamed, the SDK's policy reads the body and would register
            transport._client._send_request(HttpRequest("GET", request.url))
    assert {one.method for one in served.received} == {"GET"}


def test_a_redirect_is_a_reply_and_nobody_else_sees_the_token() -> None:
    with serving(lambda _: reply()) as other:
        found, served = asked(lambda _: reply(307, b"", headers={"Location": f"{other.endpoint}{GRAPH}"}), QUERY)
    assert isinstance(found, Reply)
    assert (found.status, len(served.received), other.received) == (307, 1, [])


def test_a_netrc_does_not_replace_the_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login someone password secret\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    _, served = asked(lambda _: reply())
    assert served.received[0].headers["authorization"] == "Bearer token-1"


def test_cookies_are_not_kept() -> None:
    with serving(lambda _: reply(headers={"Set-Cookie": "a=b; Secure"})) as served:
        with connect(loopback(served.endpoint), Tokens(), version="1") as transport:
            outcome(transport)
            outcome(transport)
        assert "cookie" not in served.received[1].headers


def test_one_connection_serves_one_request_after_the_other() -> None:
    with serving(lambda _: reply(zipped=True)) as served:
        with connect(loopback(served.endpoint), Tokens(), version="1") as transport:
            assert [body_of(outcome(transport)) for _ in range(3)] == [b"{}"] * 3
        assert len(served.connections) == 1


def test_connections_of_many_requests_in_flight_are_kept() -> None:
    together = Barrier(16)

    def script(_: Received) -> Wire:
        together.wait(10)
        return reply()

    with (
        serving(script) as served,
        connect(loopback(served.endpoint), Tokens(), version="1") as transport,
        ThreadPoolExecutor(16) as pool,
    ):
        for _ in range(2):
            assert all(isinstance(found, Reply) for found in pool.map(outcome, [transport] * 16))
    assert len(served.connections) == 16


@pytest.mark.parametrize(("seconds", "expected"), [(5, (5, 5)), (60, (10, 60))])
def test_each_wait_is_bounded(seconds: int, expected: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[Any] = []

    def request(*_: object, timeout: Any, **__: object) -> None:
        waits.append(timeout)
        raise OSError

    monkeypatch.setattr(requests.Session, "request", request)
    with connect(CLOUDS["public"], Tokens(), version="1") as transport:
        outcome(transport, seconds=seconds)
    assert waits == [expected]


def test_a_static_token_stays_on_this_machine() -> None:
    with pytest.raises(UsageError, match="this machine only"):
        connect(CLOUDS["public"], StaticToken("secret"), version="1")
    sneaky = Cloud(name="loopback", authority="", endpoint="https://localhost.evil.example", scope="")
    with pytest.raises(UsageError, match="this machine only"):
        connect(sneaky, StaticToken("secret"), version="1")
    with serving(lambda _: reply()) as served:
        with connect(loopback(served.endpoint), StaticToken("static"), version="1") as transport:
            outcome(transport)
        assert served.received[0].headers["authorization"] == "Bearer static"


# --- what comes back


@pytest.mark.parametrize("status", [200, 204, 307, 400, 401, 403, 404, 408, 409, 429, 500, 503])
def test_every_status_is_a_reply_at_the_first_attempt(status: int) -> None:
    found, served = asked(
        lambda _: reply(status, b"" if status == 204 else b'{"a": 1}', headers={"X-Ms-Q": "1", "Retry-After": "0"})
    )
    assert isinstance(found, Reply)
    assert (found.status, found.body) == (status, b"" if status == 204 else b'{"a": 1}')
    assert (found.headers["x-ms-q"], found.headers["retry-after"], len(served.received)) == ("1", "0", 1)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_large_page_comes_back_whole(zipped: bool) -> None:  # noqa: FBT001
    page = json.dumps([{"id": f"/{number}", "tags": "x" * 2000} for number in range(1000)]).encode()
    found, _ = asked(lambda _: reply(body=page, zipped=zipped), QUERY)
    assert body_of(found) == page


def test_a_chunked_body_comes_back_whole() -> None:
    sent = head(200, {"Transfer-Encoding": "chunked"}) + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    assert body_of(asked(lambda _: Wire(data=sent))[0]) == b"abcde"


def test_error_bodies_are_cut_off_and_never_hide_the_status() -> None:
    long = b"e" * (ERROR_CAP + 100_000)
    assert body_of(asked(lambda _: reply(500, long))[0]) == long[:ERROR_CAP]
    assert body_of(asked(lambda _: reply(500, long, zipped=True))[0]) == long[:ERROR_CAP]
    short = head(403, {"Content-Length": "100"}) + b'{"error'
    assert isinstance(asked(lambda _: Wire(data=short, then="close"))[0], Reply)
    zipped = head(403, {"Content-Length": "3", "Content-Encoding": "gzip"}) + b"abc"
    assert body_of(asked(lambda _: Wire(data=zipped))[0]) == b""


# --- ways to fail


def body_that_is(data: bytes, headers: dict[str, str], *, then: Any = "close") -> Wire:
    return Wire(data=head(200, headers) + data, then=then)


ZIPPED = gzip.compress(b'{"data": []}' * 50)
BROKEN = ZIPPED[:-8] + bytes(4) + ZIPPED[-4:]
WIRES: dict[str, tuple[Wire, tuple[str, str]]] = {
    "short body": (body_that_is(b"{}", {"Content-Length": "10"}), ("cut", "AnswerCut")),
    "no last chunk": (body_that_is(b"3\r\nabc\r\n", {"Transfer-Encoding": "chunked"}), ("cut", "AnswerCut")),
    "half a chunk": (body_that_is(b"9\r\nabc", {"Transfer-Encoding": "chunked"}), ("cut", "AnswerCut")),
    "no chunk size": (body_that_is(b"zz\r\nabc", {"Transfer-Encoding": "chunked"}), ("cut", "AnswerCut")),
    "gzip cut": (
        body_that_is(ZIPPED[:20], {"Content-Length": "20", "Content-Encoding": "gzip"}, then="keep"),
        ("cut", "AnswerCut"),
    ),
    "gzip with a wrong CRC": (
        body_that_is(BROKEN, {"Content-Length": str(len(BROKEN)), "Content-Encoding": "gzip"}, then="keep"),
        ("cut", "AnswerCut"),
    ),
    "another encoding": (body_that_is(b"x", {"Content-Length": "1", "Content-Encoding": "br"}), ("cut", "EncodingUnknown")),
    "reset before a reply": (Wire(then="reset"), ("reset", "ConnectionReset")),
    "reset in the body": (body_that_is(b"{", {"Content-Length": "10"}, then="reset"), ("reset", "ConnectionReset")),
    "closed before a reply": (Wire(then="close"), ("reset", "ConnectionReset")),
    "not HTTP": (Wire(data=b"hello\r\n\r\n", then="close"), ("reset", "NotHttp")),
    "length that is none": (body_that_is(b"{}", {"Content-Length": "two"}), ("reset", "ValueError")),
}
SILENCES = {
    "at once": Wire(then="stall"),
    "in the headers": Wire(data=b"HTTP/1.1 200 OK\r\nA:", then="stall"),
    "in the body": body_that_is(b"{", {"Content-Length": "10"}, then="stall"),
}


@pytest.mark.parametrize("name", WIRES)
def test_what_goes_wrong_on_the_wire_has_a_name(name: str) -> None:
    wire, expected = WIRES[name]
    found, served = asked(lambda _: wire)
    assert named(found) == expected
    assert len(served.received) == 1


@pytest.mark.parametrize("where", SILENCES)
def test_silence_ends_after_the_seconds_given(where: str) -> None:
    def script(one: Received) -> Wire:
        return reply() if one.number == 1 else SILENCES[where]

    with serving(script) as served, connect(loopback(served.endpoint), Tokens(), version="1") as transport:
        assert isinstance(outcome(transport), Reply)  # the connection stands: a slow machine changes nothing below
        assert named(outcome(transport, seconds=0.2)) == ("timeout", "ReadTimeout")


def test_a_refused_connection() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with connect(loopback(f"https://127.0.0.1:{closed.getsockname()[1]}"), Tokens(), version="1") as transport:
            assert named(outcome(transport)) == ("connect", "ConnectionFailed")


def test_a_connection_that_never_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    def late(*_: object, **__: object) -> socket.socket:
        raise TimeoutError("timed out")

    monkeypatch.setattr(urllib3.util.connection, "create_connection", late)
    with connect(loopback("https://localhost:9"), Tokens(), version="1") as transport:
        assert named(outcome(transport)) == ("connect", "ConnectionFailed")


def test_a_name_that_does_not_resolve(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*_: object, **__: object) -> list[Any]:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    with connect(CLOUDS["public"], Tokens(), version="1") as transport:
        assert named(outcome(transport)) == ("dns", "NameNotResolved")


def test_a_dead_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{closed.getsockname()[1]}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        found, served = asked(lambda _: reply())
    assert named(found) == ("proxy", "ProxyFailed")
    assert served.received == []


def test_certificates_that_are_not_to_be_trusted() -> None:
    for changes in ({"trusted": trustme.CA()}, {"host": "elsewhere.example"}):
        with serving(lambda _: reply(), **changes) as served:
            with connect(loopback(served.endpoint), Tokens(), version="1") as transport:
                assert named(outcome(transport)) == ("tls", "CertificateRejected")
            assert served.received == []


def test_a_certificate_that_ran_out_is_told_from_others() -> None:
    refused = ssl.SSLCertVerificationError(1, "certificate verify failed")
    assert named(lost(refused)) == ("tls", "CertificateRejected")
    refused.verify_code = 10
    assert named(lost(OSError(refused))) == ("tls", "CertificateExpired")


def test_a_bundle_of_authorities_that_is_missing_or_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    assert named(asked(lambda _: reply())[0]) == ("tls", "CaBundleMissing")
    (tmp_path / "not.pem").write_text("no certificate", encoding="utf-8")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "not.pem"))
    assert named(asked(lambda _: reply())[0]) == ("tls", "TlsFailed")


def test_a_peer_that_speaks_no_tls() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:

        def answer() -> None:
            peer, _ = server.accept()
            with peer:
                peer.recv(100)
                peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        done = pool.submit(answer)
        with connect(loopback(f"https://127.0.0.1:{server.getsockname()[1]}"), Tokens(), version="1") as transport:
            assert named(outcome(transport)) == ("tls", "TlsFailed")
        done.result()


def test_an_answer_that_is_too_large_is_dropped_early() -> None:
    bomb = zlib.compressobj(1, zlib.DEFLATED, 31)
    zipped = b"".join([*(bomb.compress(bytes(1 << 20)) for _ in range((BODY_CAP >> 20) * 4)), bomb.flush()])
    wire = body_that_is(zipped, {"Content-Length": str(len(zipped)), "Content-Encoding": "gzip"})
    tracemalloc.start()
    try:
        found, _ = asked(lambda _: wire)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert named(found) == ("size", "AnswerTooLarge")
    assert peak < BODY_CAP * 1.25


@pytest.mark.parametrize("error", [RuntimeError("no"), ValueError("no"), KeyError("no"), OSError("no"), ssl.SSLError("no")])
def test_whatever_a_credential_raises_is_a_failed_sign_in(error: Exception) -> None:
    class Broken(Tokens):
        def get_token_info(self, *_scopes: str, **_options: Any) -> AccessTokenInfo:
            raise error

    with serving(lambda _: reply()) as served:
        with connect(loopback(served.endpoint), Broken(), version="1") as transport:
            assert named(outcome(transport)) == ("credential", "SignInFailed")
            with pytest.raises(Lost, match="SignInFailed"):
                transport.identity()
        assert served.received == []


class _Odd(Exception):
    pass


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (_Odd(), ("reset", "Odd")),
        (zlib.error("x"), ("reset", "Error")),
        (RecursionError(), ("reset", "RecursionError")),
        (requests.exceptions.InvalidHeader("x"), ("reset", "InvalidHeader")),
        (ssl.SSLEOFError(8, "eof"), ("reset", "ConnectionReset")),
    ],
)
def test_the_unforeseen_goes_by_its_type(error: Exception, expected: tuple[str, str]) -> None:
    assert named(lost(error)) == expected


def test_causes_that_go_round_in_circles_come_to_an_end() -> None:
    first, second = RuntimeError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert named(lost(first)) == ("reset", "ValueError")


# --- sign-in


def test_after_a_401_the_credential_is_asked_again() -> None:
    tokens = Tokens()

    def script(one: Received) -> Wire:
        return reply(401 if one.headers["authorization"] == "Bearer token-1" else 200)

    with serving(script) as served, connect(loopback(served.endpoint), tokens, version="1") as transport:
        first = outcome(transport)
        transport.forget_token()
        second = outcome(transport)
        third = outcome(transport)
    assert [one.status for one in (first, second, third) if isinstance(one, Reply)] == [401, 200, 200]
    assert [one.headers["authorization"] for one in served.received] == ["Bearer token-1", "Bearer token-2", "Bearer token-2"]
    assert tokens.forgotten == 1


def test_forgetting_a_token_that_still_works_asks_for_a_new_one() -> None:
    with serving(lambda _: reply()) as served:
        with connect(loopback(served.endpoint), Tokens(), version="1") as transport:
            for _ in range(2):
                outcome(transport)
                transport.forget_token()
        assert [one.headers["authorization"] for one in served.received] == ["Bearer token-1", "Bearer token-2"]


def test_a_token_that_another_thread_forgets_while_it_is_looked_at_is_asked_for_again() -> None:
    class Fickle:
        token, token_type, refresh_on = "t", "Bearer", None

        @property
        def expires_on(self) -> int:
            # What a 401 to another request does, at the worst moment.
            if served.received and not credential.forgotten:
                transport.forget_token()
            return LATER

    class Credential(Tokens):
        def get_token_info(self, *scopes: str, options: Any = None) -> AccessTokenInfo:
            super().get_token_info(*scopes, options=options)
            return cast("AccessTokenInfo", Fickle())

    credential = Credential()
    with serving(lambda _: reply()) as served, connect(loopback(served.endpoint), credential, version="1") as transport:
        found = [outcome(transport) for _ in range(3)]
    assert [one.status for one in found if isinstance(one, Reply)] == [200, 200, 200]
    assert (credential.forgotten, len(credential.asked)) == (1, 2)


def test_a_static_token_can_be_forgotten_too() -> None:
    with serving(lambda _: reply()) as served, connect(loopback(served.endpoint), StaticToken("s"), version="1") as transport:
        transport.forget_token()
        assert isinstance(outcome(transport), Reply)


CLAIMS = '{"access_token": {"nbf": {"essential": true}}}'


def challenge(claims: str) -> Wire:
    header = f'Bearer realm="", error="insufficient_claims", claims="{claims}"'
    return reply(401, b'{"error": {}}', headers={"WWW-Authenticate": header})


def test_a_claims_challenge_is_answered_by_the_sdk() -> None:
    tokens, encoded = Tokens(), base64.urlsafe_b64encode(CLAIMS.encode()).decode().rstrip("=")

    def script(one: Received) -> Wire:
        return challenge(encoded) if one.number == 1 else reply()

    with serving(script) as served, connect(loopback(served.endpoint), tokens, version="1") as transport:
        found = outcome(transport, QUERY)
    assert isinstance(found, Reply)
    assert found.status == 200
    assert [options.get("claims") for _, options in tokens.asked] == [None, CLAIMS]
    assert [(one.headers["authorization"], one.body) for one in served.received] == [
        ("Bearer token-1", QUERY.body),
        ("Bearer token-2", QUERY.body),
    ]


def test_a_challenge_that_makes_no_sense_is_a_failed_sign_in_and_any_other_a_401() -> None:
    assert named(asked(lambda _: challenge("_w"))[0]) == ("credential", "SignInFailed")
    found, served = asked(lambda _: reply(401, b"{}", headers={"WWW-Authenticate": 'Bearer error="invalid_token"'}))
    assert isinstance(found, Reply)
    assert (found.status, found.body, len(served.received)) == (401, b"{}", 1)


def test_the_body_of_a_challenge_that_makes_no_sense_is_not_read() -> None:
    header = 'Bearer error="insufficient_claims", claims="_w"'
    wire = reply(401, bytes(32 << 20), headers={"WWW-Authenticate": header})
    tracemalloc.start()
    try:
        found, _ = asked(lambda _: wire)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert named(found) == ("credential", "SignInFailed")
    assert peak < 16 << 20


def test_many_threads_sign_in_once() -> None:
    class Slow(Tokens):
        second = Event()

        def get_token_info(self, *scopes: str, options: Any = None) -> AccessTokenInfo:
            if self.asked:
                self.second.set()
            token = super().get_token_info(*scopes, options=options)
            self.second.wait(0.2)  # whoever else gets in here did not wait for the first
            return token

    tokens, together = Slow(), Barrier(8)

    def one(transport: SdkTransport) -> Reply | Lost:
        together.wait()
        return outcome(transport)

    with (
        serving(lambda _: reply()) as served,
        connect(loopback(served.endpoint), tokens, version="1") as transport,
        ThreadPoolExecutor(8) as pool,
    ):
        assert all(isinstance(found, Reply) for found in pool.map(one, [transport] * 8))
    assert len(tokens.asked) == 1
    assert len(served.received) == 8


def test_who_signed_in_is_known_without_a_request_and_costs_no_second_token() -> None:
    claims = base64.urlsafe_b64encode(b'{"tid": "tenant", "oid": "object"}').decode().rstrip("=")

    class Jwt(Tokens):
        def get_token_info(self, *scopes: str, options: Any = None) -> AccessTokenInfo:
            super().get_token_info(*scopes, options=options)
            return AccessTokenInfo(f"head.{claims}.tail", LATER)

    tokens = Jwt()
    with serving(lambda _: reply()) as served, connect(loopback(served.endpoint), tokens, version="1") as transport:
        who = transport.identity()
        outcome(transport)
        assert served.endpoint in tokens.asked[0][0][0]
    assert (who.credential, who.tenant, who.object_id) == ("Jwt", "tenant", "object")
    assert len(tokens.asked) == 1


@pytest.mark.parametrize("script", [lambda _: reply(), lambda _: Wire(then="reset"), lambda _: reply(401)])
def test_no_token_is_ever_logged(script: Callable[[Received], Wire], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        asked(script, QUERY)
    assert "token-1" not in caplog.text
    assert QUERY.body.decode() not in caplog.text
    assert "REDACTED" in caplog.text or "Request URL" in caplog.text


def test_warnings_of_the_sdk_have_somewhere_to_go() -> None:
    handlers: Iterator[logging.Handler] = iter(logging.getLogger("azure").handlers)
    assert any(isinstance(one, logging.NullHandler) for one in handlers)


def test_an_address_that_is_no_text_is_a_failure_like_any_other() -> None:
    with connect(CLOUDS["public"], Tokens(), version="1") as transport:
        assert named(outcome(transport, Request(route="locks", url="/\ud800"))) == ("reset", "UnicodeEncodeError")
