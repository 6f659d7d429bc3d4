/** What the public API answers. */

export type State = "proposed" | "open" | "closed" | "finalized" | "refunded" | "released" | "convicted";
export type Regime = "encrypted" | "clear";
export type CloseReason = "target" | "deadline" | "leak_budget" | "owner" | "limit" | "capsule_timeout";

export interface Page<T> {
  items: T[];
  next?: string;
  total?: number;
}

export interface Info {
  chain_id: number;
  contracts: { chain_id: number; campaigns: string; registry: string; datacoin: string; block: number };
  ipfs: string[];
  version: string;
  block: number;
  head: number;
  campaigns: number;
  relay: boolean;
  uptime_seconds: number;
}

export interface Readiness {
  ready: boolean;
  reasons: string[];
  chain: { ok: boolean; detail: string };
  index: { ok: boolean; block: number | null; lag: number | null };
  ipfs: { ok: boolean; missing: number };
}

export interface CampaignSummary {
  id: string;
  name: string | null;
  regime: Regime | null;
  task?: string | null;
  state: State;
  reason: CloseReason | null;
  owner: string;
  capsule: string;
  token: string;
  bounty: string;
  awarded: string;
  start_ppm: number | null;
  best_ppm: number | null;
  target_ppm: number;
  version: number;
  submissions: number;
  accepts: number;
  miners: number;
  windows: number;
  deadline: number;
  opened_at: number;
}

export interface Place {
  block: number;
  time: number;
  transaction: string;
}

export interface Terms {
  owner: string;
  token: string;
  bounty: string;
  start_ppm: number;
  tolerance_ppm: number;
  target_ppm: number;
  grid_ppm: number;
  max_submissions: number;
  max_accepts: number;
  window_size: number;
  window_seconds: number;
  cap_per_version: number;
  deadline: number;
  activation_seconds: number;
  evaluation_seconds: number;
  delivery_seconds: number;
  mode: number;
  auditor: string;
  audit_seconds: number;
  capsule: string;
  fee_ppm: number;
  stake: string;
  submission_stake: string;
  manifest: string;
  audit_keys: string;
  salt: string;
}

export interface Ledger {
  deposited: string;
  paid: string;
  owed: string;
  refunded: string;
  fee: string;
  escrowed: string;
}

export interface Stakes {
  deposited: string;
  held: string;
  free: string;
  charged: string;
  withdrawn: string;
}

export interface CampaignDetail extends CampaignSummary {
  terms: Terms;
  ledger: Ledger;
  stakes: Stakes;
  window: { index: number; version: number; submissions: number; closes_at: number | null };
  last_settled: { index: number; version: number; submissions: number; best_ppm: number; at: Place } | null;
  material: string | null;
  result: string | null;
  stake_fate: { kind: string; version?: number } | null;
  declined: number | null;
  declined_because: string | null;
  changed_at: number;
  opened: Place;
  manifest: Manifest | null;
}

export interface Manifest {
  schema: string;
  name: string;
  description: string;
  mode: string;
  metric: string;
  data: {
    inputs: { name: string; min: number; max: number }[];
    target: string;
    task: { kind: "classification"; classes: string[] } | { kind: "regression" };
    range?: { min: number; max: number };
  };
  method: { regime: Regime } & Record<string, unknown>;
  accuracy: { start: number; target: number; grid: number; tolerance: number };
  limits: Record<string, number>;
  bundle: string;
  scientist: string;
  capsule: string;
  organisation?: { name: string; link?: string };
}

export type Verdict =
  | { is: "pending" }
  | { is: "not_improved" }
  | { is: "accepted"; best_ppm: number; delta_ppm: number; amount: string }
  | { is: "rejected"; reason: number };

export interface Submission {
  number: number;
  window: number;
  index: number;
  version: number;
  miner: string;
  content: string;
  at: Place;
  verdict: Verdict;
}

export interface SeriesPoint {
  number: number;
  time: number;
  best_ppm: number | null;
  spent: string;
  verdict: "pending" | "not_improved" | "accepted" | "rejected";
  delta_ppm: number | null;
  amount: string | null;
  miner: string;
}

export interface Series {
  submissions: number;
  points: SeriesPoint[];
  complete: boolean;
}

export interface LeaderboardRow {
  rank: number;
  miner: string;
  submitted: number;
  accepted: number;
  delta_ppm: number;
  earned: string;
  share_ppm: number | null;
  last_seen: number;
}

export interface Leaderboard extends Page<LeaderboardRow> {
  note: string;
}

export interface Money extends Ledger {
  token: string;
  block: number;
  adds_up: boolean;
  calls: string[];
}

export interface ChainEvent {
  id: string;
  kind: string;
  campaign: string | null;
  at: Place;
  data: Record<string, unknown>;
}

export interface Privacy {
  regime: Regime;
  model: { weights: number; public_weights: number; least_weights: number; secret: boolean };
  transcript: { allowed: number; spent: number; left: number; hard_limit: number };
  updates: {
    most_uploads: number;
    encryption: { solvable_from: number; ciphertext_epsilon: number; ciphertext_delta: number } | null;
  };
  security: { what: string; bits: number; cost_model: string }[];
  parties: { party: string; learns: string; never_learns: string; rests_on: string }[];
}

export interface Capsule {
  operator: string;
  attester: string;
  fingerprint: string;
  certificate: string | null;
  endpoint: string;
  fee_ppm: number;
  stake: string;
  locked: string;
}

export interface Miner {
  address: string;
  campaigns: MinerCampaign[];
  next?: string;
}

export interface MinerCampaign {
  campaign: string;
  token: string;
  submitted: number;
  accepted: number;
  delta_ppm: number;
  earned: string;
  owed: string;
  withdrawn: string;
  stakes: Stakes;
}

export interface TokenMoney {
  token: string;
  escrowed: string;
  paid: string;
  earned: string;
  refunded: string;
  fees: string;
}

export interface Activity {
  campaigns: Record<
    | "opened"
    | "activated"
    | "declined"
    | "refunded"
    | "closed"
    | "finalized"
    | "released"
    | "convicted"
    | "expired",
    number
  >;
  miners_active: number;
  submissions: number;
  accepted: number;
  not_improved: number;
  rejected: number;
  acceptance_ppm: number | null;
  money: TokenMoney[];
  accuracy_points_ppm: number;
  cost_per_point: { token: string; amount: string }[];
  evaluation_seconds: { p50: number; p95: number; count: number } | null;
}

export interface CapsuleRecord {
  operator: string;
  proposed: number;
  campaigns: number;
  settled: number;
  delivered: number;
  late: number;
  unanswered: number;
  declined: { reason: number; text: string; count: number }[];
  stake: string;
  locked: string;
  convictions: number;
}

export interface Statistics {
  block: number;
  from: string;
  to: string;
  total: Activity & { by_state: Record<State, number>; capsules: CapsuleRecord[] };
  days: (Activity & { date: string })[];
}

export interface AccountCampaign {
  campaign: string;
  name: string | null;
  token: string;
  state: State;
  role: "owner" | "miner" | "capsule";
  owed: string;
  free_stake: string;
  actions: string[];
}

export interface Account {
  address: string;
  campaigns: AccountCampaign[];
}
