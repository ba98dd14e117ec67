/* One row in full: why, the evidence, the fix, and where to go from here. Text is set as text; nothing is read as markup. */

/* An element with properties, attributes (names with a dash) and what is inside; what is null is left out. */
function make(name, properties = {}, ...inside) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in element) element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...inside.filter((one) => one !== null && one !== ""));
  return element;
}

function outward(label, address) {
  return make("a", { href: address, rel: "noopener noreferrer", target: "_blank" }, label);
}

function inward(label, filters) {
  return make("a", { href: `#${new URLSearchParams(filters)}`, className: "filter" }, label);
}

function badge(severity) {
  const word = DATA.severities[severity];
  return make("span", { className: `badge v-${word}` }, word);
}

function stateOf(row) {
  return make("span", { className: `state ${STATE_CLASSES[row.state]}` }, DATA.states[row.state]);
}

/* portal.azure.com is the public cloud's; an address beyond the host stands after #, so it never reaches a server. */
function portalOf(id) {
  if (!/^\/subscriptions\//i.test(id)) return null;
  const tenant = DATA.tenant ? `@${encodeURIComponent(DATA.tenant)}/` : "";
  const path = id.slice(1).split("/").map(encodeURIComponent).join("/");
  return `https://portal.azure.com/#${tenant}resource/${path}`;
}

function factsOf(pairs) {
  const told = pairs.filter(([, value]) => value);
  return make("dl", { className: "facts" }, ...told.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))));
}

function detailOf(row) {
  const known = document.getElementById(`policy-${row.policy.id}`)?.querySelector(".explain");
  const left = make("div", {}, ...chainOf(row), whatOf(row));
  return make("div", { className: "detail-grid" }, left, known ? known.cloneNode(true) : null, ...evidenceOf(row));
}

function whatOf(row) {
  const portal = portalOf(row.id);
  const subscription = DATA.subscriptions[row.subscription];
  return factsOf([
    ["Resource", make("code", {}, row.id)],
    ["", portal && outward("Open in the Azure portal", portal)],
    ["Inside it", row.subject],
    ["Type", row.type],
    ["Subscription", subscription ? `${subscription} (${row.subscription})` : row.subscription],
    ["Resource group", row.group],
    ["Location", row.location],
    ["Not decided", row.reason && `${row.reason}. ${DATA.advice[row.reason] ?? ""}`],
    ["Accepted", row.waiver],
    ["Cause", row.cause && inward(row.cause, { cause: row.cause })],
    ["Explains", row.affects ? `the failed backups of ${row.affects} ${row.affects === 1 ? "resource" : "resources"}` : ""],
  ]);
}

/* A failed job: its error, and the findings that explain it, the most likely first. */
function* chainOf(row) {
  const failure = row.failure;
  if (!failure) return;
  const numbers = failure.numbers.length ? ` (${failure.numbers.join(", ")})` : "";
  const code = failure.code ? (failure.link ? outward(failure.code, failure.link) : failure.code) : "an error that is not known here";
  yield make("h4", {}, "Backup failed because");
  const first = make("li", {}, "The job failed with ", code, numbers, failure.title && `: ${failure.title}`);
  const rest = failure.because.map((one) =>
    make("li", {}, badge(one.severity), " ", inward(one.policy, { policy: one.policy, q: one.name }), ` ${one.message}`),
  );
  if (!rest.length) rest.push(make("li", { className: "soft" }, "No finding of this scan explains it."));
  yield make("ol", { className: "because" }, first, ...rest);
}

/* JSON over several lines, where one would be long. The text is not parsed: large numbers would lose their last digits. */
function spread(json) {
  if (json.length < 60 || !/^[[{]/.test(json)) return json;
  let depth = 0;
  const newLine = () => `\n${"  ".repeat(depth)}`;
  return json.replace(/"(?:[^"\\]|\\.)*"|[[{]|[\]}]|, /g, (token) => {
    if (token === ", ") return `,${newLine()}`;
    if (token === "[" || token === "{") depth += 1;
    else if (token === "]" || token === "}") depth -= 1;
    else return token;
    return token === "[" || token === "{" ? token + newLine() : newLine() + token;
  });
}

function* evidenceOf(row) {
  if (!row.evidence.length) return;
  const body = make("tbody", { role: "rowgroup" });
  for (let at = 0; at < row.evidence.length; at += 2) {
    const path = make("th", { scope: "row", role: "rowheader" }, make("code", {}, row.evidence[at]));
    const value = make("td", { role: "cell" }, make("code", {}, spread(row.evidence[at + 1])));
    body.append(make("tr", { role: "row" }, path, value));
  }
  const columns = ["What was read", "Value"].map((name) => make("th", { scope: "col", role: "columnheader" }, name));
  const head = make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, ...columns));
  yield make("table", { className: "stack evidence", role: "table" }, make("caption", {}, "Evidence"), head, body);
}
