/** Renders components as they are on a page: with theme, cache, and a router. */

import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createMemoryHistory, createRootRoute, createRouter, RouterProvider } from "@tanstack/react-router";
import { render, screen } from "@testing-library/react";
import type { ReactNode } from "react";
import { Hints } from "../src/shared/Hints";
import { theme } from "../src/shared/theme";

/** Renders and waits for the router, which shows nothing at first. */
export async function renderPage(content: ReactNode) {
  const root = createRootRoute({ component: () => <div data-testid="page">{content}</div> });
  const router = createRouter({ routeTree: root, history: createMemoryHistory() });
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  const view = render(
    <MantineProvider theme={theme} env="test">
      <QueryClientProvider client={client}>
        <RouterProvider router={router} />
        <Hints />
      </QueryClientProvider>
    </MantineProvider>,
  );
  await screen.findByTestId("page");
  return view;
}

/** Answers requests by path; other paths are unknown. */
export function serve(routes: Record<string, unknown>): void {
  globalThis.fetch = (async (input: Request | string | URL) => {
    const path = new URL(input instanceof Request ? input.url : input, "http://localhost").pathname;
    const known = path in routes;
    const body = known
      ? routes[path]
      : { title: "Not found", status: 404, code: "NOT_FOUND", detail: `no ${path}` };
    return new Response(JSON.stringify(body), { status: known ? 200 : 404 });
  }) as typeof fetch;
}
