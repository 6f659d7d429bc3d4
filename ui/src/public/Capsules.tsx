/** Registered Capsules, what they ask for and what they have done. */

import { IconShieldHalf } from "@tabler/icons-react";
import { type Column, DataTable } from "../shared/DataTable";
import { count, ETH, formatPpm, integer, units } from "../shared/format";
import { Address, Amount, Chip, Identifier, PageHead, Panel } from "../shared/parts";
import { useApi } from "../shared/query";
import { Empty, Loaded, Loading } from "../shared/states";
import { allTime } from "./days";
import type { Capsule, CapsuleRecord, Page, Statistics } from "./types";

type Row = Capsule & { record: CapsuleRecord | undefined };

export function CapsulesPage() {
  const query = useApi<Page<Capsule>>("/api/v1/capsules", { limit: 500 });
  const statistics = useApi<Statistics>("/api/v1/statistics", allTime());
  const record = (operator: string) =>
    statistics.data?.total.capsules.find(one => one.operator.toLowerCase() === operator.toLowerCase());
  const columns: Column<Row>[] = [
    {
      id: "operator",
      header: "Operator",
      width: "minmax(190px, 1.1fr)",
      cell: row => <Address address={row.operator} />,
    },
    { id: "endpoint", header: "Endpoint", width: "minmax(150px, 1.2fr)", cell: row => row.endpoint || "–" },
    {
      id: "fee",
      header: "Fee",
      end: true,
      width: "minmax(80px, 0.4fr)",
      sort: row => row.fee_ppm,
      cell: row => formatPpm(row.fee_ppm),
    },
    {
      id: "stake",
      header: "Stake",
      end: true,
      width: "minmax(120px, 0.6fr)",
      sort: row => units(row.stake),
      cell: row => <Amount value={row.stake} token={ETH} />,
    },
    {
      id: "free",
      header: "Free stake",
      end: true,
      width: "minmax(120px, 0.6fr)",
      sort: row => units(row.stake) - units(row.locked),
      cell: row => <Amount value={units(row.stake) - units(row.locked)} token={ETH} />,
    },
    {
      id: "campaigns",
      header: "Campaigns",
      end: true,
      width: "minmax(110px, 0.5fr)",
      sort: row => row.record?.campaigns ?? 0,
      cell: row => integer(row.record?.campaigns ?? 0),
    },
    {
      id: "settled",
      header: "Settled",
      end: true,
      width: "minmax(100px, 0.5fr)",
      sort: row => row.record?.settled ?? 0,
      cell: row => integer(row.record?.settled ?? 0),
    },
    {
      id: "late",
      header: "Late",
      end: true,
      width: "minmax(80px, 0.4fr)",
      sort: row => row.record?.late ?? 0,
      cell: row => integer(row.record?.late ?? 0),
    },
    {
      id: "convictions",
      header: "Convictions",
      end: true,
      width: "minmax(120px, 0.5fr)",
      sort: row => row.record?.convictions ?? 0,
      cell: row =>
        row.record?.convictions ? <Chip tone="bad">{integer(row.record.convictions)}</Chip> : "0",
    },
    {
      id: "pgp",
      header: "OpenPGP",
      end: true,
      width: "minmax(170px, 0.8fr)",
      cell: row => <Identifier text={row.fingerprint} name="the fingerprint" />,
    },
  ];
  return (
    <>
      <PageHead title="Capsules">
        A Capsule holds the keys of a campaign, evaluates submissions on the sealed validation set and signs
        each verdict. Its stake is slashed when it cheats or misses a deadline.
      </PageHead>
      <Loaded
        query={query}
        what="The Capsules could not be loaded"
        loading={<Loading lines={4} height={44} />}
      >
        {({ items }) => (
          <Panel title={count(items.length, "registered Capsule")} flush>
            {items.length === 0 ? (
              <Empty icon={<IconShieldHalf size={28} stroke={1.5} />} title="No Capsule is registered">
                An operator registers one with `capsule register`; then campaigns can name it.
              </Empty>
            ) : (
              <DataTable
                label="Capsules"
                columns={columns}
                rows={items.map(capsule => ({ ...capsule, record: record(capsule.operator) }))}
                id={row => row.operator}
              />
            )}
          </Panel>
        )}
      </Loaded>
    </>
  );
}
