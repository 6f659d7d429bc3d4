/** What each party can learn, and the leak meter: what public verdicts have disclosed, and what is left. */

import { formatBits, integer } from "../../shared/format";
import { Chip, Facts, Panel } from "../../shared/parts";
import { useApi } from "../../shared/query";
import { Loaded, Notice } from "../../shared/states";
import shared from "../parts.module.css";
import type { Privacy } from "../types";
import css from "./campaign.module.css";

export function PrivacyTab({ id }: { id: string }) {
  const query = useApi<Privacy>(`/api/v1/campaigns/${id}/privacy`);
  return (
    <Loaded query={query} what="The privacy statement could not be loaded">
      {privacy => (
        <div className={shared.grid}>
          <div className={shared.halves}>
            <LeakMeter privacy={privacy} />
            <Updates privacy={privacy} />
          </div>
          <Panel title="Who learns what">
            <div className={css.parties}>
              {privacy.parties.map(({ party, learns, never_learns, rests_on }) => (
                <section className={css.party} key={party}>
                  <h3>{party}</h3>
                  <dl>
                    <div>
                      <dt>Learns</dt>
                      <dd>{learns}</dd>
                    </div>
                    <div>
                      <dt>Never learns</dt>
                      <dd>{never_learns}</dd>
                    </div>
                    <div>
                      <dt>That rests on</dt>
                      <dd>{rests_on}</dd>
                    </div>
                  </dl>
                </section>
              ))}
            </div>
          </Panel>
          <Panel
            title="Hardness"
            note="Work of the best known attack, as a power of two, each under its cost model."
          >
            <Facts
              items={privacy.security.map(({ what, bits, cost_model }) => [
                `${bits} bit · ${cost_model}`,
                what,
              ])}
            />
          </Panel>
        </div>
      )}
    </Loaded>
  );
}

/** A sentence about whether the model is secret. */
export function secrecy({ regime, model }: Privacy): string {
  const weights = integer(model.weights);
  if (regime === "clear") return `The model is not secret: anyone can read its ${weights} weights.`;
  if (model.secret)
    return `The model's ${weights} weights stay secret from everyone except Capsule and data scientist.`;
  return `The model is not secret: it has ${weights} weights, and public verdicts disclose too much about a model with fewer than ${integer(model.least_weights)}.`;
}

function LeakMeter({ privacy }: { privacy: Privacy }) {
  const { transcript, regime } = privacy;
  const about = regime === "clear" ? "the validation set" : "model and keys";
  const share = (bits: number) => `${Math.min(100, (bits / transcript.hard_limit) * 100)}%`;
  return (
    <Panel title="Leak meter" note={`What public verdicts can disclose about ${about}.`}>
      <div className={css.meter}>
        <div className={css.meterTrack} aria-hidden="true">
          <div style={{ width: share(transcript.spent) }} />
          <div style={{ width: share(transcript.left) }} />
        </div>
        <div className={css.meterText}>
          <span>
            <strong>{formatBits(transcript.spent)}</strong> disclosed so far
          </span>
          <span>
            <strong>{formatBits(transcript.left)}</strong> left
          </span>
          <span>
            <strong>{formatBits(transcript.allowed)}</strong> allowed in this campaign
          </span>
          <span>
            never more than <strong>{formatBits(transcript.hard_limit)}</strong>
          </span>
        </div>
      </div>
      <div style={{ marginTop: 16 }}>
        <Notice tone={privacy.model.secret ? "good" : "info"}>{secrecy(privacy)}</Notice>
      </div>
      {privacy.model.public_weights > 0 && (
        <p className={shared.muted}>
          It reads the activations of a public network with {integer(privacy.model.public_weights)} weights.
        </p>
      )}
    </Panel>
  );
}

function Updates({ privacy: { updates } }: { privacy: Privacy }) {
  const { encryption } = updates;
  return (
    <Panel title="Updates" note="What updates disclose about a Mine's data to the Capsule.">
      <Facts
        items={[
          ["Updates of one Mine", `${integer(updates.most_uploads)} at most`],
          ...(encryption
            ? ([
                ["Averages computable", `from ${integer(encryption.solvable_from)} exact updates`],
                [
                  "Ciphertexts",
                  `ε ≤ ${encryption.ciphertext_epsilon.toFixed(2)} at δ = ${encryption.ciphertext_delta.toExponential(0)}, in addition`,
                ],
              ] as [string, string][])
            : ([["Accepted updates", "everybody learns what they changed"]] as [string, string][])),
        ]}
      />
      <p className={shared.muted} style={{ marginBottom: 0 }}>
        A Mine can bound both with its own privacy budget. <Chip tone="accent">ε</Chip> limits how much an
        observer's odds about one row can change: at most by the factor e^ε.
      </p>
    </Panel>
  );
}
