/** The data scientist's desk, which `sonar ui` shows: the public pages, and what needs the secrets of this machine. */

import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { lazy } from "react";
import { find } from "../public/data";
import { publicRoutes } from "../public/routes";
import { slots } from "../public/slots";
import type { Face } from "../shared/face";
import { faceRoot } from "../shared/face-root";
import { useDeskLive } from "./data";
import { DeskCorner, DeskFoot, deskNav } from "./face";

slots.CampaignActions = lazy(() => import("./actions/CampaignActions"));

const face: Face = {
  title: "Sonar",
  nav: deskNav,
  useLive: useDeskLive,
  find,
  command: "sonar ui",
  Corner: DeskCorner,
  Foot: DeskFoot,
};

const root = faceRoot(face);
const getParentRoute = () => root;

export const tree = root.addChildren([
  ...publicRoutes(root),
  createRoute({
    getParentRoute,
    path: "/new",
    component: lazyRouteComponent(() => import("./New"), "NewPage"),
  }),
  createRoute({
    getParentRoute,
    path: "/launches",
    component: lazyRouteComponent(() => import("./Launches"), "LaunchesPage"),
  }),
  createRoute({
    getParentRoute,
    path: "/launches/$id",
    component: lazyRouteComponent(() => import("./Launch"), "LaunchPage"),
  }),
  createRoute({
    getParentRoute,
    path: "/accounts",
    component: lazyRouteComponent(() => import("./Accounts"), "AccountsPage"),
  }),
  createRoute({
    getParentRoute,
    path: "/campaigns/$id/result",
    component: lazyRouteComponent(() => import("./Result"), "ResultPage"),
  }),
  createRoute({
    getParentRoute,
    path: "/campaigns/$id/audit",
    component: lazyRouteComponent(() => import("./Audit"), "AuditPage"),
  }),
]);
