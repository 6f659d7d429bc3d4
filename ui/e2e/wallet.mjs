// Contract calls through a browser wallet that announces itself (EIP-6963). The wallet is injected; chain and contracts are real.
import assert from "node:assert/strict";
import { it } from "node:test";

/** Announces a wallet in the page, whose requests go to `walletRequest`. Nothing is connected before it is asked. */
function announce() {
  const provider = {
    request: call => globalThis.walletRequest(JSON.stringify(call)).then(JSON.parse),
    on() {},
    removeListener() {},
  };
  const info = {
    uuid: "6f1c4d0e-7a1d-4f3b-9d83-5a1a5a1c0de1",
    name: "Test wallet",
    icon: "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'/>",
    rdns: "test.wallet",
  };
  const detail = Object.freeze({ info, provider });
  const say = () => globalThis.dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail }));
  globalThis.addEventListener("eip6963:requestProvider", say);
  say();
}

/** A page with a wallet that has this account of the chain. */
async function openWith(stage, account) {
  const { network, browser } = stage;
  await network.rpc("anvil_impersonateAccount", [account]);
  const view = await browser.open(network.sonar, { init: announce });
  let connected = false;
  await view.context.exposeBinding("walletRequest", async (_, text) => {
    const { method, params } = JSON.parse(text);
    if (method === "eth_requestAccounts") connected = true;
    const own = method === "eth_requestAccounts" || method === "eth_accounts";
    return JSON.stringify(own ? (connected ? [account] : []) : await network.rpc(method, params));
  });
  return view;
}

async function connect(page) {
  await page.getByRole("button", { name: "Connect", exact: true }).click();
  await page.getByRole("menuitem", { name: /test wallet/i }).click();
  await page
    .getByRole("link", { name: /^(0x|.*0x)/ })
    .first()
    .waitFor();
}

async function act(page, name) {
  await page.getByRole("button", { name }).first().click();
  const dialogue = page.getByRole("dialog");
  await dialogue.getByRole("button", { name }).click();
  await dialogue.getByText("Done.").waitFor();
}

export function wallet(stage) {
  it("the Capsule's operator connects a wallet and withdraws the fee", async () => {
    const { network } = stage;
    const { capsule } = await network.json(`/api/v1/campaigns/${network.campaign}`);
    const view = await openWith(stage, capsule);
    await view.goto(`/campaigns/${network.campaign}`);
    await connect(view.page);
    await view.page.getByText("Your account in this campaign").waitFor();
    await view.check("connected");
    await act(view.page, /^Withdraw$/);
    await view.check("withdrawn");
    await view.close();
    const { campaigns } = await network.json(`/api/v1/accounts/${capsule}`);
    const item = campaigns.find(item => item.campaign === network.campaign && item.role === "capsule");
    assert.ok(item === undefined || item.owed === "0", JSON.stringify(item));
  });

  it("a data scientist closes a campaign", async () => {
    const { network } = stage;
    // Nobody trains, so that it is still open.
    network.signal("mine run", "SIGSTOP");
    try {
      const id = await network.relaunch();
      await network.reached(id, "open");
      const { owner } = await network.json(`/api/v1/campaigns/${id}`);
      const view = await openWith(stage, owner);
      await view.goto(`/campaigns/${id}`);
      await connect(view.page);
      await act(view.page, /^Close/);
      await view.close();
      await network.reached(id, "closed", "finalized", "released");
    } finally {
      network.signal("mine run", "SIGCONT");
    }
  });
}
