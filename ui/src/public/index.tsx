/** The public dashboard, which `sonar serve` shows to anyone. */

import type { Face } from "../shared/face";
import { faceRoot } from "../shared/face-root";
import { find, usePublicLive } from "./data";
import { PublicFoot, publicNav } from "./face";
import { accountRoute, newCampaignRoute, publicRoutes } from "./routes";
import { slots } from "./slots";
import { WalletActions } from "./wallet/Actions";
import { Corner } from "./wallet/Corner";

const face: Face = { title: "Sonar", nav: publicNav, useLive: usePublicLive, find, Corner, Foot: PublicFoot };

slots.CampaignActions = WalletActions;

const root = faceRoot(face);

export const tree = root.addChildren([...publicRoutes(root), newCampaignRoute(root), accountRoute(root)]);
