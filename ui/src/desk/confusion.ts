/** Figures of a confusion matrix. */

import { formatPpm, integer, sharePpm } from "../shared/format";
import type { Confusion } from "./types";

export interface ClassFigures {
  rows: number;
  right: number;
  /** Share of the class's rows with the right answer, in ppm; `null` without rows. */
  recall: number | null;
}

export function classFigures({ counts }: Confusion): ClassFigures[] {
  return counts.map((row, index) => {
    const rows = row.reduce((sum, n) => sum + n, 0);
    const right = row[index] ?? 0;
    return { rows, right, recall: sharePpm(BigInt(right), BigInt(rows)) };
  });
}

/** The most frequent mistake; `null` if there is none. */
export function worst({
  classes,
  counts,
}: Confusion): { right: string; answer: string; count: number } | null {
  const mistakes = counts.flatMap((row, right) =>
    row
      .map((count, answer) => ({ right, answer, count }))
      .filter(cell => cell.right !== cell.answer && cell.count > 0),
  );
  const found = mistakes.toSorted((a, b) => b.count - a.count)[0];
  return found
    ? { right: classes[found.right] ?? "", answer: classes[found.answer] ?? "", count: found.count }
    : null;
}

/** One sentence with what the matrix shows. */
export function sentence(confusion: Confusion): string {
  const figures = classFigures(confusion);
  const rows = figures.reduce((sum, { rows }) => sum + rows, 0);
  const right = figures.reduce((sum, { right }) => sum + right, 0);
  const share = sharePpm(BigInt(right), BigInt(rows));
  const start = `${integer(right)} of ${integer(rows)} rows are right${share === null ? "" : ` (${formatPpm(tenth(share))})`}.`;
  const mistake = worst(confusion);
  if (!mistake) return start;
  return `${start} The most frequent mistake: ${mistake.right} taken for ${mistake.answer}, ${integer(mistake.count)} times.`;
}

/** Rounds down to 0.1 %: a validation set has too few rows for more. */
export function tenth(ppm: number): number {
  return Math.floor(ppm / 1_000) * 1_000;
}
