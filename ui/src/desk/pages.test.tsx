import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { AccountsPage } from "./Accounts";
import { AuditPage } from "./Audit";
import { LaunchPage } from "./Launch";
import { LaunchesPage } from "./Launches";
import { FULL } from "./new/draft.fixture";
import { load, save } from "./new/store";
import { ADDRESS, account, answer, DATA_TOKEN, launch, Refused, show } from "./page.fixture";
import { ResultPage } from "./Result";
import type { Launch } from "./types";

const plain = (element: HTMLElement) => element.textContent?.replaceAll("\u00a0", " ") ?? "";
const problem = (status: number, code: string, detail: string) => ({
  type: "about:blank",
  title: code,
  status,
  code,
  detail,
  retryable: false,
});
const soon = () => Math.floor(Date.now() / 1000) + 600;

// Whole pages, on a machine that may be busy.
vi.setConfig({ testTimeout: 30_000 });

beforeEach(() => localStorage.clear());

describe("accounts", () => {
  const campaigns = (items: unknown[]) => ({
    [`GET /api/v1/accounts/${ADDRESS}`]: { address: ADDRESS, campaigns: items },
  });

  it("show exact balances, and whether the keys are in memory", async () => {
    answer({
      "GET /api/desk/accounts": { items: [account({ unlocked_until: soon() })], problem: null },
      ...campaigns([]),
    });
    await show(AccountsPage, "/accounts");
    const balances = await screen.findByRole("list", { name: "Balances of me" });
    expect(plain(balances)).toBe("1.000000000000000001ETH12,500DATA");
    expect(screen.getByText(/^Unlocked for/)).toHaveTextContent(/Unlocked for (9:5\d|10:00)/);
    expect(screen.getByRole("button", { name: "Lock" })).toBeEnabled();
  });

  it("are empty at first, and say what one is for", async () => {
    answer({ "GET /api/desk/accounts": { items: [], problem: null } });
    await show(AccountsPage, "/accounts");
    expect(await screen.findByRole("heading", { name: "No account yet" })).toBeVisible();
  });

  it("say why balances are missing", async () => {
    const missing = problem(503, "RPC", "the chain node does not answer");
    answer({
      "GET /api/desk/accounts": { items: [account({ balances: [] })], problem: missing },
      ...campaigns([]),
    });
    await show(AccountsPage, "/accounts");
    expect(await screen.findByText(/Balances are missing: the chain node does not answer/)).toBeVisible();
  });

  it("without money show how to get some", async () => {
    const empty = account({ balances: [{ token: DATA_TOKEN, symbol: "DATA", decimals: 18, amount: "0" }] });
    answer({ "GET /api/desk/accounts": { items: [empty], problem: null }, ...campaigns([]) });
    await show(AccountsPage, "/accounts");
    expect(await screen.findByText(`localnet fund ${ADDRESS}`)).toBeVisible();
  });

  it("are unlocked for the chosen time, and a wrong passphrase is said", async () => {
    const user = userEvent.setup();
    const asked = answer({
      "GET /api/desk/accounts": { items: [account()], problem: null },
      "POST /api/desk/accounts/me/unlock": ({ body }: { body: { passphrase: string } }) =>
        body.passphrase === "right"
          ? account()
          : new Refused(403, "WRONG_PASSPHRASE", "the passphrase is wrong"),
      ...campaigns([]),
    });
    await show(AccountsPage, "/accounts");
    await user.click(await screen.findByRole("button", { name: "Unlock" }));
    const dialogue = await screen.findByRole("dialog", { name: "Unlock me" });
    await user.click(within(dialogue).getByText("60 min"));
    await user.type(within(dialogue).getByLabelText(/Passphrase/), "wrong{Enter}");
    expect(await within(dialogue).findByText("the passphrase is wrong")).toBeVisible();
    await user.clear(within(dialogue).getByLabelText(/Passphrase/));
    await user.type(within(dialogue).getByLabelText(/Passphrase/), "right{Enter}");
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    expect(asked.filter(({ method }) => method === "POST").at(-1)?.body).toEqual({
      passphrase: "right",
      minutes: 60,
    });
  });

  it("need a long passphrase, twice, and that it is stored", async () => {
    const user = userEvent.setup();
    const asked = answer({
      "GET /api/desk/accounts": { items: [], problem: null },
      "POST /api/desk/accounts": account(),
    });
    await show(AccountsPage, "/accounts");
    await user.click((await screen.findAllByRole("button", { name: "New account" }))[0] as HTMLElement);
    const dialogue = await screen.findByRole("dialog", { name: "New account" });
    const make = within(dialogue).getByRole("button", { name: "Make the account" });
    await user.type(within(dialogue).getByLabelText(/^Name/), "me");
    await user.type(within(dialogue).getByLabelText(/^Passphrase/), "too short");
    await user.click(make);
    expect(within(dialogue).getByText("Use 12 characters or more.")).toBeVisible();
    expect(within(dialogue).getByText("The passphrases differ.")).toBeVisible();
    expect(asked.some(({ method }) => method === "POST")).toBe(false);
    await user.type(within(dialogue).getByLabelText(/^Passphrase/), " no more");
    await user.type(within(dialogue).getByLabelText(/^Repeat/), "too short no more");
    await user.click(within(dialogue).getByRole("checkbox"));
    await user.click(make);
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    expect(asked.find(({ method }) => method === "POST")?.body).toEqual({
      name: "me",
      passphrase: "too short no more",
    });
  });

  it("withdraw after one sentence with the amount, the unlock and the passphrase", async () => {
    const user = userEvent.setup();
    let state = "locked";
    const item = { campaign: "0xca", name: "Tumours", token: DATA_TOKEN, state: "finalized", role: "miner" };
    const asked = answer({
      "GET /api/desk/accounts": { items: [account()], problem: null },
      "GET /api/v1/tokens": {
        items: [{ address: DATA_TOKEN, symbol: "DATA", decimals: 18, verified: true }],
      },
      "GET /api/v1/campaigns/0xca": { id: "0xca" },
      "POST /api/desk/campaigns/0xca/withdraw": () => {
        if (state === "locked") return new Refused(403, "ACCOUNT_LOCKED", "locked");
        if (state === "unlocked") return new Refused(403, "REAUTHENTICATE", "enter it again");
        return { transaction: `0x${"ab".repeat(32)}`, block: 12, gas: 50_000, transactions: [] };
      },
      "POST /api/desk/accounts/me/unlock": () => {
        state = "unlocked";
        return account();
      },
      "POST /api/session/passphrase": () => {
        state = "spends";
        return {};
      },
      ...campaigns([
        { ...item, owed: "17000000000000000001", free_stake: "0", actions: ["withdraw", "unheard_of"] },
      ]),
    });
    await show(AccountsPage, "/accounts");
    await user.click(await screen.findByRole("button", { name: "Withdraw" }));
    const dialogue = await screen.findByRole("dialog", { name: "Withdraw?" });
    const sentence = await within(dialogue).findByText(/^This sends/);
    expect(plain(sentence)).toBe("This sends 17.000000000000000001 DATA from the campaign to me.");
    await user.click(within(dialogue).getByRole("button", { name: "Withdraw" }));
    const unlock = await screen.findByRole("dialog", { name: "Unlock me" });
    await user.type(within(unlock).getByLabelText(/Passphrase/), "right{Enter}");
    const again = await screen.findByRole("dialog", { name: "Enter your passphrase" });
    await user.type(within(again).getByLabelText(/Passphrase/), "right{Enter}");
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    expect(asked.filter(({ path }) => path.endsWith("/withdraw"))).toHaveLength(3);
  });
});

describe("launches", () => {
  const at = (view: Launch) => answer({ "GET /api/desk/launches/a1": view });
  const open = () => show(LaunchPage, "/launches/a1", "/launches/$id");

  it("show each step with its state", async () => {
    at(launch("running", 2));
    await open();
    const steps = within(await screen.findByRole("list", { name: "Steps of the launch" })).getAllByRole(
      "listitem",
    );
    expect(steps.map(step => step.textContent?.match(/(Done|Running|Waiting|Stopped)$/)?.[0])).toEqual([
      "Done",
      "Done",
      "Running",
      "Waiting",
      "Waiting",
    ]);
  });

  it("that stopped say why, and are resumed", async () => {
    const user = userEvent.setup();
    const error = problem(503, "RPC", "the chain node does not answer");
    const asked = answer({
      "GET /api/desk/launches/a1": launch("failed", 3, { error }),
      "POST /api/desk/launches/a1/resume": launch("running", 3),
    });
    await open();
    expect(await screen.findByText("the chain node does not answer")).toBeVisible();
    await user.click(screen.getByRole("button", { name: "Resume Tumours" }));
    await waitFor(() => expect(screen.queryByText("the chain node does not answer")).toBeNull());
    expect(asked.some(({ method, path }) => method === "POST" && path.endsWith("/resume"))).toBe(true);
  });

  it("that cannot be resumed lead to the draft", async () => {
    const error = problem(409, "UNKNOWN_PLAN", "nothing was paid: plan it again");
    at(launch("failed", 0, { error, resumable: false }));
    await open();
    expect(await screen.findByRole("link", { name: "Go to the draft" })).toHaveAttribute("href", "/new");
    expect(screen.queryByRole("button", { name: /Resume/ })).toBeNull();
  });

  it("that are done lead to the campaign, and end the draft", async () => {
    save({ ...FULL, launch: "a1" });
    at(launch("done", 5));
    await open();
    expect(await screen.findByRole("link", { name: "Follow the campaign" })).toHaveAttribute(
      "href",
      "/campaigns/0xca",
    );
    await waitFor(() => expect(load().name).toBe(""));
  });

  it("keep the draft of another campaign", async () => {
    save({ ...FULL, launch: "other" });
    at(launch("done", 5));
    await open();
    await screen.findByRole("link", { name: "Follow the campaign" });
    expect(load().launch).toBe("other");
  });

  it("are listed with the place where they stopped, after the draft that waits", async () => {
    save(FULL);
    answer({ "GET /api/desk/launches": { items: [launch("failed", 3), launch("done", 5, { id: "b" })] } });
    await show(LaunchesPage, "/launches");
    expect(await screen.findByText("Stopped in step 4 of 5: open.")).toBeVisible();
    expect(screen.getByText("All steps are done.")).toBeVisible();
    expect(screen.getByText(/waits in step 7 of 8/)).toBeVisible();
  });

  it("are empty at first", async () => {
    answer({ "GET /api/desk/launches": { items: [] } });
    await show(LaunchesPage, "/launches");
    expect(await screen.findByRole("heading", { name: "No launch yet" })).toBeVisible();
  });
});

describe("the owner's pages", () => {
  const campaign = {
    id: "0xca",
    name: "Tumours",
    owner: ADDRESS.toUpperCase().replace("0X", "0x"),
    state: "finalized",
    token: DATA_TOKEN,
    target_ppm: 950_000,
    version: 3,
    terms: { grid_ppm: 5_000, stake: "500000000000000000" },
  };
  const routes = (changes: object = {}) => ({
    "GET /api/desk/accounts": { items: [account({ unlocked_until: soon() })], problem: null },
    "GET /api/v1/campaigns/0xca": { ...campaign, ...changes },
  });
  const result = {
    accuracy_ppm: 926_124,
    attested_ppm: 925_000,
    as_attested: true,
    files: [{ format: "onnx", name: "campaign-ca.onnx", bytes: 1_230_000 }],
    unavailable: [{ format: "npz", reason: "a network has no archive" }],
    confusion: {
      classes: ["no", "yes"],
      counts: [
        [8, 2],
        [0, 5],
      ],
    },
    residuals: null,
    warnings: ["the statement was read from `cache`"],
  };
  const openResult = () => show(ResultPage, "/campaigns/0xca/result", "/campaigns/$id/result");
  const openAudit = () => show(AuditPage, "/campaigns/0xca/audit", "/campaigns/$id/audit");

  it("show measured beside attested, downloads, the matrix and Python", async () => {
    const user = userEvent.setup();
    const asked = answer({ ...routes(), "POST /api/desk/campaigns/0xca/result": result });
    await openResult();
    await user.click(await screen.findByRole("button", { name: "Fetch and measure" }));
    expect(await screen.findByText("The measured accuracy agrees with the attested one.")).toBeVisible();
    expect(screen.getByRole("link", { name: "Download campaign-ca.onnx" })).toHaveAttribute(
      "href",
      "/api/desk/campaigns/0xca/result/onnx",
    );
    expect(screen.getByText("A network has no archive.")).toBeVisible();
    expect(screen.getByRole("table")).toHaveTextContent("no8280.0 %");
    expect(screen.getByText(/onnxruntime.InferenceSession\("campaign-ca.onnx"/)).toBeVisible();
    expect(screen.getByText("cache").tagName).toBe("CODE");
    expect(asked.find(({ method }) => method === "POST")?.body).toEqual({ account: "me" });
  });

  it("warn if the accuracy is not the attested one", async () => {
    const user = userEvent.setup();
    answer({
      ...routes(),
      "POST /api/desk/campaigns/0xca/result": { ...result, accuracy_ppm: 900_000, as_attested: false },
    });
    await openResult();
    await user.click(await screen.findByRole("button", { name: "Fetch and measure" }));
    expect(await screen.findByText(/differs from the attested one by −2.5 points/)).toBeVisible();
  });

  it("say why there is no result", async () => {
    const user = userEvent.setup();
    answer({
      ...routes(),
      "POST /api/desk/campaigns/0xca/result": new Refused(409, "NO_FILE", "no validation set"),
    });
    await openResult();
    await user.click(await screen.findByRole("button", { name: "Fetch and measure" }));
    expect(await screen.findByRole("alert")).toHaveTextContent("no validation set");
  });

  it("are for campaigns that are delivered, and for their owners", async () => {
    answer(routes({ state: "open" }));
    await openResult();
    expect(await screen.findByRole("heading", { name: "The result is not available yet" })).toBeVisible();
    answer(routes({ owner: DATA_TOKEN }));
    await openAudit();
    expect(
      await screen.findByRole("heading", { name: "The audit belongs to another account" }),
    ).toBeVisible();
  });

  it("show a line for each version, and offer what the audit found", async () => {
    const user = userEvent.setup();
    answer({
      ...routes(),
      "POST /api/desk/campaigns/0xca/audit": {
        honest: false,
        convicts: true,
        stake: "500000000000000000",
        locked: true,
        free_from: soon(),
        versions: [
          { version: 1, verdict: "honest", detail: "", attested_ppm: 900_000, measured_ppm: 900_000 },
          {
            version: 2,
            verdict: "provable",
            detail: "the ciphertext differs",
            attested_ppm: 920_000,
            measured_ppm: null,
          },
        ],
        warnings: [],
      },
    });
    await openAudit();
    await user.click(await screen.findByRole("button", { name: "Audit" }));
    const versions = await screen.findByRole("list");
    expect(within(versions).getAllByRole("listitem").map(plain)).toEqual([
      "Version 1HonestAs publishedattested 90.0 % · measured 90.0 %",
      "Version 2ProvableThe ciphertext differs.attested 92.0 % · measured –",
    ]);
    expect(screen.getByRole("button", { name: "Convict the Capsule" })).toBeEnabled();
  });
});

it("without a session shows how to open the pages", async () => {
  answer({ "GET /api/session": new Refused(401, "NO_SESSION", "no session") });
  await show(AccountsPage, "/accounts");
  expect(await screen.findByRole("heading", { name: "This page is locked" })).toBeVisible();
  expect(screen.getByText("sonar ui")).toBeVisible();
});
