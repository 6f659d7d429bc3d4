// The public dashboard: what a passer-by sees of a finished campaign.
import assert from "node:assert/strict";
import { it } from "node:test";

export function dashboard(stage) {
  it("a finished campaign is found in the list and explored", async () => {
    const { network, browser } = stage;
    const detail = await network.json(`/api/v1/campaigns/${network.campaign}`);
    const view = await browser.open(network.sonar);
    const { page } = view;
    await view.goto("/");
    await page.getByRole("link", { name: detail.name }).first().click();
    await page.getByRole("heading", { level: 1, name: detail.name }).waitFor();
    const percent = `${(detail.best_ppm / 10_000).toFixed(1)} %`;
    await page.getByText(percent).first().waitFor();
    await view.check("campaign");
    await view.close();
  });

  for (const path of ["/", "/models", "/capsules", "/miners", "/statistics", "/compare", "/new"]) {
    it(`${path} has no violation and asks nobody else`, async () => {
      const view = await stage.browser.open(stage.network.sonar);
      await view.goto(path);
      await view.page.getByRole("heading", { level: 1 }).waitFor();
      await view.loaded();
      await view.check(path);
      await view.close();
    });
  }

  it("an unknown address is said to be unknown", async () => {
    const view = await stage.browser.open(stage.network.sonar);
    await view.goto("/no-such-page");
    await view.page.getByRole("heading", { name: /not found/i }).waitFor();
    await view.check("not found");
    await view.close();
  });

  it("the server names itself in no cache and answers 304 for unchanged files", async () => {
    const index = await fetch(`${stage.network.sonar}/campaigns/${stage.network.campaign}`, {
      headers: { accept: "text/html" },
    });
    assert.equal(index.headers.get("cache-control"), "no-store");
    const html = await index.text();
    const script = /src="(\/assets\/[^"]+\.js)"/.exec(html)?.[1];
    assert.ok(script, html);
    const file = await fetch(`${stage.network.sonar}${script}`, { headers: { "accept-encoding": "br" } });
    assert.equal(file.headers.get("content-encoding"), "br");
    assert.match(file.headers.get("cache-control"), /immutable/);
    const etag = file.headers.get("etag");
    const again = await fetch(`${stage.network.sonar}${script}`, {
      headers: { "accept-encoding": "br", "if-none-match": etag },
    });
    assert.equal(again.status, 304);
  });
}
