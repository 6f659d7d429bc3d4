/** What the pages of a program that serves its owner alone have in common: how they stay fresh, and how live they are. */

import { type UseQueryResult, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { ApiError, problemFrom } from "./api";
import type { LiveView } from "./face";
import { integer } from "./format";
import { type LinkState, type LiveStream, pauseSwitch, useLiveStatus } from "./live";
import { useNow } from "./now";
import { useSession } from "./session";

/** The stream reports changes; this is how often the status is read in addition. */
export const STATUS_MS = 10_000;
/** After this time without an answer, what the page shows is called stale. */
const STALE_SECONDS = 25;

/** Which routes an event of the stream makes stale, by its name. */
export type Changes = Record<string, string[]>;

/** Reads again what the events of the program make stale; while updates are paused, it only notes it. */
function useFreshness(stream: LiveStream, changes: Changes, enabled: boolean): void {
  const queries = useQueryClient();
  useEffect(() => {
    if (!enabled) return;
    const missed = new Set<string>();
    const refresh = (paths: Iterable<string>) => {
      for (const path of paths) void queries.invalidateQueries({ queryKey: [path] });
    };
    const stopListening = stream.subscribe(({ name }) => {
      const paths = changes[name] ?? [];
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
  }, [queries, stream, changes, enabled]);
}

/** What a program knows about its chain. */
interface Chain {
  ok: boolean;
  block?: number | null;
  problem?: string | null;
}

export interface LiveFacts {
  chain: Chain | undefined;
  error: Error | null;
  link: { state: LinkState; problem: string | null };
  seen: number | null;
  now: number;
}

/** What the live indicator says about a program: the worst link first. */
export function localView(program: string, { chain, error, link, seen, now }: LiveFacts): LiveView {
  const place = chain?.block ? `block ${integer(chain.block)}` : null;
  const view = (tone: LiveView["tone"], label: string, detail: string): LiveView => ({
    tone,
    label,
    place,
    seen,
    detail,
  });
  if (error)
    return view("down", `${program} down`, `The ${program} does not answer. ${problemFrom(error).detail}`);
  if (!chain) return view("connecting", "Connecting", `Waiting for the ${program}.`);
  if (!chain.ok) return view("stale", "Chain down", chain.problem ?? "The chain node does not answer.");
  if (link.state === "down")
    return view(
      "stale",
      "Updates down",
      `The event stream is closed: ${link.problem}. The page reads again every ${STATUS_MS / 1000} s.`,
    );
  if (seen !== null && now - seen > STALE_SECONDS)
    return view("stale", "Stale", `The ${program} has not answered for a while.`);
  return view("ok", "Live", `The page follows the ${program}: every change appears within a second.`);
}

interface Source<T> {
  /** The command that opens the pages. */
  command: string;
  stream: LiveStream;
  changes: Changes;
  useStatus: (enabled: boolean) => UseQueryResult<T>;
  view: (status: T | undefined, facts: Omit<LiveFacts, "chain">) => LiveView;
}

/** Keeps the pages of a program fresh, and returns how live they are. */
export function useLocalLive<T>({ command, stream, changes, useStatus, view }: Source<T>): LiveView {
  const session = useSession();
  const open = session.data !== undefined;
  useFreshness(stream, changes, open);
  const now = useNow();
  const link = useLiveStatus(stream);
  const status = useStatus(open);
  if (session.error instanceof ApiError && session.error.status === 401) {
    const detail = `This browser has no session. Run \`${command}\` to open one.`;
    return { tone: "connecting", label: "Locked", place: null, seen: null, detail };
  }
  const seen = Math.floor(Math.max(link.seen ?? 0, status.dataUpdatedAt) / 1000) || null;
  const error = status.error ?? (session.data ? null : session.error);
  return view(status.data, { error, link, seen, now });
}
