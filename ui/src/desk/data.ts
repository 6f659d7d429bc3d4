/** What several pages of the desk read: accounts, the desk's state, live changes. */

import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { usePublicLive } from "../public/data";
import { ApiError } from "../shared/api";
import type { LiveView } from "../shared/face";
import { ETH, type Token } from "../shared/format";
import { liveStream, pauseSwitch, usePaused } from "../shared/live";
import { useApi } from "../shared/query";
import type { AccountList, Balance, DeskAccount, DeskStatus, Launch } from "./types";

export const deskStream = liveStream("/api/desk/events");

const STATUS_MS = 15_000;
/** The stream tells of changes; this is for when it is down, and for balances, which no event tells of. */
const ACCOUNTS_MS = 10_000;
const LAUNCH_MS = 3_000;

export function useDeskStatus() {
  const paused = usePaused();
  return useApi<DeskStatus>("/api/desk/status", {}, { refetchInterval: paused ? false : STATUS_MS });
}

export function useAccounts() {
  const paused = usePaused();
  return useApi<AccountList>("/api/desk/accounts", {}, { refetchInterval: paused ? false : ACCOUNTS_MS });
}

export function useLaunches() {
  return useApi<{ items: Launch[] }>("/api/desk/launches", {}, { refetchInterval: LAUNCH_MS });
}

export function useLaunch(id: string) {
  return useApi<Launch>(
    `/api/desk/launches/${id}`,
    {},
    { refetchInterval: ({ state }) => (state.data?.state === "running" ? LAUNCH_MS : false) },
  );
}

export function same(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

/** The account of this desk with an address. */
export function accountOf(accounts: DeskAccount[], address: string): DeskAccount | undefined {
  return accounts.find(account => same(account.address, address));
}

export function tokenOf({ token, symbol, decimals }: Pick<Balance, "token" | "symbol" | "decimals">): Token {
  return same(token, ETH.address) ? ETH : { address: token, symbol, decimals, verified: true };
}

export function isUnlocked(account: DeskAccount, now: number): boolean {
  return account.unlocked_until !== null && account.unlocked_until > now;
}

/** Takes the changes of launches and accounts into what is shown. */
function useDeskFreshness(): void {
  const queries = useQueryClient();
  useEffect(
    () =>
      deskStream.subscribe(({ name, data }) => {
        if (name === "launch") {
          const launch = data as Launch;
          queries.setQueryData([`/api/desk/launches/${launch.id}`, {}], launch);
          void queries.invalidateQueries({ queryKey: ["/api/desk/launches"] });
        } else if (name === "accounts") {
          void queries.invalidateQueries({ queryKey: ["/api/desk/accounts"] });
        } else if (name === "reset" && !pauseSwitch.paused) {
          void queries.invalidateQueries({
            predicate: ({ queryKey: [path] }) => String(path).startsWith("/api/desk/"),
          });
        }
      }),
    [queries],
  );
}

/** How live the desk is: itself first, then what it asks. */
export function useDeskLive(): LiveView {
  useDeskFreshness();
  const status = useDeskStatus();
  const live = usePublicLive(null);
  if (status.error instanceof ApiError && status.error.status === 401)
    return { ...live, tone: "paused", label: "Locked", place: null, detail: "The page has no session." };
  if (status.error && status.data === undefined)
    return {
      ...live,
      tone: "down",
      label: "Desk down",
      detail: `The desk does not answer: ${status.error.message}`,
    };
  if (status.data && !status.data.sonar_ok)
    return {
      ...live,
      tone: "down",
      label: "Sonar down",
      detail:
        status.data.problem?.detail ?? `Sonar does not answer at ${status.data.sonar_url ?? "any address"}.`,
    };
  if (status.data && !status.data.rpc_ok)
    return {
      ...live,
      tone: "stale",
      label: "Chain down",
      detail: status.data.problem?.detail ?? "The chain does not answer, or has other contracts.",
    };
  return live;
}
