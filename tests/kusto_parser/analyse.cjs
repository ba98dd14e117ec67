// Analyses queries with Microsoft's parser of Kusto: node analyse.cjs < request > answer, both JSON.
// Request: {tables: [name], columns: {name: type}, queries: [text], functions: [name]}; every table has every column.
// Answer: {queries: [what analyse() says], functions: {name: what returns() says}}.
"use strict";
// Both files define globals, and the second needs those of the first.
require("@kusto/language-service-next/bridge.min.js");
require("@kusto/language-service-next/Kusto.Language.Bridge.min.js");
const { GlobalState, KustoCode, Symbols, Syntax } = globalThis.Kusto.Language;

const namesOf = (numbers) => new Map(Object.entries(numbers).map(([name, number]) => [number, name]));
const KINDS = namesOf(Syntax.SyntaxKind);
const RETURNS = namesOf(Symbols.ReturnTypeKind);
const TYPES = { string: Symbols.ScalarTypes.String, dynamic: Symbols.ScalarTypes.Dynamic };

const kind = (node) => KINDS.get(node.Kind);
const items = (list) => Array.from({ length: list.Count }, (_, index) => list.getItem(index));
const isTable = (symbol) => symbol instanceof Symbols.TableSymbol;
const isAny = (node, ...types) => types.some((type) => node instanceof type);

function* nodes(node) {
  if (node.IsToken) return;
  yield node;
  for (let index = 0; index < node.ChildCount; index += 1) {
    const child = node.GetChild(index);
    if (child) yield* nodes(child);
  }
}

function column([name, type]) {
  if (!TYPES[type]) throw new Error(`no standard column has the type ${type}`);
  return new Symbols.ColumnSymbol(name, TYPES[type]);
}

// This parser knows a table in the spelling that it was given only, where Azure Resource Graph takes any: each query gets the
// spellings that occur in it.
function globalsFor(query, { tables, columns }) {
  const known = new Set(tables);
  const spelt = (query.match(/\w+/g) ?? []).filter((word) => known.has(word.toLowerCase()));
  const schema = Object.entries(columns).map(column);
  // $ctor4 takes columns; the constructor that takes a schema as text gives wrong columns without a word.
  const symbols = [...new Set([...tables, ...spelt])].map((name) => new Symbols.TableSymbol.$ctor4(name, schema));
  return GlobalState.Default.WithDatabase(new Symbols.DatabaseSymbol("arg", symbols));
}

function told(query, diagnostic) {
  const before = query.slice(0, diagnostic.Start).split("\n");
  return {
    code: diagnostic.Code,
    severity: diagnostic.Severity,
    message: diagnostic.Message,
    line: before.length,
    column: before.at(-1).length + 1,
  };
}

// The parameters of an operator, such as kind=inner and hint.strategy=shuffle.
function parameters(operator) {
  return Object.fromEntries(items(operator.Parameters).map((each) => [each.Name.SimpleName, each.Expression.ToString().trim()]));
}

// The limit of an mv-expand; null where there is none, or one that is no plain number.
function limit(expand) {
  const number = Number(expand.RowLimitClause?.RowLimit.ToString() ?? NaN);
  return Number.isInteger(number) ? number : null;
}

// `rights` holds each reading of a table anywhere in the right side of a join, once, in lower case; `syntax` the kinds of all
// nodes but `operators`, literals and what has two operands.
function analyse(query, request) {
  const globals = globalsFor(query, request);
  const code = KustoCode.ParseAndAnalyze(query, globals);
  const tree = [...nodes(code.Syntax)];
  const found = (name) => tree.filter((node) => kind(node) === name);
  const joins = found("JoinOperator");
  const read = joins.flatMap((join) => [...nodes(join.Expression)]).filter((node) => isAny(node, Syntax.NameReference));
  const isOther = (node) => !isAny(node, Syntax.QueryOperator, Syntax.LiteralExpression, Syntax.BinaryExpression);
  const known = (name) => Boolean(globals.GetFunction(name) ?? globals.GetAggregate(name));
  return {
    diagnostics: items(code.GetDiagnostics()).map((each) => told(query, each)),
    columns: isTable(code.ResultType) ? items(code.ResultType.Columns).map((each) => [each.Name, each.Type.Name]) : null,
    statements: found("ExpressionStatement").length,
    operators: tree.filter((node) => isAny(node, Syntax.QueryOperator)).map((node) => node.GetFirstToken().Text),
    syntax: [...new Set(tree.filter(isOther).map(kind))],
    functions: found("FunctionCallExpression").map((call) => [call.Name.SimpleName, known(call.Name.SimpleName)]),
    joins: joins.map(parameters),
    rights: [...new Set(read)].filter((name) => isTable(name.ReferencedSymbol)).map((name) => name.SimpleName.toLowerCase()),
    unions: found("UnionOperator").map((union) => ({ parameters: parameters(union), legs: union.Expressions.Count })),
    limits: found("MvExpandOperator").map(limit),
  };
}

// The types that a function is declared to return, "computed" where they follow from its arguments; null if it is not known.
function returns(name) {
  const symbols = [GlobalState.Default.GetFunction(name), GlobalState.Default.GetAggregate(name)].filter(Boolean);
  const signatures = symbols.flatMap((symbol) => items(symbol.Signatures));
  const type = (each) => (RETURNS.get(each.ReturnKind) === "Declared" ? each.DeclaredReturnType.Name : "computed");
  return signatures.length ? [...new Set(signatures.map(type))] : null;
}

const request = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
const answer = {
  queries: request.queries.map((query) => analyse(query, request)),
  functions: Object.fromEntries(request.functions.map((name) => [name, returns(name)])),
};
process.stdout.write(JSON.stringify(answer));
