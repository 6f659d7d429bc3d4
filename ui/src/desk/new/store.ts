/**
 * Keeps the draft in this browser, so that it can be resumed. The files are kept in memory only: rows of a validation set
 * never reach the browser's storage.
 */

import { type DataDraft, type Draft, EMPTY, type InputColumn, STEPS } from "./draft";

const KEY = "sonar.campaign-draft";
const VERSION = 1;

/** The fields of a draft that may be stored, and nothing else that an object may carry. */
export function stored(draft: Draft): Draft {
  const copy = Object.fromEntries(
    (Object.keys(EMPTY) as (keyof Draft)[]).map(key => [key, draft[key]]),
  ) as unknown as Draft;
  return { ...copy, data: draft.data && storedData(draft.data) };
}

function storedData(data: DataDraft): DataDraft {
  const input = ({ name, kind, min, max, used, note }: InputColumn) => ({ name, kind, min, max, used, note });
  const { file, rows, columns, target, kind, classes, min, max, image, guesses, baseline, goal } = data;
  return {
    file,
    rows,
    columns,
    target,
    kind,
    classes,
    min,
    max,
    inputs: data.inputs.map(input),
    image,
    guesses,
    baseline,
    goal,
  };
}

export function save(draft: Draft, storage: Storage = localStorage): void {
  try {
    storage.setItem(KEY, JSON.stringify({ version: VERSION, draft: stored(draft) }));
  } catch {
    // Storage can be full or forbidden; the page works without it.
  }
}

export function load(storage: Storage = localStorage): Draft {
  try {
    const found = JSON.parse(storage.getItem(KEY) ?? "null") as { version: number; draft: Draft } | null;
    if (found?.version !== VERSION || !STEPS.includes(found.draft.step)) return EMPTY;
    return { ...EMPTY, ...found.draft, limits: { ...EMPTY.limits, ...found.draft.limits } };
  } catch {
    return EMPTY;
  }
}

export function forget(storage: Storage = localStorage): void {
  storage.removeItem(KEY);
}

/** Files that a plan needs, while the page is open. */
export const held: { validation: File | null; initial: File | null } = { validation: null, initial: null };

/** The content of a file in base64. */
export function base64(file: File): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve((reader.result as string).replace(/^[^,]*,/, ""));
    reader.onerror = () =>
      reject(new Error(`${file.name} cannot be read: ${reader.error?.message ?? "unknown reason"}`));
    reader.readAsDataURL(file);
  });
}
