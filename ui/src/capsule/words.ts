/** Names and explanations of deadlines, keys and limits, in one place. */

import { duration, ETH, formatAmount, integer } from "../shared/format";
import type { Tone } from "../shared/parts";
import type { DeadlineKind, Key, Limits } from "./data";

export const DEADLINES: Record<DeadlineKind, { label: string; missed: string }> = {
  activate: { label: "Activate", missed: "the owner can take the bounty back; no stake is lost" },
  settle: { label: "Settle the window", missed: "the campaign can be abandoned, and its stake is slashed" },
  deliver: { label: "Deliver the model", missed: "the campaign can be expired, and its stake is slashed" },
  audit: { label: "Audit period ends", missed: "the stake is free, and the fee can be withdrawn" },
};

/** Actions of the Capsule, by their names in its log. */
const ACTIONS: Record<string, string> = {
  examine: "Examine the campaign",
  activate: "Activate",
  decline: "Decline",
  evaluate: "Evaluate the window",
  send_settlement: "Send the settlement",
  close: "Close",
  deliver: "Seal the model",
  finalize: "Send the delivery",
  release: "Free the stake",
  destroy_secrets: "Destroy secrets",
  wait: "Wait",
  done: "Nothing left to do",
  lost: "Files are lost",
};

export function actionName(action: string): string {
  return ACTIONS[action] ?? action.replaceAll("_", " ");
}

export const KEY_STATES: Record<Key["state"], { label: string; tone: Tone }> = {
  registered: { label: "Registered", tone: "good" },
  not_registered: { label: "Not registered", tone: "warn" },
  replaced: { label: "Replaced", tone: "neutral" },
  expired: { label: "Expired", tone: "bad" },
};

export const KEYS: Record<Key["kind"], { label: string; use: string }> = {
  attestation: { label: "Attestation key", use: "signs settlements" },
  openpgp: { label: "OpenPGP key", use: "receives keys and updates" },
  launch: { label: "Launch key", use: "receives new campaigns" },
};

/** The limits of a Capsule as lines of text. */
export function limitLines(limits: Limits): [string, string][] {
  return [
    ["Stake per campaign, at most", formatAmount(limits.stake_per_campaign, ETH)],
    ["Stake in all, at most", formatAmount(limits.stake_in_all, ETH)],
    ["Run of a campaign, at most", duration(limits.longest_run)],
    ["Audit period, at most", duration(limits.longest_audit)],
    ["Time to settle, at least", duration(limits.shortest_evaluation)],
    ["Time to deliver, at least", duration(limits.shortest_delivery)],
    ["Submissions to a campaign, at most", integer(limits.max_submissions)],
  ];
}
