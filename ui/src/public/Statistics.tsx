/** What happened on this network, by day and in total. */

import { SegmentedControl, Select, TextInput } from "@mantine/core";
import { IconBraces, IconDownload } from "@tabler/icons-react";
import { useMemo } from "react";
import { url } from "../shared/api";
import chart from "../shared/chart/chart.module.css";
import { DayBars, type DaySeries } from "../shared/chart/DayBars";
import { Legend, StackBar, Swatch } from "../shared/chart/frame";
import { type Column, DataTable } from "../shared/DataTable";
import {
  count,
  duration,
  ETH,
  formatAmount,
  formatPoints,
  integer,
  roughPpm,
  shortAddress,
  shortUnits,
  type Token,
  units,
} from "../shared/format";
import { Address, Amount, type Figure, Figures, PageHead, Panel } from "../shared/parts";
import { useApi } from "../shared/query";
import { useSearchState } from "../shared/search";
import { Empty, Loaded, Loading } from "../shared/states";
import { useTokens } from "./data";
import { allTime, daysBetween, lastDays } from "./days";
import shared from "./parts.module.css";
import type { CapsuleRecord, StateCounts, Statistics, TokenMoney } from "./types";
import { STATES } from "./words";

const RANGES: Record<string, () => { from: string; to: string }> = {
  "7": () => lastDays(7),
  "30": () => lastDays(30),
  "90": () => lastDays(90),
  all: () => allTime(),
};

const STATE_COLOURS: Record<keyof StateCounts, string> = {
  proposed: "var(--series-escrow)",
  open: "var(--series-accuracy)",
  closed: "var(--series-spend)",
  finalized: "var(--series-paid)",
  released: "var(--good)",
  refunded: "var(--series-refunded)",
  convicted: "var(--series-rejected)",
};

export function StatisticsPage() {
  const [search, setSearch] = useSearchState();
  const custom = search.from && search.to ? { from: search.from, to: search.to } : null;
  const chosen = custom ? "custom" : (search.range ?? "30");
  const range = custom ?? (RANGES[chosen] ?? (() => lastDays(30)))();
  const query = useApi<Statistics>("/api/v1/statistics", range);
  return (
    <>
      <PageHead
        title="Statistics"
        actions={
          <>
            <a className={chart.tool} href={url("/api/v1/statistics", { ...range, format: "csv" })} download>
              <IconDownload size={15} />
              CSV
            </a>
            <a className={chart.tool} href={url("/api/v1/statistics", range)}>
              <IconBraces size={15} />
              JSON
            </a>
          </>
        }
      >
        Counted from the chain's events, by UTC day. The same figures follow from any copy of the chain.
      </PageHead>
      <div className={shared.chips} style={{ marginBottom: 20, gap: 12 }}>
        <SegmentedControl
          aria-label="Range"
          value={chosen === "custom" ? "" : chosen}
          onChange={value =>
            setSearch({ range: value === "30" ? undefined : value, from: undefined, to: undefined })
          }
          data={[
            { value: "7", label: "7 days" },
            { value: "30", label: "30 days" },
            { value: "90", label: "90 days" },
            { value: "all", label: "All" },
          ]}
        />
        <TextInput
          type="date"
          aria-label="From"
          value={range.from}
          max={range.to}
          onChange={event => setSearch({ from: event.currentTarget.value, to: range.to })}
        />
        <TextInput
          type="date"
          aria-label="To"
          value={range.to}
          min={range.from}
          onChange={event => setSearch({ from: range.from, to: event.currentTarget.value })}
        />
      </div>
      <Loaded
        query={query}
        what="The statistics could not be loaded"
        loading={<Loading lines={5} height={90} />}
      >
        {statistics => (
          <Content
            statistics={statistics}
            tokenChoice={search.token}
            chooseToken={token => setSearch({ token })}
          />
        )}
      </Loaded>
    </>
  );
}

interface ContentProps {
  statistics: Statistics;
  tokenChoice: string | undefined;
  chooseToken: (token: string) => void;
}

/** The days of the range from the first one on which something happened, so that "All" does not begin with empty years. */
function shownDays({ days, from, to }: Statistics): string[] {
  const first = days[0]?.date;
  const all = daysBetween(first && first > from ? first : from, to);
  return all.length > 400 ? all.slice(-400) : all;
}

function Content({ statistics, tokenChoice, chooseToken }: ContentProps) {
  const { total } = statistics;
  const lookup = useTokens();
  const days = useMemo(() => shownDays(statistics), [statistics]);
  const byDay = useMemo(() => new Map(statistics.days.map(day => [day.date, day])), [statistics]);
  const tokens = total.money.map(({ token }) => token);
  const address =
    tokens.find(token => token === tokenChoice) ?? tokens.find(token => token !== ETH.address) ?? tokens[0];
  const token = address ? lookup(address) : undefined;
  const counts = (
    pick: (day: Statistics["days"][number]) => number,
    name: string,
    colour: string,
  ): DaySeries => {
    const values = days.map(date => {
      const day = byDay.get(date);
      return day ? pick(day) : 0;
    });
    return { name, colour, values, text: day => integer(values[day] ?? 0) };
  };
  return (
    <div className={shared.grid}>
      <Figures items={tiles(statistics, lookup)} />
      <div className={shared.halves}>
        <DayBars
          title="Submissions"
          sentence={`${count(total.submissions, "submission")}; ${integer(total.accepted)} accepted, ${integer(total.not_improved)} without improvement, ${integer(total.rejected)} rejected.`}
          days={days}
          tick={value => (Number.isInteger(value) ? integer(value) : null)}
          series={[
            counts(day => day.accepted, "Accepted", "var(--series-accuracy)"),
            counts(day => day.not_improved, "No improvement", "var(--series-escrow)"),
            counts(day => day.rejected, "Rejected", "var(--series-rejected)"),
          ]}
        />
        {address ? (
          <MoneyBars
            statistics={statistics}
            days={days}
            address={address}
            token={token}
            tokens={tokens}
            lookup={lookup}
            choose={chooseToken}
          />
        ) : (
          <Panel title="Money">
            <Empty title="No money moved in this range" />
          </Panel>
        )}
        <DayBars
          title="Active miners"
          sentence={`${count(total.miners_active, "account")} submitted in this range. An account that submits on several days counts on each.`}
          days={days}
          tick={value => (Number.isInteger(value) ? integer(value) : null)}
          series={[counts(day => day.miners_active, "Miners", "var(--series-paid)")]}
        />
        <StatesPanel byState={total.by_state} />
      </div>
      <CapsuleTable capsules={total.capsules} />
    </div>
  );
}

function tiles({ total }: Statistics, token: (address: string) => Token | undefined): Figure[] {
  const { evaluation_seconds: evaluation } = total;
  return [
    {
      label: "Submissions",
      value: integer(total.submissions),
      note: total.acceptance_ppm === null ? "none settled" : `${roughPpm(total.acceptance_ppm)} accepted`,
    },
    {
      label: "Active miners",
      value: integer(total.miners_active),
      note: count(total.campaigns.opened, "campaign launched", "campaigns launched"),
    },
    {
      label: "Accuracy gained",
      value: formatPoints(total.accuracy_points_ppm),
      note: "percentage points, all campaigns",
    },
    ...total.cost_per_point.slice(0, 2).map(cost => ({
      label: "Cost of a point",
      value: <Amount value={cost.amount} token={token(cost.token)} places={2} />,
      note: "earned by miners for each point",
    })),
    {
      label: "Evaluation",
      value: evaluation ? duration(evaluation.p50) : "–",
      note: evaluation
        ? `p95 ${duration(evaluation.p95)} · ${count(evaluation.count, "window")}`
        : "no window settled",
    },
  ];
}

interface MoneyBarsProps {
  statistics: Statistics;
  days: string[];
  address: string;
  token: Token | undefined;
  tokens: string[];
  lookup: (address: string) => Token | undefined;
  choose: (token: string) => void;
}

const MOVEMENTS: { key: "escrowed" | "paid" | "refunded"; name: string; colour: string }[] = [
  { key: "escrowed", name: "Escrowed", colour: "var(--series-escrow)" },
  { key: "paid", name: "Paid", colour: "var(--series-paid)" },
  { key: "refunded", name: "Refunded", colour: "var(--series-refunded)" },
];

function MoneyBars({ statistics, days, address, token, tokens, lookup, choose }: MoneyBarsProps) {
  const of = (money: TokenMoney[] | undefined) => money?.find(one => one.token === address);
  const byDay = new Map(statistics.days.map(day => [day.date, of(day.money)]));
  const text = (amount: string | bigint) => (token ? formatAmount(amount, token) : `${amount} units`);
  const total = of(statistics.total.money);
  // One tenth of a token is enough for the eye; the texts are exact.
  const scale = 10n ** BigInt(Math.max(0, (token?.decimals ?? 0) - 4));
  const series: DaySeries[] = MOVEMENTS.map(({ key, name, colour }) => {
    const amounts = days.map(date => byDay.get(date)?.[key] ?? "0");
    return {
      name,
      colour,
      values: amounts.map(amount => Number(units(amount) / scale)),
      text: day => text(amounts[day] ?? "0"),
    };
  });
  return (
    <DayBars
      title="Money"
      sentence={`Escrowed ${text(total?.escrowed ?? "0")}, earned ${text(total?.earned ?? "0")}, paid ${text(total?.paid ?? "0")}, refunded ${text(total?.refunded ?? "0")}, fees ${text(total?.fees ?? "0")}.`}
      days={days}
      series={series}
      tick={value => (token ? shortUnits(BigInt(Math.round(value)) * scale, token.decimals, 2).text : "")}
      controls={
        tokens.length > 1 && (
          <Select
            aria-label="Token"
            size="xs"
            w={130}
            allowDeselect={false}
            value={address}
            data={tokens.map(one => ({ value: one, label: lookup(one)?.symbol ?? shortAddress(one) }))}
            onChange={one => one && choose(one)}
          />
        )
      }
    />
  );
}

function StatesPanel({ byState }: { byState: StateCounts }) {
  const all = Object.values(byState).reduce((sum, n) => sum + n, 0);
  const states = Object.keys(STATE_COLOURS) as (keyof StateCounts)[];
  return (
    <Panel title="Campaigns by state" note={`${count(all, "campaign")} at the end of the range.`}>
      <StackBar
        parts={states.map(state => ({
          name: state,
          share: byState[state] ?? 0,
          colour: STATE_COLOURS[state],
        }))}
      />
      <Legend
        items={states.map(state => ({
          label: `${STATES[state].label} ${integer(byState[state] ?? 0)}`,
          mark: <Swatch colour={STATE_COLOURS[state]} />,
        }))}
      />
    </Panel>
  );
}

function CapsuleTable({ capsules }: { capsules: CapsuleRecord[] }) {
  const columns: Column<CapsuleRecord>[] = [
    {
      id: "operator",
      header: "Operator",
      width: "minmax(190px, 1.2fr)",
      cell: row => <Address address={row.operator} />,
    },
    {
      id: "campaigns",
      header: "Campaigns",
      end: true,
      sort: row => row.campaigns,
      cell: row => integer(row.campaigns),
    },
    {
      id: "settled",
      header: "Windows settled",
      end: true,
      sort: row => row.settled,
      cell: row => integer(row.settled),
    },
    {
      id: "delivered",
      header: "Delivered",
      end: true,
      sort: row => row.delivered,
      cell: row => integer(row.delivered),
    },
    { id: "late", header: "Late", end: true, sort: row => row.late, cell: row => integer(row.late) },
    {
      id: "declined",
      header: "Declined",
      end: true,
      sort: row => declined(row),
      cell: row => integer(declined(row)),
    },
    {
      id: "convictions",
      header: "Convictions",
      end: true,
      sort: row => row.convictions,
      cell: row => integer(row.convictions),
    },
    {
      id: "stake",
      header: "Stake",
      end: true,
      sort: row => units(row.stake),
      cell: row => <Amount value={row.stake} token={ETH} />,
    },
  ];
  return (
    <Panel title="Capsules in this range" flush>
      {capsules.length === 0 ? (
        <Empty title="No Capsule was active in this range" />
      ) : (
        <DataTable
          label="Capsules in this range"
          columns={columns}
          rows={capsules}
          id={row => row.operator}
        />
      )}
    </Panel>
  );
}

function declined(record: CapsuleRecord): number {
  return record.declined.reduce((sum, { count: n }) => sum + n, 0);
}
