/** Totals and the rows that sum to them. All amounts are integers in the token's smallest unit. */

import { ETH, payout, type Token, units } from "../shared/format";
import { type Campaign, campaignName, type Earnings, type Submission, tokenOf } from "./data";

export interface Term {
  id: string;
  label: string;
  amount: bigint;
  /** What it is computed from. */
  detail?: string;
  transaction?: string;
}

/** A total in one token, as reported, with its rows. */
export interface Sum {
  token: Token;
  total: bigint;
  terms: Term[];
}

export function sumOf(terms: { amount: bigint }[]): bigint {
  return terms.reduce((sum, { amount }) => sum + amount, 0n);
}

/** The difference between a total and its rows; 0 if they agree. */
export function difference({ total, terms }: Sum): bigint {
  return total - sumOf(terms);
}

const DAY = 86_400;

/** The UTC day of a time, as the Mine counts its days. */
export function dayOf(unix: number): string {
  return new Date(unix * 1000).toISOString().slice(0, 10);
}

/** All UTC days between two, both included. */
export function daysBetween(from: string, to: string): string[] {
  const first = Date.parse(from) / 1000;
  const last = Date.parse(to) / 1000;
  const length = Math.max(0, Math.floor((last - first) / DAY) + 1);
  return Array.from({ length }, (_, day) => dayOf(first + day * DAY));
}

/** The first of the last `days` days, today included. */
export function firstDay(now: number, days: number): string {
  return dayOf(now - (days - 1) * DAY);
}

/** The payout formula with its three integers. */
export function formula({ inputs }: Pick<Submission, "inputs">): string {
  return inputs ? `floor(${inputs.bounty} × ${inputs.delta_ppm} / ${inputs.range_ppm})` : "";
}

/** Whether the payout on chain equals the formula. */
export function agrees({ amount, inputs }: Pick<Submission, "amount" | "inputs">): boolean {
  if (amount === null || inputs === null) return amount === inputs;
  return units(amount) === payout(inputs.bounty, inputs.delta_ppm, inputs.range_ppm);
}

function place({ window, number }: Submission): string {
  return `window ${window}, no. ${number}`;
}

/** Claimable: payouts and other credits, less what was withdrawn. */
export function claimable(earnings: Earnings): Sum[] {
  return earnings.totals.map(total => {
    const token = tokenOf(total.token);
    const accepted = earnings.items.filter(
      item => item.amount !== null && item.token.address === total.token.address,
    );
    const listed = accepted.reduce((sum, item) => sum + units(item.amount ?? "0"), 0n);
    const older = units(total.earned) - listed;
    const credits = units(total.claimable) - units(total.earned) + units(total.withdrawn);
    const terms = [
      ...accepted.map(item => ({
        id: `${item.campaign} ${item.window} ${item.number}`,
        label: `${campaignName(item)}, ${place(item)}`,
        amount: units(item.amount ?? "0"),
        detail: formula(item),
        transaction: item.transaction,
      })),
      { id: "older", label: "Payouts of older submissions, which are not listed", amount: older },
      { id: "credits", label: "Other credits of this account, such as refunds and fees", amount: credits },
      { id: "withdrawn", label: "Withdrawn", amount: -units(total.withdrawn) },
    ];
    return { token, total: units(total.claimable), terms: terms.filter(({ amount }) => amount !== 0n) };
  });
}

/** Pending: the most that each submission can earn, if it reaches the campaign's target. */
export function pending(earnings: Earnings, campaigns: Campaign[]): Sum[] {
  const known = new Map(campaigns.map(campaign => [campaign.campaign, campaign]));
  return earnings.totals.map(total => ({
    token: tokenOf(total.token),
    total: units(total.pending_at_most),
    terms: earnings.items
      .filter(item => item.verdict === "pending" && item.token.address === total.token.address)
      .map(item => {
        const campaign = known.get(item.campaign);
        const left = campaign ? Math.max(0, campaign.target_ppm - campaign.best_ppm) : 0;
        return {
          id: `${item.campaign} ${item.window} ${item.number}`,
          label: `${campaignName(item)}, ${place(item)}`,
          amount: campaign ? payout(campaign.bounty, left, campaign.target_ppm) : 0n,
          detail: campaign ? `at most floor(${campaign.bounty} × ${left} / ${campaign.target_ppm})` : "",
          transaction: item.submission_transaction,
        };
      }),
  }));
}

/** Payouts of a range of days, less gas and charged stakes, which are in ETH. Tokens without any are left out. */
export function net(earnings: Earnings, from: string, to: string): Sum[] {
  const within = (date: string) => from <= date && date <= to;
  const tokens = new Map([[ETH.address, ETH]]);
  const terms = new Map<string, Term[]>();
  const add = (token: Token, term: Term) => {
    tokens.set(token.address, token);
    terms.set(token.address, [...(terms.get(token.address) ?? []), term]);
  };
  for (const { date, token, earned } of earnings.days)
    if (within(date))
      add(tokenOf(token), { id: `earned ${date}`, label: `Payouts of ${date}`, amount: units(earned) });
  for (const { date, wei } of earnings.gas.days)
    if (within(date)) add(ETH, { id: `gas ${date}`, label: `Gas of ${date}`, amount: -units(wei) });
  for (const item of earnings.items)
    if (item.charged !== "0" && item.verdict !== "pending" && within(dayOf(item.time)))
      add(ETH, {
        id: `charged ${item.campaign} ${item.window} ${item.number}`,
        label: `Stake charged by ${campaignName(item)}, ${place(item)}`,
        amount: -units(item.charged),
        transaction: item.transaction,
      });
  return [...tokens.values()]
    .map(token => {
      const rows = (terms.get(token.address) ?? []).toSorted((a, b) => b.id.localeCompare(a.id));
      return { token, total: sumOf(rows), terms: rows };
    })
    .filter(({ token, terms: rows }) => rows.length > 0 || token === ETH);
}

/** Whether the rows of a range are all there: submissions before the oldest listed one are not. */
export function isComplete({ items, submissions }: Earnings, from: string): boolean {
  const oldest = items.at(-1);
  return items.length >= submissions || (oldest !== undefined && dayOf(oldest.submitted) < from);
}

/** Earnings of each day in one token. */
export function byDay(earnings: Earnings, token: Token, days: string[]): bigint[] {
  const sums = new Map<string, bigint>();
  for (const { date, earned, token: of } of earnings.days)
    if (tokenOf(of).address === token.address) sums.set(date, (sums.get(date) ?? 0n) + units(earned));
  return days.map(day => sums.get(day) ?? 0n);
}

const HEAD =
  "submitted,settled,campaign,name,window,number,version,verdict,token,decimals,amount,bounty,delta_ppm,range_ppm,stake_wei,charged_wei,transaction,submission_transaction";

function cell(value: string | number | null): string {
  const text = value === null ? "" : String(value);
  // A name is somebody else's text; a spreadsheet would run it as a formula.
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function iso(unix: number): string {
  return new Date(unix * 1000).toISOString().replace(".000Z", "Z");
}

/** Submissions as CSV: amounts in the token's smallest unit, times in UTC. */
export function csv(items: Submission[]): string {
  const line = (item: Submission) =>
    [
      iso(item.submitted),
      item.verdict === "pending" || item.verdict === "expired" ? null : iso(item.time),
      item.campaign,
      item.name,
      item.window,
      item.number,
      item.version,
      item.verdict,
      item.token.symbol ?? item.token.address,
      item.token.decimals,
      item.amount,
      item.inputs?.bounty ?? null,
      item.inputs?.delta_ppm ?? null,
      item.inputs?.range_ppm ?? null,
      item.stake,
      item.charged,
      item.transaction,
      item.submission_transaction,
    ]
      .map(cell)
      .join(",");
  return `${[HEAD, ...items.map(line)].join("\n")}\n`;
}

/** Days as CSV. */
export function daysCsv(days: string[], earned: bigint[], token: Token): string {
  const rows = days.map((day, index) => `${day},${earned[index] ?? 0n},${cell(token.symbol)}`);
  return `${["date,earned,token", ...rows].join("\n")}\n`;
}
