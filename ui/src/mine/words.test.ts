import { describe, expect, it } from "vitest";
import { formatDelta, formatEpsilon, level, oddsFactor, runOut, spentPercent } from "./budget";
import { attainable, matches } from "./Campaigns";
import { rangeOf } from "./Days";
import { liveView, tokenOf } from "./data";
import { campaigns, earnings, id, NOW, noEarnings, paused, privacy, status } from "./fixtures";
import { commandIn } from "./Health";
import { minutesUntilMorning, standing } from "./PauseMenu";
import { whySteps } from "./words";

const DAY = 86_400;
const decision = (reason: string) => ({ kind: "skip" as const, reason, rule: null, text: reason });
const states = (reason: string) => whySteps(decision(reason)).map(({ state }) => state);

describe("why", () => {
  it("shows the checks that passed, and the one where the campaign stands", () => {
    expect(states("no_data").slice(0, 5)).toEqual(["passed", "passed", "passed", "here", "not_reached"]);
    expect(states("over")[0]).toBe("here");
    expect(states("send").at(-1)).toBe("here");
  });

  it("has a place for every reason of the planner", () => {
    for (const reason of [
      "not_open over unusable_manifest policy no_data privacy unusable_material done spent paused",
      "settlement cool_down fetch_manifest fetch_material train send",
    ].flatMap(line => line.split(" ")))
      expect(states(reason)).toContain("here");
    expect(states("of a later version")).not.toContain("here");
  });

  it("asks for the pause only in a pause", () => {
    expect(whySteps(decision("paused"))[2]).toEqual({ question: "The Mine is not paused", state: "here" });
    expect(whySteps(decision("train")).some(({ question }) => question.includes("paused"))).toBe(false);
  });
});

describe("the pause", () => {
  it("says why, and what ends it", () => {
    expect(standing(status, NOW)).toMatchObject({ state: "running", reason: "Training for Digits 8×8." });
    expect(standing(paused, NOW).label).toMatch(/^Paused until \d\d:29$/);
    expect(standing(paused, NOW).ends.replaceAll("\u00a0", " ")).toMatch(/^It ends by itself in 29 min, /);
    const open = { since: NOW, until: null, finishing: true, reason: "paused" };
    expect(standing({ ...status, paused: open }, NOW)).toMatchObject({
      label: "Finishing",
      ends: "It lasts until you resume.",
    });
  });

  it("names what a starting Mine waits for", () => {
    const chain = { ok: false, block: null, age_seconds: null, problem: "waiting for IPFS" };
    expect(standing({ ...status, running: false, chain }, NOW)).toMatchObject({
      label: "Starting",
      reason: "waiting for IPFS",
    });
  });

  it("until tomorrow ends at eight in the morning", () => {
    expect(minutesUntilMorning(new Date(2026, 2, 12, 22, 30))).toBe(570);
    expect(minutesUntilMorning(new Date(2026, 2, 12, 0, 0, 1))).toBe(1_920);
  });
});

describe("privacy figures", () => {
  const [digits, patients, scans] = privacy.data;
  const budget = privacy.budget;
  if (!budget || !digits || !patients || !scans) throw new Error("the fixture has a budget");

  it("round disclosure up", () => {
    expect([1.4213, 3, 0, 2.999, 0.1].map(formatEpsilon)).toEqual(["1.43", "3", "0", "3", "0.1"]);
    expect([0, 1, 3, 8].map(oddsFactor)).toEqual(["1", "2.8", "20.1", "2,981"]);
    expect([digits, patients, scans].map(account => spentPercent(account, budget))).toEqual([25, 100, 85]);
    expect(spentPercent({ ...digits, left: 19 }, { ...budget, uploads: 1_000 })).toBe(99);
  });

  it("write δ as a power of ten", () => {
    expect([1e-6, 2.5e-7, 0.001].map(formatDelta)).toEqual(["10⁻⁶", "2.5 × 10⁻⁷", "10⁻³"]);
  });

  it("warn from 80 percent on", () => {
    expect([0, 79, 80, 99, 100].map(level)).toEqual(["good", "good", "warn", "warn", "bad"]);
  });

  it("project when a budget runs out, if there is a rate", () => {
    expect(runOut(digits, NOW - 20 * DAY, NOW)).toBe(NOW + 60 * DAY);
    expect(runOut(patients, NOW - 20 * DAY, NOW)).toBeNull();
    expect(runOut(digits, NOW - 3_600, NOW)).toBeNull();
    expect(runOut({ ...digits, private: 0 }, NOW - 20 * DAY, NOW)).toBeNull();
  });
});

describe("the queue", () => {
  const names = (filter: Partial<{ text: string; kind: string; fit: string }>) =>
    campaigns
      .filter(campaign => matches(campaign, { text: "", kind: "all", fit: "all", ...filter }))
      .map(({ name }) => name);

  it("is filtered by name, id, data set, decision and fit", () => {
    expect(names({ text: " iris " })).toEqual(["Iris"]);
    expect(names({ text: "PATIENTS" })).toEqual(["Cohort risk"]);
    expect(names({ text: id("e") })).toEqual([null]);
    expect(names({ kind: "wait" })).toEqual(["Cohort risk"]);
    expect(names({ fit: "no" })).toEqual(["House prices", null]);
    expect(names({})).toHaveLength(5);
  });

  it("shows what is still to earn, exactly", () => {
    // 1000 × (950000 − 926000) / 950000; nothing before the campaign is open.
    expect(campaigns.map(attainable)).toEqual([
      25263157894736842105n,
      25263157894736842105n,
      568421052631578947368n,
      444444444444444444n,
      0n,
    ]);
  });
});

describe("the range of the chart", () => {
  it("comes from the address, and is 30 days without one", () => {
    const today = "2026-03-12";
    expect(rangeOf({}, earnings, NOW)).toEqual({ from: "2026-02-11", to: today });
    expect(rangeOf({ range: "7" }, earnings, NOW)).toEqual({ from: "2026-03-06", to: today });
    expect(rangeOf({ range: "all" }, earnings, NOW)).toEqual({ from: "2026-03-07", to: today });
    expect(rangeOf({ range: "all" }, noEarnings, NOW)).toEqual({ from: today, to: today });
    expect(rangeOf({ from: "2026-01-01", to: "2026-01-31" }, earnings, NOW).to).toBe("2026-01-31");
    expect(rangeOf({ from: "x", to: "y" }, earnings, NOW).to).toBe(today);
  });
});

describe("the live indicator", () => {
  const live = { state: "live" as const, problem: null };
  const facts = { status, error: null, link: live, seen: NOW, now: NOW };

  it("names the link that is down", () => {
    const stalled = { ok: false, block: 7, age_seconds: 95, problem: "the chain node does not answer" };
    const labels = [
      facts,
      { ...facts, error: new Error("refused") },
      { ...facts, status: undefined },
      { ...facts, status: { ...status, chain: stalled } },
      { ...facts, status: { ...status, chain: { ...stalled, block: null } } },
      { ...facts, link: { state: "down" as const, problem: "closed" } },
      { ...facts, seen: NOW - 60 },
    ].map(each => liveView(each).label);
    expect(labels).toEqual([
      "Live",
      "Mine down",
      "Connecting",
      "Chain down",
      "Starting",
      "Updates down",
      "Stale",
    ]);
  });
});

it("counts a token without symbol in its smallest units", () => {
  const address = "0x1234567890123456789012345678901234567890";
  expect(tokenOf({ address, symbol: null, decimals: null })).toEqual({
    address,
    symbol: "units of 0x1234…7890",
    decimals: 0,
    verified: false,
  });
});

it("finds the command in a fix", () => {
  expect(commandIn("run `chmod go-rwx x`, or restore it")).toBe("chmod go-rwx x");
  expect(commandIn("free some space")).toBeNull();
});
