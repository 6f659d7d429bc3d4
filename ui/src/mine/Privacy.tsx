/** Privacy: a gauge for each data set, what ε means, the ledger, and when a budget is spent at the current rate. */

import { type Column, DataTable } from "../shared/DataTable";
import { count, integer } from "../shared/format";
import { useNow } from "../shared/now";
import { Command, Facts, PageHead, Panel, Time } from "../shared/parts";
import { Empty, Loaded, Notice } from "../shared/states";
import { formatDelta, formatEpsilon, level, oddsFactor, runOut, spentPercent } from "./budget";
import { type PrivacyAccount, type PrivacyReport, useData, usePrivacy } from "./data";
import { Gauge } from "./Gauge";
import css from "./mine.module.css";

export function Page() {
  const privacy = usePrivacy();
  return (
    <>
      <PageHead title="Privacy">
        What was disclosed about each data set, and what is left of its budget. Each update is charged before
        it leaves this machine.
      </PageHead>
      <Loaded query={privacy} what="The privacy ledger cannot be loaded">
        {report => <Report report={report} />}
      </Loaded>
    </>
  );
}

function Report({ report }: { report: PrivacyReport }) {
  const { budget, data } = report;
  const added = new Map(useData().data?.items.map(set => [set.name, set.added]));
  if (data.length === 0)
    return (
      <Panel title="Budgets">
        <Empty title="No data set yet" action={<Command>mine data add NAME FILE.csv</Command>}>
          The budget and the ledger of each data set appear here.
        </Empty>
      </Panel>
    );
  return (
    <div className={css.grid}>
      {budget ? (
        <Notice>
          Each data set has ε {budget.epsilon} at δ {formatDelta(budget.delta)}, in{" "}
          {count(budget.uploads, "update")} of equal cost; ε itself grows more slowly with each. Of one row,
          an observer's odds of guessing right change by at most a factor of {oddsFactor(budget.epsilon)} (e
          to the power of ε), except with probability δ.
        </Notice>
      ) : (
        <Notice tone="warn">
          No privacy budget is set, so Capsules learn exact updates. Set one with{" "}
          <code className={css.code}>mine policy set --epsilon 3</code>.
        </Notice>
      )}
      {budget && (
        <div className={css.gauges}>
          {data.map(account => (
            <Card key={account.data} account={account} budget={budget} added={added.get(account.data)} />
          ))}
        </div>
      )}
      <Panel title="Ledger" note="Accounts are kept when a data set is removed." flush>
        <DataTable
          label="Privacy ledger"
          columns={columns(report)}
          rows={data}
          id={account => account.data}
        />
      </Panel>
    </div>
  );
}

interface CardProps {
  account: PrivacyAccount;
  budget: NonNullable<PrivacyReport["budget"]>;
  added: number | undefined;
}

function Card({ account, budget, added }: CardProps) {
  const now = useNow();
  const percent = spentPercent(account, budget);
  const end = added === undefined ? null : runOut(account, added, now);
  const left = account.left ?? 0;
  return (
    <Panel title={account.data}>
      <div className={css.card}>
        <Gauge
          percent={percent}
          level={level(percent)}
          value={integer(budget.uploads - left)}
          note={`of ${count(budget.uploads, "update")}`}
          label={`${account.data}: ${percent} % of the privacy budget is spent`}
        />
        <Facts
          items={[
            ["ε spent", `${formatEpsilon(account.epsilon ?? 0)} of ${budget.epsilon}`],
            ["Left", left === 0 ? "None: the Mine makes no update with it" : count(left, "update")],
            ["Made", count(account.private, "private update")],
            [
              "Runs out",
              left === 0 ? (
                "It is spent"
              ) : end === null ? (
                <span key="end" className={css.muted}>
                  Too few updates to tell
                </span>
              ) : (
                <span key="end">
                  <Time unix={end} />, at the rate so far
                </span>
              ),
            ],
          ]}
        />
        {account.exact > 0 && (
          <Notice tone="warn">
            {count(account.exact, "exact update")} without a budget {account.exact === 1 ? "was" : "were"}{" "}
            made. ε does not cover {account.exact === 1 ? "it" : "them"}.
          </Notice>
        )}
      </div>
    </Panel>
  );
}

function columns({ budget }: PrivacyReport): Column<PrivacyAccount>[] {
  const always: Column<PrivacyAccount>[] = [
    {
      id: "data",
      header: "Data set",
      width: "minmax(160px, 1.4fr)",
      sort: account => account.data,
      cell: account => <strong>{account.data}</strong>,
    },
    {
      id: "private",
      header: "Private updates",
      end: true,
      sort: account => account.private,
      cell: account => integer(account.private),
    },
    {
      id: "exact",
      header: "Exact updates",
      end: true,
      sort: account => account.exact,
      cell: account => integer(account.exact),
    },
  ];
  if (!budget) return always;
  return [
    ...always,
    {
      id: "epsilon",
      header: "ε spent",
      end: true,
      sort: account => account.epsilon ?? 0,
      cell: account => `${formatEpsilon(account.epsilon ?? 0)} of ${budget.epsilon}`,
    },
    {
      id: "share",
      header: "Budget spent",
      end: true,
      sort: account => spentPercent(account, budget),
      cell: account => `${spentPercent(account, budget)} %`,
    },
    {
      id: "left",
      header: "Updates left",
      end: true,
      sort: account => account.left ?? 0,
      cell: account => integer(account.left ?? 0),
    },
  ];
}
