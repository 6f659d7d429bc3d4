/** What the desk's API answers. */

import type { Privacy, Terms } from "../public/types";
import type { Problem } from "../shared/api";

export interface DeskStatus {
  sonar_url: string | null;
  sonar_ok: boolean;
  chain_id: number | null;
  rpc_ok: boolean;
  contracts: { campaigns: string; registry: string; datacoin: string } | null;
  problem: Problem | null;
  home: string;
  version: string;
}

export interface Balance {
  token: string;
  symbol: string;
  decimals: number;
  amount: string;
}

export interface DeskAccount {
  name: string;
  address: string;
  /** Unix time until which its keys are in memory. */
  unlocked_until: number | null;
  /** Unix time until which it may spend without the passphrase. */
  spends_until: number | null;
  balances: Balance[];
  fingerprint: string | null;
}

export interface AccountList {
  items: DeskAccount[];
  problem: Problem | null;
}

export type ColumnKind = "number" | "category" | "text";

export interface DraftColumn {
  name: string;
  kind: ColumnKind;
  min: number | null;
  max: number | null;
  classes: string[] | null;
}

export interface DraftAnswer {
  toml: string;
  guesses: string[];
  columns: DraftColumn[];
  rows: number;
}

export interface Plan {
  plan_id: string;
  name: string;
  terms: Terms;
  outlook: { start_ppm: number; leak_bits: number; regime: string; model: string; warnings: string[] };
  privacy: Privacy;
  cost: {
    bounty: string;
    fee: string;
    gas_estimate: string;
    token: string;
    symbol: string;
    decimals: number;
    balance: string;
    gas_balance: string;
    affordable: boolean;
  };
  capsule: { operator: string; fee_ppm: number; stake: string };
  examples: { delta_ppm: number; amount: string }[];
  /** The campaign that the same files were launched with before. */
  earlier: string | null;
}

export type StepName = "seal" | "upload" | "approve" | "open" | "offer";
export type StepState = "todo" | "running" | "done" | "failed";

export interface Launch {
  id: string;
  name: string;
  account: string;
  campaign: string | null;
  state: "running" | "failed" | "done";
  steps: { name: StepName; state: StepState; detail: string | null }[];
  error: Problem | null;
  /** Whether `resume` can succeed; otherwise the campaign must be planned again. */
  resumable: boolean;
  started: number;
}

export type ModelFormat = "safetensors" | "onnx" | "npz";

export interface Confusion {
  classes: string[];
  /** `counts[right][answer]` */
  counts: number[][];
}

export interface Residuals {
  rows: number;
  points: { actual: number; predicted: number }[];
}

export interface Result {
  accuracy_ppm: number;
  attested_ppm: number;
  as_attested: boolean;
  files: { format: ModelFormat; name: string; bytes: number }[];
  unavailable: { format: ModelFormat; reason: string }[];
  confusion: Confusion | null;
  residuals: Residuals | null;
  warnings: string[];
}

export interface AuditedVersion {
  version: number;
  verdict: "honest" | "differs" | "provable";
  detail: string;
  attested_ppm: number | null;
  measured_ppm: number | null;
}

export interface Audit {
  honest: boolean;
  convicts: boolean;
  stake: string;
  locked: boolean;
  free_from: number;
  versions: AuditedVersion[];
  warnings: string[];
}

export interface ActionDone {
  transaction: string;
  block: number;
  gas: number;
  transactions: { what: string; transaction: string; block: number; gas: number }[];
}
