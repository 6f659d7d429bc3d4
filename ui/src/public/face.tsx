/** Navigation and footer that the public face and the desk share. */

import type { NavItem } from "../shared/face";
import { Address } from "../shared/parts";
import { useInfo } from "./data";

export const publicNav: NavItem[] = [
  { to: "/", label: "Campaigns", exact: true },
  { to: "/models", label: "Models" },
  { to: "/capsules", label: "Capsules" },
  { to: "/miners", label: "Miners" },
  { to: "/statistics", label: "Statistics" },
];

export function PublicFoot() {
  const info = useInfo().data;
  return (
    <>
      {info && (
        <>
          <span>Sonar {info.version}</span>
          <span>Chain {info.chain_id}</span>
          <span>
            Contract <Address address={info.contracts.campaigns} />
          </span>
        </>
      )}
      <a href="/docs">API</a>
    </>
  );
}
