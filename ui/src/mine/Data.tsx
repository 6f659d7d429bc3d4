/** Data sets: names, rows, columns and statistics. Rows never leave the vault, not even for this page. */

import { type Column, DataTable } from "../shared/DataTable";
import { count, formatBytes, integer } from "../shared/format";
import { Chip, Command, PageHead, Panel, Time } from "../shared/parts";
import { Empty, Loaded, Notice } from "../shared/states";
import { type DataColumn, type DataSet, useData } from "./data";
import css from "./mine.module.css";

export function Page() {
  const data = useData();
  return (
    <>
      <PageHead title="Data">
        Your data sets with the statistics that decide which campaigns they fit. No row is shown here.
      </PageHead>
      <Loaded query={data} what="The data sets cannot be loaded">
        {({ items }) =>
          items.length === 0 ? (
            <Panel title="Data sets">
              <Empty title="No data set yet" action={<Command>mine data add NAME FILE.csv</Command>}>
                Add a CSV file in a terminal. It is encrypted, and stays on this machine.
              </Empty>
            </Panel>
          ) : (
            <div className={css.grid}>
              <Notice>
                This page is read-only. To add or remove data, use{" "}
                <code className={css.code}>mine data add</code> and{" "}
                <code className={css.code}>mine data remove</code>.
              </Notice>
              {items.map(set => (
                <Card key={set.name} set={set} />
              ))}
            </div>
          )
        }
      </Loaded>
    </>
  );
}

function Card({ set }: { set: DataSet }) {
  return (
    <Panel
      title={set.name}
      note={
        <>
          {count(set.rows, "row")}, {count(set.columns.length, "column")}, {formatBytes(set.bytes)} as CSV,
          added <Time unix={set.added} />
        </>
      }
      flush
    >
      <DataTable
        label={`Columns of ${set.name}`}
        columns={COLUMNS}
        rows={set.columns}
        id={column => column.name}
        height={420}
      />
    </Panel>
  );
}

const KINDS: Record<NonNullable<DataColumn["kind"]>, string> = {
  number: "Number",
  labels: "Labels",
  text: "Text",
};

function bound(value: number | null): string {
  return value === null ? "–" : String(value);
}

const COLUMNS: Column<DataColumn>[] = [
  {
    id: "name",
    header: "Column",
    width: "minmax(160px, 1.5fr)",
    sort: column => column.name,
    cell: column => <code className={css.code}>{column.name}</code>,
  },
  {
    id: "kind",
    header: "Kind",
    sort: column => column.kind ?? "",
    cell: column => <Chip>{column.kind === null ? "Unknown" : KINDS[column.kind]}</Chip>,
  },
  { id: "min", header: "Minimum", end: true, cell: column => bound(column.min) },
  { id: "max", header: "Maximum", end: true, cell: column => bound(column.max) },
  {
    id: "labels",
    header: "Different labels",
    end: true,
    cell: column => (column.labels === null ? "–" : integer(column.labels)),
  },
];
