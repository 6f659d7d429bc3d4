import { describe, expect, it } from "vitest";
import recorded from "../../../test/fixtures/campaign.json";
import type { CampaignDetail, Info, Ledger, Submission } from "../types";
import { digestOf, equationCheck, idCheck, ledgerCheck, orderCheck, payoutCheck } from "./checks";

// A campaign of a local network, as its server answered.
const campaign = recorded.campaign as unknown as CampaignDetail;
const submissions = recorded.submissions as unknown as Submission[];
const info = recorded.info as Info;

const changed = <T>(of: T, change: (copy: T) => void): T => {
  const copy = structuredClone(of);
  change(copy);
  return copy;
};

describe("a real campaign", () => {
  it("passes every check", () => {
    expect(idCheck(campaign, info)).toMatchObject({ ok: true });
    expect(payoutCheck(campaign, submissions)).toMatchObject({ ok: true });
    expect(orderCheck(campaign, submissions)).toMatchObject({ ok: true });
    expect(equationCheck(campaign.ledger, "a test")).toMatchObject({ ok: true });
    expect(ledgerCheck(campaign, campaign.ledger)).toMatchObject({ ok: true });
  });
});

describe("a forgery is noticed", () => {
  it("in the terms, whatever the field", () => {
    const fields = [
      "bounty",
      "target_ppm",
      "deadline",
      "fee_ppm",
      "salt",
      "manifest",
      "audit_seconds",
    ] as const;
    for (const field of fields) {
      const forged = changed(campaign, ({ terms }) => {
        const value = terms[field];
        const next =
          typeof value === "number" ? value + 1 : value.replace(/.$/, last => (last === "1" ? "2" : "1"));
        Object.assign(terms, { [field]: field === "manifest" ? `0x${"11".repeat(32)}` : next });
      });
      expect(idCheck(forged, info), field).toMatchObject({ ok: false });
    }
  });

  it("in a payout, by one unit", () => {
    const forged = changed(submissions, list => {
      const verdict = list.find(one => one.verdict.is === "accepted")?.verdict;
      if (verdict?.is === "accepted") verdict.amount = (BigInt(verdict.amount) + 1n).toString();
    });
    const check = payoutCheck(campaign, forged);
    expect(check.ok).toBe(false);
    expect(check.text).toMatch(/the formula gives \d+, the record says \d+/);
  });

  it("in the sum of the payouts", () => {
    const forged = changed(campaign, copy => {
      copy.awarded = (BigInt(copy.awarded) - 1n).toString();
    });
    expect(payoutCheck(forged, submissions)).toMatchObject({ ok: false });
  });

  it("in the order: a submission that is missing, or in another place", () => {
    expect(orderCheck(campaign, submissions.slice(1))).toMatchObject({ ok: false });
    expect(orderCheck(campaign, submissions.slice(0, -1))).toMatchObject({ ok: false });
    const moved = changed(submissions, list => {
      (list[1] as Submission).index = 7;
    });
    expect(orderCheck(campaign, moved)).toMatchObject({ ok: false });
  });

  it("in the money, by one unit of any term", () => {
    for (const term of ["deposited", "paid", "owed", "refunded", "fee", "escrowed"] as (keyof Ledger)[]) {
      const forged = { ...campaign.ledger, [term]: (BigInt(campaign.ledger[term]) + 1n).toString() };
      expect(equationCheck(forged, "a test"), term).toMatchObject({ ok: false });
      expect(ledgerCheck(campaign, forged), term).toMatchObject({ ok: false });
    }
  });
});

it("reads digests from CIDs", () => {
  // sha2-256 of nothing, as a raw block.
  const empty = "0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
  expect(digestOf("bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku")).toBe(empty);
  expect(digestOf(empty)).toBe(empty);
});
