/* The filtered rows as CSV (RFC 4180), like the format csv: every cell quoted, none of them a formula. */

const EXPORTED = {
  verdict: (row) => DATA.states[row.state],
  severity: (row) => DATA.severities[row.severity],
  policy: (row) => row.policy.id,
  title: (row) => row.policy.title,
  name: (row) => row.name,
  subject: (row) => row.subject,
  type: (row) => row.type,
  subscription: (row) => row.subscription,
  subscription_name: (row) => DATA.subscriptions[row.subscription] ?? "",
  resource_group: (row) => row.group,
  location: (row) => row.location,
  message: (row) => row.message,
  reason: (row) => row.reason,
  waiver: (row) => row.waiver,
  cause: (row) => row.cause,
  code: (row) => row.failure?.code ?? "",
  because: (row) => (row.failure?.because ?? []).map((one) => `${one.policy} ${one.name}`).join("; "),
  evidence: (row) => row.evidence.map((text, at) => (at % 2 ? `${text}; ` : `${text} = `)).join(""),
  id: (row) => row.id,
};

function cell(text) {
  const safe = /^[=+\-@\uff1d\uff0b\uff0d\uff20]/.test(text) ? `'${text}` : text;
  return `"${safe.replaceAll('"', '""')}"`;
}

function csvOf(numbers) {
  const lines = [Object.keys(EXPORTED).map(cell).join(",")];
  for (const number of numbers) {
    const row = rowOf(number);
    lines.push(Object.values(EXPORTED).map((read) => cell(read(row))).join(","));
  }
  return `${lines.join("\r\n")}\r\n`;
}

function download(text) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  make("a", { href: address, download: "arguard-findings.csv" }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
