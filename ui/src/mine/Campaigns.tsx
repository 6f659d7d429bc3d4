/** The queue: every campaign with its fit, the Mine's decision, and why. */

import { Button, NativeSelect, SegmentedControl, TextInput } from "@mantine/core";
import { IconCheck, IconX } from "@tabler/icons-react";
import { useState } from "react";
import { Bullet, RegimeChip, StateChip } from "../public/parts";
import type { Regime, State } from "../public/types";
import { type Column, DataTable } from "../shared/DataTable";
import { count, integer, payout } from "../shared/format";
import { Amount, Chip, PageHead, Panel, Time } from "../shared/parts";
import { useSearchState } from "../shared/search";
import { Empty, Loaded } from "../shared/states";
import { type Campaign, campaignName, tokenOf, useCampaigns } from "./data";
import css from "./mine.module.css";
import { Why } from "./Why";
import { DECISIONS } from "./words";

const KINDS = [
  { value: "all", label: "All" },
  { value: "serve", label: "Serving" },
  { value: "wait", label: "Waiting" },
  { value: "skip", label: "Skipped" },
];

interface Filter {
  text: string;
  kind: string;
  fit: string;
}

/** Whether a campaign is shown. */
export function matches(campaign: Campaign, { text, kind, fit }: Filter): boolean {
  const wanted = text.trim().toLowerCase();
  const isNamed = [campaign.name ?? "", campaign.campaign, ...(campaign.fit?.data ?? [])].some(value =>
    value.toLowerCase().includes(wanted),
  );
  return (
    isNamed &&
    (kind === "all" || campaign.decision?.kind === kind) &&
    (fit === "all" || (campaign.fit?.ok ?? false) === (fit === "yes"))
  );
}

/** The most that one more submission can earn: it would have to reach the target. */
export function attainable({ bounty, best_ppm, target_ppm, state }: Campaign): bigint {
  return state === "open" ? payout(bounty, Math.max(0, target_ppm - best_ppm), target_ppm) : 0n;
}

export function Page() {
  const campaigns = useCampaigns();
  const [search, change] = useSearchState();
  const [why, setWhy] = useState<string | null>(null);
  const filter = { text: search.q ?? "", kind: search.decision ?? "all", fit: search.fit ?? "all" };
  return (
    <>
      <PageHead title="Campaigns">
        Every campaign, and what the Mine decided about it. It decides again whenever a campaign, your policy
        or your data changes.
      </PageHead>
      <div className={css.filters}>
        <TextInput
          label="Search"
          placeholder="Name, id or data set"
          value={filter.text}
          onChange={event => change({ q: event.currentTarget.value })}
        />
        <SegmentedControl
          aria-label="Decision"
          data={KINDS}
          value={filter.kind}
          onChange={value => change({ decision: value === "all" ? undefined : value })}
        />
        <NativeSelect
          label="Fit"
          data={[
            { value: "all", label: "Any" },
            { value: "yes", label: "Data fits" },
            { value: "no", label: "Does not fit, or unknown" },
          ]}
          value={filter.fit}
          onChange={event =>
            change({ fit: event.currentTarget.value === "all" ? undefined : event.currentTarget.value })
          }
        />
      </div>
      <Loaded query={campaigns} what="The campaigns cannot be loaded">
        {({ items }) => {
          const rows = items.filter(campaign => matches(campaign, filter));
          const open = items.find(({ campaign }) => campaign === why);
          return (
            <Panel title="Queue" flush>
              {rows.length === 0 ? (
                <Nothing
                  all={items.length}
                  clear={() => change({ q: undefined, decision: undefined, fit: undefined })}
                />
              ) : (
                <DataTable
                  label="Campaigns"
                  columns={columns(setWhy)}
                  rows={rows}
                  id={row => row.campaign}
                  rowHeight={72}
                  note={`${integer(rows.length)} of ${count(items.length, "campaign")}`}
                />
              )}
              {open && <Why campaign={open} close={() => setWhy(null)} />}
            </Panel>
          );
        }}
      </Loaded>
    </>
  );
}

function Nothing({ all, clear }: { all: number; clear: () => void }) {
  return all === 0 ? (
    <Empty title="No campaign yet">The Mine finds campaigns on the chain by itself.</Empty>
  ) : (
    <Empty
      title="No campaign matches"
      action={
        <Button variant="default" onClick={clear}>
          Show all
        </Button>
      }
    />
  );
}

function columns(explain: (campaign: string) => void): Column<Campaign>[] {
  return [
    {
      id: "campaign",
      header: "Campaign",
      width: "minmax(220px, 1.6fr)",
      sort: campaignName,
      cell: row => (
        <div className={css.name}>
          <strong>{campaignName(row)}</strong>
          <div className={css.chips}>
            <StateChip state={row.state as State} />
            <RegimeChip regime={row.regime as Regime | null} />
          </div>
        </div>
      ),
    },
    {
      id: "decision",
      header: "Decision",
      width: "minmax(220px, 1fr)",
      sort: row => row.decision?.kind ?? "",
      cell: row => <Decided row={row} explain={explain} />,
    },
    {
      id: "fit",
      header: "Data fits",
      width: "minmax(130px, .8fr)",
      sort: row => row.fit?.rows ?? -1,
      cell: row => <Fit row={row} />,
    },
    {
      id: "accuracy",
      header: "Accuracy",
      width: "minmax(190px, 1fr)",
      sort: row => row.best_ppm,
      cell: row => (
        <div className={css.accuracy}>
          <Bullet start={null} best={row.version === 0 ? null : row.best_ppm} target={row.target_ppm} />
        </div>
      ),
    },
    {
      id: "attainable",
      header: "Still to earn",
      end: true,
      width: "minmax(130px, .7fr)",
      sort: attainable,
      cell: row => <Amount value={attainable(row)} token={tokenOf(row.token)} />,
    },
    {
      id: "competitors",
      header: "Others",
      end: true,
      width: "minmax(76px, .4fr)",
      sort: row => row.competitors,
      cell: row => integer(row.competitors),
    },
    {
      id: "deadline",
      header: "Deadline",
      end: true,
      width: "minmax(100px, .6fr)",
      sort: row => row.deadline,
      cell: row => <Time unix={row.deadline} />,
    },
  ];
}

function Decided({ row, explain }: { row: Campaign; explain: (campaign: string) => void }) {
  const words = row.decision ? DECISIONS[row.decision.kind] : null;
  return (
    <div className={css.chips}>
      {words ? <Chip tone={words.tone}>{words.label}</Chip> : <Chip>Not examined</Chip>}
      {row.trouble && (
        <Chip tone="bad" hint={row.trouble}>
          Failed
        </Chip>
      )}
      <Button
        variant="subtle"
        size="compact-sm"
        aria-label={`Why? ${campaignName(row)}`}
        aria-haspopup="dialog"
        onClick={() => explain(row.campaign)}
      >
        Why?
      </Button>
    </div>
  );
}

function Fit({ row: { fit } }: { row: Campaign }) {
  if (!fit) return <Chip>Unknown</Chip>;
  return fit.ok ? (
    <Chip tone="good" icon={<IconCheck size={14} />} hint={fit.data.join(", ")}>
      {count(fit.rows, "row")}
    </Chip>
  ) : (
    <Chip icon={<IconX size={14} />} hint={fit.reason ?? "No data set fits."}>
      No
    </Chip>
  );
}
