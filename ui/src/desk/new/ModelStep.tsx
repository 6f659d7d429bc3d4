/** Step 3: regime and family, with what each means for whom. */

import { Select, TextInput } from "@mantine/core";
import { IconLock, IconWorld } from "@tabler/icons-react";
import { type ReactNode, useState } from "react";
import { formatBytes } from "../../shared/format";
import { Notice } from "../../shared/states";
import { type Draft, type Features, isRandom } from "./draft";
import type { StepProps } from "./host";
import { held } from "./store";
import css from "./wizard.module.css";

interface RegimeWords {
  value: Draft["regime"];
  title: string;
  icon: ReactNode;
  facts: [string, string][];
}

const REGIMES: RegimeWords[] = [
  {
    value: "encrypted",
    title: "Encrypted",
    icon: <IconLock size={18} />,
    facts: [
      ["Who can read the model", "You and the Capsule"],
      ["What is trained", "A linear model on fixed features"],
      ["Images", "Good on small ones"],
      ["Updates", "Larger, and slower to compute"],
      ["Choose it", "if you want to be the only owner"],
    ],
  },
  {
    value: "clear",
    title: "Clear",
    icon: <IconWorld size={18} />,
    facts: [
      ["Who can read the model", "Everybody, every version"],
      ["What is trained", "A network, all its layers"],
      ["Images", "Best: convolutions are trained"],
      ["Updates", "Small and fast"],
      ["Choose it", "if the accuracy matters most"],
    ],
  },
];

const FEATURES: { value: Features | "auto"; label: string; random?: true }[] = [
  { value: "auto", label: "Chosen for the data" },
  { value: "identity", label: "The columns as they are" },
  { value: "polynomial", label: "Columns and products of two" },
  { value: "random-relu", label: "Random ReLU features" },
  { value: "random-conv", label: "Random convolutions (images)" },
];

export function ModelStep({ draft, dispatch, problems }: StepProps) {
  const change = (changes: Partial<Draft>) => dispatch({ type: "change", changes });
  return (
    <>
      <fieldset className={css.cards}>
        <legend className={css.label}>Regime</legend>
        {REGIMES.map(({ value, title, icon, facts }) => (
          <label key={value} className={css.card} data-chosen={draft.regime === value || undefined}>
            <span className={css.cardHead}>
              <input
                type="radio"
                name="regime"
                value={value}
                checked={draft.regime === value}
                onChange={() => change({ regime: value })}
              />
              {icon}
              <strong>{title}</strong>
            </span>
            <span className={css.cardFacts}>
              {facts.map(([name, text]) => (
                <span key={name}>
                  <small>{name}</small> {text}
                </span>
              ))}
            </span>
          </label>
        ))}
      </fieldset>
      {draft.regime === "clear" && (
        <Notice tone="warn">
          The finished model is delivered to you, but anyone who keeps the last public version has one that is
          nearly as good.
        </Notice>
      )}
      {draft.regime === "encrypted" ? (
        <div className={css.pair}>
          <Select
            label="Features that the model reads"
            data={FEATURES.map(({ value, label }) => ({ value, label }))}
            value={draft.features === "" ? "auto" : draft.features}
            onChange={value =>
              change({ features: (value === "auto" || value === null ? "" : value) as Features })
            }
            error={problems.features}
            allowDeselect={false}
          />
          {isRandom(draft.features) && (
            <TextInput
              label="Number of features"
              description="More cost traffic and time."
              inputMode="numeric"
              value={draft.featureCount}
              onChange={event => change({ featureCount: event.currentTarget.value })}
              error={problems.featureCount}
            />
          )}
        </div>
      ) : (
        <TextInput
          label="Network"
          description="Such as mlp:64,32 (layers) or cnn:16,32 (channels, for images). Empty: chosen for the data."
          value={draft.network}
          onChange={event => change({ network: event.currentTarget.value.trim() })}
          error={problems.network}
        />
      )}
      <InitialModel draft={draft} change={change} />
    </>
  );
}

function InitialModel({ draft, change }: { draft: Draft; change: (changes: Partial<Draft>) => void }) {
  const [file, setFile] = useState(held.initial);
  const choose = (chosen: File | null) => {
    held.initial = chosen;
    setFile(chosen);
    change({ initial: chosen?.name ?? "" });
  };
  return (
    <details className={css.more} open={draft.initial !== ""}>
      <summary>Start from your own model (optional)</summary>
      <div>
        <p className={css.hint}>
          A safetensors file of the same kind, such as the result of an earlier campaign. Without it the start
          is a model that gives the same answer for every row. Mines without a privacy budget refuse a given
          start.
        </p>
        {draft.initial !== "" && file === null && (
          <Notice tone="warn">
            Choose <b>{draft.initial}</b> again, or remove it: files are not kept in the browser.
          </Notice>
        )}
        <div className={css.fileRow}>
          <input
            type="file"
            accept=".safetensors"
            aria-label="Starting model"
            onChange={event => choose(event.currentTarget.files?.[0] ?? null)}
          />
          {draft.initial !== "" && (
            <>
              <span>
                {draft.initial}
                {file && ` (${formatBytes(file.size)})`}
              </span>
              <button type="button" className={css.textButton} onClick={() => choose(null)}>
                Remove
              </button>
            </>
          )}
        </div>
      </div>
    </details>
  );
}
