/** Renders a page of the desk at its path, against answers that a test gives. */

import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import {
  createMemoryHistory,
  createRootRoute,
  createRoute,
  createRouter,
  Outlet,
  RouterProvider,
} from "@tanstack/react-router";
import { configure, render } from "@testing-library/react";
import type { ReactNode } from "react";
import { SessionGate } from "../shared/session";
import { theme } from "../shared/theme";
import type { DeskAccount, Launch, StepName } from "./types";

// Whole pages, on a machine that may be busy.
configure({ asyncUtilTimeout: 10_000 });

export interface Asked {
  method: string;
  path: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test knows what it expects
  body: any;
}

type Answer = unknown | ((asked: Asked) => unknown);

/** An answer that is an error. */
export class Refused {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
  ) {}
}

/** Answers requests by method and path ("GET /api/…"), and returns the list of what is asked. */
export function answer(routes: Record<string, Answer>): Asked[] {
  const all: Asked[] = [];
  const common: Record<string, Answer> = {
    "GET /api/session": { face: "desk", unlocked_until: null },
    "GET /api/desk/status": STATUS,
    "GET /api/v1/tokens": { items: [] },
  };
  globalThis.fetch = (async (input: Request) => {
    const text = input.method === "GET" ? "" : await input.text();
    const asked = {
      method: input.method,
      path: new URL(input.url).pathname,
      body: text === "" ? null : JSON.parse(text),
    };
    all.push(asked);
    const route = { ...common, ...routes }[`${asked.method} ${asked.path}`];
    const found = typeof route === "function" ? await (route as (asked: Asked) => unknown)(asked) : route;
    if (found === undefined) return problem(new Refused(404, "NOT_FOUND", `no ${asked.path}`));
    if (found instanceof Refused) return problem(found);
    return new Response(JSON.stringify(found), { status: 200 });
  }) as typeof fetch;
  return all;
}

function problem({ status, code, detail }: Refused): Response {
  return new Response(JSON.stringify({ title: code, status, code, detail, retryable: false }), { status });
}

export async function show(Page: () => ReactNode, path: string, pattern = path) {
  const root = createRootRoute({
    component: () => (
      <SessionGate command="sonar ui">
        <Outlet />
      </SessionGate>
    ),
  });
  const page = createRoute({ getParentRoute: () => root, path: pattern, component: Page });
  const router = createRouter({
    routeTree: root.addChildren([page]),
    history: createMemoryHistory({ initialEntries: [path] }),
    defaultNotFoundComponent: () => <p>Another page</p>,
  });
  const client = new QueryClient({ defaultOptions: { queries: { retry: false, networkMode: "always" } } });
  render(
    <MantineProvider theme={theme} env="test">
      <QueryClientProvider client={client}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </MantineProvider>,
  );
  await router.load();
  return router;
}

const STATUS = {
  sonar_url: "http://127.0.0.1:8080",
  sonar_ok: true,
  chain_id: 31337,
  rpc_ok: true,
  contracts: null,
  problem: null,
  home: "/home/me/.sonar",
  version: "0.4.0",
};

export const ADDRESS = `0x${"a1".repeat(20)}`;
export const DATA_TOKEN = `0x${"da".repeat(20)}`;

export function account(changes: Partial<DeskAccount> = {}): DeskAccount {
  return {
    name: "me",
    address: ADDRESS,
    unlocked_until: null,
    spends_until: null,
    balances: [
      { token: `0x${"0".repeat(40)}`, symbol: "ETH", decimals: 18, amount: "1000000000000000001" },
      { token: DATA_TOKEN, symbol: "DATA", decimals: 18, amount: "12500000000000000000000" },
    ],
    fingerprint: "3A5F0C1D2E3B4A59687766554433221100FFEEDD",
    ...changes,
  };
}

const STEPS: StepName[] = ["seal", "upload", "approve", "open", "offer"];

/** A launch that has done some of its steps. */
export function launch(state: Launch["state"], done: number, changes: Partial<Launch> = {}): Launch {
  const at = state === "failed" ? ("failed" as const) : ("running" as const);
  return {
    id: "a1",
    name: "Tumours",
    account: "me",
    campaign: done > 0 ? "0xca" : null,
    state,
    steps: STEPS.map((name, index) => ({
      name,
      state: index < done ? "done" : index === done ? at : "todo",
      detail: null,
    })),
    error: null,
    resumable: true,
    started: 1_000,
    ...changes,
  };
}
