/** State of a page in its address, so that a view can be shared and comes back with the browser's back button. */

import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback } from "react";

export type Search = Record<string, string | undefined>;

export function parseSearch(text: string): Search {
  return Object.fromEntries(new URLSearchParams(text));
}

export function stringifySearch(search: Record<string, unknown>): string {
  const set = Object.entries(search).filter(
    ([, value]) => value !== undefined && value !== null && value !== "",
  );
  const text = new URLSearchParams(set.map(([name, value]) => [name, String(value)])).toString();
  return text === "" ? "" : `?${text}`;
}

/** The parameters of the address, and a function that changes some of them; an empty one is removed. */
export function useSearchState(): [Search, (changes: Search) => void] {
  const search = useSearch({ strict: false }) as Search;
  const navigate = useNavigate();
  const change = useCallback(
    (changes: Search) => {
      const merge = (old: Search) => ({ ...old, ...changes });
      void navigate({ to: ".", search: merge as never, replace: true, resetScroll: false });
    },
    [navigate],
  );
  return [search, change];
}
