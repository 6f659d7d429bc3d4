/** One launch: its steps as they happen, and where to go when it ends. */

import { Button } from "@mantine/core";
import { IconArrowLeft, IconChartLine } from "@tabler/icons-react";
import { Link, useParams } from "@tanstack/react-router";
import { useEffect } from "react";
import { ApiError } from "../shared/api";
import { Facts, Identifier, PageHead, Panel, Time } from "../shared/parts";
import { ErrorPanel, Loaded, Loading, Notice } from "../shared/states";
import { useLaunch } from "./data";
import desk from "./desk.module.css";
import { LaunchChip } from "./Launches";
import { LaunchSteps, ResumeButton } from "./LaunchSteps";
import css from "./launch.module.css";
import { forget, held, load } from "./new/store";
import { Prose } from "./Prose";
import type { Launch } from "./types";

export function LaunchPage() {
  const { id } = useParams({ strict: false }) as { id: string };
  const launch = useLaunch(id);
  return (
    <Loaded
      query={launch}
      what="The launch could not be loaded"
      loading={
        <>
          <PageHead title="Launch" />
          <Loading lines={6} height={48} />
        </>
      }
    >
      {data => <Content launch={data} />}
    </Loaded>
  );
}

function Content({ launch }: { launch: Launch }) {
  const done = launch.state === "done";
  // The draft has become a campaign.
  useEffect(() => {
    if (!done || load().launch !== launch.id) return;
    forget();
    held.validation = null;
    held.initial = null;
  }, [done, launch.id]);
  return (
    <>
      <Link to="/launches" className={desk.back}>
        <IconArrowLeft size={15} />
        Launches
      </Link>
      <PageHead
        title={launch.name}
        actions={
          done && launch.campaign ? (
            <Button
              component={Link}
              to={`/campaigns/${launch.campaign}`}
              leftSection={<IconChartLine size={16} />}
            >
              Follow the campaign
            </Button>
          ) : launch.state === "failed" && launch.resumable ? (
            <ResumeButton launch={launch} />
          ) : undefined
        }
      >
        <Prose text={summary(launch)} />
      </PageHead>
      <div className={desk.stack}>
        <Outcome launch={launch} />
        <LaunchSteps launch={launch} />
        <Panel title="Facts">
          <Facts
            items={[
              ["State", <LaunchChip key="state" state={launch.state} />],
              ["Paid by", launch.account],
              ["Started", <Time key="started" unix={launch.started} />],
              [
                "Campaign",
                launch.campaign ? (
                  <Identifier key="campaign" text={launch.campaign} name="the campaign's id" />
                ) : (
                  "known when the bundle is sealed"
                ),
              ],
            ]}
          />
        </Panel>
      </div>
    </>
  );
}

function summary({ state, resumable }: Launch): string {
  if (state === "done")
    return "The bounty is in escrow, and Sonar has the files. This computer may be switched off.";
  if (state === "running") return "You can leave this page; the launch continues. Keep `sonar ui` running.";
  return resumable
    ? "The launch stopped. Resume it: steps that are done are not repeated, and nothing is paid twice."
    : "The launch stopped before anything was paid. Plan the campaign again.";
}

function Outcome({ launch }: { launch: Launch }) {
  return (
    <div role="status" className={css.outcome}>
      {launch.state === "done" && (
        <Notice tone="good">
          The campaign is launched. The Capsule now measures the start and activates it; then miners can
          submit.
        </Notice>
      )}
      {launch.state === "failed" && launch.error && (
        <ErrorPanel
          error={new ApiError(launch.error, `launch ${launch.id}`)}
          what={launch.error.code === "INTERRUPTED" ? "The launch was interrupted" : "The launch stopped"}
        />
      )}
      {launch.state === "failed" && !launch.resumable && (
        <p>
          <Link to="/new" className={desk.link}>
            Go to the draft
          </Link>
        </p>
      )}
    </div>
  );
}
