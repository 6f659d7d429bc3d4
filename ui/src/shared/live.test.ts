import { expect, it } from "vitest";
import { EventParser } from "./live";

it("joins events that arrive in pieces", () => {
  const parser = new EventParser();
  expect(parser.push("id: 5-1\nevent: sett")).toEqual([]);
  expect(parser.push('led\ndata: {"window":1}\n\n: keep-alive\n\nevent: open\n')).toEqual([
    { id: "5-1", name: "settled", data: { window: 1 } },
    { id: null, name: "", data: null },
  ]);
  expect(parser.push('data: {"block":3}\n\n')).toEqual([{ id: null, name: "open", data: { block: 3 } }]);
});

it("keeps data that is not JSON as text, and knows unnamed events", () => {
  expect(new EventParser().push("data: a\r\ndata: b\r\n\r\n")).toEqual([
    { id: null, name: "message", data: "a\nb" },
  ]);
});
