/** Step 1: name and purpose. */

import { Textarea, TextInput } from "@mantine/core";
import type { StepProps } from "./host";
import css from "./wizard.module.css";

export function TaskStep({ draft, dispatch, problems }: StepProps) {
  const change = (changes: Partial<StepProps["draft"]>) => dispatch({ type: "change", changes });
  return (
    <>
      <TextInput
        label="Name"
        placeholder="Breast cancer screening"
        value={draft.name}
        onChange={event => change({ name: event.currentTarget.value })}
        error={problems.name}
        maxLength={120}
        required
      />
      <Textarea
        label="Description"
        description="What the model predicts, from what, and what you will use it for."
        placeholder="Malignant or benign, from 30 measurements of cell nuclei"
        value={draft.description}
        onChange={event => change({ description: event.currentTarget.value })}
        rows={4}
        maxLength={2000}
      />
      <details className={css.more} open={draft.organisation !== "" || draft.link !== ""}>
        <summary>Organisation (optional)</summary>
        <div>
          <div className={css.pair}>
            <TextInput
              label="Organisation"
              description="Shown as unverified."
              value={draft.organisation}
              onChange={event => change({ organisation: event.currentTarget.value })}
              error={problems.organisation}
              maxLength={120}
            />
            <TextInput
              label="Its web page"
              description="Starts with https://"
              value={draft.link}
              onChange={event => change({ link: event.currentTarget.value.trim() })}
              error={problems.link}
            />
          </div>
        </div>
      </details>
    </>
  );
}
