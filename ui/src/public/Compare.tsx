/** Two to five campaigns side by side: first the figures, then their curves on the share of the bounty that was earned. */

import { IconColumns3 } from "@tabler/icons-react";
import { useQueries } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { get } from "../shared/api";
import { CurvesChart } from "../shared/chart/CurvesChart";
import { Swatch } from "../shared/chart/frame";
import { duration, formatPoints, formatPpm, integer, sharePpm } from "../shared/format";
import { Amount, PageHead, Panel } from "../shared/parts";
import { useSearchState } from "../shared/search";
import { Empty, ErrorPanel, Loading } from "../shared/states";
import css from "./Compare.module.css";
import { useTokens } from "./data";
import { costPerPoint } from "./Models";
import { CampaignLink, campaignName, RegimeChip, StateChip } from "./parts";
import shared from "./parts.module.css";
import type { CampaignDetail, Series } from "./types";

const COLOURS = [
  "var(--series-accuracy)",
  "var(--series-spend)",
  "var(--series-paid)",
  "var(--series-refunded)",
  "var(--series-rejected)",
];
const MAX = COLOURS.length;

export function ComparePage() {
  const [search] = useSearchState();
  const ids = (search.ids ?? "")
    .split(",")
    .filter(id => id !== "")
    .slice(0, MAX);
  const details = useQueries({
    queries: ids.map(id => ({
      queryKey: [`/api/v1/campaigns/${id}`, {}],
      queryFn: () => get<CampaignDetail>(`/api/v1/campaigns/${id}`),
    })),
  });
  const series = useQueries({
    queries: ids.map(id => ({
      queryKey: [`/api/v1/campaigns/${id}/series`, {}],
      queryFn: () => get<Series>(`/api/v1/campaigns/${id}/series`),
    })),
  });
  const failed = details.find(({ error }) => error)?.error;
  const campaigns = details.flatMap(({ data }) => (data ? [data] : []));
  return (
    <>
      <PageHead title="Compare campaigns">
        What differs is in bold; what is the same in all of them is grey.
      </PageHead>
      {ids.length < 2 ? (
        <Empty icon={<IconColumns3 size={28} stroke={1.5} />} title="Choose two campaigns or more">
          Tick up to five campaigns in the list, then press Compare.
        </Empty>
      ) : failed ? (
        <ErrorPanel error={failed} what="A campaign could not be loaded" />
      ) : campaigns.length < ids.length ? (
        <Loading lines={8} />
      ) : (
        <div className={shared.grid}>
          <Figures campaigns={campaigns} />
          <CurvesChart
            title="Accuracy for the share of the bounty that was earned"
            curves={campaigns.map((campaign, index) => ({
              name: campaignName(campaign),
              colour: COLOURS[index] as string,
              points: curve(campaign, series[index]?.data),
            }))}
          />
        </div>
      )}
    </>
  );
}

/** Points of a campaign's curve: share of the bounty in ppm, accuracy in ppm. */
function curve(campaign: CampaignDetail, series: Series | undefined): { x: number; y: number }[] {
  const start = campaign.start_ppm;
  if (start === null) return [];
  const accepted = (series?.points ?? []).filter(({ verdict }) => verdict === "accepted");
  return [
    { x: 0, y: start },
    ...accepted.map(point => ({
      x: sharePpm(point.spent, campaign.bounty) ?? 0,
      y: point.best_ppm ?? start,
    })),
  ];
}

interface Row {
  name: string;
  /** The value of a campaign, as it is shown and as it is compared. */
  value: (campaign: CampaignDetail) => { shown: ReactNode; compared: string };
}

function Figures({ campaigns }: { campaigns: CampaignDetail[] }) {
  const token = useTokens();
  const plain = (text: string) => ({ shown: text, compared: text });
  const amount = (value: string | bigint | null, campaign: CampaignDetail) =>
    value === null
      ? plain("–")
      : {
          shown: <Amount value={value} token={token(campaign.token)} />,
          compared: `${value} ${campaign.token}`,
        };
  const rows: Row[] = [
    { name: "State", value: c => ({ shown: <StateChip state={c.state} hint={false} />, compared: c.state }) },
    {
      name: "Regime",
      value: c => ({ shown: <RegimeChip regime={c.regime} hint={false} />, compared: c.regime ?? "" }),
    },
    { name: "Start", value: c => plain(c.start_ppm === null ? "–" : formatPpm(c.start_ppm)) },
    { name: "Best", value: c => plain(c.best_ppm === null ? "–" : formatPpm(c.best_ppm)) },
    { name: "Target", value: c => plain(formatPpm(c.target_ppm)) },
    {
      name: "Gain",
      value: c =>
        plain(c.best_ppm === null || c.start_ppm === null ? "–" : formatPoints(c.best_ppm - c.start_ppm)),
    },
    { name: "Bounty", value: c => amount(c.bounty, c) },
    { name: "Earned by miners", value: c => amount(c.awarded, c) },
    { name: "Cost of a point", value: c => amount(costPerPoint(c), c) },
    { name: "Submissions", value: c => plain(integer(c.submissions)) },
    { name: "Accepted", value: c => plain(integer(c.accepts)) },
    { name: "Miners", value: c => plain(integer(c.miners)) },
    { name: "Grid", value: c => plain(formatPpm(c.terms.grid_ppm)) },
    {
      name: "Window",
      value: c => plain(`${integer(c.terms.window_size)} or ${duration(c.terms.window_seconds)}`),
    },
    { name: "Fee of the Capsule", value: c => plain(formatPpm(c.terms.fee_ppm)) },
    { name: "Input columns", value: c => plain(c.manifest ? integer(c.manifest.data.inputs.length) : "–") },
  ];
  return (
    <Panel title="Figures" flush>
      <div className={css.scroll} tabIndex={0} role="region" aria-label="Figures, table">
        <table className={css.table}>
          <thead>
            <tr>
              <th scope="col">
                <span className="visually-hidden">Figure</span>
              </th>
              {campaigns.map((campaign, index) => (
                <th scope="col" key={campaign.id}>
                  <span className={css.name}>
                    <Swatch colour={COLOURS[index] as string} />
                    <CampaignLink id={campaign.id} name={campaign.name} />
                  </span>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map(({ name, value }) => {
              const values = campaigns.map(value);
              const same = values.every(({ compared }) => compared === values[0]?.compared);
              return (
                <tr key={name} data-same={same || undefined}>
                  <th scope="row">{name}</th>
                  {values.map(({ shown }, index) => (
                    <td key={campaigns[index]?.id}>{same ? shown : <strong>{shown}</strong>}</td>
                  ))}
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}
