/** The campaign file of a draft, and the command that launches it. */

import { parseUnits, plainUnits, ppmShare } from "../../shared/format";
import { type Draft, type InputColumn, isRandom, percent, whole } from "./draft";

/** A basic string of TOML. */
export function quoted(text: string): string {
  return JSON.stringify(text).replaceAll("\u007f", "\\u007F");
}

/** A number as TOML reads it: large whole numbers are floats, because integers have 64 bits. */
function number(text: string): string {
  const value = Number(text);
  const plain = String(value);
  return Number.isSafeInteger(value) || /[.e]/.test(plain) ? plain : `${plain}.0`;
}

function share(text: string): string | null {
  const ppm = percent(text);
  return ppm === null ? null : ppmShare(ppm);
}

type Entry = [key: string, value: string | null];

function table(name: string, entries: Entry[]): string[] {
  const lines = entries.filter(([, value]) => value !== null).map(([key, value]) => `${key} = ${value}`);
  return lines.length === 0 ? [] : ["", `[${name}]`, ...lines];
}

function inputs({ data }: Draft): string[] {
  if (!data) return ["inputs = []"];
  if (data.image) {
    const { pattern, height, width, min, max } = data.image;
    const range = `min = ${number(min)}, max = ${number(max)}`;
    return [`inputs = { columns = ${quoted(pattern)}, height = ${height}, width = ${width}, ${range} }`];
  }
  const line = ({ name, min, max }: InputColumn) =>
    `  { name = ${quoted(name)}, min = ${number(min)}, max = ${number(max)} },`;
  return ["inputs = [", ...data.inputs.filter(({ used }) => used).map(line), "]"];
}

function task({ data }: Draft): Entry[] {
  if (!data) return [];
  const target: Entry[] = [
    ["kind", quoted(data.kind)],
    ["target", quoted(data.target)],
  ];
  if (data.kind === "classification")
    return [...target, ["classes", `[${data.classes.map(quoted).join(", ")}]`], ["metric", '"accuracy"']];
  return [...target, ["min", number(data.min)], ["max", number(data.max)], ["metric", '"r2"']];
}

function model(draft: Draft): Entry[] {
  const { regime, features, featureCount, network, initial } = draft;
  const map =
    features === "" || regime === "clear"
      ? null
      : isRandom(features)
        ? `${features}:${featureCount}`
        : features;
  return [
    ["regime", quoted(regime)],
    ["features", map && quoted(map)],
    ["network", regime === "clear" && network !== "" ? quoted(network) : null],
    ["initial", initial === "" ? null : quoted(initial)],
  ];
}

const SECONDS_A_DAY = 86_400;

function limits({ limits }: Draft): Entry[] {
  const count = (text: string) => (whole(text) === null ? null : String(whole(text)));
  const stake = limits.stake === "" ? null : parseUnits(limits.stake, 18);
  const days = whole(limits.auditDays);
  return [
    ["submissions", count(limits.submissions)],
    ["accepts", count(limits.accepts)],
    ["window", count(limits.window)],
    ["window_seconds", count(limits.windowSeconds)],
    ["cap_per_version", count(limits.cap)],
    ["submission_stake", stake === null ? null : quoted(plainUnits(stake, 18))],
    ["audit_seconds", days === null ? null : String(days * SECONDS_A_DAY)],
  ];
}

/** `ETH`, `DATA`, or the address of an ERC-20. */
function tokenName({ token }: Draft): string {
  const known = token.verified && (token.symbol === "ETH" || token.symbol === "DATA");
  return known ? token.symbol : token.address;
}

function bounty({ bounty, token }: Draft): string {
  const amount = parseUnits(bounty, token.decimals);
  return amount === null ? bounty : plainUnits(amount, token.decimals);
}

/** The campaign file. */
export function campaignFile(draft: Draft): string {
  const head: Entry[] = [
    ["name", quoted(draft.name.trim())],
    ["description", draft.description.trim() === "" ? null : quoted(draft.description.trim())],
    ["deadline", quoted(`${draft.deadline}${draft.deadlineUnit}`)],
    ["capsule", draft.capsule === "" ? null : quoted(draft.capsule)],
  ];
  const organisation: Entry[] = [
    ["name", draft.organisation.trim() === "" ? null : quoted(draft.organisation.trim())],
    ["link", draft.link === "" ? null : quoted(draft.link)],
  ];
  const lines = [
    ...head.filter(([, value]) => value !== null).map(([key, value]) => `${key} = ${value}`),
    "",
    "# Columns that a Mine's data must have, with the range of their values. Public.",
    ...inputs(draft),
    ...table("task", task(draft)),
    ...table("validation", [["file", quoted(draft.data?.file ?? "")]]),
    ...table("model", model(draft)),
    ...table("reward", [
      ["bounty", quoted(bounty(draft))],
      ["token", quoted(tokenName(draft))],
    ]),
    ...table("accuracy", [
      ["start", share(draft.start)],
      ["target", share(draft.goal)],
      ["grid", share(draft.grid)],
      ["tolerance", share(draft.tolerance)],
    ]),
    ...table("limits", limits(draft)),
    ...table("organisation", organisation),
  ];
  return `${lines.join("\n")}\n`;
}

/** A name for the campaign file. */
export function fileName({ name }: Pick<Draft, "name">): string {
  const plain = name
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "");
  return `${plain.slice(0, 48) || "campaign"}.toml`;
}

export function launchCommand(draft: Draft): string {
  const account = draft.account === "" ? "" : ` --account ${draft.account}`;
  return `sonar campaign launch ${fileName(draft)}${account}`;
}
