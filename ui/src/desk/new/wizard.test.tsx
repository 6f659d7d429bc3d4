import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { NewPage } from "../New";
import { account, answer, DATA_TOKEN, Refused, show } from "../page.fixture";
import { EMPTY } from "./draft";
import { FULL } from "./draft.fixture";
import { held, load, save } from "./store";

const TOML = `inputs = [
  { name = "radius", min = 6, max = 30 },
]

[task]
kind = "classification"
target = "verdict"
classes = ["benign", "malignant"]

[accuracy]
target = 0.91   # pays the whole bounty; who always answers \`benign\` is right in 63 %
`;
const DRAFT = {
  toml: TOML,
  guesses: ["column `id` is left out: it only numbers the rows"],
  rows: 400,
  columns: [
    { name: "id", kind: "number", min: 1, max: 400, classes: null },
    { name: "radius", kind: "number", min: 6, max: 30, classes: null },
    { name: "verdict", kind: "category", min: null, max: null, classes: ["benign", "malignant"] },
  ],
};
const ONE = 10n ** 18n;
const PLAN = {
  plan_id: "p1",
  name: "Tumours",
  terms: {},
  outlook: {
    start_ppm: 630_000,
    leak_bits: 71.24,
    regime: "encrypted",
    model: "identity",
    warnings: ["steps are coarse"],
  },
  privacy: { regime: "encrypted", model: { weights: 62, least_weights: 128, secret: false }, parties: [] },
  cost: {
    bounty: (1000n * ONE).toString(),
    fee: (50n * ONE).toString(),
    gas_estimate: "391000000000000",
    token: DATA_TOKEN,
    symbol: "DATA",
    decimals: 18,
    balance: (12_500n * ONE).toString(),
    gas_balance: ONE.toString(),
    affordable: true,
  },
  capsule: { operator: `0x${"cc".repeat(20)}`, fee_ppm: 50_000, stake: (ONE / 10n).toString() },
  examples: [{ delta_ppm: 10_000, amount: "10989010989010989010" }],
  earlier: null,
};
const ROUTES = {
  "GET /api/desk/accounts": { items: [account()], problem: null },
  "GET /api/v1/tokens": { items: [{ address: DATA_TOKEN, symbol: "DATA", decimals: 18, verified: true }] },
  "GET /api/v1/capsules": { items: [] },
  "GET /api/v1/statistics": { total: { capsules: [] } },
  "POST /api/desk/draft": DRAFT,
};
const FILE = new File(["id,radius,verdict\n1,SECRET,benign\n"], "tumours.csv", { type: "text/csv" });
const plain = (element: HTMLElement) => element.textContent?.replaceAll("\u00a0", " ") ?? "";
const open = () => show(NewPage, "/new");

// Whole pages, on a machine that may be busy.
vi.setConfig({ testTimeout: 30_000 });

beforeEach(() => {
  localStorage.clear();
  held.validation = null;
  held.initial = null;
});

describe("the wizard", () => {
  it("says what is missing, and focuses it", async () => {
    const user = userEvent.setup();
    answer(ROUTES);
    await open();
    await user.click(await screen.findByRole("button", { name: "Continue" }));
    const name = screen.getByLabelText(/^Name/);
    expect(name).toBeInvalid();
    await waitFor(() => expect(name).toHaveFocus());
    expect(screen.getByRole("button", { name: /Bounty/ })).toBeDisabled();
  });

  it("sends the file to the desk only, shows what was found, and stores no row", async () => {
    const user = userEvent.setup();
    const asked = answer(ROUTES);
    save({ ...EMPTY, step: "data", reached: "data", name: "Tumours" });
    await open();
    await user.upload(await screen.findByLabelText(/Drop a CSV file/), FILE);
    expect(await screen.findByText("The model reads 1 of 2 columns")).toBeVisible();
    expect(screen.getByLabelText("Maximum of radius")).toHaveValue("30");
    expect(screen.getByText(/it only numbers the rows/)).toBeVisible();
    const body = asked.find(({ path }) => path === "/api/desk/draft")?.body;
    expect(body).toEqual({ csv: btoa("id,radius,verdict\n1,SECRET,benign\n"), file_name: "tumours.csv" });
    await user.clear(screen.getByLabelText("Maximum of radius"));
    await user.click(screen.getByRole("button", { name: "Continue" }));
    expect(screen.getByText("radius: Enter two numbers.")).toBeVisible();
    await user.type(screen.getByLabelText("Maximum of radius"), "40");
    await user.click(screen.getByRole("button", { name: "Continue" }));
    expect(await screen.findByRole("heading", { name: "Model" })).toHaveFocus();
    await waitFor(() => expect(load().step).toBe("model"));
    expect(load().data?.inputs[1]?.max).toBe("40");
    expect(JSON.stringify(localStorage)).not.toMatch(/SECRET|U0VDUkVU/);
  });

  it("says why a file cannot be used", async () => {
    const user = userEvent.setup();
    answer({
      ...ROUTES,
      "POST /api/desk/draft": new Refused(400, "DATA", "line 3 has 4 cells instead of 3"),
    });
    save({ ...EMPTY, step: "data", reached: "data", name: "Tumours" });
    await open();
    await user.upload(await screen.findByLabelText(/Drop a CSV file/), FILE);
    expect(await screen.findByRole("alert")).toHaveTextContent("line 3 has 4 cells instead of 3");
  });

  it("asks for the file again after a reload, and keeps the corrections", async () => {
    const user = userEvent.setup();
    const asked = answer(ROUTES);
    save({ ...FULL, step: "data" });
    await open();
    expect(await screen.findByText(/again. Its rows are never kept/)).toBeVisible();
    await user.upload(screen.getByLabelText(/Drop a CSV file/), FILE);
    await waitFor(() => expect(screen.queryByText(/again. Its rows are never kept/)).toBeNull());
    expect(asked.find(({ path }) => path === "/api/desk/draft")?.body).toMatchObject({
      target: "verdict",
      task: "classification",
    });
  });

  it("shows what a point pays, exactly", async () => {
    answer(ROUTES);
    save({ ...FULL, step: "bounty", goal: "80", start: "40" });
    await open();
    const preview = await screen.findByRole("region", { name: "Payouts" });
    expect(plain(preview)).toContain("Each point of accuracy pays 12.5 ETH.");
    expect(plain(preview)).toContain("miners earn at most 500 ETH. At least 500 ETH comes back to you");
  });

  it("discards a draft", async () => {
    const user = userEvent.setup();
    answer(ROUTES);
    save(FULL);
    await open();
    await user.click(await screen.findByRole("button", { name: "Discard the draft" }));
    expect(await screen.findByRole("heading", { name: "What is the model for?" })).toBeVisible();
    await waitFor(() => expect(localStorage).toHaveLength(0));
  });
});

describe("review and launch", () => {
  it("plan once, name the amounts, and lead to the launch", async () => {
    const user = userEvent.setup();
    held.validation = FILE;
    const asked = answer({
      ...ROUTES,
      "POST /api/desk/plan": PLAN,
      "POST /api/desk/launches": { id: "a1" },
    });
    save(FULL);
    const router = await open();
    expect(await screen.findByText("Steps are coarse.")).toBeVisible();
    expect(plain(screen.getByRole("region", { name: "What it costs" }))).toContain("Into escrow1,050 DATA");
    const [plan] = asked.filter(({ path }) => path === "/api/desk/plan");
    expect(plan?.body).toMatchObject({ account: "me", files: { "tumours.csv": btoa(await FILE.text()) } });
    expect(plan?.body.toml).toContain('bounty = "1000"');
    await user.click(screen.getByRole("button", { name: "Continue" }));
    const consent = await screen.findByText(/^This puts/);
    expect(plain(consent)).toBe(
      "This puts 1,000 DATA of bounty and at most 50 DATA of fee into escrow from me, and costs about 0.000391 ETH for gas.",
    );
    await user.click(screen.getByRole("button", { name: "Launch and pay" }));
    await waitFor(() => expect(router.state.location.pathname).toBe("/launches/a1"));
    expect(asked.filter(({ path }) => path === "/api/desk/plan")).toHaveLength(1);
    expect(asked.find(({ path }) => path === "/api/desk/launches")?.body).toEqual({
      account: "me",
      plan_id: "p1",
      again: false,
    });
    expect(load().launch).toBe("a1");
  });

  it("ask to unlock the account, and can be resumed after the dialogue was closed", async () => {
    const user = userEvent.setup();
    held.validation = FILE;
    let unlocked = false;
    answer({
      ...ROUTES,
      "POST /api/desk/plan": () => (unlocked ? PLAN : new Refused(403, "ACCOUNT_LOCKED", "locked")),
      "POST /api/desk/accounts/me/unlock": () => {
        unlocked = true;
        return account();
      },
    });
    save(FULL);
    await open();
    const first = await screen.findByRole("dialog", { name: "Unlock me" });
    await user.click(within(first).getByRole("button", { name: "Cancel" }));
    await user.click(await screen.findByRole("button", { name: "Unlock and check" }));
    const second = await screen.findByRole("dialog", { name: "Unlock me" });
    await user.type(within(second).getByLabelText(/Passphrase/), "right{Enter}");
    expect(await screen.findByText("Steps are coarse.")).toBeVisible();
  });

  it("show the desk's reason against a plan", async () => {
    held.validation = FILE;
    answer({
      ...ROUTES,
      "POST /api/desk/plan": new Refused(400, "CAMPAIGN_FILE", "accuracy.target is not above the start"),
    });
    save(FULL);
    await open();
    expect(await screen.findByRole("alert")).toHaveTextContent("accuracy.target is not above the start");
  });

  it("need the file again after a reload", async () => {
    const asked = answer(ROUTES);
    save(FULL);
    await open();
    expect(await screen.findByRole("button", { name: "Choose the file" })).toBeVisible();
    expect(asked.some(({ path }) => path === "/api/desk/plan")).toBe(false);
  });

  it("refuse to launch what the account cannot pay, and say that files were launched before", async () => {
    const user = userEvent.setup();
    held.validation = FILE;
    const poor = { ...PLAN, earlier: "0xca", cost: { ...PLAN.cost, affordable: false } };
    answer({ ...ROUTES, "POST /api/desk/plan": poor });
    save(FULL);
    await open();
    expect(await screen.findByText(/That is not enough/)).toBeVisible();
    await user.click(screen.getByRole("button", { name: "Continue" }));
    expect(await screen.findByText(/The same files were launched before/)).toBeVisible();
    expect(screen.getByRole("button", { name: "Launch and pay" })).toBeDisabled();
  });
});
