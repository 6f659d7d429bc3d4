/** Miners: what an address has submitted and earned. */

import { Button, Group, TextInput } from "@mantine/core";
import { IconPick } from "@tabler/icons-react";
import { useQueries } from "@tanstack/react-query";
import { useNavigate, useParams } from "@tanstack/react-router";
import { type FormEvent, useMemo, useState } from "react";
import { get } from "../shared/api";
import { type Column, DataTable } from "../shared/DataTable";
import { count, formatPoints, integer, roughPpm, sharePpm, units } from "../shared/format";
import { Address, Amount, Figures, Identicon, PageHead, Panel, Time } from "../shared/parts";
import { useApi } from "../shared/query";
import { Empty, Loaded, Loading } from "../shared/states";
import { useTokens } from "./data";
import { CampaignLink } from "./parts";
import shared from "./parts.module.css";
import type { CampaignSummary, Leaderboard, Miner, MinerCampaign, Page } from "./types";

/** Number of campaigns whose leaderboards the first page reads. */
const RECENT = 6;

interface Activity {
  miner: string;
  campaigns: number;
  submitted: number;
  accepted: number;
  delta_ppm: number;
  last_seen: number;
}

/** Columns of what an account did, in all campaigns or in one. */
function recordColumns<T extends { submitted: number; accepted: number; delta_ppm: number }>(): Column<T>[] {
  return [
    {
      id: "submitted",
      header: "Submissions",
      end: true,
      sort: row => row.submitted,
      cell: row => integer(row.submitted),
    },
    {
      id: "accepted",
      header: "Accepted",
      end: true,
      sort: row => row.accepted,
      cell: row => integer(row.accepted),
    },
    {
      id: "delta",
      header: "Points",
      end: true,
      sort: row => row.delta_ppm,
      cell: row => formatPoints(row.delta_ppm),
    },
  ];
}

export function MinersPage() {
  const campaigns = useApi<Page<CampaignSummary>>("/api/v1/campaigns", { limit: 50 });
  const recent = (campaigns.data?.items ?? []).filter(({ submissions }) => submissions > 0).slice(0, RECENT);
  const boards = useQueries({
    queries: recent.map(({ id }) => {
      const path = `/api/v1/campaigns/${id}/leaderboard`;
      return { queryKey: [path, { limit: 100 }], queryFn: () => get<Leaderboard>(path, { limit: 100 }) };
    }),
  });
  const pending = campaigns.isPending || boards.some(({ isPending }) => isPending);
  const miners = useMemo(() => merge(boards.flatMap(({ data }) => (data ? [data] : []))), [boards]);
  const columns: Column<Activity>[] = [
    {
      id: "miner",
      header: "Miner",
      width: "minmax(200px, 1.4fr)",
      cell: row => <Address address={row.miner} to={`/miners/${row.miner}`} />,
    },
    {
      id: "campaigns",
      header: "Campaigns",
      end: true,
      sort: row => row.campaigns,
      cell: row => integer(row.campaigns),
    },
    ...recordColumns(),
    {
      id: "seen",
      header: "Last seen",
      end: true,
      sort: row => row.last_seen,
      cell: row => <Time unix={row.last_seen} />,
    },
  ];
  return (
    <>
      <PageHead title="Miners">
        An address that submits updates. Addresses are not people: one person can use several.
      </PageHead>
      <div className={shared.grid}>
        <AddressForm />
        <Panel
          title="Recently active"
          note={
            recent.length > 0
              ? `In the ${count(recent.length, "newest campaign")} with submissions.`
              : undefined
          }
          flush
        >
          {pending ? (
            <Loading />
          ) : miners.length === 0 ? (
            <Empty icon={<IconPick size={28} stroke={1.5} />} title="No miner has submitted yet">
              Start one with `mine run`; the first submission appears here within a second.
            </Empty>
          ) : (
            <DataTable label="Recently active miners" columns={columns} rows={miners} id={row => row.miner} />
          )}
        </Panel>
      </div>
    </>
  );
}

function merge(boards: Leaderboard[]): Activity[] {
  const found = new Map<string, Activity>();
  for (const row of boards.flatMap(({ items }) => items)) {
    const old = found.get(row.miner);
    found.set(row.miner, {
      miner: row.miner,
      campaigns: (old?.campaigns ?? 0) + 1,
      submitted: (old?.submitted ?? 0) + row.submitted,
      accepted: (old?.accepted ?? 0) + row.accepted,
      delta_ppm: (old?.delta_ppm ?? 0) + row.delta_ppm,
      last_seen: Math.max(old?.last_seen ?? 0, row.last_seen),
    });
  }
  return [...found.values()].sort((a, b) => b.delta_ppm - a.delta_ppm);
}

function AddressForm() {
  const navigate = useNavigate();
  const [text, setText] = useState("");
  const [problem, setProblem] = useState<string | null>(null);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const address = text.trim();
    if (!/^0x[0-9a-f]{40}$/i.test(address)) setProblem("An address is 0x and 40 hexadecimal digits.");
    else void navigate({ to: `/miners/${address}` });
  };
  return (
    <form onSubmit={submit}>
      <Group align="flex-end" gap="sm">
        <TextInput
          label="Find an address"
          placeholder="0x…"
          value={text}
          error={problem}
          onChange={event => setText(event.currentTarget.value)}
          style={{ flex: "1 1 300px", maxWidth: 520 }}
        />
        <Button type="submit" variant="default">
          Show
        </Button>
      </Group>
    </form>
  );
}

export function MinerPage() {
  const { address } = useParams({ strict: false }) as { address: string };
  const query = useApi<Miner>(`/api/v1/miners/${address}`, { limit: 500 });
  return (
    <>
      <PageHead
        title={
          <Group gap="sm" wrap="nowrap">
            <Identicon address={address} size={36} />
            Miner
          </Group>
        }
      >
        <Address address={address} full />
      </PageHead>
      <Loaded query={query} what="The miner could not be loaded">
        {miner => <MinerContent miner={miner} />}
      </Loaded>
    </>
  );
}

/** Earnings by token: amounts of different tokens are never added. */
export function byToken(
  campaigns: MinerCampaign[],
): { token: string; earned: bigint; owed: bigint; withdrawn: bigint }[] {
  const sums = new Map<string, { token: string; earned: bigint; owed: bigint; withdrawn: bigint }>();
  for (const { token, earned, owed, withdrawn } of campaigns) {
    const old = sums.get(token) ?? { token, earned: 0n, owed: 0n, withdrawn: 0n };
    sums.set(token, {
      token,
      earned: old.earned + units(earned),
      owed: old.owed + units(owed),
      withdrawn: old.withdrawn + units(withdrawn),
    });
  }
  return [...sums.values()];
}

function MinerContent({ miner }: { miner: Miner }) {
  const token = useTokens();
  const names = useApi<Page<CampaignSummary>>("/api/v1/campaigns", { limit: 500 });
  const name = (id: string) => names.data?.items.find(campaign => campaign.id === id)?.name ?? null;
  const submitted = miner.campaigns.reduce((sum, row) => sum + row.submitted, 0);
  const accepted = miner.campaigns.reduce((sum, row) => sum + row.accepted, 0);
  const rate = sharePpm(BigInt(accepted), BigInt(submitted));
  const columns: Column<MinerCampaign>[] = [
    {
      id: "campaign",
      header: "Campaign",
      width: "minmax(200px, 1.5fr)",
      cell: row => <CampaignLink id={row.campaign} name={name(row.campaign)} />,
    },
    ...recordColumns(),
    {
      id: "earned",
      header: "Earned",
      end: true,
      width: "minmax(140px, 1fr)",
      sort: row => units(row.earned),
      cell: row => <Amount value={row.earned} token={token(row.token)} />,
    },
    {
      id: "owed",
      header: "Can withdraw",
      end: true,
      width: "minmax(140px, 1fr)",
      sort: row => units(row.owed),
      cell: row => <Amount value={row.owed} token={token(row.token)} />,
    },
    {
      id: "withdrawn",
      header: "Withdrawn",
      end: true,
      width: "minmax(140px, 1fr)",
      sort: row => units(row.withdrawn),
      cell: row => <Amount value={row.withdrawn} token={token(row.token)} />,
    },
  ];
  return (
    <div className={shared.grid}>
      <Figures
        items={[
          {
            label: "Campaigns",
            value: integer(miner.campaigns.length),
            note: miner.next ? "and more" : undefined,
          },
          { label: "Submissions", value: integer(submitted) },
          {
            label: "Accepted",
            value: integer(accepted),
            note: rate === null ? undefined : `${roughPpm(rate)} of all`,
          },
          ...byToken(miner.campaigns).map(sum => ({
            label: `Earned in ${token(sum.token)?.symbol ?? "an unknown token"}`,
            value: <Amount value={sum.earned} token={token(sum.token)} places={2} />,
            note: (
              <>
                <Amount value={sum.withdrawn} token={token(sum.token)} places={2} /> withdrawn,{" "}
                <Amount value={sum.owed} token={token(sum.token)} places={2} /> not yet
              </>
            ),
          })),
        ]}
      />
      <Panel title="Campaigns" flush>
        <DataTable
          label="Campaigns of this miner"
          columns={columns}
          rows={miner.campaigns}
          id={row => row.campaign}
        />
      </Panel>
    </div>
  );
}
