/** Parts that another face adds to the public pages. A face sets them once, before its first page is shown. */

import type { ComponentType } from "react";
import type { CampaignDetail } from "./types";

export interface Slots {
  /** What the reader's accounts can do with a campaign; below the head of its page. */
  CampaignActions?: ComponentType<{ campaign: CampaignDetail }>;
}

export const slots: Slots = {};
