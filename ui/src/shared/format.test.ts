import { describe, expect, it } from "vitest";
import {
  absolute,
  duration,
  formatAmount,
  formatBits,
  formatPoints,
  formatPpm,
  formatUnits,
  parseUnits,
  payout,
  plainUnits,
  ppmShare,
  relative,
  roughPpm,
  sharePpm,
  shortUnits,
  tickPpm,
  units,
} from "./format";

/** Spaces that do not break are correct on a page, and a nuisance in a test. */
const plain = (text: string) => text.replaceAll("\u00a0", " ");

const DATA = { address: "0x01", symbol: "DATA", decimals: 18, verified: true };
const ONE = 10n ** 18n;

describe("amounts", () => {
  it.each([
    ["0", 18, "0"],
    ["1", 18, "0.000000000000000001"],
    ["1000000000000000000", 18, "1"],
    ["1234500000000000000000", 18, "1,234.5"],
    ["1234567", 6, "1.234567"],
    ["42", 0, "42"],
    ["340282366920938463463374607431768211455", 18, "340,282,366,920,938,463,463.374607431768211455"],
    ["-1500000", 6, "−1.5"],
  ])("shows %s units with %i decimals exactly", (value, decimals, expected) => {
    expect(formatUnits(value, decimals)).toBe(expected);
  });

  it("keeps digits that a float would lose", () => {
    expect(formatUnits("9007199254740993", 0)).toBe("9,007,199,254,740,993");
    expect(formatUnits(900719925474099312345678n, 18)).toBe("900,719.925474099312345678");
  });

  it("names the token", () => {
    expect(plain(formatAmount(1234n * ONE, DATA))).toBe("1,234 DATA");
  });

  it.each([
    ["1234567800000000000000", { text: "1,234.5678", exact: true }],
    ["1234567899999999999999", { text: "1,234.5678…", exact: false }],
    ["999999999999999999", { text: "0.9999…", exact: false }],
    ["1", { text: "0.000000000000000001", exact: true }],
    ["12", { text: "0.00000000000000001…", exact: false }],
    ["1000000000000000001", { text: "1…", exact: false }],
  ])("cuts %s and never rounds it up", (value, expected) => {
    expect(shortUnits(value, 18)).toEqual(expected);
  });

  it("refuses what is not an amount in smallest units", () => {
    for (const wrong of ["1.5", "", "1e18", "0x10", " 1"]) expect(() => units(wrong)).toThrow(RangeError);
  });

  it("reads what a person typed, and nothing with too many decimals", () => {
    expect(parseUnits("1,000", 18)).toBe(1000n * ONE);
    expect(parseUnits("0.5", 6)).toBe(500_000n);
    expect(parseUnits("3.", 2)).toBe(300n);
    for (const wrong of ["", "-1", "1.2345678", "1e3", "abc", ".5"]) expect(parseUnits(wrong, 6)).toBeNull();
  });

  it("writes amounts for files without grouping", () => {
    expect(plainUnits(1234500n * ONE, 18)).toBe("1234500");
    expect(plainUnits("1500000", 6)).toBe("1.5");
  });
});

describe("payouts", () => {
  it("computes what the contract computes", () => {
    expect(payout(1000n * ONE, 4_000, 950_000)).toBe((1000n * ONE * 4_000n) / 950_000n);
    expect(payout("1000", 1, 3)).toBe(333n);
    expect(payout("100", 950_000, 950_000)).toBe(100n);
    expect(payout("100", 5, 0)).toBe(0n);
  });

  it("rounds shares down", () => {
    expect(sharePpm("1", "3")).toBe(333_333);
    expect(sharePpm("1", "0")).toBeNull();
  });
});

describe("accuracies", () => {
  it.each([
    [0, "0.0 %"],
    [1, "0.0001 %"],
    [926_000, "92.6 %"],
    [999_999, "99.9999 %"],
    [930_000, "93.0 %"],
    [1_000_000, "100.0 %"],
    [12_345_678, "1,234.5678 %"],
    [-5_000, "−0.5 %"],
  ])("shows %i ppm as a percentage", (ppm, expected) => {
    expect(plain(formatPpm(ppm))).toBe(expected);
  });

  it("rounds shares down, never up", () => {
    expect(plain(roughPpm(999_999))).toBe("99.9 %");
    expect(plain(tickPpm(930_000))).toBe("93 %");
  });

  it("shows differences in points, with their sign", () => {
    expect(formatPoints(4_000)).toBe("+0.4");
    expect(formatPoints(-12_500)).toBe("−1.25");
    expect(formatPoints(0)).toBe("0");
  });

  it("writes shares as campaign files do", () => {
    expect(ppmShare(926_000)).toBe("0.926");
    expect(ppmShare(1_000_000)).toBe("1");
  });
});

describe("bits", () => {
  it.each([
    [0, "0 bits"],
    [1, "1 bit"],
    [12.31, "12.4 bits"],
    [12.3, "12.3 bits"],
    [99.95, "100 bits"],
    [1234.21, "1,234.3 bits"],
  ])("rounds %d up, so that the page never promises less disclosure than there can be", (bits, expected) => {
    expect(plain(formatBits(bits))).toBe(expected);
  });
});

describe("times", () => {
  it("are relative in their largest unit", () => {
    expect(plain(relative(1_000, 1_000))).toBe("now");
    expect(plain(relative(1_090, 1_000))).toBe("in 1 min 30 s");
    expect(plain(relative(1_000, 1_045))).toBe("45 s ago");
    expect(plain(relative(0, 200_000))).toBe("2 d ago");
  });

  it("have durations of at most two units", () => {
    expect(plain(duration(0))).toBe("0 s");
    expect(plain(duration(187_200))).toBe("2 d 4 h");
    expect(plain(duration(86_400))).toBe("1 d");
    expect(plain(duration(3_661))).toBe("1 h 1 min");
  });

  it("name the zone when they are absolute", () => {
    expect(absolute(0, "UTC")).toBe("1 Jan 1970, 00:00:00 UTC");
  });
});
