"""KQL to DuckDB SQL, in the parent: its parser is warm from the check at load, so that the child needs no grammar at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from scanner.kql.arg import COLUMNS
from scanner.kql.functions import PROBES, register
from scanner.kql.rewrite import rewrite
from scanner.kql.shape import QueryTrouble
from scanner.kql.text import tokens, unquoted
from scanner.model import Json, Reason


@dataclass(frozen=True, slots=True)
class Translation:
    """SQL with its parameters as names and JSON values; a time is its text, which the SQL casts."""

    sql: str
    parameters: tuple[tuple[str, Json], ...] = ()


@lru_cache(maxsize=256)
def translate(text: str, tables: frozenset[str], now: datetime) -> Translation:
    """Translate a query over tables with ARG's columns; raises QueryTrouble UNSUPPORTED for what cannot be translated."""
    import duckdb_kql  # noqa: PLC0415 - the engine is an extra

    register()
    try:
        query = rewrite(text).text
        # The schema needs every spelling of a table that the text uses.
        names = {unquoted(word.text[1:-1]) if word.kind == "bracket" else word.text for word in tokens(query)}
        schema = {name: list(COLUMNS) for name in names if name.lower() in tables}
        sql = duckdb_kql.to_sql(query, schema=schema, allow_write=False, query_now=now)
    except duckdb_kql.KqlError as error:
        raise QueryTrouble(Reason.UNSUPPORTED, f"the offline engine does not translate this query: {error}") from error
    except RecursionError:
        raise QueryTrouble(Reason.UNSUPPORTED, "the query is nested too deeply for the offline engine") from None
    values = {name: str(value) if isinstance(value, datetime) else value for name, value in (sql.parameters or {}).items()}
    return Translation(str(sql), tuple(sorted(values.items())))


@lru_cache(maxsize=1)
def probes() -> Sequence[tuple[str, list[list[Json]]]]:
    """The queries of the self-test as SQL, each with the rows it must give."""
    import duckdb_kql  # noqa: PLC0415 - as above

    register()
    schema = {"resources": ["id", "name", "properties"]}
    return [(str(duckdb_kql.to_sql(query, schema=schema, allow_write=False)), rows) for query, rows in PROBES.items()]
