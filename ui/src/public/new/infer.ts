/**
 * Finds columns, ranges and classes of a validation set, by the same rules as `sonar campaign new`. Everything stays in
 * the page.
 */

import type { DataDraft, ImageInput, InputColumn, TaskKind } from "../../desk/new/draft";
import type { InspectChoices } from "../../desk/new/host";
import { integer } from "../../shared/format";
import { CsvError, isNumber, type Table } from "./csv";

/** Names that a target column usually has. */
const TARGET_NAMES = ["target", "label", "class", "y", "output", "outcome", "diagnosis", "result"];
/** Largest number of labels of a column that is not numbers, and of one that is. */
const MAX_LABELS = 1_024;
const MAX_NUMERIC_LABELS = 32;
/** A column of numbers has labels only if each stands for this number of rows on average. */
const ROWS_PER_LABEL = 2;
/** A range is widened by steps of at most these parts of its width and of its largest value. */
const STEP_OF_WIDTH = 0.1;
const STEP_OF_VALUE = 0.001;
/** Most classes that a guess lists. */
const LISTED = 12;

interface Profile {
  name: string;
  cells: string[];
  range: { min: number; max: number } | null;
  /** Its different values, if they are few. */
  labels: string[] | null;
}

/** The largest of 1, 2 and 5 times a power of ten that is at most `x`. */
function step(x: number): number | null {
  if (!Number.isFinite(x) || x < Number.MIN_VALUE) return null;
  const exponent = Math.floor(Math.log10(x));
  const steps = [`5e${exponent}`, `2e${exponent}`, `1e${exponent}`, `5e${exponent - 1}`].map(Number);
  return steps.find(candidate => candidate <= x) ?? null;
}

/** A range with round ends, so that it does not disclose the smallest and largest value. */
export function widen(min: number, max: number): { min: number; max: number } {
  const largest = Math.max(Math.abs(min), Math.abs(max));
  const by = step(Math.max((max - min) * STEP_OF_WIDTH, largest * STEP_OF_VALUE));
  if (by === null) return { min, max };
  // Multiples of a decimal step, without the noise of binary fractions.
  const round = (value: number) => Number((value * by).toPrecision(12));
  return { min: round(Math.floor(min / by)), max: round(Math.ceil(max / by)) };
}

function profileOf(table: Table, place: number): Profile {
  const cells = table.rows.map(row => row[place] ?? "");
  let range: Profile["range"] = null;
  if (cells.every(isNumber)) {
    const numbers = cells.map(Number);
    const min = numbers.reduce((a, b) => Math.min(a, b));
    const max = numbers.reduce((a, b) => Math.max(a, b));
    range = widen(min, max);
  }
  const most = range ? Math.min(MAX_NUMERIC_LABELS, Math.floor(cells.length / ROWS_PER_LABEL)) : MAX_LABELS;
  const labels = new Set<string>();
  for (const cell of cells) {
    labels.add(cell);
    if (labels.size > most) break;
  }
  return {
    name: table.columns[place] ?? "",
    cells,
    range,
    labels: labels.size <= most ? sorted([...labels]) : null,
  };
}

/** Numbers in their order, other labels by the alphabet. */
function sorted(labels: string[]): string[] {
  return labels.every(isNumber)
    ? labels.sort((a, b) => Number(a) - Number(b))
    : labels.sort((a, b) => (a < b ? -1 : 1));
}

function targetOf(table: Table, wanted: string | undefined): { name: string; guess: string | null } {
  if (wanted !== undefined) {
    if (!table.columns.includes(wanted)) throw new CsvError(`There is no column "${wanted}".`);
    return { name: wanted, guess: null };
  }
  const usual = table.columns.find(name => TARGET_NAMES.includes(name.toLowerCase()));
  const name = usual ?? (table.columns.at(-1) as string);
  return {
    name,
    guess: `the model predicts column \`${name}\`, because ${usual ? "of its name" : "it is the last one"}`,
  };
}

interface Task {
  kind: TaskKind;
  classes: string[];
  min: string;
  max: string;
  baseline: string;
  goal: string;
  guess: string;
}

function taskOf({ name, cells, labels, range }: Profile, wanted: TaskKind | undefined): Task {
  if (new Set(cells).size < 2)
    throw new CsvError(`Column "${name}" has the same value in every row, so there is nothing to predict.`);
  const kind = wanted ?? (labels ? "classification" : "regression");
  if (kind === "classification") {
    if (!labels) throw new CsvError(`Column "${name}" has too many different values for a classification.`);
    return classification(labels, cells);
  }
  if (!range)
    throw new CsvError(
      `Column "${name}" has cells that are not numbers, so it cannot be the target of a regression.`,
    );
  return {
    kind,
    classes: [],
    min: String(range.min),
    max: String(range.max),
    baseline: "share of the variance that the model explains",
    goal: "50",
    guess: `it is a number from ${range.min} to ${range.max}`,
  };
}

function classification(classes: string[], cells: string[]): Task {
  const counts = new Map<string, number>();
  for (const cell of cells) counts.set(cell, (counts.get(cell) ?? 0) + 1);
  const [most = "", count = 0] = [...counts].sort((a, b) => b[1] - a[1])[0] ?? [];
  const share = count / cells.length;
  const listed = classes.slice(0, LISTED).join(", ");
  return {
    kind: "classification",
    classes,
    min: "",
    max: "",
    baseline: `who always answers \`${most}\` is right in ${Math.round(100 * share)} %`,
    // Three quarters of the way from the most frequent class to perfection.
    goal: String(Math.round(100 * (share + 0.75 * (1 - share)))),
    guess: `it is one of ${integer(classes.length)} classes: ${listed}${classes.length > LISTED ? ", …" : ""}`,
  };
}

/** Columns that are named by row and column of a pixel, in the order of an image. */
function imageOf(profiles: Profile[]): ImageInput | null {
  const [first, last] = [profiles[0]?.name, profiles.at(-1)?.name];
  if (!first?.endsWith("0_0") || last === undefined) return null;
  const prefix = first.slice(0, -3);
  const [, row, column] = (last.startsWith(prefix) && /^(\d+)_(\d+)$/.exec(last.slice(prefix.length))) || [];
  const [height, width] = [Number(row) + 1, Number(column) + 1];
  if (!(height > 1 && width > 1) || height * width !== profiles.length) return null;
  const inOrder = profiles.every(({ name }, i) => name === `${prefix}${Math.floor(i / width)}_${i % width}`);
  if (!inOrder || profiles.some(({ range }) => range === null)) return null;
  const ranges = profiles.flatMap(({ range }) => (range ? [range] : []));
  return {
    pattern: `${prefix}{row}_{column}`,
    height,
    width,
    min: String(Math.min(...ranges.map(({ min }) => min))),
    max: String(Math.max(...ranges.map(({ max }) => max))),
  };
}

function numbersRows(cells: string[]): boolean {
  return (
    cells.length > 2 &&
    cells.every((cell, i) => /^-?\d+$/.test(cell) && (i === 0 || Number(cell) === Number(cells[i - 1]) + 1))
  );
}

function inputOf({ name, cells, range, labels }: Profile): InputColumn {
  const column = (used: boolean, note: string | null): InputColumn => ({
    name,
    kind: range ? "number" : labels ? "category" : "text",
    min: range ? String(range.min) : "",
    max: range ? String(range.max) : "",
    used,
    note,
  });
  if (!range) return column(false, "it has cells that are not numbers");
  if (range.min >= range.max) return column(false, "it has the same value in every row");
  if (numbersRows(cells)) return column(false, "it only numbers the rows");
  return column(true, null);
}

/** What the steps of a new campaign need to know about a validation set. */
export function infer(table: Table, file: string, choices: InspectChoices = {}): DataDraft {
  const profiles = table.columns.map((_, place) => profileOf(table, place));
  const target = targetOf(table, choices.target);
  const predicted = profiles.find(({ name }) => name === target.name) as Profile;
  const others = profiles.filter(({ name }) => name !== target.name);
  const task = taskOf(predicted, choices.task);
  const image = imageOf(others);
  const inputs = image ? [] : others.map(inputOf);
  if (!image && !inputs.some(({ used }) => used)) {
    throw new CsvError(
      `No other column than "${target.name}" has numbers that differ, so a model would have nothing to read.`,
    );
  }
  return {
    file,
    rows: table.rows.length,
    columns: table.columns,
    target: target.name,
    kind: task.kind,
    classes: task.classes,
    min: task.min,
    max: task.max,
    inputs,
    image,
    guesses: [
      ...(target.guess ? [target.guess] : []),
      task.guess,
      "the ranges are those of this file, widened to round numbers, and become public: a Mine whose data go beyond them does not take part",
    ],
    baseline: task.baseline,
    goal: task.goal,
  };
}
