/** What the Capsule's page reads, and how live it is. */

import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { ApiError, problemFrom } from "../shared/api";
import type { LiveView } from "../shared/face";
import { ETH, integer, shortAddress, type Token } from "../shared/format";
import { liveStream, pauseSwitch, useLiveStatus, usePaused } from "../shared/live";
import { useNow } from "../shared/now";
import { useApi } from "../shared/query";
import { useSession } from "../shared/session";

export interface ApiToken {
  address: string;
  symbol: string | null;
  decimals: number | null;
}

export interface TokenAmount {
  token: ApiToken;
  amount: string;
}

export interface Limits {
  stake_per_campaign: string;
  stake_in_all: string;
  longest_run: number;
  longest_audit: number;
  shortest_evaluation: number;
  shortest_delivery: number;
  max_submissions: number;
}

export interface Key {
  kind: "attestation" | "openpgp" | "launch";
  fingerprint: string;
  created: number | null;
  age_seconds: number | null;
  expires: number | null;
  state: string;
}

export interface Alert {
  kind: string;
  severity: "warning" | "error";
  text: string;
  fix: string;
}

export interface CapsuleState {
  operator: string;
  registered: boolean;
  version: string;
  chain: { ok: boolean; block: number | null; age_seconds: number | null; problem: string | null };
  stake: { total: string; free: string; locked: string; at_risk: string };
  balance: string | null;
  fees: { earned: TokenAmount[]; owed: TokenAmount[] };
  fee_ppm: number;
  limits: Limits | null;
  keys: Key[];
  alerts: Alert[];
}

export type DeadlineKind = "activate" | "settle" | "deliver" | "audit";

export interface Campaign {
  campaign: string;
  name: string | null;
  state: string;
  version: number;
  best_ppm: number;
  next_deadline: { kind: DeadlineKind; at: number } | null;
  stake_locked: string;
  fee: string;
  token: ApiToken;
  leak_bits: number | null;
  leak_bits_allowed: number | null;
  last: string | null;
  problem: string | null;
}

const STATUS_MS = 10_000;
/** After this time without an answer, what the page shows is called stale. */
const STALE_SECONDS = 25;

export const stream = liveStream("/api/capsule/events");

function useFresh<T>(path: string, enabled: boolean) {
  const paused = usePaused();
  return useApi<T>(path, {}, { enabled, refetchInterval: paused ? false : STATUS_MS });
}

export const useStatus = (enabled = true) => useFresh<CapsuleState>("/api/capsule/status", enabled);
export const useCampaigns = () => useFresh<{ items: Campaign[] }>("/api/capsule/campaigns", true);

/** A token of the API for the formatting functions; one without symbol is counted in its smallest units. */
export function tokenOf({ address, symbol, decimals }: ApiToken): Token {
  if (address.toLowerCase() === ETH.address) return ETH;
  if (!symbol || decimals === null)
    return { address, symbol: `units of ${shortAddress(address)}`, decimals: 0, verified: false };
  return { address, symbol, decimals, verified: true };
}

export function campaignName({ campaign, name }: Pick<Campaign, "campaign" | "name">): string {
  return name ?? `Campaign ${shortAddress(campaign)}`;
}

/** Reads again whatever the Capsule shows when an event arrives; while updates are paused, it only notes it. */
function useFreshness(enabled: boolean): void {
  const queries = useQueryClient();
  useEffect(() => {
    if (!enabled) return;
    let missed = false;
    const refresh = () => {
      missed = false;
      for (const path of ["/api/capsule/status", "/api/capsule/campaigns"])
        void queries.invalidateQueries({ queryKey: [path] });
    };
    const stopListening = stream.subscribe(({ name }) => {
      if (name === "open") return;
      if (pauseSwitch.paused) missed = true;
      else refresh();
    });
    const stopWatching = pauseSwitch.watch(() => {
      if (!pauseSwitch.paused && missed) refresh();
    });
    return () => {
      stopListening();
      stopWatching();
    };
  }, [queries, enabled]);
}

export function useCapsuleLive(): LiveView {
  const session = useSession();
  const open = session.data !== undefined;
  useFreshness(open);
  const now = useNow();
  const link = useLiveStatus(stream);
  const status = useStatus(open);
  const seen = Math.floor(Math.max(link.seen ?? 0, status.dataUpdatedAt) / 1000) || null;
  const chain = status.data?.chain;
  const place = chain?.block ? `block ${integer(chain.block)}` : null;
  const view = (tone: LiveView["tone"], label: string, detail: string): LiveView => ({
    tone,
    label,
    place,
    seen,
    detail,
  });
  if (session.error instanceof ApiError && session.error.status === 401)
    return view("connecting", "Locked", "This browser has no session. Run `capsule ui` to open one.");
  const error = status.error ?? (session.data ? null : session.error);
  if (error) return view("down", "Capsule down", `The Capsule does not answer. ${problemFrom(error).detail}`);
  if (!chain) return view("connecting", "Connecting", "Waiting for the Capsule.");
  if (!chain.ok) return view("stale", "Chain down", chain.problem ?? "The chain node does not answer.");
  if (link.state === "down")
    return view(
      "stale",
      "Updates down",
      `The event stream is closed: ${link.problem}. The page reads again every ${STATUS_MS / 1000} s.`,
    );
  if (seen !== null && now - seen > STALE_SECONDS)
    return view("stale", "Stale", "The Capsule has not answered for a while.");
  return view("ok", "Live", "The page follows the Capsule: every change appears within a second.");
}
