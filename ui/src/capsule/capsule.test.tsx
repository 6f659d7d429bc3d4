import { screen, within } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { renderPage } from "../../test/render";
import { SessionGate } from "../shared/session";
import { tokensOf } from "./data";
import { byDeadline, countdown, nextDuty, urgency } from "./deadlines";
import { campaigns, DATA, ETHER, NOW, status } from "./fixtures";
import { leak, Page } from "./Page";
import { shares, stakeParts } from "./stake";
import { limitLines } from "./words";

const words = (text: string | null) => (text ?? "").replaceAll("\u00a0", " ");

describe("deadlines", () => {
  it("come in their order, those without one last", () => {
    expect(byDeadline(campaigns.toReversed()).map(({ next_deadline }) => next_deadline?.kind)).toEqual([
      "audit",
      "settle",
      "activate",
      undefined,
    ]);
  });

  it("that are duties come before the end of an audit period", () => {
    expect(nextDuty(campaigns)?.next_deadline.kind).toBe("settle");
    expect(nextDuty([])).toBeUndefined();
  });

  it("count down, and say when they were missed", () => {
    expect(words(countdown(NOW + 7_500, NOW))).toBe("2 h 5 min left");
    expect(words(countdown(NOW - 180, NOW))).toBe("missed 3 min ago");
    expect(words(countdown(NOW - 180, NOW, false))).toBe("ended 3 min ago");
    expect([NOW - 1, NOW, NOW + 3_599, NOW + 3_600].map(at => urgency(at, NOW))).toEqual([
      "missed",
      "missed",
      "soon",
      "later",
    ]);
  });
});

describe("the stake", () => {
  it("is the sum of its parts, to the last wei", () => {
    const parts = stakeParts(status.stake);
    expect(parts.map(({ amount }) => amount)).toEqual([
      1_000_000_000_000_000_001n,
      2_000_000_000_000_000_000n,
      6_999_999_999_999_999_999n,
    ]);
    expect(parts.reduce((sum, { amount }) => sum + amount, 0n)).toBe(BigInt(status.stake.total));
    expect(shares(parts)).toEqual([100_000, 200_000, 699_999]);
    expect(shares(stakeParts({ total: "0", free: "0", locked: "0", at_risk: "0" }))).toEqual([0, 0, 0]);
  });
});

it("writes limits with their units", () => {
  const lines = status.limits ? limitLines(status.limits).map(([, value]) => words(value)) : [];
  expect(lines).toEqual(["2 ETH", "10 ETH", "30 d", "14 d", "10 min", "1 h", "10,000"]);
});

it("counts a token that is not listed in its smallest units", () => {
  const tokenOf = tokensOf(status);
  expect(tokenOf(DATA.toUpperCase().replace("0X", "0x")).symbol).toBe("DATA");
  expect(tokenOf("0x1234567890123456789012345678901234567890")).toMatchObject({
    decimals: 0,
    verified: false,
  });
  expect(tokensOf({ tokens: [] })(ETHER).symbol).toBe("ETH");
});

it("rounds disclosed bits up and allowed ones down", () => {
  expect(words(leak({ leak_bits: 41.23, leak_bits_allowed: 64.9 }))).toBe("41.3 bits of 64");
  expect(words(leak({ leak_bits: 0, leak_bits_allowed: 64 }))).toBe("0 bits of 64");
});

describe("the page", () => {
  const serve = (routes: Record<string, { status?: number; body: unknown } | "pending">) =>
    vi.stubGlobal("fetch", (request: Request) => {
      const found = routes[new URL(request.url).pathname] ?? { status: 404, body: {} };
      return found === "pending"
        ? new Promise(() => undefined)
        : Promise.resolve(new Response(JSON.stringify(found.body), { status: found.status ?? 200 }));
    });
  const full = {
    "/api/session": { body: { face: "capsule", unlocked_until: null } },
    "/api/capsule/status": { body: status },
    "/api/capsule/campaigns": { body: { items: campaigns } },
  };
  const show = () =>
    renderPage(
      <SessionGate command="capsule ui">
        <Page />
      </SessionGate>,
    );

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["Date"], now: NOW * 1000 });
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it("shows the next deadline first, with what it costs to miss it", async () => {
    serve(full);
    await show();
    const next = await screen.findByRole("region", { name: "Next deadline" });
    expect(next).toHaveTextContent("Settle the window: Campaign 0xaaaa…aaaa");
    expect(words(next.textContent)).toContain("Locked: 1.000000000000000001 ETH");
    expect(words(next.textContent)).toContain("left");
  });

  it("puts errors before warnings, each with what to do", async () => {
    serve(full);
    await show();
    const alerts = await screen.findByRole("region", { name: "Alerts" });
    const lines = within(alerts).getAllByRole("listitem");
    expect(lines[0]).toHaveTextContent("Error");
    expect(within(lines[1] as HTMLElement).getByRole("button", { name: /capsule serve/ })).toBeVisible();
  });

  it("shows exact amounts of stake, fees and gas", async () => {
    serve(full);
    await show();
    const stake = await screen.findByRole("region", { name: "Stake" });
    for (const amount of ["1.000000000000000001 ETH", "2 ETH", "6.999999999999999999 ETH", "0.42 ETH"])
      expect(words(stake.textContent)).toContain(amount);
    expect(words(screen.getByRole("region", { name: "Fees" }).textContent)).toContain(
      "Credited in all61 DATA0.02 ETH",
    );
  });

  it("says that there is nothing to do", async () => {
    serve({
      ...full,
      "/api/capsule/status": { body: { ...status, alerts: [], keys: [], limits: null } },
      "/api/capsule/campaigns": { body: { items: [] } },
    });
    await show();
    expect(await screen.findByText("No deadline")).toBeVisible();
    expect(screen.getByText("No campaign yet")).toBeVisible();
    expect(await screen.findByText("No limits are registered yet.")).toBeVisible();
    expect(screen.queryByText("Alerts")).not.toBeInTheDocument();
  });

  it("is locked without a session", async () => {
    serve({ "/api/session": { status: 401, body: { code: "NO_SESSION", detail: "no session" } } });
    await show();
    expect(await screen.findByText("This page is locked")).toBeVisible();
    expect(screen.getByText("capsule ui")).toBeVisible();
  });

  it("loads in its shape, and shows errors", async () => {
    serve({
      ...full,
      "/api/capsule/status": "pending",
      "/api/capsule/campaigns": {
        status: 400,
        body: { code: "INTERNAL", title: "x", detail: "the journal is damaged" },
      },
    });
    await show();
    expect(await screen.findByRole("status", { name: "Loading" })).toBeInTheDocument();
    expect(await screen.findByRole("alert")).toHaveTextContent("the journal is damaged");
  });
});
