/** Who improved the model most. */

import { Link } from "@tanstack/react-router";
import { type Column, DataTable } from "../../shared/DataTable";
import { formatPoints, integer, roughPpm, units } from "../../shared/format";
import { Address, Amount, Panel, Time } from "../../shared/parts";
import { useApi } from "../../shared/query";
import { Empty, Loaded } from "../../shared/states";
import { useTokens } from "../data";
import shared from "../parts.module.css";
import type { CampaignDetail, Leaderboard, LeaderboardRow } from "../types";
import css from "./campaign.module.css";

export function LeaderboardTab({ campaign }: { campaign: CampaignDetail }) {
  const token = useTokens()(campaign.token);
  const query = useApi<Leaderboard>(`/api/v1/campaigns/${campaign.id}/leaderboard`, { limit: 100 });
  const most = Math.max(1, ...(query.data?.items ?? []).map(row => row.share_ppm ?? 0));
  const columns: Column<LeaderboardRow>[] = [
    {
      id: "rank",
      header: "Rank",
      width: "80px",
      cell: row => (
        <span className={css.rank} data-first={row.rank === 1 || undefined}>
          {row.rank}
        </span>
      ),
    },
    {
      id: "miner",
      header: "Miner",
      width: "minmax(200px, 1.3fr)",
      cell: row => <Address address={row.miner} to={`/miners/${row.miner}`} />,
    },
    {
      id: "accepted",
      header: "Accepted",
      width: "minmax(110px, 0.7fr)",
      end: true,
      sort: row => row.accepted,
      cell: row => (
        <Link className={shared.link} to="." search={{ tab: "submissions", miner: row.miner } as never}>
          {integer(row.accepted)} of {integer(row.submitted)}
        </Link>
      ),
    },
    {
      id: "delta",
      header: "Points",
      end: true,
      sort: row => row.delta_ppm,
      cell: row => formatPoints(row.delta_ppm),
    },
    {
      id: "earned",
      header: "Earned",
      end: true,
      width: "minmax(150px, 1fr)",
      sort: row => units(row.earned),
      cell: row => <Amount value={row.earned} token={token} />,
    },
    {
      id: "share",
      header: "Share",
      wide: true,
      end: true,
      width: "minmax(180px, 1fr)",
      sort: row => row.share_ppm ?? 0,
      cell: row => (
        <div className={css.share}>
          <div className={css.shareBar} aria-hidden="true">
            <div style={{ width: `${(100 * (row.share_ppm ?? 0)) / most}%` }} />
          </div>
          {row.share_ppm === null ? "–" : roughPpm(row.share_ppm)}
        </div>
      ),
    },
    {
      id: "seen",
      header: "Last seen",
      end: true,
      width: "minmax(110px, 0.6fr)",
      sort: row => row.last_seen,
      cell: row => <Time unix={row.last_seen} />,
    },
  ];
  return (
    <Panel title="Leaderboard" flush>
      <Loaded query={query} what="The leaderboard could not be loaded">
        {board =>
          board.items.length === 0 ? (
            <Empty title="No submissions yet">
              The first miner whose update improves the model appears here.
            </Empty>
          ) : (
            <DataTable
              label="Leaderboard"
              columns={columns}
              rows={board.items}
              id={row => row.miner}
              note={board.note || "Addresses, not people: one person can use several."}
            />
          )
        }
      </Loaded>
    </Panel>
  );
}
