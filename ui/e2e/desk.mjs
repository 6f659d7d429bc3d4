// The desk of the data scientist: accounts, and the result of their campaign.
import { it } from "node:test";
import { openDesk } from "./local.mjs";
import { PASSPHRASE } from "./mine.mjs";

export function desk(stage) {
  it("the data scientist unlocks an account and fetches the result", async () => {
    const { network, browser } = stage;
    const opened = await openDesk(network);
    try {
      const view = await opened.opener(browser)();
      const { page } = view;
      for (const path of ["/", "/accounts", "/launches", "/new"]) {
        await view.goto(path);
        await page.getByRole("heading", { level: 1 }).waitFor();
        await view.loaded();
        await view.check(`desk ${path}`);
      }
      await view.goto("/accounts");
      await page
        .getByRole("button", { name: /unlock/i })
        .first()
        .click();
      await page.getByLabel("Passphrase").first().fill(PASSPHRASE);
      await page.getByLabel("Passphrase").first().press("Enter");
      await page.getByRole("button", { name: /^lock/i }).first().waitFor();
      await view.check("unlocked");
      await view.goto(`/campaigns/${network.campaign}/result`);
      await page.getByRole("button", { name: /fetch/i }).first().click();
      await page
        .getByText(/safetensors/)
        .first()
        .waitFor();
      await view.check("result");
      await view.close();
    } finally {
      await opened.stop();
    }
  });
}
