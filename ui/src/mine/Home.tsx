/** Home: what the Mine earned, what it does and why, what its owner should do, what is left of the privacy budgets. */

import { IconCircleCheck } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { lazy, type ReactNode, Suspense } from "react";
import { count, duration, ETH, formatAmount, formatPpm, integer } from "../shared/format";
import { useNow } from "../shared/now";
import { Prose } from "../shared/Prose";
import { Chip, Command, Figures, PageHead, Panel } from "../shared/parts";
import { Empty, Loaded } from "../shared/states";
import { formatEpsilon, level, spentPercent } from "./budget";
import {
  type Campaign,
  campaignName,
  type Earnings,
  type MineState,
  type PrivacyReport,
  useCampaigns,
  useEarnings,
  usePrivacy,
  useStatus,
  type Work,
} from "./data";
import css from "./mine.module.css";
import { standing } from "./PauseMenu";
import { claimable, dayOf, firstDay, isComplete, net, pending } from "./sums";
import { Total } from "./Total";
import { Withdraw } from "./Withdraw";
import { DECISIONS, NEEDS, stepDoing } from "./words";

const Days = lazy(() => import("./Days"));

export function Page() {
  const status = useStatus();
  const earnings = useEarnings();
  // One notice for the whole page, not one for each part.
  const isGone = status.data === undefined && earnings.data === undefined && status.error !== null;
  return (
    <>
      <PageHead title="Home" actions={<Withdraw disabled={!status.data?.running} />}>
        {status.data?.balance
          ? `Balance for gas and stakes: ${formatAmount(status.data.balance, ETH)}`
          : "What your data earns, and what your Mine does with it."}
      </PageHead>
      {isGone ? (
        <Loaded query={status} what="The status cannot be loaded">
          {() => null}
        </Loaded>
      ) : (
        <Content status={status} earnings={earnings} />
      )}
    </>
  );
}

interface ContentProps {
  status: ReturnType<typeof useStatus>;
  earnings: ReturnType<typeof useEarnings>;
}

function Content({ status, earnings }: ContentProps) {
  return (
    <div className={css.grid}>
      <Loaded query={earnings} what="The earnings cannot be loaded">
        {data => <Money earnings={data} />}
      </Loaded>
      <div className={css.columns}>
        <div className={css.grid}>
          <Loaded query={status} what="The status cannot be loaded">
            {data => <Now status={data} />}
          </Loaded>
          {earnings.data && earnings.data.days.length > 0 && (
            <Suspense>
              <Days earnings={earnings.data} />
            </Suspense>
          )}
        </div>
        <div className={css.grid}>
          {status.data && <Needs status={status.data} />}
          <Privacy />
        </div>
      </div>
    </div>
  );
}

function Money({ earnings }: { earnings: Earnings }) {
  const campaigns = useCampaigns().data?.items ?? [];
  const now = useNow();
  const today = dayOf(now);
  const month = firstDay(now, 30);
  const waiting = earnings.totals.reduce((sum, total) => sum + total.pending_count, 0);
  return (
    <Figures
      items={[
        {
          label: "Claimable",
          value: (
            <Total
              title="Claimable"
              meaning="What you can withdraw now: payouts and other credits, less what was withdrawn. Stakes are not part of it."
              sums={claimable(earnings)}
            />
          ),
          note: (
            <Link to="/earnings" className={css.link}>
              All earnings
            </Link>
          ),
        },
        {
          label: "Pending, at most",
          value: (
            <Total
              title="Pending"
              meaning="The most that submissions can earn that are not settled. Each would have to reach its campaign's target."
              sums={pending(earnings, campaigns)}
            />
          ),
          note: waiting === 0 ? "No submission waits" : `${count(waiting, "submission")}, from 0`,
        },
        {
          label: "Today, net",
          value: (
            <Total
              title="Today, net"
              meaning={`Payouts of ${today} (UTC), less gas and charged stakes.`}
              sums={net(earnings, today, today)}
              signed
            />
          ),
          note: "after gas and charged stakes",
        },
        {
          label: "30 days, net",
          value: (
            <Total
              title="30 days, net"
              meaning={`Payouts from ${month} to ${today} (UTC), less gas and charged stakes.`}
              sums={net(earnings, month, today)}
              signed
              partial={!isComplete(earnings, month)}
            />
          ),
          note:
            earnings.gas.missing > 0
              ? `${count(earnings.gas.missing, "receipt")} not read yet`
              : "after gas and charged stakes",
        },
      ]}
    />
  );
}

function Now({ status }: { status: MineState }) {
  const campaigns = useCampaigns();
  const now = useNow();
  const { label, reason, ends } = standing(status, now);
  const serving = campaigns.data?.items.filter(({ decision }) => decision?.kind !== "skip") ?? [];
  return (
    <Panel
      title="Now"
      note={`${label}. ${reason} ${ends}`}
      actions={
        <Link to="/campaigns" className={css.link}>
          All campaigns
        </Link>
      }
      flush
    >
      {status.now.length === 0 && serving.length === 0 ? (
        <Empty title="No work at the moment">
          {status.running
            ? "The Mine looks at every new campaign. It starts when one fits your data and your policy."
            : "The Mine starts when the chain answers."}
        </Empty>
      ) : (
        <ul className={css.list}>
          {status.now.map(work => (
            <Working key={`${work.campaign} ${work.step}`} work={work} now={now} />
          ))}
          {serving
            .filter(({ decision }) => decision !== null)
            .filter(({ campaign }) => !status.now.some(work => work.campaign === campaign))
            .slice(0, 5)
            .map(campaign => (
              <Next key={campaign.campaign} campaign={campaign} />
            ))}
        </ul>
      )}
    </Panel>
  );
}

function Working({ work, now }: { work: Work; now: number }) {
  const percent = work.progress_ppm === null ? null : Math.floor(work.progress_ppm / 10_000);
  return (
    <li>
      <div className={css.line}>
        <Chip tone="accent">{stepDoing(work.step)}</Chip>
        <strong>{campaignName(work)}</strong>
        <span className={css.muted}>
          {percent === null ? "" : `${percent} % · `}
          {duration(now - work.started)}
        </span>
      </div>
      {percent !== null && (
        <div
          className={css.track}
          role="progressbar"
          aria-label={`${stepDoing(work.step)} for ${campaignName(work)}`}
          aria-valuenow={percent}
          aria-valuemin={0}
          aria-valuemax={100}
        >
          <div style={{ width: `${percent}%` }} />
        </div>
      )}
    </li>
  );
}

function Next({ campaign }: { campaign: Campaign }) {
  const { decision } = campaign;
  if (!decision) return null;
  const { label, tone } = DECISIONS[decision.kind];
  return (
    <li>
      <div className={css.line}>
        <Chip tone={tone}>{label}</Chip>
        <strong>{campaignName(campaign)}</strong>
        <span className={css.muted}>
          best {formatPpm(campaign.best_ppm)} of {formatPpm(campaign.target_ppm)}
        </span>
      </div>
      <p className={`${css.text} ${css.muted}`}>
        <Prose text={decision.text} />
      </p>
    </li>
  );
}

function Needs({ status: { needs } }: { status: MineState }) {
  return (
    <Panel title="Needs you" flush>
      {needs.length === 0 ? (
        <Empty icon={<IconCircleCheck size={28} stroke={1.5} />} title="Nothing to do">
          The Mine works without you. What needs you appears here.
        </Empty>
      ) : (
        <ul className={css.list}>
          {needs.map(({ kind, text, command }) => (
            <li key={`${kind} ${text}`}>
              <div>
                <Chip tone={kind === "trouble" || kind === "file" ? "bad" : "warn"}>{NEEDS[kind]}</Chip>
              </div>
              <p className={css.text}>
                <Prose text={text} />
              </p>
              {command && <Command>{command}</Command>}
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}

function Privacy() {
  const privacy = usePrivacy();
  return (
    <Panel
      title="Privacy"
      note={budgetNote(privacy.data)}
      actions={
        <Link to="/privacy" className={css.link}>
          Details
        </Link>
      }
      flush={Boolean(privacy.data?.data.length)}
    >
      <Loaded query={privacy} what="The privacy ledger cannot be loaded">
        {({ budget, data }) =>
          data.length === 0 ? (
            <Empty title="No data set yet" action={<Command>mine data add NAME FILE.csv</Command>}>
              The budget of each data set appears here.
            </Empty>
          ) : (
            <ul className={css.list}>
              {data.map(account => {
                const percent = budget ? spentPercent(account, budget) : null;
                const text = budget
                  ? `ε ${formatEpsilon(account.epsilon ?? 0)} of ${budget.epsilon} · ${integer(account.left ?? 0)} of ${count(budget.uploads, "update")} left`
                  : `${count(account.exact, "exact update")}, no budget`;
                return (
                  <li key={account.data}>
                    <div className={css.line}>
                      <strong>{account.data}</strong>
                      <span className={css.muted}>{text}</span>
                    </div>
                    {percent !== null && <Track percent={percent} name={account.data} />}
                  </li>
                );
              })}
            </ul>
          )
        }
      </Loaded>
    </Panel>
  );
}

function budgetNote(report: PrivacyReport | undefined): ReactNode {
  if (!report) return null;
  return report.budget
    ? "What was disclosed of the budget of each data set."
    : "No budget is set: Capsules learn exact updates.";
}

function Track({ percent, name }: { percent: number; name: string }) {
  return (
    <div
      className={css.track}
      role="meter"
      aria-label={`Privacy budget of ${name} that is spent`}
      aria-valuenow={percent}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuetext={`${percent} %`}
    >
      <div data-level={level(percent)} style={{ width: `${percent}%` }} />
    </div>
  );
}
