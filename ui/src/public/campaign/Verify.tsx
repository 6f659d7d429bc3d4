/** Recomputes in the page what the server and the Capsule say about a campaign. */

import { IconCircleCheck, IconCircleDashed, IconCircleX } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { get } from "../../shared/api";
import { Command, Panel } from "../../shared/parts";
import { ErrorPanel, Loading, Notice } from "../../shared/states";
import { useInfo } from "../data";
import type { CampaignDetail, Info, Money, Page, Submission } from "../types";
import { type ChainReader, chainReader } from "../wallet/chain";
import { useWallet } from "../wallet/store";
import css from "./campaign.module.css";
import { moneyChecks, signatureCheck } from "./chainChecks";
import { type Check, equationCheck, idCheck, orderCheck, payoutCheck } from "./checks";

async function allSubmissions(id: string, signal: AbortSignal): Promise<Submission[]> {
  const all: Submission[] = [];
  let after: string | null | undefined;
  do {
    const page: Page<Submission> = await get(
      `/api/v1/campaigns/${id}/submissions`,
      { after, limit: 500 },
      signal,
    );
    all.push(...page.items);
    after = page.next;
  } while (after);
  return all;
}

/** A check that failed to run is not one that failed. */
async function attempt(name: string, check: () => Promise<Check | Check[]>): Promise<Check[]> {
  try {
    return [await check()].flat();
  } catch (error) {
    return [
      {
        name,
        ok: null,
        text: `The chain could not be read: ${error instanceof Error ? error.message.split("\n")[0] : String(error)}`,
      },
    ];
  }
}

async function run(
  campaign: CampaignDetail,
  info: Info,
  reader: ChainReader | null,
  signal: AbortSignal,
): Promise<Check[]> {
  const submissions = await allSubmissions(campaign.id, signal);
  const own = [
    idCheck(campaign, info),
    payoutCheck(campaign, submissions),
    orderCheck(campaign, submissions),
  ];
  if (!reader) return [...own, equationCheck(campaign.ledger, "this server")];
  const money = await attempt("The money adds up", () => moneyChecks(campaign, info, reader));
  const { calls } = await get<Money>(`/api/v1/campaigns/${campaign.id}/money`, {}, signal);
  const last = money.at(-1);
  if (last) last.command = calls.join("\n");
  const signatures = await attempt("Every settlement is signed by the Capsule", () =>
    signatureCheck(campaign, info, reader),
  );
  return [...own, ...money, ...signatures];
}

export default function Verify({ campaign }: { campaign: CampaignDetail }) {
  const info = useInfo().data;
  const wallet = useWallet();
  const reader = info ? chainReader(info, wallet) : null;
  const query = useQuery({
    queryKey: [
      "verify",
      campaign.id,
      campaign.submissions,
      campaign.accepts,
      campaign.ledger,
      reader?.source,
    ],
    queryFn: ({ signal }) => run(campaign, info as Info, reader, signal),
    enabled: info !== undefined,
    placeholderData: old => old,
  });
  const failed = query.data?.filter(({ ok }) => ok === false).length ?? 0;
  return (
    <Panel
      title="Checked in this page"
      note="Your browser recomputes each line from the public record. Nothing here is taken on the server's word where the chain can be read."
      flush
    >
      <div style={{ padding: "0 20px 12px" }}>
        {reader ? (
          <Notice tone="good">The chain is read through {reader.source}.</Notice>
        ) : (
          <Notice tone="warn">
            Numbers from this server only. Connect a wallet on the same chain to compare them with the
            contract, or ask the operator to start the server with `--public-rpc URL`.
          </Notice>
        )}
        {failed > 0 && (
          <Notice tone="bad">{failed === 1 ? "One check failed." : `${failed} checks failed.`}</Notice>
        )}
      </div>
      {query.error && (
        <ErrorPanel error={query.error} what="The checks could not run" retry={() => void query.refetch()} />
      )}
      {!query.data && !query.error && (
        <div style={{ padding: 20 }}>
          <Loading lines={4} />
        </div>
      )}
      <ul className={css.checks}>
        {(query.data ?? []).map(check => (
          <Line key={check.name} check={check} />
        ))}
      </ul>
    </Panel>
  );
}

function Line({ check }: { check: Check }) {
  const icon =
    check.ok === null ? (
      <IconCircleDashed size={20} color="var(--ink-muted)" role="img" aria-label="not checked" />
    ) : check.ok ? (
      <IconCircleCheck size={20} color="var(--good)" role="img" aria-label="correct" />
    ) : (
      <IconCircleX size={20} color="var(--bad)" role="img" aria-label="wrong" />
    );
  return (
    <li>
      {icon}
      <strong>{check.name}</strong>
      <p>{check.text}</p>
      {check.command && (
        <div>
          <Command>{check.command}</Command>
        </div>
      )}
    </li>
  );
}
