from __future__ import annotations

import gzip
import json
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import urllib3
from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError
from azure.mgmt.resourcegraph import ResourceGraphClient
from azure.mgmt.resourcegraph.models import QueryRequest, QueryRequestOptions

from scanner.emulator.estate import Estate
from scanner.emulator.exchange import Reply, Seen, error
from scanner.emulator.quota import Quota
from scanner.emulator.script import Fault, Wire
from scanner.emulator.server import Emulator, serve
from scanner.model import Json
from tests.emulator.emulated import CONTOSO, DEV, GRAPH, PROD, Client, emulated

KQL = "resources | where type =~ 'microsoft.compute/disks' | project id, name | order by id asc"


class StaticToken:
    """A credential of azure-core that always has the same token."""

    def __init__(self, token: str) -> None:
        self.token = token

    def get_token(self, *scopes: str, **_: object) -> AccessToken:
        assert scopes
        return AccessToken(self.token, 2**31)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with emulated(CONTOSO, tmp_path_factory.mktemp("spool")) as found:
        yield found


@pytest.fixture(scope="module")
def sdk(client: Client) -> Iterator[ResourceGraphClient]:
    with ResourceGraphClient(
        StaticToken(client.emulator.token),
        base_url=client.emulator.url,
        credential_scopes=["https://localhost/.default"],
        connection_verify=str(client.emulator.ca),
        retry_total=0,
    ) as found:
        yield found


def test_the_real_sdk_pages_through_the_emulator(client: Client, sdk: ResourceGraphClient) -> None:
    before = len(client.emulator.seen)
    rows: list[Json] = []
    token = None
    while True:
        answer = sdk.resources(QueryRequest(query=KQL, options=QueryRequestOptions(top=7, skip_token=token)))
        assert answer.total_records == 186
        assert answer.result_truncated == "false"
        assert answer.count == len(answer.data) <= 7
        rows += answer.data
        token = answer.skip_token
        if token is None:
            break
    whole = client.page(KQL)
    assert rows == whole["data"]
    assert len({row["id"].lower() for row in rows}) == 186
    assert len(client.emulator.seen) - before == 186 // 7 + 1 + 1


def test_the_real_sdk_reads_tables_scopes_and_errors(sdk: ResourceGraphClient) -> None:
    table = sdk.resources(
        QueryRequest(query="resources | summarize count() by type", options=QueryRequestOptions(result_format="table"))
    )
    assert [column["name"] for column in table.data["columns"]] == ["type", "count_"]
    one = sdk.resources(QueryRequest(query="resources | summarize by subscriptionId", subscriptions=[DEV]))
    assert one.count == 1
    assert str(one.data) == str([{"subscriptionId": DEV}])
    with pytest.raises(HttpResponseError) as caught:
        sdk.resources(QueryRequest(query="resources | where (name"))
    assert caught.value.status_code == 400
    assert caught.value.error is not None
    assert [detail.code for detail in caught.value.error.details] == ["InvalidQuery", "ParserFailure", "EmulatorNote"]
    assert [operation.name for operation in sdk.operations.list()] == ["Microsoft.ResourceGraph/resources/read"]


def test_a_connection_is_kept_and_answers_are_packed(client: Client) -> None:
    headers = {
        "Authorization": f"Bearer {client.emulator.token}",
        "Accept-Encoding": "gzip",
        "x-ms-correlation-request-id": "c1",
    }
    with urllib3.HTTPSConnectionPool(
        "localhost", urlsplit(client.emulator.url).port, ca_certs=str(client.emulator.ca), maxsize=1
    ) as pool:
        replies = [
            pool.request("POST", GRAPH, body=json.dumps({"query": KQL}), headers=headers, decode_content=False)
            for _ in range(3)
        ]
        assert pool.num_connections == 1
    packed = replies[0]
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["Content-Length"] == str(len(packed.data))
    assert json.loads(gzip.decompress(packed.data))["totalRecords"] == 186
    assert packed.headers["x-ms-correlation-request-id"] == "c1"
    assert len({reply.headers["x-ms-request-id"] for reply in replies}) == 3
    assert packed.headers["Date"].endswith("GMT")


def test_without_the_token_nothing_is_answered(client: Client) -> None:
    missing = client.send("POST", GRAPH, headers={})
    wrong = client.send("GET", "/subscriptions?api-version=2022-12-01", headers={"Authorization": "Bearer other"})
    assert (missing.status, missing.json()["error"]["code"]) == (401, "AuthenticationFailed")
    assert (wrong.status, wrong.json()["error"]["code"]) == (401, "InvalidAuthenticationToken")
    for reply in (missing, wrong):
        assert reply.headers["WWW-Authenticate"].startswith('Bearer authorization_uri="https://login.windows.net/0c0507aa-')


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing/here?api-version=1", 404, "NotFound"),
        ("GET", GRAPH, 405, "MethodNotAllowed"),
        ("POST", "/providers/Microsoft.ResourceGraph/operations?api-version=2021-03-01", 405, "MethodNotAllowed"),
        ("POST", "/providers/Microsoft.ResourceGraph/resources", 400, "MissingApiVersionParameter"),
        ("POST", "/providers/Microsoft.ResourceGraph/resources?api-version=2020-01-01", 400, "InvalidApiVersionParameter"),
        ("GET", "/subscriptions", 400, "MissingApiVersionParameter"),
        ("DELETE", f"/subscriptions/{PROD}?api-version=2022-12-01", 405, "MethodNotAllowed"),
    ],
)
def test_what_is_not_there_is_refused_as_azure_does(client: Client, method: str, path: str, status: int, code: str) -> None:
    reply = client.send(method, path)
    assert (reply.status, reply.json()["error"]["code"]) == (status, code)
    if code == "InvalidApiVersionParameter":
        assert "2019-04-01,2021-03-01,2022-10-01,2024-04-01" in reply.json()["error"]["message"]


@pytest.mark.parametrize("version", ["2019-04-01", "2021-03-01", "2022-10-01", "2024-04-01"])
def test_every_stable_version_answers(client: Client, version: str) -> None:
    reply = client.send(
        "POST", f"/Providers/microsoft.resourcegraph/RESOURCES/?API-version={version}", json={"query": "resources | count"}
    )
    assert reply.json()["data"] == [{"Count": 515}]


def test_arm_and_graph_speak_of_one_estate(client: Client) -> None:
    listed = client.send("GET", "/subscriptions?api-version=2022-12-01").json()["value"]
    canary = client.page("resourcecontainers | where type =~ 'microsoft.resources/subscriptions' | project id, name")["data"]
    assert sorted(one["displayName"] for one in listed) == sorted(row["name"] for row in canary)


@pytest.mark.parametrize("header", ["Transfer-Encoding: chunked", "Content-Length: -1", "Content-Length: many"])
def test_a_request_of_unknown_length_is_refused(client: Client, header: str) -> None:
    context = ssl.create_default_context(cafile=str(client.emulator.ca))
    port = urlsplit(client.emulator.url).port
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        secure.sendall(f"POST {GRAPH} HTTP/1.1\r\nHost: localhost\r\n{header}\r\n\r\n".encode())
        reply = b"".join(iter(lambda: secure.recv(65536), b""))
    assert reply.startswith(b"HTTP/1.1 411 Length Required\r\n")
    assert b"Connection: close\r\n" in reply
    assert b'"code":"LengthRequired"' in reply


def test_head_gets_no_body(client: Client) -> None:
    reply = client.send("HEAD", "/subscriptions?api-version=2022-12-01")
    assert (reply.status, reply.data) == (405, b"")


def test_requests_are_counted_by_route_and_watched(tmp_path: Path) -> None:
    watched: list[Seen] = []
    moments = iter(range(10))
    with emulated(CONTOSO, tmp_path / "spool", watch=watched.append, clock=lambda: float(next(moments))) as client:
        client.send("GET", "/subscriptions?api-version=2022-12-01")
        client.send("GET", "/subscriptions", headers={})
        client.send("GET", f"/subscriptions/{PROD}/providers/Microsoft.Authorization/locks?api-version=2020-05-01")
        client.send("POST", GRAPH, body=b'{"query": 7}')
        client.send("POST", GRAPH, body=b"{")
        client.page("resources | count")
        seen = client.emulator.seen
    assert seen == watched
    assert [(one.route, one.number, one.status, one.query, one.at) for one in seen] == [
        ("subscriptions", 1, 200, "", 0.0),
        ("subscriptions", 2, 401, "", 1.0),
        ("locks", 1, 200, "", 2.0),
        ("graph", 1, 400, "", 3.0),
        ("graph", 2, 400, "", 4.0),
        ("graph", 3, 200, "resources | count", 5.0),
    ]
    assert json.loads(seen[-1].body)["query"] == "resources | count"


def test_the_quota_is_told_on_every_answer_of_the_graph_and_kept(tmp_path: Path) -> None:
    moment = [0.0]
    with emulated(CONTOSO, tmp_path / "spool", quota=Quota(limit=2, window=5.0), clock=lambda: moment[0]) as client:
        first, bad, late = client.ask("resources | count"), client.ask(""), client.ask("resources | count")
        arm = client.send("GET", "/subscriptions?api-version=2022-12-01")
        moment[0] = 5.0
        again = client.ask("resources | count")
    assert [reply.status for reply in (first, bad, late, arm, again)] == [200, 400, 429, 200, 200]
    assert [reply.headers.get("x-ms-user-quota-remaining") for reply in (first, bad, late, arm, again)] == [
        "1",
        "0",
        "0",
        None,
        "1",
    ]
    assert late.headers["x-ms-user-quota-resets-after"] == "00:00:05"
    assert "Retry-After" not in late.headers
    error = late.json()["error"]
    assert (error["code"], [detail["code"] for detail in error["details"]]) == ("RateLimiting", ["RateLimiting"])
    assert error["message"].startswith("Please provide below info when asking for support: timestamp = ")


def test_a_fault_comes_before_the_token_and_the_quota(tmp_path: Path) -> None:
    script = [
        Fault(
            route="graph",
            numbers=[1],
            action=Reply(status=599, body=b"odd", headers={"Content-Type": "text/plain", "Date": ""}),
        ),
        Fault(route="graph", numbers=[2], action=Wire(kind="delay", seconds=0.001)),
        Fault(route="graph", numbers=[3], action=Wire(kind="reset")),
    ]
    with emulated(CONTOSO, tmp_path / "spool", faults=script, latency=0.001) as client:
        odd = client.send("POST", GRAPH, headers={})
        assert (odd.status, odd.reason, odd.data, odd.headers["Content-Type"]) == (599, "Unknown", b"odd", "text/plain")
        assert "Date" not in odd.headers
        assert client.page("resources | count")["data"] == [{"Count": 515}]
        with pytest.raises(urllib3.exceptions.ProtocolError):
            client.ask("resources | count")
        assert client.page("resources | count")["data"] == [{"Count": 515}]
        assert [one.status for one in client.emulator.seen] == [599, 200, 0, 200]


def test_a_client_that_does_not_trust_the_authority_gets_nothing(client: Client) -> None:
    before = len(client.emulator.seen)
    with urllib3.PoolManager() as pool, pytest.raises(urllib3.exceptions.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        pool.request("GET", client.emulator.url, retries=False)
    assert len(client.emulator.seen) == before


def test_an_expired_certificate_is_noticed(tmp_path: Path) -> None:
    with (
        emulated(CONTOSO, tmp_path / "spool", expired=True) as client,
        pytest.raises(urllib3.exceptions.SSLError, match="expired"),
    ):
        client.ask("resources | count")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_the_certificate_is_good_for_every_name_of_loopback(client: Client, host: str) -> None:
    context = ssl.create_default_context(cafile=str(client.emulator.ca))
    port = urlsplit(client.emulator.url).port
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        context.wrap_socket(plain, server_hostname=host) as secure,
    ):
        assert secure.version() in {"TLSv1.2", "TLSv1.3"}


def test_clients_that_dawdle_hold_up_neither_others_nor_the_end(tmp_path: Path) -> None:
    faults = [Fault(route="locks", action=Wire(kind="stall"))]
    with ThreadPoolExecutor() as threads, socket.socket() as silent:
        with emulated(CONTOSO, tmp_path / "spool", faults=faults) as client:
            silent.connect(("127.0.0.1", urlsplit(client.emulator.url).port))
            waiting = threads.submit(
                client.send, "GET", f"/subscriptions/{PROD}/providers/Microsoft.Authorization/locks?api-version=2020-05-01"
            )
            assert client.page("resources | count")["data"] == [{"Count": 515}]
        assert isinstance(waiting.exception(timeout=30), urllib3.exceptions.HTTPError)


def test_many_clients_at_once_get_their_own_answers(client: Client) -> None:
    scopes = [[PROD], [DEV], None] * 4

    def counted(scope: list[str] | None) -> list[object]:
        query = "resources | summarize by subscriptionId"
        found: list[object] = client.page(query, subscriptions=scope)["data"]
        return found

    with ThreadPoolExecutor(max_workers=6) as threads:
        answers = list(threads.map(counted, scopes))
    assert [len(answer) for answer in answers] == [1, 1, 3] * 4


def test_a_port_that_is_taken_is_told(client: Client, tmp_path: Path) -> None:
    port = urlsplit(client.emulator.url).port
    assert port is not None
    with pytest.raises(OSError, match="in use"), serve(Estate.open(CONTOSO, tmp_path), port=port):
        pass


def test_a_restart_plays_other_faults_and_counts_anew(tmp_path: Path) -> None:
    first = [Fault(route="subscriptions", action=error(500, "Broken", "no"))]
    second = [Fault(route="subscriptions", numbers=(2,), action=error(503, "Busy", "no"))]
    with emulated(CONTOSO, tmp_path / "spool", faults=first) as client:
        path = "/subscriptions?api-version=2022-12-01"
        assert client.send("GET", path).status == 500
        client.emulator.restart(second)
        assert [client.send("GET", path).status for _ in range(3)] == [200, 503, 200]
        assert [(one.number, one.status) for one in client.emulator.seen] == [(1, 200), (2, 503), (3, 200)]
        client.emulator.restart()
        assert client.emulator.seen == []
        assert client.send("GET", path).status == 200


def test_what_was_asked_before_a_restart_is_forgotten_even_where_it_is_answered_after(tmp_path: Path) -> None:
    told: list[Seen] = []
    emulator = Emulator(url="https://localhost", ca=tmp_path, watch=told.append)
    first = emulator.note(Seen(route="graph", number=0, method="POST", path="/", query="a", body=b"a"))
    emulator.restart()
    emulator.answered(first, 200)
    assert (emulator.seen, told) == ([], [])
    second = emulator.note(Seen(route="graph", number=0, method="POST", path="/", query="b", body=b"b"))
    emulator.answered(first, 200)
    assert (emulator.seen, told) == ([second], [])
    emulator.answered(second, 429)
    assert [one.status for one in emulator.seen] == [one.status for one in told] == [429]
