import { describe, expect, it } from "vitest";
import { actionPath, type Context, consequence, isAction } from "./words";

const ONE = 10n ** 18n;
const DATA = { address: "0xda", symbol: "DATA", decimals: 18, verified: true };
const plain = (text: string) => text.replaceAll("\u00a0", " ");

const campaign = {
  bounty: (1000n * ONE).toString(),
  awarded: (512n * ONE).toString(),
  ledger: {
    deposited: "0",
    paid: "0",
    owed: "0",
    refunded: "0",
    fee: "0",
    escrowed: (1050n * ONE).toString(),
  },
  terms: { stake: (ONE / 2n).toString() },
  window: { index: 3, version: 2, submissions: 0, closes_at: null },
} as unknown as NonNullable<Context["campaign"]>;

const CONTEXT: Context = {
  account: "me",
  token: DATA,
  owed: (488n * ONE + 1n).toString(),
  freeStake: "1250000000000000",
  campaign,
};

describe("the sentence before an action", () => {
  it.each([
    ["close", "This closes the campaign for good: 488 DATA of the bounty goes back to me."],
    ["withdraw", "This sends 488.000000000000000001 DATA from the campaign to me."],
    ["withdraw_stake", "This returns 0.00125 ETH of stakes to me."],
  ] as const)("names the exact amount of %s", (action, text) => {
    expect(plain(consequence(action, CONTEXT))).toBe(text);
  });

  it("says that waiting submissions can earn before the close", () => {
    const open = { ...campaign, window: { ...campaign.window, submissions: 2 } };
    expect(plain(consequence("close", { ...CONTEXT, campaign: open }))).toMatch(
      /at most 488 DATA.*waiting submissions/,
    );
  });

  it("names what the Capsule loses", () => {
    for (const action of ["abandon", "expire", "release", "convict"] as const)
      expect(plain(consequence(action, CONTEXT))).toContain("0.5 ETH");
  });

  it("names bounty and fee of a refund", () => {
    expect(plain(consequence("refund", CONTEXT))).toContain("1,050 DATA");
  });

  it("shows smallest units of an unknown token instead of guessing", () => {
    expect(consequence("withdraw", { ...CONTEXT, token: undefined, owed: "17" })).toContain(
      "17 smallest units",
    );
  });
});

it("knows the actions of the API, and their routes", () => {
  expect(isAction("withdraw_stake")).toBe(true);
  expect(isAction("open")).toBe(false);
  expect(actionPath("0x1", "withdraw_stake")).toBe("/api/desk/campaigns/0x1/withdraw-stake");
});
