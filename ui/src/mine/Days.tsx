/** Payouts by day, for a range of days and a token. */

import { NativeSelect, SegmentedControl, TextInput } from "@mantine/core";
import { useMemo } from "react";
import { DayBars } from "../shared/chart/DayBars";
import { count, ETH, formatAmount, type Token } from "../shared/format";
import { useNow } from "../shared/now";
import { type Search, useSearchState } from "../shared/search";
import { type Earnings, tokenOf } from "./data";
import { useFile } from "./file";
import { byDay, dayOf, daysBetween, daysCsv, firstDay, sumOf } from "./sums";

const RANGES = [
  { value: "7", label: "7 d" },
  { value: "30", label: "30 d" },
  { value: "90", label: "90 d" },
  { value: "all", label: "All" },
];

const DATE = /^\d{4}-\d{2}-\d{2}$/;

/** First and last day of a range from the address: `from` and `to`, or a number of days. */
export function rangeOf(search: Search, earnings: Earnings, now: number): { from: string; to: string } {
  const today = dayOf(now);
  if (DATE.test(search.from ?? "") && DATE.test(search.to ?? ""))
    return { from: search.from as string, to: search.to as string };
  if (search.range === "all") return { from: earnings.days[0]?.date ?? today, to: today };
  return { from: firstDay(now, Number(search.range ?? "30") || 30), to: today };
}

/** A number for the length of a bar; exact amounts are shown as text. */
function length(amount: bigint, token: Token): number {
  return Number(amount) / 10 ** token.decimals;
}

export default function Days({ earnings }: { earnings: Earnings }) {
  const now = useNow();
  const [search, change] = useSearchState();
  const tokens = earnings.totals.map(({ token }) => tokenOf(token));
  const paid = (token: Token) => earnings.days.some(day => tokenOf(day.token).address === token.address);
  const token = tokens.find(({ address }) => address === search.token) ?? tokens.find(paid) ?? ETH;
  const { from, to } = rangeOf(search, earnings, now);
  const days = useMemo(() => daysBetween(from, to), [from, to]);
  const values = useMemo(() => byDay(earnings, token, days), [earnings, token, days]);
  const file = useFile(daysCsv(days, values, token));
  const sum = formatAmount(sumOf(values.map(amount => ({ amount }))), token);
  const active = values.filter(amount => amount > 0n).length;
  const custom = search.from !== undefined || search.to !== undefined;
  return (
    <DayBars
      title="Payouts by day"
      sentence={`Paid ${sum} on ${active} of ${count(days.length, "day")}, from ${from} to ${to} (UTC).`}
      days={days}
      series={[
        {
          name: token.symbol,
          colour: "var(--series-paid)",
          values: values.map(amount => length(amount, token)),
          text: day => formatAmount(values[day] ?? 0n, token),
        },
      ]}
      tick={value => (value === 0 ? "0" : new Intl.NumberFormat("en", { notation: "compact" }).format(value))}
      csv={file}
      controls={
        <>
          {tokens.length > 1 && (
            <NativeSelect
              size="xs"
              aria-label="Token"
              data={tokens.map(({ address, symbol }) => ({ value: address, label: symbol }))}
              value={token.address}
              onChange={event => change({ token: event.currentTarget.value })}
            />
          )}
          <SegmentedControl
            size="xs"
            aria-label="Range"
            data={RANGES}
            value={custom ? "" : (search.range ?? "30")}
            onChange={range => change({ range, from: undefined, to: undefined })}
          />
          <TextInput
            size="xs"
            type="date"
            aria-label="First day"
            value={from}
            max={to}
            onChange={event => change({ from: event.currentTarget.value, to })}
          />
          <TextInput
            size="xs"
            type="date"
            aria-label="Last day"
            value={to}
            min={from}
            onChange={event => change({ from, to: event.currentTarget.value })}
          />
        </>
      }
    />
  );
}
