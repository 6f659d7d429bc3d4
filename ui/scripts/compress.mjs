// After the build: writes .br and .gz beside each compressible file of dist/, and checks the size budgets.
// The report is in report/sizes.json.
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  writeFileSync,
} from "node:fs";
import { join, relative } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const DIST = new URL("../dist", import.meta.url).pathname;
const REPORT = new URL("../report", import.meta.url).pathname;
/** Budgets of the first load, in gzipped bytes. */
const BUDGET = { js: 250_000, css: 25_000 };
/** Chunks of a face that are loaded at once: its entry, and the page that opens first. */
const FIRST = {
  public: ["src/public/index.tsx", "src/public/Campaigns.tsx"],
  desk: ["src/desk/index.tsx", "src/public/Campaigns.tsx"],
};
const COMPRESSIBLE = /\.(js|css|html|svg|json|txt|map)$/;

const files = directory =>
  readdirSync(directory, { withFileTypes: true }).flatMap(entry =>
    entry.isDirectory() ? files(join(directory, entry.name)) : [join(directory, entry.name)],
  );

mkdirSync(REPORT, { recursive: true });
// The manifest is not part of what is served.
if (existsSync(join(DIST, ".vite"))) {
  renameSync(join(DIST, ".vite/manifest.json"), join(REPORT, "manifest.json"));
  rmdirSync(join(DIST, ".vite"));
}

const sizes = new Map();
for (const path of files(DIST).filter(path => !/\.(br|gz)$/.test(path))) {
  const name = relative(DIST, path);
  const bytes = readFileSync(path);
  if (!COMPRESSIBLE.test(path)) {
    sizes.set(name, { bytes: bytes.length });
    continue;
  }
  const gzip = gzipSync(bytes, { level: 9 });
  const brotli = brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } });
  sizes.set(name, { bytes: bytes.length, gzip: gzip.length, brotli: brotli.length });
  // index.html is filled in for each response, so it is compressed by nobody.
  if (name === "index.html") continue;
  writeFileSync(`${path}.gz`, gzip);
  writeFileSync(`${path}.br`, brotli);
}

const manifest = JSON.parse(readFileSync(join(REPORT, "manifest.json"), "utf8"));
const reach = (name, found = new Set()) => {
  const chunk = manifest[name];
  if (!chunk || found.has(chunk)) return found;
  found.add(chunk);
  for (const next of chunk.imports ?? []) reach(next, found);
  return found;
};

const total = (names, extension) =>
  [...names]
    .filter(name => name.endsWith(extension))
    .reduce((sum, name) => sum + (sizes.get(name)?.gzip ?? 0), 0);

const firstLoad = {};
for (const [face, entries] of Object.entries(FIRST)) {
  const chunks = new Set(["index.html", ...entries].flatMap(name => [...reach(name)]));
  const names = new Set([...chunks].flatMap(chunk => [chunk.file, ...(chunk.css ?? [])]));
  firstLoad[face] = { js: total(names, ".js"), css: total(names, ".css") };
}

writeFileSync(
  join(REPORT, "sizes.json"),
  `${JSON.stringify({ budget: BUDGET, firstLoad, files: Object.fromEntries([...sizes].sort()) }, null, 2)}\n`,
);

let failed = false;
for (const [face, { js, css }] of Object.entries(firstLoad)) {
  console.log(
    `first load of ${face}: ${kB(js)} JS (limit ${kB(BUDGET.js)}), ${kB(css)} CSS (limit ${kB(BUDGET.css)}), gzipped`,
  );
  failed ||= js > BUDGET.js || css > BUDGET.css;
}
if (failed) {
  console.error("The first load is over its budget; report/sizes.json lists the files.");
  process.exit(1);
}

function kB(bytes) {
  return `${(bytes / 1000).toFixed(1)} kB`;
}
