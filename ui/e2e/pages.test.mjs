// The pages in a real browser, served by the programs of a real network. One network and one browser for all tests.
import { after, before, describe } from "node:test";
import { Browser, CHROMIUM } from "./browser.mjs";
import { capsule } from "./capsule.mjs";
import { dashboard } from "./dashboard.mjs";
import { desk } from "./desk.mjs";
import { mine } from "./mine.mjs";
import { Network } from "./network.mjs";
import { recovery } from "./recovery.mjs";
import { wallet } from "./wallet.mjs";

// As all tests whose program is missing: skipped, except where nothing may be.
const skip = !CHROMIUM && !process.env.CI && "Chromium is missing (Debian: apt-get install chromium)";

describe("pages", { skip }, () => {
  const stage = {};
  before(async () => {
    [stage.network, stage.browser] = await Promise.all([Network.start(), Browser.launch()]);
  });
  after(async () => {
    await stage.browser?.close();
    await stage.network?.stop();
  });
  dashboard(stage);
  wallet(stage);
  mine(stage);
  capsule(stage);
  desk(stage);
  recovery(stage);
});
