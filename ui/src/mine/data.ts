/** What the pages of a Mine read, and how live it is. */

import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import type { components } from "../api/mine";
import { ApiError, problemFrom } from "../shared/api";
import type { LiveView } from "../shared/face";
import { ETH, integer, shortAddress, type Token } from "../shared/format";
import { liveStream, pauseSwitch, useLiveStatus, usePaused } from "../shared/live";
import { useNow } from "../shared/now";
import { useApi } from "../shared/query";
import { useSession } from "../shared/session";

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

const STATUS_MS = 10_000;
/** The stream reports changes; this is for when it is down. */
const LIST_MS = 30_000;
/** After this time without an answer, what the page shows is called stale. */
const STALE_SECONDS = 25;
/** Number of submissions that the pages read at once. */
export const SUBMISSIONS = 1_000;

export const stream = liveStream("/api/mine/events");

/** Which routes an event of the stream makes stale. A settlement changes what a data set has left, too. */
const CHANGES: Record<string, string[]> = {
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

/** Reads again what the events of the Mine make stale; while updates are paused, it only notes it. */
function useFreshness(enabled: boolean): void {
  const queries = useQueryClient();
  useEffect(() => {
    if (!enabled) return;
    const missed = new Set<string>();
    const refresh = (paths: Iterable<string>) => {
      for (const path of paths) void queries.invalidateQueries({ queryKey: [path] });
    };
    const stopListening = stream.subscribe(({ name }) => {
      const paths = CHANGES[name] ?? [];
      if (pauseSwitch.paused) for (const path of paths) missed.add(path);
      else refresh(paths);
    });
    const stopWatching = pauseSwitch.watch(() => {
      if (pauseSwitch.paused) return;
      refresh(missed);
      missed.clear();
    });
    return () => {
      stopListening();
      stopWatching();
    };
  }, [queries, enabled]);
}

const LOCKED: LiveView = {
  tone: "connecting",
  label: "Locked",
  place: null,
  seen: null,
  detail: "This browser has no session. Run `mine ui` to open one.",
};

export function useMineLive(): LiveView {
  const session = useSession();
  const open = session.data !== undefined;
  useFreshness(open);
  const now = useNow();
  const link = useLiveStatus(stream);
  const status = useStatus(open);
  if (session.error instanceof ApiError && session.error.status === 401) return LOCKED;
  const seen = Math.floor(Math.max(link.seen ?? 0, status.dataUpdatedAt) / 1000) || null;
  const error = status.error ?? (session.data ? null : session.error);
  return liveView({ status: status.data, error, link, seen, now });
}

interface LiveFacts {
  status: MineState | undefined;
  error: Error | null;
  link: { state: "connecting" | "live" | "down"; problem: string | null };
  seen: number | null;
  now: number;
}

/** What the live indicator says: the worst link first. */
export function liveView({ status, error, link, seen, now }: LiveFacts): LiveView {
  const chain = status?.chain;
  const place = chain?.block ? `block ${integer(chain.block)}` : null;
  const view = (tone: LiveView["tone"], label: string, detail: string): LiveView => ({
    tone,
    label,
    place,
    seen,
    detail,
  });
  if (error) return view("down", "Mine down", `The Mine does not answer. ${problemFrom(error).detail}`);
  if (!chain) return view("connecting", "Connecting", "Waiting for the Mine.");
  if (!chain.ok && chain.block === null)
    return view("connecting", "Starting", chain.problem ?? "The Mine waits for the chain.");
  if (!chain.ok) return view("stale", "Chain down", chain.problem ?? "The chain node does not answer.");
  if (link.state === "down")
    return view(
      "stale",
      "Updates down",
      `The event stream is closed: ${link.problem}. The page reads again every ${STATUS_MS / 1000} s.`,
    );
  if (seen !== null && now - seen > STALE_SECONDS)
    return view("stale", "Stale", "The Mine has not answered for a while.");
  return view("ok", "Live", "The page follows the Mine: every change appears within a second.");
}
