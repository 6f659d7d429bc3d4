// The page of a Capsule.
import assert from "node:assert/strict";
import { it } from "node:test";
import { openLocal } from "./local.mjs";

export function capsule(stage) {
  it("the operator sees campaigns, stake, fees and keys", async () => {
    const { network, browser } = stage;
    const view = await openLocal(browser, network, "capsule", "capsule")();
    const { page } = view;
    await page.getByRole("heading", { level: 1 }).waitFor();
    await view.loaded();
    const { name } = await network.json(`/api/v1/campaigns/${network.campaign}`);
    await page.getByText(name).first().waitFor();
    for (const text of [/stake/i, /fee/i, /launch/i]) await page.getByText(text).first().waitFor();
    await view.check("capsule");
    await view.close();
  });

  it("public facts need no session, the operator's do", async () => {
    const { network } = stage;
    const { endpoint } = (await network.json("/api/v1/capsules")).items[0];
    assert.equal((await fetch(`${endpoint}/healthz`)).status, 200);
    assert.equal((await fetch(`${endpoint}/api/v1/status`)).status, 200);
    assert.equal((await fetch(`${endpoint}/api/capsule/status`)).status, 401);
  });
}
