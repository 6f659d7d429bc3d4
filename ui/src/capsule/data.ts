/** What the Capsule's page reads, and how live it is. */

import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import type { components } from "../api/capsule";
import { ApiError, problemFrom } from "../shared/api";
import type { LiveView } from "../shared/face";
import { ETH, integer, shortAddress, type Token } from "../shared/format";
import { liveStream, pauseSwitch, useLiveStatus, usePaused } from "../shared/live";
import { useNow } from "../shared/now";
import { useApi } from "../shared/query";
import { useSession } from "../shared/session";

type Schemas = components["schemas"];
export type CapsuleState = Schemas["Status"];
export type Campaign = Schemas["CampaignItem"];
export type Alert = Schemas["Alert"];
export type Key = Schemas["KeyItem"];
export type Limits = Schemas["CapsuleLimits"];
export type TokenSum = Schemas["TokenSum"];
export type DeadlineKind = Schemas["DeadlineKind"];

const STATUS_MS = 10_000;
/** After this time without an answer, what the page shows is called stale. */
const STALE_SECONDS = 25;

export const stream = liveStream("/api/capsule/events");

function useFresh<T>(path: string, enabled: boolean) {
  const paused = usePaused();
  return useApi<T>(path, {}, { enabled, refetchInterval: paused ? false : STATUS_MS });
}

export const useStatus = (enabled = true) => useFresh<CapsuleState>("/api/capsule/status", enabled);
export const useCampaigns = () => useFresh<Schemas["Campaigns"]>("/api/capsule/campaigns", true);

/** Looks up the tokens of the API; one that is not listed is counted in its smallest units. */
export function tokensOf({ tokens }: Pick<CapsuleState, "tokens">): (address: string) => Token {
  const known = new Map(tokens.map(token => [token.address.toLowerCase(), { ...token, verified: true }]));
  return address =>
    known.get(address.toLowerCase()) ??
    (address.toLowerCase() === ETH.address
      ? ETH
      : { address, symbol: `units of ${shortAddress(address)}`, decimals: 0, verified: false });
}

/** Campaigns have no names here: a Capsule knows them by their ids. */
export function campaignName({ campaign }: Pick<Campaign, "campaign">): string {
  return `Campaign ${shortAddress(campaign)}`;
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
