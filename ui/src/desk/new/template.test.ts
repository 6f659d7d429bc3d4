import { describe, expect, it } from "vitest";
import { readAnswer, readValue } from "./template";

const TOML = `# Check everything here, then see what a launch would do: sonar campaign launch FILE --dry-run
name = "tumours"
description = ""   # what the model is for; miners read it
deadline = "7d"    # from the launch, or a time such as 2030-01-31T12:00:00Z

# Columns that a Mine's data must have, with the range of their values. Public.
inputs = [
  { name = "radius", min = 6, max = 30.5 },
  { name = 'a "b"', min = -1e-7, max = 1 },
]

[task]
kind = "classification"
target = "verdict"
classes = ["benign", "mali]gnant"]
metric = "accuracy"

[validation]
file = "tumours.csv"   # only the Capsule sees it

[model]
regime = "encrypted"   # Mines never see the model; \`clear\`: a network that everybody sees

[reward]
bounty = "1"    # what the target is worth to you; each gain is paid its share
token = "ETH"   # or DATA, or the address of an ERC-20

[accuracy]
target = 0.91   # pays the whole bounty; who always answers \`benign\` is right in 63 %
`;

const number = (name: string, min: number, max: number) => ({
  name,
  kind: "number" as const,
  min,
  max,
  classes: null,
});
const ANSWER = {
  toml: TOML,
  rows: 400,
  columns: [
    number("id", 1, 400),
    number("radius", 6, 30.5),
    number('a "b"', -1e-7, 1),
    { name: "note", kind: "text" as const, min: null, max: null, classes: null },
    { name: "verdict", kind: "category" as const, min: null, max: null, classes: ["benign", "mali]gnant"] },
  ],
  guesses: [
    "the model predicts column `verdict`, because it is the last one (`--target` names another)",
    "column `id` is left out: it only numbers the rows",
    "column `note` is left out: it has cells that are not numbers",
  ],
};

describe("a campaign file that the desk wrote", () => {
  it("gives the task, the columns and why some are left out", () => {
    const data = readAnswer(ANSWER, "tumours.csv");
    expect(data).toMatchObject({
      file: "tumours.csv",
      rows: 400,
      target: "verdict",
      kind: "classification",
      classes: ["benign", "mali]gnant"],
      image: null,
      goal: "91",
      baseline: "who always answers `benign` is right in 63 %",
    });
    expect(data.inputs).toEqual([
      { name: "id", kind: "number", min: "1", max: "400", used: false, note: "it only numbers the rows" },
      { name: "radius", kind: "number", min: "6", max: "30.5", used: true, note: null },
      { name: 'a "b"', kind: "number", min: "-1e-7", max: "1", used: true, note: null },
      {
        name: "note",
        kind: "text",
        min: "",
        max: "",
        used: false,
        note: "it has cells that are not numbers",
      },
    ]);
    expect(data.guesses).toEqual([ANSWER.guesses[0]]);
  });

  it("gives an image", () => {
    const toml = TOML.replace(
      /inputs = \[[^\]]*\]\n/,
      'inputs = { columns = "p{row}_{column}", height = 8, width = 9, min = 0, max = 16 }\n',
    );
    expect(readAnswer({ ...ANSWER, toml }, "f.csv")).toMatchObject({
      image: { pattern: "p{row}_{column}", height: 8, width: 9, min: "0", max: "16" },
      inputs: [],
    });
  });

  it("gives the range of a regression", () => {
    const toml = TOML.replace(
      /kind = .*\n.*\n.*\n.*\n/,
      'kind = "regression"\ntarget = "progression"\nmin = 25\nmax = 346\nmetric = "r2"\n',
    ).replace(
      /target = 0.91.*/,
      "target = 0.5   # pays the whole bounty; share of the variance that the model explains",
    );
    expect(readAnswer({ ...ANSWER, toml }, "f.csv")).toMatchObject({
      kind: "regression",
      target: "progression",
      min: "25",
      max: "346",
      goal: "50",
      classes: [],
      baseline: "share of the variance that the model explains",
    });
  });

  it("gives values with quotes of both kinds", () => {
    expect(readValue('"a\\"b" # c')).toBe('a"b');
    expect(readValue("'a\\b'")).toBe("a\\b");
    expect(readValue("[\"a\", 'b, c'] # ]")).toEqual(["a", "b, c"]);
    expect(readValue("0.933352   # x")).toBe(0.933352);
    expect(readValue('"\\U0001F600\\u00e9"')).toBe("😀é");
    expect(readValue("true")).toBeNull();
  });

  it.each([
    ["0.93", "93"],
    ["0.933352", "93.3352"],
    ["0.05", "5"],
    ["0.0005", "0.05"],
    ["1", "100"],
  ])("gives the share %s as %s per cent", (share, percent) => {
    expect(readAnswer({ ...ANSWER, toml: TOML.replace("0.91", share) }, "f.csv").goal).toBe(percent);
  });
});
