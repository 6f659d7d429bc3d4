/** Sends a contract call of an account through its wallet, after trying it without sending. */

import { type Address, createPublicClient, createWalletClient, custom, type Hex } from "viem";
import { get } from "../../shared/api";
import { digestOf, termsTuple } from "../campaign/checks";
import type { CampaignDetail, ChainEvent, Info, Page, Submission } from "../types";
import { CAMPAIGNS_ABI } from "./contract";
import type { WalletState } from "./store";

export type Step = "check" | "wallet" | "sent" | "done";

/** Names of actions as the API lists them, and of the contract's functions. */
const FUNCTIONS: Record<string, string> = {
  close: "close",
  refund: "refund",
  release: "release",
  expire: "expire",
  abandon: "abandon",
  withdraw: "withdraw",
  withdraw_stake: "withdrawStake",
};

async function lastPage<T>(path: string, query: Record<string, string>): Promise<T[]> {
  let after: string | undefined;
  let items: T[] = [];
  do {
    const page: Page<T> = await get(path, { ...query, limit: 500, after });
    if (page.items.length > 0) items = page.items;
    after = page.next;
  } while (after !== undefined);
  return items;
}

/** The current window of a campaign: its hash while it was empty, and its submissions. */
async function currentWindow(id: string): Promise<[Hex, { miner: Address; content: Hex }[]]> {
  const events = `/api/v1/campaigns/${id}/events`;
  const settled = await lastPage<ChainEvent>(events, { kind: "settled" });
  const opened = settled.length > 0 ? settled : await lastPage<ChainEvent>(events, { kind: "opened" });
  const start = (opened.at(-1)?.data as { window_start?: Hex } | undefined)?.window_start;
  if (start === undefined) throw new Error("The server does not know the current window.");
  const submissions = await lastPage<Submission>(`/api/v1/campaigns/${id}/submissions`, {});
  const pending = submissions.filter(({ verdict }) => verdict.is === "pending");
  return [
    start,
    pending.map(({ miner, content }) => ({ miner: miner as Address, content: digestOf(content) })),
  ];
}

async function callArguments(action: string, campaign: CampaignDetail, address: string): Promise<unknown[]> {
  const terms = termsTuple(campaign.terms);
  if (action === "withdraw" || action === "withdraw_stake") return [terms, address];
  if (action === "abandon") return [terms, ...(await currentWindow(campaign.id))];
  return [terms];
}

/** Returns the hash of the transaction once it is in a block. */
export async function execute(
  action: string,
  campaign: CampaignDetail,
  info: Info,
  { wallet, address }: NonNullable<WalletState["connected"]>,
  progress: (step: Step, hash?: string) => void,
): Promise<Hex> {
  const functionName = FUNCTIONS[action];
  if (functionName === undefined) throw new Error(`This page does not know the action "${action}".`);
  const transport = custom(wallet.provider);
  const reader = createPublicClient({ transport });
  const account = address as Address;
  const call = {
    address: info.contracts.campaigns as Address,
    abi: CAMPAIGNS_ABI,
    functionName,
    args: await callArguments(action, campaign, address),
    account,
  };
  progress("check");
  await reader.simulateContract(call as never);
  progress("wallet");
  const hash = await createWalletClient({ account, transport }).writeContract({
    ...call,
    chain: null,
  } as never);
  progress("sent", hash);
  const receipt = await reader.waitForTransactionReceipt({ hash });
  if (receipt.status !== "success")
    throw new Error(`The transaction ${hash} was reverted in block ${receipt.blockNumber}.`);
  progress("done", receipt.transactionHash);
  return receipt.transactionHash;
}
