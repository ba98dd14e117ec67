"""Kusto's types, what is known of a value, and what each function of the subset returns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, cast, get_args

from scanner.model import ColumnType

Kind = Literal["string", "bool", "long", "real", "dynamic", "datetime", "timespan", "guid", "decimal", "unknown"]
"""A Kusto type (int counts as long); unknown after a problem, so that one mistake is told once."""

COLUMN_TYPES = frozenset(get_args(ColumnType))
NUMBERS = frozenset({"long", "real", "decimal"})
SPELLINGS: dict[str, Kind] = {
    "int": "long",
    "int32": "long",
    "int64": "long",
    "boolean": "bool",
    "double": "real",
    "date": "datetime",
    "time": "timespan",
    "uuid": "guid",
    "uniqueid": "guid",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """The standard column that a value is taken from; `source` tells apart two readings of one table."""

    source: int
    table: str
    column: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """What is known of an expression or column.

    `root` is set while the value still is the text of one standard column; `exact` says that it is unaltered; `lowered`
    that it holds no upper-case letters; `blind` that it looks the same where what it rests on is missing; `at` is where it
    was made.
    """

    kind: Kind
    root: Root | None = None
    exact: bool = False
    lowered: bool = False
    blind: bool = False
    at: int = 0


UNKNOWN = Value(kind="unknown")


def kind_of(spelling: str) -> Kind:
    """The type behind any spelling of its name."""
    known = SPELLINGS.get(spelling, spelling)
    return cast("Kind", known) if known in get_args(Kind) else "unknown"


def blinded(values: Iterable[Value]) -> bool:
    """Whether what is made of these is made of something that may be missing: members of dynamic values, and their kin."""
    return any(value.kind == "dynamic" or value.blind for value in values)


def altered(value: Value) -> Value:
    """The same column, no longer as the table holds it."""
    return replace(value, exact=False)


def common(kinds: Iterable[Kind]) -> Kind | None:
    """The type that holds all of these; None where they do not mix."""
    found = set(kinds)
    if "unknown" in found:
        return "unknown"
    if len(found) == 1:
        return found.pop()
    if found <= NUMBERS:
        return "decimal" if "decimal" in found else "real"
    return None


_SCALARS: dict[Kind, str] = {
    "string": """
        tostring tolower toupper strcat strcat_delim strcat_array substring trim trim_start trim_end replace replace_string
        replace_strings replace_regex strrep reverse extract extract_json extractjson format_datetime format_timespan
        format_bytes format_ipv4 base64_encode_tostring base64_decode_tostring base64_encodestring base64_decodestring
        url_encode url_encode_component url_decode gettype dynamic_to_json hash_md5 hash_sha1 hash_sha256 translate tohex
        regex_quote make_string parse_ipv6
    """,
    "bool": """
        isnull isnotnull notnull isempty isnotempty notempty tobool toboolean not isnan isfinite isinf set_has_element
        ipv4_is_match ipv4_is_in_range ipv4_is_in_any_range ipv4_is_private ipv6_is_match isascii isutf8
    """,
    "long": """
        strlen string_size countof indexof array_length array_index_of tolong toint datetime_diff datetime_part hourofday
        dayofmonth dayofyear getmonth getyear monthofyear weekofyear week_of_year strcmp binary_and binary_or binary_xor
        binary_not binary_shift_left binary_shift_right bitset_count_ones hash hash_xxhash64 has_any_index row_number
        ipv4_compare parse_ipv4 parse_ipv4_mask
    """,
    "real": """
        todouble toreal exp exp2 exp10 log log2 log10 sqrt pow sin cos tan cot asin acos atan atan2 pi degrees radians gamma
        loggamma sign array_sum jaccard_index rand
    """,
    "dynamic": """
        parse_json todynamic parse_xml parse_url parse_urlquery parse_csv parse_path split pack bag_pack pack_array
        pack_all pack_dictionary array_concat array_slice array_split array_sort_asc array_sort_desc array_reverse
        array_rotate_left array_rotate_right array_shift_left array_shift_right array_iff array_iif bag_keys bag_merge
        bag_remove_keys bag_set_key bag_has_key set_union set_difference set_intersect extract_all zip repeat range treepath
    """,
    "datetime": """
        todatetime now ago startofday startofweek startofmonth startofyear endofday endofweek endofmonth endofyear
        make_datetime datetime_add unixtime_seconds_todatetime unixtime_milliseconds_todatetime
        unixtime_microseconds_todatetime datetime_local_to_utc datetime_utc_to_local
    """,
    "timespan": "totimespan make_timespan dayofweek",
    "guid": "toguid new_guid",
    "decimal": "todecimal parse_version",
}
SCALARS: dict[str, Kind] = {name: kind for kind, names in _SCALARS.items() for name in names.split()}
"""Functions of one return type. `bag_has_key` is a bool; it stands below with the others that need a word."""
SCALARS["bag_has_key"] = "bool"

LIKE_FIRST = frozenset({"abs", "bin", "floor", "ceiling", "round", "bin_at"})
"""Functions that return the type of their first argument."""
WIDEST = frozenset({"bin", "floor", "bin_at"})
"""Those of them that return the wider of two numeric types: bin(7, 0.5) is a real."""
CHOICES = frozenset({"iff", "iif", "case", "coalesce", "max_of", "min_of"})
"""Functions that return one of their arguments, which must have one type."""

_AGGREGATES: dict[Kind, str] = {
    "long": "count countif dcount dcountif",
    "real": "avg avgif stdev stdevif stdevp variance varianceif variancep",
    "dynamic": """
        make_list make_list_if make_list_with_nulls make_set make_set_if make_bag make_bag_if makelist makeset percentiles
        percentiles_array buildschema
    """,
}
AGGREGATES: dict[str, Kind] = {name: kind for kind, names in _AGGREGATES.items() for name in names.split()}
"""Aggregates of one return type."""
AVERAGES = frozenset({"avg", "avgif"})
"""Those of them that keep the types in `KEPT_BY_AVERAGES`."""
KEPT_BY_AVERAGES = frozenset({"datetime", "timespan", "decimal"})
AGGREGATES_LIKE_FIRST = frozenset(
    {
        "sum",
        "sumif",
        "min",
        "minif",
        "max",
        "maxif",
        "any",
        "anyif",
        "take_any",
        "take_anyif",
        "percentile",
        "arg_max",
        "arg_min",
    }
)
"""Aggregates that return the type of their first argument."""

FUNCTIONS = frozenset(SCALARS) | LIKE_FIRST | CHOICES
ALL_AGGREGATES = frozenset(AGGREGATES) | AGGREGATES_LIKE_FIRST

_ONE = """
    tostring tolower toupper tolong toint todouble toreal tobool toboolean todatetime totimespan toguid isnull isnotnull notnull
    isempty isnotempty notempty not array_length strlen gettype parse_json todynamic bag_keys string_size parse_version
    dynamic_to_json startofday ago
"""
ARITIES: dict[str, tuple[int, int]] = {
    **dict.fromkeys(_ONE.split(), (1, 1)),
    **dict.fromkeys(LIKE_FIRST, (1, 3)),
    **dict.fromkeys(("iff", "iif", "datetime_diff", "datetime_add", "replace_string", "replace_regex"), (3, 3)),
    **dict.fromkeys(("max_of", "min_of", "coalesce"), (2, 64)),
    "case": (3, 999),
    "split": (2, 3),
    "substring": (2, 3),
    "extract": (3, 4),
    "strcat": (1, 64),
    "now": (0, 1),
}
"""How many arguments a function takes, least and most, for the functions that are often miscalled."""
