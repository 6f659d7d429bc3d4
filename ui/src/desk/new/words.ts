/** The draft in sentences, for the review. */

import { count, formatAmount, formatPpm, shortAddress } from "../../shared/format";
import { bountyUnits, type DataDraft, type Draft, isRandom, payoutPreview, percent } from "./draft";

const UNITS = { d: "day", h: "hour", m: "minute" } as const;

/** The sentences of what is decided. */
export function words(draft: Draft): string[] {
  return [task(draft), model(draft), validation(draft), accuracy(draft), bounty(draft), end(draft)].filter(
    sentence => sentence !== "",
  );
}

export function duration({ deadline, deadlineUnit }: Draft): string {
  return `${deadline} ${UNITS[deadlineUnit]}${deadline === "1" ? "" : "s"}`;
}

export function inputs({ image, inputs }: DataDraft): string {
  if (image) return `images of ${image.height} × ${image.width} pixels`;
  return count(inputs.filter(({ used }) => used).length, "column");
}

function task({ name, data }: Draft): string {
  if (!data) return "";
  const what =
    data.kind === "regression" ? "a number" : `one of ${count(data.classes.length, "class", "classes")}`;
  return `“${name.trim()}” predicts ${data.target}, ${what}, from ${inputs(data)}.`;
}

function model({ regime, features, featureCount, network }: Draft): string {
  if (regime === "clear")
    return `Mines train a network${network === "" ? " that is chosen for the data" : ` (${network})`} in the clear: everybody can read every version of it.`;
  const map =
    features === ""
      ? "features that are chosen for the data"
      : `the features ${features}${isRandom(features) ? `:${featureCount}` : ""}`;
  return `Mines train an encrypted linear model on ${map}; only you and the Capsule can read it.`;
}

function validation({ data }: Draft): string {
  return data
    ? `Every update is measured on ${count(data.rows, "row")} of ${data.file}, which only the Capsule can read.`
    : "";
}

function accuracy(draft: Draft): string {
  const [start, goal] = [percent(draft.start), percent(draft.goal)];
  if (goal === null) return "";
  return start === null
    ? `The target is ${formatPpm(goal)}; the launch measures the start.`
    : `The start is ${formatPpm(start)}, the target ${formatPpm(goal)}.`;
}

function bounty(draft: Draft): string {
  const [amount, preview] = [bountyUnits(draft), payoutPreview(draft)];
  if (amount === null || !preview) return "";
  const payer = draft.account === "" ? "" : ` from ${draft.account}`;
  return `The bounty is ${formatAmount(amount, draft.token)}${payer}; each point of accuracy pays ${formatAmount(preview.point, draft.token)}, and what nobody earns comes back.`;
}

function end(draft: Draft): string {
  const capsule =
    draft.capsule === "" ? "The cheapest Capsule" : `The Capsule ${shortAddress(draft.capsule)}`;
  return `The campaign ends ${duration(draft)} after the launch, or earlier at the target. ${capsule} measures the updates and delivers the model.`;
}
