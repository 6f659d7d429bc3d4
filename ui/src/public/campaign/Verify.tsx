import type { CampaignDetail } from "../types";

export default function Verify(_: { campaign: CampaignDetail }) {
  return null;
}
