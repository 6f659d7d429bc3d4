/** What the Capsule's page reads, and how live it is. */

import type { components } from "../api/capsule";
import type { LiveView } from "../shared/face";
import { ETH, shortAddress, type Token } from "../shared/format";
import { liveStream, usePaused } from "../shared/live";
import { type Changes, localView, STATUS_MS, useLocalLive } from "../shared/local";
import { useApi } from "../shared/query";

type Schemas = components["schemas"];
export type CapsuleState = Schemas["Status"];
export type Campaign = Schemas["CampaignItem"];
export type Alert = Schemas["Alert"];
export type Key = Schemas["KeyItem"];
export type Limits = Schemas["CapsuleLimits"];
export type TokenSum = Schemas["TokenSum"];
export type DeadlineKind = Schemas["DeadlineKind"];

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

const ROUTES = ["/api/capsule/status", "/api/capsule/campaigns"];
const CHANGES: Changes = { status: ROUTES, campaigns: ROUTES };

export function useCapsuleLive(): LiveView {
  return useLocalLive({
    command: "capsule ui",
    stream,
    changes: CHANGES,
    useStatus,
    view: (status, facts) => localView("Capsule", { chain: status?.chain, ...facts }),
  });
}
