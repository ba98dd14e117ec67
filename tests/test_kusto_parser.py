"""Every bundled query under Microsoft's own parser of Kusto: no error, inside Azure Resource Graph's subset, our columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from scanner import kql, packs
from scanner.kql.arg import STARTS
from scanner.kql.kinds import AGGREGATES, ALL_AGGREGATES, AVERAGES, FUNCTIONS, KEPT_BY_AVERAGES, SCALARS
from scanner.kql.text import as_sent
from scanner.policy import Attach, Pack, Query
from tests.conftest import a_pack, a_policy, a_query, one_of
from tests.kql_cases import blocks
from tests.microsoft_kusto import TYPES, Analysis, Parser, differences, joined_again, outside
from tests.node_programs import install

pytestmark = pytest.mark.full

NOW = datetime(2026, 11, 20, 6, 0, 0, 123456, tzinfo=UTC)

OTHERWISE = {"resources | project id, a = name | union kind=inner (resources | project id)"}
"""Microsoft's library keeps every column of a `union kind=inner`; the language's page says that it keeps the common ones:
https://learn.microsoft.com/kusto/query/union-operator."""

UNDECLARED = {"jaccard_index"}
"""Declared dynamic by the library; a number by its page: https://learn.microsoft.com/kusto/query/jaccard-index-function."""


JOIN = "| join kind=inner (resources | project id) on id"
WRONG = [
    ("resources | project Id", "KS142"),
    ("resources | where Type =~ 'a/b'", "KS142"),
    ("resources | project id | where name == 'x'", "KS142"),
    ("resource | project id", "KS204"),
    ("resources | join kind=inner (resourcecontainer) on id", "KS204"),
    ("resources | where (name == 'x' | project id", "KS005"),
    ("resources | where name == 'x", "KS001"),
    ("resources | prject id", "KS176"),
    ("resources | extend a = tostring(properties.health[0].title)", "KS228"),  # a word of the language: ['title']
    ("where name == 'x'", "KS174"),
    ("resources | where name > 5", "KS106"),
    ("resources | where properties.made > datetime(2026-01-01)", "KS106"),
    ("resources | extend a = iff(name, 1, 2)", "KS107"),
    ("resources | extend a = startofday(tags)", "KS107"),
    ("resources | where strlen(5) > 1", "KS141"),
    ("resources | mv-expand name limit 5", "KS141"),
    ("resources | summarize count() by tags", "KS116"),
    ("resources | order by properties", "KS116"),
    ("resources | extend a = no_such_function(id)", "KS211"),
    ("resources | extend a = strlen(id, id)", "KS119"),
    ("resources | join kind=inner (resources | project name) on id", "KS145"),
    ("resources | join kind=inner (resources) on $right.id == $left.id", "KS183"),
]
"""Queries with a mistake, each with the code of an error that Microsoft's parser must tell."""
OUTSIDE = [
    ("resources | lookup (resources | project id) on id", "the operator lookup"),
    ("resources | project-rename a = id", "the operator project-rename"),
    ("resources | filter name == 'x'", "the operator filter"),
    ("resources | evaluate bag_unpack(tags)", "the operator evaluate"),
    ("resources | mv-apply tags on (take 1)", "the operator mv-apply"),
    ("resources | project id; resources | project id", "2 queries"),
    ("print 1", "the operator print"),
    ("let a = 1; resources | where name == 'x'", "the construct LetStatement"),
    ("set notruncation; resources | where name == 'x'", "the construct SetOptionStatement"),
    ("resources | where name == toscalar(resources | summarize max(name))", "the construct ToScalarExpression"),
    ("datatable(id: string)['a']", "the construct DataTableExpression"),
    ("externaldata(id: string)['a']", "the construct ExternalDataExpression"),
    ("let a = materialize(resources | project id); a", "the construct MaterializeExpression"),
    ("cluster('a').database('b').resources", "the function cluster()"),
    ("resources | where no_such_function(id)", "the function no_such_function()"),
    ("resources | join kind=leftanti (resources) on id", "a join of kind leftanti"),
    ("resources | join kind=inner hint.strategy=shuffle (resources) on id", "a join with hint.strategy"),
    (f"resources {JOIN * 4}", "4 joins"),
    (f"resources {JOIN} | join kind=inner (resources {JOIN * 2}) on id", "4 joins"),
    ("resources | union isfuzzy=true (resources)", "a union with isfuzzy"),
    ("resources | union resources, resources | union resources, resources", "4 union legs"),
    ("resources | mv-expand tags", "an mv-expand with the limit None"),
    ("resources | mv-expand tags limit 2001", "an mv-expand with the limit 2001"),
    (f"resources {'| mv-expand tags limit 5' * 4}", "4 mv-expands"),
]
"""Queries that Kusto takes and Azure Resource Graph does not document, each with what must be told."""
AGAIN: list[tuple[str, list[str]]] = [
    (f"recoveryservicesresources {JOIN * 3} | join (RecoveryServicesResources) on id", []),
    ("resources" + " | join kind=inner (RecoveryServicesResources | project id) on id" * 2, ["recoveryservicesresources"]),
    (
        "resources | join kind=inner (patchassessmentresources | join kind=inner (PatchAssessmentResources) on id) on id",
        ["patchassessmentresources"],
    ),
]
"""Queries with the tables that they join more than once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A query of a bundled pack, as it was written and as it is sent."""

    query: Query
    written: Analysis
    sent: Analysis

    @property
    def both(self) -> Sequence[tuple[str, Analysis]]:
        """Each of the two, named."""
        return [(f"{self.name}, as written", self.written), (f"{self.name}, as sent", self.sent)]

    @property
    def name(self) -> str:
        """What a reader finds it by."""
        return f"{self.query.name} ({self.query.file})"


@pytest.fixture(scope="module")
def parser(tmp_path_factory: pytest.TempPathFactory) -> Parser:
    return Parser(folder=install("kusto_parser", tmp_path_factory.mktemp("kusto")))


def queries_of(found_packs: Iterable[Pack]) -> list[Query]:
    """Every query of some packs, each once: listed in pack.yaml, inline in a policy, or attached by one."""
    found: dict[tuple[str, str], Query] = {}
    for pack in found_packs:
        attached = [one.query for policy in pack.policies for one in policy.attach if one.query is not None]
        for query in (*pack.queries.values(), *(policy.query for policy in pack.policies), *attached):
            found[query.file, query.digest] = query
    return [*found.values()]


@pytest.fixture(scope="module")
def examples(parser: Parser) -> Mapping[str, Analysis]:
    """The analyses of the queries above, all asked at once: the parser takes a second to load."""
    queries = [query for query, _ in (*WRONG, *OUTSIDE, *AGAIN)]
    return dict(zip(queries, parser.analyse(queries), strict=True))


@pytest.fixture(scope="module")
def checked(parser: Parser) -> list[Checked]:
    queries = queries_of(packs.load(packs.bundled()))
    assert queries
    written = parser.analyse([query.kql for query in queries])
    sent = parser.analyse([as_sent(query.kql, now=NOW, key=query.key) for query in queries])
    return [Checked(query=query, written=one, sent=two) for query, one, two in zip(queries, written, sent, strict=True)]


def test_queries_of_every_kind_are_found() -> None:
    listed, inline, attached = a_query("listed"), a_query("inline"), a_query("attached")
    join = Attach(name="jobs", source="attached", how="many", on=(("id", "id"),), query=attached)
    policies = a_policy("ABK001", query=inline, attach=(join, one_of("arm_locks"))), a_policy("ABK002", query=listed)
    assert queries_of([a_pack(*policies, queries={"listed": listed})]) == [listed, inline, attached]


def test_every_query_is_clean(checked: list[Checked], record_property: Callable[[str, object], None]) -> None:
    both = [pair for one in checked for pair in one.both]
    warnings = [f"{name}: {text}" for name, analysis in both for text in analysis.told(errors=False)]
    for text in warnings:
        record_property("count", f"Microsoft's Kusto parser warns: {text}")
    told = f"{len(checked)} queries, as written and as sent: no error, {len(warnings)} warnings"
    record_property("count", f"Microsoft's Kusto parser: {told}")
    assert [f"{name}: {text}" for name, analysis in both for text in analysis.told(errors=True)] == []


def test_every_file_of_kql_is_checked(checked: list[Checked]) -> None:
    files = {file.relative_to(folder.parent).as_posix() for folder in packs.bundled() for file in folder.glob("**/*.kql")}
    assert files <= {one.query.file for one in checked}


def test_a_wrong_name_at_the_end_of_any_query_is_told(checked: list[Checked], parser: Parser) -> None:
    spoilt = [f"{one.written.query}\n| where no_such_column == 'x'" for one in checked]
    assert spoilt
    for analysis in parser.analyse(spoilt):
        (only,) = analysis.told(errors=True)
        assert "KS142" in only
        assert "no_such_column" in only


def test_every_query_is_inside_the_subset(checked: list[Checked]) -> None:
    assert [f"{name}: {text}" for one in checked for name, analysis in one.both for text in outside(analysis)] == []


def test_no_query_joins_a_table_again(checked: list[Checked]) -> None:
    assert {one.query.name: joined_again(one.sent) for one in checked if joined_again(one.sent)} == {}


def test_every_query_yields_the_columns_that_we_track(checked: list[Checked]) -> None:
    found = []
    for one in checked:
        ours = kql.inspect(one.query.kql, one.query.key).columns
        assert ours == one.query.columns
        found += [f"{name}: {text}" for name, analysis in one.both for text in differences(ours, analysis)]
    assert found == []


@pytest.mark.parametrize(("query", "code"), WRONG)
def test_a_wrong_query_is_told(query: str, code: str, examples: Mapping[str, Analysis]) -> None:
    errors = examples[query].told(errors=True)
    assert any(f": {code}: " in text for text in errors), errors


@pytest.mark.parametrize(("query", "complaint"), OUTSIDE)
def test_what_is_outside_the_subset_is_told(query: str, complaint: str, examples: Mapping[str, Analysis]) -> None:
    assert complaint in [*outside(examples[query])]


@pytest.mark.parametrize(("query", "tables"), AGAIN)
def test_a_table_that_is_joined_again_is_told(query: str, tables: list[str], examples: Mapping[str, Analysis]) -> None:
    assert examples[query].told(errors=True) == []
    assert joined_again(examples[query]) == tables


def test_other_columns_are_told(parser: Parser) -> None:
    right = {"id": "string", "n": "long", "d": "dynamic"}
    wrong_type, wrong_name = {**right, "n": "real"}, {"id": "string", "n": "long", "D": "dynamic"}
    other_order, one_less = dict(reversed(right.items())), {"id": "string", "n": "long"}
    for analysis in parser.analyse([f"resources | project id, n = to{kind}(name), d = tags" for kind in ("long", "int")]):
        assert differences(right, analysis) == []
        for wrong in (wrong_type, wrong_name, other_order, one_less):
            assert len(differences(wrong, analysis)) == 1


def test_what_our_check_takes_is_clean_and_has_the_same_columns(parser: Parser) -> None:
    cases = [query for query, _ in blocks("accepted.txt") if query not in OTHERWISE]
    named = [f"resources\n| {query}" if query.split()[0] in STARTS else query for query in cases]
    found = []
    for query, analysis in zip(cases, parser.analyse(named), strict=True):
        ours = kql.inspect(query, ("id",)).columns
        found += [f"{query}: {text}" for text in (*analysis.told(errors=True), *differences(ours, analysis))]
    assert found == []


def test_every_function_that_our_check_knows_returns_what_microsofts_does(parser: Parser) -> None:
    declared = {**SCALARS, **AGGREGATES}
    found = []
    for name, types in parser.returns(sorted(FUNCTIONS | ALL_AGGREGATES)).items():
        theirs = None if types is None else {TYPES.get(kind, kind) for kind in types} - {"computed"}
        if theirs is None:
            found.append(f"{name} is not known")
        elif name in declared and name not in UNDECLARED:
            extra = theirs - {declared[name]} - (KEPT_BY_AVERAGES if name in AVERAGES else set())
            found += [f"{name}: ours {declared[name]}, Microsoft's {kind}" for kind in sorted(extra)]
    assert found == []
