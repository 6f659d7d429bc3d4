// A Mine's pages: its owner sees what it does and earns, pauses it, and withdraws.
import assert from "node:assert/strict";
import { it } from "node:test";
import { openLocal } from "./local.mjs";

/** Passphrase of all accounts of a local network. */
export const PASSPHRASE = "local network";

export function mine(stage) {
  const open = options => openLocal(stage.browser, stage.network, "mine", "mine-1")(options);

  for (const path of ["/", "/campaigns", "/earnings", "/privacy", "/activity", "/data", "/health"]) {
    it(`a Mine's ${path} has no violation and asks nobody else`, async () => {
      const view = await open();
      await view.goto(path);
      await view.page.getByRole("heading", { level: 1 }).waitFor();
      await view.loaded();
      await view.check(path);
      await view.close();
    });
  }

  it("a Mine is paused and resumed from its page, without a reload", async () => {
    const view = await open();
    const { page } = view;
    await page.getByRole("button", { name: /^running/i }).click();
    await page.getByRole("menuitem", { name: "Pause now" }).click();
    await page.getByRole("button", { name: /^paused/i }).click();
    await page.getByRole("menuitem", { name: "Resume now" }).click();
    await page.getByRole("button", { name: /^running/i }).waitFor();
    await view.check("paused and resumed");
    await view.close();
  });

  it("a Mine's owner withdraws what a campaign paid, by keyboard alone", async () => {
    const { network } = stage;
    const id = await network.relaunch();
    await network.reached(id, "finalized", "released");
    const account = network.report.miners.find(miner => miner.name === "mine-1").address;
    const owed = async () => {
      const { campaigns } = await network.json(`/api/v1/miners/${account}`);
      return BigInt(campaigns.find(item => item.campaign === id)?.owed ?? 0);
    };
    assert.ok((await owed()) > 0n, "the Mine has earned something");
    const view = await open();
    const { page } = view;
    await page.getByRole("heading", { level: 1 }).waitFor();
    const enter = async (role, name) => {
      const target = page.getByRole(role, { name }).first();
      await target.waitFor();
      await target.focus();
      await page.keyboard.press("Enter");
    };
    await enter("button", "Withdraw");
    await enter("button", /^Withdraw \d/);
    await page.getByLabel("Passphrase").first().waitFor();
    await page.keyboard.type(PASSPHRASE);
    await page.keyboard.press("Enter");
    await page.getByText(/^Withdrew /).waitFor();
    await view.check("withdrawn");
    await view.close();
    assert.equal(await owed(), 0n, "Sonar shows that it is withdrawn");
  });

  it("without a session the page says how to open it, and shows nothing", async () => {
    const view = await open();
    const { origin } = view;
    await view.close();
    const stranger = await stage.browser.open(origin);
    await stranger.goto("/earnings");
    await stranger.page.getByText("mine ui").first().waitFor();
    await stranger.check("locked");
    await stranger.close();
    const answer = await fetch(`${origin}/api/mine/earnings`);
    assert.equal(answer.status, 401);
  });
}
