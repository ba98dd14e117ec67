"""From policies and options to what is asked: which policies run, with which parameters, over which populations."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from scanner.errors import UsageError
from scanner.model import Json, Options, PolicyInfo
from scanner.policy import NUMERIC_CODES, Attach, Pack, Parameter, Policy, Query

_INTEGER = re.compile(r"-?[0-9]{1,18}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A policy that runs, with the values of its parameters."""

    policy: Policy
    info: PolicyInfo
    params: Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """One query and every policy that judges its rows."""

    query: Query
    asked: tuple[Asked, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A policy that does not run, and what it waits for."""

    info: PolicyInfo
    waits_for: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a scan asks. Populations are in the order of their first policy."""

    populations: tuple[Population, ...]
    waiting: tuple[Waiting, ...]

    @property
    def asked(self) -> tuple[Asked, ...]:
        """Every policy that runs, in order of id."""
        return tuple(sorted((one for part in self.populations for one in part.asked), key=lambda one: one.policy.id))

    @property
    def queries(self) -> tuple[Query, ...]:
        """Every distinct query, attached ones included, in order of digest."""
        found = [one.policy.query for one in self.asked]
        found += [spec.query for one in self.asked for spec in one.policy.attach if spec.query]
        return tuple({query.digest: query for query in sorted(found, key=lambda query: query.digest)}.values())

    @property
    def sides(self) -> tuple[str, ...]:
        """Every side table that is attached, in order of name."""
        return tuple(sorted({spec.source for one in self.asked for spec in one.policy.attach if not spec.query}))


def make_plan(packs: Sequence[Pack], options: Options, offers: frozenset[str] = frozenset()) -> Plan:
    """Choose policies, resolve parameters, share equal queries. `offers` names what the source has, such as "evidence".

    Raises UsageError, with every problem, for a policy, profile or parameter that does not exist or does not fit.
    """
    selected = [(pack, policy) for pack in packs for policy in pack.policies if _is_selected(policy, options)]
    problems = [*_unknown_names(packs, options)]
    asked: list[Asked] = []
    waiting: list[Waiting] = []
    for pack, policy in selected:
        params, wrong = resolve(policy, pack.profiles.get(options.profile, {}), options.params)
        problems.extend(wrong)
        info = replace(policy.info, params=params)
        waits_for = _waits_for(policy, params, options, offers)
        if waits_for:
            waiting.append(Waiting(info=info, waits_for=waits_for))
        else:
            values = {name: entry["value"] for name, entry in params.items()}
            asked.append(Asked(policy=policy, info=info, params=values))
    if problems:
        raise UsageError("\n".join(dict.fromkeys(problems)))
    asked = sorted(_strict(asked), key=lambda one: one.policy.id)
    waiting.sort(key=lambda one: one.info.id)
    return Plan(populations=_share(asked), waiting=tuple(waiting))


def resolve(
    policy: Policy, profile: Mapping[str, Json], given: Mapping[str, Json]
) -> tuple[dict[str, dict[str, Json]], list[str]]:
    """The parameters of a policy as name to value and origin, and what is wrong with the given ones."""
    values: dict[str, dict[str, Json]] = {}
    problems: list[str] = []
    for name, parameter in sorted(policy.parameters.items()):
        values[name] = {"value": parameter.default, "origin": "default"}
        if name in profile:
            values[name] = {"value": profile[name], "origin": "profile"}
        if name in given:
            try:
                values[name] = {"value": typed(parameter, given[name]), "origin": "command line"}
            except ValueError as error:
                problems.append(f"--param {name}={given[name]}: {error}")
    return values, [*problems, *_unknown_codes(policy, values)]


def _unknown_codes(policy: Policy, values: Mapping[str, Mapping[str, Json]]) -> Iterable[str]:
    """A number that is mapped to a misspelt code would leave its jobs unclassified without a word."""
    if policy.classify is None:
        return
    entry, known = values[NUMERIC_CODES], [code.name for code in policy.classify.codes]
    lowered = {name.casefold() for name in known}
    for number, name in sorted((entry["value"] or {}).items()):
        if name.casefold() not in lowered:
            yield f"{NUMERIC_CODES} ({entry['origin']}): {number}={name}: there is no code {name}{_suggest(name, known)}"


def typed(parameter: Parameter, text: Json) -> Json:
    """A value from the command line as the parameter's type; raises ValueError. Values of other types pass through."""
    if not isinstance(text, str) or parameter.type == "string":
        return text
    if parameter.type == "integer":
        if not _INTEGER.fullmatch(text):
            raise ValueError("a whole number of at most 18 digits is needed")
        return int(text)
    if parameter.type == "boolean":
        if text not in {"true", "false"}:
            raise ValueError("true or false is needed")
        return text == "true"
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if parameter.type == "string_list":
        return parts
    if not all("=" in part for part in parts):
        raise ValueError("pairs such as a=b,c=d are needed")
    return dict(part.split("=", 1) for part in parts)


def _share(asked: Sequence[Asked]) -> tuple[Population, ...]:
    groups: dict[tuple[str, tuple[str, ...]], list[Asked]] = {}
    for one in asked:
        groups.setdefault((one.policy.query.digest, one.policy.query.key), []).append(one)
    return tuple(Population(query=group[0].policy.query, asked=tuple(group)) for group in groups.values())


def _strict(asked: Sequence[Asked]) -> list[Asked]:
    """The policies with every query asked as strictly as any of them needs: equal queries share one answer."""
    queries = [query for one in asked for query in (one.policy.query, *(spec.query for spec in one.policy.attach)) if query]
    whole = {query.digest for query in queries if query.spans == "scope"}

    def strict(query: Query) -> Query:
        return replace(query, spans="scope") if query.digest in whole else query

    def attached(spec: Attach) -> Attach:
        return replace(spec, query=strict(spec.query)) if spec.query else spec

    return [
        replace(
            one,
            policy=replace(one.policy, query=strict(one.policy.query), attach=tuple(map(attached, one.policy.attach))),
        )
        for one in asked
    ]


def _is_selected(policy: Policy, options: Options) -> bool:
    wanted = {name.lower() for name in options.policies}
    return not wanted or policy.id.lower() in wanted or policy.info.name.lower() in wanted


def _waits_for(
    policy: Policy, params: Mapping[str, Mapping[str, Json]], options: Options, offers: frozenset[str]
) -> tuple[str, ...]:
    unmet = [need for need in policy.needs if not _is_met(need, params, offers)]
    if not unmet and not policy.enabled and not policy.needs and not options.policies:
        return (f"selection (--policy {policy.id})",)
    return tuple(unmet)


def _is_met(need: str, params: Mapping[str, Mapping[str, Json]], offers: frozenset[str]) -> bool:
    kind, _, name = need.partition(":")
    return params[name]["origin"] != "default" if kind == "parameter" else need in offers


def _unknown_names(packs: Sequence[Pack], options: Options) -> Iterable[str]:
    policies = [policy for pack in packs for policy in pack.policies]
    ids = {name.lower(): name for policy in policies for name in (policy.id, policy.info.name)}
    for name in options.policies:
        if name.lower() not in ids:
            shown = ", ".join(sorted(policy.id for policy in policies))
            yield f"--policy {name}: there is no such policy{_suggest(name, ids.values(), shown)}"
    profiles = {name for pack in packs for name in pack.profiles}
    if options.profile and options.profile not in profiles:
        yield f"--profile {options.profile}: there is no such profile{_suggest(options.profile, profiles)}"
    declared = {name for policy in policies for name in policy.parameters}
    for name in options.params:
        if name not in declared:
            yield f"--param {name}: no policy has such a parameter{_suggest(name, declared)}"


def _suggest(name: str, known: Iterable[str], shown: str = "") -> str:
    by_fold = {one.lower(): one for one in known}
    close = difflib.get_close_matches(name.lower(), sorted(by_fold), n=1)
    if close:
        return f" (did you mean {by_fold[close[0]]}?)"
    return f"; there are: {shown or ', '.join(sorted(by_fold.values()))}"
