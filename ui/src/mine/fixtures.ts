/** Answers of a Mine's API for tests: an ordinary day, with one of each kind. */

import type {
  Campaign,
  Check,
  DataSet,
  Earnings,
  Job,
  MineState,
  PrivacyReport,
  Submission,
  WithdrawalPreview,
  Withdrawals,
} from "./data";

/** 2026-03-12 10:00:00 UTC. */
export const NOW = 1_773_309_600;
const DAY = 86_400;

export const ETHER = { address: "0x0000000000000000000000000000000000000000", symbol: "ETH", decimals: 18 };
export const DATA = { address: "0x00000000000000000000000000000000000000d1", symbol: "DATA", decimals: 18 };

export const id = (digit: string) => `0x${digit.repeat(64)}`;

export const status: MineState = {
  address: "0x3c44CdDdB6a900fa2b585dd299e03d12FA4293BC",
  running: true,
  paused: null,
  now: [{ campaign: id("a"), name: "Digits 8×8", step: "train", started: NOW - 190, progress_ppm: 624_000 }],
  needs: [
    {
      kind: "privacy",
      text: "the privacy budget of data set `patients` is spent (20 private updates, ε 3.00 of 3 at δ 1e-6); a larger one can be set with `mine policy set --epsilon`",
      command: "mine privacy",
    },
    {
      kind: "trouble",
      text: "Iris: the bytes are not available at the IPFS hub; it is retried",
      command: "mine doctor",
    },
  ],
  balance: "1998000000000000000",
  chain: { ok: true, block: 1234, age_seconds: 2, problem: null },
  version: "0.3.0",
};

export const paused: MineState = {
  ...status,
  paused: {
    since: NOW - 60,
    until: NOW + 1_740,
    finishing: false,
    reason: "paused until 2026-03-12T10:29:00Z",
  },
  now: [],
  needs: [],
};

const campaign: Campaign = {
  campaign: id("a"),
  name: "Digits 8×8",
  regime: "encrypted",
  state: "open",
  version: 7,
  fit: { ok: true, rows: 1_204, data: ["digits"], reason: null },
  decision: { kind: "serve", reason: "train", rule: null, text: "train" },
  competitors: 13,
  deadline: NOW + 2 * DAY,
  bounty: "1000000000000000000000",
  token: DATA,
  submission_stake: "8000000000000000",
  best_ppm: 926_000,
  target_ppm: 950_000,
  submitted: 5,
  earned: "12408000000000000000",
  trouble: null,
};

export const campaigns: Campaign[] = [
  campaign,
  {
    ...campaign,
    campaign: id("b"),
    name: "Iris",
    regime: "clear",
    decision: {
      kind: "skip",
      reason: "policy",
      rule: "clear",
      text: "policy clear: the model of this campaign is public, so everybody can see what accepted updates change in it; `mine policy set --clear allow` serves such campaigns",
    },
    trouble: "the bytes are not available at the IPFS hub",
  },
  {
    ...campaign,
    campaign: id("c"),
    name: "House prices",
    fit: {
      ok: false,
      rows: 0,
      data: [],
      reason: "digits: column `rooms` is missing\npatients: column `rooms` is missing",
    },
    decision: { kind: "skip", reason: "no_data", rule: null, text: "no data set fits" },
    best_ppm: 410_000,
    submitted: 0,
    earned: "0",
  },
  {
    ...campaign,
    campaign: id("d"),
    name: "Cohort risk",
    fit: { ok: true, rows: 388, data: ["patients"], reason: null },
    decision: {
      kind: "wait",
      reason: "settlement",
      rule: null,
      text: "wait for the settlement of the window",
    },
    bounty: "2000000000000000000",
    token: ETHER,
    best_ppm: 700_000,
    target_ppm: 900_000,
  },
  {
    ...campaign,
    campaign: id("e"),
    name: null,
    regime: null,
    state: "proposed",
    version: 0,
    fit: null,
    decision: null,
    best_ppm: 0,
    submitted: 0,
    earned: "0",
  },
];

const accepted: Submission = {
  campaign: id("a"),
  name: "Digits 8×8",
  token: DATA,
  window: 4,
  number: 1,
  version: 4,
  verdict: "accepted",
  delta_ppm: 4_000,
  amount: "4210526315789473684",
  inputs: { bounty: "1000000000000000000000", delta_ppm: 4_000, range_ppm: 950_000 },
  stake: "8000000000000000",
  charged: "0",
  transaction: id("1"),
  time: NOW - 3_600,
  submission_transaction: id("2"),
  submitted: NOW - 4_000,
};

const pending: Submission = {
  ...accepted,
  campaign: id("d"),
  name: "Cohort risk",
  token: ETHER,
  window: 2,
  number: 3,
  verdict: "pending",
  delta_ppm: null,
  amount: null,
  inputs: null,
  transaction: id("3"),
  submission_transaction: id("3"),
  time: NOW - 600,
  submitted: NOW - 600,
};

const missed: Submission = {
  ...accepted,
  window: 3,
  verdict: "not_improved",
  delta_ppm: null,
  amount: null,
  inputs: null,
  charged: "1000000000000000",
  transaction: id("4"),
  submission_transaction: id("5"),
  time: NOW - 3 * DAY,
  submitted: NOW - 3 * DAY - 400,
};

const first: Submission = {
  ...accepted,
  window: 1,
  delta_ppm: 8_000,
  amount: "8421052631578947368",
  inputs: { bounty: "1000000000000000000000", delta_ppm: 8_000, range_ppm: 950_000 },
  transaction: id("6"),
  submission_transaction: id("7"),
  time: NOW - 5 * DAY,
  submitted: NOW - 5 * DAY - 400,
};

export const earnings: Earnings = {
  totals: [
    {
      token: ETHER,
      claimable: "0",
      pending_count: 1,
      pending_at_most: "444444444444444444",
      earned: "0",
      withdrawn: "0",
      net: "-2900000000000000",
    },
    {
      token: DATA,
      claimable: "4210526315789473684",
      pending_count: 0,
      pending_at_most: "0",
      earned: "12631578947368421052",
      withdrawn: "8421052631578947368",
      net: "12631578947368421052",
    },
  ],
  gas: {
    wei: "1900000000000000",
    transactions: 6,
    missing: 0,
    days: [
      { date: "2026-03-07", wei: "700000000000000" },
      { date: "2026-03-09", wei: "500000000000000" },
      { date: "2026-03-12", wei: "700000000000000" },
    ],
  },
  stakes: {
    held: "8000000000000000",
    free: "15000000000000000",
    charged: "1000000000000000",
    claimable: "0",
  },
  days: [
    { date: "2026-03-07", token: DATA, earned: "8421052631578947368" },
    { date: "2026-03-12", token: DATA, earned: "4210526315789473684" },
  ],
  submissions: 4,
  items: [pending, accepted, missed, first],
};

export const noEarnings: Earnings = {
  totals: [
    {
      token: ETHER,
      claimable: "0",
      pending_count: 0,
      pending_at_most: "0",
      earned: "0",
      withdrawn: "0",
      net: "0",
    },
  ],
  gas: { wei: "0", transactions: 0, missing: 0, days: [] },
  stakes: { held: "0", free: "0", charged: "0", claimable: "0" },
  days: [],
  submissions: 0,
  items: [],
};

export const jobs: Job[] = [
  {
    campaign: id("a"),
    name: "Digits 8×8",
    version: 7,
    step: "train",
    state: "running",
    started: NOW - 190,
    ended: null,
    attempt: 1,
    error: null,
  },
  {
    campaign: id("b"),
    name: "Iris",
    version: 2,
    step: "fetch_material",
    state: "failed",
    started: NOW - 900,
    ended: NOW - 840,
    attempt: 3,
    error: "the bytes are not available at the IPFS hub",
  },
  {
    campaign: id("d"),
    name: "Cohort risk",
    version: 2,
    step: "send",
    state: "done",
    started: NOW - 640,
    ended: NOW - 600,
    attempt: 1,
    error: null,
  },
  {
    campaign: id("e"),
    name: null,
    version: 0,
    step: "fetch_manifest",
    state: "stopped",
    started: NOW - 9_000,
    ended: NOW - 8_990,
    attempt: 1,
    error: "the step `fetch_manifest` was not completed before the Mine stopped",
  },
];

export const privacy: PrivacyReport = {
  budget: { epsilon: 3, delta: 1e-6, uploads: 20 },
  data: [
    { data: "digits", private: 5, exact: 0, epsilon: 1.4213, left: 15 },
    { data: "patients", private: 20, exact: 2, epsilon: 3, left: 0 },
    { data: "scans", private: 17, exact: 0, epsilon: 2.74, left: 3 },
  ],
};

export const dataSets: DataSet[] = [
  {
    name: "digits",
    rows: 1_204,
    bytes: 318_112,
    added: NOW - 20 * DAY,
    columns: [
      { name: "pixel_0", kind: "number", min: 0, max: 16, labels: null },
      { name: "label", kind: "labels", min: null, max: null, labels: 10 },
    ],
  },
  {
    name: "patients",
    rows: 388,
    bytes: 40_211,
    added: NOW - 40 * DAY,
    columns: [
      { name: "age", kind: "number", min: 18, max: 97, labels: null },
      { name: "note", kind: "text", min: null, max: null, labels: null },
      { name: "sex", kind: null, min: null, max: null, labels: null },
    ],
  },
];

export const checks: Check[] = [
  { name: "keys", ok: true, detail: "the account is readable by its owner only", fix: null },
  { name: "chain", ok: true, detail: "http://127.0.0.1:8545 answers; it is chain 31337", fix: null },
  {
    name: "clock",
    ok: false,
    detail: "the clock of this machine is 95 s behind the chain",
    fix: "synchronise the clock, for example with `timedatectl set-ntp true`",
  },
  { name: "ipfs", ok: true, detail: "connected to 2 peers", fix: null },
];

export const preview: WithdrawalPreview = {
  items: [
    {
      campaign: id("a"),
      source: id("a"),
      token: DATA,
      amount: "4210526315789473684",
      gas: "90000000000000",
      worth_it: true,
    },
    {
      campaign: id("d"),
      source: `the stakes in ${id("d")}`,
      token: ETHER,
      amount: "15000000000000000",
      gas: "80000000000000",
      worth_it: true,
    },
    {
      campaign: null,
      source: "shares of the stakes of Capsules that missed a deadline",
      token: ETHER,
      amount: "1000",
      gas: "80000000000000",
      worth_it: false,
    },
  ],
};

export const withdrawals: Withdrawals = {
  transactions: [
    {
      campaign: id("a"),
      token: DATA,
      amount: "4210526315789473684",
      stake: false,
      gas_used: 51_000,
      transaction: id("8"),
    },
    {
      campaign: id("d"),
      token: ETHER,
      amount: "15000000000000000",
      stake: true,
      gas_used: 43_000,
      transaction: id("9"),
    },
  ],
  left_out: ["withdrawing 0.000000000000001 ETH from shares would cost 0.00008 ETH of gas"],
};
