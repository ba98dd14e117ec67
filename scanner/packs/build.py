"""From what an author wrote to a policy that can run: everything named exists, everything written compiles."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from scanner.assertion import Expression, Path, Template, compile_expression, compile_template, parse_path, path_text
from scanner.assertion.expression import ExpressionError
from scanner.authoring import ParameterSpec, PolicyFile
from scanner.authoring.read import did_you_mean
from scanner.errors import Problem
from scanner.model import PolicyInfo, Severity
from scanner.nodes import Part, ScalarNode, find, key_position
from scanner.packs.attach import attachments, names_of
from scanner.packs.names import Names, offset_of, parameters_in
from scanner.packs.queries import inline_query
from scanner.packs.source import PackSource, Written
from scanner.policy import NUMERIC_CODES, Applies, Attach, Classify, Code, Parameter, Policy, Query, SeverityWhen

C = TypeVar("C", Expression, Template)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a policy finds in its pack."""

    source: PackSource
    pack: str
    queries: Mapping[str, Query]
    shared: Mapping[str, Parameter]
    codes: tuple[Code, ...] = ()


def parameter(name: str, spec: ParameterSpec) -> Parameter:
    """A declared parameter."""
    return Parameter(
        name=name,
        type=spec.type,
        default=spec.default,
        weaker=spec.weaker,
        describe=spec.describe or "",
        source=spec.source or "",
        dated=spec.dated or "",
    )


def build_policy(written: Written[PolicyFile], around: Surroundings, *, problems: list[Problem]) -> Policy | None:
    """One policy, or None with what is wrong added to `problems`."""
    before = len(problems)
    spec = written.spec
    problems.extend(_misnamed(written))
    query = _query(written, around, problems=problems)
    params, wrong = _parameters(written, around.shared)
    attach, wrong_attach = attachments(written, query, queries=around.queries, params=params)
    compiler = _Compiler(written=written, names=names_of(query, attach, params=params, needs=spec.needs))
    assertion = compiler.compiled(compile_expression, "assert")
    message = compiler.compiled(compile_template, "message")
    subject = compiler.compiled(compile_template, "subject")
    cause = compiler.compiled(compile_expression, "cause")
    applies, severity_when = compiler.applies(), compiler.severity_when()
    classify = compiler.classify(around.codes)
    of_assert = [*_constant(written, assertion), *_optional(written, assertion)] if assertion else []
    problems.extend([*wrong, *wrong_attach, *_row_columns(written, compiler.names), *_numeric_codes(written, params)])
    problems.extend([*compiler.problems, *of_assert])
    if len(problems) > before or query is None or assertion is None or message is None:
        return None
    policy = Policy(
        info=_info(written, around),
        enabled=spec.enabled,
        needs=spec.needs,
        query=query,
        assertion=assertion,
        message=message,
        subject=subject,
        attach=attach,
        applies=applies,
        cause=cause,
        severity_when=severity_when,
        parameters=_read_parameters(spec, params, attach=attach, reads=compiler.reads),
        classify=classify,
    )
    return _as_written(policy, spec)


def _as_written(policy: Policy, spec: PolicyFile) -> Policy:
    """The policy with what needs no compiling."""
    return replace(
        policy,
        resource=spec.resource,
        optional=spec.optional,
        min_population=spec.min_population,
        affects=spec.affects or "",
        traps=spec.traps,
        no_case={str(verdict): why for verdict, why in spec.no_case.items()},
    )


def _misnamed(written: Written[PolicyFile]) -> Iterable[Problem]:
    spec = written.spec
    wanted = f"{spec.id}-{spec.name}.yaml"
    if written.name != wanted:
        path = ("id",) if not written.name.startswith(f"{spec.id}-") else ("name",)
        yield written.problem(path, f"the file of {spec.id} {spec.name} must be called {wanted}, not {written.name}")


def _query(written: Written[PolicyFile], around: Surroundings, *, problems: list[Problem]) -> Query | None:
    spec = written.spec
    if spec.is_inline:
        return inline_query(around.source, written, problems=problems)
    for key in ("key", "spans"):
        if key in spec.model_fields_set:
            words = f"belongs to KQL written here; the query '{spec.query}' has its own in pack.yaml"
            problems.append(written.problem((key,), words, at_key=True))
    pack = around.source.pack
    declared = pack.spec.queries if pack else {}
    if spec.query not in declared:
        problems.append(
            written.problem(("query",), f"the pack has no query '{spec.query}'{did_you_mean(spec.query, declared)}")
        )
    return around.queries.get(spec.query)


def _parameters(written: Written[PolicyFile], shared: Mapping[str, Parameter]) -> tuple[dict[str, Parameter], list[Problem]]:
    own = {name: parameter(name, spec) for name, spec in written.spec.params.items()}
    params = {**shared, **own}
    problems = [
        written.problem(("params", name), f"'{name}' is a parameter of the pack already; just read params.{name}", at_key=True)
        for name in own
        if name in shared
    ]
    for number, need in enumerate(written.spec.needs):
        kind, _, name = need.partition(":")
        if kind == "parameter" and name not in params:
            problems.append(written.problem(("needs", number), f"there is no parameter '{name}'{did_you_mean(name, params)}"))
    return params, problems


def _row_columns(written: Written[PolicyFile], names: Names) -> Iterable[Problem]:
    """`resource` and `affects` name columns of the query."""
    for key, column in (("resource", written.spec.resource), ("affects", written.spec.affects)):
        if column and names.columns is not None and column not in names.columns:
            yield written.problem((key,), f"the query projects no column '{column}'{did_you_mean(column, names.columns)}")


def _numeric_codes(written: Written[PolicyFile], params: Mapping[str, Parameter]) -> Iterable[Problem]:
    if written.spec.classify and (NUMERIC_CODES not in params or params[NUMERIC_CODES].type != "string_map"):
        words = f"needs the parameter {NUMERIC_CODES} of type string_map, from a number to the name of a code"
        yield written.problem(("classify",), words, at_key=True)


@dataclass(slots=True, kw_only=True)
class _Compiler:
    """Compiles what a policy writes and checks every name that it reads."""

    written: Written[PolicyFile]
    names: Names
    problems: list[Problem] = field(default_factory=list)
    reads: set[Path] = field(default_factory=set)

    def compiled(self, make: Callable[[str], C], *path: Part) -> C | None:
        """The expression or template at `path` of the file; None where there is none or where it cannot be used."""
        node = find(self.written.node, path)
        text = node.value if isinstance(node, ScalarNode) else None
        if not isinstance(text, str) or not text:
            return None
        try:
            result = make(text)
        except ExpressionError as error:
            self.problems.append(self.written.problem(path, error.message, offset=error.offset))
            return None
        self.reads |= result.reads
        for read in sorted(result.reads, key=path_text):
            if wrong := self.names.wrong(read):
                word, words = wrong
                self.problems.append(self.written.problem(path, words, offset=offset_of(text, word)))
        return result

    def applies(self) -> Applies | None:
        spec = self.written.spec.applies
        when = self.compiled(compile_expression, "applies", "when") if spec else None
        return Applies(when=when, because=spec.because) if spec and when else None

    def classify(self, codes: tuple[Code, ...]) -> Classify | None:
        if self.written.spec.classify is None:
            return None
        texts, numbers, phases = (
            self.compiled(compile_expression, "classify", name) for name in ("texts", "numbers", "phases")
        )
        return Classify(texts=texts, numbers=numbers, phases=phases, codes=codes) if texts and numbers and phases else None

    def severity_when(self) -> tuple[SeverityWhen, ...]:
        found = (
            (self.compiled(compile_expression, "severity_when", number, "when"), Severity.parse(entry.severity))
            for number, entry in enumerate(self.written.spec.severity_when)
        )
        return tuple(SeverityWhen(when=when, severity=severity) for when, severity in found if when)


def _constant(written: Written[PolicyFile], assertion: Expression) -> Iterable[Problem]:
    """An assertion that looks at no row says the same of all of them: such a policy is always green, or never."""
    if all(path[0] == "params" for path in assertion.reads):
        yield written.problem(("assert",), "reads neither a column nor attached data, so that every row gets the same verdict")


def _optional(written: Written[PolicyFile], assertion: Expression) -> Iterable[Problem]:
    for number, text in enumerate(written.spec.optional):
        try:
            path = parse_path(text)
        except ValueError as error:
            yield written.problem(("optional", number), str(error))
            continue
        if not any(read[: len(path)] == path for read in assertion.reads):
            known = map(path_text, assertion.reads)
            yield written.problem(("optional", number), f"`assert` does not read {text}{did_you_mean(text, known)}")


def _read_parameters(
    spec: PolicyFile, params: Mapping[str, Parameter], *, attach: Iterable[Attach], reads: Iterable[Path]
) -> dict[str, Parameter]:
    """The policy's own parameters, and those of the pack that it reads."""
    ages = {one.max_age.hours for one in attach if one.max_age}
    needed = {need.partition(":")[2] for need in spec.needs}
    used = {*spec.params, *parameters_in(reads), *ages, *needed, *([NUMERIC_CODES] if spec.classify else [])}
    return {name: one for name, one in sorted(params.items()) if name in used}


def _info(written: Written[PolicyFile], around: Surroundings) -> PolicyInfo:
    spec = written.spec
    severities = [Severity.parse(word) for word in (spec.severity, *(entry.severity for entry in spec.severity_when))]
    return PolicyInfo(
        id=spec.id,
        name=spec.name,
        title=spec.title,
        severity=severities[0],
        highest=max(severities),
        pack=around.pack,
        file=around.source.shown(written.name),
        line=key_position(written.node, ("assert",)).line,
        why=spec.why,
        fix=spec.fix,
        references=spec.references,
        tags=spec.tags,
        explains=spec.explains,
    )
