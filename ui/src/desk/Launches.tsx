/** The launches of this computer, newest first. */

import { Button } from "@mantine/core";
import { IconCircleCheck, IconLoader, IconPlus, IconRocket, IconX } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { Chip, PageHead, Time, type Tone } from "../shared/parts";
import { Empty, Loaded, Loading, Notice } from "../shared/states";
import { useLaunches } from "./data";
import { ResumeButton, STEP_NAMES } from "./LaunchSteps";
import css from "./launch.module.css";
import { place } from "./new/draft";
import { load } from "./new/store";
import { Prose } from "./Prose";
import { sentence } from "./text";
import type { Launch } from "./types";

export function LaunchesPage() {
  const launches = useLaunches();
  return (
    <>
      <PageHead
        title="Launches"
        actions={
          <Button component={Link} to="/new" leftSection={<IconPlus size={16} />}>
            New campaign
          </Button>
        }
      >
        Every launch of this computer. One that failed or was interrupted can be resumed; nothing is paid
        twice.
      </PageHead>
      <DraftNotice />
      <Loaded
        query={launches}
        what="The launches could not be loaded"
        loading={<Loading lines={3} height={72} />}
      >
        {({ items }) =>
          items.length === 0 ? (
            <Empty icon={<IconRocket size={28} stroke={1.5} />} title="No launch yet">
              A campaign that you launch appears here with each of its steps.
            </Empty>
          ) : (
            <ul className={css.list}>
              {items.map(launch => (
                <Row key={launch.id} launch={launch} />
              ))}
            </ul>
          )
        }
      </Loaded>
    </>
  );
}

function DraftNotice() {
  const draft = load();
  if (draft.launch !== null || draft.name === "") return null;
  return (
    <div className={css.draft}>
      <Notice>
        The draft <b>{draft.name}</b> waits in step {place(draft.step) + 1} of 8.{" "}
        <Link to="/new">Resume it</Link>
      </Notice>
    </div>
  );
}

const STATES: Record<Launch["state"], { label: string; tone: Tone; icon: ReactNode }> = {
  running: { label: "Running", tone: "info", icon: <IconLoader size={13} /> },
  failed: { label: "Stopped", tone: "bad", icon: <IconX size={13} /> },
  done: { label: "Launched", tone: "good", icon: <IconCircleCheck size={13} /> },
};

export function LaunchChip({ state }: { state: Launch["state"] }) {
  const { label, tone, icon } = STATES[state];
  return (
    <Chip tone={tone} icon={icon}>
      {label}
    </Chip>
  );
}

function Row({ launch }: { launch: Launch }) {
  return (
    <li className={css.row}>
      <div>
        <h2>
          <Link to={`/launches/${launch.id}`}>{launch.name}</Link>
        </h2>
        <div className={css.facts}>
          <LaunchChip state={launch.state} />
          <span>by {launch.account}</span>
          <span>
            started <Time unix={launch.started} />
          </span>
        </div>
      </div>
      <p>
        {progress(launch)}
        {launch.error && (
          <span className={css.reason}>
            <Prose text={sentence(launch.error.detail)} />
          </span>
        )}
      </p>
      <div className={css.rowActions}>
        {launch.state === "failed" && launch.resumable && <ResumeButton launch={launch} />}
        {launch.campaign && launch.state === "done" && (
          <Button component={Link} to={`/campaigns/${launch.campaign}`} variant="default" size="sm">
            Follow the campaign
          </Button>
        )}
      </div>
    </li>
  );
}

/** Where a launch is, in words. */
export function progress({ state, steps }: Launch): string {
  if (state === "done") return "All steps are done.";
  const at = steps.findIndex(step => step.state === "running" || step.state === "failed");
  const step = steps[at];
  if (!step) return state === "running" ? "Starting." : "Stopped.";
  const place = `step ${at + 1} of ${steps.length}: ${STEP_NAMES[step.name].title.toLowerCase()}`;
  return state === "running" ? `In ${place}.` : `Stopped in ${place}.`;
}
