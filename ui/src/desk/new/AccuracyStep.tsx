/** Step 4: start and target. */

import { TextInput } from "@mantine/core";
import { formatPpm } from "../../shared/format";
import { Notice } from "../../shared/states";
import { Prose } from "../Prose";
import { type Draft, percent } from "./draft";
import type { StepProps } from "./host";
import css from "./wizard.module.css";

export function AccuracyStep({ draft, dispatch, problems }: StepProps) {
  const change = (changes: Partial<Draft>) => dispatch({ type: "change", changes });
  const metric =
    draft.data?.kind === "regression" ? "share of explained variance (R²)" : "share of correct answers";
  return (
    <>
      <div className={css.pair}>
        <TextInput
          label="Target accuracy"
          description={`In per cent; ${metric}.`}
          value={draft.goal}
          inputMode="decimal"
          rightSection={<span aria-hidden="true">%</span>}
          onChange={event => change({ goal: event.currentTarget.value })}
          error={problems.goal}
          required
        />
        <TextInput
          label="Accuracy of the start"
          description="Empty: measured by the launch."
          placeholder="measured"
          value={draft.start}
          inputMode="decimal"
          rightSection={<span aria-hidden="true">%</span>}
          onChange={event => change({ start: event.currentTarget.value })}
          error={problems.start}
        />
      </div>
      {draft.data?.baseline && (
        <p className={css.hint}>
          Without any model: <Prose text={draft.data.baseline} />. A useful target lies well above.
        </p>
      )}
      <Scale start={percent(draft.start)} goal={percent(draft.goal)} />
      {draft.start !== "" && (
        <Notice>
          The Capsule measures the start too, and declines the campaign if your claim is too far off. Leave it
          empty unless you have a reason.
        </Notice>
      )}
      <details className={css.more} open={draft.grid !== "" || draft.tolerance !== ""}>
        <summary>Steps and tolerance (optional)</summary>
        <div className={css.pair}>
          <TextInput
            label="Step"
            description="Accuracies are published and paid in this step. Empty: the finest that is safe."
            placeholder="chosen by the launch"
            value={draft.grid}
            inputMode="decimal"
            rightSection={<span aria-hidden="true">%</span>}
            onChange={event => change({ grid: event.currentTarget.value })}
            error={problems.grid}
          />
          <TextInput
            label="Tolerance"
            description="How far the measured start may be from the claim."
            placeholder="2"
            value={draft.tolerance}
            inputMode="decimal"
            rightSection={<span aria-hidden="true">%</span>}
            onChange={event => change({ tolerance: event.currentTarget.value })}
            error={problems.tolerance}
          />
        </div>
      </details>
    </>
  );
}

/** Start and target on a line from 0 to 100 %. */
function Scale({ start, goal }: { start: number | null; goal: number | null }) {
  if (goal === null || (start !== null && start >= goal)) return null;
  const share = (ppm: number) => `${ppm / 10_000}%`;
  return (
    <figure className={css.scale}>
      <div aria-hidden="true">
        <span
          style={{ left: start === null ? 0 : share(start), width: share(goal - (start ?? 0)) }}
          data-open={start === null || undefined}
        />
        <b style={{ left: share(goal) }} />
      </div>
      <figcaption>
        {start === null
          ? `Miners are paid for the gain from the measured start to ${formatPpm(goal)}.`
          : `Miners are paid for the gain from ${formatPpm(start)} to ${formatPpm(goal)}.`}
      </figcaption>
    </figure>
  );
}
