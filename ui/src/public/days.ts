/** Ranges of UTC days. */

const DAY_MS = 86_400_000;

export function day(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

/** The last `days` days, today included. */
export function lastDays(days: number, now = Date.now()): { from: string; to: string } {
  return { from: day(now - (days - 1) * DAY_MS), to: day(now) };
}

/** From before the first contract until today. */
export function allTime(now = Date.now()): { from: string; to: string } {
  return { from: "2020-01-01", to: day(now) };
}

/** Every day of a range. */
export function daysBetween(from: string, to: string): string[] {
  const days: string[] = [];
  for (let at = Date.parse(from); at <= Date.parse(to); at += DAY_MS) days.push(day(at));
  return days;
}
