/** How to take part in a campaign with own data. */

import { config } from "../../shared/config";
import { ETH, formatPpm, integer } from "../../shared/format";
import { Amount, Command, Panel } from "../../shared/parts";
import { Notice } from "../../shared/states";
import shared from "../parts.module.css";
import type { CampaignDetail } from "../types";
import css from "./campaign.module.css";

export function Join({ campaign }: { campaign: CampaignDetail }) {
  const { manifest, terms } = campaign;
  const rpc = config.publicRpc || "RPC_URL";
  const columns = manifest ? [...manifest.data.inputs.map(({ name }) => name), manifest.data.target] : [];
  return (
    <div className={shared.columns}>
      <Panel
        title="Join with your own data"
        note="Your data stays on your machine. A Mine trains there and sends an update that only the Capsule can open."
      >
        {campaign.state !== "open" && (
          <Notice tone="warn">
            This campaign takes no submissions now. The steps work for the next one.
          </Notice>
        )}
        <ol className={css.steps} style={{ marginTop: 16 }}>
          <li>
            <div>
              <p>Create a wallet and an encrypted store, and choose a policy.</p>
              <Command>{`mine init --rpc ${rpc} --sonar ${window.location.origin}`}</Command>
            </div>
          </li>
          <li>
            <div>
              <p>
                Add a CSV file with a header line. Its columns must have the names below; others are ignored.
              </p>
              <Command>mine data add mydata FILE.csv</Command>
            </div>
          </li>
          <li>
            <div>
              <p>See whether your data fits this campaign, and why not.</p>
              <Command>mine campaigns</Command>
            </div>
          </li>
          <li>
            <div>
              <p>Serve campaigns. The Mine trains, submits and earns until you stop it.</p>
              <Command>mine run</Command>
            </div>
          </li>
        </ol>
      </Panel>
      <div className={shared.grid}>
        <Panel title="What it pays">
          <p style={{ margin: 0 }}>
            Each gain of accuracy pays its share of the bounty at once when the Capsule settles. Only updates
            that raise the best accuracy by at least {formatPpm(terms.grid_ppm)} are accepted. Each submission
            deposits <Amount value={terms.submission_stake} token={ETH} places={18} />: an accepted update
            gets it back, one that does not improve the model pays an eighth of it, and one that breaks the
            rules pays all of it.
          </p>
        </Panel>
        <Panel title={columns.length > 0 ? `${integer(columns.length)} columns` : "Columns"}>
          {columns.length > 0 ? (
            <ul className={css.columnsList} tabIndex={0} aria-label="Columns">
              {columns.map(name => (
                <li key={name}>{name}</li>
              ))}
            </ul>
          ) : (
            <p className={shared.muted}>The manifest with the columns is not available yet.</p>
          )}
        </Panel>
      </div>
    </div>
  );
}
