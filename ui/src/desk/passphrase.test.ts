import { expect, it } from "vitest";
import { clock } from "./clock";
import { strength, strengthText } from "./passphrase";

it.each([
  ["", 0],
  ["short", 0],
  ["aaaaaaaaaaaaaaaaaaaaaaaa", 1],
  ["password12345678", 1],
  ["sunlight2026", 1],
  ["correct horse battery staple", 2],
  ["correct horse battery staple meadow", 3],
  ["Tr0ub4dor&3xyz!", 3],
  ["meadow kitchen lamp", 1],
  ["lamp lamp lamp lamp lamp lamp", 1],
] as const)("the strength of %j is %i", (text, expected) => {
  expect(strength(text)).toBe(expected);
});

it("says what to do", () => {
  expect(strengthText("abc")).toContain("12 characters");
});

it.each([
  [0, "0:00"],
  [-3, "0:00"],
  [65.9, "1:05"],
  [900, "15:00"],
  [3_661, "1:01:01"],
])("%d seconds are %s on the clock", (seconds, text) => {
  expect(clock(seconds)).toBe(text);
});
