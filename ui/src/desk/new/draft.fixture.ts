/** A complete draft, for tests. */

import { type DataDraft, type Draft, EMPTY } from "./draft";

export const DATA: DataDraft = {
  file: "tumours.csv",
  rows: 400,
  columns: ["id", "radius", "verdict"],
  target: "verdict",
  kind: "classification",
  classes: ["benign", "malignant"],
  min: "",
  max: "",
  inputs: [
    { name: "id", kind: "number", min: "1", max: "400", used: false, note: "it only numbers the rows" },
    { name: "radius", kind: "number", min: "6", max: "30", used: true, note: null },
  ],
  image: null,
  guesses: [],
  baseline: "who always answers `benign` is right in 63 %",
  goal: "91",
};

export const FULL: Draft = {
  ...EMPTY,
  name: "Tumours",
  data: DATA,
  goal: "91",
  bounty: "1000",
  account: "me",
  step: "review",
  reached: "review",
};
