/** What the model predicts, from which columns, and the terms that never change. */

import { duration, ETH, formatPpm, integer } from "../../shared/format";
import { Address, Amount, Facts, Identifier, Panel, Time } from "../../shared/parts";
import { Empty } from "../../shared/states";
import { useTokens } from "../data";
import { RegimeChip } from "../parts";
import shared from "../parts.module.css";
import type { CampaignDetail, Manifest } from "../types";
import css from "./campaign.module.css";

const METRICS: Record<string, string> = {
  accuracy: "Accuracy: the share of correct answers",
  r2: "R²: the share of explained variance",
};

export function About({ campaign }: { campaign: CampaignDetail }) {
  const token = useTokens()(campaign.token);
  const { terms, manifest } = campaign;
  return (
    <div className={shared.halves}>
      {manifest ? (
        <Data manifest={manifest} />
      ) : (
        <Panel title="Data">
          <Empty title="No manifest">The server could not fetch it from IPFS yet.</Empty>
        </Panel>
      )}
      <Panel title="Terms" note="On chain, and fixed since the launch.">
        <Facts
          items={[
            ["Owner", <Address key="owner" address={terms.owner} />],
            ["Bounty", <Amount key="bounty" value={terms.bounty} token={token} places={18} />],
            ["Target", `${formatPpm(terms.target_ppm)} pays the full bounty`],
            ["Grid", `${formatPpm(terms.grid_ppm)}: accuracies are published in these steps`],
            ["Start", `${formatPpm(terms.start_ppm)} claimed, tolerance ${formatPpm(terms.tolerance_ppm)}`],
            ["Deadline", <Time key="deadline" unix={terms.deadline} />],
            [
              "Submissions",
              `${integer(terms.max_submissions)} at most, ${integer(terms.max_accepts)} accepted, ${integer(terms.cap_per_version)} of one miner per version`,
            ],
            ["Window", `${integer(terms.window_size)} submissions or ${duration(terms.window_seconds)}`],
            [
              "Stake of a submission",
              <Amount key="stake" value={terms.submission_stake} token={ETH} places={18} />,
            ],
            ["Capsule", <Address key="capsule" address={terms.capsule} />],
            ["Fee of the Capsule", `${formatPpm(terms.fee_ppm)} of the bounty`],
            ["Stake of the Capsule", <Amount key="locked" value={terms.stake} token={ETH} places={18} />],
            ["Time to evaluate", duration(terms.evaluation_seconds)],
            ["Time to deliver", duration(terms.delivery_seconds)],
            ["Audit period", duration(terms.audit_seconds)],
            ["Manifest", <Identifier key="manifest" text={terms.manifest} name="the CID of the manifest" />],
            ["Campaign id", <Identifier key="id" text={campaign.id} name="the campaign id" />],
          ]}
        />
      </Panel>
    </div>
  );
}

function Data({ manifest }: { manifest: Manifest }) {
  const { data, method } = manifest;
  const classes = data.task.kind === "classification" ? data.task.classes : [];
  return (
    <Panel
      title="Data and model"
      note="What a Mine's data must look like. The validation set itself is sealed to the Capsule."
    >
      <div className={shared.grid}>
        <Facts
          items={[
            ["Predicts", `${data.target} (${data.task.kind})`],
            ...(classes.length > 0 ? ([["Classes", classes.join(", ")]] as [string, string][]) : []),
            ...(data.range
              ? ([["Range", `${data.range.min} to ${data.range.max}`]] as [string, string][])
              : []),
            ["Metric", METRICS[manifest.metric] ?? manifest.metric],
            ["Regime", <RegimeChip key="regime" regime={method.regime} />],
            ["Model", modelText(method)],
          ]}
        />
        <div>
          <p className={shared.muted} style={{ margin: "0 0 8px" }}>
            {integer(data.inputs.length)} input columns with their ranges
          </p>
          <ul className={css.columnsList} tabIndex={0} aria-label="Input columns">
            {data.inputs.map(({ name, min, max }) => (
              <li key={name}>
                {name}{" "}
                <span>
                  {min}…{max}
                </span>
              </li>
            ))}
          </ul>
        </div>
      </div>
    </Panel>
  );
}

/** The kind of the model, as far as the manifest names it in a way that all families share. */
function modelText(method: Manifest["method"]): string {
  if (method.regime === "clear") return `Network${kindOf(method.network)}`;
  return `Linear model${kindOf(method.features)}${method.backbone ? ", on the activations of a public network" : ""}`;
}

function kindOf(part: unknown): string {
  if (typeof part !== "object" || part === null) return "";
  const { kind } = part as { kind?: unknown };
  return typeof kind === "string" ? ` (${kind})` : "";
}
