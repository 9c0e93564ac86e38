// node validate.cjs <document>: parse an AsyncAPI document with the parser installed in the working directory; prints
// each problem as JSON and ends with 1 when one is an error.
const { readFileSync } = require("node:fs");
const { createRequire } = require("node:module");
const { join } = require("node:path");

const { Parser } = createRequire(join(process.cwd(), "package.json"))("@asyncapi/parser");

(async () => {
  const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[2], "utf8"));
  const errors = diagnostics.filter((one) => one.severity === 0);
  for (const { severity, code, path, message } of diagnostics) {
    console.log(JSON.stringify({ severity, code, path: path.join("/"), message }));
  }
  if (!errors.length) console.log(JSON.stringify({ messages: document.allMessages().length }));
  process.exitCode = errors.length ? 1 : 0;
})();
