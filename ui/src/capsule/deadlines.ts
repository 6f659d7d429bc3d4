/** Deadlines: which is next, and how urgent it is. */

import { duration } from "../shared/format";
import type { Campaign } from "./data";

export type Urgency = "missed" | "soon" | "later";

/** Below this many seconds, a deadline is urgent. */
const SOON = 3_600;

type WithDeadline = Campaign & { next_deadline: NonNullable<Campaign["next_deadline"]> };

function hasDeadline(campaign: Campaign): campaign is WithDeadline {
  return campaign.next_deadline !== null;
}

/** The end of an audit period asks for nothing: missing it costs nothing. */
export function isDuty({ kind }: { kind: string }): boolean {
  return kind !== "audit";
}

/** Campaigns by their next deadline; those without one last, in the given order. */
export function byDeadline(campaigns: Campaign[]): Campaign[] {
  const at = (campaign: Campaign) => campaign.next_deadline?.at ?? Number.POSITIVE_INFINITY;
  return campaigns.toSorted((a, b) => (at(a) === at(b) ? 0 : at(a) - at(b)));
}

/** The campaign whose duty comes first. */
export function nextDuty(campaigns: Campaign[]): WithDeadline | undefined {
  return byDeadline(campaigns)
    .filter(hasDeadline)
    .find(({ next_deadline }) => isDuty(next_deadline));
}

export function urgency(at: number, now: number): Urgency {
  if (at <= now) return "missed";
  return at - now < SOON ? "soon" : "later";
}

/** "2 h 5 min left", "missed 3 min ago" */
export function countdown(at: number, now: number, isMissable = true): string {
  if (at > now) return `${duration(at - now)} left`;
  return `${isMissable ? "missed" : "ended"} ${duration(now - at)} ago`;
}
