import { describe, expect, it } from "vitest";
import { CsvError, parseCsv, textOf } from "./csv";
import { infer, widen } from "./infer";

const TUMOURS =
  "id,radius,note,same,verdict\n1,6.2,small,3,benign\n2,9.9,,3,malignant\n3,7.1,x,3,benign\n4,8.0,y,3,benign\n";

const of = (csv: string, choices = {}) => infer(parseCsv(csv), "v.csv", choices);

describe("the columns of a file", () => {
  it("are found as `sonar campaign new` finds them", () => {
    const found = of(TUMOURS);
    expect(found).toMatchObject({
      target: "verdict",
      kind: "classification",
      classes: ["benign", "malignant"],
      rows: 4,
    });
    expect(found.inputs.filter(({ used }) => used).map(({ name }) => name)).toEqual(["radius"]);
    expect(Object.fromEntries(found.inputs.map(({ name, note }) => [name, note]))).toEqual({
      id: "it only numbers the rows",
      radius: null,
      note: "it has cells that are not numbers",
      same: "it has the same value in every row",
    });
    expect(found.baseline).toBe("who always answers `benign` is right in 75 %");
    expect(found.goal).toBe("94");
  });

  it("are an image if they are named by pixels, even with white borders", () => {
    const rows = Array.from({ length: 40 }, (_, row) => `0,0,0,${row % 5},${row % 3},0,${row % 2}`).join(
      "\n",
    );
    expect(of(`p0_0,p0_1,p0_2,p1_0,p1_1,p1_2,label\n${rows}\n`)).toMatchObject({
      image: { pattern: "p{row}_{column}", height: 2, width: 3, min: "0", max: "4" },
      inputs: [],
    });
  });

  it("obey what the reader chose", () => {
    const numbers = Array.from({ length: 90 }, (_, row) => `${row % 7},${row * row}.5`).join("\n");
    expect(of(`a,radius\n${numbers}`, { target: "radius" })).toMatchObject({
      kind: "regression",
      classes: [],
    });
    expect(of(`a,radius\n${numbers}`, { target: "a", task: "regression" })).toMatchObject({
      min: "0",
      max: "6",
    });
  });

  it("say why there is no campaign over them", () => {
    expect(() => of(TUMOURS, { target: "same" })).toThrow(/same value/);
    expect(() => of(TUMOURS, { target: "note", task: "regression" })).toThrow(/not numbers/);
    expect(() => of("note,y\na,1\nb,0\na,1\nb,0\n")).toThrow(/nothing to read/);
    expect(() => of(TUMOURS, { target: "diagnosis" })).toThrow(/no column "diagnosis"/);
  });
});

it.each([
  [18, 90.5, 15, 95],
  [0, 16, 0, 16],
  [-3.2, 7, -4, 7],
  [0, 0, 0, 0],
  [2024, 2024, 2024, 2024],
  [0.5, 7.25, 0.5, 7.5],
])("widens %d to %d outward to round numbers", (min, max, low, high) => {
  expect(widen(min, max)).toEqual({ min: low, max: high });
});

describe("a file", () => {
  it("may have quotes, other separators, and a byte order mark", () => {
    expect(parseCsv('\uFEFFa;b\r\n"1;2";"say ""hi""\nthere"\r\n')).toEqual({
      columns: ["a", "b"],
      rows: [["1;2", 'say "hi"\nthere']],
    });
    expect(parseCsv("a\tb\n1,5\t2\n").rows).toEqual([["1,5", "2"]]);
  });

  it("is refused with its line", () => {
    const refused: [string, RegExp][] = [
      ['a,b\n1,"2\n', /Line 2: a quote is not closed/],
      ["a,b\n1,2\n1,2,3\n", /Line 3 has 3 cells, but the header has 2/],
      ["1,2\n3,4\n", /looks like data/],
      ["a,a\n1,2\n", /Two columns are called "a"/],
      ["a,b\n", /no rows/],
      ["", /no rows/],
      ["a\n1\n", /one column only/],
    ];
    for (const [csv, reason] of refused) expect(() => parseCsv(csv), csv).toThrow(reason);
  });

  it("may be UTF-16 or Windows-1252, but not compressed", async () => {
    const utf16 = new Uint8Array([0xff, 0xfe, 0x61, 0x00, 0x2c, 0x00, 0x62, 0x00]);
    expect(await textOf(new Blob([utf16]))).toBe("a,b");
    expect(await textOf(new Blob([new Uint8Array([0xe9, 0x2c])]))).toBe("é,");
    await expect(textOf(new Blob([new Uint8Array([0x1f, 0x8b, 0])]))).rejects.toThrow(CsvError);
  });
});
