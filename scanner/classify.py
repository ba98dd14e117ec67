"""What a failed job says of itself, told as one of the error codes that a pack knows. Pure.

Azure gives a failed job an integer and localised texts, not the name of the error that its documentation uses
(azure-mgmt-recoveryservicesbackup 11.2.0, AzureIaaSVMErrorInfo). So the name is looked for wherever it may stand, then the
integer in a map that the user fills, then the English message, then the phase that failed; else the job stays unclassified.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from scanner.model import Failure, Json
from scanner.policy import Code


def classify(said: Mapping[str, Json], codes: Sequence[Code], numeric: Mapping[str, str]) -> Failure:
    """The failure behind a job; `said` holds its `texts`, `numbers` and `phases`, each of any shape.

    Where several codes fit, the one that stands first in `codes` counts. `numeric` maps a number, as text, to a code.
    """
    texts = [*_texts(said.get("texts"))]
    numbers = tuple(dict.fromkeys(_numbers(said.get("numbers"))))
    phases = [text.casefold() for text in _texts(said.get("phases"))]
    named = {numeric[str(number)].casefold() for number in numbers if str(number) in numeric}
    told: tuple[tuple[str, Iterator[Code]], ...] = (
        ("name", (code for code in codes if not code.phase and _names(code.name, texts))),
        ("number", (code for code in codes if code.name.casefold() in named)),
        ("message", (code for code in codes if any(_says(message, texts) for message in code.messages))),
        ("phase", (code for code in codes if code.phase and code.phase.casefold() in phases)),
    )
    for told_by, found in told:
        for code in found:
            return Failure(
                code=code.name, title=code.title, link=code.link, told_by=told_by, numbers=numbers, causes=code.causes
            )
    return Failure(numbers=numbers)


def _texts(value: Json) -> Iterator[str]:
    """Every text inside a value, at any depth; names of members too, since a property bag may hold a code as one."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        yield from _each(value.values())
    elif isinstance(value, list):
        yield from _each(value)


def _each(values: Iterable[Json]) -> Iterator[str]:
    return (text for value in values for text in _texts(value))


def _numbers(value: Json) -> Iterator[int]:
    if isinstance(value, list):
        yield from (number for item in value for number in _numbers(item))
    elif isinstance(value, int) and not isinstance(value, bool):
        yield value
    elif isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value):
        yield int(value)


def _names(name: str, texts: Iterable[str]) -> bool:
    """Whether a name stands in a text as a whole word, in any case."""
    word = re.compile(rf"(?<![A-Za-z0-9_]){re.escape(name)}(?![A-Za-z0-9_])", re.IGNORECASE)
    return any(word.search(text) for text in texts)


def _says(message: str, texts: Iterable[str]) -> bool:
    wanted = _plain(message)
    return wanted != "" and any(_plain(text).startswith(wanted) for text in texts)


def _plain(text: str) -> str:
    """A message without what differs between its copies: case, blanks, and the stop at its end."""
    return " ".join(text.split()).casefold().rstrip(" .")
