/** Checks that read the chain without the server. */

import {
  type Address,
  decodeFunctionData,
  encodeAbiParameters,
  type Hex,
  keccak256,
  parseAbiParameters,
  recoverTypedDataAddress,
} from "viem";
import { get } from "../../shared/api";
import { count } from "../../shared/format";
import type { CampaignDetail, ChainEvent, Info, Ledger, Page } from "../types";
import type { ChainReader } from "../wallet/chain";
import { CAMPAIGNS_ABI } from "../wallet/contract";
import { type Check, equationCheck, ledgerCheck, termsTuple } from "./checks";

/** Settlements whose signatures are checked; each needs one request to the node. */
const MAX_SETTLEMENTS = 40;

const SETTLEMENT = {
  Settlement: [
    { name: "campaign", type: "bytes32" },
    { name: "version", type: "uint32" },
    { name: "window", type: "uint32" },
    { name: "windowHash", type: "bytes32" },
    { name: "outcomes", type: "uint16[]" },
    { name: "material", type: "bytes32" },
    { name: "root", type: "bytes32" },
    { name: "handover", type: "bytes32" },
    { name: "close", type: "uint8" },
  ],
} as const;

const QUOTE = [
  {
    type: "function",
    name: "quote",
    stateMutability: "view",
    inputs: [{ name: "operator", type: "address" }],
    outputs: [
      { name: "attester", type: "address" },
      { name: "feePpm", type: "uint32" },
    ],
  },
] as const;

/** Equation and figures from the contract's storage. */
export async function moneyChecks(
  campaign: CampaignDetail,
  info: Info,
  { client, source }: ChainReader,
): Promise<Check[]> {
  const read = (await client.readContract({
    address: info.contracts.campaigns as Address,
    abi: CAMPAIGNS_ABI,
    functionName: "ledger",
    args: [termsTuple(campaign.terms)],
  } as never)) as Record<keyof Ledger, bigint>;
  const ledger = Object.fromEntries(
    Object.entries(read).map(([term, value]) => [term, value.toString()]),
  ) as unknown as Ledger;
  return [
    equationCheck(ledger, `the contract's storage, read through ${source}`),
    ledgerCheck(campaign, ledger),
  ];
}

interface SettleCall {
  windowStart: Hex;
  submissions: { miner: Address; content: Hex }[];
  outcomes: number[];
  next: { material: Hex; root: Hex; handover: Hex };
  close: number;
  signature: Hex;
}

function windowHash({ windowStart, submissions }: SettleCall): Hex {
  const fold = parseAbiParameters("bytes32, address, bytes32");
  return submissions.reduce<Hex>(
    (hash, { miner, content }) => keccak256(encodeAbiParameters(fold, [hash, miner, content])),
    windowStart,
  );
}

async function settledEvents(id: string): Promise<ChainEvent[]> {
  const page = await get<Page<ChainEvent>>(`/api/v1/campaigns/${id}/events`, {
    kind: "settled",
    limit: MAX_SETTLEMENTS,
  });
  return page.items;
}

/** Each settlement was signed by the Capsule's registered key. */
export async function signatureCheck(
  campaign: CampaignDetail,
  info: Info,
  { client }: ChainReader,
): Promise<Check> {
  const name = "Every settlement is signed by the Capsule";
  const events = await settledEvents(campaign.id);
  if (events.length === 0) return { name, ok: null, text: "No window is settled yet." };
  const [attester] = await client.readContract({
    address: info.contracts.registry as Address,
    abi: QUOTE,
    functionName: "quote",
    args: [campaign.capsule as Address],
  });
  for (const event of events) {
    const { input } = await client.getTransaction({ hash: event.at.transaction as Hex });
    const call = settleCall(input);
    const { window, version } = event.data as unknown as { window: number; version: number };
    if (!call)
      return {
        name,
        ok: null,
        text: `The transaction of window ${window} is no direct call of the contract, so the page cannot read the signature.`,
      };
    const signer = await recoverTypedDataAddress({
      domain: {
        name: "Sonar",
        version: "1",
        chainId: info.chain_id,
        verifyingContract: info.contracts.campaigns as Address,
      },
      types: SETTLEMENT,
      primaryType: "Settlement",
      message: {
        campaign: campaign.id as Hex,
        version,
        window,
        windowHash: windowHash(call),
        outcomes: call.outcomes,
        ...call.next,
        close: call.close,
      },
      signature: call.signature,
    });
    if (signer.toLowerCase() !== attester.toLowerCase()) {
      return {
        name,
        ok: false,
        text: `Window ${window} was signed by ${signer}; the registry names ${attester}. The Capsule may have changed its key since.`,
      };
    }
  }
  return {
    name,
    ok: true,
    text: `${count(events.length, "settlement")}, each signed by ${attester}, which the registry names for this Capsule.`,
  };
}

function settleCall(input: Hex): SettleCall | null {
  try {
    const { functionName, args } = decodeFunctionData({ abi: CAMPAIGNS_ABI, data: input });
    if (functionName !== "settle") return null;
    const [, windowStart, submissions, outcomes, next, close, signature] = args as unknown as [
      unknown,
      Hex,
      SettleCall["submissions"],
      number[],
      SettleCall["next"],
      number,
      Hex,
    ];
    return { windowStart, submissions, outcomes, next, close, signature };
  } catch {
    return null;
  }
}
