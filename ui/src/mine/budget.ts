/** Privacy budgets in words and figures. */

import type { PrivacyAccount, PrivacyReport } from "./data";

type Budget = NonNullable<PrivacyReport["budget"]>;

/** ε with two decimals, rounded up: the page must not promise less disclosure than there is. */
export function formatEpsilon(epsilon: number): string {
  const hundredths = Math.ceil(epsilon * 100 - 1e-9);
  return (hundredths / 100).toFixed(2).replace(/\.?0+$/, "") || "0";
}

/** δ as a power of ten where it is one: "10⁻⁶". */
export function formatDelta(delta: number): string {
  const [mantissa = "", exponent = "0"] = delta.toExponential().split("e");
  const digits = [...String(Math.abs(Number(exponent)))].map(digit => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(digit)]).join("");
  const power = `10${Number(exponent) < 0 ? "⁻" : ""}${digits}`;
  return mantissa === "1" ? power : `${mantissa} × ${power}`;
}

/** What ε means: the most by which the odds of a guess about one row can change. */
export function oddsFactor(epsilon: number): string {
  const factor = Math.exp(epsilon);
  const tenths = Math.ceil(factor * 10 - 1e-9) / 10;
  return factor >= 100 ? Math.ceil(factor).toLocaleString("en") : String(tenths);
}

/** The part of a budget that is spent, in percent: by updates, into which it is divided in equal parts. */
export function spentPercent({ left }: PrivacyAccount, { uploads }: Budget): number {
  const used = uploads - (left ?? 0);
  return Math.min(100, Math.max(0, Math.ceil((used * 100) / uploads)));
}

export type Level = "good" | "warn" | "bad";

export function level(percent: number): Level {
  return percent >= 100 ? "bad" : percent >= 80 ? "warn" : "good";
}

const DAY = 86_400;

/** When the budget is spent at the data set's rate of updates so far; `null` without a rate. */
export function runOut({ private: made, left }: PrivacyAccount, added: number, now: number): number | null {
  const age = now - added;
  if (made === 0 || !left || age < DAY) return null;
  return Math.round(now + (left * age) / made);
}
