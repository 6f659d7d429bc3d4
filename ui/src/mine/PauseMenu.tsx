/** "Running ▾" in the header: pauses and resumes the Mine, with the reason and what ends it. */

import { Menu } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import {
  IconChevronDown,
  IconHourglass,
  IconMoon,
  IconPlayerPause,
  IconPlayerPlay,
  IconPlayerSkipForward,
} from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { problemFrom, send } from "../shared/api";
import { absolute, duration } from "../shared/format";
import { useNow } from "../shared/now";
import { useSession } from "../shared/session";
import { campaignName, type MineState, useStatus } from "./data";
import css from "./mine.module.css";
import { stepDoing } from "./words";

/** When "until tomorrow" ends, in the reader's zone. */
const MORNING_HOUR = 8;

type Change =
  | { path: "/api/mine/resume" }
  | { path: "/api/mine/pause"; minutes: number | null; after: boolean };

/** Whole minutes until tomorrow morning. */
export function minutesUntilMorning(now: Date): number {
  const morning = new Date(now);
  morning.setDate(morning.getDate() + 1);
  morning.setHours(MORNING_HOUR, 0, 0, 0);
  return Math.ceil((morning.getTime() - now.getTime()) / 60_000);
}

function clock(unix: number): string {
  return new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" }).format(unix * 1000);
}

interface Standing {
  state: "running" | "paused" | "waiting";
  label: string;
  /** Why, and what ends it. */
  reason: string;
  ends: string;
}

/** What the Mine does at the moment, in a word and a sentence. */
export function standing({ paused, running, now: works, chain }: MineState, now: number): Standing {
  if (paused) {
    const ends =
      paused.until === null
        ? "It lasts until you resume."
        : `It ends by itself in ${duration(paused.until - now)}, ${absolute(paused.until)}.`;
    if (paused.finishing)
      return {
        state: "waiting",
        label: "Finishing",
        reason: "You paused the Mine. It finishes the running step first, and starts no new one.",
        ends,
      };
    const label = paused.until === null ? "Paused" : `Paused until ${clock(paused.until)}`;
    return {
      state: "paused",
      label,
      reason: "You paused the Mine. Updates that were made are still followed to their settlement.",
      ends,
    };
  }
  if (!running)
    return {
      state: "waiting",
      label: "Starting",
      reason: chain.problem ?? "The Mine waits for the chain, Sonar and IPFS.",
      ends: "It starts by itself when they answer.",
    };
  const work = works[0];
  return {
    state: "running",
    label: "Running",
    reason: work ? `${stepDoing(work.step)} for ${campaignName(work)}.` : "The Mine waits for work.",
    ends: "It runs until you pause it.",
  };
}

export function PauseMenu() {
  const session = useSession();
  const status = useStatus(session.data !== undefined);
  return session.data && status.data ? <Choices status={status.data} /> : null;
}

function Choices({ status }: { status: MineState }) {
  const now = useNow();
  const queries = useQueryClient();
  const change = useMutation({
    mutationFn: (wanted: Change) =>
      send<MineState>(
        "POST",
        wanted.path,
        wanted.path === "/api/mine/pause" ? { minutes: wanted.minutes, after_job: wanted.after } : undefined,
      ),
    onSuccess: state => {
      queries.setQueryData(["/api/mine/status", {}], state);
      notifications.show({ message: standing(state, Math.floor(Date.now() / 1000)).label, color: "indigo" });
    },
    onError: error =>
      notifications.show({ title: "Not changed", message: problemFrom(error).detail, color: "red" }),
  });
  const { state, label, reason, ends } = standing(status, now);
  const pause = (minutes: number | null, after = false) =>
    change.mutate({ path: "/api/mine/pause", minutes, after });
  const Icon = state === "running" ? IconPlayerPlay : state === "paused" ? IconPlayerPause : IconHourglass;
  return (
    <Menu position="bottom-end" shadow="md" width={320}>
      <Menu.Target>
        <button
          type="button"
          className={css.pause}
          data-state={state}
          aria-label={`${label}. Pause or resume`}
        >
          <Icon size={16} />
          <span>{label}</span>
          <IconChevronDown size={14} />
        </button>
      </Menu.Target>
      <Menu.Dropdown>
        <div className={css.reason}>
          <p>{reason}</p>
          <p>{ends}</p>
        </div>
        <Menu.Divider />
        {status.paused ? (
          <Menu.Item
            leftSection={<IconPlayerPlay size={16} />}
            onClick={() => change.mutate({ path: "/api/mine/resume" })}
          >
            Resume now
          </Menu.Item>
        ) : (
          <>
            <Menu.Item leftSection={<IconPlayerPause size={16} />} onClick={() => pause(null)}>
              Pause now
            </Menu.Item>
            <Menu.Item leftSection={<IconPlayerSkipForward size={16} />} onClick={() => pause(null, true)}>
              Pause after this job
            </Menu.Item>
          </>
        )}
        <Menu.Divider />
        <Menu.Label>{status.paused ? "Pause from now for" : "Pause for"}</Menu.Label>
        {[30, 60, 240].map(minutes => (
          <Menu.Item key={minutes} leftSection={<IconHourglass size={16} />} onClick={() => pause(minutes)}>
            {duration(minutes * 60)}
          </Menu.Item>
        ))}
        <Menu.Item
          leftSection={<IconMoon size={16} />}
          onClick={() => pause(minutesUntilMorning(new Date()))}
        >
          Until tomorrow, {String(MORNING_HOUR).padStart(2, "0")}:00
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
