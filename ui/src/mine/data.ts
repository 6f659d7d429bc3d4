/** What the pages of a Mine read, and how live it is. */

import type { components } from "../api/mine";
import type { LiveView } from "../shared/face";
import { ETH, shortAddress, type Token } from "../shared/format";
import { liveStream, usePaused } from "../shared/live";
import { type Changes, type LiveFacts, localView, STATUS_MS, useLocalLive } from "../shared/local";
import { useApi } from "../shared/query";

type Schemas = components["schemas"];
export type MineState = Schemas["MineState"];
export type PauseState = Schemas["PauseState"];
export type Need = Schemas["Need"];
export type Work = Schemas["Work"];
export type Campaign = Schemas["Campaign"];
export type Decision = Schemas["Decision"];
export type Job = Schemas["Job"];
export type Earnings = Schemas["Earnings"];
export type Submission = Schemas["SubmissionEarnings"];
export type TokenTotal = Schemas["TokenTotal"];
export type PrivacyReport = Schemas["PrivacyReport"];
export type PrivacyAccount = Schemas["PrivacyAccount"];
export type DataSet = Schemas["DataSet"];
export type DataColumn = Schemas["DataColumn"];
export type Check = Schemas["Check"];
export type WithdrawalPreview = Schemas["WithdrawalPreview"];
export type PossibleWithdrawal = Schemas["PossibleWithdrawal"];
export type Withdrawals = Schemas["Withdrawals"];

/** The stream reports changes; this is for when it is down. */
const LIST_MS = 30_000;
/** Number of submissions that the pages read at once. */
export const SUBMISSIONS = 1_000;

export const stream = liveStream("/api/mine/events");

/** A settlement changes what a data set has left, too. */
const CHANGES: Changes = {
  status: ["/api/mine/status"],
  campaigns: ["/api/mine/campaigns"],
  jobs: ["/api/mine/jobs", "/api/mine/privacy"],
  earnings: ["/api/mine/earnings", "/api/mine/withdraw"],
};

export function useStatus(enabled = true) {
  const paused = usePaused();
  return useApi<MineState>("/api/mine/status", {}, { enabled, refetchInterval: paused ? false : STATUS_MS });
}

function useList<T>(path: string, query = {}) {
  const paused = usePaused();
  return useApi<T>(path, query, { refetchInterval: paused ? false : LIST_MS });
}

export const useCampaigns = () => useList<Schemas["CampaignList"]>("/api/mine/campaigns");
export const useJobs = () => useList<Schemas["JobList"]>("/api/mine/jobs");
export const useEarnings = () => useList<Earnings>("/api/mine/earnings", { limit: SUBMISSIONS });
export const usePrivacy = () => useList<PrivacyReport>("/api/mine/privacy");
export const useData = () => useList<Schemas["DataSetList"]>("/api/mine/data");

/** Checks take seconds, so they are repeated only on request. */
export const useDoctor = () =>
  useApi<Schemas["Diagnosis"]>("/api/mine/doctor", {}, { staleTime: 60_000, refetchOnWindowFocus: false });

/** A token of the API for the formatting functions; one without symbol is counted in its smallest units. */
export function tokenOf({ address, symbol, decimals }: Schemas["Token"]): Token {
  if (address.toLowerCase() === ETH.address) return ETH;
  if (!symbol || decimals === null)
    return { address, symbol: `units of ${shortAddress(address)}`, decimals: 0, verified: false };
  return { address, symbol, decimals, verified: true };
}

export function campaignName({ campaign, name }: { campaign: string; name: string | null }): string {
  return name ?? `Campaign ${shortAddress(campaign)}`;
}

type MineFacts = Omit<LiveFacts, "chain"> & { status: MineState | undefined };

/** What the live indicator says: the worst link first. A Mine answers before its chain does. */
export function liveView({ status, ...facts }: MineFacts): LiveView {
  const chain = status?.chain;
  if (!facts.error && chain && !chain.ok && chain.block === null) {
    const detail = chain.problem ?? "The Mine waits for the chain.";
    return { tone: "connecting", label: "Starting", place: null, seen: facts.seen, detail };
  }
  return localView("Mine", { chain, ...facts });
}

export function useMineLive(): LiveView {
  return useLocalLive({
    command: "mine ui",
    stream,
    changes: CHANGES,
    useStatus,
    view: (status, facts) => liveView({ status, ...facts }),
  });
}
