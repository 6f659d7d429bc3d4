/** The Capsule that evaluates this campaign, and its record. */

import { ETH, formatPpm, integer } from "../../shared/format";
import { Address, Amount, Facts, Identifier, Panel } from "../../shared/parts";
import { useApi } from "../../shared/query";
import { Empty, Loaded } from "../../shared/states";
import { allTime } from "../days";
import shared from "../parts.module.css";
import type { CampaignDetail, Capsule, Page, Statistics } from "../types";

export function CapsuleTab({ campaign }: { campaign: CampaignDetail }) {
  const capsules = useApi<Page<Capsule>>("/api/v1/capsules", { limit: 500 });
  const statistics = useApi<Statistics>("/api/v1/statistics", allTime());
  return (
    <div className={shared.halves}>
      <Panel
        title="Capsule"
        note="It measures every submission on the sealed validation set, and signs each verdict."
      >
        <Loaded query={capsules} what="The Capsule could not be loaded">
          {({ items }) => {
            const capsule = items.find(({ operator }) => same(operator, campaign.capsule));
            if (!capsule)
              return (
                <Empty title="Not registered any more">{`The operator ${campaign.capsule} has left the registry.`}</Empty>
              );
            return (
              <Facts
                items={[
                  ["Operator", <Address key="operator" address={capsule.operator} />],
                  ["Attestation key", <Address key="attester" address={capsule.attester} />],
                  [
                    "OpenPGP fingerprint",
                    <Identifier key="pgp" text={capsule.fingerprint} name="the fingerprint" />,
                  ],
                  ["Endpoint", capsule.endpoint],
                  ["Fee now", `${formatPpm(capsule.fee_ppm)} of the bounty`],
                  ["Stake", <Amount key="stake" value={capsule.stake} token={ETH} />],
                  ["Locked by campaigns", <Amount key="locked" value={capsule.locked} token={ETH} />],
                  ["Locked by this campaign", <Amount key="this" value={campaign.terms.stake} token={ETH} />],
                ]}
              />
            );
          }}
        </Loaded>
      </Panel>
      <Panel title="Record" note="All campaigns of this Capsule since the contracts exist.">
        <Loaded query={statistics} what="The record could not be loaded">
          {({ total }) => {
            const record = total.capsules.find(({ operator }) => same(operator, campaign.capsule));
            if (!record) return <Empty title="No record yet">This Capsule has settled nothing so far.</Empty>;
            const declined = record.declined
              .map(({ text, count }) => `${integer(count)} × ${text}`)
              .join("; ");
            return (
              <Facts
                items={[
                  ["Campaigns", integer(record.campaigns)],
                  ["Windows settled", integer(record.settled)],
                  ["Models delivered", integer(record.delivered ?? 0)],
                  ["Late", integer(record.late)],
                  ["Declined", declined || "none"],
                  ["Convictions", integer(record.convictions)],
                ]}
              />
            );
          }}
        </Loaded>
      </Panel>
    </div>
  );
}

function same(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
