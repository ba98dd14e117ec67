"""Faults as a client meets them, over TLS."""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
import urllib3
from hypothesis import given
from hypothesis import strategies as st

from scanner.emulator.exchange import Reply, error
from scanner.emulator.misbehave import bomb, patched
from scanner.emulator.script import Action, Fault, Headers, Patch, Wire, WireKind, claims_challenge, redirect
from scanner.model import Json
from tests import big_estate
from tests.emulator.emulated import CONTOSO, Client, emulated

IMPATIENT = urllib3.Timeout(connect=30, read=0.2)
SUBSCRIPTIONS = "/subscriptions?api-version=2022-12-01"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("big") / "estate"
    big_estate.write(path, subscriptions=5, vms_per_subscription=1)
    return path


@contextmanager
def faulty(folder: Path, spool: Path, *actions: Action, **told: Any) -> Iterator[Client]:
    """A client of an emulator that plays each action once, in turn, and is correct from then on."""
    faults = [Fault(numbers=(number,), action=action) for number, action in enumerate(actions, 1)]
    with emulated(folder, spool, faults=faults, **told) as client:
        yield client


def names(reply: urllib3.BaseHTTPResponse) -> list[str]:
    assert reply.status == 200
    return [one["displayName"] for one in reply.json()["value"]]


@pytest.mark.parametrize("where", ["request", "headers", "body"])
def test_a_reset_breaks_off_and_the_next_request_is_answered(folder: Path, tmp_path: Path, where: Any) -> None:
    with faulty(folder, tmp_path / "spool", Wire(kind="reset", where=where)) as client:
        with pytest.raises(urllib3.exceptions.HTTPError):
            client.send("GET", SUBSCRIPTIONS)
        assert len(names(client.send("GET", SUBSCRIPTIONS))) == 5


def test_a_reset_is_a_reset_and_no_polite_end(folder: Path, tmp_path: Path) -> None:
    with faulty(folder, tmp_path / "spool", Wire(kind="reset")) as client, raw(client) as connection:
        connection.sendall(request(client))
        with pytest.raises(ConnectionResetError):
            below_tls(connection)


def below_tls(connection: ssl.SSLSocket) -> bytes:
    """Everything that comes until the end; Python's TLS takes a reset for an end."""
    found = b""
    while piece := socket.socket.recv(connection, 1 << 16):
        found += piece
    return found


def request(client: Client) -> bytes:
    """A request as bytes."""
    token = f"Authorization: Bearer {client.emulator.token}"
    return f"GET {SUBSCRIPTIONS} HTTP/1.1\r\nHost: localhost\r\n{token}\r\n\r\n".encode()


@contextmanager
def raw(client: Client) -> Iterator[ssl.SSLSocket]:
    """A TLS connection without an HTTP client on it."""
    address = ("localhost", urllib3.util.parse_url(client.emulator.url).port or 0)
    context = ssl.create_default_context(cafile=str(client.emulator.ca))
    with (
        socket.create_connection(address, timeout=30) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        yield connection


@pytest.mark.parametrize(("where", "until"), [("request", b""), ("headers", b"\r\n\r\n"), ("body", b'{"value":[')])
def test_a_stall_lasts_until_the_emulator_closes(folder: Path, tmp_path: Path, where: Any, until: bytes) -> None:
    with faulty(folder, tmp_path / "spool", Wire(kind="stall", where=where)) as client:
        with raw(client) as connection:
            connection.sendall(request(client))
            found = b""
            while until not in found:
                piece = connection.recv(1 << 16)
                assert piece
                found += piece
            connection.settimeout(0.2)
            with pytest.raises(TimeoutError):
                connection.recv(1)
        assert found.startswith(b"HTTP/1.1 200 OK" if until else b"")
        assert len(names(client.send("GET", SUBSCRIPTIONS))) == 5


@pytest.mark.parametrize("where", ["headers", "body"])
def test_a_slow_answer_is_correct_for_who_waits(folder: Path, tmp_path: Path, where: Any) -> None:
    with faulty(folder, tmp_path / "spool", Wire(kind="slow", where=where, seconds=0)) as client:
        assert len(names(client.send("GET", SUBSCRIPTIONS))) == 5


def test_a_slow_answer_ends_with_the_emulator_or_its_client(folder: Path, tmp_path: Path) -> None:
    slow = Wire(kind="slow", where="body", seconds=3600)
    with faulty(folder, tmp_path / "spool", slow, slow) as client:
        for _ in range(2):
            with pytest.raises(urllib3.exceptions.ReadTimeoutError):
                client.send("GET", SUBSCRIPTIONS, timeout=IMPATIENT)


@pytest.mark.parametrize("kind", ["short_body", "cut_chunk"])
def test_a_body_that_ends_early_is_noticed(folder: Path, tmp_path: Path, kind: WireKind) -> None:
    with faulty(folder, tmp_path / "spool", Wire(kind=kind)) as client:
        with pytest.raises(urllib3.exceptions.ProtocolError):
            client.send("GET", SUBSCRIPTIONS)
        assert len(names(client.send("GET", SUBSCRIPTIONS))) == 5


@pytest.mark.parametrize(("kind", "trouble"), [("cut_gzip", EOFError), ("bad_crc", gzip.BadGzipFile)])
def test_a_gzip_body_is_broken_inside_and_framed_well(
    folder: Path, tmp_path: Path, kind: WireKind, trouble: type[Exception]
) -> None:
    with faulty(folder, tmp_path / "spool", Wire(kind=kind)) as client:
        reply = client.send("GET", SUBSCRIPTIONS, decode_content=False)
        assert (reply.status, reply.headers["Content-Encoding"]) == (200, "gzip")
        with pytest.raises(trouble):
            gzip.decompress(reply.data)


@given(st.integers(0, 3) | st.sampled_from([(1 << 20) - 1, 1 << 20, 3 * (1 << 20) + 5, 65 * (1 << 20)]))
def test_a_bomb_unpacks_to_its_size(size: int) -> None:
    data = b"".join(bomb(size))
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    found = unpacker.decompress(data[10:])
    assert len(found) == size
    assert not found.strip(b" ")
    assert unpacker.eof
    assert len(data) < 2000 * (2 + size // (1 << 20))


def test_a_bomb_is_made_while_it_is_read(folder: Path, tmp_path: Path) -> None:
    with faulty(folder, tmp_path / "spool", Wire(kind="gzip_bomb", size=1 << 50)) as client:
        reply = client.send("GET", SUBSCRIPTIONS, preload_content=False)
        unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
        assert unpacker.decompress(reply.read(100_000, decode_content=False), 1 << 20) == b" " * (1 << 20)
        reply.close()
        assert len(names(client.send("GET", SUBSCRIPTIONS))) == 5


def test_other_answers_and_more_headers(folder: Path, tmp_path: Path) -> None:
    page = Reply(body=b"<html>sign in</html>", headers={"Content-Type": "text/html"})
    actions: list[Action] = [
        error(429, "TooManyRequests", "slower").adding({"Retry-After": "1"}),
        page,
        redirect("https://elsewhere.example/x"),
        claims_challenge("eyJ9"),
        Headers(headers={"Date": "Mon, 01 Jan 2001 00:00:00 GMT", "x-ms-request-id": ""}),
        Wire(kind="delay", seconds=0),
    ]
    with faulty(folder, tmp_path / "spool", *actions) as client:
        found = [client.send("GET", SUBSCRIPTIONS) for _ in actions]
        assert [reply.status for reply in found] == [429, 200, 307, 401, 200, 200]
        assert found[0].headers["Retry-After"] == "1"
        assert (found[1].data, found[1].headers["Content-Type"]) == (page.body, "text/html")
        assert found[2].headers["Location"] == "https://elsewhere.example/x"
        assert 'error="insufficient_claims", claims="eyJ9"' in found[3].headers["WWW-Authenticate"]
        assert found[4].headers["Date"] == "Mon, 01 Jan 2001 00:00:00 GMT"
        assert "x-ms-request-id" not in found[4].headers
        assert len(names(found[4])) == len(names(found[5])) == 5
        assert [one.status for one in client.emulator.seen] == [429, 200, 307, 401, 200, 200]


def test_a_long_delay_ends_with_the_emulator(folder: Path, tmp_path: Path) -> None:
    late = Wire(kind="delay", seconds=3600)
    with faulty(folder, tmp_path / "spool", late) as client, pytest.raises(urllib3.exceptions.ReadTimeoutError):
        client.send("GET", SUBSCRIPTIONS, timeout=IMPATIENT)
    assert not any(one.status for one in client.emulator.seen)


def test_an_empty_page_leads_to_its_rows_in_arm(folder: Path, tmp_path: Path) -> None:
    found, link, sizes = list[str](), SUBSCRIPTIONS, list[int]()
    with emulated(folder, tmp_path / "spool", page=2, faults=[Fault(numbers=(1, 3), action=Patch(empty=True))]) as client:
        whole = names(client.send("GET", SUBSCRIPTIONS.replace("?", "/?")))
        assert whole == []
        while link:
            reply = client.send("GET", link)
            found += names(reply)
            sizes.append(len(names(reply)))
            link = reply.json().get("nextLink", "").removeprefix(client.emulator.url)
    assert sizes == [2, 0, 2, 1]
    assert len(set(found)) == len(found) == 5


def test_an_empty_page_leads_to_its_rows_in_the_graph(tmp_path: Path) -> None:
    query = "resources | where type =~ 'microsoft.recoveryservices/vaults' | project id | order by id asc"
    with emulated(CONTOSO, tmp_path / "spool", faults=[Fault(numbers=(1, 3, 5), action=Patch(empty=True))]) as client:
        found, sizes, tokens, token = list[str](), list[int](), list[str](), ""
        while True:
            page = client.page(query, {"$top": 2, **({"$skipToken": token} if token else {})})
            assert page["count"] == len(page["data"])
            assert page["totalRecords"] == 4
            found += [row["id"] for row in page["data"]]
            sizes.append(page["count"])
            token = page.get("$skipToken", "")
            if not token:
                break
            tokens.append(token)
    assert sizes == [0, 2, 2]
    assert len(set(found)) == 4
    assert len(set(tokens)) == len(tokens)


def test_a_token_can_lead_to_the_same_page_for_ever(folder: Path, tmp_path: Path) -> None:
    query = "resources | where type =~ 'microsoft.compute/disks' | project id | order by id asc"
    with emulated(folder, tmp_path / "spool", page=2, faults=[Fault(action=Patch(repeat_token=True))]) as client:
        first = client.page(query, {"$top": 3})
        second = client.page(query, {"$top": 3, "$skipToken": first["$skipToken"]})
        assert first == second
        assert len(first["data"]) == 3
        link = client.send("GET", SUBSCRIPTIONS).json()["nextLink"].removeprefix(client.emulator.url)
        assert client.send("GET", link).json()["nextLink"].removeprefix(client.emulator.url) == link


def test_empty_pages_without_end_have_tokens_of_their_own(folder: Path, tmp_path: Path) -> None:
    with emulated(folder, tmp_path / "spool", page=2, faults=[Fault(action=Patch(empty=True))]) as client:
        links = [SUBSCRIPTIONS]
        for _ in range(5):
            body = client.send("GET", links[-1]).json()
            assert body["value"] == []
            links.append(body["nextLink"].removeprefix(client.emulator.url))
        assert len(set(links)) == 6


ROWS: list[dict[str, Json]] = [{"id": "a", "n": 1, "x": None}, {"id": "b", "n": 2, "x": {"y": 1.5}}, {"id": "c", "n": 3}]
BODY = {"totalRecords": 3, "count": 3, "resultTruncated": "false", "data": ROWS}


def apply(patch: Patch, body: Json = BODY) -> Any:
    return json.loads(patched(patch, Reply(body=orjson.dumps(body))).content)


def test_rows_are_dropped_and_repeated_and_counts_stay() -> None:
    assert [row["id"] for row in apply(Patch(drop_row=1))["data"]] == ["a", "c"]
    assert [row["id"] for row in apply(Patch(repeat_row=0, drop_row=1))["data"]] == ["a", "c", "a"]
    assert apply(Patch(drop_row=7, repeat_row=9)) == BODY
    assert apply(Patch(drop_row=0))["count"] == 3
    assert apply(Patch(drop_row=0), {"value": [1, 2]}) == {"value": [2]}


def test_members_are_added_merged_and_deleted() -> None:
    assert apply(Patch(add={"totalRecords": 1, "new": 2})) == {**BODY, "totalRecords": 4, "new": 2}
    assert apply(Patch(merge={"data": None, "resultTruncated": True})) == {**BODY, "data": None, "resultTruncated": True}
    assert apply(Patch(delete=("data", "count", "none"))) == {"totalRecords": 3, "resultTruncated": "false"}


def test_rows_can_come_as_a_table() -> None:
    columns = [{"name": "id", "type": "string"}, {"name": "n", "type": "integer"}, {"name": "x", "type": "object"}]
    rows = [["a", 1, None], ["b", 2, {"y": 1.5}], ["c", 3, None]]
    assert apply(Patch(table=True))["data"] == {"columns": columns, "rows": rows}
    assert apply(Patch(table=True), {"data": [{"flag": True}]})["data"]["columns"] == [{"name": "flag", "type": "boolean"}]


def test_bytes_are_swapped_once_each() -> None:
    swap = [(b'"n":1', b'"n":NaN'), (b'"b"', b'"\\ud800"'), (b'"c"', b'"\xff"'), (b"absent", b"x")]
    content = patched(Patch(swap=swap), Reply(body=BODY)).content
    assert content.count(b"NaN") == content.count(b'"\\ud800"') == content.count(b'"\xff"') == 1


def test_a_page_without_a_next_one_keeps_its_rows() -> None:
    assert apply(Patch(empty=True)) == BODY


@pytest.mark.parametrize("reply", [error(429, "RateLimiting", "slower"), Reply(body=[1, 2])])
def test_what_is_no_page_stays_what_it_is(reply: Reply) -> None:
    assert patched(Patch(merge={"data": None}), reply) is reply


def test_a_body_without_rows_can_be_patched_too() -> None:
    assert apply(Patch(merge={"state": "Disabled"}), {"state": "Enabled"}) == {"state": "Disabled"}
