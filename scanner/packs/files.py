"""The files of a pack, read and checked one by one. The only part of loading packs that touches the disk."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from scanner import __version__
from scanner.authoring import PackFile, PolicyFile
from scanner.authoring.cases import CasesFile, odd_values
from scanner.authoring.coverage import CoverageFile
from scanner.authoring.read import did_you_mean, read
from scanner.errors import InputError, Problem
from scanner.nodes import Node, ScalarNode, find
from scanner.packs.source import PackSource, S, Written
from scanner.yamlsafe import LARGEST, decode, load

PACK = "pack.yaml"
COVERAGE = "coverage.yaml"
_YAML = {".yaml", ".yml"}
_FORMAT = re.compile(r"arguard-pack/([0-9]{1,9})")


def read_pack(folder: Path, problems: list[Problem], *, cases: bool = False) -> PackSource:
    """Read every file of a pack, adding to `problems` whatever is wrong with each by itself."""
    source = PackSource(folder=folder)
    if not (folder / PACK).exists():
        problems.append(Problem(file=str(folder), text=_no_pack(folder)))
        return source
    node = _parse(source, PACK, problems)
    newer = _too_new(node, str(folder / PACK)) if node else None
    if newer:
        # What this arguard would say of the rest could only mislead.
        problems.append(newer)
        return source
    source.pack = _model(source, PACK, node, PackFile, problems)
    source.names = _policies(folder, problems)
    for name in source.names:
        policy = _model(source, name, _parse(source, name, problems), PolicyFile, problems)
        source.policies.extend([policy] if policy else [])
    for name in _yaml_in(folder, "cases") if cases else ():
        found = _model(source, name, _parse(source, name, problems), CasesFile, problems)
        source.cases.extend([found] if found else [])
    if cases and (folder / COVERAGE).exists():
        source.coverage = _model(source, COVERAGE, _parse(source, COVERAGE, problems), CoverageFile, problems)
    if source.pack:
        _read_queries(source, source.pack, problems)
    return source


def _no_pack(folder: Path) -> str:
    if not folder.is_dir():
        return "there is no such folder"
    inner = sorted(path.parent.name for path in folder.glob(f"*/{PACK}"))
    return f"this folder holds no {PACK}" + (f"; the packs are the folders in it: {', '.join(inner)}" if inner else "")


def _policies(folder: Path, problems: list[Problem]) -> list[str]:
    """The names of the policy files. A policy in the wrong place would silently never run, so that is a problem."""
    for path in sorted(folder.glob("**/*")):
        name = path.relative_to(folder).as_posix()
        if "/" in name and path.suffix.lower() in _YAML and not re.match(r"cases/[^/]+$|\.", name):
            words = f"this file would be ignored: policies lie beside {PACK}, their cases in cases/"
            problems.append(Problem(file=str(path), text=words))
    return [name for name in _yaml_in(folder, "") if name not in {PACK, COVERAGE}]


def _yaml_in(folder: Path, inside: str) -> list[str]:
    paths = (folder / inside).iterdir() if (folder / inside).is_dir() else ()
    found = (path for path in paths if path.suffix.lower() in _YAML and not path.name.startswith("."))
    return sorted(path.relative_to(folder).as_posix() for path in found)


def _parse(source: PackSource, name: str, problems: list[Problem]) -> Node | None:
    try:
        data = _bytes(source.folder, name)
        if name != COVERAGE and not name.startswith("cases/"):
            source.digests[name] = hashlib.sha256(data).hexdigest()
        return load(data, str(source.folder / name))
    except InputError as error:
        problems.extend(error.problems)
        return None


def _model(source: PackSource, name: str, node: Node | None, model: type[S], problems: list[Problem]) -> Written[S] | None:
    file = str(source.folder / name)
    if node is None:
        return None
    if model is CasesFile:
        problems.extend(odd_values(node, file))
    try:
        return Written(file=file, name=name, node=node, spec=read(model, node, file))
    except InputError as error:
        problems.extend(error.problems)
        return None


def _bytes(folder: Path, name: str) -> bytes:
    """A file of the pack, which must really lie inside it: a pack is data and may not reach for other files."""
    path = folder / name
    try:
        if not path.resolve(strict=True).is_relative_to(folder.resolve()):
            raise InputError([Problem(file=str(path), text="the file lies outside the pack's folder, behind a symbolic link")])
        with path.open("rb") as stream:
            return stream.read(LARGEST + 1)
    except FileNotFoundError:
        raise InputError([Problem(file=str(path), text="there is no such file")]) from None
    except (OSError, RuntimeError) as error:
        # Before Python 3.13 a loop of symbolic links is a RuntimeError.
        raise InputError([Problem(file=str(path), text=f"cannot be read: {error}")]) from None


def _too_new(node: Node, file: str) -> Problem | None:
    """What stops a pack for a newer arguard before its new keys look like mistakes."""
    for key, check in (("format", _newer_format), ("requires_arguard", _newer_arguard)):
        value = find(node, (key,))
        text = check(value.value) if isinstance(value, ScalarNode) and isinstance(value.value, str) else ""
        if text:
            place = node.at((key,))
            advice = "upgrade arguard, or use an older version of the pack"
            return Problem(file=file, line=place.line, column=place.column, path=key, text=f"{text}; {advice}")
    return None


def _newer_format(text: str) -> str:
    match = _FORMAT.fullmatch(text)
    newer = match and int(match[1]) > 1
    return f"{text} is newer than the format that arguard {__version__} reads, arguard-pack/1" if newer else ""


def _newer_arguard(text: str) -> str:
    newer = text.startswith(">=") and _release(text) > _release(__version__)
    return f"the pack needs arguard {text}, and this is {__version__}" if newer else ""


def _release(text: str) -> list[int]:
    numbers = [int(part) for part in re.findall(r"[0-9]{1,9}", text)[:3]]
    return numbers + [0] * (3 - len(numbers))


def _read_queries(source: PackSource, pack: Written[PackFile], problems: list[Problem]) -> None:
    for query, spec in pack.spec.queries.items():
        wrong = _misplaced(source.folder, spec.file)
        if wrong:
            problems.append(pack.problem(("queries", query, "file"), wrong))
            continue
        try:
            data = _bytes(source.folder, spec.file)
            source.kql[query] = decode(data, str(source.folder / spec.file))
            source.digests[spec.file] = hashlib.sha256(data).hexdigest()
        except InputError as error:
            problems.extend(error.problems)


def _misplaced(folder: Path, file: str) -> str:
    parts = file.split("/")
    if re.search(r'[\\:*?"<>|]', file) or set(parts) & {"", ".", ".."}:
        return "must be a path inside the pack's folder, with forward slashes, such as queries/protected-vms.kql"
    if not file.endswith(".kql"):
        return "must be a .kql file"
    if (folder / file).exists() or (folder / file).is_symlink():
        return ""
    return f"there is no file {file} in the pack{did_you_mean(file, _kql_files(folder))}"


def _kql_files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.glob("**/*.kql"))
