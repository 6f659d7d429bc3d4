import { describe, expect, it } from "vitest";
import { ETH, formatAmount } from "../shared/format";
import { campaigns, DATA, ETHER, earnings, NOW, noEarnings } from "./fixtures";
import {
  agrees,
  byDay,
  claimable,
  csv,
  dayOf,
  daysBetween,
  daysCsv,
  difference,
  firstDay,
  formula,
  isComplete,
  net,
  pending,
  type Sum,
} from "./sums";

const [waiting, accepted, missed] = earnings.items as [
  (typeof earnings.items)[0],
  (typeof earnings.items)[0],
  (typeof earnings.items)[0],
];

const text = (sums: Sum[]) =>
  sums.map(({ total, token }) => formatAmount(total, token).replaceAll("\u00a0", " "));

describe("totals", () => {
  it("are the sum of their rows, to the last unit", () => {
    for (const sums of [
      claimable(earnings),
      pending(earnings, campaigns),
      net(earnings, "2026-02-11", "2026-03-12"),
      claimable(noEarnings),
    ])
      expect(sums.map(difference)).toEqual(sums.map(() => 0n));
  });

  it("of claimable amounts are payouts less withdrawals", () => {
    const [, data] = claimable(earnings);
    expect(text(claimable(earnings))).toEqual(["0 ETH", "4.210526315789473684 DATA"]);
    expect(data?.terms.map(({ label }) => label)).toEqual([
      "Digits 8×8, window 4, no. 1",
      "Digits 8×8, window 1, no. 1",
      "Withdrawn",
    ]);
  });

  it("name what is not listed, so that the rows still sum", () => {
    const cut = { ...earnings, items: earnings.items.slice(0, 2), submissions: 4 };
    const [, data] = claimable(cut);
    expect(data && difference(data)).toBe(0n);
    expect(data?.terms.map(({ id }) => id)).toContain("older");
    expect(isComplete(cut, "2026-03-01")).toBe(false);
    expect(isComplete(earnings, "2026-03-01")).toBe(true);
  });

  it("show a difference to the Mine's own sum", () => {
    const other = structuredClone(earnings);
    for (const total of other.totals) total.pending_at_most = "444444444444444445";
    expect(pending(other, campaigns).map(difference)).toEqual([1n, 444444444444444445n]);
  });

  it("net of a day subtract gas and charged stakes in ETH, and keep tokens apart", () => {
    expect(text(net(earnings, "2026-03-12", "2026-03-12"))).toEqual([
      "\u22120.0007 ETH",
      "4.210526315789473684 DATA",
    ]);
    // 0.0005 gas and 0.001 of a stake.
    expect(text(net(earnings, "2026-03-09", "2026-03-09"))).toEqual(["\u22120.0015 ETH"]);
    expect(text(net(noEarnings, "2026-03-12", "2026-03-12"))).toEqual(["0 ETH"]);
  });
});

describe("a payout", () => {
  it("is shown with its three integers", () => {
    expect(formula(accepted)).toBe("floor(1000000000000000000000 × 4000 / 950000)");
    expect(formula(waiting)).toBe("");
  });

  it("is compared with the formula", () => {
    expect([waiting, accepted, missed].map(agrees)).toEqual([true, true, true]);
    expect(agrees({ ...accepted, amount: "4210526315789473685" })).toBe(false);
    expect(agrees({ ...accepted, inputs: null })).toBe(false);
  });
});

describe("days", () => {
  it("are those of UTC, without gaps", () => {
    expect(dayOf(NOW)).toBe("2026-03-12");
    expect(firstDay(NOW, 30)).toBe("2026-02-11");
    expect(daysBetween("2026-02-27", "2026-03-02")).toEqual([
      "2026-02-27",
      "2026-02-28",
      "2026-03-01",
      "2026-03-02",
    ]);
    expect(daysBetween("2026-03-02", "2026-02-27")).toEqual([]);
  });

  it("have the payouts of one token each", () => {
    const days = ["2026-03-06", "2026-03-07"];
    expect(byDay(earnings, { ...DATA, verified: true }, days)).toEqual([0n, 8421052631578947368n]);
    expect(byDay(earnings, ETH, days)).toEqual([0n, 0n]);
    expect(daysCsv(days, [0n, 5n], ETH)).toBe("date,earned,token\n2026-03-06,0,ETH\n2026-03-07,5,ETH\n");
  });
});

describe("the CSV", () => {
  it("has exact amounts, times in UTC, and a line for each submission", () => {
    const lines = csv(earnings.items).trimEnd().split("\n");
    expect(lines).toHaveLength(5);
    expect(lines[2]).toContain(
      ",Digits 8×8,4,1,4,accepted,DATA,18,4210526315789473684,1000000000000000000000,4000,950000,",
    );
    expect(lines[2]).toMatch(/^2026-03-12T08:53:20Z,2026-03-12T09:00:00Z,/);
    expect(lines[1]).toMatch(/^2026-03-12T09:50:00Z,,/);
  });

  it("quotes names, and runs none as a formula", () => {
    const line = csv([{ ...accepted, name: '=HYPERLINK("x",1)', token: ETHER }]).split("\n")[1];
    expect(line).toContain(`,"'=HYPERLINK(""x"",1)",`);
  });
});
