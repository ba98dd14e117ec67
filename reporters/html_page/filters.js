/* The filters: a form that is kept in the address, so that a view can be sent to somebody. */

const FORM = document.getElementById("filters");
const FIELDS = ["q", "verdict", "severity", "policy", "subscription", "group", "cause"];
const OFFERED = 300;

function filtersOf() {
  return Object.fromEntries(FIELDS.map((name) => [name, FORM.elements[name].value.trim()]));
}

/* The part of the address after #, if it holds filters rather than the name of a section. */
function askedFor() {
  const hash = location.hash.slice(1);
  return hash.includes("=") ? new URLSearchParams(hash) : null;
}

function takeFrom(asked) {
  for (const name of FIELDS) {
    const field = FORM.elements[name];
    field.value = asked.get(name) ?? "";
    if (field instanceof HTMLSelectElement && field.selectedIndex < 0) field.value = "";
  }
  return Math.max(0, (Number.parseInt(asked.get("page") ?? "1", 10) || 1) - 1);
}

function keep(filters, page) {
  const kept = new URLSearchParams(Object.entries(filters).filter(([, value]) => value));
  if (page > 0) kept.set("page", page + 1);
  if (!kept.size && askedFor() === null) return;
  const address = location.pathname + location.search + (kept.size ? `#${kept}` : "");
  history.replaceState(null, "", address);
}

/* Subscriptions and resource groups are known from the rows alone. */
function offer() {
  const named = (id) => (DATA.subscriptions[id] ? `${DATA.subscriptions[id]} (${id})` : id);
  const ids = [...new Set([...Object.keys(DATA.subscriptions), ...distinct("subscription")])];
  for (const [label, id] of ids.map((one) => [named(one), one]).sort()) {
    FORM.elements.subscription.append(make("option", { value: id }, label));
  }
  const groups = new Map(distinct("group").map((name) => [name.toLowerCase(), name]));
  const names = [...groups.values()].sort().slice(0, OFFERED);
  document.getElementById("groups").append(...names.map((name) => make("option", { value: name })));
}
