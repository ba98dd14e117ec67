/* The list: 50 rows at a time, opened one by one with a button that says whether it is open. */

const PAGE = 50;
const COLUMNS = ["Resource", "Verdict", "What was found", "Policy"];
const list = { rows: [], page: 0, opened: 0 };

function placeOf(row) {
  return [DATA.subscriptions[row.subscription] ?? row.subscription, row.group].filter(Boolean).join(" / ");
}

function lineOf(number) {
  const row = rowOf(number);
  const id = `detail-${(list.opened += 1)}`;
  const name = make("span", { className: "name" }, row.name || row.id);
  const subject = row.subject ? make("span", { className: "subject" }, row.subject) : null;
  const button = make("button", { type: "button", className: "open", "aria-expanded": "false", "aria-controls": id }, name, subject);
  const where = make("th", { scope: "row", role: "rowheader" }, button, make("span", { className: "second" }, placeOf(row)));
  const verdict = make("td", { role: "cell" }, stateOf(row), " ", badge(row.severity));
  const found = make("td", { role: "cell", className: "found" }, row.message || row.policy.title);
  const policy = make("td", { role: "cell" }, inward(row.policy.id, { policy: row.policy.id }));
  const line = make("tr", { className: `row ${STATE_CLASSES[row.state]}`, role: "row" }, where, verdict, found, policy);
  const inside = make("td", { colSpan: COLUMNS.length, role: "cell" });
  const detail = make("tr", { id, className: "detail", hidden: true, role: "row" }, inside);
  button.addEventListener("click", () => {
    if (!inside.hasChildNodes()) inside.append(detailOf(row));
    detail.hidden = !detail.hidden;
    button.setAttribute("aria-expanded", String(!detail.hidden));
  });
  return [line, detail];
}

function show() {
  const last = Math.max(0, Math.ceil(list.rows.length / PAGE) - 1);
  list.page = Math.min(list.page, last);
  const first = list.page * PAGE;
  const shown = list.rows.slice(first, first + PAGE);
  const number = (one) => one.toLocaleString("en");
  const of = list.rows.length === TOTAL ? "" : ` of ${number(TOTAL)}`;
  const range = shown.length ? `, showing ${number(first + 1)} to ${number(first + shown.length)}` : "";
  document.getElementById("count").textContent = `${number(list.rows.length)}${of} ${TOTAL === 1 ? "row" : "rows"}${range}`;
  document.getElementById("rows").replaceChildren(...(shown.length ? [tableOf(shown)] : [nothing()]));
  document.getElementById("previous").disabled = list.page === 0;
  document.getElementById("next").disabled = list.page === last;
  document.getElementById("page").textContent = `Page ${number(list.page + 1)} of ${number(last + 1)}`;
  document.getElementById("pages").hidden = last === 0;
  document.getElementById("export").disabled = !shown.length;
}

function tableOf(numbers) {
  const head = COLUMNS.map((name) => make("th", { scope: "col", role: "columnheader" }, name));
  const table = make("table", { className: "stack list", role: "table" });
  table.append(make("caption", {}, "Findings, the worst first; each opens to its evidence and fix"));
  table.append(make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, ...head)));
  table.append(make("tbody", { role: "rowgroup" }, ...numbers.flatMap(lineOf)));
  return table;
}

function nothing() {
  return make("p", { className: "note" }, TOTAL ? "No row meets these filters." : "There is no row to list.");
}

/* Filter anew and keep the view in the address. */
function update(page = 0) {
  const filters = filtersOf();
  list.rows = matching(filters);
  list.page = page;
  chip(filters.cause);
  show();
  keep(filters, list.page);
}

/* The cause has no field of its own: it is shown, and taken away, as a button. */
function chip(cause) {
  document.getElementById("chip")?.remove();
  if (!cause) return;
  const button = make("button", { type: "button", id: "chip", className: "chip" }, `Cause: ${cause}`, make("span", {}, " (remove)"));
  button.addEventListener("click", () => {
    FORM.elements.cause.value = "";
    update();
    FORM.elements.q.focus();
  });
  FORM.append(button);
}

function turn(by) {
  list.page += by;
  show();
  keep(filtersOf(), list.page);
  arrive(document.getElementById("findings"));
}

/* Go to a section as the keyboard and screen readers see it, not with the eyes alone. */
function arrive(section) {
  section.setAttribute("tabindex", "-1");
  section.focus({ preventScroll: true });
  section.scrollIntoView();
}

/* Follow a link to filters; a link to a section leaves the filters, and the address that holds them, as they are. */
function follow(event) {
  const link = event.target.closest('a[href^="#"]');
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const target = document.getElementById(link.hash.slice(1));
  if (target) {
    event.preventDefault();
    arrive(target);
  } else if (link.hash === location.hash) arrive(document.getElementById("findings"));
}

function restore() {
  const asked = askedFor();
  if (asked === null) return false;
  update(takeFrom(asked));
  arrive(document.getElementById("findings"));
  return true;
}

function start() {
  const previous = make("button", { type: "button", id: "previous" }, "Previous");
  const next = make("button", { type: "button", id: "next" }, "Next");
  previous.addEventListener("click", () => turn(-1));
  next.addEventListener("click", () => turn(1));
  document.getElementById("pages").append(previous, make("span", { id: "page" }), next);
  document.getElementById("export").addEventListener("click", () => download(csvOf(list.rows)));
  let waiting = 0;
  FORM.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(update, 120);
  });
  FORM.addEventListener("submit", (event) => event.preventDefault());
  FORM.addEventListener("reset", (event) => {
    event.preventDefault();
    for (const name of FIELDS) FORM.elements[name].value = "";
    update();
  });
  document.addEventListener("click", follow);
  addEventListener("hashchange", restore);
  offer();
  document.getElementById("explorer").hidden = false;
  if (!restore()) update();
}

start();
