// Every page × theme × width: accessibility, faults, a screenshot, and how fast it loads and scrolls. Writes the tables of
// docs/pages.md and the pictures beside it. `make ui-test-full`.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { Browser } from "./browser.mjs";
import { openDesk, openLocal } from "./local.mjs";
import { Network } from "./network.mjs";

const ROOT = new URL("../../", import.meta.url);
const DOCUMENT = new URL("docs/pages.md", ROOT);
const PICTURES = new URL("docs/img/pages/", ROOT);
const REPORT = new URL("ui/report/screenshots/", ROOT);
const THEMES = ["light", "dark"];
const WIDTHS = [360, 768, 1440];
/** Pictures that are committed; the others are in ui/report/screenshots. */
const COMMITTED = new Set(["1440-light", "1440-dark"]);
/** Slowdown of the processor under which loading is measured. */
const SLOWDOWN = 4;
const SCROLLED_ROWS = 10_000;

const publicPages = network => [
  ["campaigns", "/"],
  ["campaign", `/campaigns/${network.campaign}`],
  ["submissions", `/campaigns/${network.campaign}?tab=submissions`],
  ["verify", `/campaigns/${network.campaign}?tab=verify`],
  ["models", "/models"],
  ["compare", `/compare?ids=${network.campaign}`],
  ["capsules", "/capsules"],
  ["miner", `/miners/${network.report.miners[0].address}`],
  ["statistics", "/statistics"],
  ["new-campaign", "/new"],
];
const deskPages = network => [
  ["desk-accounts", "/accounts"],
  ["desk-launches", "/launches"],
  ["desk-new", "/new"],
  ["desk-result", `/campaigns/${network.campaign}/result`],
  ["desk-audit", `/campaigns/${network.campaign}/audit`],
];
const minePages = [
  ["mine-home", "/"],
  ["mine-campaigns", "/campaigns"],
  ["mine-earnings", "/earnings"],
  ["mine-privacy", "/privacy"],
  ["mine-activity", "/activity"],
  ["mine-health", "/health"],
  ["mine-data", "/data"],
];

const network = await Network.start({ dataset: "digits", mines: 5 });
const browser = await Browser.launch();
let failures = 0;
try {
  mkdirSync(PICTURES, { recursive: true });
  mkdirSync(REPORT, { recursive: true });
  const desk = await openDesk(network);
  const faces = [
    { open: options => browser.open(network.sonar, options), pages: publicPages(network) },
    { open: desk.opener(browser), pages: deskPages(network) },
    { open: openLocal(browser, network, "mine", "mine-1"), pages: minePages },
    { open: openLocal(browser, network, "capsule", "capsule"), pages: [["capsule", "/"]] },
  ];
  const rows = [];
  for (const { open, pages } of faces) {
    for (const [name, path] of pages) rows.push(await look(open, name, path));
  }
  const scrolled = await scroll();
  await desk.stop();
  write(rows, scrolled);
} finally {
  await browser.close();
  await network.stop();
}
if (failures > 0) {
  console.error(`${failures} pages have violations; ui/report/matrix.json lists them`);
  process.exitCode = 1;
}

/** One page in all themes and widths. */
async function look(open, name, path) {
  const row = { name, path, violations: [], timings: null };
  for (const theme of THEMES) {
    for (const width of WIDTHS) {
      const view = await open({ width, height: width < 500 ? 780 : 900, theme });
      await view.goto(path);
      await view.page.getByRole("heading", { level: 1 }).waitFor();
      await view.loaded();
      const key = `${width}-${theme}`;
      const found = [...view.faults, ...(await view.violations())];
      if (await view.overflows()) found.push("the page scrolls sideways");
      row.violations.push(...found.map(text => `${key}: ${text}`));
      const place = COMMITTED.has(key) ? PICTURES : REPORT;
      await view.page.screenshot({ path: new URL(`${name}-${key}.png`, place).pathname });
      await view.close();
    }
  }
  row.timings = await time(open, path);
  console.log(`${name}: ${row.violations.length} violations, LCP ${row.timings.lcp} ms`);
  failures += row.violations.length > 0;
  return row;
}

/** Largest contentful paint in ms, and cumulative layout shift, of a first load with a slow processor. */
async function time(open, path) {
  const view = await open({
    init: () => {
      globalThis.measured = { lcp: 0, cls: 0 };
      new PerformanceObserver(list => {
        for (const entry of list.getEntries()) globalThis.measured.lcp = entry.startTime;
      }).observe({ type: "largest-contentful-paint", buffered: true });
      new PerformanceObserver(list => {
        for (const entry of list.getEntries())
          if (!entry.hadRecentInput) globalThis.measured.cls += entry.value;
      }).observe({ type: "layout-shift", buffered: true });
    },
  });
  const session = await view.context.newCDPSession(view.page);
  await session.send("Emulation.setCPUThrottlingRate", { rate: SLOWDOWN });
  await view.goto(path);
  await view.page.getByRole("heading", { level: 1 }).waitFor();
  await view.loaded();
  // The browser reports the paint a little after it.
  await view.page.waitForFunction(() => globalThis.measured.lcp > 0);
  const { lcp, cls } = await view.page.evaluate(() => globalThis.measured);
  await view.close();
  return { lcp: Math.round(lcp), cls: Number(cls.toFixed(3)) };
}

/** Frames per second while 10,000 submissions scroll by. The list is the finished campaign's, repeated. */
async function scroll() {
  const { items } = await network.json(`/api/v1/campaigns/${network.campaign}/submissions?limit=500`);
  const all = Array.from({ length: SCROLLED_ROWS }, (_, index) => ({
    ...items[index % items.length],
    number: index + 1,
  }));
  const view = await browser.open(network.sonar, { width: 1440 });
  await view.page.route(/\/submissions(\?|$)/, route => {
    const query = new URL(route.request().url()).searchParams;
    const [after, limit] = [Number(query.get("after") ?? 0), Number(query.get("limit") ?? 50)];
    const page = all.slice(after, after + limit);
    const next = after + limit < all.length ? String(after + limit) : undefined;
    return route.fulfill({ json: { items: page, next, total: all.length } });
  });
  await view.goto(`/campaigns/${network.campaign}?tab=submissions`);
  const table = view.page.locator('[role="region"][aria-label$="table"]').first();
  await table.waitFor();
  const frames = await table.evaluate(async element => {
    const times = [];
    for (let step = 0; step < 120; step += 1) {
      element.scrollTop += 400;
      await new Promise(requestAnimationFrame);
      times.push(performance.now());
    }
    const gaps = times.slice(1).map((time, index) => time - times[index]);
    gaps.sort((a, b) => a - b);
    return { median: gaps[gaps.length >> 1], slowest: gaps.at(-1) };
  });
  await view.close();
  return {
    rows: SCROLLED_ROWS,
    median: Number(frames.median.toFixed(1)),
    slowest: Number(frames.slowest.toFixed(1)),
  };
}

function write(rows, scrolled) {
  const sizes = JSON.parse(readFileSync(new URL("ui/report/sizes.json", ROOT), "utf8"));
  writeFileSync(new URL("ui/report/matrix.json", ROOT), `${JSON.stringify({ rows, scrolled }, null, 2)}\n`);
  const kB = bytes => `${(bytes / 1000).toFixed(1)} kB`;
  const first = Object.entries(sizes.firstLoad).map(
    ([face, { js, css }]) => `| ${face} | ${kB(js)} | ${kB(css)} |`,
  );
  const measured = rows.map(
    row => `| ${row.name} | ${row.violations.length} | ${row.timings.lcp} ms | ${row.timings.cls} |`,
  );
  const table = [
    "| first load of | JavaScript, gzipped | CSS, gzipped |",
    "| --- | --- | --- |",
    ...first,
    "",
    `| page | axe violations (${THEMES.length} themes × ${WIDTHS.join(", ")} px) | LCP (processor ${SLOWDOWN} times slower) | CLS |`,
    "| --- | --- | --- | --- |",
    ...measured,
    "",
    `Scrolling ${scrolled.rows.toLocaleString("en")} submissions: a frame every ${scrolled.median} ms (median), ${scrolled.slowest} ms at worst.`,
  ].join("\n");
  const text = readFileSync(DOCUMENT, "utf8");
  const [begin, end] = ["<!-- measured: begin -->", "<!-- measured: end -->"];
  assert.ok(text.includes(begin) && text.includes(end), "docs/pages.md has lost the marks of its tables");
  const head = text.slice(0, text.indexOf(begin) + begin.length);
  writeFileSync(DOCUMENT, `${head}\n${table}\n${text.slice(text.indexOf(end))}`);
}
