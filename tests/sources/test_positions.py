from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from scanner.model import Json
from scanner.sources import positions

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


def look_up(value: Json, path: positions.Path) -> Json:
    for part in path:
        value = value[part]
    return value


@given(json_values, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_every_value_is_found_where_it_stands(value: Json, indent: int | str | None, ascii_only: bool) -> None:  # noqa: FBT001 - drawn
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    found = positions.places(text)
    lines = text.split("\n")
    decoder = json.JSONDecoder()
    for path, (line, column) in found.values.items():
        rest = "\n".join(lines[line - 1 :])
        assert decoder.raw_decode(rest, column - 1)[0] == look_up(value, path)
    for path, (line, column) in found.keys.items():
        assert decoder.raw_decode(lines[line - 1], column - 1)[0] == path[-1]
        look_up(value, path)
    assert found.repeated == ()


def test_places_that_do_not_exist_fall_back_to_what_holds_them() -> None:
    found = positions.places('{"a": [1,\n {"b": 2}]}')
    assert found.value(("a", 1, "zz", "y")) == (2, 2)
    assert found.key(("a", 1, "b")) == (2, 3)
    assert found.key(("a", 1)) == (2, 2)
    assert positions.places("").value(("x",)) == (1, 1)
