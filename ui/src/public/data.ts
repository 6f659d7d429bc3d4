/** What several public pages read: tokens, live state, search. */

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo } from "react";
import { get } from "../shared/api";
import type { LiveView, PaletteItem } from "../shared/face";
import { ETH, integer, shortAddress, type Token } from "../shared/format";
import { liveStream, pauseSwitch, useLiveStatus, usePaused } from "../shared/live";
import { useNow } from "../shared/now";
import { useApi } from "../shared/query";
import type { CampaignSummary, Info, Page, Readiness } from "./types";

export const stream = liveStream("/api/v1/events");

const INFO_MS = 5_000;
const READY_MS = 5_000;
/** After this time without an answer, what the page shows is called stale. */
const STALE_SECONDS = 15;
/** Events can come in bursts; the page reads again at most this often. */
const BATCH_MS = 800;

/** Looks up tokens by their address; `undefined` for one that the server does not list. */
export function useTokens(): (address: string) => Token | undefined {
  const tokens = useApi<{ items: Token[] }>("/api/v1/tokens", {}, { staleTime: 60_000 });
  return useMemo(() => {
    const known = new Map(
      [ETH, ...(tokens.data?.items ?? [])].map(token => [token.address.toLowerCase(), token]),
    );
    return address => known.get(address.toLowerCase());
  }, [tokens.data]);
}

export function useInfo() {
  const paused = usePaused();
  return useApi<Info>("/api/v1/info", {}, { refetchInterval: paused ? false : INFO_MS });
}

/** Reads again what the events of the chain make stale. */
function useFreshness(): void {
  const queries = useQueryClient();
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let missed = false;
    const refresh = () => {
      timer = undefined;
      missed = false;
      void queries.invalidateQueries({
        predicate: ({ queryKey: [path] }) => String(path).startsWith("/api/v1/"),
      });
    };
    const stopListening = stream.subscribe(event => {
      if (event.name === "open") return;
      if (pauseSwitch.paused) missed = true;
      else timer ??= setTimeout(refresh, BATCH_MS);
    });
    const stopWatching = pauseSwitch.watch(() => {
      if (!pauseSwitch.paused && missed) refresh();
    });
    return () => {
      clearTimeout(timer);
      stopListening();
      stopWatching();
    };
  }, [queries]);
}

/** Which link is down, most important first; `null` if all work. */
function brokenLink(ready: Readiness | undefined): { label: string; detail: string } | null {
  if (!ready || ready.ready) return null;
  const reasons = ready.reasons.join("; ");
  if (!ready.chain.ok)
    return { label: "Chain down", detail: `The server cannot reach its chain node: ${ready.chain.detail}` };
  if (!ready.index.ok)
    return { label: "Index behind", detail: reasons || "The index has not caught up with the chain." };
  if (!ready.ipfs.ok)
    return { label: "IPFS down", detail: reasons || "The server's IPFS node does not work." };
  return { label: "Not ready", detail: reasons };
}

/** Asks what the server depends on. It answers 503 with the same body when one of them fails. */
function useReadiness(path: string | null, paused: boolean) {
  return useQuery<Readiness>({
    queryKey: [path],
    queryFn: async ({ signal }) => (await fetch(path as string, { signal })).json(),
    enabled: path !== null,
    refetchInterval: paused ? false : READY_MS,
    retry: false,
  });
}

/** @param readyPath Route that says which link is down; `null` where the server has none. */
export function usePublicLive(readyPath: string | null = "/readyz"): LiveView {
  useFreshness();
  const paused = usePaused();
  const now = useNow();
  const status = useLiveStatus(stream);
  const info = useInfo();
  const ready = useReadiness(readyPath, paused);
  const seen = Math.max(Math.floor((status.seen ?? 0) / 1000), Math.floor(info.dataUpdatedAt / 1000)) || null;
  const place = info.data ? `block ${integer(info.data.block)}` : null;
  const broken = brokenLink(ready.data);

  if (info.isPending)
    return { tone: "connecting", label: "Connecting", place, seen, detail: "Waiting for the server." };
  if (info.error) {
    return {
      tone: "down",
      label: "Server down",
      place,
      seen,
      detail: `The server does not answer: ${info.error.message}`,
    };
  }
  if (broken) return { tone: "stale", ...broken, place, seen };
  if (status.state === "down") {
    return {
      tone: "stale",
      label: "Updates down",
      place,
      seen,
      detail: `The event stream is closed: ${status.problem}. The page reads again every ${INFO_MS / 1000} s.`,
    };
  }
  if (seen !== null && now - seen > STALE_SECONDS) {
    return { tone: "stale", label: "Stale", place, seen, detail: "The server has not answered for a while." };
  }
  return {
    tone: "ok",
    label: "Live",
    place,
    seen,
    detail: "The page follows the chain: every change appears within a second.",
  };
}

const ADDRESS = /^0x[0-9a-f]{40}$/i;

/** What the palette finds: campaigns by name or id, and addresses. */
export async function find(text: string, signal: AbortSignal): Promise<PaletteItem[]> {
  const found = await get<Page<CampaignSummary>>("/api/v1/campaigns", { q: text, limit: 8 }, signal).catch(
    () => null,
  );
  const campaigns = (found?.items ?? []).map(campaign => ({
    id: campaign.id,
    title: campaign.name ?? `Campaign ${shortAddress(campaign.id)}`,
    kind: "Campaign",
    detail: shortAddress(campaign.id),
    to: `/campaigns/${campaign.id}`,
  }));
  if (!ADDRESS.test(text)) return campaigns;
  return [{ id: text, title: shortAddress(text), kind: "Miner", to: `/miners/${text}` }, ...campaigns];
}
