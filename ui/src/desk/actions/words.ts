/** What an action does, in one sentence with its amount, before it is confirmed. */

import type { CampaignDetail } from "../../public/types";
import { ACTIONS } from "../../public/words";
import { ETH, formatAmount, type Token, units } from "../../shared/format";

/** Names of `/api/v1/accounts/{address}`. `convict` is offered by the audit only. */
export type ActionName =
  | "close"
  | "withdraw"
  | "withdraw_stake"
  | "refund"
  | "abandon"
  | "expire"
  | "release"
  | "convict";

const NAMES: readonly string[] = [
  "close",
  "withdraw",
  "withdraw_stake",
  "refund",
  "abandon",
  "expire",
  "release",
  "convict",
];

export function isAction(name: string): name is ActionName {
  return NAMES.includes(name);
}

export function actionLabel(action: ActionName): string {
  return action === "convict" ? "Convict the Capsule" : (ACTIONS[action]?.label ?? action);
}

/** The question of the confirmation. */
export function actionTitle(action: ActionName): string {
  return action === "close" ? "Close the campaign?" : `${actionLabel(action)}?`;
}

/** The last part of the route. */
export function actionPath(campaign: string, action: ActionName): string {
  return `/api/desk/campaigns/${campaign}/${action.replace("_", "-")}`;
}

/** Whether it ends something for good. */
export function isFinal(action: ActionName): boolean {
  return action === "close" || action === "abandon" || action === "expire" || action === "convict";
}

export interface Context {
  account: string;
  token: Token | undefined;
  /** What the campaign owes the account, in its token. */
  owed: string;
  /** Free stakes of the account's submissions, in wei. */
  freeStake: string;
  /** `null` while it loads. */
  campaign: Pick<CampaignDetail, "bounty" | "awarded" | "ledger" | "terms" | "window"> | null;
}

function amount(value: bigint | string, token: Token | undefined): string {
  return token ? formatAmount(value, token) : `${value} smallest units`;
}

export function consequence(action: ActionName, context: Context): string {
  const { account, token, campaign } = context;
  switch (action) {
    case "close":
      return closeText(context);
    case "withdraw":
      return `This sends ${amount(context.owed, token)} from the campaign to ${account}.`;
    case "withdraw_stake":
      return `This returns ${amount(context.freeStake, ETH)} of stakes to ${account}.`;
    case "refund":
      return campaign
        ? `The Capsule did not activate the campaign in time: ${amount(campaign.ledger.escrowed, token)} (bounty and fee) goes back to the owner.`
        : "The Capsule did not activate the campaign in time: bounty and fee go back to the owner.";
    case "abandon":
      return `The Capsule did not settle a window in time: this closes the campaign for good, ${unearned(context)} of the bounty and the fee go back to the owner, and the Capsule loses its stake${stake(context)}.`;
    case "expire":
      return `The Capsule did not deliver the model in time: the fee goes back to the owner, and the Capsule loses its stake${stake(context)}.`;
    case "release":
      return `This frees the Capsule's stake${stake(context)} and credits its fee; after it, misconduct cannot be proven any more.`;
    case "convict":
      return `This sends the proof of misconduct: ${account} gets the fee back and a tenth of the stake${stake(context)}, the rest of the stake is burned, and that version of the model becomes public.`;
  }
}

function unearned({ campaign, token }: Context): string {
  return campaign ? amount(units(campaign.bounty) - units(campaign.awarded), token) : "the unearned part";
}

function stake({ campaign }: Context): string {
  return campaign ? ` of ${amount(campaign.terms.stake, ETH)}` : "";
}

function closeText(context: Context): string {
  const refund = unearned(context);
  const waiting = context.campaign?.window.submissions ?? 0;
  if (waiting === 0)
    return `This closes the campaign for good: ${refund} of the bounty goes back to ${context.account}.`;
  return `This announces the end: the campaign closes for good when the current window is settled, and at most ${refund} of the bounty goes back to ${context.account}, less what the waiting submissions earn.`;
}
