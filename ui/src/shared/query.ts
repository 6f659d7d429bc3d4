/** The cache of what the server answered. */

import { QueryClient, type UseQueryOptions, type UseQueryResult, useQuery } from "@tanstack/react-query";
import { ApiError, get, type Query } from "./api";

/** Whether asking again can help: not if the server gave a reason that stays. */
function retry(failures: number, error: Error): boolean {
  if (error instanceof ApiError && error.status >= 400 && error.status < 500) return false;
  return failures < 2;
}

export function createQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        retry,
        retryDelay: attempt => Math.min(500 * 2 ** attempt, 4_000),
        staleTime: 5_000,
        refetchOnWindowFocus: true,
        // The query's own state tells the page that the server is gone; `navigator.onLine` is wrong for loopback.
        networkMode: "always",
      },
      mutations: { networkMode: "always" },
    },
  });
}

type Options<T> = Omit<UseQueryOptions<T>, "queryKey" | "queryFn">;

/** Reads a route. The key is the path and the query, so that a live event can name what it makes stale. */
export function useApi<T>(
  path: string | null,
  query: Query = {},
  options: Options<T> = {},
): UseQueryResult<T> {
  return useQuery<T>({
    ...options,
    queryKey: [path, query],
    queryFn: ({ signal }) => get<T>(path as string, query, signal),
    enabled: path !== null && (options.enabled ?? true),
  });
}
