/** The root of a face's routes: the shell around its pages, and what is shown for unknown paths and for errors. */

import { createRootRoute } from "@tanstack/react-router";
import type { Face } from "./face";
import { Shell } from "./Shell";
import { ErrorPanel, Loading, NotFound } from "./states";

export function faceRoot(face: Face) {
  return createRootRoute({
    component: () => <Shell face={face} />,
    notFoundComponent: () => <NotFound />,
    errorComponent: ({ error, reset }) => <ErrorPanel error={error} what="This page failed" retry={reset} />,
    pendingComponent: () => <Loading />,
  });
}

export type FaceRoot = ReturnType<typeof faceRoot>;
