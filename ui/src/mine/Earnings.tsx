/** Earnings: totals by token, payouts by day, every submission down to its settlement and the payout formula. */

import { NativeSelect } from "@mantine/core";
import { IconAlertTriangle, IconDownload } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import chart from "../shared/chart/chart.module.css";
import { type Column, DataTable } from "../shared/DataTable";
import { count, ETH, formatAmount, formatPoints, integer, shortUnits, units } from "../shared/format";
import { Amount, Chip, Facts, Figures, Identifier, PageHead, Panel, Time } from "../shared/parts";
import { useSearchState } from "../shared/search";
import { Empty, Loaded, Partial } from "../shared/states";
import Days from "./Days";
import {
  campaignName,
  type Earnings,
  type Submission,
  type TokenTotal,
  tokenOf,
  useEarnings,
  useStatus,
} from "./data";
import { useFile } from "./file";
import css from "./mine.module.css";
import { agrees, csv, formula } from "./sums";
import { Withdraw } from "./Withdraw";
import { VERDICTS } from "./words";

export function Page() {
  const earnings = useEarnings();
  const running = useStatus().data?.running ?? false;
  return (
    <>
      <PageHead title="Earnings" actions={<Withdraw disabled={!running} />}>
        Every amount comes from the chain, down to the settlement that paid it.
      </PageHead>
      <Loaded query={earnings} what="The earnings cannot be loaded">
        {data => (
          <div className={css.grid}>
            {data.totals.map(total => (
              <TokenFigures key={total.token.address} total={total} />
            ))}
            {data.days.length > 0 && <Days earnings={data} />}
            <Submissions earnings={data} />
            <Costs earnings={data} />
          </div>
        )}
      </Loaded>
    </>
  );
}

function TokenFigures({ total }: { total: TokenTotal }) {
  const token = tokenOf(total.token);
  const amount = (value: string) => <Amount value={value} token={token} />;
  return (
    <section aria-label={`Earnings in ${token.symbol}`}>
      <Figures
        items={[
          { label: "Claimable", value: amount(total.claimable), note: "can be withdrawn now" },
          {
            label: "Pending, at most",
            value: amount(total.pending_at_most),
            note: count(total.pending_count, "submission"),
          },
          {
            label: "Earned in all",
            value: amount(total.earned),
            note: <>withdrawn: {amount(total.withdrawn)}</>,
          },
          {
            label: "Net in all",
            value: amount(total.net),
            note: token === ETH ? "after gas and charged stakes" : "gas is paid in ETH",
          },
        ]}
      />
    </section>
  );
}

function Costs({ earnings: { gas, stakes } }: { earnings: Earnings }) {
  return (
    <Panel title="Costs and stakes" note="Stakes are yours; only what was charged is a cost.">
      <Facts
        items={[
          [
            "Gas",
            `${formatAmount(gas.wei, ETH)} in ${count(gas.transactions, "transaction")}${
              gas.missing > 0 ? `; ${count(gas.missing, "receipt")} not read yet` : ""
            }`,
          ],
          ["Charged stakes", formatAmount(stakes.charged, ETH)],
          ["Stakes held for pending submissions", formatAmount(stakes.held, ETH)],
          [
            "Free stakes",
            `${formatAmount(stakes.free, ETH)}: can be withdrawn, or backs the next submission`,
          ],
          ["Shares of slashed Capsules", formatAmount(stakes.claimable, ETH)],
        ]}
      />
    </Panel>
  );
}

function Submissions({ earnings }: { earnings: Earnings }) {
  const [search, change] = useSearchState();
  const verdict = search.verdict ?? "all";
  const rows = earnings.items.filter(item => verdict === "all" || item.verdict === verdict);
  const file = useFile(csv(rows));
  return (
    <Panel
      title="Submissions"
      note="Each payout is floor(bounty × Δ / target), in the token's smallest unit."
      actions={
        <>
          <NativeSelect
            size="xs"
            aria-label="Outcome"
            data={[
              { value: "all", label: "All outcomes" },
              ...Object.entries(VERDICTS).map(([value, { label }]) => ({ value, label })),
            ]}
            value={verdict}
            onChange={event =>
              change({ verdict: event.currentTarget.value === "all" ? undefined : event.currentTarget.value })
            }
          />
          <a className={chart.tool} href={file} download="submissions.csv">
            <IconDownload size={15} />
            CSV
          </a>
        </>
      }
      flush
    >
      {earnings.items.length < earnings.submissions && (
        <Partial>
          Shown are the newest {integer(earnings.items.length)} of {integer(earnings.submissions)}{" "}
          submissions. The totals above count all of them; <code className={css.code}>mine earnings</code>{" "}
          lists all.
        </Partial>
      )}
      {rows.length === 0 ? (
        <Empty
          title={earnings.items.length === 0 ? "No submission yet" : "No submission with this outcome"}
          {...(earnings.items.length === 0 ? { action: <Link to="/campaigns">See the campaigns</Link> } : {})}
        >
          {earnings.items.length === 0
            ? "When the Mine submits an update, it appears here with its settlement."
            : "Choose another outcome."}
        </Empty>
      ) : (
        <DataTable
          label="Submissions"
          columns={COLUMNS}
          rows={rows}
          id={item => `${item.campaign} ${item.window} ${item.number}`}
          rowHeight={72}
          note={`${integer(rows.length)} of ${count(earnings.submissions, "submission")}`}
        />
      )}
    </Panel>
  );
}

const COLUMNS: Column<Submission>[] = [
  {
    id: "campaign",
    header: "Campaign",
    width: "minmax(180px, 1.2fr)",
    sort: campaignName,
    cell: item => (
      <div className={css.name}>
        <strong>{campaignName(item)}</strong>
        <span className={css.muted}>
          window {integer(item.window)}, no. {integer(item.number)}, version {integer(item.version)}
        </span>
      </div>
    ),
  },
  {
    id: "verdict",
    header: "Outcome",
    width: "minmax(120px, .6fr)",
    sort: item => item.verdict,
    cell: item => (
      <Chip tone={VERDICTS[item.verdict].tone} hint={VERDICTS[item.verdict].hint}>
        {VERDICTS[item.verdict].label}
      </Chip>
    ),
  },
  {
    id: "delta",
    header: "Δ points",
    end: true,
    width: "minmax(100px, .4fr)",
    sort: item => item.delta_ppm ?? -1,
    cell: item => (item.delta_ppm === null ? "–" : formatPoints(item.delta_ppm)),
  },
  {
    id: "amount",
    header: "Payout",
    end: true,
    width: "minmax(350px, 1.6fr)",
    sort: item => units(item.amount ?? "0"),
    cell: item => <Payout item={item} />,
  },
  {
    id: "charged",
    header: "Charged stake",
    end: true,
    width: "minmax(130px, .6fr)",
    sort: item => units(item.charged),
    cell: item => (item.charged === "0" ? "–" : <Amount value={item.charged} token={ETH} />),
  },
  {
    id: "time",
    header: "Time",
    end: true,
    width: "minmax(90px, .5fr)",
    sort: item => item.time,
    cell: item => <Time unix={item.time} />,
  },
  {
    id: "transaction",
    header: "Transaction",
    end: true,
    width: "minmax(175px, .7fr)",
    cell: item => <Identifier text={item.transaction} name="transaction" />,
  },
];

/** The payout, and the formula with its three integers. */
function Payout({ item }: { item: Submission }) {
  if (item.amount === null) return <>–</>;
  const token = tokenOf(item.token);
  return (
    <div className={css.formula}>
      <strong>
        {shortUnits(item.amount, token.decimals, 6).exact ? (
          formatAmount(item.amount, token)
        ) : (
          <Amount value={item.amount} token={token} places={6} />
        )}
      </strong>
      <code className={`${css.code} ${css.muted}`}>{formula(item)}</code>
      {!agrees(item) && (
        <Chip
          tone="bad"
          icon={<IconAlertTriangle size={14} />}
          hint="The amount on chain is not the formula's."
        >
          Differs from the formula
        </Chip>
      )}
    </div>
  );
}
