import { describe, expect, it } from "vitest";
import { ETH } from "../../shared/format";
import { type Draft, EMPTY, payoutPreview, percent, problems, reduce, STEPS } from "./draft";
import { DATA, FULL } from "./draft.fixture";

const OPTIONS = { needsAccount: true };

describe("the steps", () => {
  it("go forward only without problems", () => {
    const stuck = reduce(EMPTY, { type: "next", options: OPTIONS });
    expect(stuck.step).toBe("task");
    const named = reduce(EMPTY, { type: "change", changes: { name: "Tumours" } });
    expect(reduce(named, { type: "next", options: OPTIONS }).step).toBe("data");
  });

  it("lead from the first to the last", () => {
    let draft: Draft = { ...FULL, step: "task", reached: "task" };
    const seen = [draft.step];
    for (let i = 1; i < STEPS.length; i++) {
      draft = reduce(draft, { type: "next", options: OPTIONS });
      seen.push(draft.step);
    }
    expect(seen).toEqual([...STEPS]);
    expect(reduce(draft, { type: "next", options: OPTIONS }).step).toBe("launch");
    expect(reduce({ ...draft, step: "task" }, { type: "back" }).step).toBe("task");
  });

  it("go back without losing what was reached", () => {
    const back = reduce(FULL, { type: "back" });
    expect([back.step, back.reached]).toEqual(["terms", "review"]);
  });

  it("stop at the first problem in between", () => {
    const cleared = reduce({ ...FULL, step: "task" }, { type: "change", changes: { bounty: "much" } });
    expect(reduce(cleared, { type: "go", step: "review", options: OPTIONS }).step).toBe("bounty");
    expect(reduce(cleared, { type: "go", step: "accuracy", options: OPTIONS }).step).toBe("accuracy");
  });

  it("need no account where nobody pays", () => {
    const draft = { ...FULL, account: "" };
    expect(problems(draft, "bounty", OPTIONS)).toHaveProperty("account");
    expect(problems(draft, "bounty", { needsAccount: false })).toEqual({});
  });

  it("start again", () => {
    expect(reduce(FULL, { type: "reset" })).toEqual(EMPTY);
  });
});

describe("a validation set", () => {
  it("names the campaign and suggests a target", () => {
    const draft = reduce(EMPTY, { type: "data", data: DATA });
    expect([draft.name, draft.goal]).toEqual(["tumours", "91"]);
  });

  it("does not replace what its owner decided", () => {
    const decided = { ...EMPTY, name: "Mine", goal: "95" };
    const draft = reduce(decided, { type: "data", data: DATA });
    expect([draft.name, draft.goal]).toEqual(["Mine", "95"]);
  });

  it("that is chosen again keeps the corrections", () => {
    const corrected = reduce(FULL, { type: "input", name: "radius", changes: { max: "40" } });
    const again = reduce(corrected, { type: "data", data: { ...DATA, rows: 500 } });
    expect(again.data?.inputs[1]?.max).toBe("40");
    expect(again.data?.rows).toBe(500);
    const other = reduce(corrected, {
      type: "data",
      data: { ...DATA, columns: ["a", "verdict"], inputs: [] },
    });
    expect(other.data?.inputs).toEqual([]);
  });
});

describe("problems", () => {
  const wrong = (step: (typeof STEPS)[number], changes: Partial<Draft>) =>
    Object.keys(problems({ ...FULL, ...changes }, step, OPTIONS));

  it("are absent in a complete draft", () => {
    for (const step of STEPS) expect(problems(FULL, step, OPTIONS)).toEqual({});
  });

  it("of the task", () => {
    expect(wrong("task", { name: " " })).toEqual(["name"]);
    expect(wrong("task", { link: "http://a.example" })).toEqual(["link", "organisation"]);
  });

  it("of the data", () => {
    expect(wrong("data", { data: null })).toEqual(["file"]);
    const range = (min: string, max: string) => ({
      ...DATA,
      inputs: [{ name: "radius", kind: "number" as const, min, max, used: true, note: null }],
    });
    expect(wrong("data", { data: range("3", "2") })).toEqual(["input radius"]);
    expect(wrong("data", { data: range("", "2") })).toEqual(["input radius"]);
    expect(wrong("data", { data: range("-1.5", "2e3") })).toEqual([]);
    expect(wrong("data", { data: { ...DATA, inputs: [] } })).toEqual(["inputs"]);
    expect(wrong("data", { data: { ...DATA, classes: ["one"] } })).toEqual(["classes"]);
    expect(wrong("data", { data: { ...DATA, kind: "regression", min: "1", max: "1" } })).toEqual(["range"]);
  });

  it("of the model", () => {
    expect(wrong("model", { features: "random-relu", featureCount: "5000" })).toEqual(["featureCount"]);
    expect(wrong("model", { features: "random-conv" })).toEqual(["features"]);
    expect(wrong("model", { regime: "clear", network: "rnn:8" })).toEqual(["network"]);
    expect(wrong("model", { regime: "clear", network: "cnn:8,16" })).toEqual(["network"]);
    expect(wrong("model", { regime: "clear", network: "mlp:64,32" })).toEqual([]);
  });

  it("of the accuracy", () => {
    expect(wrong("accuracy", { goal: "" })).toEqual(["goal"]);
    expect(wrong("accuracy", { goal: "0" })).toEqual(["goal"]);
    expect(wrong("accuracy", { goal: "101" })).toEqual(["goal"]);
    expect(wrong("accuracy", { start: "91" })).toEqual(["start"]);
    expect(wrong("accuracy", { grid: "0.3" })).toEqual(["grid"]);
    expect(wrong("accuracy", { grid: "0.5", tolerance: "2" })).toEqual([]);
  });

  it("of bounty and terms", () => {
    expect(wrong("bounty", { bounty: "0" })).toEqual(["bounty"]);
    expect(wrong("bounty", { bounty: "1e3" })).toEqual(["bounty"]);
    expect(wrong("terms", { deadline: "1.5" })).toEqual(["deadline"]);
    expect(wrong("terms", { limits: { ...EMPTY.limits, window: "0", auditDays: "31" } })).toEqual([
      "window",
      "auditDays",
    ]);
    expect(wrong("terms", { capsule: "0x12" })).toEqual(["capsule"]);
  });
});

describe("the payout preview", () => {
  const ONE = 10n ** 18n;

  it("computes what the contract computes", () => {
    expect(payoutPreview({ ...FULL, start: "10", goal: "95" })).toEqual({
      point: (1000n * ONE * 10_000n) / 950_000n,
      most: (1000n * ONE * 850_000n) / 950_000n,
      back: 1000n * ONE - (1000n * ONE * 850_000n) / 950_000n,
    });
  });

  it("promises no sum without a start", () => {
    expect(payoutPreview(FULL)?.most).toBeNull();
    expect(payoutPreview({ ...FULL, bounty: "x" })).toBeNull();
  });

  it("reads percentages exactly", () => {
    expect(percent("92.6")).toBe(926_000);
    expect(percent("0.0001")).toBe(1);
    for (const text of ["100.0001", "1.23456", "-1", "abc", ""]) expect(percent(text)).toBeNull();
    expect(EMPTY.token).toBe(ETH);
  });
});
