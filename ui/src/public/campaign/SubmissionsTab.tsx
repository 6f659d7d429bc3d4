/** Every submission with its verdict in words, and how its payout follows from three integers. */

import { Button, Drawer, Stack } from "@mantine/core";
import { IconCircleCheck, IconCircleDotted, IconCircleMinus, IconCircleX } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { get } from "../../shared/api";
import { type Column, DataTable } from "../../shared/DataTable";
import {
  absolute,
  formatAmount,
  formatPoints,
  formatPpm,
  integer,
  payout,
  shortAddress,
  type Token,
} from "../../shared/format";
import { Address, Amount, Chip, Facts, Identifier, Panel, Time } from "../../shared/parts";
import { useSearchState } from "../../shared/search";
import { Empty, ErrorPanel, Loading, Notice } from "../../shared/states";
import { useTokens } from "../data";
import shared from "../parts.module.css";
import type { CampaignDetail, Page, Submission, Verdict } from "../types";
import { rejection } from "../words";
import css from "./campaign.module.css";

const PAGE = 250;

export function useSubmissions(id: string, miner: string | undefined) {
  const path = `/api/v1/campaigns/${id}/submissions`;
  return useInfiniteQuery({
    queryKey: [path, { miner }],
    queryFn: ({ pageParam, signal }) =>
      get<Page<Submission>>(path, { miner, after: pageParam, limit: PAGE }, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: page => page.next,
  });
}

export function SubmissionsTab({ campaign }: { campaign: CampaignDetail }) {
  const [search, setSearch] = useSearchState();
  const [shown, setShown] = useState<Submission | null>(null);
  const token = useTokens()(campaign.token);
  const query = useSubmissions(campaign.id, search.miner);
  const rows = useMemo(() => query.data?.pages.flatMap(page => page.items) ?? [], [query.data]);
  const total = query.data?.pages.at(-1)?.total ?? rows.length;
  const columns: Column<Submission>[] = [
    {
      id: "number",
      header: "No.",
      width: "84px",
      cell: row => (
        <button
          type="button"
          className={css.open}
          onClick={() => setShown(row)}
          aria-label={`Details of submission ${row.number}`}
        >
          #{integer(row.number)}
        </button>
      ),
    },
    {
      id: "verdict",
      header: "Verdict",
      width: "minmax(190px, 1.2fr)",
      cell: row => <VerdictCell verdict={row.verdict} />,
    },
    {
      id: "miner",
      header: "Miner",
      width: "minmax(190px, 1.1fr)",
      cell: row => <Address address={row.miner} to={`/miners/${row.miner}`} />,
    },
    {
      id: "delta",
      header: "Points",
      end: true,
      width: "minmax(90px, 0.6fr)",
      cell: row => (row.verdict.is === "accepted" ? formatPoints(row.verdict.delta_ppm) : "–"),
    },
    {
      id: "best",
      header: "New best",
      end: true,
      width: "minmax(90px, 0.6fr)",
      cell: row => (row.verdict.is === "accepted" ? formatPpm(row.verdict.best_ppm) : "–"),
    },
    {
      id: "pay",
      header: "Payout",
      end: true,
      width: "minmax(150px, 1fr)",
      cell: row =>
        row.verdict.is === "accepted" ? <Amount value={row.verdict.amount} token={token} /> : "–",
    },
    { id: "version", header: "Version", end: true, width: "86px", cell: row => integer(row.version) },
    {
      id: "time",
      header: "Time",
      end: true,
      width: "minmax(100px, 0.6fr)",
      cell: row => <Time unix={row.at.time} />,
    },
    {
      id: "content",
      header: "Update",
      end: true,
      width: "minmax(190px, 1fr)",
      cell: row => <Identifier text={row.content} name="the CID" />,
    },
  ];
  return (
    <Panel
      title="Submissions"
      flush
      actions={
        search.miner && (
          <Button variant="default" size="xs" onClick={() => setSearch({ miner: undefined })}>
            Only {shortAddress(search.miner)} · show all
          </Button>
        )
      }
    >
      {query.isPending && <Loading />}
      {query.error && rows.length === 0 && (
        <ErrorPanel
          error={query.error}
          what="The submissions could not be loaded"
          retry={() => void query.refetch()}
        />
      )}
      {query.isSuccess && rows.length === 0 && (
        <Empty title="No submissions yet">
          A Mine whose data fits downloads the model, trains it and submits an update.
        </Empty>
      )}
      {rows.length > 0 && (
        <DataTable
          label="Submissions"
          columns={columns}
          rows={rows}
          id={row => row.number}
          rowHeight={56}
          onEnd={() => query.hasNextPage && !query.isFetchingNextPage && void query.fetchNextPage()}
          note={`${integer(rows.length)} of ${integer(total)} submissions, in chain order`}
        />
      )}
      <Drawer
        opened={shown !== null}
        onClose={() => setShown(null)}
        position="right"
        title={shown ? `Submission #${integer(shown.number)}` : ""}
      >
        {shown && <Details submission={shown} campaign={campaign} token={token} />}
      </Drawer>
    </Panel>
  );
}

export function VerdictChip({ verdict }: { verdict: Verdict }) {
  switch (verdict.is) {
    case "accepted":
      return (
        <Chip tone="good" icon={<IconCircleCheck size={14} />}>
          Accepted
        </Chip>
      );
    case "rejected":
      return (
        <Chip tone="bad" icon={<IconCircleX size={14} />}>
          Rejected
        </Chip>
      );
    case "pending":
      return (
        <Chip tone="info" icon={<IconCircleDotted size={14} />}>
          Pending
        </Chip>
      );
    default:
      return <Chip icon={<IconCircleMinus size={14} />}>No improvement</Chip>;
  }
}

/** The verdict of a row, with the reason of a rejection in words. */
function VerdictCell({ verdict }: { verdict: Verdict }) {
  if (verdict.is !== "rejected") return <VerdictChip verdict={verdict} />;
  return (
    <div className={css.reason}>
      <VerdictChip verdict={verdict} />
      <small data-hint={rejection(verdict.reason)}>{rejection(verdict.reason)}</small>
    </div>
  );
}

interface DetailsProps {
  submission: Submission;
  campaign: CampaignDetail;
  token: Token | undefined;
}

function Details({ submission, campaign, token }: DetailsProps) {
  const { verdict } = submission;
  return (
    <Stack>
      <div className={shared.chips}>
        <VerdictChip verdict={verdict} />
      </div>
      {verdict.is === "accepted" && <PayoutFormula verdict={verdict} campaign={campaign} token={token} />}
      {verdict.is === "rejected" && (
        <Notice tone="bad">
          {rejection(verdict.reason)} (code {verdict.reason}).
        </Notice>
      )}
      {verdict.is === "pending" && (
        <Notice>The window of this submission is not settled yet: the Capsule has not evaluated it.</Notice>
      )}
      {verdict.is === "not_improved" && (
        <Notice>
          The update did not raise the best accuracy by a step of the grid,{" "}
          {formatPpm(campaign.terms.grid_ppm)}. Nothing else about it is published.
        </Notice>
      )}
      <Facts
        items={[
          ["Miner", <Address key="miner" address={submission.miner} to={`/miners/${submission.miner}`} />],
          ["Window", `${integer(submission.window)}, place ${integer(submission.index)}`],
          ["Version", integer(submission.version)],
          ["Sealed update", <Identifier key="content" text={submission.content} name="the CID" />],
          ["Transaction", <Identifier key="tx" text={submission.at.transaction} name="the transaction" />],
          ["Block", integer(submission.at.block)],
          ["Time", absolute(submission.at.time)],
        ]}
      />
    </Stack>
  );
}

interface FormulaProps {
  verdict: Extract<Verdict, { is: "accepted" }>;
  campaign: CampaignDetail;
  token: Token | undefined;
}

/** The payout in words, with the integers that the contract used. */
export function PayoutFormula({ verdict, campaign, token }: FormulaProps) {
  const { bounty, target_ppm: target } = campaign;
  const expected = payout(bounty, verdict.delta_ppm, target);
  const right = expected.toString() === verdict.amount;
  return (
    <Stack gap="xs">
      <p className={css.formula}>
        payout = floor(bounty × gain ÷ target)
        <br />= floor({bounty} × {integer(verdict.delta_ppm)} ÷ {integer(target)})
        <br />= {verdict.amount}
        <br />= {token ? formatAmount(verdict.amount, token) : "–"}
      </p>
      <Notice tone={right ? "good" : "bad"}>
        {right
          ? "Recomputed in this page: the payout is exactly this formula. Gain and target are in parts per million, the bounty in the token's smallest unit."
          : `Recomputed in this page: the formula gives ${expected}, not ${verdict.amount}.`}
      </Notice>
    </Stack>
  );
}
