/** The page of a Capsule, which `capsule serve` shows to its operator. */

import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import type { Face } from "../shared/face";
import { faceRoot } from "../shared/face-root";
import { Address } from "../shared/parts";
import { useSession } from "../shared/session";
import { useCapsuleLive, useStatus } from "./data";

function Foot() {
  const session = useSession();
  const status = useStatus(session.data !== undefined).data;
  return status ? (
    <>
      <span>Capsule {status.version}</span>
      <span>
        Operator <Address address={status.operator} />
      </span>
    </>
  ) : null;
}

const face: Face = {
  title: "Capsule",
  command: "capsule ui",
  nav: [{ to: "/", label: "Overview", exact: true }],
  useLive: useCapsuleLive,
  Foot,
};

const root = faceRoot(face);

export const tree = root.addChildren([
  createRoute({
    getParentRoute: () => root,
    path: "/",
    component: lazyRouteComponent(() => import("./Page"), "Page"),
  }),
]);
