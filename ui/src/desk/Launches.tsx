/** The launches of this computer, newest first. */

import { Button } from "@mantine/core";
import { IconCircleCheck, IconLoader, IconPlus, IconRocket, IconX } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { count } from "../shared/format";
import { Chip, PageHead, Time, type Tone } from "../shared/parts";
import { Empty, Loaded, Loading, Notice } from "../shared/states";
import { useLaunches } from "./data";
import { ResumeButton, STEP_NAMES } from "./LaunchSteps";
import css from "./launch.module.css";
import { place } from "./new/draft";
import { load } from "./new/store";
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
  const done = launch.steps.filter(({ state }) => state === "done").length;
  const now = launch.steps.find(({ state }) => state === "running" || state === "failed");
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
        {launch.state === "done"
          ? "All steps are done."
          : `${count(done, "step")} of ${launch.steps.length} done${now ? `; ${STEP_NAMES[now.name].title.toLowerCase()}` : ""}.`}
        {launch.error && <span className={css.reason}>{launch.error.detail}</span>}
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
