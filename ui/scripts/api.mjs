// Generates src/api/NAME.d.ts from openapi/NAME.json. With --check: fails if one of them is stale.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import openapi, { astToString } from "openapi-typescript";

const root = new URL("../", import.meta.url);
const check = process.argv.includes("--check");
const stale = [];

for (const file of readdirSync(new URL("openapi/", root)).filter(name => name.endsWith(".json"))) {
  const name = file.replace(/\.json$/, "");
  const document = JSON.parse(readFileSync(new URL(`openapi/${file}`, root), "utf8"));
  const text = `// Generated from openapi/${file} by \`npm run api\`. Do not edit.\n\n${astToString(await openapi(document))}`;
  const path = new URL(`src/api/${name}.d.ts`, root);
  if (!check) writeFileSync(path, text);
  else if (!existsSync(path) || readFileSync(path, "utf8") !== text) stale.push(`src/api/${name}.d.ts`);
}

if (stale.length > 0) {
  console.error(`${stale.join(", ")} differ from openapi/; run \`npm run api\` and commit the result`);
  process.exit(1);
}
