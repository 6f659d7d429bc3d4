/** Reads a CSV file in the page. Quotes may contain separators and line ends; the separator is found by itself. */

export interface Table {
  columns: string[];
  rows: string[][];
}

/** Why a file is not a table, with its line where that is known. */
export class CsvError extends Error {
  override name = "CsvError";
}

const SEPARATORS = [",", ";", "\t", "|"];
const MAX_BYTES = 64 * 1024 * 1024;
const MAX_COLUMNS = 4_096;

/** The text of a file. UTF-16 has a byte order mark; what is not UTF-8 is Windows-1252. */
export async function textOf(file: Blob): Promise<string> {
  if (file.size > MAX_BYTES) throw new CsvError(`The file has more than ${MAX_BYTES / 1024 / 1024} MiB.`);
  const bytes = new Uint8Array(await file.arrayBuffer());
  const [a, b] = bytes;
  if (a === 0x1f && b === 0x8b) throw new CsvError("The file is compressed: unpack it first.");
  if (a === 0xff && b === 0xfe) return new TextDecoder("utf-16le").decode(bytes);
  if (a === 0xfe && b === 0xff) return new TextDecoder("utf-16be").decode(bytes);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("windows-1252").decode(bytes);
  }
}

/** Number of records from which the separator is found. */
const LOOKED_AT = 20;

/** The separator that the first records agree on: most columns, the same number in each. */
function separatorOf(text: string): string {
  const score = (separator: string) => {
    const counts: number[] = [];
    for (const { cells } of records(text, separator)) {
      counts.push(cells.length);
      if (counts.length === LOOKED_AT) break;
    }
    return counts.every(count => count === counts[0]) ? (counts[0] ?? 1) : 1;
  };
  return SEPARATORS.reduce((best, next) => (score(next) > score(best) ? next : best), ",");
}

function* records(text: string, separator: string): Generator<{ cells: string[]; line: number }> {
  let cells: string[] = [];
  let cell = "";
  let line = 1;
  let start = 1;
  let quoted = false;
  for (let i = 0; i <= text.length; i += 1) {
    const letter = text[i];
    if (quoted) {
      if (letter === undefined) throw new CsvError(`Line ${start}: a quote is not closed.`);
      if (letter === "\n") line += 1;
      if (letter !== '"') cell += letter;
      else if (text[i + 1] === '"') {
        cell += '"';
        i += 1;
      } else quoted = false;
    } else if (letter === '"' && cell === "") {
      quoted = true;
    } else if (letter === separator) {
      cells.push(cell);
      cell = "";
    } else if (letter === "\n" || letter === undefined) {
      cells.push(cell.endsWith("\r") ? cell.slice(0, -1) : cell);
      if (cells.length > 1 || cells[0] !== "") yield { cells, line: start };
      line += 1;
      [cells, cell, start] = [[], "", line];
    } else {
      cell += letter;
    }
  }
}

export function parseCsv(source: string): Table {
  const text = source.replace(/^\uFEFF/, "");
  const separator = separatorOf(text);
  let columns: string[] | null = null;
  const rows: string[][] = [];
  for (const { cells, line } of records(text, separator)) {
    const trimmed = cells.map(cell => cell.trim());
    if (columns === null) {
      columns = header(trimmed);
      continue;
    }
    if (trimmed.length !== columns.length) {
      throw new CsvError(`Line ${line} has ${trimmed.length} cells, but the header has ${columns.length}.`);
    }
    rows.push(trimmed);
  }
  if (columns === null || rows.length === 0)
    throw new CsvError("The file has no rows below its header line.");
  return { columns, rows };
}

function header(names: string[]): string[] {
  if (names.length < 2)
    throw new CsvError("The file has one column only; a model needs a column to predict and one to read.");
  if (names.length > MAX_COLUMNS)
    throw new CsvError(`The file has ${names.length} columns; at most ${MAX_COLUMNS} are read.`);
  if (names.every(isNumber))
    throw new CsvError("The first line looks like data: add a line with the names of the columns.");
  const twice = names.find((name, i) => name === "" || names.indexOf(name) !== i);
  if (twice !== undefined) {
    throw new CsvError(twice === "" ? "A column has no name." : `Two columns are called "${twice}".`);
  }
  return names;
}

export function isNumber(cell: string): boolean {
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(cell) && Number.isFinite(Number(cell));
}
