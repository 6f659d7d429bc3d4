// What readers see when a program fails: the page says so, and goes on without a reload when it is back.
import assert from "node:assert/strict";
import { it } from "node:test";

export function recovery(stage) {
  const indicator = page => page.getByRole("button", { name: /details and pause/i });
  const isNotLive = page => page.getByRole("button", { name: /^(?!Live).*details and pause/i }).waitFor();
  const says = (page, text) => page.getByRole("button", { name: text }).first().waitFor();

  it("Sonar is killed: the page says so, and is live again without a reload", async () => {
    const { network, browser } = stage;
    const view = await browser.open(network.sonar);
    const { page } = view;
    await view.goto("/");
    await says(page, /^Live/);
    await page.evaluate(() => (globalThis.untouched = true));
    network.signal("sonar serve", "SIGSTOP");
    network.signal("sonar serve", "SIGKILL");
    await isNotLive(page);
    // The local network starts it again.
    await says(page, /^Live/);
    assert.ok(await page.evaluate(() => globalThis.untouched), "the page was not loaded anew");
    await view.check("recovered");
    await view.close();
  });

  it("the chain stalls: the page says which link is down", async () => {
    const { network, browser } = stage;
    const view = await browser.open(network.sonar);
    const { page } = view;
    await view.goto("/");
    await says(page, /^Live/);
    network.signal("anvil", "SIGSTOP");
    try {
      await says(page, /chain/i);
      await view.check("stalled");
    } finally {
      network.signal("anvil", "SIGCONT");
    }
    await says(page, /^Live/);
    assert.equal(await indicator(page).count(), 1);
    await view.close();
  });
}
