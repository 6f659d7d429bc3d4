/** The public dashboard, which `sonar serve` shows to anyone. */

import type { Face } from "../shared/face";
import { faceRoot } from "../shared/face-root";
import { find, usePublicLive } from "./data";
import { PublicFoot, publicNav } from "./face";
import { newCampaignRoute, publicRoutes } from "./routes";

const face: Face = { title: "Sonar", nav: publicNav, useLive: usePublicLive, find, Foot: PublicFoot };

const root = faceRoot(face);

export const tree = root.addChildren([...publicRoutes(root), newCampaignRoute(root)]);
