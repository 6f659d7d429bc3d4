/**
 * What the page recomputes about a campaign. Each check is a pure function of what was read, so that it says the same
 * for the same data, whoever runs it.
 */

import { type Address, encodeAbiParameters, type Hex, keccak256, parseAbiParameters } from "viem";
import { formatPpm, integer, payout, units } from "../../shared/format";
import type { CampaignDetail, Info, Ledger, Submission, Terms } from "../types";

export interface Check {
  name: string;
  /** `null`: it could not be checked. */
  ok: boolean | null;
  text: string;
  /** A command that repeats the check. */
  command?: string;
}

/** The terms as in the contract's ABI. */
export const TERMS_ABI =
  "(address owner,address token,uint128 bounty,uint32 startPpm,uint32 tolerancePpm,uint32 targetPpm,uint32 gridPpm,uint32 maxSubmissions,uint16 maxAccepts,uint16 windowSize,uint32 windowSeconds,uint16 capPerVersion,uint64 deadline,uint32 activationSeconds,uint32 evaluationSeconds,uint32 deliverySeconds,(uint8 mode,address auditor,uint32 period,bytes32 keys) audit,address capsule,uint32 feePpm,uint128 stake,uint128 submissionStake,bytes32 manifest,bytes32 salt)";

const BASE32 = "abcdefghijklmnopqrstuvwxyz234567";

/** The SHA-256 in a CID (version 1, base 32) or in a digest as on chain. */
export function digestOf(cid: string): Hex {
  if (/^0x[0-9a-f]{64}$/i.test(cid)) return cid.toLowerCase() as Hex;
  let bits = 0;
  let value = 0;
  const bytes: number[] = [];
  for (const letter of cid.slice(1)) {
    value = (value << 5) | BASE32.indexOf(letter);
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes.push((value >> bits) & 0xff);
    }
  }
  return `0x${bytes
    .slice(-32)
    .map(byte => byte.toString(16).padStart(2, "0"))
    .join("")}`;
}

/** The terms as arguments of a call. */
export function termsTuple(t: Terms) {
  return {
    owner: t.owner as Address,
    token: t.token as Address,
    bounty: units(t.bounty),
    startPpm: t.start_ppm,
    tolerancePpm: t.tolerance_ppm,
    targetPpm: t.target_ppm,
    gridPpm: t.grid_ppm,
    maxSubmissions: t.max_submissions,
    maxAccepts: t.max_accepts,
    windowSize: t.window_size,
    windowSeconds: t.window_seconds,
    capPerVersion: t.cap_per_version,
    deadline: BigInt(t.deadline),
    activationSeconds: t.activation_seconds,
    evaluationSeconds: t.evaluation_seconds,
    deliverySeconds: t.delivery_seconds,
    audit: {
      mode: t.mode,
      auditor: t.auditor as Address,
      period: t.audit_seconds,
      keys: t.audit_keys as Hex,
    },
    capsule: t.capsule as Address,
    feePpm: t.fee_ppm,
    stake: units(t.stake),
    submissionStake: units(t.submission_stake),
    manifest: digestOf(t.manifest),
    salt: t.salt as Hex,
  };
}

/** The campaign's id is the hash of chain, contract and terms. */
export function idCheck(campaign: CampaignDetail, info: Info): Check {
  const parameters = parseAbiParameters(`uint256, address, ${TERMS_ABI}`);
  const contract = info.contracts.campaigns as Address;
  const encoded = encodeAbiParameters(parameters, [
    BigInt(info.chain_id),
    contract,
    termsTuple(campaign.terms),
  ] as never);
  const id = keccak256(encoded);
  const ok = id === campaign.id.toLowerCase();
  return {
    name: "The terms belong to this id",
    ok,
    text: ok
      ? "The id is the Keccak-256 of chain, contract and exactly these terms."
      : `The terms hash to ${id}, not to ${campaign.id}.`,
  };
}

/** Every payout follows from the formula, and all of them add up to what was awarded. */
export function payoutCheck(campaign: CampaignDetail, submissions: Submission[]): Check {
  const target = campaign.terms.target_ppm;
  let best = campaign.start_ppm ?? 0;
  let sum = 0n;
  const name = "Every payout follows from the formula";
  for (const { number, verdict } of submissions) {
    if (verdict.is !== "accepted") continue;
    const gain = Math.max(0, Math.min(verdict.best_ppm, target) - Math.min(best, target));
    const expected = payout(campaign.bounty, gain, target);
    if (expected !== units(verdict.amount)) {
      return {
        name,
        ok: false,
        text: `Submission ${number} raised the best accuracy from ${formatPpm(best)} to ${formatPpm(verdict.best_ppm)}: the formula gives ${expected}, the record says ${verdict.amount}.`,
      };
    }
    best = verdict.best_ppm;
    sum += expected;
  }
  if (sum !== units(campaign.awarded))
    return { name, ok: false, text: `The payouts add up to ${sum}, but ${campaign.awarded} were awarded.` };
  return {
    name,
    ok: true,
    text: `floor(bounty × gain ÷ target), recomputed for all accepted submissions. Their sum, ${sum}, is what was awarded.`,
  };
}

/** Submissions are numbered without gaps, in chain order, and their windows follow each other. */
export function orderCheck(campaign: CampaignDetail, submissions: Submission[]): Check {
  const name = "The order has no gaps";
  const wrong = submissions.find((submission, i) => {
    const before = submissions[i - 1];
    if (submission.number !== i + 1) return true;
    if (!before) return submission.index !== 0;
    const sameWindow = submission.window === before.window && submission.index === before.index + 1;
    const nextWindow = submission.window === before.window + 1 && submission.index === 0;
    return submission.at.block < before.at.block || !(sameWindow || nextWindow);
  });
  if (wrong)
    return {
      name,
      ok: false,
      text: `Submission ${wrong.number} (window ${wrong.window}, place ${wrong.index}) does not follow the one before it.`,
    };
  if (submissions.length !== campaign.submissions) {
    return {
      name,
      ok: false,
      text: `There are ${integer(submissions.length)} submissions, but the campaign counts ${integer(campaign.submissions)}.`,
    };
  }
  return {
    name,
    ok: true,
    text: `${integer(submissions.length)} submissions, each directly after the one before it.`,
  };
}

const TERMS: (keyof Ledger)[] = ["paid", "owed", "refunded", "fee", "escrowed"];

/** The money equation. */
export function equationCheck(ledger: Ledger, source: string): Check {
  const sum = TERMS.reduce((total, term) => total + units(ledger[term]), 0n);
  const ok = sum === units(ledger.deposited);
  return {
    name: "The money adds up",
    ok,
    text: `${ledger.deposited} deposited = ${TERMS.map(term => `${ledger[term]} ${term}`).join(" + ")}, from ${source}.`,
  };
}

/** What the contract says about the money is what the server says. */
export function ledgerCheck(campaign: CampaignDetail, chain: Ledger): Check {
  const name = "The contract holds the same figures";
  const wrong = (["deposited", ...TERMS] as const).find(term => chain[term] !== campaign.ledger[term]);
  if (wrong)
    return {
      name,
      ok: false,
      text: `${wrong}: the contract says ${chain[wrong]}, the server says ${campaign.ledger[wrong]}.`,
    };
  return { name, ok: true, text: "All six terms of the equation are the same in the contract's storage." };
}
