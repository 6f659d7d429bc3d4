import { beforeEach, describe, expect, it } from "vitest";
import { EMPTY } from "./draft";
import { FULL } from "./draft.fixture";
import { base64, forget, load, save } from "./store";

beforeEach(() => localStorage.clear());

describe("a draft", () => {
  it("is resumed where it was", () => {
    save(FULL);
    expect(load()).toEqual(FULL);
    forget();
    expect(load()).toEqual(EMPTY);
  });

  it("is stored without rows of the validation set, whatever the object carries", () => {
    const leaky = {
      ...FULL,
      rows: ["1,6.2,SECRET"],
      data: FULL.data && {
        ...FULL.data,
        csv: "id,radius\n1,SECRET",
        inputs: FULL.data.inputs.map(input => ({ ...input, values: ["SECRET"] })),
      },
    };
    save(leaky);
    expect(JSON.stringify(localStorage)).not.toContain("SECRET");
    expect(load()).toEqual(FULL);
  });

  it("of another version, or that is broken, is ignored", () => {
    for (const text of [
      "{",
      "null",
      '{"version":0,"draft":{}}',
      '{"version":1,"draft":{"step":"nowhere"}}',
    ]) {
      localStorage.setItem("sonar.campaign-draft", text);
      expect(load()).toEqual(EMPTY);
    }
  });

  it("gets fields that later versions add", () => {
    const { tolerance: _, ...older } = FULL;
    localStorage.setItem("sonar.campaign-draft", JSON.stringify({ version: 1, draft: older }));
    expect(load()).toEqual(FULL);
  });

  it("works where storage is forbidden", () => {
    const forbidden = {
      setItem: () => {
        throw new DOMException("denied", "SecurityError");
      },
      getItem: () => {
        throw new DOMException("denied", "SecurityError");
      },
    } as unknown as Storage;
    save(FULL, forbidden);
    expect(load(forbidden)).toEqual(EMPTY);
  });
});

it("encodes files of any bytes", async () => {
  expect(await base64(new File([new Uint8Array([0, 255, 10])], "a"))).toBe("AP8K");
  expect(await base64(new File([], "empty"))).toBe("");
});
