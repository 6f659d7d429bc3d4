/** What the public API answers: the types of its OpenAPI document, under the names that pages use. */

import type { components } from "../api/public";

/**
 * The server writes every field, as null if it has no value; the generator of the document calls such fields optional.
 * (Only `next` and `total` of pages can be absent; `Page` says so.)
 */
type Written<T> = T extends (infer U)[]
  ? Written<U>[]
  : T extends object
    ? { [K in keyof T]-?: Written<Exclude<T[K], undefined>> }
    : T;

type Schemas = { [Name in keyof components["schemas"]]: Written<components["schemas"][Name]> };

export interface Page<T> {
  items: T[];
  next?: string | null;
  total?: number | null;
}

export type State = Schemas["State"];
export type Regime = Schemas["Regime"];
export type CloseReason = Schemas["CloseReason"];
export type Info = Schemas["Info"];
export type Readiness = Schemas["Readiness"];
export type CampaignSummary = Schemas["CampaignSummary"];
export type Place = Schemas["PlaceJson"];
export type Terms = Schemas["TermsJson"];
export type Ledger = Schemas["LedgerJson"];
export type Stakes = Schemas["Stakes"];
/** The document describes the manifest as any object, because its format has a version of its own. */
export type CampaignDetail = Omit<Schemas["CampaignPage"], "manifest"> & { manifest: Manifest | null };
export type Verdict = Schemas["Verdict"];
export type Submission = Schemas["SubmissionView"];
export type SeriesPoint = Schemas["SeriesPoint"];
export type Series = Schemas["Series"];
export type LeaderboardRow = Schemas["LeaderboardRow"];
export type Leaderboard = Page<LeaderboardRow> & Pick<Schemas["Leaderboard"], "note">;
export type Money = Schemas["Money"];
export type ChainEvent = Schemas["EventView"];
export type Privacy = Schemas["PrivacyStatement"];
export type Capsule = Schemas["CapsuleSummary"];
export type Miner = Omit<Schemas["Miner"], "next"> & { next?: string | null };
export type MinerCampaign = Schemas["MinerCampaign"];
export type TokenMoney = Schemas["TokenMoney"];
export type CapsuleRecord = Schemas["CapsuleRecord"];
export type StateCounts = Schemas["StateCounts"];
export type Statistics = Schemas["StatisticsReport"];
export type Account = Omit<Schemas["AccountPage"], "next"> & { next?: string | null };
export type AccountCampaign = Schemas["AccountCampaign"];

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
