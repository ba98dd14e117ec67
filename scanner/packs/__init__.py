"""Packs from folders: every policy checked and compiled, or one error that lists every problem of every file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from scanner.authoring import PackFile, ParameterSpec
from scanner.authoring.read import did_you_mean
from scanner.authoring.types import fits
from scanner.errors import InputError, Problem
from scanner.packs.build import Surroundings, build_policy, parameter
from scanner.packs.cases import Judged, pack_cases
from scanner.packs.codes import code_problems, pack_codes
from scanner.packs.coverage import pack_coverage
from scanner.packs.files import PACK, read_pack
from scanner.packs.queries import pack_queries
from scanner.packs.source import PackSource, Written
from scanner.policy import Pack, Parameter, Query


def load(folders: Sequence[Path], *, cases: bool = False) -> tuple[Pack, ...]:
    """The packs of some folders, in that order; raises InputError with every problem found.

    With `cases` their unit tests are read as well. `PolicyInfo.file`, `Query.file` and `Case.file` are relative to the
    folder that holds the pack; problems name files as `folders` does. Without the `[offline]` extra the columns of
    queries are not known and names of columns are not checked.
    """
    problems: list[Problem] = []
    sources = [read_pack(folder, problems, cases=cases) for folder in folders]
    problems.extend(_repeated(sources))
    packs = [_build(source, source.pack, problems) for source in sources if source.pack]
    problems.extend(_other_keys(sources, packs))
    if problems:
        raise InputError(problems, hint="nothing was run; mend the files above and run again")
    return tuple(packs)


def bundled(package: Path = Path(__file__).parent.parent) -> tuple[Path, ...]:
    """The folders of the packs that come with arguard: inside the installed package, or beside it in a checkout."""
    inside = package / "_policies"
    home = inside if inside.is_dir() else package.parent / "policies"
    return tuple(sorted(path.parent for path in home.glob(f"*/{PACK}")))


def _repeated(sources: Iterable[PackSource]) -> Iterator[Problem]:
    """Ids and names that are there twice: waivers and fingerprints name one policy each."""
    first: dict[tuple[str, str], str] = {}
    for source in sources:
        named = [(source.pack, "id", "pack", source.pack.spec.id)] if source.pack else []
        for written, key, kind, value in named:
            if (other := first.setdefault((kind, value), written.file)) != written.file:
                yield written.problem((key,), f"another pack has the id {value}: {other}")
        for policy in source.policies:
            for key, value in (("id", policy.spec.id), ("name", policy.spec.name)):
                if (other := first.setdefault((key, value), policy.file)) != policy.file:
                    yield policy.problem((key,), f"another policy has the {key} {value}: {other}")


def _other_keys(sources: Iterable[PackSource], packs: Iterable[Pack]) -> Iterator[Problem]:
    """Equal KQL is asked once and its rows are told apart in one way: with two keys, one policy would get the other's rows."""
    first: dict[str, Query] = {}
    readable = [(source, source.pack) for source in sources if source.pack]
    for (source, file), pack in zip(readable, packs, strict=True):
        for query, problem in _keyed(source, file, pack):
            other = first.setdefault(query.digest, query)
            if other.key != query.key:
                words = f"the same KQL as {other.file}:{other.line}, whose key is {', '.join(other.key)}: use one key for both"
                yield problem(words)


def _keyed(source: PackSource, file: Written[PackFile], pack: Pack) -> Iterator[tuple[Query, Callable[[str], Problem]]]:
    """Every query of a pack, with what makes a problem at its key."""
    inline = {policy.id: policy.query for policy in pack.policies if policy.query.name == policy.id}
    for name, query in pack.queries.items():
        yield query, partial(file.problem, ("queries", name, "key"))
    for written in source.policies:
        if written.spec.id in inline:
            yield inline[written.spec.id], partial(written.problem, ("key",))


def _build(source: PackSource, pack: Written[PackFile], problems: list[Problem]) -> Pack:
    queries = pack_queries(source, pack, problems=problems)
    shared = _parameters(pack.spec.parameters)
    codes = pack_codes(pack.spec)
    around = Surroundings(source=source, pack=pack.spec.id, queries=queries, shared=shared, codes=codes)
    built = [build_policy(written, around, problems=problems) for written in source.policies]
    policies = sorted((policy for policy in built if policy), key=lambda policy: policy.id)
    if not source.names:
        problems.append(Problem(file=str(source.folder), text="the pack holds no policy"))
    problems.extend([*_profiles(source, pack, shared=shared), *code_problems(source, pack)])
    judged = Judged(
        declared=sorted({*(written.spec.id for written in source.policies), *(name.split("-")[0] for name in source.names)}),
        policies={policy.id: policy for policy in policies},
        profiles=pack.spec.profiles,
        shared=shared,
    )
    return Pack(
        id=pack.spec.id,
        title=pack.spec.title,
        version=pack.spec.version,
        digest=source.digest,
        folder=str(source.folder),
        policies=tuple(policies),
        queries=queries,
        profiles=pack.spec.profiles,
        codes=codes,
        cases=pack_cases(source, judged, problems=problems),
        article=source.coverage.spec.article if source.coverage else "",
        coverage=pack_coverage(source, problems=problems),
    )


def _parameters(specs: Mapping[str, ParameterSpec]) -> dict[str, Parameter]:
    return {name: parameter(name, spec) for name, spec in specs.items()}


def _profiles(source: PackSource, pack: Written[PackFile], *, shared: Mapping[str, Parameter]) -> Iterator[Problem]:
    """What profiles set must be declared, and fit every declaration of that name."""
    declared: dict[str, list[Parameter]] = {name: [one] for name, one in shared.items()}
    for policy in source.policies:
        for name, one in _parameters(policy.spec.params).items():
            declared.setdefault(name, []).append(one)
    for profile, values in pack.spec.profiles.items():
        for name, value in values.items():
            path = ("profiles", profile, name)
            if name not in declared and len(source.policies) == len(source.names):
                yield pack.problem(path, f"no policy has a parameter '{name}'{did_you_mean(name, declared)}", at_key=True)
            for kind in sorted({one.type for one in declared.get(name, ()) if not fits(one.type, value)}):
                yield pack.problem(path, f"the value must be of the parameter's type, {kind}")
