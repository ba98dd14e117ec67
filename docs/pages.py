"""The pages of the policies, one for each, and their index: made from the packs themselves, so that they cannot lie."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from scanner.assertion import path_text
from scanner.model import Json
from scanner.policy import Attach, Case, Pack, Parameter, Policy, Query
from scanner.sources.azure.rights import needed, needed_for_side

SOURCES = "../../policies"
EVIDENCE = "evidence"


def pages(packs: Iterable[Pack]) -> dict[str, bytes]:
    """Every page by file name: one of each policy, and README.md, the index."""
    loaded = list(packs)
    found = {f"{policy.id}.md": _text(_page(policy, pack)) for pack in loaded for policy in pack.policies}
    return {**found, "README.md": _text(_index(loaded))}


def _text(lines: Iterable[str]) -> bytes:
    return ("\n".join(lines).rstrip("\n") + "\n").encode()


def _page(policy: Policy, pack: Pack) -> Iterator[str]:
    info = policy.info
    yield from (
        "<!-- written by `make docs` from the policy file -->",
        f"# {policy.id} {info.name}",
        "",
        f"**{info.title}.**",
        "",
    )
    yield from (*_facts(policy, pack), "", "## Why", "", _prose(info.why), "")
    yield from ("## How it is decided", "", *_decided(policy), "")
    yield from ("## Data and rights", "", *_data(policy), "")
    if policy.parameters:
        yield from ("## Parameters", "", *_parameters(policy, pack), "")
    if policy.traps or policy.no_case:
        yield from ("## Traps", "", *(f"* {_prose(trap)}" for trap in policy.traps), *_no_cases(policy), "")
    yield from ("## How to fix", "", _prose(info.fix), "")
    yield from ("## Cases", "", *_cases(policy, pack.cases), "")
    yield from ("## Links", "", *(f"* <{link}>" for link in info.references), f"* [The policy file]({SOURCES}/{info.file})")


def _facts(policy: Policy, pack: Pack) -> Iterator[str]:
    info = policy.info
    shades = "".join(f"; {entry.severity.word} where {_inline(entry.when.text)}" for entry in policy.severity_when)
    yield f"* Severity: {info.severity.word}{shades}"
    yield f"* Runs: {_runs(policy)}"
    codes = {code.name: code for code in pack.codes}
    if info.explains:
        yield "* Explains failed jobs with: " + ", ".join(
            _code(name, codes[name].link if name in codes else "") for name in info.explains
        )
    advice = {(one.anchor, one.section): None for one in pack.coverage if policy.id in one.policies}
    if advice:
        yield "* Article: " + ", ".join(f"[{section}]({pack.article}#{anchor})" for anchor, section in advice)
    if info.tags:
        yield "* Tags: " + ", ".join(info.tags)


def _runs(policy: Policy) -> str:
    if policy.needs:
        return "when " + " and ".join(_need(need) for need in policy.needs)
    return "by default" if policy.enabled else f"when selected (`--policy {policy.id}`)"


def _need(need: str) -> str:
    kind, _, name = need.partition(":")
    return f"the parameter `{name}` is set (`--param {name}=...`)" if kind == "parameter" else "the snapshot holds evidence"


def _decided(policy: Policy) -> Iterator[str]:
    query = policy.query
    yield f"Population, each row judged once: {_query(query)}."
    yield from ("", *_quoted(_remark(query)))
    subject = f", subject {_inline(policy.subject.text)}" if policy.subject else ""
    yield from ("", f"A finding is about the resource in the column `{policy.resource}`{subject}.", "")
    for one in policy.attach:
        yield f"* `{one.name}`: {_attached(one)}"
    if policy.applies:
        yield f"* Judged only where {_inline(policy.applies.when.text)}; otherwise not applicable: {policy.applies.because}."
    yield from ("", "It passes where this is true:", "", "```", policy.assertion.text.strip(), "```", "")
    reads = sorted({path_text(path) for path in policy.assertion.reads if path[0] != "params"})
    yield f"Read for it: {_codes(reads)}. A value that is missing makes the row unknown" + (
        f", but for {_codes(sorted(policy.optional))}." if policy.optional else "."
    )
    if policy.affects:
        yield f"A finding explains failed jobs of the VMs in the column `{policy.affects}`."


def _query(query: Query) -> str:
    if query.file.endswith(".kql"):
        return f"the query [{query.name}]({SOURCES}/{query.file})"
    return "the query in the policy file"


def _remark(query: Query) -> list[str]:
    """The comment that a query begins with: what its rows are."""
    lines = []
    for line in query.kql.splitlines():
        if not line.startswith("//"):
            break
        lines.append(line.removeprefix("//").strip())
    return lines


def _quoted(lines: Iterable[str]) -> Iterator[str]:
    return (f"> {_prose(line)}" for line in lines)


def _attached(one: Attach) -> str:
    source = _query(one.query) if one.query else f"the side table `{one.source}`"
    if one.how == "covering":
        return f"{source}, every lock at, above or below `{one.covering}`"
    on = " and ".join(f"`{side}` equals `{row}`" for side, row in one.on)
    how = "at most one object" if one.how == "one" else "every object"
    hours = one.max_age.hours if one.max_age else 0
    limit = f"`params.{hours}`" if isinstance(hours, str) else str(hours)
    age = f", at most {limit} hours old by `{one.max_age.at}`" if one.max_age else ""
    return f"{source}, {how} whose {on}{age}"


def _data(policy: Policy) -> Iterator[str]:
    yield from ("| from | what | right that it takes |", "| --- | --- | --- |")
    queries = {query.digest: query for query in (policy.query, *(one.query for one in policy.attach if one.query))}
    tables: dict[str, set[str]] = {}
    for query in queries.values():
        for table, types in (query.tables or {}).items():
            tables.setdefault(table, set()).update(types or {"every type"})
    for table, kinds in sorted(tables.items()):
        for kind in sorted(kinds):
            actions = needed(
                Query(name="", kql="", file="", line=0, column=0, digest="", key=(), tables={table: frozenset({kind})})
            )
            yield f"| Azure Resource Graph, `{table}` | `{kind}` | {_codes(sorted(actions))} |"
    for side in sorted({one.source for one in policy.attach if not one.query}):
        if side == EVIDENCE:
            yield "| the machines themselves | evidence of your probes, self-attested | none in Azure |"
        else:
            yield f"| Azure Resource Manager | `{side}` | {_codes(sorted(needed_for_side(side)))} |"
    yield from ("", "The role Reader grants all of them.")


def _parameters(policy: Policy, pack: Pack) -> Iterator[str]:
    yield from ("| name | type | default | meaning | weaker | source |", "| --- | --- | --- | --- | --- | --- |")
    for name, one in sorted(policy.parameters.items()):
        meaning = one.describe + "".join(
            f" Profile `{profile}`: {_value(values[name])}." for profile, values in pack.profiles.items() if name in values
        )
        yield f"| `{name}` | {one.type} | {_default(one)} | {meaning} | {one.weaker or ''} | {_source(one)} |"


def _default(one: Parameter) -> str:
    return "(none)" if one.default is None else _value(one.default)


def _value(value: Json) -> str:
    return f"`{json.dumps(value, ensure_ascii=False)}`"


def _source(one: Parameter) -> str:
    dated = f" ({one.dated})" if one.dated else ""
    return f"[source]({one.source}){dated}" if one.source else ""


def _no_cases(policy: Policy) -> Iterator[str]:
    return (f"* No row ends {verdict}: {why}" for verdict, why in policy.no_case.items())


def _cases(policy: Policy, cases: Iterable[Case]) -> Iterator[str]:
    for case in (case for case in cases if case.policy == policy.id):
        rows = ", ".join(f"{len(listed)} {verdict.replace('_', ' ')}" for verdict, listed in case.expect.rows.items() if listed)
        yield f"* {case.name} ({rows or 'no rows'})"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shelf:
    """One heading of the index with the policies under it."""

    heading: str
    policies: tuple[str, ...]


def _index(packs: list[Pack]) -> Iterator[str]:
    yield from ("<!-- written by `make docs` from the policy files -->", "# Policies", "")
    for pack in packs:
        yield from (f"## {pack.title} (`{pack.id}` {pack.version})", "", *_list(pack), "")
        yield from ("### By section of the article", "", *_by_section(pack), "")
        yield from ("### By error code of a failed job", "", *_by_code(pack), "")
        yield from ("### By data source", "", *_shelves(_by_source(pack)))


def _list(pack: Pack) -> Iterator[str]:
    yield from ("| policy | what holds when it passes | severity | runs |", "| --- | --- | --- | --- |")
    for policy in pack.policies:
        info = policy.info
        severity = info.severity.word if info.severity == info.highest else f"{info.severity.word} to {info.highest.word}"
        yield f"| [{policy.id}]({policy.id}.md) | {info.title} | {severity} | {_runs(policy)} |"


def _by_section(pack: Pack) -> Iterator[str]:
    yield from ("| section | what it says | judged by |", "| --- | --- | --- |")
    for one in pack.coverage:
        judged = ", ".join(map(_link, one.policies)) or f"no check: {one.not_a_check}"
        yield f"| [{one.section}]({pack.article}#{one.anchor}) | {one.says} | {judged} |"


def _by_code(pack: Pack) -> Iterator[str]:
    yield from ("| code | what the service says | explained by, the most likely cause first |", "| --- | --- | --- |")
    for code in pack.codes:
        name = f"phase {code.phase}" if code.phase else _code(code.name, code.link)
        yield f"| {name} | {code.title} | {', '.join(map(_link, code.causes)) or 'nothing here'} |"


def _by_source(pack: Pack) -> Iterator[_Shelf]:
    found: dict[str, list[str]] = {}
    for policy in pack.policies:
        queries = (policy.query, *(one.query for one in policy.attach if one.query))
        names = {table for query in queries for table in query.tables or ()}
        for name in sorted(names | {one.source for one in policy.attach if not one.query}):
            found.setdefault(name, []).append(policy.id)
    return (_Shelf(heading=f"`{name}`", policies=tuple(policies)) for name, policies in sorted(found.items()))


def _shelves(shelves: Iterable[_Shelf]) -> Iterator[str]:
    return (f"* {shelf.heading}: {', '.join(map(_link, shelf.policies))}" for shelf in shelves)


def _link(policy: str) -> str:
    return f"[{policy}]({policy}.md)"


def _code(name: str, link: str) -> str:
    return f"[{name}]({link})" if link else name


def _codes(names: Iterable[str]) -> str:
    return ", ".join(map(_inline, names))


def _inline(text: str) -> str:
    """Code inside a line; a bar would end the cell of a table."""
    flat = re.sub(r"\s+", " ", text.strip()).replace("|", "\\|")
    return f"`` {flat} ``" if "`" in flat else f"`{flat}`"


def _prose(text: str) -> str:
    """Text as it is written: `<group>` is no element of HTML, and `*` no emphasis."""
    return re.sub(r"[<*|]", r"\\\g<0>", text.strip())
