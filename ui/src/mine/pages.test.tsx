import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { renderPage } from "../../test/render";
// Loaded when it is first needed; here before any test waits for it.
import "../shared/PassphraseDialogue";
import { SessionGate } from "../shared/session";
import { Page as Activity } from "./Activity";
import { Page as Campaigns } from "./Campaigns";
import { Page as Data } from "./Data";
import { Page as EarningsPage } from "./Earnings";
import * as fixture from "./fixtures";
import { Page as Health } from "./Health";
import { Page as Home } from "./Home";
import { PauseMenu } from "./PauseMenu";
import { Page as Privacy } from "./Privacy";

type Answer = { status?: number; body: unknown };
type Routes = Record<string, unknown | (() => Answer | "pending")>;

const SESSION = { face: "mine", unlocked_until: null };
const FULL: Routes = {
  "/api/session": SESSION,
  "/api/mine/status": fixture.status,
  "/api/mine/campaigns": { items: fixture.campaigns },
  "/api/mine/jobs": { items: fixture.jobs },
  "/api/mine/earnings": fixture.earnings,
  "/api/mine/privacy": fixture.privacy,
  "/api/mine/data": { items: fixture.dataSets },
  "/api/mine/doctor": { checks: fixture.checks },
  "/api/mine/withdraw": fixture.preview,
};
const EMPTY: Routes = {
  ...FULL,
  "/api/mine/status": { ...fixture.status, now: [], needs: [] },
  "/api/mine/campaigns": { items: [] },
  "/api/mine/jobs": { items: [] },
  "/api/mine/earnings": fixture.noEarnings,
  "/api/mine/privacy": { budget: null, data: [] },
  "/api/mine/data": { items: [] },
};

const problem = (status: number, code: string, detail: string): Answer => ({
  status,
  body: { type: "about:blank", title: code, status, code, detail, retryable: false },
});

/** Every request that was made: "POST /api/mine/withdraw". */
let asked: string[] = [];

/** A fixture of the server: a value, or a function that answers. Keys may name the method. */
function answer(routes: Routes): void {
  asked = [];
  vi.stubGlobal("fetch", (request: Request) => {
    const path = new URL(request.url).pathname;
    asked.push(`${request.method} ${path}`);
    const route = routes[`${request.method} ${path}`] ?? routes[path];
    const found: Answer | "pending" =
      typeof route === "function"
        ? route()
        : route === undefined
          ? problem(404, "NOT_FOUND", `no route ${path}`)
          : { body: route };
    if (found === "pending") return new Promise(() => undefined);
    return Promise.resolve(new Response(JSON.stringify(found.body), { status: found.status ?? 200 }));
  });
}

const show = (page: React.ReactNode) => renderPage(<SessionGate command="mine ui">{page}</SessionGate>);

/** For what a page loads when it needs it. */
const PATIENCE = { timeout: 5_000 };

const plain = () => (document.body.textContent ?? "").replaceAll("\u00a0", " ");

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: fixture.NOW * 1000 });
  vi.stubGlobal(
    "URL",
    Object.assign(URL, { createObjectURL: () => "blob:x", revokeObjectURL: () => undefined }),
  );
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const PAGES: [string, React.ReactNode, string, string, string][] = [
  ["Home", <Home key="p" />, "/api/mine/earnings", "Nothing to do", "Training"],
  ["Campaigns", <Campaigns key="p" />, "/api/mine/campaigns", "No campaign yet", "House prices"],
  ["Earnings", <EarningsPage key="p" />, "/api/mine/earnings", "No submission yet", "Not improved"],
  ["Privacy", <Privacy key="p" />, "/api/mine/privacy", "No data set yet", "patients"],
  ["Activity", <Activity key="p" />, "/api/mine/jobs", "No step yet", "Fetch the model"],
  ["Data", <Data key="p" />, "/api/mine/data", "No data set yet", "pixel_0"],
];

describe.each(PAGES)("%s", (name, page, path, empty, content) => {
  it("shows its data under one heading", async () => {
    answer(FULL);
    await show(page);
    expect((await screen.findAllByText(content))[0]).toBeInTheDocument();
    expect(screen.getAllByRole("heading", { level: 1 }).map(h => h.textContent)).toEqual([name]);
  });

  it("says what would be there while it is empty", async () => {
    answer(EMPTY);
    await show(page);
    expect((await screen.findAllByText(empty))[0]).toBeInTheDocument();
  });

  it("shows its shape while it loads", async () => {
    answer({ ...FULL, [path]: () => "pending" });
    await show(page);
    expect((await screen.findAllByRole("status", { name: "Loading" }))[0]).toBeInTheDocument();
  });

  it("shows an error with its code and a way to try again", async () => {
    answer({ ...FULL, [path]: () => problem(400, "INTERNAL", "the vault cannot be read") });
    await show(page);
    const alert = await screen.findByRole("alert");
    expect(alert).toHaveTextContent("the vault cannot be read");
    expect(alert).toHaveTextContent("INTERNAL");
    expect(within(alert).getByRole("button", { name: "Try again" })).toBeInTheDocument();
  });

  it("is locked without a session", async () => {
    answer({ "/api/session": () => problem(401, "NO_SESSION", "no session") });
    await show(page);
    expect(await screen.findByText("This page is locked")).toBeInTheDocument();
    expect(screen.getByText("mine ui")).toBeInTheDocument();
    expect(asked).toEqual(["GET /api/session"]);
  });
});

it("keeps old data with a notice when the Mine stops answering", async () => {
  let broken = false;
  answer({
    ...FULL,
    "/api/mine/doctor": () =>
      broken ? problem(400, "GONE", "the Mine has stopped") : { body: { checks: fixture.checks } },
  });
  await show(<Health />);
  expect(
    await screen.findByText("1 check failed: Clock.", { normalizer: text => text.replaceAll("\u00a0", " ") }),
  ).toBeVisible();
  broken = true;
  await userEvent.click(screen.getByRole("button", { name: "Check again" }));
  expect(await screen.findByText(/Shown as of .* The Mine has stopped|the Mine has stopped/)).toBeVisible();
  expect(screen.getByRole("heading", { name: "Clock" })).toBeVisible();
});

it("opens every total into rows that sum to it", async () => {
  answer(FULL);
  await show(<Home />);
  await userEvent.click(await screen.findByRole("button", { name: /Show the rows of 30 days/ }));
  const dialogue = await screen.findByRole("dialog");
  expect(dialogue.textContent?.replaceAll("\u00a0", " ")).toContain("Total−0.0029 ETH");
  expect(within(dialogue).getAllByText(/The rows sum to the total, exactly/)).toHaveLength(2);
});

it("explains a decision as the checks in their order", async () => {
  answer(FULL);
  await show(<Campaigns />);
  await userEvent.click(await screen.findByRole("button", { name: "Why? Iris" }));
  const drawer = await screen.findByRole("dialog");
  const steps = within(drawer).getAllByRole("listitem");
  expect(within(steps[0] as HTMLElement).getByRole("img", { name: "Passed" })).toBeInTheDocument();
  expect(within(steps[1] as HTMLElement).getByRole("img", { name: "Stops here" })).toBeInTheDocument();
  expect(steps[1]).toHaveTextContent("mine policy set --clear allow");
});

describe("withdrawing", () => {
  it("shows amounts and gas, asks for the passphrase, and lists the transactions, by keyboard alone", async () => {
    let unlocked = false;
    answer({
      ...FULL,
      "POST /api/session/passphrase": () => {
        unlocked = true;
        return { body: null };
      },
      "POST /api/mine/withdraw": () =>
        unlocked ? { body: fixture.withdrawals } : problem(403, "REAUTHENTICATE", "enter the passphrase"),
    });
    const user = userEvent.setup();
    await show(<Home />);
    await screen.findAllByText("Training");
    screen.getByRole("button", { name: "Withdraw" }).focus();
    await user.keyboard("{Enter}");
    await screen.findByText("Payouts of Digits 8×8");
    expect(plain()).toContain("gas at most 0.00009 ETH");
    expect(plain()).toContain("Left out: gas costs more");
    expect(asked).not.toContain("POST /api/mine/withdraw");

    const confirm = screen.getByRole("button", { name: /^Withdraw 4\.21/ });
    for (let step = 0; step < 8 && document.activeElement !== confirm; step += 1) await user.tab();
    expect(confirm).toHaveFocus();
    expect(confirm.textContent?.replaceAll("\u00a0", " ")).toBe(
      "Withdraw 4.210526315789473684 DATA and 0.015 ETH",
    );
    await user.keyboard("{Enter}");
    const field = await screen.findByLabelText(/^Passphrase/, {}, PATIENCE);
    await user.type(field, "correct{Enter}");
    await screen.findByText("Transactions");
    expect(plain()).toContain("Withdrew 4.210526315789473684 DATA and 0.015 ETH.");
    expect(asked.filter(request => request === "POST /api/mine/withdraw")).toHaveLength(2);
  });

  it("spends nothing when the passphrase is not given", async () => {
    answer({
      ...FULL,
      "POST /api/mine/withdraw": () => problem(403, "REAUTHENTICATE", "enter the passphrase"),
    });
    const user = userEvent.setup();
    await show(<Home />);
    await screen.findAllByText("Training");
    await user.click(screen.getByRole("button", { name: "Withdraw" }));
    await user.click(await screen.findByRole("button", { name: /^Withdraw 4\.21/ }));
    await screen.findByLabelText(/^Passphrase/, {}, PATIENCE);
    const asking = screen.getByRole("dialog", { name: "Enter your passphrase" });
    await user.click(within(asking).getByRole("button", { name: "Cancel" }));
    expect(await screen.findByRole("button", { name: /^Withdraw 4\.21/ })).toBeEnabled();
    expect(screen.queryByRole("alert")).not.toBeInTheDocument();
    expect(asked.filter(request => request === "POST /api/mine/withdraw")).toHaveLength(1);
  });

  it("says what went wrong", async () => {
    answer({ ...FULL, "POST /api/mine/withdraw": () => problem(422, "REVERTED", "the contract refused") });
    await show(<Home />);
    await screen.findAllByText("Training");
    await userEvent.click(screen.getByRole("button", { name: "Withdraw" }));
    await userEvent.click(await screen.findByRole("button", { name: /^Withdraw 4\.21/ }));
    expect(await screen.findByRole("alert")).toHaveTextContent("the contract refused");
  });
});

it("pauses with one choice, and shows until when", async () => {
  answer({ ...FULL, "POST /api/mine/pause": () => ({ body: fixture.paused }) });
  await show(<PauseMenu />);
  await userEvent.click(await screen.findByRole("button", { name: /Pause or resume/ }));
  expect(await screen.findByText("Training for Digits 8×8.")).toBeInTheDocument();
  await userEvent.click(await screen.findByRole("menuitem", { name: /30.min/ }));
  expect(await screen.findByRole("button", { name: /^Paused until/ })).toBeInTheDocument();
  expect(asked).toContain("POST /api/mine/pause");
});
