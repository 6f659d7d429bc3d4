// node --test tools/compare-gas.test.js
"use strict";
const assert = require("assert");
const fs = require("fs");
const os = require("os");
const path = require("path");
const test = require("node:test");
const { spawnSync } = require("child_process");

const tool = path.join(__dirname, "compare-gas");
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "gas-"));
test.after(() => fs.rmSync(folder, { recursive: true }));

// The exit status for these two snapshots; `undefined` is a missing file.
function compare(committed, measured) {
  const files = [committed, measured].map((content, index) => {
    const file = path.join(folder, `${index}.json`);
    fs.rmSync(file, { force: true });
    if (content !== undefined) fs.writeFileSync(file, content);
    return file;
  });
  const done = spawnSync(process.execPath, [tool, ...files], { encoding: "utf8" });
  return { status: done.status, said: done.stderr };
}

const SNAPSHOT = '{"open": "94375", "submit": "42478"}';

test("equal figures pass", () => assert.equal(compare(SNAPSHOT, SNAPSHOT).status, 0));

test("a figure that differs fails", () => {
  const { status, said } = compare(SNAPSHOT, SNAPSHOT.replace("94375", "94376"));
  assert.equal(status, 1);
  assert.match(said, /"open" costs 94376, the snapshot says 94375/);
});

test("a missing entry fails, on either side", () => {
  const less = '{"open": "94375"}';
  assert.match(compare(less, SNAPSHOT).said, /"submit" costs 42478, and the snapshot has no such entry/);
  assert.match(compare(SNAPSHOT, less).said, /"submit" is in the snapshot, and no test measures it/);
  assert.equal(compare(less, SNAPSHOT).status + compare(SNAPSHOT, less).status, 2);
});

test("a missing or empty file fails, on either side", () => {
  for (const bad of [undefined, "", "{}", "{"]) {
    assert.equal(compare(bad, SNAPSHOT).status, 1);
    assert.equal(compare(SNAPSHOT, bad).status, 1);
  }
});
