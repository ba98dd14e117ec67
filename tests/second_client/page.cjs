// Reads a query page by page with Microsoft's JavaScript client and prints the rows: node page.cjs ENDPOINT TOKEN PAGE QUERY
// PAGE is the number of rows on a page, or "default" to leave it to the service.
"use strict";
const { ResourceGraphClient } = require("@azure/arm-resourcegraph");

async function main([endpoint, token, page, query]) {
  const credentials = {
    signRequest: async (request) => {
      request.headers.set("authorization", `Bearer ${token}`);
      return request;
    },
  };
  const client = new ResourceGraphClient(credentials, { baseUri: endpoint });
  const rows = [];
  let pages = 0;
  let total = 0;
  let skipToken;
  do {
    const options = { top: page === "default" ? undefined : Number(page), resultFormat: "objectArray", skipToken };
    const answer = await client.resources({ query, options });
    rows.push(...answer.data);
    total = answer.totalRecords;
    skipToken = answer.skipToken;
    pages += 1;
  } while (skipToken);
  process.stdout.write(JSON.stringify({ pages, total, rows }));
}

main(process.argv.slice(2)).catch((error) => {
  process.stderr.write(`${error.statusCode ?? ""} ${error.code ?? ""} ${error.message}\n`);
  process.exit(1);
});
