/** The operator's page: the next deadline first, then what is at stake, the campaigns, fees, limits and keys. */

import { IconAlertTriangle, IconCircleCheck, IconClockHour4 } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { StateChip } from "../public/parts";
import type { State } from "../public/types";
import { Legend, StackBar, Swatch } from "../shared/chart/frame";
import { type Column, DataTable } from "../shared/DataTable";
import {
  absolute,
  count,
  duration,
  ETH,
  formatAmount,
  formatBits,
  formatPpm,
  integer,
  type Token,
  units,
} from "../shared/format";
import { useNow } from "../shared/now";
import { Prose } from "../shared/Prose";
import { Address, Amount, Chip, Command, Copy, Facts, Identifier, PageHead, Panel } from "../shared/parts";
import { Empty, Loaded, Notice } from "../shared/states";
import css from "./capsule.module.css";
import {
  type Alert,
  type Campaign,
  type CapsuleState,
  campaignName,
  type Key,
  type TokenSum,
  tokensOf,
  useCampaigns,
  useStatus,
} from "./data";
import { byDeadline, countdown, isDuty, nextDuty, urgency } from "./deadlines";
import { shares, stakeParts } from "./stake";
import { actionName, DEADLINES, KEY_STATES, KEYS, limitLines } from "./words";

export function Page() {
  const status = useStatus();
  const campaigns = useCampaigns();
  return (
    <>
      <PageHead title="Capsule">
        {status.data ? (
          <>
            Operator <Address address={status.data.operator} />
          </>
        ) : (
          "Deadlines, stake and keys of this Capsule."
        )}
      </PageHead>
      <div className={css.grid}>
        <Loaded query={campaigns} what="The campaigns cannot be loaded">
          {({ items }) => <NextDeadline campaigns={items} />}
        </Loaded>
        <Loaded query={status} what="The status cannot be loaded">
          {data => (
            <>
              <Alerts status={data} />
              <div className={css.columns}>
                <Stake status={data} />
                <Fees status={data} />
              </div>
            </>
          )}
        </Loaded>
        {status.data && <Campaigns tokenOf={tokensOf(status.data)} />}
        {status.data && (
          <div className={css.columns}>
            <Keys keys={status.data.keys} />
            <Limits status={status.data} />
          </div>
        )}
      </div>
    </>
  );
}

function NextDeadline({ campaigns }: { campaigns: Campaign[] }) {
  const now = useNow();
  const next = nextDuty(campaigns);
  if (!next)
    return (
      <section className={css.next} aria-label="Next deadline" data-urgency="none">
        <IconCircleCheck size={32} stroke={1.5} aria-hidden="true" />
        <div>
          <h2>No deadline</h2>
          <p>No campaign waits for this Capsule.</p>
        </div>
      </section>
    );
  const { kind, at } = next.next_deadline;
  const level = urgency(at, now);
  return (
    <section className={css.next} aria-label="Next deadline" data-urgency={level}>
      {level === "later" ? (
        <IconClockHour4 size={32} stroke={1.5} aria-hidden="true" />
      ) : (
        <IconAlertTriangle size={32} stroke={1.5} aria-hidden="true" />
      )}
      <div>
        <h2>
          {DEADLINES[kind].label}: {campaignName(next)}
        </h2>
        <p>
          By {absolute(at)}. If it is missed, {DEADLINES[kind].missed}. Locked:{" "}
          {formatAmount(next.stake_locked, ETH)}.
        </p>
      </div>
      <strong className={css.countdown}>{countdown(at, now)}</strong>
    </section>
  );
}

function Alerts({ status: { alerts } }: { status: CapsuleState }) {
  if (alerts.length === 0) return null;
  return (
    <Panel title="Alerts" note={`${count(alerts.length, "thing")} to do`} flush>
      <ul className={css.alerts}>
        {alerts.map(alert => (
          <AlertLine key={`${alert.kind} ${alert.text}`} alert={alert} />
        ))}
      </ul>
    </Panel>
  );
}

function AlertLine({ alert: { severity, text, fix } }: { alert: Alert }) {
  const command = /`([^`]+)`/.exec(fix)?.[1];
  return (
    <li>
      <Chip tone={severity === "error" ? "bad" : "warn"} icon={<IconAlertTriangle size={14} />}>
        {severity === "error" ? "Error" : "Warning"}
      </Chip>
      <div>
        <p>
          <Prose text={text} />
        </p>
        <div className={css.fix}>
          <span>
            <Prose text={fix} />
          </span>
          <Copy text={command ?? fix} label={`Copy what to do: ${command ?? fix}`} />
        </div>
      </div>
    </li>
  );
}

function Stake({ status: { stake, balance } }: { status: CapsuleState }) {
  const parts = stakeParts(stake);
  const lengths = shares(parts);
  return (
    <Panel title="Stake" note={`${formatAmount(stake.total, ETH)} in all`}>
      <StackBar
        parts={parts.map(({ name, colour }, index) => ({ name, colour, share: lengths[index] ?? 0 }))}
      />
      <Legend items={parts.map(({ name, colour }) => ({ label: name, mark: <Swatch colour={colour} /> }))} />
      <br />
      <Facts
        items={[
          ...parts.map(({ name, amount, meaning }): [string, ReactNode] => [
            name,
            <span key={name}>
              <strong>{formatAmount(amount, ETH)}</strong> <span className={css.muted}>{meaning}</span>
            </span>,
          ]),
          [
            "Balance for gas",
            balance === null ? (
              "Unknown until the chain answers"
            ) : (
              <strong key="gas">{formatAmount(balance, ETH)}</strong>
            ),
          ],
        ]}
      />
    </Panel>
  );
}

function Fees({ status }: { status: CapsuleState }) {
  const { fees, fee_ppm } = status;
  const tokenOf = tokensOf(status);
  const amounts = (sums: TokenSum[]): ReactNode =>
    sums.length === 0
      ? "None yet"
      : sums.map(({ token, amount }) => (
          <div key={token}>
            <strong>{formatAmount(amount, tokenOf(token))}</strong>
          </div>
        ));
  const isOwed = fees.owed.some(({ amount }) => units(amount) > 0n);
  return (
    <Panel title="Fees" note={fee_ppm === null ? "Not registered" : `${formatPpm(fee_ppm)} of the bounty`}>
      <div className={css.grid}>
        <Facts
          items={[
            ["Can be withdrawn", amounts(fees.owed)],
            ["Credited when audits end", amounts(fees.pending)],
            ["Credited in all", amounts(fees.earned)],
          ]}
        />
        {isOwed && <Command label="Copy the command that withdraws fees">capsule withdraw</Command>}
      </div>
    </Panel>
  );
}

function Campaigns({ tokenOf }: { tokenOf: (address: string) => Token }) {
  const campaigns = useCampaigns();
  if (!campaigns.data) return null;
  const rows = byDeadline(campaigns.data.items);
  return (
    <Panel title="Campaigns" note="By their next deadline." flush>
      {rows.length === 0 ? (
        <Empty title="No campaign yet">Campaigns that name this Capsule appear here.</Empty>
      ) : (
        <DataTable
          label="Campaigns"
          columns={columns(tokenOf)}
          rows={rows}
          id={row => row.campaign}
          rowHeight={64}
          note={count(rows.length, "campaign")}
        />
      )}
    </Panel>
  );
}

function columns(tokenOf: (address: string) => Token): Column<Campaign>[] {
  return [
    {
      id: "campaign",
      header: "Campaign",
      width: "minmax(200px, 1.4fr)",
      sort: row => row.campaign,
      cell: row => <Identifier text={row.campaign} name="campaign id" />,
    },
    {
      id: "state",
      header: "State",
      width: "minmax(120px, .6fr)",
      sort: row => row.state,
      cell: row => <StateChip state={row.state as State} />,
    },
    {
      id: "deadline",
      header: "Next deadline",
      width: "minmax(190px, 1fr)",
      sort: row => row.next_deadline?.at ?? Number.MAX_SAFE_INTEGER,
      cell: row => <Deadline row={row} />,
    },
    {
      id: "best",
      header: "Best",
      end: true,
      width: "minmax(80px, .5fr)",
      sort: row => row.best_ppm,
      cell: row => (row.version === 0 ? "–" : formatPpm(row.best_ppm)),
    },
    {
      id: "stake",
      header: "Locked",
      end: true,
      width: "minmax(110px, .6fr)",
      sort: row => units(row.stake_locked),
      cell: row => <Amount value={row.stake_locked} token={ETH} />,
    },
    {
      id: "fee",
      header: "Fee",
      end: true,
      width: "minmax(110px, .6fr)",
      sort: row => units(row.fee),
      cell: row => <Amount value={row.fee} token={tokenOf(row.token)} />,
    },
    {
      id: "leak",
      header: "Leak meter",
      end: true,
      width: "minmax(120px, .7fr)",
      sort: row => row.leak_bits ?? -1,
      cell: row => leak(row),
    },
    {
      id: "last",
      header: "Last step",
      width: "minmax(170px, 1fr)",
      cell: row => (
        <div className={css.name}>
          <span>{actionName(row.last)}</span>
          {row.problem && (
            <Chip tone="bad" icon={<IconAlertTriangle size={14} />} hint={row.problem}>
              Problem
            </Chip>
          )}
        </div>
      ),
    },
  ];
}

/** Bits disclosed of those allowed. */
export function leak({
  leak_bits,
  leak_bits_allowed,
}: Pick<Campaign, "leak_bits" | "leak_bits_allowed">): string {
  return `${formatBits(leak_bits)} of ${integer(Math.floor(leak_bits_allowed))}`;
}

const TONES = { missed: "bad", soon: "warn", later: "neutral" } as const;

function Deadline({ row: { next_deadline } }: { row: Campaign }) {
  const now = useNow();
  if (!next_deadline) return <span className={css.muted}>None</span>;
  const { kind, at } = next_deadline;
  const duty = isDuty(next_deadline);
  return (
    <div className={css.name}>
      <span>{DEADLINES[kind].label}</span>
      <Chip tone={duty ? TONES[urgency(at, now)] : "neutral"} hint={absolute(at)}>
        {countdown(at, now, duty)}
      </Chip>
    </div>
  );
}

function Keys({ keys }: { keys: Key[] }) {
  return (
    <Panel title="Keys" flush>
      {keys.length === 0 ? (
        <Empty title="No keys" action={<Command>capsule init</Command>} />
      ) : (
        <DataTable
          label="Keys"
          columns={KEY_COLUMNS}
          rows={keys}
          id={key => `${key.kind} ${key.fingerprint}`}
          rowHeight={60}
        />
      )}
    </Panel>
  );
}

function age({ age_seconds }: Key): string {
  return age_seconds === null ? "–" : duration(age_seconds);
}

const KEY_COLUMNS: Column<Key>[] = [
  {
    id: "kind",
    header: "Key",
    width: "minmax(170px, 1.2fr)",
    cell: key => (
      <div className={css.name}>
        <strong>{KEYS[key.kind].label}</strong>
        <span className={css.muted}>{KEYS[key.kind].use}</span>
      </div>
    ),
  },
  {
    id: "fingerprint",
    header: "Fingerprint",
    width: "minmax(180px, 1fr)",
    cell: key => <Identifier text={key.fingerprint} name="fingerprint" />,
  },
  { id: "age", header: "Age", end: true, width: "minmax(70px, .5fr)", cell: age },
  {
    id: "expires",
    header: "Expires",
    end: true,
    width: "minmax(100px, .6fr)",
    cell: key => (key.expires === null ? "Never" : <Expires at={key.expires} />),
  },
  {
    id: "state",
    header: "State",
    end: true,
    width: "minmax(100px, .6fr)",
    cell: key => <Chip tone={KEY_STATES[key.state].tone}>{KEY_STATES[key.state].label}</Chip>,
  },
];

/** Keys that expire within this time are marked. */
const EXPIRES_SOON = 14 * 86_400;

function Expires({ at }: { at: number }) {
  const now = useNow();
  return (
    <Chip tone={at - now < EXPIRES_SOON ? "warn" : "neutral"} hint={absolute(at)}>
      {at > now ? `in ${duration(at - now)}` : "expired"}
    </Chip>
  );
}

function Limits({ status: { limits } }: { status: CapsuleState }) {
  return (
    <Panel
      title="Limits"
      note={<Prose text="Campaigns outside of them are declined. Change them with `capsule limits`." />}
    >
      {limits === null ? (
        <Notice>No limits are registered yet.</Notice>
      ) : (
        <Facts items={limitLines(limits)} />
      )}
    </Panel>
  );
}
