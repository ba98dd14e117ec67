"""What a page costs: CPU of SdkTransport + orjson against urllib3 + orjson, over TLS on loopback.

    python -m benchmarks.fetch [ROUNDS]

A child process serves one page of 1,000 rows of 1.9 KB, plain or gzipped. Both clients take turns, a few pages each, and
only the CPU time of this process counts. Bar: the median of the transport is at most 1.35 times that of urllib3.
"""

from __future__ import annotations

import gzip
import os
import ssl
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import orjson
import trustme
import urllib3

from scanner.sources.azure.clouds import loopback
from scanner.sources.azure.credentials import StaticToken
from scanner.sources.azure.transport import GRAPH, connect
from scanner.sources.azure.wire import Request

ROWS, PAGES, BAR = 1000, 5, 1.35
BODY = b'{"query": "Resources | order by id asc", "options": {"$top": 1000}}'


def page() -> bytes:
    """One page as Azure Resource Graph answers it."""
    disk = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute/disks/disk-"
    rows = [
        {
            "id": f"{disk}{number:06}",
            "name": f"disk-{number:06}",
            "type": "microsoft.compute/disks",
            "tags": {f"tag{tag:02}": f"value {number * tag} of a tag" for tag in range(53)},
            "properties": {"diskSizeGB": number, "diskState": "Attached", "encrypted": True, "uniqueId": f"{number:032x}"},
        }
        for number in range(ROWS)
    ]
    return orjson.dumps({"totalRecords": ROWS, "count": ROWS, "resultTruncated": "false", "data": rows})


def serve(ready: Connection, folder: str) -> None:
    """Serve the page until the process is ended; tells its port."""
    plain = page()
    bodies = {"plain": plain, "gzip": gzip.compress(plain, 6)}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            how = "gzip" if self.path.endswith("gzip") else "plain"
            self.send_response(200)
            self.send_header("Content-Length", str(len(bodies[how])))
            if how == "gzip":
                self.send_header("Content-Encoding", "gzip")
            self.end_headers()
            self.wfile.write(bodies[how])

        def log_message(self, *_: object) -> None:
            return

    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(Path(folder, "ca.pem")))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    ready.send(server.server_address[1])
    server.serve_forever()


def measure(fetch: Callable[[], bytes]) -> float:
    """Milliseconds of CPU per page, decoding included."""
    before = time.process_time()
    for _ in range(PAGES):
        if len(orjson.loads(fetch())["data"]) != ROWS:
            raise RuntimeError("the page is not whole")
    return (time.process_time() - before) * 1000 / PAGES


def compare(how: str, clients: dict[str, Callable[[], bytes]], rounds: int) -> float:
    """Print the medians of interleaved rounds; their ratio."""
    for fetch in clients.values():
        measure(fetch)
    costs: dict[str, list[float]] = {name: [] for name in clients}
    for turn in range(rounds):
        names = list(clients) if turn % 2 else list(reversed(clients))
        for name in names:
            costs[name].append(measure(clients[name]))
    floor, ours = (statistics.median(costs[name]) for name in clients)
    print(f"{how:6} {floor:11.2f} {ours:13.2f} {ours / floor:9.2f}")
    return ours / floor


def main(rounds: int) -> int:
    """0 when both ratios keep the bar."""
    with tempfile.TemporaryDirectory() as folder:
        here, there = get_context("spawn").Pipe()
        child = get_context("spawn").Process(target=serve, args=(there, folder), daemon=True)
        child.start()
        try:
            endpoint = f"https://localhost:{here.recv()}"
            bundle = os.environ["REQUESTS_CA_BUNDLE"] = str(Path(folder, "ca.pem"))
            print("body   urllib3 ms  transport ms     ratio")
            ratios = [_ratio(how, endpoint, bundle, rounds) for how in ("plain", "gzip")]
        finally:
            child.terminate()
            child.join()
    return int(max(ratios) > BAR)


def _ratio(how: str, endpoint: str, bundle: str, rounds: int) -> float:
    path = f"{GRAPH}?api-version=2024-04-01&{how}"
    headers = {"Authorization": "Bearer t", "Content-Type": "application/json", "Accept-Encoding": "gzip"}
    ask = Request(route="graph", method="POST", url=path, body=BODY)
    with urllib3.PoolManager(ca_certs=bundle) as pool, connect(loopback(endpoint), StaticToken("t"), version="0") as transport:
        floor = partial(pool.request, "POST", endpoint + path, body=BODY, headers=headers)
        clients = {"urllib3": lambda: floor().data, "transport": lambda: transport.send(ask, seconds=10).body}
        return compare(how, clients, rounds)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 40))
