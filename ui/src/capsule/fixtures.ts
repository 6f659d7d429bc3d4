/** Answers of a Capsule's API for tests. */

import type { Campaign, CapsuleState } from "./data";

/** 2026-03-12 10:00:00 UTC. */
export const NOW = 1_773_309_600;
const DAY = 86_400;

export const ETHER = "0x0000000000000000000000000000000000000000";
export const DATA = "0x00000000000000000000000000000000000000d1";

export const id = (digit: string) => `0x${digit.repeat(64)}`;

export const status: CapsuleState = {
  operator: "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
  registered: true,
  version: "0.3.0",
  chain: { ok: true, block: 1234, age_seconds: 2, problem: null },
  stake: {
    total: "10000000000000000000",
    free: "6999999999999999999",
    locked: "3000000000000000001",
    at_risk: "1000000000000000001",
  },
  balance: "420000000000000000",
  fees: {
    earned: [
      { token: DATA, amount: "61000000000000000000" },
      { token: ETHER, amount: "20000000000000000" },
    ],
    pending: [{ token: ETHER, amount: "20000000000000000" }],
    owed: [{ token: DATA, amount: "8000000000000000000" }],
  },
  fee_ppm: 8_000,
  limits: {
    stake_per_campaign: "2000000000000000000",
    stake_in_all: "10000000000000000000",
    longest_run: 30 * DAY,
    longest_audit: 14 * DAY,
    shortest_evaluation: 600,
    shortest_delivery: 3_600,
    max_submissions: 10_000,
  },
  keys: [
    {
      kind: "attestation",
      fingerprint: "0x90F79bf6EB2c4f870365E785982E1f101E93b906",
      created: NOW - 40 * DAY,
      age_seconds: 40 * DAY,
      expires: null,
      state: "registered",
    },
    {
      kind: "openpgp",
      fingerprint: "D1E7A2B4C6E8F0A1B3C5D7E9F1A3B5C7D9E1F3A5",
      created: NOW - 356 * DAY,
      age_seconds: 356 * DAY,
      expires: NOW + 9 * DAY,
      state: "registered",
    },
    {
      kind: "launch",
      fingerprint: "88C1A2B4C6E8F0A1B3C5D7E9F1A3B5C7D9E1F3A5",
      created: NOW - 2 * DAY,
      age_seconds: 2 * DAY,
      expires: NOW + 28 * DAY,
      state: "registered",
    },
  ],
  alerts: [
    {
      kind: "balance",
      severity: "error",
      campaign: null,
      text: "The operator's account has 0.0004 ETH for gas.",
      fix: "send ETH to the operator's account",
    },
    {
      kind: "launch_key",
      severity: "warning",
      campaign: null,
      text: "The launch key is 9 days old and was not replaced.",
      fix: "read the log of `capsule serve`: the replacement fails",
    },
  ],
  tokens: [
    { address: ETHER, symbol: "ETH", decimals: 18 },
    { address: DATA, symbol: "DATA", decimals: 18 },
  ],
};

const campaign: Campaign = {
  campaign: id("a"),
  state: "open",
  version: 7,
  best_ppm: 926_000,
  next_deadline: { kind: "settle", at: NOW + 1_530 },
  stake_locked: "1000000000000000001",
  fee: "8000000000000000000",
  token: DATA,
  leak_bits: 41.2,
  leak_bits_allowed: 64,
  last: "send_settlement",
  problem: null,
};

export const campaigns: Campaign[] = [
  {
    ...campaign,
    campaign: id("c"),
    state: "finalized",
    next_deadline: { kind: "audit", at: NOW + 600 },
    stake_locked: "1000000000000000000",
    fee: "20000000000000000",
    token: ETHER,
    leak_bits: 64,
    last: "finalize",
  },
  campaign,
  {
    ...campaign,
    campaign: id("b"),
    state: "proposed",
    version: 0,
    best_ppm: 0,
    next_deadline: { kind: "activate", at: NOW + 2 * DAY },
    stake_locked: "0",
    leak_bits: 0,
    last: "examine",
    problem: "the validation data is not available at the IPFS hub",
  },
  { ...campaign, campaign: id("e"), state: "released", next_deadline: null, stake_locked: "0" },
];
