/** Reads a campaign file that the desk wrote for a validation set: its layout is fixed, so that lines are enough. */

import type { DraftAnswer } from "../types";
import type { DataDraft, ImageInput, InputColumn, TaskKind } from "./draft";

/** The first value of TOML in a text: a string, a number, or a list of strings. */
export function readValue(text: string): string | number | string[] | null {
  const rest = text.trimStart();
  if (rest.startsWith("["))
    return [...rest.slice(0, closing(rest)).matchAll(STRING)].map(([found]) => unquote(found));
  const [quoted] = /^("(?:[^"\\]|\\.)*"|'[^']*')/.exec(rest) ?? [];
  if (quoted !== undefined) return unquote(quoted);
  const [number] = /^[+-]?[\d._]+(?:[eE][+-]?\d+)?/.exec(rest) ?? [];
  return number === undefined ? null : Number(number.replaceAll("_", ""));
}

const STRING = /"(?:[^"\\]|\\.)*"|'[^']*'/g;

/** Place of the bracket that closes a list, outside of its strings. */
function closing(list: string): number {
  const bare = list.replace(STRING, text => "x".repeat(text.length));
  const end = bare.indexOf("]");
  return end === -1 ? list.length : end;
}

function unquote(quoted: string): string {
  if (quoted.startsWith("'")) return quoted.slice(1, -1);
  const json = quoted
    .replace(/\\U([0-9a-fA-F]{8})/g, (_, code: string) =>
      JSON.stringify(String.fromCodePoint(Number.parseInt(code, 16))).slice(1, -1),
    )
    .replace(/\\e/g, "\\u001b");
  try {
    return JSON.parse(json) as string;
  } catch {
    return quoted.slice(1, -1);
  }
}

/** The text after `key =` in a table of the file. */
function line(toml: string, table: string, key: string): string | null {
  const at = table === "" ? 0 : toml.search(new RegExp(`^\\[${table}\\]$`, "m"));
  if (at === -1) return null;
  const body = table === "" ? toml : toml.slice(toml.indexOf("\n", at) + 1);
  const end = body.search(/^\[[a-z]+\]$/m);
  const [, found] = new RegExp(`^${key} = (.*)$`, "m").exec(end === -1 ? body : body.slice(0, end)) ?? [];
  return found ?? null;
}

function text(toml: string, table: string, key: string): string {
  const found = line(toml, table, key);
  const value = found === null ? null : readValue(found);
  return value === null || Array.isArray(value) ? "" : String(value);
}

function image(toml: string): ImageInput | null {
  const found = line(toml, "", "inputs");
  if (found === null || !found.startsWith("{ columns")) return null;
  const field = (key: string) => {
    const [, rest] = new RegExp(`\\b${key} = (.*)$`).exec(found) ?? [];
    return rest === undefined ? "" : String(readValue(rest) ?? "");
  };
  return {
    pattern: field("columns"),
    height: Number(field("height")),
    width: Number(field("width")),
    min: field("min"),
    max: field("max"),
  };
}

/** The columns that the file's model reads. */
function listed(toml: string): Map<string, { min: string; max: string }> {
  const found = new Map<string, { min: string; max: string }>();
  for (const [, name, min, max] of toml.matchAll(
    /^ {2}\{ name = ("(?:[^"\\]|\\.)*"|'[^']*'), min = (\S+), max = (\S+) \},$/gm,
  ))
    found.set(unquote(name as string), { min: min as string, max: max as string });
  return found;
}

const LEFT_OUT = /^column `(.*)` is left out: (.*)$/;

/** 0.93 as "93". */
function percentText(share: string): string {
  const [, whole = "", fraction = ""] = /^(\d+)(?:\.(\d+))?$/.exec(share) ?? [];
  if (whole === "") return "";
  const digits = (whole + fraction.padEnd(6, "0").slice(0, 6)).replace(/^0+(?=\d{5})/, "");
  const after = digits.slice(-4).replace(/0+$/, "");
  return `${Number(digits.slice(0, -4))}${after === "" ? "" : `.${after}`}`;
}

/** What the desk found in a file, as the draft keeps it. */
export function readAnswer(answer: DraftAnswer, file: string): DataDraft {
  const { toml, columns, guesses, rows } = answer;
  const reasons = new Map(
    guesses
      .map(guess => LEFT_OUT.exec(guess))
      .flatMap(match => (match ? [[match[1] as string, match[2] as string]] : [])),
  );
  const target = text(toml, "task", "target");
  const kind: TaskKind = text(toml, "task", "kind") === "regression" ? "regression" : "classification";
  const classes = readValue(line(toml, "task", "classes") ?? "");
  const picture = image(toml);
  const used = listed(toml);
  const inputs: InputColumn[] = columns
    .filter(({ name }) => name !== target && picture === null)
    .map(({ name, kind: type, min, max }) => {
      const range = used.get(name);
      return {
        name,
        kind: type,
        min: range?.min ?? (min === null ? "" : String(min)),
        max: range?.max ?? (max === null ? "" : String(max)),
        used: range !== undefined,
        note: reasons.get(name) ?? null,
      };
    });
  const goal = line(toml, "accuracy", "target");
  const comment = goal?.split("#")[1]?.split(";").slice(1).join(";").trim();
  return {
    file,
    rows,
    columns: columns.map(({ name }) => name),
    target,
    kind,
    classes: Array.isArray(classes) ? classes : [],
    min: text(toml, "task", "min"),
    max: text(toml, "task", "max"),
    inputs,
    image: picture,
    guesses: guesses.filter(guess => !LEFT_OUT.test(guess)),
    baseline: comment || null,
    goal: percentText(text(toml, "accuracy", "target")),
  };
}
