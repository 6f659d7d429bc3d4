/** Ticks of axes. */

const STEPS = [
  60, 300, 900, 1_800, 3_600, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800, 2_592_000, 7_776_000,
];

/** Round times between two, in the reader's zone. */
export function timeTicks(from: number, to: number, about: number): number[] {
  const step = STEPS.find(size => (to - from) / size <= about) ?? (STEPS.at(-1) as number);
  const offset = new Date(from * 1000).getTimezoneOffset() * 60;
  const first = Math.ceil((from - offset) / step) * step + offset;
  const ticks: number[] = [];
  for (let tick = first; tick <= to; tick += step) ticks.push(tick);
  return ticks;
}

/** A tick of a time axis: the hour within days, otherwise the date. */
export function timeTick(unix: number, span: number): string {
  const options: Intl.DateTimeFormatOptions =
    span < 172_800 ? { hour: "2-digit", minute: "2-digit" } : { day: "numeric", month: "short" };
  return new Intl.DateTimeFormat("en-GB", options).format(unix * 1000);
}

/** The index of the value nearest to `wanted` in a list that only grows. */
export function nearestIndex(values: number[], wanted: number): number | null {
  if (values.length === 0) return null;
  let low = 0;
  let high = values.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((values[middle] as number) < wanted) low = middle + 1;
    else high = middle;
  }
  const before = values[low - 1];
  return before !== undefined && wanted - before < (values[low] as number) - wanted ? low - 1 : low;
}
