"""Functions of ARG's subset that duckdb_kql 1.1.2 does not map, and the self-test of the pinned version.

Sets come in the order of their text, so that two runs say the same. Left out on purpose, so that they end as UNSUPPORTED
instead of a guess: row_number (needs an order that nothing keeps), make_bag (which of two values wins is open),
dynamic_to_json (sorts keys, at every depth).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

from scanner.model import Json

_VERSION_PART = "lpad(split_part({0} || '.0.0.0', '.', %d), 8, '0')"
_VERSION = (
    "(CASE WHEN regexp_full_match({0}, '[0-9]{{1,8}}(\\.[0-9]{{1,8}}){{0,3}}') THEN CAST("
    + " || ".join(_VERSION_PART % number for number in (1, 2, 3, 4))
    + " AS DECIMAL(38, 0)) END)"
)
_TEMPLATES = {
    "bag_keys": "(CASE WHEN json_type({0}) = 'OBJECT' THEN to_json(json_keys({0})) END)",
    "string_size": "CAST(strlen({0}) AS BIGINT)",
    "parse_version": _VERSION,
}


@cache
def register() -> None:
    """Add the functions to the translator's registries; once, since they are module-wide."""
    from duckdb_kql.translate.functions import (  # noqa: PLC0415 - the engine is an extra
        AGGREGATE_FUNCTIONS,
        SCALAR_FUNCTIONS,
        FunctionSpec,
    )

    @dataclass(frozen=True)
    class Split(FunctionSpec):
        """`split` with a third argument: an array of that one part, empty where there is none."""

        def render(self, args: list[str]) -> str:
            if len(args) == 3:
                return "list_slice(str_split({0}, {1}), CAST({2} AS BIGINT) + 1, CAST({2} AS BIGINT) + 1)".format(*args)
            return f"str_split({args[0]}, {args[1]})"

    for name, template in _TEMPLATES.items():
        SCALAR_FUNCTIONS[name] = FunctionSpec(name, "template", template, (1,))
    strcmp = "(CASE WHEN {0} < {1} THEN -1 WHEN {0} > {1} THEN 1 ELSE 0 END)"
    SCALAR_FUNCTIONS["strcmp"] = FunctionSpec("strcmp", "template", f"CAST({strcmp} AS BIGINT)", (2,))
    SCALAR_FUNCTIONS["pack_all"] = FunctionSpec("pack_all", "template", "to_json(struct_pack(*COLUMNS(*)))", (0,))
    split = SCALAR_FUNCTIONS["split"]
    SCALAR_FUNCTIONS["split"] = Split("split", split.kind, split.template, (2, 3), split.rules)
    sets = AGGREGATE_FUNCTIONS["make_set"]
    in_order = replace(sets, template=f"to_json(list_sort(CAST({sets.template} AS JSON[])))")
    AGGREGATE_FUNCTIONS["make_set"] = in_order
    AGGREGATE_FUNCTIONS["makeset"] = AGGREGATE_FUNCTIONS["make_set"]
    AGGREGATE_FUNCTIONS["makelist"] = AGGREGATE_FUNCTIONS["make_list"]


PROBES: Mapping[str, list[list[Json]]] = {
    "resources | project id | where id =~ 'A/B'": [["a/b"]],
    "resources | project n = tolong(properties.n), m = isnull(properties.gone)": [[1, True]],
    "resources | mv-expand d = properties.list limit 9 | project d = tostring(d)": [["x"], ["y"]],
    "resources | join kind=leftouter (resources | summarize c = count() by name) on name | project c": [[1]],
    "resources | project p = bag_keys(properties)[0], s = split(id, '/', 1)": [['"n"', ["b"]]],
}
"""The self-test of the pinned version: queries over `PROBE_ROW`, each with the rows it must give."""
PROBE_ROW = {"id": "a/b", "name": "b", "properties": '{"n": 1, "list": ["x", "y"]}'}
