/**
 * Amounts, accuracies and sizes as text. Money is never a float: amounts are integers in the token's smallest unit, and
 * every function here works on integers or decimal strings.
 */

/** A space that does not break, between a number and its unit. */
const NBSP = "\u00a0";
const MINUS = "\u2212";

export interface Token {
  address: string;
  symbol: string;
  decimals: number;
  verified: boolean;
}

export const ETH: Token = {
  address: "0x0000000000000000000000000000000000000000",
  symbol: "ETH",
  decimals: 18,
  verified: true,
};

export type Units = bigint | string;

/** Parses an amount in smallest units. Throws on anything but an integer. */
export function units(value: Units): bigint {
  if (typeof value === "bigint") return value;
  if (!/^-?\d+$/.test(value)) throw new RangeError(`"${value}" is not an amount in smallest units`);
  return BigInt(value);
}

function group(digits: string): string {
  return digits.replace(/\B(?=(\d{3})+$)/g, ",");
}

function split(value: Units, decimals: number): { sign: string; whole: string; fraction: string } {
  const amount = units(value);
  const digits = (amount < 0n ? -amount : amount).toString().padStart(decimals + 1, "0");
  const at = digits.length - decimals;
  return {
    sign: amount < 0n ? MINUS : "",
    whole: digits.slice(0, at),
    fraction: digits.slice(at).replace(/0+$/, ""),
  };
}

/** The exact amount: `1234500000000000000000` with 18 decimals is "1,234.5". */
export function formatUnits(value: Units, decimals: number): string {
  const { sign, whole, fraction } = split(value, decimals);
  return `${sign}${group(whole)}${fraction === "" ? "" : `.${fraction}`}`;
}

/** The exact amount without grouping, as files and command lines expect it. */
export function plainUnits(value: Units, decimals: number): string {
  const { sign, whole, fraction } = split(value, decimals);
  return `${sign === "" ? "" : "-"}${whole}${fraction === "" ? "" : `.${fraction}`}`;
}

/**
 * At most `places` decimals, cut and not rounded, so that a page never shows more than there is. A cut amount ends with
 * "…". An amount too small for its places shows its first digit that is not zero.
 */
export function shortUnits(value: Units, decimals: number, places = 4): { text: string; exact: boolean } {
  const { sign, whole, fraction } = split(value, decimals);
  if (fraction.length <= places) return { text: formatUnits(value, decimals), exact: true };
  const first = fraction.search(/[1-9]/);
  const kept = whole === "0" && first >= places ? fraction.slice(0, first + 1) : fraction.slice(0, places);
  const trimmed = kept.replace(/0+$/, "");
  if (trimmed.length === fraction.length) return { text: formatUnits(value, decimals), exact: true };
  return { text: `${sign}${group(whole)}${trimmed === "" ? "" : `.${trimmed}`}…`, exact: false };
}

/** The exact amount with its token: "1,234.5 DATA". */
export function formatAmount(value: Units, token: Token): string {
  return `${formatUnits(value, token.decimals)}${NBSP}${token.symbol}`;
}

/** Parses what a person typed, as smallest units; `null` if it is not an amount of this token. */
export function parseUnits(text: string, decimals: number): bigint | null {
  const match = /^(\d+)(?:\.(\d*))?$/.exec(text.trim().replaceAll(",", ""));
  if (!match) return null;
  const [, whole = "0", fraction = ""] = match;
  if (fraction.length > decimals) return null;
  return BigInt(whole + fraction.padEnd(decimals, "0"));
}

/** The payout of a submission, as the contract computes it: `floor(bounty × delta / target)`. */
export function payout(bounty: Units, deltaPpm: number, targetPpm: number): bigint {
  if (targetPpm <= 0) return 0n;
  return (units(bounty) * BigInt(deltaPpm)) / BigInt(targetPpm);
}

function fixedPpm(ppm: number, shift: number): string {
  const digits = Math.abs(ppm)
    .toString()
    .padStart(shift + 1, "0");
  const fraction = digits.slice(-shift).replace(/0+$/, "");
  return `${ppm < 0 ? MINUS : ""}${group(digits.slice(0, -shift))}${fraction === "" ? "" : `.${fraction}`}`;
}

/** Parts per million as a percentage, exactly, with one decimal at least: 926000 is "92.6 %", 930000 is "93.0 %". */
export function formatPpm(ppm: number): string {
  const text = fixedPpm(ppm, 4);
  return `${text}${text.includes(".") ? "" : ".0"}${NBSP}%`;
}

/** A percentage on an axis: 930000 is "93 %". */
export function tickPpm(ppm: number): string {
  return `${fixedPpm(ppm, 4)}${NBSP}%`;
}

/** A share as a percentage with one decimal, rounded down: so exact is nothing that is only read. */
export function roughPpm(ppm: number): string {
  return formatPpm(Math.floor(ppm / 1_000) * 1_000);
}

/** A difference of accuracies in percentage points: 4000 is "+0.4". */
export function formatPoints(ppm: number): string {
  return `${ppm > 0 ? "+" : ""}${fixedPpm(ppm, 4)}`;
}

/** Parts per million as a decimal share, as campaign files write it: 926000 is "0.926". */
export function ppmShare(ppm: number): string {
  return fixedPpm(ppm, 6).replaceAll(",", "");
}

/** `part` of `whole` in parts per million, rounded down; `null` if there is no whole. */
export function sharePpm(part: Units, whole: Units): number | null {
  const all = units(whole);
  return all === 0n ? null : Number((units(part) * 1_000_000n) / all);
}

/** A count with its noun: "1 submission", "1,204 submissions". */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${integer(n)}${NBSP}${n === 1 ? one : many}`;
}

export function integer(n: number | bigint): string {
  return n < 0 ? `${MINUS}${group((-n).toString())}` : group(n.toString());
}

/** Bits of information, rounded up: the page must not promise less disclosure than there can be. */
export function formatBits(bits: number): string {
  const tenths = Math.ceil(bits * 10 - 1e-9);
  const text =
    tenths % 10 === 0 ? integer(tenths / 10) : `${integer(Math.floor(tenths / 10))}.${tenths % 10}`;
  return `${text}${NBSP}${tenths === 10 ? "bit" : "bits"}`;
}

export function formatBytes(bytes: number): string {
  const names = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let step = 0;
  while (value >= 1000 && step < names.length - 1) {
    value /= 1000;
    step += 1;
  }
  return `${step === 0 ? value : value.toFixed(value < 10 ? 1 : 0)}${NBSP}${names[step]}`;
}

/** "0x12ab…9fE0" */
export function shortAddress(address: string): string {
  return address.length <= 13 ? address : `${address.slice(0, 6)}…${address.slice(-4)}`;
}

/** The beginning and the end of a long identifier. */
export function middle(text: string, head = 8, tail = 6): string {
  return text.length <= head + tail + 1 ? text : `${text.slice(0, head)}…${text.slice(-tail)}`;
}

/** A duration in words, in its largest one or two units: "2 d 4 h", "45 s". */
export function duration(seconds: number): string {
  let rest = Math.max(0, Math.round(seconds));
  const parts: string[] = [];
  for (const [size, name] of [
    [86_400, "d"],
    [3_600, "h"],
    [60, "min"],
    [1, "s"],
  ] as const) {
    if (rest >= size || (size === 1 && parts.length === 0)) {
      parts.push(`${Math.floor(rest / size)}${NBSP}${name}`);
      rest %= size;
    } else if (parts.length > 0) break;
    if (parts.length === 2) break;
  }
  return parts.filter((part, index) => index === 0 || !part.startsWith("0")).join(" ");
}

/** "in 2 d 4 h", "5 min ago", "now": what is to come matters more exactly than what was. */
export function relative(unix: number, now: number): string {
  const difference = Math.round(unix - now);
  if (Math.abs(difference) < 1) return "now";
  const text = duration(Math.abs(difference));
  return difference > 0 ? `in ${text}` : `${text.split(" ")[0]} ago`;
}

const ABSOLUTE: Intl.DateTimeFormatOptions = { dateStyle: "medium", timeStyle: "long" };

/** Date and time in the reader's zone, which it names. */
export function absolute(unix: number, zone?: string): string {
  return new Intl.DateTimeFormat("en-GB", { ...ABSOLUTE, ...(zone ? { timeZone: zone } : {}) }).format(
    unix * 1000,
  );
}
