/**
 * The draft of a campaign: what its owner has decided so far, and in which step they are.
 *
 * ```text
 *  task → data → model → accuracy → bounty → terms → review → launch
 *    ◀───────────────── back, or any step that was reached ─────────┘
 * ```
 *
 * A step can be left forwards only without problems. Changing an earlier step closes the later ones whose problems it
 * causes, because `next` checks every step before the one that it opens.
 */

import { ETH, parseUnits, payout, type Token } from "../../shared/format";

export const STEPS = ["task", "data", "model", "accuracy", "bounty", "terms", "review", "launch"] as const;
export type StepId = (typeof STEPS)[number];

export type TaskKind = "classification" | "regression";
export type Features = "" | "identity" | "polynomial" | "random-relu" | "random-conv";
export type DeadlineUnit = "d" | "h" | "m";

/** A column that a model could read. */
export interface InputColumn {
  name: string;
  kind: "number" | "category" | "text";
  /** As typed. */
  min: string;
  max: string;
  used: boolean;
  /** Why it was left out. */
  note: string | null;
}

export interface ImageInput {
  pattern: string;
  height: number;
  width: number;
  min: string;
  max: string;
}

/** What is known of the validation set. Its rows are never part of the draft. */
export interface DataDraft {
  file: string;
  rows: number;
  /** Names of all columns, from which the target is chosen. */
  columns: string[];
  target: string;
  kind: TaskKind;
  classes: string[];
  /** Range of a regression's target, as typed. */
  min: string;
  max: string;
  inputs: InputColumn[];
  image: ImageInput | null;
  guesses: string[];
  /** What a model without knowledge reaches: "who always answers `benign` is right in 63 %". */
  baseline: string | null;
  /** A target accuracy to start from, in per cent. */
  goal: string;
}

export interface LimitsDraft {
  submissions: string;
  accepts: string;
  window: string;
  windowSeconds: string;
  cap: string;
  stake: string;
  auditDays: string;
}

export interface Draft {
  step: StepId;
  /** The last step that was open. */
  reached: StepId;
  name: string;
  description: string;
  organisation: string;
  link: string;
  data: DataDraft | null;
  regime: "encrypted" | "clear";
  features: Features;
  featureCount: string;
  network: string;
  /** Name of a file with the starting model; its content is kept in memory only. */
  initial: string;
  /** Per cent; empty: measured by the launch. */
  start: string;
  goal: string;
  grid: string;
  tolerance: string;
  bounty: string;
  token: Token;
  account: string;
  deadline: string;
  deadlineUnit: DeadlineUnit;
  limits: LimitsDraft;
  /** Empty: the cheapest that is registered. */
  capsule: string;
  /** The launch that was started from this draft. */
  launch: string | null;
}

export const EMPTY: Draft = {
  step: "task",
  reached: "task",
  name: "",
  description: "",
  organisation: "",
  link: "",
  data: null,
  regime: "encrypted",
  features: "",
  featureCount: "512",
  network: "",
  initial: "",
  start: "",
  goal: "",
  grid: "",
  tolerance: "",
  bounty: "",
  token: ETH,
  account: "",
  deadline: "7",
  deadlineUnit: "d",
  limits: { submissions: "", accepts: "", window: "", windowSeconds: "", cap: "", stake: "", auditDays: "" },
  capsule: "",
  launch: null,
};

export type Problems = Record<string, string>;

export interface CheckOptions {
  /** Whether an account must be chosen, which pays. */
  needsAccount: boolean;
}

export type Action =
  | { type: "change"; changes: Partial<Draft> }
  | { type: "limit"; changes: Partial<LimitsDraft> }
  | { type: "data"; data: DataDraft }
  | { type: "input"; name: string; changes: Partial<InputColumn> }
  | { type: "image"; changes: Partial<ImageInput> }
  | { type: "range"; changes: { min?: string; max?: string } }
  | { type: "next"; options: CheckOptions }
  | { type: "back" }
  | { type: "go"; step: StepId; options: CheckOptions }
  | { type: "reset" };

export function reduce(draft: Draft, action: Action): Draft {
  switch (action.type) {
    case "change":
      return { ...draft, ...action.changes };
    case "limit":
      return { ...draft, limits: { ...draft.limits, ...action.changes } };
    case "data":
      return withData(draft, action.data);
    case "input":
      return changeData(draft, data => ({
        ...data,
        inputs: data.inputs.map(input =>
          input.name === action.name ? { ...input, ...action.changes } : input,
        ),
      }));
    case "image":
      return changeData(draft, data => ({
        ...data,
        image: data.image && { ...data.image, ...action.changes },
      }));
    case "range":
      return changeData(draft, data => ({ ...data, ...action.changes }));
    case "next":
      return open(draft, STEPS[place(draft.step) + 1] ?? draft.step, action.options);
    case "back":
      return { ...draft, step: STEPS[place(draft.step) - 1] ?? draft.step };
    case "go":
      return open(draft, action.step, action.options);
    case "reset":
      return EMPTY;
  }
}

export function place(step: StepId): number {
  return STEPS.indexOf(step);
}

function open(draft: Draft, step: StepId, options: CheckOptions): Draft {
  const first = STEPS.slice(0, place(step)).find(before => !isComplete(draft, before, options));
  const opened = first ?? step;
  return { ...draft, step: opened, reached: later(draft.reached, opened) };
}

function later(a: StepId, b: StepId): StepId {
  return place(a) < place(b) ? b : a;
}

function changeData(draft: Draft, change: (data: DataDraft) => DataDraft): Draft {
  return draft.data ? { ...draft, data: change(draft.data) } : draft;
}

/** Takes what was found in a file, and keeps what the owner has decided about a file with the same columns. */
function withData(draft: Draft, found: DataDraft): Draft {
  const before = draft.data;
  const same =
    before !== null &&
    before.target === found.target &&
    before.kind === found.kind &&
    sameColumns(before, found);
  const data = same ? { ...before, file: found.file, rows: found.rows } : found;
  const untouched = draft.goal === "" || draft.goal === before?.goal;
  const named = draft.name === "" ? found.file.replace(/\.[^.]*$/, "") : draft.name;
  return { ...draft, data, name: named, goal: untouched ? found.goal : draft.goal };
}

function sameColumns(a: DataDraft, b: DataDraft): boolean {
  return a.columns.length === b.columns.length && a.columns.every((name, index) => name === b.columns[index]);
}

export function isComplete(draft: Draft, step: StepId, options: CheckOptions): boolean {
  return Object.keys(problems(draft, step, options)).length === 0;
}

/** What is missing or wrong in a step, by field. */
export function problems(draft: Draft, step: StepId, options: CheckOptions): Problems {
  switch (step) {
    case "task":
      return taskProblems(draft);
    case "data":
      return dataProblems(draft.data);
    case "model":
      return modelProblems(draft);
    case "accuracy":
      return accuracyProblems(draft);
    case "bounty":
      return bountyProblems(draft, options);
    case "terms":
      return termsProblems(draft);
    case "review":
    case "launch":
      return {};
  }
}

/** The problems that there are, of these checks. */
function failed(checks: [string, boolean, string][]): Problems {
  return Object.fromEntries(checks.filter(([, wrong]) => wrong).map(([field, , text]) => [field, text]));
}

function taskProblems({ name, organisation, link }: Draft): Problems {
  return failed([
    ["name", name.trim() === "", "Enter a name. Miners see it in the list of campaigns."],
    ["link", link !== "" && !/^https:\/\/[^\s]+$/.test(link), "Enter an address that starts with https://"],
    [
      "organisation",
      link !== "" && organisation.trim() === "",
      "Enter the organisation that the link belongs to.",
    ],
  ]);
}

const NUMBER = /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/;

export function rangeProblem(min: string, max: string): string | null {
  if (!NUMBER.test(min.trim()) || !NUMBER.test(max.trim())) return "Enter two numbers.";
  return Number(min) < Number(max) ? null : "The minimum must be below the maximum.";
}

function dataProblems(data: DataDraft | null): Problems {
  if (!data) return { file: "Choose a CSV file with a header line." };
  const used = data.inputs.filter(input => input.used);
  const found = failed([
    ["inputs", data.image === null && used.length === 0, "Choose at least one column that the model reads."],
    [
      "classes",
      data.kind === "classification" && data.classes.length < 2,
      "The target needs two classes or more.",
    ],
  ]);
  for (const { name, min, max } of used) {
    const problem = rangeProblem(min, max);
    if (problem) found[`input ${name}`] = problem;
  }
  const image = data.image && rangeProblem(data.image.min, data.image.max);
  if (image) found.image = image;
  const range = data.kind === "regression" ? rangeProblem(data.min, data.max) : null;
  if (range) found.range = range;
  return found;
}

const NETWORK = /^(mlp|cnn):\d+(,\d+)*$/;
const MAX_FEATURES = 4_095;

export function isRandom(features: Features): boolean {
  return features === "random-relu" || features === "random-conv";
}

function modelProblems(draft: Draft): Problems {
  const image = draft.data?.image ?? null;
  if (draft.regime === "clear") {
    return failed([
      [
        "network",
        draft.network !== "" && !NETWORK.test(draft.network),
        "Enter a network such as mlp:64,32 or cnn:16,32, or leave it empty.",
      ],
      [
        "network",
        draft.network.startsWith("cnn") && !image,
        "A cnn needs columns that are an image; use mlp.",
      ],
    ]);
  }
  const counted = whole(draft.featureCount);
  return failed([
    [
      "featureCount",
      isRandom(draft.features) && (counted === null || counted < 1 || counted > MAX_FEATURES),
      `Enter a whole number from 1 to ${MAX_FEATURES}.`,
    ],
    ["features", draft.features === "random-conv" && !image, "Convolutions need columns that are an image."],
  ]);
}

/** A whole number as typed, or `null`. */
export function whole(text: string): number | null {
  return /^\d{1,9}$/.test(text.trim()) ? Number(text) : null;
}

/** Per cent as typed, in parts per million; `null` if it is not a percentage. */
export function percent(text: string): number | null {
  const ppm = parseUnits(text, 4);
  return ppm !== null && ppm <= 1_000_000n ? Number(ppm) : null;
}

const PERCENT = "Enter a percentage with at most four decimals.";

function accuracyProblems({ goal, start, grid, tolerance }: Draft): Problems {
  const [target, from] = [percent(goal), percent(start)];
  const optional = (text: string) => text !== "" && !percent(text);
  const step = percent(grid);
  return failed([
    ["start", start !== "" && from === null, PERCENT],
    ["start", from !== null && target !== null && from >= target, "The start must be below the target."],
    ["goal", target !== null && target === 0, "The target must be above zero."],
    ["goal", target === null, PERCENT],
    [
      "grid",
      step !== null && step > 0 && target !== null && target % step !== 0,
      "The target must be a multiple of the step.",
    ],
    ["grid", optional(grid), PERCENT],
    ["tolerance", optional(tolerance), PERCENT],
  ]);
}

/** The bounty in smallest units; `null` if it is not an amount. */
export function bountyUnits({ bounty, token }: Pick<Draft, "bounty" | "token">): bigint | null {
  return parseUnits(bounty, token.decimals);
}

function bountyProblems(draft: Draft, { needsAccount }: CheckOptions): Problems {
  const amount = bountyUnits(draft);
  return failed([
    ["bounty", amount === 0n, "The bounty must be above zero."],
    [
      "bounty",
      amount === null,
      `Enter an amount such as 1000 or 12.5, with at most ${draft.token.decimals} decimals.`,
    ],
    ["account", needsAccount && draft.account === "", "Choose the account that pays."],
  ]);
}

function termsProblems({ deadline, limits, capsule }: Draft): Problems {
  const optional = (text: string) => text !== "" && !whole(text);
  const days = whole(limits.auditDays);
  const positive = "Enter a whole number above zero, or leave it empty.";
  return failed([
    ["deadline", !whole(deadline), "Enter a whole number above zero."],
    ["submissions", optional(limits.submissions), positive],
    ["accepts", optional(limits.accepts), positive],
    ["window", optional(limits.window), positive],
    ["windowSeconds", optional(limits.windowSeconds), positive],
    ["cap", optional(limits.cap), positive],
    [
      "stake",
      limits.stake !== "" && parseUnits(limits.stake, 18) === null,
      "Enter an amount of ETH such as 0.0005.",
    ],
    [
      "auditDays",
      limits.auditDays !== "" && (days === null || days < 1 || days > 30),
      "Enter 1 to 30 days, or leave it empty.",
    ],
    ["capsule", capsule !== "" && !/^0x[0-9a-f]{40}$/i.test(capsule), "This is not an address."],
  ]);
}

/** What one point of accuracy, and everything from the start to the target, pays; `null` without amount or target. */
export function payoutPreview(
  draft: Draft,
): { point: bigint; most: bigint | null; back: bigint | null } | null {
  const [amount, target] = [bountyUnits(draft), percent(draft.goal)];
  if (amount === null || !target) return null;
  const start = percent(draft.start);
  const most = start === null ? null : payout(amount, target - start, target);
  return { point: payout(amount, 10_000, target), most, back: most === null ? null : amount - most };
}
