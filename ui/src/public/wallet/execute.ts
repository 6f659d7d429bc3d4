/** Sends a contract call of an account through its wallet, after trying it without sending. */

import { type Address, createPublicClient, createWalletClient, custom, type Hex } from "viem";
import { get } from "../../shared/api";
import { digestOf, termsTuple } from "../campaign/checks";
import type { AccountCampaign, CampaignDetail, Info, Terms } from "../types";
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

function callArguments(action: string, item: AccountCampaign, terms: Terms, address: string): unknown[] {
  const tuple = termsTuple(terms);
  if (action === "withdraw" || action === "withdraw_stake") return [tuple, address];
  if (action !== "abandon") return [tuple];
  if (!item.pending)
    throw new Error("The server does not know the submissions of the current window; reload the page.");
  const submissions = item.pending.submissions.map(({ miner, content }) => ({
    miner,
    content: digestOf(content),
  }));
  return [tuple, item.pending.start, submissions];
}

/** Returns the hash of the transaction once it is in a block. */
export async function execute(
  action: string,
  item: AccountCampaign,
  info: Info,
  { wallet, address }: NonNullable<WalletState["connected"]>,
  progress: (step: Step, hash?: string) => void,
): Promise<Hex> {
  const functionName = FUNCTIONS[action];
  if (functionName === undefined) throw new Error(`This page does not know the action "${action}".`);
  const { terms } = await get<CampaignDetail>(`/api/v1/campaigns/${item.campaign}`);
  const transport = custom(wallet.provider);
  const reader = createPublicClient({ transport });
  const account = address as Address;
  const call = {
    address: info.contracts.campaigns as Address,
    abi: CAMPAIGNS_ABI,
    functionName,
    args: callArguments(action, item, terms, address),
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
