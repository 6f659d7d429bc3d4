import { screen, within } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import recorded from "../../test/fixtures/campaign.json";
import { renderPage, serve } from "../../test/render";
import type { Token } from "../shared/format";
import { addsUp, MoneyPanel } from "./campaign/MoneyPanel";
import { PrivacyTab, secrecy } from "./campaign/PrivacyTab";
import { PayoutFormula } from "./campaign/SubmissionsTab";
import { byToken } from "./Miners";
import { costPerPoint } from "./Models";
import type { CampaignDetail, MinerCampaign, Privacy, Submission } from "./types";

const campaign = recorded.campaign as unknown as CampaignDetail;
const submissions = recorded.submissions as unknown as Submission[];
const privacy = recorded.privacy as unknown as Privacy;
const token: Token = { address: campaign.token, symbol: "DATA", decimals: 18, verified: true };
const money = `/api/v1/campaigns/${campaign.id}/money`;
const plain = (text: string | null) => (text ?? "").replaceAll("\u00a0", " ");

describe("money", () => {
  it("shows the equation, and that it holds at a block", async () => {
    serve({
      [money]: {
        ...campaign.ledger,
        token: campaign.token,
        block: 1234,
        adds_up: true,
        calls: ["cast call 0x1"],
      },
    });
    await renderPage(<MoneyPanel campaign={campaign} token={token} />);
    expect(await screen.findByText("The terms add up at block 1,234")).toBeVisible();
    const panel = screen.getByRole("region", { name: "Money" });
    expect(plain(panel.textContent)).toContain("Deposited1,010 DATA");
    expect(plain(panel.textContent)).toContain("Owed to miners892.473118… DATA");
    expect(within(panel).getByRole("button", { name: "Prove it" })).toBeVisible();
  });

  it("turns red when one unit is missing", async () => {
    const ledger = { ...campaign.ledger, owed: (BigInt(campaign.ledger.owed) - 1n).toString() };
    expect(addsUp(ledger)).toBe(false);
    serve({ [money]: { ...ledger, token: campaign.token, block: 5, adds_up: true, calls: [] } });
    await renderPage(<MoneyPanel campaign={campaign} token={token} />);
    expect(await screen.findByText(/The terms do not add up to/)).toBeVisible();
  });

  it("believes the ledger of the campaign when there is no other", async () => {
    serve({});
    await renderPage(<MoneyPanel campaign={campaign} token={token} />);
    expect(screen.getByText("The terms add up")).toBeVisible();
  });

  it("explains a payout with its three integers", async () => {
    const verdict = submissions.find(one => one.verdict.is === "accepted")?.verdict;
    if (verdict?.is !== "accepted") throw new Error("the fixture has no accepted submission");
    await renderPage(<PayoutFormula verdict={verdict} campaign={campaign} token={token} />);
    expect(screen.getByText(/floor\(1000000000000000000000 × 820,000 ÷ 930,000\)/)).toBeVisible();
    expect(screen.getByText(/the payout is exactly this formula/)).toBeVisible();
  });

  it("does not accept a payout that is off by one", async () => {
    const verdict = {
      is: "accepted" as const,
      best_ppm: 920_000,
      delta_ppm: 820_000,
      amount: "881720430107526881721",
    };
    await renderPage(<PayoutFormula verdict={verdict} campaign={campaign} token={token} />);
    expect(screen.getByText(/the formula gives 881720430107526881720/)).toBeVisible();
  });

  it("computes what a point cost from what was paid for", () => {
    expect(costPerPoint({ ...campaign, awarded: "830", start_ppm: 100_000, best_ppm: 930_000 })).toBe(10n);
    // Above the target nothing more is paid, so it is no part of the gain.
    expect(costPerPoint({ ...campaign, awarded: "830", start_ppm: 100_000, best_ppm: 990_000 })).toBe(10n);
    expect(costPerPoint({ ...campaign, start_ppm: null })).toBeNull();
  });

  it("never adds amounts of different tokens", () => {
    const row = (of: string, earned: string) =>
      ({ token: of, earned, owed: "1", withdrawn: "2" }) as MinerCampaign;
    expect(byToken([row("0xa", "5"), row("0xb", "7"), row("0xa", "9007199254740993")])).toEqual([
      { token: "0xa", earned: 9007199254740998n, owed: 2n, withdrawn: 4n },
      { token: "0xb", earned: 7n, owed: 1n, withdrawn: 2n },
    ]);
  });
});

describe("privacy", () => {
  it("shows what was disclosed and what is left, rounded up", async () => {
    serve({
      "/api/v1/campaigns/0x1/privacy": {
        ...privacy,
        transcript: { allowed: 255.31, spent: 15.52, left: 239.79, hard_limit: 384 },
      },
    });
    await renderPage(<PrivacyTab id="0x1" />);
    const meter = await screen.findByRole("region", { name: "Leak meter" });
    const text = plain(meter.textContent);
    for (const figure of ["15.6 bits disclosed", "239.8 bits left", "255.4 bits allowed", "384 bits"])
      expect(text).toContain(figure);
  });

  it("calls a model secret only if it is", () => {
    expect(secrecy({ ...privacy, model: { ...privacy.model, weights: 650, secret: true } })).toMatch(
      /650 weights stay secret/,
    );
    expect(secrecy({ ...privacy, model: { ...privacy.model, weights: 62, secret: false } })).toMatch(
      /not secret: it has 62 weights/,
    );
    expect(secrecy({ ...privacy, regime: "clear" })).toMatch(/anyone can read/);
  });
});
