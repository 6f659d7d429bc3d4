/** Activity: the last 200 steps, live. */

import { SegmentedControl, TextInput, Tooltip } from "@mantine/core";
import { type Column, DataTable } from "../shared/DataTable";
import { count, duration, integer } from "../shared/format";
import { useNow } from "../shared/now";
import { Chip, PageHead, Panel, Time } from "../shared/parts";
import { useSearchState } from "../shared/search";
import { Empty, Loaded } from "../shared/states";
import { campaignName, type Job, useJobs } from "./data";
import css from "./mine.module.css";
import { JOB_STATES, stepName } from "./words";

const STATES = [
  { value: "all", label: "All" },
  { value: "running", label: "Running" },
  { value: "failed", label: "Failed" },
  { value: "done", label: "Done" },
];

export function Page() {
  const jobs = useJobs();
  const [search, change] = useSearchState();
  const state = search.state ?? "all";
  const text = (search.q ?? "").toLowerCase();
  const isShown = (job: Job) =>
    (state === "all" || job.state === state || (state === "failed" && job.state === "stopped")) &&
    `${campaignName(job)} ${job.campaign} ${job.step} ${job.error ?? ""}`.toLowerCase().includes(text);
  return (
    <>
      <PageHead title="Activity">
        The last 200 steps of the Mine. A step that fails is repeated with growing pauses.
      </PageHead>
      <div className={css.filters}>
        <TextInput
          label="Search"
          placeholder="Campaign, step or error"
          value={search.q ?? ""}
          onChange={event => change({ q: event.currentTarget.value })}
        />
        <SegmentedControl
          aria-label="State"
          data={STATES}
          value={state}
          onChange={value => change({ state: value === "all" ? undefined : value })}
        />
      </div>
      <Loaded query={jobs} what="The steps cannot be loaded">
        {({ items }) => {
          const rows = items.filter(isShown);
          return (
            <Panel title="Steps" flush>
              {rows.length === 0 ? (
                <Empty title={items.length === 0 ? "No step yet" : "No step matches"}>
                  {items.length === 0
                    ? "Steps appear here when the Mine works for a campaign."
                    : "Change the search or the state."}
                </Empty>
              ) : (
                <DataTable
                  label="Steps"
                  columns={COLUMNS}
                  rows={rows}
                  id={job => `${job.campaign} ${job.step} ${job.version} ${job.started} ${job.attempt}`}
                  note={`${integer(rows.length)} of ${count(items.length, "step")}`}
                />
              )}
            </Panel>
          );
        }}
      </Loaded>
    </>
  );
}

const COLUMNS: Column<Job>[] = [
  {
    id: "campaign",
    header: "Campaign",
    width: "minmax(180px, 1.2fr)",
    sort: campaignName,
    cell: job => <strong>{campaignName(job)}</strong>,
  },
  {
    id: "step",
    header: "Step",
    width: "minmax(150px, .9fr)",
    sort: job => job.step,
    cell: job => stepName(job.step),
  },
  {
    id: "version",
    header: "Version",
    end: true,
    width: "minmax(84px, .4fr)",
    sort: job => job.version,
    cell: job => integer(job.version),
  },
  {
    id: "state",
    header: "State",
    width: "minmax(100px, .5fr)",
    sort: job => job.state,
    cell: job => <Chip tone={JOB_STATES[job.state].tone}>{JOB_STATES[job.state].label}</Chip>,
  },
  {
    id: "started",
    header: "Started",
    width: "minmax(100px, .5fr)",
    sort: job => job.started,
    cell: job => <Time unix={job.started} />,
  },
  {
    id: "duration",
    header: "Duration",
    end: true,
    width: "minmax(100px, .5fr)",
    cell: job => <Duration job={job} />,
  },
  {
    id: "attempt",
    header: "Attempt",
    end: true,
    width: "minmax(80px, .4fr)",
    sort: job => job.attempt,
    cell: job => integer(job.attempt),
  },
  {
    id: "error",
    header: "Error",
    width: "minmax(200px, 1.6fr)",
    cell: job => (job.error ? <ErrorText text={job.error} /> : <span className={css.muted}>–</span>),
  },
];

function Duration({ job }: { job: Job }) {
  const now = useNow();
  return <>{duration((job.ended ?? now) - job.started)}</>;
}

/** Cut to a line; all of it on hover, focus and touch. */
function ErrorText({ text }: { text: string }) {
  return (
    <Tooltip label={text} maw={480}>
      <span className={css.error} tabIndex={0}>
        {text}
      </span>
    </Tooltip>
  );
}
