import { describe, expect, it } from "vitest";
import { classFigures, sentence, worst } from "./confusion";
import { sentence as residualSentence, spread } from "./residuals";
import { snippet } from "./snippets";

const plain = (text: string) => text.replaceAll("\u00a0", " ");

describe("a confusion matrix", () => {
  const confusion = {
    classes: ["a", "b", "c"],
    counts: [
      [8, 2, 0],
      [0, 3, 0],
      [0, 0, 0],
    ],
  };

  it("has a share for each class that has rows", () => {
    expect(classFigures(confusion).map(({ recall }) => recall)).toEqual([800_000, 1_000_000, null]);
  });

  it("says what goes wrong most often", () => {
    expect(worst(confusion)).toEqual({ right: "a", answer: "b", count: 2 });
    expect(plain(sentence(confusion))).toBe(
      "11 of 13 rows are right (84.6 %). The most frequent mistake: a taken for b, 2 times.",
    );
    expect(plain(sentence({ classes: ["a"], counts: [[2]] }))).toBe("2 of 2 rows are right (100.0 %).");
  });
});

describe("residuals", () => {
  const residuals = {
    rows: 3,
    points: [
      { actual: 100, predicted: 110 },
      { actual: 200, predicted: 190 },
      { actual: 300, predicted: 306 },
    ],
  };

  it("have an error and a bias", () => {
    const { min, max, meanError, bias } = spread(residuals);
    expect([min, max]).toEqual([100, 306]);
    expect(meanError).toBeCloseTo(26 / 3);
    expect(bias).toBeCloseTo(2);
    expect(residualSentence(residuals)).toBe(
      "3 rows. The answers differ from the right ones by 8.667 on average, and are 2 too high in the mean.",
    );
    expect(residualSentence({ ...residuals, rows: 9_000 })).toContain("3 of 9,000 rows, evenly chosen");
    expect(residualSentence({ rows: 0, points: [] })).toBe("The validation set has no rows.");
  });
});

it("has Python for each format, with the file's name as a string", () => {
  for (const format of ["onnx", "npz", "safetensors"] as const)
    expect(snippet(format, 'a"b.bin', false)).toContain('"a\\"b.bin"');
  expect(snippet("onnx", "m.onnx", true)).toContain("scores, values = session.run");
});
