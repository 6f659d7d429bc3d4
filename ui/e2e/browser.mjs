// Chromium, with what holds on every page: no request to anybody else, no violation of the content security policy, no error.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

/** Path of the browser, if there is one. */
export const CHROMIUM =
  process.env.CHROMIUM ?? ["/usr/bin/chromium", "/usr/bin/google-chrome"].find(existsSync);
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const TIMEOUT_MS = 30_000;

export class Browser {
  static async launch() {
    assert.ok(
      CHROMIUM,
      "Chromium is missing (Debian: apt-get install chromium), or set CHROMIUM to its path",
    );
    // Chromium's sandbox cannot be set up by root, which tests in containers are.
    const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
    return new Browser(await chromium.launch({ executablePath: CHROMIUM, args }));
  }

  constructor(browser) {
    this.browser = browser;
  }

  /** A new profile with one page; `origin` is the only server that it may talk to. */
  async open(origin, { width = 1280, height = 900, theme = "light", allowed = [], init } = {}) {
    const context = await this.browser.newContext({
      viewport: { width, height },
      colorScheme: theme,
      reducedMotion: "reduce",
    });
    if (init) await context.addInitScript(init);
    const page = await context.newPage();
    page.setDefaultTimeout(TIMEOUT_MS);
    return new Page(context, page, origin, allowed);
  }

  close() {
    return this.browser.close();
  }
}

/** A page that remembers what went wrong on it. */
export class Page {
  constructor(context, page, origin, allowed) {
    Object.assign(this, { context, page, origin });
    /** Requests to others, violations of the policy, exceptions. */
    this.faults = [];
    const own = [origin, ...allowed];
    page.on("request", request => {
      if (!own.includes(new URL(request.url()).origin)) this.faults.push(`request to ${request.url()}`);
    });
    page.on("pageerror", error => this.faults.push(String(error)));
    page.on("console", message => {
      const text = message.text();
      if (/Content Security Policy/i.test(text)) this.faults.push(text);
    });
  }

  goto(path) {
    return this.page.goto(`${this.origin}${path}`);
  }

  /** Waits until what the page asked for has arrived, and its fonts. */
  async loaded() {
    await this.page.locator('[aria-label="Loading"]').first().waitFor({ state: "detached" });
    await this.page.evaluate(() => document.fonts.ready);
  }

  /** Fails if the page broke one of the rules of all pages, or has a violation of WCAG 2.2 AA. */
  async check(name) {
    assert.deepEqual(this.faults, [], `${name}: faults`);
    assert.deepEqual(await this.violations(), [], `${name}: accessibility`);
    assert.ok(!(await this.overflows()), `${name}: the page scrolls sideways`);
  }

  /** Violations of WCAG 2.2 A and AA, as short texts. */
  async violations() {
    // Not as a script element, which the policy would refuse.
    await this.page.evaluate(AXE);
    const scan = () =>
      this.page.evaluate(async () => {
        const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
        const { violations } = await globalThis.axe.run(document, { runOnly: { type: "tag", values: tags } });
        return violations.flatMap(rule =>
          rule.nodes.map(node => `${rule.id}: ${node.target} ${node.failureSummary}`),
        );
      });
    // An element that changes while axe looks at it, such as a button that is enabled by an answer, is seen half in its old
    // state. What is wrong with a page is still there when it is looked at again.
    const first = await scan();
    return first.length === 0 ? first : scan();
  }

  overflows() {
    return this.page.evaluate(
      () => document.documentElement.scrollWidth > document.documentElement.clientWidth,
    );
  }

  close() {
    return this.context.close();
  }
}
