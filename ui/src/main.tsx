import "./shared/styles";
import { MantineProvider } from "@mantine/core";
import { Notifications } from "@mantine/notifications";
import { QueryClientProvider } from "@tanstack/react-query";
import { type AnyRoute, createRouter, RouterProvider } from "@tanstack/react-router";
import { setNonce } from "get-nonce";
import { createRoot } from "react-dom/client";
import { config, type FaceName } from "./shared/config";
import { Hints } from "./shared/Hints";
import { createQueryClient } from "./shared/query";
import { parseSearch, stringifySearch } from "./shared/search";
import { exchangeToken } from "./shared/session";
import { ErrorPanel, Loading, NotFound } from "./shared/states";
import { resolver, theme } from "./shared/theme";

/** Each face is a chunk of its own, which exports its routes as `tree`. */
const faces: Record<FaceName, () => Promise<{ tree: AnyRoute }>> = {
  public: () => import("./public"),
  desk: () => import("./desk"),
  mine: () => import("./mine"),
  capsule: () => import("./capsule"),
};

async function start(element: HTMLElement): Promise<void> {
  // Libraries that make <style> elements: only those with the nonce of this response are allowed.
  if (config.nonce) setNonce(config.nonce);
  const [{ tree }] = await Promise.all([faces[config.face](), exchangeToken()]);
  const router = createRouter({
    routeTree: tree,
    defaultPreload: "intent",
    scrollRestoration: true,
    parseSearch,
    stringifySearch,
    defaultPendingComponent: () => <Loading />,
    defaultNotFoundComponent: () => <NotFound />,
    defaultErrorComponent: ({ error, reset }) => (
      <ErrorPanel error={error} what="This page failed" retry={reset} />
    ),
  });
  createRoot(element).render(
    <MantineProvider
      theme={theme}
      cssVariablesResolver={resolver}
      defaultColorScheme="auto"
      getStyleNonce={() => config.nonce}
    >
      <QueryClientProvider client={createQueryClient()}>
        <Notifications position="bottom-right" limit={4} />
        <RouterProvider router={router} />
        <Hints />
      </QueryClientProvider>
    </MantineProvider>,
  );
}

const root = document.getElementById("root");
if (root) void start(root);
