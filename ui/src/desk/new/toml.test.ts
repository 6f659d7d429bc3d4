import { describe, expect, it } from "vitest";
import { EMPTY } from "./draft";
import { FULL } from "./draft.fixture";
import { campaignFile, fileName, launchCommand, quoted } from "./toml";

const DATA_TOKEN = {
  address: "0x00000000000000000000000000000000000000da",
  symbol: "DATA",
  decimals: 18,
  verified: true,
};

describe("the campaign file", () => {
  it("has what was decided, and nothing that was not", () => {
    expect(campaignFile(FULL)).toBe(`name = "Tumours"
deadline = "7d"

# Columns that a Mine's data must have, with the range of their values. Public.
inputs = [
  { name = "radius", min = 6, max = 30 },
]

[task]
kind = "classification"
target = "verdict"
classes = ["benign", "malignant"]
metric = "accuracy"

[validation]
file = "tumours.csv"

[model]
regime = "encrypted"

[reward]
bounty = "1000"
token = "ETH"

[accuracy]
target = 0.91
`);
  });

  it("has everything that can be decided", () => {
    const text = campaignFile({
      ...FULL,
      description: 'Two\nlines, "quoted"',
      organisation: "Clinic",
      link: "https://clinic.example",
      features: "random-relu",
      initial: "start.safetensors",
      start: "10",
      grid: "0.5",
      tolerance: "5",
      bounty: "1,234.50",
      token: DATA_TOKEN,
      capsule: "0x00000000000000000000000000000000000000cc",
      deadlineUnit: "h",
      limits: { ...EMPTY.limits, window: "2", stake: "0.0005", auditDays: "7" },
    });
    for (const line of [
      'description = "Two\\nlines, \\"quoted\\""',
      'deadline = "7h"',
      'capsule = "0x00000000000000000000000000000000000000cc"',
      'features = "random-relu:512"',
      'initial = "start.safetensors"',
      'bounty = "1234.5"',
      'token = "DATA"',
      "start = 0.1",
      "grid = 0.005",
      "tolerance = 0.05",
      "window = 2",
      'submission_stake = "0.0005"',
      "audit_seconds = 604800",
      '[organisation]\nname = "Clinic"\nlink = "https://clinic.example"',
    ])
      expect(text).toContain(line);
  });

  it("names an unverified token by its address, whatever it calls itself", () => {
    expect(campaignFile({ ...FULL, token: { ...DATA_TOKEN, verified: false } })).toContain(
      `token = "${DATA_TOKEN.address}"`,
    );
  });

  it("has networks only in the clear regime, and feature maps only in the encrypted one", () => {
    const clear = campaignFile({ ...FULL, regime: "clear", network: "mlp:64", features: "identity" });
    expect(clear).toContain('network = "mlp:64"');
    expect(clear).not.toContain("features");
    expect(campaignFile({ ...FULL, network: "mlp:64" })).not.toContain("network");
  });

  it("writes an image as one line, and a regression with its range", () => {
    const image = { pattern: "p{row}_{column}", height: 8, width: 8, min: "0", max: "16" };
    const data = FULL.data && {
      ...FULL.data,
      image,
      inputs: [],
      kind: "regression" as const,
      min: "0",
      max: "346",
    };
    const text = campaignFile({ ...FULL, data });
    expect(text).toContain(
      'inputs = { columns = "p{row}_{column}", height = 8, width = 8, min = 0, max = 16 }',
    );
    expect(text).toContain('kind = "regression"\ntarget = "verdict"\nmin = 0\nmax = 346\nmetric = "r2"');
  });

  it("writes numbers that TOML reads as what they are", () => {
    const inputs = [
      { name: "a", kind: "number" as const, min: "-1e21", max: "90071992547409930", used: true, note: null },
    ];
    const text = campaignFile({ ...FULL, data: FULL.data && { ...FULL.data, inputs } });
    expect(text).toContain("min = -1e+21, max = 90071992547409940.0");
  });

  it("escapes what strings cannot hold", () => {
    expect(quoted('a"b\\c\u0007\u007f\n')).toBe('"a\\"b\\\\c\\u0007\\u007F\\n"');
  });

  it("has a name that every file system takes", () => {
    expect(fileName({ name: "Brüste & Lungen, 2026/1" })).toBe("bruste-lungen-2026-1.toml");
    expect(fileName({ name: "数字" })).toBe("campaign.toml");
    expect(launchCommand(FULL)).toBe("sonar campaign launch tumours.toml --account me");
  });
});
