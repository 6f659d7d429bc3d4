export function NewCampaignPage() {
  return null;
}
export function MinerPage() {
  return null;
}
