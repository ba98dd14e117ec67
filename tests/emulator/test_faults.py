"""Fault scripts: which requests they concern, and the file that they are read from."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from typing import get_args

import pytest

from scanner.emulator.exchange import Reply, Seen, error, route_of
from scanner.emulator.faults import read_faults
from scanner.emulator.script import Fault, Headers, Patch, RouteName, Script, Wire, claims_challenge, redirect
from scanner.errors import InputError
from scanner.sources.azure.wire import Route

OOPS = error(500, "Oops", "it broke")
GRAPH = "/providers/Microsoft.ResourceGraph/resources?api-version=2024-04-01"
LOCKS = "/subscriptions/s1/providers/Microsoft.Authorization/locks?api-version=2020-05-01"


def seen(path: str = GRAPH, query: str = "") -> Seen:
    return Seen(route=route_of(path.partition("?")[0]), number=1, method="GET", path=path, query=query)


def test_every_kind_of_request_can_be_addressed() -> None:
    assert set(get_args(RouteName)) == {*get_args(Route), "*", "other"}


def test_route_and_text_choose_requests() -> None:
    script = Script([Fault(route="graph", contains="PROTECTEDITEMS", action=OOPS)])
    assert script.pick(seen(query="x | where type =~ 'protectedItems'")) is script.faults[0]
    assert script.pick(seen(query="resources")) is None
    assert script.pick(seen(LOCKS, query="protecteditems")) is None
    by_path = Script([Fault(contains="/SUBSCRIPTIONS/s1/", action=OOPS)])
    assert by_path.pick(seen(LOCKS)) is by_path.faults[0]
    assert by_path.pick(seen()) is None


def test_the_body_names_subscriptions_and_the_size_of_a_page() -> None:
    script = Script([Fault(contains='"$TOP":1000', action=OOPS)])
    assert script.pick(replace(seen(), body=b'{"options":{"$top":1000}}')) is not None
    assert script.pick(replace(seen(), body=b'{"options":{"$top":500}}\xff')) is None


def test_numbers_count_the_requests_that_a_fault_concerns() -> None:
    script = Script([Fault(route="locks", numbers=(2, 4), action=OOPS)])
    found = [script.pick(seen(path)) is not None for path in (LOCKS, GRAPH, LOCKS, GRAPH, LOCKS, LOCKS, LOCKS)]
    assert found == [False, False, True, False, False, True, False]


def test_the_first_fault_that_is_due_is_played_and_the_others_count_on() -> None:
    first, second = Fault(numbers=(1,), action=OOPS), Fault(numbers=(2,), action=Reply())
    script = Script([first, second])
    assert [script.pick(seen()) for _ in range(3)] == [first, second, None]


def test_counting_is_safe_from_many_threads() -> None:
    script = Script([Fault(numbers=range(1, 101), action=OOPS)])
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: script.pick(seen()), range(400)))
    assert sum(one is not None for one in found) == 100


def write(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "faults.yaml"
    file.write_text(dedent(text))
    return file


def test_a_script_is_read_from_a_file(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        """\
        faults:
          - {route: graph, contains: disks, numbers: 2, reply: {status: 429, code: RateLimiting, headers: {Retry-After: "1"}}}
          - {numbers: "1-3", reply: {text: "<html>sign in</html>", headers: {Content-Type: text/html}}}
          - {numbers: "2-", reply: {body: {data: [null]}}}
          - {numbers: [1, 4], reply: {base64: /w==}}
          - {reply: {nested: 3}}
          - {patch: {drop_row: 0, add: {totalRecords: 1}, merge: {data: null}, delete: [count], swap: {a: NaN}, table: true}}
          - {headers: {x-ms-user-quota-remaining: "0"}}
          - {wire: {kind: slow, where: headers, ms: 20}}
          - {redirect: "https://elsewhere.example/"}
          - {claims_challenge: eyJ9}
          - {wire: {kind: gzip_bomb, size: 1000}}
        """,
    )
    faults = read_faults(file)
    limit = error(429, "RateLimiting", "The fault script says RateLimiting.").adding({"Retry-After": "1"})
    assert [fault.action for fault in faults] == [
        limit,
        Reply(body=b"<html>sign in</html>", headers={"Content-Type": "text/html"}),
        Reply(body={"data": [None]}),
        Reply(body=b"\xff"),
        Reply(body=b"[[[]]]"),
        Patch(
            drop_row=0,
            table=True,
            add={"totalRecords": 1},
            merge={"data": None},
            delete=("count",),
            swap=[(b"a", b"NaN")],
        ),
        Headers(headers={"x-ms-user-quota-remaining": "0"}),
        Wire(kind="slow", where="headers", seconds=0.02),
        redirect("https://elsewhere.example/"),
        claims_challenge("eyJ9"),
        Wire(kind="gzip_bomb", size=1000),
    ]
    assert (faults[0].route, faults[0].contains) == ("graph", "disks")
    due = [[number for number in range(1, 7) if fault.numbers is None or number in fault.numbers] for fault in faults[:5]]
    assert due == [[2], [1, 2, 3], [2, 3, 4, 5, 6], [1, 4], [1, 2, 3, 4, 5, 6]]


def test_every_problem_of_the_file_is_told_with_its_place(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        """\
        faults:
          - {rout: graph, reply: {}}
          - {route: grap, reply: {}}
          - {numbers: 0, reply: {}}
          - {numbers: "3", reply: {}}
          - {numbers: [], reply: {}}
          - {numbers: [1, true], reply: {}}
          - {reply: {}, headers: {}}
          - {route: graph}
          - {reply: {text: a, nested: 2}}
          - {reply: {base64: "?"}}
          - {wire: {kind: explode}}
          - {reply: {status: 700}}
        """,
    )
    with pytest.raises(InputError) as caught:
        read_faults(file)
    told = [str(one).removeprefix(f"{file}:") for one in caught.value.problems]
    numbers = "must be a number from 1 on, a range such as '1-3' or '2-', or a list of numbers"
    one_of = "must have exactly one of reply, patch, headers, wire, redirect and claims_challenge"
    assert told[0] == "2:6: faults[0].rout: unknown key; did you mean 'route'?"
    assert told[1].startswith("3:13: faults[1].route: must be one of *, graph,")
    assert told[1].endswith("did you mean 'graph'?")
    assert told[2:6] == [
        f"4:15: faults[2].numbers: {numbers}",
        f"5:15: faults[3].numbers: {numbers}",
        f"6:15: faults[4].numbers: {numbers}",
        f"7:15: faults[5].numbers: {numbers}",
    ]
    assert told[6:10] == [
        f"8:5: faults[6]: {one_of}",
        f"9:5: faults[7]: {one_of}",
        "10:13: faults[8].reply: gives more than one of code, body, text, base64 and nested",
        "11:22: faults[9].reply.base64: must be base64",
    ]
    assert told[10].startswith("12:19: faults[10].wire.kind: must be one of reset,")
    assert told[11].startswith("13:22: faults[11].reply.status: ")
    assert len(told) == 12


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"faults\.yaml: cannot be read: No such file"):
        read_faults(tmp_path / "faults.yaml")
