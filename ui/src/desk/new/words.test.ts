import { expect, it } from "vitest";
import { EMPTY } from "./draft";
import { FULL } from "./draft.fixture";
import { facts } from "./Summary";
import { words } from "./words";

const plain = (text: string) => text.replaceAll("\u00a0", " ");

it("reviews a draft in sentences with exact amounts", () => {
  expect(words({ ...FULL, start: "63", bounty: "1000", goal: "80" }).map(plain)).toEqual([
    "“Tumours” predicts verdict, one of 2 classes, from 1 column.",
    "Mines train an encrypted linear model on features that are chosen for the data; only you and the Capsule can read it.",
    "Every update is measured on 400 rows of tumours.csv, which only the Capsule can read.",
    "The start is 63.0 %, the target 80.0 %.",
    "The bounty is 1,000 ETH from me; each point of accuracy pays 12.5 ETH, and what nobody earns comes back.",
    "The campaign ends 7 days after the launch, or earlier at the target. The cheapest Capsule measures the updates and delivers the model.",
  ]);
});

it("says who can read a model in the clear", () => {
  expect(words({ ...FULL, regime: "clear", network: "mlp:64" })[1]).toContain(
    "(mlp:64) in the clear: everybody can read",
  );
  expect(words({ ...FULL, features: "random-relu" })[1]).toContain("random-relu:512");
  expect(words({ ...FULL, deadline: "1", deadlineUnit: "h" }).at(-1)).toContain("ends 1 hour after");
});

it("summarises only what is decided", () => {
  expect(facts(EMPTY)).toEqual([]);
  expect(facts({ ...EMPTY, name: "A", bounty: "5" }).map(([name]) => name)).toEqual(["Name", "Bounty"]);
  expect(facts(FULL).map(([, text]) => plain(text))).toContain("measured start to 91.0 %");
});
