/** The plan of a draft: what the launch would do and cost, computed by the desk. Nothing is spent. */

import { useQuery } from "@tanstack/react-query";
import { send } from "../../shared/api";
import { ETH, formatAmount, type Token } from "../../shared/format";
import type { Plan } from "../types";
import type { Draft } from "./draft";
import { base64, held } from "./store";
import { campaignFile } from "./toml";

/** The desk keeps a plan for an hour. */
const FRESH_MS = 50 * 60_000;

type Run = <T>(account: string, action: () => Promise<T>) => Promise<T>;

async function makePlan(draft: Draft, toml: string, run: Run | undefined): Promise<Plan> {
  const files: Record<string, string> = {};
  if (held.validation && draft.data) files[draft.data.file] = await base64(held.validation);
  if (held.initial && draft.initial !== "") files[draft.initial] = await base64(held.initial);
  const ask = () => send<Plan>("POST", "/api/desk/plan", { account: draft.account, toml, files });
  return run ? run(draft.account, ask) : ask();
}

/** The plan, made once for a draft if `make` is set, and otherwise only if it is there already. */
export function usePlan(draft: Draft, make: boolean, run?: Run) {
  const toml = campaignFile(draft);
  const file = held.validation;
  const initial = draft.initial === "" || held.initial !== null;
  const plan = useQuery<Plan>({
    // The file is part of the key: another one with the same name makes another plan.
    queryKey: ["plan", draft.account, toml, file?.lastModified ?? null, file?.size ?? null],
    queryFn: () => makePlan(draft, toml, run),
    enabled: make && file !== null && initial && draft.account !== "",
    staleTime: FRESH_MS,
    gcTime: FRESH_MS,
    retry: false,
    refetchOnWindowFocus: false,
  });
  return { plan, toml, file: file !== null && initial };
}

export function planToken({ cost }: Plan): Token {
  if (cost.token === ETH.address) return ETH;
  return { address: cost.token, symbol: cost.symbol, decimals: cost.decimals, verified: true };
}

/** Bounty, fee and gas as text. */
export function costText(plan: Plan): { escrow: string; fee: string; gas: string } {
  const token = planToken(plan);
  return {
    escrow: formatAmount(plan.cost.bounty, token),
    fee: formatAmount(plan.cost.fee, token),
    gas: formatAmount(plan.cost.gas_estimate, ETH),
  };
}
