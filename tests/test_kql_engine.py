from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from scanner.kql import Engine, QueryTrouble, Shape, inspect
from scanner.kql import engine as module
from scanner.model import Reason

NOW = datetime(2026, 11, 20, 6, tzinfo=UTC)
VM = "/subscriptions/s1/resourceGroups/RG/providers/Microsoft.Compute/virtualMachines/Web01"
VAULT = "/subscriptions/s1/resourceGroups/rg/providers/Microsoft.RecoveryServices/vaults/v1"
ITEM = "microsoft.recoveryservices/vaults/backupfabrics/protectioncontainers/protecteditems"
Rows = list[dict[str, Any]]


def write(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


@pytest.fixture(scope="module")
def spool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("spool")


@pytest.fixture(scope="module")
def engine(spool: Path) -> Iterator[Engine]:
    with Engine({}, spool) as started:
        yield started


def ask(engine: Engine, spool: Path, kql: str, *, key: tuple[str, ...] = ("id",), **tables: Rows) -> Rows:
    """The rows of a query over these rows of tables; `resources` is there, empty, when it is not given."""
    engine.load({name: write(spool / f"{name}.ndjson", rows) for name, rows in {"resources": [], **tables}.items()})
    out = spool / "out.ndjson"
    count = engine.run(kql, now=NOW, key=key, shape=inspect(kql, key), timeout=60, out=out)
    rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert len(rows) == count
    return rows


def vm(called: str = "Web01", /, **members: Any) -> dict[str, Any]:
    row = {
        "id": VM.replace("Web01", called),
        "name": called,
        "type": "microsoft.compute/virtualmachines",
        "subscriptionId": "s1",
    }
    return {**row, **members}


def one(engine: Engine, spool: Path, expression: str, **members: Any) -> Any:
    """The value of an expression over one VM, None where the column is left out."""
    (row,) = ask(engine, spool, f"resources | project id, x = {expression}", resources=[vm(**members)])
    return row.get("x")


def test_protected_vms_are_joined_on_lowered_ids(engine: Engine, spool: Path) -> None:
    query = f"""
    resources
    | where type =~ 'Microsoft.Compute/virtualMachines'
    | extend vm = tolower(id)
    | join kind=inner (
        recoveryservicesresources
        | where type == '{ITEM}'
        | project vm = tolower(tostring(properties.sourceResourceId)), state = tostring(properties.protectionState)
    ) on vm
    | project id, name, state
    """
    items = [
        {"id": f"{VAULT}/a", "type": ITEM, "properties": {"sourceResourceId": VM.upper(), "protectionState": "Protected"}},
        {"id": f"{VAULT}/b", "type": "other", "properties": {"sourceResourceId": VM, "protectionState": "Wrong type"}},
        {"id": f"{VAULT}/c", "type": ITEM, "properties": {"sourceResourceId": "/gone", "protectionState": "No VM"}},
    ]
    rows = ask(engine, spool, query, resources=[vm(), vm("Lonely")], recoveryservicesresources=items)
    assert rows == [{"id": VM, "name": "Web01", "state": "Protected"}]


def test_data_disks_are_expanded_in_order_with_their_place(engine: Engine, spool: Path) -> None:
    query = """
    resources
    | mv-expand with_itemindex=place disk = properties.dataDisks limit 400
    | project id, place, lun = tolong(disk.lun), disk
    """
    machine = vm(properties={"dataDisks": [{"lun": 3, "name": "a"}, {"lun": "1"}]})
    rows = ask(engine, spool, query, key=("id", "place"), resources=[machine])
    assert rows == [
        {"id": VM, "place": 0, "lun": 3, "disk": {"lun": 3, "name": "a"}},
        {"id": VM, "place": 1, "lun": 1, "disk": {"lun": "1"}},
    ]


def test_an_array_is_cut_at_the_limit_of_mv_expand(engine: Engine, spool: Path) -> None:
    query = "resources | mv-expand zone = zones limit 2 | project id, zone = tostring(zone)"
    rows = ask(engine, spool, query, key=("id", "zone"), resources=[vm(zones=["1", "2", "3"])])
    assert [row["zone"] for row in rows] == ["1", "2"]


def test_aggregates_stand_in_the_right_side_of_a_join(engine: Engine, spool: Path) -> None:
    query = """
    resources
    | where type == 'microsoft.compute/virtualmachines'
    | extend vm = tolower(id)
    | join kind=leftouter (
        resources
        | where type == 'microsoft.compute/virtualmachines/extensions'
        | extend vm = tolower(tostring(split(id, '/extensions/')[0]))
        | summarize total = count(), bad = countif(properties.provisioningState != 'Succeeded'), names = make_set(name) by vm
    ) on vm
    | project id, total, bad, names
    """
    kind = "microsoft.compute/virtualmachines/extensions"
    extensions = [
        vm("x", id=f"{VM.lower()}/extensions/{name}", name=name, type=kind, properties={"provisioningState": state})
        for name, state in (("a", "Succeeded"), ("b", "Failed"), ("b", "Failed"))
    ]
    rows = ask(engine, spool, query, resources=[vm(), vm("Lonely"), *extensions])
    assert rows == [
        {"id": VM.replace("Web01", "Lonely")},
        {"id": VM, "total": 3, "bad": 2, "names": ["a", "b"]},
    ]


def test_the_newest_row_of_a_group(engine: Engine, spool: Path) -> None:
    query = """
    resources
    | extend vm = tolower(id)
    | join kind=leftouter (
        recoveryservicesresources
        | extend vm = tolower(tostring(properties.vm))
        | extend started = tostring(properties.started), status = tostring(properties.status)
        | summarize arg_max(started, status) by vm
    ) on vm
    | project id, started, status
    """
    jobs = [
        {"id": f"{VAULT}/{n}", "properties": {"vm": VM, "started": f"2026-11-0{n}", "status": status}}
        for n, status in ((1, "Completed"), (3, "Failed"), (2, "Completed"))
    ]
    rows = ask(engine, spool, query, resources=[vm()], recoveryservicesresources=jobs)
    assert rows == [{"id": VM, "started": "2026-11-03", "status": "Failed"}]


def test_a_left_outer_join_keeps_rows_without_partner(engine: Engine, spool: Path) -> None:
    query = """
    resources | extend k = tolower(id)
    | join kind=leftouter (resourcecontainers | project k = tolower(id), n = 1, s = name) on k
    | project id, n, s, none = isnull(n), empty = isempty(s)
    """
    assert ask(engine, spool, query, resources=[vm()], resourcecontainers=[]) == [{"id": VM, "none": True, "empty": True}]


def test_a_union_has_the_rows_of_both_tables(engine: Engine, spool: Path) -> None:
    query = "resources | project id, name | union (resourcecontainers | project id, location)"
    group = {"id": "/subscriptions/s1/resourceGroups/a", "location": "westeurope"}
    rows = ask(engine, spool, query, resources=[vm()], resourcecontainers=[group])
    assert rows == [{"id": VM, "name": "Web01"}, {"id": group["id"], "location": "westeurope"}]


def test_parse_takes_a_text_apart(engine: Engine, spool: Path) -> None:
    query = "resources | parse id with * '/resourceGroups/' group '/providers/' rest | project id, group"
    assert ask(engine, spool, query, resources=[vm()]) == [{"id": VM, "group": "RG"}]


def test_rows_come_in_the_order_of_the_key(engine: Engine, spool: Path) -> None:
    names = ["b", "a", "c", "B"]
    rows = ask(engine, spool, "resources | project id, name", resources=[vm(name) for name in names])
    assert [row["name"] for row in rows] == ["B", "a", "b", "c"]


def test_the_column_kind_and_tables_in_any_case(engine: Engine, spool: Path) -> None:
    query = "ReSources | where kind == 'StorageV2' | project id, kind, k = properties.kind"
    rows = ask(engine, spool, query, resources=[vm(kind="StorageV2", properties={"kind": "x"}), vm("Other")])
    assert rows == [{"id": VM, "kind": "StorageV2", "k": "x"}]


def test_empty_tables_give_no_rows(engine: Engine, spool: Path) -> None:
    query = "resources | join kind=inner (advisorresources | project subscriptionId) on subscriptionId | project id"
    assert ask(engine, spool, query, advisorresources=[]) == []


def test_the_clock_is_the_one_that_is_given(engine: Engine, spool: Path) -> None:
    assert one(engine, spool, "tostring(now())") == "2026-11-20T06:00:00.0000000Z"
    hours = "datetime_diff('hour', now(), todatetime(properties.t))"
    assert one(engine, spool, hours, properties={"t": "2026-11-20T07:00:00+02:00"}) == 1


@pytest.mark.parametrize(
    ("expression", "properties", "expected"),
    [
        ("iff(isnull(properties.n), bool(null), properties.n == 1)", {"n": 1}, True),
        ("iff(isnull(properties.n), bool(null), properties.n == 1)", {"n": 2}, False),
        ("iff(isnull(properties.n), bool(null), properties.n == 1)", {}, None),
        ("tolong(properties.b)", {"b": True}, 1),
        ("tolong(true)", {}, 1),
        ("tolong(properties.s)", {"s": "12"}, 12),
        ("tolong(properties.s)", {"s": "many"}, None),
        ("gettype(properties.v)", {"v": 1}, "long"),
        ("gettype(properties.v)", {"v": "1"}, "string"),
        ("gettype(properties.v)", {"v": True}, "bool"),
        ("gettype(properties.v)", {"v": [1]}, "array"),
        ("gettype(properties.v)", {}, "null"),
        ("isnull(properties.v)", {}, True),
        ("isempty(properties.v)", {}, True),
        ("iff(properties.v != 'x', 'yes', 'no')", {}, "yes"),
        ("array_length(properties.v)", {"v": [1, 2]}, 2),
        ("array_length(properties.v)", {}, None),
        ("tostring(properties.v)", {"v": {"a": [1, 2.5, "ü"]}}, '{"a":[1,2.5,"ü"]}'),
        ("properties.v", {"v": {"a": [1, 2.5, "ü", True]}}, {"a": [1, 2.5, "ü", True]}),
        ("properties.v", {"v": 12345678901234567890}, 12345678901234567890),
        ("tostring(properties.v)", {}, ""),
        ("7 / 2", {}, 3),
        ("7 / 2.0", {}, 3.5),
        ("kind", {}, ""),
        ("tags", {}, None),
        ("bag_keys(properties)", {"a": 1, "b": 2}, ["a", "b"]),
        ("bag_keys(properties.a)", {"a": 1}, None),
        ("string_size('aé')", {}, 3),
        ("strcmp('a', 'b')", {}, -1),
        ("strcmp('b', 'a')", {}, 1),
        ("strcmp('a', 'a')", {}, 0),
        ("parse_version('2.7.9') < parse_version('2.7.41491.1010')", {}, True),
        ("parse_version('2.7') == parse_version('2.7.0.0')", {}, True),
        ("isnull(parse_version('Unknown'))", {}, True),
        ("split('a/b/c', '/', 1)", {}, ["b"]),
        ("split('a/b/c', '/', 9)", {}, []),
        ("split('a/b/c', '/')", {}, ["a", "b", "c"]),
        ("pack_all().name", {}, "Web01"),
        ("strcat_array(properties.v, ',')", {"v": ["a", "b"]}, "a,b"),
        ("iff(set_has_element(properties.v, 'a'), 'yes', 'no')", {"v": ["a", "b"]}, "yes"),
    ],
)
def test_values_are_kustos(engine: Engine, spool: Path, expression: str, properties: dict[str, Any], expected: Any) -> None:
    found = one(engine, spool, expression, properties=properties)
    assert (found, type(found)) == (expected, type(expected))


def test_text_columns_hold_the_text_of_whatever_stands_there(engine: Engine, spool: Path) -> None:
    (row,) = ask(engine, spool, "resources | project id, name, kind, location", resources=[vm(name=7, kind={"a": 1}, id="/x")])
    assert row == {"id": "/x", "name": "7", "kind": '{"a":1}', "location": ""}


def test_the_old_names_of_set_aggregates(engine: Engine, spool: Path) -> None:
    query = """
    resources
    | join kind=inner (resources | summarize s = makeset(name), l = makelist(name) by subscriptionId) on subscriptionId
    | project id, s, l
    """
    rows = ask(engine, spool, query, resources=[vm("a"), vm("a", id="/other")])
    assert {(tuple(row["s"]), tuple(row["l"])) for row in rows} == {(("a",), ("a", "a"))}


def test_results_are_private(engine: Engine, spool: Path) -> None:
    ask(engine, spool, "resources | project id")
    assert os.name == "nt" or stat.S_IMODE((spool / "out.ndjson").stat().st_mode) == 0o600


def trouble(engine: Engine, spool: Path, kql: str, *, shape: Shape | None = None, timeout: float = 60) -> QueryTrouble:
    """What a query raises; `shape` is given where the checks at load are to be bypassed."""
    out = spool / "trouble.ndjson"
    with pytest.raises(QueryTrouble) as caught:
        engine.run(kql, now=NOW, key=(), shape=shape or inspect(kql, ("id",)), timeout=timeout, out=out)
    assert not out.exists()
    return caught.value


def bare(**columns: Any) -> Shape:
    return Shape(columns=columns, tables={})


def test_a_table_that_is_not_there_is_not_an_empty_one(engine: Engine, spool: Path) -> None:
    engine.load({})
    found = trouble(engine, spool, "healthresources | project id")
    assert (found.reason, found.text) == (Reason.NOT_COLLECTED, "the snapshot does not hold the table healthresources")


@pytest.mark.parametrize(
    ("kql", "shape", "words"),
    [
        ("resources | project id, a = row_number()", None, "does not translate"),
        ("resources | project id, a = 1", bare(id="string", a="string"), "yields 'a' as BIGINT, not as a string"),
        ("resources | project id, a = 1", bare(id="string"), "yields the columns id, a"),
        ("print a = 0.0 / 0", bare(a="real"), "not a number"),
        ("print a = tolong(strcat('a', 'b')) + toint(print_it())", bare(a="long"), "does not translate"),
        ("print a = " + "(" * 90 + "1" + ")" * 90, bare(a="long"), "nested too deeply"),
        ("resources | where name matches regex '(' | project id", bare(id="string"), "cannot run this query"),
    ],
)
def test_what_the_engine_cannot_do_is_unsupported(
    engine: Engine, spool: Path, kql: str, shape: Shape | None, words: str
) -> None:
    engine.load({"resources": write(spool / "r.ndjson", [vm()])})
    found = trouble(engine, spool, kql, shape=shape)
    assert found.reason is Reason.UNSUPPORTED
    assert words in found.text


def test_texts_of_trouble_hold_no_values_of_rows(engine: Engine, spool: Path) -> None:
    engine.load({"resources": write(spool / "r.ndjson", [vm(name="s3cret")])})
    query = "resources | project id, a = iff(name != 'x', name, zones)"
    found = trouble(engine, spool, query, shape=bare(id="string", a="dynamic"))
    assert (found.reason, found.text) == (Reason.UNSUPPORTED, "the offline engine cannot run this query (ConversionException)")


@pytest.mark.parametrize(
    "kql",
    [
        "['/etc/hostname'] | take 1",
        "['https://example.com/x.csv'] | take 1",
        "sqlite_master | take 1",
        "duckdb_settings | take 1",
        "database('information_schema').tables | take 1",
        "externaldata(a:string)['/etc/hostname']",
        ".show tables",
        ".set-or-replace T <| print x = 1",
        ".ingest into table T 'x'",
        "print x = getenv('HOME')",
        "print x = read_text('/etc/hostname')",
        "print x = 1; print x = 2; attach('x')",
    ],
)
def test_the_sandbox_holds_where_the_checks_are_bypassed(engine: Engine, spool: Path, kql: str) -> None:
    engine.load({"resources": write(spool / "r.ndjson", [])})
    assert trouble(engine, spool, kql, shape=bare(x="string")).reason in {Reason.UNSUPPORTED, Reason.NOT_COLLECTED}


def test_a_query_that_does_not_end_is_killed_and_the_next_one_runs(engine: Engine, spool: Path) -> None:
    engine.load({"resources": write(spool / "r.ndjson", [vm()])})
    side = "range x from 1 to 1000000 step 1 | extend k = 1"
    bomb = f"{side} | join kind=inner ({side}) on k | summarize n = count()"
    found = trouble(engine, spool, bomb, shape=bare(n="long"), timeout=1.5)
    assert found.reason is Reason.TIMEOUT
    assert found.text == "the query did not end within 1.5 seconds and was stopped"
    out = spool / "after.ndjson"
    assert engine.run("resources | project id", now=NOW, key=("id",), shape=bare(id="string"), timeout=60, out=out) == 1


def test_a_query_that_eats_memory_fails_alone(spool: Path) -> None:
    with Engine({}, spool, memory=1024**3) as small:
        found = trouble(
            small, spool, "print x = strcat(strrep('a', 900000000), strrep('b', 900000000))", shape=bare(x="string")
        )
        assert found.reason is Reason.FAILED
        assert "memory" in found.text
        assert small.run("print x = 1", now=NOW, key=(), shape=bare(x="long"), timeout=60, out=spool / "y") == 1


def test_a_child_that_dies_is_told_and_replaced(spool: Path) -> None:
    with Engine({}, spool) as fragile:
        shape, out = bare(x="long"), spool / "z"
        assert fragile.run("print x = 1", now=NOW, key=(), shape=shape, timeout=60, out=out) == 1
        assert fragile._child is not None
        fragile._child._process.kill()
        fragile._child._process.wait()
        found = trouble(fragile, spool, "print x = 1", shape=shape)
        assert found.reason is Reason.FAILED
        assert fragile.run("print x = 1", now=NOW, key=(), shape=shape, timeout=60, out=out) == 1


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (3, "exit code 3"),
        (-signal.SIGTERM, "SIGTERM"),
        (-getattr(signal, "SIGKILL", 9), "SIGKILL, most likely out of memory"),
        (-999, "signal 999"),
    ],
)
def test_how_a_child_ended_is_told_in_words(code: int, words: str) -> None:
    assert module._ending(code) == words


def test_big_tables_are_kept_in_a_file_that_goes_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IN_MEMORY_BYTES", 10)
    table = write(tmp_path / "resources.ndjson", [vm()])
    with Engine({"resources": table}, tmp_path) as big:
        shape = bare(id="string")
        assert big.run("resources | project id", now=NOW, key=("id",), shape=shape, timeout=60, out=tmp_path / "o") == 1
        assert list(tmp_path.glob("kql-*"))
    assert not list(tmp_path.glob("kql-*"))


def test_rows_that_are_no_json_are_a_trouble_of_the_query(engine: Engine, spool: Path) -> None:
    broken = spool / "broken.ndjson"
    broken.write_text("{nope\n", "utf-8")
    engine.load({"resources": broken})
    assert trouble(engine, spool, "resources | project id").reason is Reason.UNSUPPORTED


def test_a_file_that_is_gone_is_a_trouble_of_the_query(engine: Engine, spool: Path) -> None:
    engine.load({"resources": spool / "gone.ndjson"})
    assert trouble(engine, spool, "resources | project id").reason is Reason.UNSUPPORTED


def test_an_engine_that_cannot_start_says_so_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PROGRAM", """print('{"reason": "FAILED", "text": "not fit"}')""")
    with Engine({}, tmp_path) as unfit:
        found = [trouble(unfit, tmp_path, "print x = 1", shape=bare(x="long")).text for _ in range(2)]
        assert found == ["not fit", "not fit"]
        assert unfit._child is None


def test_an_unused_engine_starts_no_child(tmp_path: Path) -> None:
    with Engine({}, tmp_path) as idle:
        assert idle._child is None


PROGRAM = """
from datetime import UTC, datetime
from pathlib import Path
from scanner.kql import Engine, Shape
print("before")
with Engine({}, Path(".")) as engine:
    shape = Shape(columns={"x": "long"}, tables={})
    print(engine.run("print x = 1", now=datetime(2026, 1, 1, tzinfo=UTC), key=(), shape=shape, timeout=60, out=Path("out")))
"""


@pytest.mark.parametrize("how", ["-c", "file", "-"])
def test_it_runs_from_any_kind_of_program_and_prints_nothing_of_its_own(how: str, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM, "utf-8")
    (tmp_path / "json.py").write_text("raise SystemExit('the working folder was searched')", "utf-8")
    arguments = {"-c": ["-P", "-c", PROGRAM], "file": ["-P", "program.py"], "-": ["-P", "-"]}[how]
    root = str(Path(module.__file__).resolve().parents[2])
    environment = {**os.environ, "PYTHONPATH": root}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, input=PROGRAM, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "before\n1\n", "")


def test_what_arg_holds_in_lower_case_is_found_in_any_spelling(engine: Engine, spool: Path) -> None:
    row = vm(type="Microsoft.Compute/virtualMachines", subscriptionId="S1", location="WestEurope", tenantId="T")
    query = (
        "resources | where type == 'microsoft.compute/virtualmachines' and location == 'westeurope' and tenantId == 't'"
        " | join kind=inner (resources | where subscriptionId == 's1' | project subscriptionId) on subscriptionId"
        " | project id, name"
    )
    assert ask(engine, spool, query, resources=[row]) == [{"id": VM, "name": "Web01"}]
