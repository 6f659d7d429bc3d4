/** Names and explanations of states, reasons and events, in one place. */

import type { Tone } from "../shared/parts";
import type { CloseReason, Regime, State } from "./types";

export const STATES: Record<State, { label: string; tone: Tone; hint: string }> = {
  none: { label: "Unknown", tone: "neutral", hint: "The contract does not know this campaign." },
  proposed: {
    label: "Proposed",
    tone: "neutral",
    hint: "The bounty is in escrow. The Capsule has not activated the campaign yet.",
  },
  open: { label: "Open", tone: "info", hint: "The campaign takes submissions." },
  closed: {
    label: "Closing",
    tone: "warn",
    hint: "The campaign takes no more submissions. The Capsule has not delivered the model yet.",
  },
  finalized: {
    label: "Finalized",
    tone: "good",
    hint: "The model is delivered. The owner can still audit the Capsule.",
  },
  refunded: {
    label: "Refunded",
    tone: "violet",
    hint: "The campaign never became active. Bounty and fee went back to the owner.",
  },
  released: {
    label: "Finished",
    tone: "good",
    hint: "The model is delivered, and the Capsule's stake is free again.",
  },
  convicted: {
    label: "Convicted",
    tone: "bad",
    hint: "The model is delivered, and the Capsule was convicted of misconduct.",
  },
};

export const CLOSE_REASONS: Record<CloseReason, string> = {
  none: "",
  target: "The target accuracy was reached",
  deadline: "The deadline passed",
  leak_budget: "The leak budget is spent",
  owner: "The owner closed it",
  limit: "All submissions are used",
  capsule_timeout: "The Capsule missed a deadline",
};

export const REGIMES: Record<Regime, { label: string; hint: string }> = {
  encrypted: {
    label: "Encrypted",
    hint: "Mines train a model that they cannot read. Only the Capsule and the data scientist can read the model.",
  },
  clear: {
    label: "Clear",
    hint: "The model is public: anyone can read it and every accepted change. Updates are sealed to the Capsule.",
  },
};

/** Reasons of rejected submissions, by their code on chain. */
const REJECTIONS: Record<number, string> = {
  1: "The update could not be fetched in time",
  2: "The update is too large",
  3: "The update is not a message sealed to this campaign",
  6: "The update was made for another chain or contract",
  7: "The update was made for another campaign",
  8: "The update was made for another version of the model",
  9: "The update was made by another miner",
  10: "The update does not conform to the campaign's parameters and material",
  11: "The update was submitted before",
};

export function rejection(code: number): string {
  return REJECTIONS[code] ?? `Rejected with the unknown code ${code}`;
}

/** Events of the contracts, in words. */
const EVENTS: Record<string, string> = {
  opened: "Launched: bounty and fee went into escrow",
  activated: "Activated: the Capsule measured the starting accuracy and published the model",
  declined: "Declined by the Capsule",
  refunded: "Refunded to the owner",
  submitted: "Update submitted",
  settled: "Window settled by the Capsule",
  charged: "Stakes of submissions that were not accepted were charged",
  awarded: "Payout earned",
  closing: "End announced by the owner",
  closed: "Closed: the rest of the bounty went back to the owner",
  finalized: "Model delivered",
  released: "Capsule's stake freed, and its fee credited",
  convicted: "Capsule convicted",
  expired: "Expired: the Capsule did not deliver in time",
  withdrawn: "Earnings withdrawn",
  stake_withdrawn: "Stakes withdrawn",
};

export function eventText(kind: string): string {
  return EVENTS[kind] ?? kind.replaceAll("_", " ");
}

/** Contract calls of an account, in words. */
export const ACTIONS: Record<string, { label: string; hint: string }> = {
  close: {
    label: "Close",
    hint: "Ends the campaign when the current window is settled. The rest of the bounty is refunded.",
  },
  withdraw: { label: "Withdraw", hint: "Sends what the campaign owes this account." },
  withdraw_stake: { label: "Withdraw stake", hint: "Returns the free stakes of this account's submissions." },
  refund: { label: "Refund", hint: "Returns bounty and fee of a campaign that was not activated in time." },
  abandon: { label: "Abandon", hint: "Closes a campaign whose Capsule did not settle a window in time." },
  expire: { label: "Expire", hint: "Slashes the Capsule, which did not deliver in time." },
  release: {
    label: "Release",
    hint: "Frees the Capsule's stake after the audit period, and credits its fee.",
  },
};
