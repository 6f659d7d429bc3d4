/** Names and explanations of steps, decisions, outcomes and checks, in one place. */

import type { Tone } from "../shared/parts";
import type { Check, Decision, Job, Need, Submission } from "./data";

const STEPS: Record<string, { name: string; doing: string }> = {
  fetch_manifest: { name: "Fetch the manifest", doing: "Fetching the manifest" },
  fetch_material: { name: "Fetch the model", doing: "Fetching the model" },
  train: { name: "Train", doing: "Training" },
  send: { name: "Submit", doing: "Submitting the update" },
};

export function stepName(step: string): string {
  return STEPS[step]?.name ?? step.replaceAll("_", " ");
}

export function stepDoing(step: string): string {
  return STEPS[step]?.doing ?? `Step ${step.replaceAll("_", " ")}`;
}

export const JOB_STATES: Record<Job["state"], { label: string; tone: Tone }> = {
  running: { label: "Running", tone: "info" },
  done: { label: "Done", tone: "good" },
  failed: { label: "Failed", tone: "bad" },
  stopped: { label: "Stopped", tone: "warn" },
};

export const DECISIONS: Record<Decision["kind"], { label: string; tone: Tone; hint: string }> = {
  serve: { label: "Serving", tone: "good", hint: "The Mine works for this campaign." },
  wait: { label: "Waiting", tone: "info", hint: "The Mine continues by itself when the wait has ended." },
  skip: {
    label: "Skipped",
    tone: "neutral",
    hint: "The Mine does nothing unless the campaign, your policy or your data changes.",
  },
};

export const VERDICTS: Record<Submission["verdict"], { label: string; tone: Tone; hint: string }> = {
  pending: { label: "Pending", tone: "info", hint: "It waits for the settlement of its window." },
  accepted: { label: "Accepted", tone: "good", hint: "It improved the model and was paid." },
  not_improved: {
    label: "Not improved",
    tone: "warn",
    hint: "It did not improve the model. A part of its stake was charged.",
  },
  rejected: { label: "Rejected", tone: "bad", hint: "Its form was invalid, or it could not be fetched." },
  expired: {
    label: "Expired",
    tone: "violet",
    hint: "The Capsule missed its deadline, so it is never settled. Its stake is returned.",
  },
};

export const NEEDS: Record<Need["kind"], string> = {
  data: "Add data",
  funds: "Send ETH",
  file: "Correct a file",
  privacy: "Privacy budget spent",
  trouble: "A step keeps failing",
};

const CHECKS: Record<string, string> = {
  keys: "Keys",
  vault: "Vault",
  config: "Configuration",
  disk: "Disk space",
  sonar: "Sonar server",
  chain: "Chain node",
  contracts: "Contracts",
  head: "Newest block",
  clock: "Clock",
  balance: "Balance for gas",
  events: "Events of the chain",
  ipfs: "IPFS",
  capsules: "Capsules' certificates",
  version: "Version",
};

export function checkName({ name }: Pick<Check, "name">): string {
  return CHECKS[name] ?? name.replaceAll("_", " ");
}

export type WhyState = "passed" | "here" | "not_reached";

export interface WhyStep {
  question: string;
  state: WhyState;
}

/** The checks in the order in which the Mine makes them, with the reasons that stop at each. */
const CHAIN: { question: string; stops: string[] }[] = [
  { question: "The campaign takes submissions", stops: ["not_open", "over"] },
  { question: "Your policy allows it", stops: ["policy"] },
  { question: "Its manifest is fetched and valid", stops: ["fetch_manifest", "unusable_manifest"] },
  { question: "One of your data sets fits", stops: ["no_data"] },
  { question: "The cool-down since your last submission has ended", stops: ["cool_down"] },
  {
    question: "No update for this version of the model was made yet",
    stops: ["settlement", "done", "spent"],
  },
  { question: "The privacy budget allows one more update", stops: ["privacy"] },
  { question: "The model is fetched and valid", stops: ["fetch_material", "unusable_material"] },
  { question: "Train an update on your data", stops: ["train"] },
  { question: "Submit the update with its stake", stops: ["send"] },
];

const PAUSED = { question: "The Mine is not paused", stops: ["paused"] };

/** Which checks a campaign has passed, and at which it stands. A pause is shown after the policy, which is before any work. */
export function whySteps({ reason }: Decision): WhyStep[] {
  const chain = reason === "paused" ? CHAIN.toSpliced(2, 0, PAUSED) : CHAIN;
  const here = chain.findIndex(({ stops }) => stops.includes(reason));
  return chain.map(({ question }, index) => ({
    question,
    state: here === -1 ? "not_reached" : index < here ? "passed" : index === here ? "here" : "not_reached",
  }));
}
