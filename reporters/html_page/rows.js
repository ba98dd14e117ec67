/* The rows, in the columns in which they came (reporters/html_rows.py tells the shape), and which of them meet the filters. */

const DATA = JSON.parse(document.getElementById("data").textContent);
const TOTAL = DATA.blocks.reduce((start, block) => {
  block.start = start;
  return start + block.rows;
}, 0);

/* The states that each value of the verdict filter means; the numbers are those of reporters/html_tally.py. */
const VERDICTS = { blocking: [0], failing: [0, 1], fail: [1], unknown: [2], waived: [3], known: [4], not_applicable: [5], pass: [6] };
const STATE_CLASSES = ["s-blocking", "s-fail", "s-unknown", "s-waived", "s-known", "s-not-applicable", "s-pass"];
const SEARCHED = ["name", "subject", "type", "group", "location", "folder", "leaf", "message", "reason", "cause", "waiver"];

function numberAt(block, column, row) {
  const numbers = block.columns[column];
  return typeof numbers === "number" ? numbers : numbers[row];
}

function textAt(block, column, row) {
  return block.texts[numberAt(block, column, row)];
}

/* One row as an object; made for the few rows that are shown, and for those that are exported. */
function rowOf(number) {
  let low = 0;
  let high = DATA.blocks.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (DATA.blocks[middle].start <= number) low = middle;
    else high = middle - 1;
  }
  const block = DATA.blocks[low];
  const index = number - block.start;
  const row = { policy: DATA.policies[block.policy] };
  for (const column of [...SEARCHED, "subscription"]) row[column] = textAt(block, column, index);
  for (const column of ["state", "severity", "affects"]) row[column] = numberAt(block, column, index);
  row.id = row.folder + row.leaf;
  row.evidence = block.sets[numberAt(block, "evidence", index)].map((text) => block.texts[text]);
  row.failure = block.failures[numberAt(block, "failure", index)];
  return row;
}

/* What a row of this block must meet, as functions of its place in the block; null if no row of it can. */
function checksFor(block, filters) {
  const policy = DATA.policies[block.policy];
  if (filters.policy && filters.policy !== policy.id) return null;
  const checks = [];
  const severity = DATA.severityNumbers[filters.severity];
  if (filters.verdict) checks.push((row) => VERDICTS[filters.verdict].includes(numberAt(block, "state", row)));
  if (filters.severity) checks.push((row) => numberAt(block, "severity", row) === severity);
  for (const column of ["subscription", "cause"]) {
    if (!filters[column]) continue;
    const wanted = block.texts.indexOf(filters[column]);
    if (wanted < 0) return null;
    checks.push((row) => numberAt(block, column, row) === wanted);
  }
  block.lower ??= block.texts.map((text) => text.toLowerCase());
  if (filters.group) {
    const part = filters.group.toLowerCase();
    const hit = block.lower.map((text) => text.includes(part));
    checks.push((row) => hit[numberAt(block, "group", row)]);
  }
  const about = `${policy.id} ${policy.title}`.toLowerCase();
  for (const word of filters.q.toLowerCase().split(/\s+/).filter(Boolean)) {
    if (!about.includes(word)) checks.push(holds(block, word));
  }
  return checks;
}

/* Whether a row holds a word, in its texts, its evidence, or the failure it tells of. Each text is looked at once. */
function holds(block, word) {
  const texts = block.lower.map((text) => text.includes(word));
  const sets = block.sets.map((set) => set.some((text) => texts[text]));
  const failures = block.failures.map((failure) => failure !== null && JSON.stringify(failure).toLowerCase().includes(word));
  return (row) =>
    SEARCHED.some((column) => texts[numberAt(block, column, row)]) ||
    sets[numberAt(block, "evidence", row)] ||
    failures[numberAt(block, "failure", row)];
}

/* The numbers of the rows that meet the filters: by state, then the worst severity, then as they came. */
function matching(filters) {
  const piles = new Map();
  for (const block of DATA.blocks) {
    const checks = checksFor(block, filters);
    if (checks === null) continue;
    for (let row = 0; row < block.rows; row += 1) {
      if (!checks.every((check) => check(row))) continue;
      const key = numberAt(block, "state", row) * 10 - numberAt(block, "severity", row);
      if (!piles.has(key)) piles.set(key, []);
      piles.get(key).push(block.start + row);
    }
  }
  return [...piles.keys()].sort((one, other) => one - other).flatMap((key) => piles.get(key));
}

/* Every different text of a column, for the filters to offer. */
function distinct(column) {
  const found = new Set();
  for (const block of DATA.blocks) {
    for (const number of new Set([block.columns[column]].flat())) found.add(block.texts[number]);
  }
  found.delete("");
  return [...found];
}

DATA.severityNumbers = Object.fromEntries(Object.entries(DATA.severities).map(([number, word]) => [word, Number(number)]));
