/** Finished campaigns: models that were delivered, how good they are, what they cost, and who has them. */

import { IconCube } from "@tabler/icons-react";
import { type Column, DataTable } from "../shared/DataTable";
import { count, formatPoints, formatPpm, units } from "../shared/format";
import { Address, Amount, PageHead, Panel, Time } from "../shared/parts";
import { useApi } from "../shared/query";
import { Empty, Loaded, Loading } from "../shared/states";
import { useTokens } from "./data";
import { CampaignLink, RegimeChip, StateChip } from "./parts";
import shared from "./parts.module.css";
import type { CampaignSummary, Page, State } from "./types";

const DELIVERED: State[] = ["finalized", "released", "convicted"];
/** Parts per million in a point, which is one percentage point of accuracy. */
const POINT_PPM = 10_000n;

/** What a point of accuracy cost, in the token's smallest unit, rounded down; `null` if nothing was gained. */
export function costPerPoint({
  awarded,
  start_ppm: start,
  best_ppm: best,
  target_ppm: target,
}: CampaignSummary): bigint | null {
  if (start === null || best === null) return null;
  const gain = Math.min(best, target) - start;
  return gain > 0 ? (units(awarded) * POINT_PPM) / BigInt(gain) : null;
}

export function ModelsPage() {
  const query = useApi<Page<CampaignSummary>>("/api/v1/campaigns", { limit: 500 });
  const token = useTokens();
  const columns: Column<CampaignSummary>[] = [
    {
      id: "name",
      header: "Model",
      width: "minmax(220px, 1.6fr)",
      sort: row => row.name ?? "",
      cell: row => <CampaignLink id={row.id} name={row.name} />,
    },
    {
      id: "kind",
      header: "Kind",
      width: "minmax(230px, 1.1fr)",
      cell: row => (
        <span className={shared.chips}>
          <RegimeChip regime={row.regime} hint={false} />
          <StateChip state={row.state} hint={false} />
        </span>
      ),
    },
    {
      id: "accuracy",
      header: "Accuracy",
      end: true,
      width: "minmax(110px, 0.6fr)",
      sort: row => row.best_ppm ?? 0,
      cell: row => (row.best_ppm === null ? "–" : formatPpm(row.best_ppm)),
    },
    {
      id: "gain",
      header: "Gain",
      end: true,
      width: "minmax(90px, 0.5fr)",
      sort: row => (row.best_ppm ?? 0) - (row.start_ppm ?? 0),
      cell: row => formatPoints((row.best_ppm ?? 0) - (row.start_ppm ?? 0)),
    },
    {
      id: "cost",
      header: "Paid to miners",
      end: true,
      width: "minmax(150px, 0.8fr)",
      sort: row => units(row.awarded),
      cell: row => <Amount value={row.awarded} token={token(row.token)} places={2} />,
    },
    {
      id: "point",
      header: "Cost of a point",
      end: true,
      width: "minmax(150px, 0.8fr)",
      sort: row => costPerPoint(row) ?? 0n,
      cell: row => {
        const cost = costPerPoint(row);
        return cost === null ? "–" : <Amount value={cost} token={token(row.token)} places={2} />;
      },
    },
    {
      id: "owner",
      header: "Ask the owner",
      end: true,
      width: "minmax(180px, 0.9fr)",
      cell: row => <Address address={row.owner} />,
    },
    {
      id: "opened",
      header: "Launched",
      end: true,
      width: "minmax(100px, 0.5fr)",
      sort: row => row.opened_at,
      cell: row => <Time unix={row.opened_at} />,
    },
  ];
  return (
    <>
      <PageHead title="Models">
        Models that campaigns have delivered. Each went, sealed, to the data scientist who paid for it; in the
        clear regime anyone can read it.
      </PageHead>
      <Loaded query={query} what="The models could not be loaded" loading={<Loading lines={6} height={44} />}>
        {page => {
          const models = page.items.filter(({ state }) => DELIVERED.includes(state));
          return (
            <Panel title={count(models.length, "model")} flush>
              {models.length === 0 ? (
                <Empty icon={<IconCube size={28} stroke={1.5} />} title="No model was delivered yet">
                  When a campaign reaches its target or its deadline, the Capsule delivers the model and it
                  appears here.
                </Empty>
              ) : (
                <DataTable label="Models" columns={columns} rows={models} id={row => row.id} />
              )}
            </Panel>
          );
        }}
      </Loaded>
    </>
  );
}
