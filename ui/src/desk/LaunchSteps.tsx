/** The steps of a launch as progress rows, and the button that resumes it. */

import { Button, Loader } from "@mantine/core";
import { IconCheck, IconPlayerPlay, IconX } from "@tabler/icons-react";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { send } from "../shared/api";
import { Cancelled } from "../shared/session";
import { ErrorPanel } from "../shared/states";
import css from "./launch.module.css";
import type { Launch, StepName, StepState } from "./types";
import { useAccountAction } from "./Unlock";

export const STEP_NAMES: Record<StepName, { title: string; note: string }> = {
  seal: { title: "Seal", note: "The validation set is encrypted to the Capsule." },
  upload: { title: "Upload", note: "Sealed files and manifest are put where Sonar fetches them." },
  approve: { title: "Approve", note: "The contract may take bounty and fee from the account." },
  open: { title: "Open", note: "Bounty and fee go into escrow. From here on the campaign exists." },
  offer: { title: "Offer", note: "Sonar fetches the files, so that this computer is not needed any more." },
};

const STATE_NAMES: Record<StepState, string> = {
  todo: "Waiting",
  running: "Running",
  done: "Done",
  failed: "Stopped",
};

export function LaunchSteps({ launch }: { launch: Launch }) {
  return (
    <ol className={css.steps} aria-label="Steps of the launch">
      {launch.steps.map(({ name, state, detail }, index) => (
        <li key={name} data-state={state}>
          <span className={css.mark} aria-hidden="true">
            <Mark state={state} number={index + 1} />
          </span>
          <div>
            <h2>{STEP_NAMES[name].title}</h2>
            <p>{detail ?? STEP_NAMES[name].note}</p>
          </div>
          <span className={css.state}>{STATE_NAMES[state]}</span>
        </li>
      ))}
    </ol>
  );
}

function Mark({ state, number }: { state: StepState; number: number }) {
  if (state === "done") return <IconCheck size={16} />;
  if (state === "failed") return <IconX size={16} />;
  if (state === "running") return <Loader size={16} color="var(--accent)" />;
  return number;
}

export function ResumeButton({ launch }: { launch: Launch }) {
  const [run, dialogue] = useAccountAction();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const queries = useQueryClient();
  const resume = async () => {
    setBusy(true);
    setError(null);
    try {
      const view = await run(launch.account, () =>
        send<Launch>("POST", `/api/desk/launches/${launch.id}/resume`),
      );
      queries.setQueryData([`/api/desk/launches/${launch.id}`, {}], view);
      await queries.invalidateQueries({ queryKey: ["/api/desk/launches"] });
    } catch (failure) {
      if (!(failure instanceof Cancelled)) setError(failure);
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <Button
        size="sm"
        leftSection={<IconPlayerPlay size={16} />}
        loading={busy}
        onClick={() => void resume()}
        aria-label={`Resume ${launch.name}`}
      >
        Resume
      </Button>
      {error !== null && <ErrorPanel error={error} what="The launch was not resumed" />}
      {dialogue}
    </>
  );
}
