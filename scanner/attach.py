"""Side data joined to rows: what ARG does not carry, indexed once and matched on canonical ids."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product

import orjson

from scanner.assertion import Undecided, parse_path, read
from scanner.ids import canonical, is_arm_id, leading_id, subscription_of
from scanner.model import Json, Reason, Row
from scanner.plan import Asked
from scanner.policy import ORIGIN, Attach, MaxAge
from scanner.sources import Answer
from scanner.views import VIEWS


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """A row with its side data and parameters. `trouble` says what side data could not be told, if any.

    `unmatched` names what the row has nothing to match on: its null is no answer, so that `optional` does not excuse it.
    """

    row: Row
    view: Mapping[str, Json]
    trouble: Undecided | None = None
    unmatched: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One attached source, ready to be matched: `items` by what they are matched on, `order` for what lies below an id.

    `stray` holds the subscriptions of objects that lack what they are matched on ("" where even that cannot be told): whose
    they are is not known, so they could be any row's.
    """

    attach: Attach
    answer: Answer
    items: Mapping[tuple[str, ...], list[Json]]
    order: tuple[str, ...] = ()
    stray: frozenset[str] = frozenset()


def index(attach: Attach, answer: Answer) -> Side:
    """Read a side source once and index it for its attachment."""
    view: Callable[[Json], dict[str, Json]] = dict if attach.query else VIEWS[attach.source]
    items: dict[tuple[str, ...], list[Json]] = {}
    stray: set[str] = set()
    for page in answer.pages():
        for item in map(view, page):
            keys = _side_keys(attach, item)
            if not keys or not leading_id(item):
                stray.add(subscription_of(leading_id(item)))
                continue
            for key in keys:
                items.setdefault(key, []).append(item)
    order = tuple(sorted(key[0] for key in items)) if attach.how == "covering" else ()
    return Side(attach=attach, answer=answer, items=items, order=order, stray=frozenset(stray))


def attach(page: Sequence[Row], asked: Asked, sides: Sequence[Side], now: datetime) -> Iterator[Joined]:
    """Each row with what its policy attaches under the names it gave, with `params`, and with the `origin` of each."""
    origins = {name: entry["origin"] for name, entry in asked.info.params.items()}
    for row in page:
        view: dict[str, Json] = {ORIGIN: origins, **row, "params": asked.params}
        trouble = None
        unmatched = set()
        for side in sides:
            name, keys = side.attach.name, _wanted(side.attach, row)
            try:
                _expect_answer(side, row)
                view[name] = _find(side, keys, asked.params, now) if keys else None
            except Undecided as undecided:
                trouble = trouble or undecided
            unmatched |= set() if keys else {name}
        yield Joined(row=row, view=view, trouble=trouble, unmatched=frozenset(unmatched))


def _wanted(spec: Attach, row: Row) -> list[tuple[str, ...]]:
    """What a row is matched on: its texts, or the ARM id that locks are to cover; nothing where it lacks one of them."""
    keys = _keys(row, _row_columns(spec), lists=spec.how == "many")
    usable = all(map(all, keys)) and (spec.how != "covering" or all(is_arm_id(key[0]) for key in keys))
    return keys if usable else []


def _row_columns(spec: Attach) -> list[str]:
    return [spec.covering] if spec.how == "covering" else [column for _, column in spec.on]


def _expect_answer(side: Side, row: Row) -> None:
    """Raise where the source is silent on the subscription of the row, or on one that the row is matched in."""
    spec = side.attach
    matched = {subscription_of(text) for value in map(row.get, _row_columns(spec)) for text in _texts(value) or ()} - {""}
    for subscription in sorted({subscription_of(leading_id(row)), *matched}):
        if subscription not in side.answer.answered:
            gaps = [gap for gap in side.answer.gaps if gap.subscription in {"", subscription}]
            why = f" ({gaps[0].reason}: {gaps[0].text})" if gaps else ""
            raise Undecided(Reason.SIDE_DENIED, f"{spec.source} did not answer for subscription {subscription}{why}")
        if side.stray & {"", subscription}:
            raise Undecided(Reason.SIDE_DENIED, f"{spec.source} holds an object without what it is matched on")


def _find(side: Side, keys: Sequence[tuple[str, ...]], params: Mapping[str, Json], now: datetime) -> Json:
    """The attached value: every match, each once, or the only one; None where there is none."""
    spec = side.attach
    if spec.how == "covering":
        return _covering(side, keys[0][0])
    found = [*{id(item): item for key in keys for item in side.items.get(key, ())}.values()]
    if spec.how == "many":
        for item in found:
            _expect_fresh(spec, item, params, now)
        return _ordered(found)
    if len(found) > 1:
        raise Undecided(Reason.AMBIGUOUS, f"{spec.source} holds {len(found)} objects for one row where at most one is expected")
    if found:
        _expect_fresh(spec, found[0], params, now)
    return found[0] if found else None


def _covering(side: Side, scope: str) -> list[Json]:
    """Every lock whose scope is at, above or below an id, each with that relation."""
    found: list[Json] = []
    parts = scope.split("/")
    for length in range(1, len(parts) + 1):
        above = "/".join(parts[:length])
        relation = "at" if above == scope else "above"
        found.extend({**item, "relation": relation} for item in side.items.get((above,), ()))
    start = bisect_left(side.order, scope + "/")
    for below in side.order[start:]:
        if not below.startswith(scope + "/"):
            break
        found.extend({**item, "relation": "below"} for item in side.items[(below,)])
    return _ordered(found)


def _side_keys(attach: Attach, item: Mapping[str, Json]) -> list[tuple[str, ...]]:
    columns = ["scope"] if attach.how == "covering" else [column for column, _ in attach.on]
    return _keys(item, columns, lists=attach.how == "many")


def _keys(item: Mapping[str, Json], columns: Iterable[str], *, lists: bool) -> list[tuple[str, ...]]:
    """What an item is matched on: one text for each column, in every combination where columns may hold lists of texts.

    Nothing where a column holds anything else, or an empty list.
    """
    found = [None if isinstance(value, list) and not lists else _texts(value) for value in map(item.get, columns)]
    texts = [[canonical(text) for text in column] for column in found if column is not None]
    return [*product(*texts)] if len(texts) == len(found) else []


def _texts(value: Json) -> list[str] | None:
    """The text, or the texts of a list; None for anything else."""
    values = value if isinstance(value, list) else [value]
    return values if all(isinstance(text, str) for text in values) else None


def _expect_fresh(spec: Attach, item: Mapping[str, Json], params: Mapping[str, Json], now: datetime) -> None:
    if spec.max_age is None:
        return
    hours = _hours(spec.max_age, params)
    text = read(item, parse_path(spec.max_age.at))
    try:
        at = datetime.fromisoformat(text)
        age = (now - at).total_seconds()
    except (TypeError, ValueError, OverflowError):
        raise Undecided(Reason.STALE, f"{spec.source} holds an object without a time with zone at {spec.max_age.at}") from None
    if age < 0 or age > hours * 3600:
        when = "lies in the future" if age < 0 else f"is older than {hours} hours"
        raise Undecided(Reason.STALE, f"{spec.source} of {text} {when}")


def _hours(max_age: MaxAge, params: Mapping[str, Json]) -> int:
    return max_age.hours if isinstance(max_age.hours, int) else int(params[max_age.hours])


def _ordered(items: Iterable[Json]) -> list[Json]:
    def place(item: Json) -> tuple[str, bytes]:
        return canonical(leading_id(item)), orjson.dumps(item, option=orjson.OPT_SORT_KEYS)

    return sorted(items, key=place)
