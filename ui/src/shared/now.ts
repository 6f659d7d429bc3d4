/** One clock for everything on the page that shows how long ago something was. */

import { useSyncExternalStore } from "react";

const watchers = new Set<() => void>();
let now = Math.floor(Date.now() / 1000);
let timer: ReturnType<typeof setInterval> | undefined;

function watch(changed: () => void): () => void {
  // Nobody has watched for a while: the last tick is old.
  if (timer === undefined) now = Math.floor(Date.now() / 1000);
  watchers.add(changed);
  timer ??= setInterval(() => {
    now = Math.floor(Date.now() / 1000);
    for (const notify of watchers) notify();
  }, 1_000);
  return () => {
    watchers.delete(changed);
    if (watchers.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

/** The time in unix seconds, once a second. */
export function useNow(): number {
  return useSyncExternalStore(watch, () => now);
}
