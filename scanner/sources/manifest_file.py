"""Reads `manifest.json`: every problem with its place, no guess about what its writer may have meant."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from scanner.errors import InputError, Problem
from scanner.kql.text import digest
from scanner.policy import SIDE_TABLES
from scanner.sources import positions
from scanner.sources.jsonsafe import parse, problem, repeated
from scanner.sources.manifest import FORMAT, AnswerModel, GapModel, Manifest, ScopeModel, SubscriptionModel, TableModel
from scanner.sources.positions import Places

NAME = "manifest.json"
MAX_BYTES = 64 * 1024 * 1024
"""Bytes of a manifest: enough for a hundred answers of ten thousand subscriptions."""

_HINT = "docs/snapshot-format.md describes the format; `arguard schema snapshot` prints its JSON Schema."
_MODELS: Mapping[tuple[str, ...], type[BaseModel]] = {
    (): Manifest,
    ("scope",): ScopeModel,
    ("subscriptions", "*"): SubscriptionModel,
    ("tables", "*"): TableModel,
    ("tables", "*", "gaps", "*"): GapModel,
    ("answers", "*"): AnswerModel,
    ("answers", "*", "gaps", "*"): GapModel,
}
_TEXTS = {
    "missing": "is missing",
    "string_type": "must be a text",
    "int_type": "must be a whole number",
    "tuple_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "greater_than_equal": "must not be negative",
}
_PATTERNS = {
    "file": "must be a relative path inside the folder, of letters, digits, '.', '_' and '-', ending in .ndjson or .ndjson.gz",
    "sha256": "must be 64 lower-case hex digits",
    "collected_at": "must be an RFC 3339 time with a zone, such as 2026-11-20T06:00:00Z",
    "state": "must be one word, such as Enabled",
    "id": "must be a subscription id, without slashes and blanks",
    "subscription": "must be a subscription id, without slashes and blanks",
    "subscriptions": "must be subscription ids, without slashes and blanks",
    "answered": "must be subscription ids, without slashes and blanks",
    "tables": "the name of a table is one lower-case word",
    "answers": "the name of an answer is the digest of its query: 64 lower-case hex digits",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A manifest that was read, with the sha256 of its bytes; `file` is how problems call it."""

    manifest: Manifest
    digest: str
    file: str
    places: Places

    def problem(self, path: positions.Path, text: str) -> Problem:
        """A problem about the value at a path of the manifest."""
        return problem(self.file, path, self.places.value(path), text)


def read_manifest(folder: Path) -> Parsed:
    """Read a snapshot's manifest; InputError with every problem of it."""
    file = str(folder / NAME)
    data = _bytes(folder, file)
    try:
        tree, found = parse(data, file)
    except InputError as error:
        raise InputError(error.problems, hint=_HINT) from error
    problems = [*repeated(file, found), *_format_problems(file, tree, found)]
    if problems:
        raise InputError(problems, hint=_HINT)
    return _checked(data, file, found)


def _checked(data: bytes, file: str, found: Places) -> Parsed:
    try:
        manifest = Manifest.model_validate_json(data)
    except ValidationError as error:
        raise InputError([_explain(file, detail, found) for detail in error.errors()], hint=_HINT) from error
    parsed = Parsed(manifest=manifest, digest=hashlib.sha256(data).hexdigest(), file=file, places=found)
    problems = [*_table_problems(parsed), *_answer_problems(parsed)]
    if problems:
        raise InputError(problems, hint=_HINT)
    return parsed


def _bytes(folder: Path, file: str) -> bytes:
    path = folder / NAME
    if not path.is_file():
        text = "is missing: a snapshot is a folder that holds it" if folder.is_dir() else "is missing: there is no such folder"
        raise InputError([Problem(file=file, text=text)], hint=_HINT)
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError([Problem(file=file, text=f"cannot be read: {error.strerror or error}")]) from error
    if len(data) > MAX_BYTES:
        raise InputError([Problem(file=file, text=f"is larger than {MAX_BYTES} bytes")], hint=_HINT)
    return data


def _format_problems(file: str, tree: object, found: Places) -> Iterator[Problem]:
    """Whether this is a manifest of a format that can be read at all: nothing else is worth saying before."""
    written = tree.get("format") if isinstance(tree, dict) else None
    if written == FORMAT:
        return
    if isinstance(written, str) and re.fullmatch(r"arguard-snapshot/[0-9]+", written):
        text = f"is {written}, this arguard reads {FORMAT}: use an arguard that knows it, or write the snapshot again"
    else:
        text = f"is not an arguard snapshot: \"format\" must be '{FORMAT}'"
    yield problem(file, ("format",) if written is not None else (), found.value(("format",)), text)


def _explain(file: str, detail: ErrorDetails, found: Places) -> Problem:
    """One complaint of pydantic in our words, at the key or the value that it is about."""
    path = tuple(part for part in detail["loc"] if part != "[key]")
    at = found.value(path)
    kind = detail["type"]
    if kind == "extra_forbidden":
        return problem(file, path, found.key(path), f"unknown key{_suggestion(path)}")
    if kind == "literal_error":
        return problem(file, path, at, f"must be {detail['ctx']['expected']}{_nearest(detail)}")
    if kind == "string_pattern_mismatch":
        names = [str(part) for part in path if isinstance(part, str)]
        name = names[0] if "[key]" in detail["loc"] else names[-1]
        at = found.key(path) if "[key]" in detail["loc"] else at
        return problem(file, path, at, _PATTERNS.get(name, "holds control characters"))
    text = _TEXTS.get(kind, detail["msg"][:1].lower() + detail["msg"][1:])
    return problem(file, path, at, text)


def _suggestion(path: positions.Path) -> str:
    parent = tuple("*" if isinstance(part, int) or index == 1 else part for index, part in enumerate(path[:-1]))
    close = get_close_matches(str(path[-1]), _MODELS[parent].model_fields, n=1)
    return f" (did you mean '{close[0]}'?)" if close else ""


def _nearest(detail: ErrorDetails) -> str:
    words = re.findall(r"'([^']*)'", detail["ctx"]["expected"])
    close = get_close_matches(str(detail["input"]), words, n=1) or [
        word for word in words if word.lower() == str(detail["input"]).lower()
    ]
    return f" (did you mean '{close[0]}'?)" if close else ""


def _table_problems(parsed: Parsed) -> Iterator[Problem]:
    for name, table in parsed.manifest.tables.items():
        if name not in SIDE_TABLES and name.startswith("arm_"):
            known: Sequence[str] = get_close_matches(name, SIDE_TABLES, n=1)
            hint = f" (did you mean '{known[0]}'?)" if known else ""
            yield problem(parsed.file, ("tables", name), parsed.places.key(("tables", name)), f"unknown side table{hint}")
        elif name in SIDE_TABLES and table.types is not None:
            yield parsed.problem(("tables", name, "types"), "side tables have no resource types: leave this key out")
        elif name not in SIDE_TABLES and table.types is None:
            text = "'types' is missing: list the resource types that were collected, or ['*'] for all of them"
            yield parsed.problem(("tables", name), text)


def _answer_problems(parsed: Parsed) -> Iterator[Problem]:
    for name, answer in parsed.manifest.answers.items():
        if digest(answer.query) != name:
            text = f"its digest is {digest(answer.query)}, not the one that it is stored under"
            yield parsed.problem(("answers", name, "query"), text)
