/** The pages of a Mine, which `mine run` serves to its owner. */

import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { get } from "../shared/api";
import type { Face, PaletteItem } from "../shared/face";
import { type FaceRoot, faceRoot } from "../shared/face-root";
import { Address } from "../shared/parts";
import { useSession } from "../shared/session";
import { type Campaign, campaignName, useMineLive, useStatus } from "./data";
import { PauseMenu } from "./PauseMenu";
import { DECISIONS } from "./words";

/** What the palette finds: campaigns by name, id or data set. */
async function find(text: string, signal: AbortSignal): Promise<PaletteItem[]> {
  const found = await get<{ items: Campaign[] }>("/api/mine/campaigns", {}, signal).catch(() => null);
  const wanted = text.toLowerCase();
  return (found?.items ?? [])
    .filter(campaign => `${campaign.name ?? ""} ${campaign.campaign}`.toLowerCase().includes(wanted))
    .slice(0, 8)
    .map(campaign => ({
      id: campaign.campaign,
      title: campaignName(campaign),
      kind: "Campaign",
      detail: campaign.decision ? DECISIONS[campaign.decision.kind].label : "Not examined",
      to: `/campaigns?q=${campaign.campaign}`,
    }));
}

function Foot() {
  const session = useSession();
  const status = useStatus(session.data !== undefined).data;
  return status ? (
    <>
      <span>Mine {status.version}</span>
      <span>
        Account <Address address={status.address} />
      </span>
    </>
  ) : null;
}

const face: Face = {
  title: "Mine",
  command: "mine ui",
  nav: [
    { to: "/", label: "Home", exact: true },
    { to: "/campaigns", label: "Campaigns" },
    { to: "/earnings", label: "Earnings" },
    { to: "/privacy", label: "Privacy" },
    { to: "/activity", label: "Activity" },
    { to: "/data", label: "Data" },
    { to: "/health", label: "Health" },
  ],
  useLive: useMineLive,
  find,
  Corner: PauseMenu,
  Foot,
};

const PAGES = {
  "/": () => import("./Home"),
  "/campaigns": () => import("./Campaigns"),
  "/earnings": () => import("./Earnings"),
  "/privacy": () => import("./Privacy"),
  "/activity": () => import("./Activity"),
  "/data": () => import("./Data"),
  "/health": () => import("./Health"),
};

function routes(parent: FaceRoot) {
  return Object.entries(PAGES).map(([path, load]) =>
    createRoute({
      getParentRoute: () => parent,
      path,
      component: lazyRouteComponent<{ Page: () => React.JSX.Element }, "Page">(load, "Page"),
    }),
  );
}

const root = faceRoot(face);

export const tree = root.addChildren(routes(root));
