/** Figures of a regression's answers. */

import type { Residuals } from "./types";

export interface Spread {
  min: number;
  max: number;
  /** Mean of the absolute differences. */
  meanError: number;
  /** Mean of the differences: positive if the model answers too much. */
  bias: number;
}

export function spread({ points }: Residuals): Spread {
  let [min, max, sum, bias] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0];
  for (const { actual, predicted } of points) {
    min = Math.min(min, actual, predicted);
    max = Math.max(max, actual, predicted);
    sum += Math.abs(predicted - actual);
    bias += predicted - actual;
  }
  const n = Math.max(1, points.length);
  return { min, max, meanError: sum / n, bias: bias / n };
}

/** A measured value in four significant digits. */
export function figure(value: number): string {
  return Number(value.toPrecision(4))
    .toLocaleString("en-GB", { maximumSignificantDigits: 4 })
    .replace("-", "\u2212");
}

export function sentence(residuals: Residuals): string {
  if (residuals.points.length === 0) return "The validation set has no rows.";
  const { meanError, bias } = spread(residuals);
  const shown =
    residuals.points.length < residuals.rows
      ? `${residuals.points.length.toLocaleString("en-GB")} of ${residuals.rows.toLocaleString("en-GB")} rows, evenly chosen`
      : `${residuals.rows.toLocaleString("en-GB")} rows`;
  const side = bias > 0 ? "too high" : "too low";
  return `${shown}. The answers differ from the right ones by ${figure(meanError)} on average, and are ${figure(Math.abs(bias))} ${side} in the mean.`;
}
