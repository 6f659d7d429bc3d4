/** The public pages, for the public face and the desk. */

import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import type { FaceRoot } from "../shared/face-root";
import { CampaignsPage } from "./Campaigns";

export function publicRoutes(root: FaceRoot) {
  const getParentRoute = () => root;
  return [
    createRoute({ getParentRoute, path: "/", component: CampaignsPage }),
    createRoute({
      getParentRoute,
      path: "/campaigns/$id",
      component: lazyRouteComponent(() => import("./Campaign"), "CampaignPage"),
    }),
    createRoute({
      getParentRoute,
      path: "/models",
      component: lazyRouteComponent(() => import("./Models"), "ModelsPage"),
    }),
    createRoute({
      getParentRoute,
      path: "/compare",
      component: lazyRouteComponent(() => import("./Compare"), "ComparePage"),
    }),
    createRoute({
      getParentRoute,
      path: "/capsules",
      component: lazyRouteComponent(() => import("./Capsules"), "CapsulesPage"),
    }),
    createRoute({
      getParentRoute,
      path: "/miners",
      component: lazyRouteComponent(() => import("./Miners"), "MinersPage"),
    }),
    createRoute({
      getParentRoute,
      path: "/miners/$address",
      component: lazyRouteComponent(() => import("./Miners"), "MinerPage"),
    }),
    createRoute({
      getParentRoute,
      path: "/statistics",
      component: lazyRouteComponent(() => import("./Statistics"), "StatisticsPage"),
    }),
  ];
}

/** The page for a new campaign; the desk has its own, which launches. */
export function newCampaignRoute(root: FaceRoot) {
  return createRoute({
    getParentRoute: () => root,
    path: "/new",
    component: lazyRouteComponent(() => import("./NewCampaign"), "NewCampaignPage"),
  });
}

/** The page of a browser wallet's account; the desk has accounts of its own. */
export function accountRoute(root: FaceRoot) {
  return createRoute({
    getParentRoute: () => root,
    path: "/account",
    component: lazyRouteComponent(() => import("./Account"), "AccountPage"),
  });
}
