import { fireEvent, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it, vi } from "vitest";
import { renderPage } from "../../test/render";
import { ApiError } from "./api";
import { AccuracyChart, type AccuracyPoint } from "./chart/AccuracyChart";
import { nearestIndex, timeTicks } from "./chart/ticks";
import { type Column, DataTable, sortRows } from "./DataTable";
import { ETH } from "./format";
import { LiveIndicator } from "./LiveIndicator";
import { pauseSwitch } from "./live";
import { Amount } from "./parts";
import { ErrorPanel } from "./states";

const point = (number: number, verdict: AccuracyPoint["verdict"], best: number): AccuracyPoint => ({
  number,
  time: 1_000 * number,
  best_ppm: best,
  spent: "1",
  verdict,
  delta_ppm: verdict === "accepted" ? 100_000 : null,
  amount: verdict === "accepted" ? "1000000000000000000" : null,
  miner: "0x11a76e9f690b0c012fdb36215820f67cd3b73c17",
});

const chart = (
  <AccuracyChart
    points={[point(1, "accepted", 200_000), point(2, "rejected", 200_000), point(3, "accepted", 300_000)]}
    submissions={3}
    complete
    start={100_000}
    startTime={0}
    target={900_000}
    bounty="10000000000000000000"
    token={ETH}
    csv="/x.csv"
  />
);

const plain = (text: string | null) => (text ?? "").replaceAll("\u00a0", " ");

describe("the accuracy chart", () => {
  it("says in a sentence what it shows", async () => {
    await renderPage(chart);
    expect(plain(document.body.textContent)).toContain(
      "Best accuracy rose from 10.0 % to 30.0 % over 3 submissions; target 90.0 %.",
    );
  });

  it("reads its points to those who use the arrow keys", async () => {
    await renderPage(chart);
    const group = screen.getByRole("group", { name: /Best accuracy/ });
    const said = () => plain(group.querySelector("[aria-live]")?.textContent ?? "");
    fireEvent.keyDown(group, { key: "ArrowRight" });
    expect(said()).toBe("Submission 1 by 0x11a7…3c17: accepted, +10 points, best 20.0 %, earned 1 ETH");
    fireEvent.keyDown(group, { key: "ArrowRight" });
    expect(said()).toContain("Submission 2 by 0x11a7…3c17: rejected");
    fireEvent.keyDown(group, { key: "End" });
    expect(said()).toContain("Submission 3");
    fireEvent.keyDown(group, { key: "Escape" });
    expect(said()).toBe("");
  });

  it("has a table with the same figures", async () => {
    await renderPage(chart);
    await userEvent.click(screen.getByRole("button", { name: "Table" }));
    expect(screen.getAllByRole("row")).toHaveLength(4);
    expect(screen.getByRole("link", { name: "CSV" })).toHaveAttribute("href", "/x.csv");
  });
});

describe("ticks", () => {
  it("are round times", () => {
    const ticks = timeTicks(1_000, 10_000, 6);
    expect(ticks.every(tick => tick % 1_800 === 0 && tick >= 1_000 && tick <= 10_000)).toBe(true);
    expect(ticks.length).toBeGreaterThan(2);
  });

  it("find the nearest point", () => {
    expect(nearestIndex([0, 10, 20], 14)).toBe(1);
    expect(nearestIndex([0, 10, 20], 16)).toBe(2);
    expect(nearestIndex([0, 10, 20], 99)).toBe(2);
    expect(nearestIndex([], 1)).toBeNull();
  });
});

describe("tables", () => {
  const columns: Column<{ id: string; amount: bigint }>[] = [
    { id: "id", header: "Name", cell: row => row.id },
    { id: "amount", header: "Amount", cell: row => row.amount.toString(), sort: row => row.amount },
  ];
  const rows = [
    { id: "a", amount: 9007199254740993n },
    { id: "b", amount: 9007199254740992n },
  ];

  it("sort amounts that a float could not tell apart", () => {
    expect(sortRows(rows, columns, { column: "amount", down: false }).map(({ id }) => id)).toEqual([
      "b",
      "a",
    ]);
  });

  it("say how they are sorted", async () => {
    await renderPage(<DataTable label="Rows" columns={columns} rows={rows} id={row => row.id} />);
    await userEvent.click(screen.getByRole("button", { name: /Amount/ }));
    expect(screen.getByRole("columnheader", { name: /Amount/ })).toHaveAttribute("aria-sort", "descending");
  });
});

it("an amount that is cut shows all its digits on focus", async () => {
  await renderPage(<Amount value="1234567890000000001" token={ETH} />);
  const amount = screen.getByText(/1.2345…/);
  expect(amount).toHaveAttribute("tabindex", "0");
  fireEvent.focusIn(amount);
  expect(plain((await screen.findByRole("tooltip")).textContent)).toBe("1.234567890000000001 ETH");
});

it("an error says what, why and what to do, and can be tried again", async () => {
  const retry = vi.fn();
  const problem = { title: "T", status: 504, code: "TIMED_OUT", detail: "the request took longer than 30 s" };
  await renderPage(
    <ErrorPanel error={new ApiError(problem, "GET /x")} what="The list could not be loaded" retry={retry} />,
  );
  const alert = screen.getByRole("alert");
  for (const text of ["The list could not be loaded", "TIMED_OUT", "took longer than 30 s", "overloaded"]) {
    expect(alert).toHaveTextContent(text);
  }
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  expect(retry).toHaveBeenCalledOnce();
});

it("the live indicator names the dead link, and pauses updates", async () => {
  const view = {
    tone: "stale" as const,
    label: "Chain down",
    place: "block 12",
    seen: 0,
    detail: "The server cannot reach its chain node",
  };
  await renderPage(<LiveIndicator view={view} />);
  await userEvent.click(screen.getByRole("button", { name: /Chain down/ }));
  expect(await screen.findByText("The server cannot reach its chain node")).toBeVisible();
  await userEvent.click(screen.getByRole("button", { name: "Pause updates" }));
  expect(pauseSwitch.paused).toBe(true);
  expect(screen.getByRole("button", { name: /Paused/ })).toBeVisible();
  pauseSwitch.set(false);
});
