/**
 * Tables: sortable columns, and rows that exist only while they are visible, so that 10,000 of them scroll smoothly.
 * Narrow screens show each row as a card.
 */

import { useMediaQuery } from "@mantine/hooks";
import { IconArrowDown, IconArrowsSort, IconArrowUp } from "@tabler/icons-react";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type CSSProperties, type ReactNode, useEffect, useMemo, useRef, useState } from "react";
import css from "./DataTable.module.css";

export interface Column<Row> {
  id: string;
  header: string;
  cell: (row: Row) => ReactNode;
  /** Makes the column sortable in the page. */
  sort?: (row: Row) => number | bigint | string;
  /** For numbers. */
  end?: boolean;
  /** The cell's content takes all its width. */
  wide?: boolean;
  /** A track of CSS grid: `minmax(120px, 1fr)` unless given. */
  width?: string;
}

export interface Sorting {
  column: string;
  down: boolean;
}

interface TableProps<Row> {
  /** What the table lists, for screen readers. */
  label: string;
  columns: Column<Row>[];
  rows: Row[];
  id: (row: Row) => string | number;
  /** A state of the caller, for a state in the address; otherwise the table keeps its own. */
  sorting?: Sorting | null;
  onSort?: (sorting: Sorting) => void;
  /** Height in px above which the table scrolls by itself and renders visible rows only. */
  height?: number;
  rowHeight?: number;
  /** Called when the reader gets near the last row, to load more. */
  onEnd?: () => void;
  /** Below the rows: "1,204 of 1,204 submissions". */
  note?: ReactNode;
}

/** Below this number, all rows are rendered. */
const VIRTUAL_FROM = 60;
/** More rows are loaded when this many are left. */
const NEAR_END = 40;
/** Height of a line of a card, and of its padding, on narrow screens. */
const CARD_LINE = 30;
const CARD_PADDING = 26;

function compare(a: number | bigint | string, b: number | bigint | string): number {
  if (typeof a === "string" && typeof b === "string") return a.localeCompare(b);
  return a < b ? -1 : a > b ? 1 : 0;
}

export function sortRows<Row>(rows: Row[], columns: Column<Row>[], sorting: Sorting | null): Row[] {
  const key = columns.find(column => column.id === sorting?.column)?.sort;
  if (!key || !sorting) return rows;
  const sorted = rows.toSorted((a, b) => compare(key(a), key(b)));
  return sorting.down ? sorted.reverse() : sorted;
}

const TRACK = "minmax(120px, 1fr)";

/** The sum of what the columns need at least, so that all rows are equally wide when the table scrolls sideways. */
function leastWidth<Row>(columns: Column<Row>[]): number {
  return columns.reduce((sum, { width = TRACK }) => sum + Number(/\d+/.exec(width)?.[0] ?? 0), 0);
}

export function DataTable<Row>({
  label,
  columns,
  rows,
  id,
  sorting: given,
  onSort,
  height = 640,
  rowHeight = 46,
  onEnd,
  note,
}: TableProps<Row>) {
  const [own, setOwn] = useState<Sorting | null>(null);
  const sorting = given === undefined ? own : given;
  const sorted = useMemo(() => sortRows(rows, columns, sorting), [rows, columns, sorting]);
  const narrow = useMediaQuery("(max-width: 680px)", false, { getInitialValueInEffect: false }) ?? false;
  const scroll = useRef<HTMLDivElement>(null);
  const virtual = sorted.length > VIRTUAL_FROM;
  const lineHeight = narrow ? columns.length * CARD_LINE + CARD_PADDING : rowHeight;
  const virtualizer = useVirtualizer({
    count: virtual ? sorted.length : 0,
    getScrollElement: () => scroll.current,
    estimateSize: () => lineHeight,
    overscan: 12,
    getItemKey: index => {
      const row = sorted[index];
      return row === undefined ? index : id(row);
    },
  });
  const shown = virtual
    ? virtualizer.getVirtualItems().map(item => ({ index: item.index, start: item.start }))
    : sorted.map((_, index) => ({ index, start: null }));
  const last = shown.at(-1)?.index ?? 0;
  const ended = virtual && last >= sorted.length - NEAR_END;
  // biome-ignore lint/correctness/useExhaustiveDependencies: only when the end comes near
  useEffect(() => {
    if (ended) onEnd?.();
  }, [ended, sorted.length]);
  const style = {
    "--columns": columns.map(column => column.width ?? TRACK).join(" "),
    minWidth: narrow ? undefined : leastWidth(columns),
  } as CSSProperties;
  const toggle = (column: string) => {
    const next = { column, down: sorting?.column === column ? !sorting.down : true };
    setOwn(next);
    onSort?.(next);
  };

  return (
    <>
      <div
        ref={scroll}
        className={css.scroll}
        style={virtual ? { height } : undefined}
        tabIndex={0}
        role="region"
        aria-label={`${label}, table`}
      >
        <table className={css.table} style={style} role="table" aria-rowcount={sorted.length + 1}>
          <thead role="rowgroup">
            <tr className={css.row} role="row">
              {columns.map(column => (
                <Heading key={column.id} column={column} sorting={sorting} toggle={toggle} />
              ))}
            </tr>
          </thead>
          <tbody role="rowgroup" style={virtual ? { height: virtualizer.getTotalSize() } : undefined}>
            {shown.map(({ index, start }) => {
              const row = sorted[index];
              if (row === undefined) return null;
              const place =
                start === null ? undefined : { height: lineHeight, transform: `translateY(${start}px)` };
              return (
                <tr
                  key={id(row)}
                  className={css.row}
                  role="row"
                  data-virtual={virtual || undefined}
                  aria-rowindex={index + 2}
                  style={place}
                >
                  {columns.map(column => (
                    <td
                      key={column.id}
                      role="cell"
                      data-end={column.end || undefined}
                      data-wide={column.wide || undefined}
                    >
                      <span className={css.label} aria-hidden="true">
                        {column.header}
                      </span>
                      <div className={css.cell}>{column.cell(row)}</div>
                    </td>
                  ))}
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      {note && <div className={css.note}>{note}</div>}
    </>
  );
}

interface HeadingProps<Row> {
  column: Column<Row>;
  sorting: Sorting | null;
  toggle: (column: string) => void;
}

function Heading<Row>({ column, sorting, toggle }: HeadingProps<Row>) {
  const sorted = sorting?.column === column.id;
  const Icon = !sorted ? IconArrowsSort : sorting.down ? IconArrowDown : IconArrowUp;
  return (
    <th
      scope="col"
      role="columnheader"
      data-end={column.end || undefined}
      aria-sort={sorted ? (sorting.down ? "descending" : "ascending") : undefined}
    >
      {column.sort ? (
        <button
          type="button"
          className={css.sort}
          data-sorted={sorted || undefined}
          onClick={() => toggle(column.id)}
        >
          {column.header}
          <Icon size={13} />
        </button>
      ) : (
        column.header
      )}
    </th>
  );
}
